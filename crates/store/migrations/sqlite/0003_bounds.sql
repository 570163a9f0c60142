-- What a TPP or an operator asks for costs what it changes, however much is outstanding.

-- A TPP's own events by their jti: a list of them walks nobody else's, and no jti is ever looked for without its TPP. The index
-- that goes holds no data, and no older binary opens this file.
CREATE UNIQUE INDEX outstanding_of_tpp ON outstanding (tpp, jti);
DROP INDEX outstanding_by_jti;

-- What has something held against it: beginning anew touches these rows and no others. An event that is pushed without a
-- failure never enters it.
CREATE INDEX outstanding_charged ON outstanding (tpp) WHERE refusals > 0 OR endpoint_failures > 0;

-- How often a TPP's pushing began anew, and how often it had when an event was last chosen: where they differ, what comes of
-- the choice is not charged. It takes the place of outstanding.is_overtaken.
ALTER TABLE queues ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outstanding ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;
UPDATE outstanding SET begun = -1 WHERE is_overtaken = 1;

-- From this position on there may be events that were accepted while the TPP had no address. They are not in the index of
-- pushes, which costs those who only poll nothing; who pushes enters them, a few at a time.
ALTER TABLE queues ADD COLUMN unlisted_from INTEGER;
UPDATE queues SET unlisted_from = (
    SELECT min(position) FROM outstanding o WHERE o.tpp = queues.tpp AND o.push_at IS NULL);
