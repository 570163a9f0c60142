-- The ledger, first shape. What changes is narrow (queues, outstanding, failed, lanes); what is wide is append-only and is
-- found by the event's number, so that history never sits under a hot index.
--
-- Moments are milliseconds since 1970. Small integers that stand for words are listed in src/sqlite/codes.rs.

-- Who we know. Every other table names a TPP by its small number.
CREATE TABLE tpps (
    tpp             INTEGER PRIMARY KEY,
    client_id       TEXT    NOT NULL UNIQUE,
    profile         TEXT    NOT NULL, -- JSON
    strict_order    INTEGER NOT NULL, -- of the profile's overrides, so that choosing need not parse it
    disabled_at     INTEGER,
    disabled_reason TEXT,
    registered_at   INTEGER NOT NULL,
    changed_at      INTEGER NOT NULL
) STRICT;

-- The TPP's lock and its totals. What is outstanding is the rest: accepted less all the others.
CREATE TABLE queues (
    tpp          INTEGER PRIMARY KEY REFERENCES tpps,
    revision     INTEGER NOT NULL DEFAULT 0, -- of its registrations
    accepted     INTEGER NOT NULL DEFAULT 0, -- and so the last position given
    acknowledged INTEGER NOT NULL DEFAULT 0,
    failed       INTEGER NOT NULL DEFAULT 0,
    expired      INTEGER NOT NULL DEFAULT 0,
    withdrawn    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE registrations (
    tpp        INTEGER NOT NULL REFERENCES tpps,
    kind       INTEGER NOT NULL,
    id         TEXT    NOT NULL,
    wish       TEXT    NOT NULL, -- JSON
    api        TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (tpp, kind)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX registrations_by_id ON registrations (kind, id);

-- One narrow row per event that nobody has settled.
CREATE TABLE outstanding (
    tpp          INTEGER NOT NULL REFERENCES tpps,
    position     INTEGER NOT NULL,
    event        INTEGER NOT NULL REFERENCES events,
    jti          BLOB    NOT NULL,
    family       INTEGER NOT NULL,
    accepted_at  INTEGER NOT NULL,
    due_at       INTEGER NOT NULL,           -- what polls go by
    push_at      INTEGER,                    -- what pushes go by; NULL: not pushed
    polled_until INTEGER NOT NULL DEFAULT 0, -- the end of the last hand-out's redelivery delay
    hand_outs    INTEGER NOT NULL DEFAULT 0,
    errors       INTEGER NOT NULL DEFAULT 0,
    ends         INTEGER NOT NULL DEFAULT 0, -- settlements it has behind it: it failed and was queued again
    PRIMARY KEY (tpp, position)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX outstanding_by_jti ON outstanding (jti);
CREATE INDEX outstanding_due ON outstanding (tpp, family, due_at, position);
CREATE INDEX outstanding_push ON outstanding (tpp, push_at, position) WHERE push_at IS NOT NULL;
CREATE INDEX outstanding_by_age ON outstanding (accepted_at);

-- One narrow row per event set aside after errors: a late ack or an operator finds it without touching history.
CREATE TABLE failed (
    tpp         INTEGER NOT NULL REFERENCES tpps,
    position    INTEGER NOT NULL,
    event       INTEGER NOT NULL REFERENCES events,
    jti         BLOB    NOT NULL,
    family      INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    ends        INTEGER NOT NULL,
    PRIMARY KEY (tpp, position)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX failed_by_jti ON failed (jti);

-- History: what was published.
CREATE TABLE events (
    event         INTEGER PRIMARY KEY,
    jti           BLOB    NOT NULL,
    tpp           INTEGER NOT NULL REFERENCES tpps,
    position      INTEGER NOT NULL,
    accepted_at   INTEGER NOT NULL,
    resource_id   TEXT    NOT NULL,
    txn           TEXT,
    notice        TEXT    NOT NULL -- JSON
) STRICT;
CREATE UNIQUE INDEX events_by_jti ON events (jti);
CREATE INDEX events_by_tpp ON events (tpp, jti);
CREATE INDEX events_by_resource ON events (resource_id, jti);
CREATE INDEX events_by_txn ON events (txn, jti) WHERE txn IS NOT NULL;

-- History: the bytes that were made durable before they were sent. A row here never changes; it leaves with its event, or
-- for `superseded_sets` if its key is compromised before the event is settled.
CREATE TABLE sets (
    event   INTEGER PRIMARY KEY REFERENCES events,
    jws     TEXT    NOT NULL,
    kid     TEXT    NOT NULL,
    kept_at INTEGER NOT NULL
) STRICT;

-- History: bytes that were kept and are not sent any more. They stand apart, so that what is to be sent is one row by its
-- event's number.
CREATE TABLE superseded_sets (
    entry   INTEGER PRIMARY KEY,
    event   INTEGER NOT NULL REFERENCES events,
    jws     TEXT    NOT NULL,
    kid     TEXT    NOT NULL,
    kept_at INTEGER NOT NULL
) STRICT;
CREATE INDEX superseded_sets_by_event ON superseded_sets (event);

-- Keys that were compromised: nothing that they sign is kept.
CREATE TABLE disowned_keys (
    kid         TEXT    PRIMARY KEY,
    disowned_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- History: polls that handed something out or reported an error; their interaction id stands here once.
CREATE TABLE polls (
    poll           INTEGER PRIMARY KEY,
    interaction_id TEXT    NOT NULL,
    at             INTEGER NOT NULL
) STRICT;
CREATE INDEX polls_by_interaction ON polls (interaction_id);

CREATE TABLE hand_outs (
    event INTEGER NOT NULL REFERENCES events,
    poll  INTEGER NOT NULL REFERENCES polls,
    PRIMARY KEY (event, poll)
) STRICT, WITHOUT ROWID;
CREATE INDEX hand_outs_by_poll ON hand_outs (poll);

CREATE TABLE set_errors (
    entry       INTEGER PRIMARY KEY,
    event       INTEGER NOT NULL REFERENCES events,
    poll        INTEGER NOT NULL REFERENCES polls,
    err         TEXT    NOT NULL,
    description TEXT    NOT NULL
) STRICT;
CREATE INDEX set_errors_by_event ON set_errors (event);
CREATE INDEX set_errors_by_poll ON set_errors (poll);

-- History: every push that ended.
CREATE TABLE attempts (
    attempt        INTEGER PRIMARY KEY,
    event          INTEGER NOT NULL REFERENCES events,
    started_at     INTEGER NOT NULL,
    latency_ns     INTEGER NOT NULL,
    interaction_id TEXT    NOT NULL,
    address        TEXT,
    tls_version    TEXT,
    thumbprint     TEXT,
    status         INTEGER, -- of a response; NULL: there was none
    body_head      BLOB,
    deviation      TEXT,
    error_class    TEXT,    -- of an error
    error_detail   TEXT,
    verdict        INTEGER NOT NULL,
    again_at       INTEGER
) STRICT;
CREATE INDEX attempts_by_event ON attempts (event);
CREATE INDEX attempts_by_interaction ON attempts (interaction_id);

-- History: how events ended. `superseded` marks an end that was left again: only a failure can be.
CREATE TABLE settlements (
    event      INTEGER NOT NULL REFERENCES events,
    ends       INTEGER NOT NULL, -- how many it had before
    at         INTEGER NOT NULL,
    outcome    INTEGER NOT NULL,
    actor      TEXT,             -- NULL: the TPP itself
    superseded INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (event, ends)
) STRICT, WITHOUT ROWID;
CREATE INDEX settlements_by_age ON settlements (at) WHERE superseded = 0;
CREATE INDEX settlements_rare ON settlements (outcome) WHERE superseded = 0 AND outcome >= 20;

CREATE TABLE idempotency (
    tpp         INTEGER NOT NULL REFERENCES tpps,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    jti         BLOB    NOT NULL,
    accepted_at INTEGER NOT NULL,
    PRIMARY KEY (tpp, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (accepted_at);

-- Flows per TPP and minute, written once per commit.
CREATE TABLE minutes (
    tpp          INTEGER NOT NULL REFERENCES tpps,
    minute       INTEGER NOT NULL,
    accepted     INTEGER NOT NULL,
    handed_out   INTEGER NOT NULL,
    pushed       INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    expired      INTEGER NOT NULL,
    withdrawn    INTEGER NOT NULL,
    PRIMARY KEY (tpp, minute)
) STRICT, WITHOUT ROWID;
CREATE INDEX minutes_by_age ON minutes (minute);

-- Who pushes to whom, and what is known of the endpoint.
CREATE TABLE nodes (
    node_id    TEXT    PRIMARY KEY,
    epoch      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lanes (
    tpp           INTEGER PRIMARY KEY REFERENCES tpps,
    health        INTEGER NOT NULL DEFAULT 0,
    since         INTEGER,
    declared_at   INTEGER,
    failures      INTEGER NOT NULL DEFAULT 0,
    next_probe_at INTEGER,
    wake_at       INTEGER, -- when it is worth claiming; NULL: only when news comes
    news_at       INTEGER, -- the first news since it was claimed: its owner may not have looked since
    owner         TEXT,
    epoch         INTEGER
) STRICT;
CREATE INDEX lanes_by_wake ON lanes (wake_at) WHERE wake_at IS NOT NULL;

-- Who changed what.
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    action   TEXT    NOT NULL,
    tpp      INTEGER REFERENCES tpps,
    before   TEXT, -- JSON
    after    TEXT  -- JSON
) STRICT;
CREATE INDEX audit_by_tpp ON audit (tpp, sequence);
