-- What the story of tests/contract/migrated.rs leaves on schema 3: the tables that are not as on schema 2.
INSERT INTO queues (tpp, revision, accepted, acknowledged, failed, expired, withdrawn, begun, unlisted_from) VALUES
    (1, 1, 4, 1, 0, 0, 0, 1, NULL),
    (2, 2, 11, 2, 1, 0, 1, 0, 1),
    (3, 1, 0, 0, 0, 0, 0, 1, NULL);
INSERT INTO outstanding (tpp, position, event, jti, family, accepted_at, due_at, push_at, polled_until, hand_outs, errors, ends, refusals, refused_since, endpoint_failures, flight_until, begun) VALUES
    (1, 2, 2, x'018bcfe5680070008000000000000002', 0, 1700000000000, 1700000000000, 1700000300000, 0, 0, 0, 0, 1, 1700000000000, 0, NULL, 1),
    (1, 3, 3, x'018bcfe5680070008000000000000003', 0, 1700000000000, 1700000010000, 1700000010000, 0, 0, 0, 0, 0, NULL, 0, 1700000010000, 1),
    (1, 4, 4, x'018bcfe5680070008000000000000004', 0, 1700000000000, 1700000000000, 1700000000000, 0, 0, 0, 0, 0, NULL, 0, NULL, 0),
    (2, 3, 7, x'018bcfe6526070008000000000000007', 0, 1700000060000, 1700000060000, 1700000060000, 0, 0, 0, 1, 0, NULL, 0, NULL, 0),
    (2, 6, 10, x'018bcfe652607000800000000000000a', 0, 1700000060000, 1700000120000, NULL, 1700000120000, 1, 0, 0, 0, NULL, 0, NULL, 0),
    (2, 7, 11, x'018bcfe652607000800000000000000b', 1, 1700000060000, 1700000120000, NULL, 1700000120000, 1, 0, 0, 0, NULL, 0, NULL, 0),
    (2, 8, 12, x'018bcfe652607000800000000000000c', 3, 1700000060000, 1700000120000, NULL, 1700000120000, 1, 0, 0, 0, NULL, 0, NULL, 0),
    (2, 9, 13, x'018bcfe740a87000800000000000000d', 0, 1700000121000, 1700000121000, NULL, 0, 0, 0, 0, 0, NULL, 0, NULL, 0),
    (2, 10, 14, x'018bcfe740a87000800000000000000e', 0, 1700000121000, 1700000121000, NULL, 0, 0, 0, 0, 0, NULL, 0, NULL, 0),
    (2, 11, 15, x'018bcfe740a87000800000000000000f', 0, 1700000121000, 1700000121000, NULL, 0, 0, 0, 0, 0, NULL, 0, NULL, 0);
