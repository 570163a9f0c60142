-- Each claim of a lane has a number of its own: what is left of a former one is refused, though the same node under the same
-- epoch has the lane again.
ALTER TABLE lanes ADD COLUMN claim INTEGER NOT NULL DEFAULT 0;
