-- What pushing must remember over a restart: an event's own counters, the choice it is in flight by, and why an endpoint is
-- held back.

-- The order that the TPP's own profile asks for: 0 the deployment's, 1 strict, 2 concurrent.
ALTER TABLE tpps RENAME COLUMN strict_order TO own_order;
UPDATE tpps SET own_order = 2 WHERE json_extract(profile, '$.overrides.delivery_order') = 'concurrent';

-- Counters of this event alone, since they last began.
ALTER TABLE outstanding ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outstanding ADD COLUMN refused_since INTEGER;
ALTER TABLE outstanding ADD COLUMN endpoint_failures INTEGER NOT NULL DEFAULT 0;

-- It was chosen for pushing until then, and nobody has said yet what came of it.
ALTER TABLE outstanding ADD COLUMN flight_until INTEGER;
-- The counters began anew during that flight: what comes of it is not charged.
ALTER TABLE outstanding ADD COLUMN is_overtaken INTEGER NOT NULL DEFAULT 0;

ALTER TABLE lanes ADD COLUMN reason TEXT; -- of a health that holds back
UPDATE lanes SET reason = 'declared before reasons were kept' WHERE health IN (1, 2);
