//! How this backend says what the tables of a copy say, where it has other tables or columns for it.

use crate::copy::Reading;

/// What is not read from a table of its name, column by column.
pub(super) const READINGS: &[Reading] = &[
    Reading {
        table: "nodes",
        from: "nodes",
        columns: &[("expires_at", "0")],
    },
    Reading {
        table: "queues",
        from: "queues",
        columns: &[
            (
                "kinds",
                "(SELECT json_group_array(kind) FROM (
                    SELECT kind FROM queue_kinds k WHERE k.tpp = queues.tpp ORDER BY kind))",
            ),
            (
                "kinds_from",
                "(SELECT json_group_array(from_position) FROM (
                    SELECT from_position FROM queue_kinds k WHERE k.tpp = queues.tpp ORDER BY kind))",
            ),
            (
                "entries",
                "max(coalesce((SELECT max(poll) FROM polls), 0), coalesce((SELECT max(entry) FROM set_errors), 0),
                    coalesce((SELECT max(attempt) FROM attempts), 0))",
            ),
            (
                "accepted_until",
                "max(coalesce((SELECT max(accepted_at) FROM outstanding o WHERE o.tpp = queues.tpp), 0),
                    coalesce((SELECT max(accepted_at) FROM failed f WHERE f.tpp = queues.tpp), 0))",
            ),
        ],
    },
    Reading {
        table: "events",
        from: "events",
        columns: &[("family", "NULL"), ("types", "NULL")],
    },
    Reading {
        table: "sets",
        from: "events e CROSS JOIN sets s USING (event)",
        columns: &[("tpp", "e.tpp"), ("jti", "e.jti")],
    },
    Reading {
        table: "superseded_sets",
        from: "events e CROSS JOIN superseded_sets s USING (event)",
        columns: &[
            ("tpp", "e.tpp"),
            ("jti", "e.jti"),
            (
                "nth",
                "(SELECT count(*) FROM superseded_sets b WHERE b.event = s.event AND b.entry <= s.entry)",
            ),
        ],
    },
    Reading {
        table: "polls",
        from: "temp.poll_owners o CROSS JOIN polls p USING (poll)",
        columns: &[
            ("tpp", "o.tpp"),
            ("entry", "o.poll"),
            ("at", "p.at"),
            (
                "jtis",
                "(SELECT unhex(group_concat(hex(jti), '')) FROM (
                    SELECT e.jti FROM hand_outs h CROSS JOIN events e USING (event)
                    WHERE h.poll = o.poll AND e.tpp = o.tpp
                    UNION
                    SELECT e.jti FROM set_errors r CROSS JOIN events e USING (event)
                    WHERE r.poll = o.poll AND e.tpp = o.tpp
                    ORDER BY 1))",
            ),
        ],
    },
    Reading {
        table: "hand_outs",
        from: "events e CROSS JOIN hand_outs h USING (event) CROSS JOIN polls p USING (poll)",
        columns: &[
            ("tpp", "e.tpp"),
            ("jti", "e.jti"),
            ("poll", "h.poll"),
            ("at", "p.at"),
            ("interaction_id", "p.interaction_id"),
        ],
    },
    Reading {
        table: "set_errors",
        from: "events e CROSS JOIN set_errors r USING (event) CROSS JOIN polls p USING (poll)",
        columns: &[
            ("tpp", "e.tpp"),
            ("jti", "e.jti"),
            ("entry", "r.entry"),
            ("poll", "r.poll"),
            ("at", "p.at"),
            ("interaction_id", "p.interaction_id"),
        ],
    },
    Reading {
        table: "attempts",
        from: "events e CROSS JOIN attempts a USING (event)",
        columns: &[("tpp", "e.tpp"), ("jti", "e.jti"), ("entry", "a.attempt")],
    },
    Reading {
        table: "settlements",
        from: "events e CROSS JOIN settlements s USING (event)",
        columns: &[("tpp", "e.tpp"), ("jti", "e.jti"), ("ends", "s.ends")],
    },
];

