-- What the story of tests/contract/migrated.rs leaves on schema 5: the tables that are not as on schema 4.
INSERT INTO lanes (tpp, health, since, declared_at, failures, next_probe_at, wake_at, news_at, owner, epoch, reason, claim) VALUES
    (1, 1, 1700000000000, NULL, 2, 1700000300000, 1700000000000, 1700000000000, 'pusher', 1, '503', 1);
