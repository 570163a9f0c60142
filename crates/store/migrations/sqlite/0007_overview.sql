-- What a page about one TPP shows besides its counts.

-- The last requests of each TPP, as they were answered: some of each, so that they are few however many come.
CREATE TABLE requests (
    tpp            INTEGER NOT NULL REFERENCES tpps,
    at             INTEGER NOT NULL,
    interaction_id TEXT    NOT NULL,
    operation      TEXT    NOT NULL,
    status         INTEGER NOT NULL,
    error_code     TEXT,
    took_ms        INTEGER NOT NULL,
    PRIMARY KEY (tpp, at, interaction_id)
) STRICT, WITHOUT ROWID;

-- How endpoints fared: a row whenever the health of one becomes another.
CREATE TABLE health_changes (
    tpp      INTEGER NOT NULL REFERENCES tpps,
    at       INTEGER NOT NULL,
    health   INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    reason   TEXT,
    PRIMARY KEY (tpp, at, health)
) STRICT, WITHOUT ROWID;
CREATE INDEX health_changes_by_age ON health_changes (at);
