-- What a page about one TPP shows besides its counts.

-- The last requests of each TPP, as they were answered: some of each, so that they are few however many come. Who polls all day
-- leaves a dead row for each: vacuum goes by their number.
CREATE TABLE requests (
    tpp            bigint  NOT NULL,
    at             bigint  NOT NULL,
    took_ms        bigint  NOT NULL,
    status         integer NOT NULL,
    interaction_id text    COLLATE "C" NOT NULL,
    operation      text    NOT NULL,
    error_code     text,
    PRIMARY KEY (tpp, at, interaction_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

-- How endpoints fared: a row whenever the health of one becomes another.
CREATE TABLE health_changes (
    tpp      bigint   NOT NULL,
    at       bigint   NOT NULL,
    failures bigint   NOT NULL,
    health   smallint NOT NULL,
    reason   text,
    PRIMARY KEY (tpp, at, health)
);
CREATE INDEX health_changes_by_age ON health_changes (at);
