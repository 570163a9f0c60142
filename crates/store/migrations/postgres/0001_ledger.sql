-- The ledger on PostgreSQL: the same tables as on SQLite, in this database's terms.
--
-- What changes is narrow (queues, outstanding, failed, lanes, minutes); what is wide is append-only history, partitioned by
-- time, so that it never sits under a hot index and is dropped a partition at a time.
--
-- Keys. Every table of events begins its key with the TPP: no lock, sequence or unique index is shared between two TPPs, and
-- the tables can be distributed by `tpp`. Numbers that must grow (positions, entries of history) are drawn from the TPP's row
-- of `queues` under its lock. Identity columns exist in `tpps`, `kinds` and `audit` alone, which are small reference tables, and
-- the epochs of `nodes` are drawn from a sequence.
--
-- No foreign keys: each would lock a row of the table it points to for every row written, and meet other TPPs there. What
-- they would guarantee, the lock of the TPP does.
--
-- Moments are milliseconds since 1970. Small integers that stand for words are listed in src/codes.rs.

-- Who we know. Every other table names a TPP by its small number.
CREATE TABLE tpps (
    tpp             bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id       text     COLLATE "C" NOT NULL UNIQUE,
    profile         text     NOT NULL, -- JSON
    own_order       smallint NOT NULL, -- of the profile's overrides, so that choosing need not parse it
    disabled_at     bigint,
    disabled_reason text,
    registered_at   bigint   NOT NULL,
    changed_at      bigint   NOT NULL
);

