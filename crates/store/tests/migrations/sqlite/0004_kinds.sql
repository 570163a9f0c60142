-- What the story of tests/contract/migrated.rs leaves on schema 4: the tables that are not as on schema 3.
INSERT INTO queues (tpp, revision, accepted, acknowledged, failed, expired, withdrawn, begun, unlisted_from, seen_at) VALUES
    (1, 1, 4, 1, 0, 0, 0, 1, NULL, 1700000000000),
    (2, 2, 11, 2, 1, 0, 1, 0, 1, 1700000060000),
    (3, 1, 0, 0, 0, 0, 0, 1, NULL, 0);
INSERT INTO kinds (kind, types) VALUES
    (1, '["urn:uk:org:openbanking:events:resource-update"]'),
    (2, '["urn:uk:org:openbanking:events:account-access-consent-linked-account-update","urn:uk:org:openbanking:events:resource-update"]');
INSERT INTO queue_kinds (tpp, kind, from_position) VALUES
    (1, 1, 1),
    (2, 1, 1),
    (2, 2, 7);
INSERT INTO outstanding (tpp, position, event, jti, family, kind, accepted_at, due_at, push_at, polled_until, flight_until, begun, refusals, refused_since, endpoint_failures, hand_outs, errors, ends) VALUES
    (1, 2, 2, x'018bcfe5680070008000000000000002', 0, 1, 1700000000000, 1700000000000, 1700000300000, 0, NULL, 1, 1, 1700000000000, 0, 0, 0, 0),
    (1, 3, 3, x'018bcfe5680070008000000000000003', 0, 1, 1700000000000, 1700000010000, 1700000010000, 0, 1700000010000, 1, 0, NULL, 0, 0, 0, 0),
    (1, 4, 4, x'018bcfe5680070008000000000000004', 0, 1, 1700000000000, 1700000000000, 1700000000000, 0, NULL, 0, 0, NULL, 0, 0, 0, 0),
    (2, 3, 7, x'018bcfe6526070008000000000000007', 0, 1, 1700000060000, 1700000060000, 1700000060000, 0, NULL, 0, 0, NULL, 0, 0, 0, 1),
    (2, 6, 10, x'018bcfe652607000800000000000000a', 0, 1, 1700000060000, 1700000120000, NULL, 1700000120000, NULL, 0, 0, NULL, 0, 1, 0, 0),
    (2, 7, 11, x'018bcfe652607000800000000000000b', 1, 2, 1700000060000, 1700000120000, NULL, 1700000120000, NULL, 0, 0, NULL, 0, 1, 0, 0),
    (2, 8, 12, x'018bcfe652607000800000000000000c', 3, 1, 1700000060000, 1700000120000, NULL, 1700000120000, NULL, 0, 0, NULL, 0, 1, 0, 0),
    (2, 9, 13, x'018bcfe740a87000800000000000000d', 0, 1, 1700000121000, 1700000121000, NULL, 0, NULL, 0, 0, NULL, 0, 0, 0, 0),
    (2, 10, 14, x'018bcfe740a87000800000000000000e', 0, 1, 1700000121000, 1700000121000, NULL, 0, NULL, 0, 0, NULL, 0, 0, 0, 0),
    (2, 11, 15, x'018bcfe740a87000800000000000000f', 0, 1, 1700000121000, 1700000121000, NULL, 0, NULL, 0, 0, NULL, 0, 0, 0, 0);
INSERT INTO failed (tpp, position, event, jti, family, kind, accepted_at, ends) VALUES
    (2, 4, 8, x'018bcfe6526070008000000000000008', 0, 1, 1700000060000, 1);
