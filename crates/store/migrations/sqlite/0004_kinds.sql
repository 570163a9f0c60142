-- A change of what a TPP has registered costs what it withdraws, in bounded steps, and reads no notice.

-- What routing goes by when a registration changes: the types of an event, as a sorted JSON array. Few, however many events:
-- a bank publishes few mixtures of types.
CREATE TABLE kinds (
    kind  INTEGER PRIMARY KEY,
    types TEXT    NOT NULL UNIQUE
) STRICT;

-- Which kinds may be outstanding of a TPP, and from which position on: a change that wants all of these withdraws nothing. A
-- row may outlive its events; the change that does not want it removes it, and with it the reason to look again.
CREATE TABLE queue_kinds (
    tpp           INTEGER NOT NULL REFERENCES tpps,
    kind          INTEGER NOT NULL REFERENCES kinds,
    from_position INTEGER NOT NULL,
    PRIMARY KEY (tpp, kind)
) STRICT, WITHOUT ROWID;

-- What a change withdrew and one transaction was too short for. From the commit of the change on, the events of these kinds
-- are withdrawn, though their rows are still there: they are counted so, nobody finds them, and their ends are written a
-- batch at a time. Nothing goes out to the TPP, and its registrations stay as they are, until that is done.
CREATE TABLE withdrawals (
    tpp           INTEGER PRIMARY KEY REFERENCES tpps,
    from_position INTEGER NOT NULL, -- before it all is written
    at            INTEGER NOT NULL,
    outcome       INTEGER NOT NULL,
    actor         TEXT              -- NULL: the TPP itself
) STRICT;
CREATE TABLE withdrawn_kinds (
    tpp  INTEGER NOT NULL REFERENCES withdrawals,
    kind INTEGER NOT NULL REFERENCES kinds,
    PRIMARY KEY (tpp, kind)
) STRICT, WITHOUT ROWID;

-- The latest moment at which the TPP was given events, to the minute: who asks for it much earlier has a clock that was set
-- back.
ALTER TABLE queues ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;

-- Not temporary: those are kept in memory, and may be millions. The places of these in the file are taken by what comes next.
CREATE TABLE types_of AS
    SELECT e.event, (
        SELECT json_group_array(type) FROM (
            SELECT DISTINCT h.value ->> '$.type' AS type FROM json_each(e.notice, '$.happenings') h ORDER BY 1)
    ) AS types
    FROM (SELECT event FROM outstanding UNION ALL SELECT event FROM failed) o CROSS JOIN events e USING (event);
INSERT INTO kinds (types) SELECT DISTINCT types FROM types_of ORDER BY types;
CREATE TABLE kind_of (event INTEGER PRIMARY KEY, kind INTEGER NOT NULL);
INSERT INTO kind_of SELECT t.event, k.kind FROM types_of t CROSS JOIN kinds k USING (types);
DROP TABLE types_of;

-- Anew with its kind, and without the column that `begun` took the place of.
CREATE TABLE outstanding_with_kind (
    tpp               INTEGER NOT NULL REFERENCES tpps,
    position          INTEGER NOT NULL,
    event             INTEGER NOT NULL REFERENCES events,
    jti               BLOB    NOT NULL,
    family            INTEGER NOT NULL,
    kind              INTEGER NOT NULL REFERENCES kinds,
    accepted_at       INTEGER NOT NULL,
    due_at            INTEGER NOT NULL,           -- what polls go by
    push_at           INTEGER,                    -- what pushes go by; NULL: not pushed
    polled_until      INTEGER NOT NULL DEFAULT 0, -- the end of the last hand-out's redelivery delay
    flight_until      INTEGER,                    -- the choice for pushing that it is in flight by, until then
    begun             INTEGER NOT NULL DEFAULT 0, -- how often its TPP's pushing had begun anew at that choice
    refusals          INTEGER NOT NULL DEFAULT 0, -- counters of this event alone, since they last began
    refused_since     INTEGER,
    endpoint_failures INTEGER NOT NULL DEFAULT 0,
    hand_outs         INTEGER NOT NULL DEFAULT 0,
    errors            INTEGER NOT NULL DEFAULT 0,
    ends              INTEGER NOT NULL DEFAULT 0, -- settlements it has behind it: it failed and was queued again
    PRIMARY KEY (tpp, position)
) STRICT, WITHOUT ROWID;
INSERT INTO outstanding_with_kind
    SELECT o.tpp, o.position, o.event, o.jti, o.family, k.kind, o.accepted_at, o.due_at, o.push_at, o.polled_until,
        o.flight_until, o.begun, o.refusals, o.refused_since, o.endpoint_failures, o.hand_outs, o.errors, o.ends
    FROM outstanding o CROSS JOIN kind_of k USING (event) ORDER BY o.tpp, o.position;
DROP TABLE outstanding;
ALTER TABLE outstanding_with_kind RENAME TO outstanding;
CREATE UNIQUE INDEX outstanding_of_tpp ON outstanding (tpp, jti);
CREATE INDEX outstanding_due ON outstanding (tpp, family, due_at, position);
CREATE INDEX outstanding_push ON outstanding (tpp, push_at, position) WHERE push_at IS NOT NULL;
CREATE INDEX outstanding_by_age ON outstanding (accepted_at);
CREATE INDEX outstanding_charged ON outstanding (tpp) WHERE refusals > 0 OR endpoint_failures > 0;

CREATE TABLE failed_with_kind (
    tpp         INTEGER NOT NULL REFERENCES tpps,
    position    INTEGER NOT NULL,
    event       INTEGER NOT NULL REFERENCES events,
    jti         BLOB    NOT NULL,
    family      INTEGER NOT NULL,
    kind        INTEGER NOT NULL REFERENCES kinds,
    accepted_at INTEGER NOT NULL,
    ends        INTEGER NOT NULL,
    PRIMARY KEY (tpp, position)
) STRICT, WITHOUT ROWID;
INSERT INTO failed_with_kind
    SELECT f.tpp, f.position, f.event, f.jti, f.family, k.kind, f.accepted_at, f.ends
    FROM failed f CROSS JOIN kind_of k USING (event);
DROP TABLE failed;
ALTER TABLE failed_with_kind RENAME TO failed;
CREATE UNIQUE INDEX failed_by_jti ON failed (jti);

INSERT INTO queue_kinds SELECT tpp, kind, min(position) FROM outstanding GROUP BY tpp, kind;
DROP TABLE kind_of;