-- The TPP's lock, its totals, and what it draws numbers from. What is outstanding is the rest: accepted less all the others.
--
-- A row is written by every group of requests that concerns its TPP, and nothing that changes is indexed: half of each page is
-- left free, so that the next version lands on the same page and vacuum is not needed to take the last one away.
CREATE TABLE queues (
    tpp           bigint PRIMARY KEY,
    revision      bigint NOT NULL DEFAULT 0, -- of its registrations
    begun         bigint NOT NULL DEFAULT 0, -- how often its pushing began anew
    accepted      bigint NOT NULL DEFAULT 0, -- and so the last position given
    acknowledged  bigint NOT NULL DEFAULT 0,
    failed        bigint NOT NULL DEFAULT 0,
    expired       bigint NOT NULL DEFAULT 0,
    withdrawn     bigint NOT NULL DEFAULT 0,
    entries       bigint NOT NULL DEFAULT 0, -- the last number given to an entry of its history
    -- Which kinds may be outstanding, and each from which position on: a change of registrations that wants all of these
    -- withdraws nothing, and one that does not looks at no row before. What it withdrew it takes out of both.
    kinds         integer[] NOT NULL DEFAULT '{}',
    kinds_from    bigint[]  NOT NULL DEFAULT '{}',
    unlisted_from bigint,                    -- from this position on events may have no push_at, though there is an address
    accepted_until bigint NOT NULL DEFAULT 0, -- the latest moment of an acceptance: after now, if a clock was set back
    unordered_to  bigint NOT NULL DEFAULT 0, -- up to this position some stand behind what was accepted minutes after them
    seen_at       bigint NOT NULL DEFAULT 0, -- about when it was given events last: whoever comes much earlier has a clock set back
    -- Lower bounds, that a walk along an index begins at: entries of rows that are gone lie before them, and stay in the
    -- index until it is vacuumed. A bound may be too low, never too high. Whoever makes a row of `outstanding` due sooner, or
    -- puts one in at an old position, lowers them in the same transaction; zero is always right.
    first_position bigint NOT NULL DEFAULT 0,
    due_from      bigint[] NOT NULL DEFAULT '{0,0,0,0}', -- of due_at, by family
    push_from     bigint NOT NULL DEFAULT 0              -- of push_at
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE registrations (
    tpp        bigint   NOT NULL,
    kind       smallint NOT NULL,
    id         text     NOT NULL,
    wish       text     NOT NULL, -- JSON
    api        text     NOT NULL,
    created_at bigint   NOT NULL,
    changed_at bigint   NOT NULL,
    PRIMARY KEY (tpp, kind),
    CONSTRAINT registrations_by_id UNIQUE (kind, id)
);

-- What routing goes by when a registration changes: the types of an event, as a sorted JSON array. Few, however many events.
-- A row never changes, so whoever has read it may keep it.
CREATE TABLE kinds (
    kind  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    types text    COLLATE "C" NOT NULL UNIQUE
);

-- One narrow row per event that nobody has settled.
--
-- A hand-out and a push change `due_at` or `push_at`, which are indexed, so they write a new entry into every index: there are
-- as few as the questions allow. The rest of an update (counts, the end of a flight) stays on its page; a fifth is left free
-- for that. Dead rows come at the rate of the traffic: vacuum starts after so many rows, not after a share of a table that is
-- empty at night and full at noon, and does not rest between pages, of which there are few.
CREATE TABLE outstanding (
    tpp               bigint   NOT NULL,
    position          bigint   NOT NULL,
    jti               uuid     NOT NULL,
    accepted_at       bigint   NOT NULL,
    due_at            bigint   NOT NULL,           -- what polls go by
    push_at           bigint,                      -- what pushes go by; NULL: not pushed
    polled_until      bigint   NOT NULL DEFAULT 0, -- the end of the last hand-out's redelivery delay
    flight_until      bigint,                      -- chosen for pushing until then, and nobody has said yet what came of it
    begun             bigint   NOT NULL DEFAULT 0, -- queues.begun when it was last chosen; another: what comes of it is not charged
    refused_since     bigint,
    kind              integer  NOT NULL,
    hand_outs         integer  NOT NULL DEFAULT 0,
    errors            integer  NOT NULL DEFAULT 0,
    ends              integer  NOT NULL DEFAULT 0, -- settlements it has behind it: it failed and was queued again
    refusals          integer  NOT NULL DEFAULT 0,
    endpoint_failures integer  NOT NULL DEFAULT 0,
    family            smallint NOT NULL,
    -- In strict order the oldest counts; who lists a backlog for pushing walks it.
    PRIMARY KEY (tpp, position),
    -- What a TPP acknowledges, reports or was pushed is named by its jti.
    CONSTRAINT outstanding_of_tpp UNIQUE (tpp, jti)
) WITH (
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000
);
-- What a poll may have next: one walk per family that its token may see.
CREATE INDEX outstanding_due ON outstanding (tpp, family, due_at, position);
-- What is pushed next. TPPs who only poll pay nothing for it.
CREATE INDEX outstanding_push ON outstanding (tpp, push_at, position) WHERE push_at IS NOT NULL;
-- What has something held against it: beginning anew touches these rows and no others.
CREATE INDEX outstanding_charged ON outstanding (tpp) WHERE refusals > 0 OR endpoint_failures > 0;

-- One narrow row per event set aside after errors: a late ack or an operator finds it without touching history.
CREATE TABLE failed (
    tpp         bigint   NOT NULL,
    position    bigint   NOT NULL,
    jti         uuid     NOT NULL,
    accepted_at bigint   NOT NULL,
    kind        integer  NOT NULL,
    ends        integer  NOT NULL,
    family      smallint NOT NULL,
    PRIMARY KEY (tpp, position),
    CONSTRAINT failed_of_tpp UNIQUE (tpp, jti)
);

-- History. All of it is partitioned by the time in the jti, in spans of four weeks (src/postgres/partitions.rs), and goes with
-- its event. Rows are written once: pages are filled, and nothing is left for updates.

-- What was published.
CREATE TABLE events (
    tpp         bigint   NOT NULL,
    jti         uuid     NOT NULL,
    position    bigint   NOT NULL,
    accepted_at bigint   NOT NULL,
    kind        integer  NOT NULL,
    family      smallint NOT NULL,
    resource_id text     NOT NULL,
    txn         text,
    notice      text     NOT NULL, -- JSON
    PRIMARY KEY (tpp, jti)
) PARTITION BY RANGE (jti);
-- An operator asks for one event, or the newest of all TPPs, without saying whose.
CREATE INDEX events_by_jti ON events (jti);
CREATE INDEX events_by_resource ON events (resource_id, jti);
CREATE INDEX events_by_txn ON events (txn, jti) WHERE txn IS NOT NULL;

-- The bytes that were made durable before they were sent. Base64 does not compress, so nobody tries.
CREATE TABLE sets (
    tpp     bigint NOT NULL,
    jti     uuid   NOT NULL,
    kept_at bigint NOT NULL,
    kid     text   COLLATE "C" NOT NULL,
    jws     text   NOT NULL,
    PRIMARY KEY (tpp, jti)
) PARTITION BY RANGE (jti);
ALTER TABLE sets ALTER COLUMN jws SET STORAGE EXTERNAL;

-- Bytes that were kept and are not sent any more.
CREATE TABLE superseded_sets (
    tpp     bigint  NOT NULL,
    jti     uuid    NOT NULL,
    nth     integer NOT NULL,
    kept_at bigint  NOT NULL,
    kid     text    COLLATE "C" NOT NULL,
    jws     text    NOT NULL,
    PRIMARY KEY (tpp, jti, nth)
) PARTITION BY RANGE (jti);
ALTER TABLE superseded_sets ALTER COLUMN jws SET STORAGE EXTERNAL;

-- Hand-outs, by the poll that made them.
CREATE TABLE hand_outs (
    tpp  bigint NOT NULL,
    jti  uuid   NOT NULL,
    poll bigint NOT NULL, -- entry of `polls`
    at   bigint NOT NULL, -- the same as there
    PRIMARY KEY (tpp, jti, poll)
) PARTITION BY RANGE (jti);

CREATE TABLE set_errors (
    tpp         bigint NOT NULL,
    jti         uuid   NOT NULL,
    entry       bigint NOT NULL,
    poll        bigint NOT NULL, -- entry of `polls`
    at          bigint NOT NULL, -- the same as there
    err         text   NOT NULL,
    description text   NOT NULL,
    PRIMARY KEY (tpp, jti, entry)
) PARTITION BY RANGE (jti);

-- Every push that ended.
CREATE TABLE attempts (
    tpp            bigint   NOT NULL,
    jti            uuid     NOT NULL,
    entry          bigint   NOT NULL,
    started_at     bigint   NOT NULL,
    latency_ns     bigint   NOT NULL,
    again_at       bigint,
    status         integer,  -- of a response; NULL: there was none
    verdict        smallint NOT NULL,
    interaction_id text     NOT NULL,
    address        text,
    tls_version    text,
    thumbprint     text,
    body_head      bytea,
    deviation      text,
    error_class    text,     -- of an error
    error_detail   text,
    PRIMARY KEY (tpp, jti, entry)
) PARTITION BY RANGE (jti);
CREATE INDEX attempts_by_interaction ON attempts (interaction_id);

-- How events ended. `superseded` marks an end that was left again: only a failure can be.
CREATE TABLE settlements (
    tpp        bigint   NOT NULL,
    jti        uuid     NOT NULL,
    ends       integer  NOT NULL, -- how many it had before
    outcome    smallint NOT NULL,
    superseded boolean  NOT NULL DEFAULT false,
    at         bigint   NOT NULL,
    actor      text,              -- NULL: the TPP itself
    PRIMARY KEY (tpp, jti, ends)
) PARTITION BY RANGE (jti);
CREATE INDEX settlements_by_age ON settlements (at, jti) WHERE NOT superseded;
CREATE INDEX settlements_rare ON settlements (outcome, jti) WHERE NOT superseded AND outcome >= 20;

-- Polls that handed something out or reported an error: what was asked stands here once, and which events it concerned. They
-- are partitioned by their own time, in the same spans.
CREATE TABLE polls (
    tpp            bigint NOT NULL,
    entry          bigint NOT NULL,
    at             bigint NOT NULL,
    interaction_id text   NOT NULL,
    jtis           uuid[] NOT NULL,
    PRIMARY KEY (tpp, entry, at)
) PARTITION BY RANGE (at);
CREATE INDEX polls_by_interaction ON polls (interaction_id);

-- Keys that were compromised: nothing that they sign is kept, and nothing that they signed is sent. What they signed is
-- superseded TPP by TPP; how far that has come stands here, so that anybody can go on with it.
CREATE TABLE disowned_keys (
    kid             text    COLLATE "C" PRIMARY KEY,
    disowned_at     bigint  NOT NULL,
    actor           text    NOT NULL DEFAULT '', -- who disowned it; a copy does not say
    superseded      bigint  NOT NULL DEFAULT 0, -- SETs so far
    walked_tpp      bigint  NOT NULL DEFAULT 0,
    walked_position bigint  NOT NULL DEFAULT 0, -- of that TPP
    is_over         boolean NOT NULL DEFAULT true
);
-- Whoever reads a SET to send it asks for these: there are none but in the seconds after a key was disowned.
CREATE INDEX disowned_keys_unfinished ON disowned_keys (kid) WHERE NOT is_over;

CREATE TABLE idempotency (
    tpp         bigint NOT NULL,
    key         text   COLLATE "C" NOT NULL,
    fingerprint bytea  NOT NULL,
    jti         uuid   NOT NULL,
    accepted_at bigint NOT NULL,
    PRIMARY KEY (tpp, key)
);
CREATE INDEX idempotency_by_age ON idempotency (accepted_at);

-- Flows per TPP and minute, written once per group of requests.
CREATE TABLE minutes (
    tpp          bigint NOT NULL,
    minute       bigint NOT NULL,
    accepted     bigint NOT NULL,
    handed_out   bigint NOT NULL,
    pushed       bigint NOT NULL,
    acknowledged bigint NOT NULL,
    failed       bigint NOT NULL,
    expired      bigint NOT NULL,
    withdrawn    bigint NOT NULL,
    PRIMARY KEY (tpp, minute)
) WITH (fillfactor = 70);
CREATE INDEX minutes_by_age ON minutes (minute);

-- Who pushes to whom, and what is known of the endpoint.
-- Moments are by this database's clock.
CREATE TABLE nodes (
    node_id       text   COLLATE "C" PRIMARY KEY,
    epoch         bigint NOT NULL DEFAULT 0, -- of its lease to push
    expires_at    bigint NOT NULL DEFAULT 0,
    attends_until bigint NOT NULL DEFAULT 0  -- until then it answers TPPs
) WITH (fillfactor = 50);
-- What epochs are drawn from: a node that was forgotten and comes back by its name has none that it had before.
CREATE SEQUENCE epochs;

-- Rows are locked in the order of `tpp`, and by whoever holds no other lock than TPPs' queues. `next_probe_at`, `wake_at` and
-- `news_at` are by this database's clock.
CREATE TABLE lanes (
    tpp           bigint   PRIMARY KEY,
    claim         bigint   NOT NULL DEFAULT 0, -- grows with each claim: what is left of a former one is refused
    since         bigint,
    declared_at   bigint,
    next_probe_at bigint,
    wake_at       bigint, -- when it is worth claiming; NULL: only when news comes
    news_at       bigint, -- the first news since it was claimed: its owner may not have looked since
    epoch         bigint,
    failures      bigint   NOT NULL DEFAULT 0,
    health        smallint NOT NULL DEFAULT 0,
    owner         text     COLLATE "C",
    reason        text
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX lanes_by_wake ON lanes (wake_at) WHERE wake_at IS NOT NULL;

-- Who changed what.
CREATE TABLE audit (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       bigint NOT NULL,
    actor    text   NOT NULL,
    action   text   NOT NULL,
    tpp      bigint,
    before   text, -- JSON
    after    text  -- JSON
);
CREATE INDEX audit_by_tpp ON audit (tpp, sequence);
