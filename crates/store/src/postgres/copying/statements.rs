//! How this backend says what the tables of a copy say, where it has other columns for it; and its locks and marks.

use crate::copy::Reading;

/// What is not read column by column.
pub(super) const READINGS: &[Reading] = &[
    Reading {
        table: "nodes",
        from: "nodes",
        columns: &[("expires_at", "0::bigint")],
    },
    Reading {
        table: "queues",
        from: "queues",
        columns: &[
            (
                "kinds",
                "ARRAY(SELECT kind::bigint FROM unnest(kinds) kind ORDER BY kind)",
            ),
            (
                "kinds_from",
                "ARRAY(SELECT start FROM unnest(kinds, kinds_from) k (kind, start) ORDER BY kind)",
            ),
        ],
    },
    Reading {
        table: "events",
        from: "events e",
        columns: &[
            ("tpp", "e.tpp"),
            ("jti", "e.jti"),
            ("types", "(SELECT k.types FROM kinds k WHERE k.kind = e.kind)"),
        ],
    },
    // Events that are gone are not named, and a poll that names none is gone with the last of them.
    Reading {
        table: "polls",
        from: "polls p JOIN LATERAL (
            SELECT ARRAY(
                SELECT DISTINCT j FROM unnest(p.jtis) j
                WHERE EXISTS (SELECT 1 FROM hand_outs h WHERE h.tpp = p.tpp AND h.jti = j AND h.poll = p.entry)
                    OR EXISTS (SELECT 1 FROM set_errors r WHERE r.tpp = p.tpp AND r.jti = j AND r.poll = p.entry)
                ORDER BY j) AS left_jtis) l ON cardinality(l.left_jtis) > 0",
        columns: &[
            ("tpp", "p.tpp"),
            ("entry", "p.entry"),
            ("at", "p.at"),
            ("interaction_id", "p.interaction_id"),
            ("jtis", "l.left_jtis"),
        ],
    },
    Reading {
        table: "hand_outs",
        from: "hand_outs h JOIN polls p ON p.tpp = h.tpp AND p.entry = h.poll AND p.at = h.at",
        columns: &[
            ("tpp", "h.tpp"),
            ("jti", "h.jti"),
            ("poll", "h.poll"),
            ("at", "h.at"),
            ("interaction_id", "p.interaction_id"),
        ],
    },
    Reading {
        table: "set_errors",
        from: "set_errors r JOIN polls p ON p.tpp = r.tpp AND p.entry = r.poll AND p.at = r.at",
        columns: &[
            ("tpp", "r.tpp"),
            ("jti", "r.jti"),
            ("entry", "r.entry"),
            ("poll", "r.poll"),
            ("at", "r.at"),
            ("interaction_id", "p.interaction_id"),
        ],
    },
    Reading {
        table: "settlements",
        from: "settlements",
        columns: &[("superseded", "superseded::integer")],
    },
];

/// A column of a copy, and what it is called here, if it is here at all.
type Elsewhere = (&'static str, Option<&'static str>);

/// Columns of a copy that have another name here, or none.
pub(super) const WRITINGS: &[(&str, &[Elsewhere])] = &[
    ("events", &[("types", Some("kind"))]),
    ("hand_outs", &[("interaction_id", None)]),
    ("set_errors", &[("interaction_id", None)]),
];

/// What draws the next number goes on after those that were written.
pub(super) const DRAWN: &[(&str, &str)] = &[
    (
        "tpps",
        "SELECT setval(pg_get_serial_sequence('tpps', 'tpp'), (SELECT max(tpp) FROM tpps))",
    ),
    (
        "kinds",
        "SELECT setval(pg_get_serial_sequence('kinds', 'kind'), (SELECT max(kind) FROM kinds))",
    ),
    (
        "nodes",
        "SELECT setval('epochs', greatest(1, (SELECT max(epoch) FROM nodes)))",
    ),
    ("queues", "UPDATE queues SET unordered_to = accepted"),
    (
        "audit",
        "SELECT setval(pg_get_serial_sequence('audit', 'sequence'), (SELECT max(sequence) FROM audit))",
    ),
];

/// Nobody waits for a copy, so it may pause in a transaction for as long as the other side takes; but it waits for nobody who
/// works with a table that it wants to lock. Counting is no walk along an index.
pub(super) const SETTINGS: &str = "
    SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '5s'; SET max_parallel_workers_per_gather = 0";

/// Whatever is written of a ledger is written to one of these, too.
pub(super) const LOCK_OUT: &str = "
    LOCK TABLE tpps, queues, registrations, kinds, outstanding, failed, disowned_keys, idempotency, minutes, nodes, lanes, audit, audit_heads,
        requests, health_changes
    IN SHARE MODE";

pub(super) const MARK: &str =
    "DROP TABLE IF EXISTS being_copied; CREATE TABLE being_copied (copy text NOT NULL)";

pub(super) const BEGIN: &str = "CREATE TABLE unfinished_copy (copy text NOT NULL, source text NOT NULL, progress text NOT NULL)";

pub(super) const LIVE: &str =
    "SELECT node_id FROM nodes WHERE expires_at > $1 ORDER BY node_id LIMIT 1";

/// Nobody else calls himself by our name.
pub(super) const ALONE: &str = "
    SELECT NOT EXISTS (
        SELECT 1 FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'oyez schema %'
            AND pid <> pg_backend_pid())";

pub(super) const MAKE_KINDS: &str = "
    INSERT INTO kinds (types) SELECT unnest($1::text[]) ORDER BY 1 ON CONFLICT DO NOTHING";

pub(super) const KINDS: &str = "SELECT types, kind FROM kinds WHERE types = ANY ($1::text[])";
