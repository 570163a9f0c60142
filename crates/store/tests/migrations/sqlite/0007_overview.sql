-- What the story of tests/contract/migrated.rs leaves on schema 7: the tables that are not as on schema 6.
INSERT INTO requests (tpp, at, interaction_id, operation, status, error_code, took_ms) VALUES
    (2, 1700000060000, 'poll-1', 'poll_events', 200, NULL, 7);
INSERT INTO health_changes (tpp, at, health, failures, reason) VALUES
    (1, 1700000000000, 1, 2, '503');