/// What is not written to a table of its name, column by column: the first of each writes one row. Parameters are the columns
/// of a copy's table, in their order.
pub(super) const WRITINGS: &[(&str, &[&str])] = &[
    ("queues", &[
        "INSERT INTO queues (tpp, revision, begun, accepted, acknowledged, failed, expired, withdrawn, unlisted_from, seen_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        "INSERT INTO queue_kinds (tpp, kind, from_position)
            SELECT ?1, k.value, f.value FROM json_each(?11) k JOIN json_each(?12) f USING (key)",
    ]),
    ("events", &[
        "INSERT INTO events (tpp, jti, position, accepted_at, resource_id, txn, notice)
            VALUES (?1, ?2, ?3, ?4, ?7, ?8, ?9)",
    ]),
    ("sets", &[
        "INSERT INTO sets (event, kept_at, kid, jws)
            SELECT event, ?3, ?4, ?5 FROM events WHERE tpp = ?1 AND jti = ?2",
    ]),
    ("superseded_sets", &[
        "INSERT INTO superseded_sets (event, kept_at, kid, jws)
            SELECT event, ?4, ?5, ?6 FROM events WHERE tpp = ?1 AND jti = ?2",
    ]),
    ("polls", &[
        "INSERT INTO polls (at, interaction_id) VALUES (?3, ?4)",
        "INSERT INTO copied_polls (tpp, entry, poll) VALUES (?1, ?2, last_insert_rowid())",
    ]),
    ("hand_outs", &[
        "INSERT INTO hand_outs (event, poll)
            SELECT e.event, p.poll FROM events e CROSS JOIN copied_polls p
            WHERE e.tpp = ?1 AND e.jti = ?2 AND p.tpp = ?1 AND p.entry = ?3",
    ]),
    ("set_errors", &[
        "INSERT INTO set_errors (event, poll, err, description)
            SELECT e.event, p.poll, ?7, ?8 FROM events e CROSS JOIN copied_polls p
            WHERE e.tpp = ?1 AND e.jti = ?2 AND p.tpp = ?1 AND p.entry = ?4",
    ]),
    ("attempts", &[
        "INSERT INTO attempts (event, started_at, latency_ns, again_at, status, verdict, interaction_id, address,
                tls_version, thumbprint, body_head, deviation, error_class, error_detail)
            SELECT event, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16
            FROM events WHERE tpp = ?1 AND jti = ?2",
    ]),
    ("settlements", &[
        "INSERT INTO settlements (event, ends, outcome, superseded, at, actor)
            SELECT event, ?3, ?4, ?5, ?6, ?7 FROM events WHERE tpp = ?1 AND jti = ?2",
    ]),
    ("outstanding", &[
        "INSERT INTO outstanding (tpp, position, jti, event, accepted_at, due_at, push_at, polled_until, flight_until, begun,
                refused_since, kind, hand_outs, errors, ends, refusals, endpoint_failures, family)
            SELECT tpp, ?2, jti, event, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17
            FROM events WHERE tpp = ?1 AND jti = ?3",
    ]),
    ("failed", &[
        "INSERT INTO failed (tpp, position, jti, event, accepted_at, kind, ends, family)
            SELECT tpp, ?2, jti, event, ?4, ?5, ?6, ?7 FROM events WHERE tpp = ?1 AND jti = ?3",
    ]),
];

/// Whose polls are whose, by what they handed out or reported against.
pub(super) const POLL_OWNERS: &str = "
    CREATE TEMP TABLE poll_owners (tpp INTEGER NOT NULL, poll INTEGER NOT NULL, PRIMARY KEY (tpp, poll)) WITHOUT ROWID;
    INSERT INTO temp.poll_owners
        SELECT e.tpp, h.poll FROM hand_outs h CROSS JOIN events e USING (event)
        UNION SELECT e.tpp, r.poll FROM set_errors r CROSS JOIN events e USING (event)";

/// The mark, and which poll of the source became which here.
pub(super) const BEGIN: &str = "
    CREATE TABLE unfinished_copy (copy TEXT NOT NULL, source TEXT NOT NULL, progress TEXT NOT NULL) STRICT;
    CREATE TABLE copied_polls (tpp INTEGER NOT NULL, entry INTEGER NOT NULL, poll INTEGER NOT NULL,
        PRIMARY KEY (tpp, entry)) STRICT, WITHOUT ROWID";

pub(super) const FINISH: &str = "DROP TABLE copied_polls; DROP TABLE unfinished_copy";
