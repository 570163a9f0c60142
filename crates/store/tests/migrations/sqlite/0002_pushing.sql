-- What the story of tests/contract/migrated.rs leaves on schema 2: the tables that are not as on schema 1.
INSERT INTO tpps (tpp, client_id, profile, own_order, disabled_at, disabled_reason, registered_at, changed_at) VALUES
    (1, 'acme', '{"name":"Acme Budgeting","org_id":"0015800001041RbAAI","software_id":"2fNwVYePN8WqqDFvVf7XMN","keys":{"jwks_url":"https://keys.acme.example/jwks"},"overrides":{"header_profile":null,"retry":null,"delivery_order":null,"acknowledgement":null,"pushes_at_once_max":null,"error_cap":null,"hand_out_cap":null,"requests_per_second":null}}', 0, NULL, NULL, 1700000000000, 1700000000000),
    (2, 'bolt', '{"name":"Acme Budgeting","org_id":"0015800001041RbAAI","software_id":"2fNwVYePN8WqqDFvVf7XMN","keys":{"jwks_url":"https://keys.acme.example/jwks"},"overrides":{"header_profile":null,"retry":null,"delivery_order":null,"acknowledgement":null,"pushes_at_once_max":null,"error_cap":null,"hand_out_cap":null,"requests_per_second":null}}', 0, NULL, NULL, 1700000000000, 1700000000000),
    (3, 'cove', '{"name":"Acme Budgeting","org_id":"0015800001041RbAAI","software_id":"2fNwVYePN8WqqDFvVf7XMN","keys":{"jwks_url":"https://keys.acme.example/jwks"},"overrides":{"header_profile":null,"retry":null,"delivery_order":null,"acknowledgement":null,"pushes_at_once_max":null,"error_cap":null,"hand_out_cap":null,"requests_per_second":null}}', 0, 1700000121000, 'certificate revoked', 1700000000000, 1700000121000);
INSERT INTO outstanding (tpp, position, event, jti, family, accepted_at, due_at, push_at, polled_until, hand_outs, errors, ends, refusals, refused_since, endpoint_failures, flight_until, is_overtaken) VALUES
    (1, 2, 2, x'018bcfe5680070008000000000000002', 0, 1700000000000, 1700000000000, 1700000300000, 0, 0, 0, 0, 1, 1700000000000, 0, NULL, 0),
    (1, 3, 3, x'018bcfe5680070008000000000000003', 0, 1700000000000, 1700000010000, 1700000010000, 0, 0, 0, 0, 0, NULL, 0, 1700000010000, 0),
    (1, 4, 4, x'018bcfe5680070008000000000000004', 0, 1700000000000, 1700000000000, 1700000000000, 0, 0, 0, 0, 0, NULL, 0, NULL, 0),
    (2, 3, 7, x'018bcfe6526070008000000000000007', 0, 1700000060000, 1700000060000, 1700000060000, 0, 0, 0, 1, 0, NULL, 0, NULL, 0),
    (2, 6, 10, x'018bcfe652607000800000000000000a', 0, 1700000060000, 1700000120000, NULL, 1700000120000, 1, 0, 0, 0, NULL, 0, NULL, 0),
    (2, 7, 11, x'018bcfe652607000800000000000000b', 1, 1700000060000, 1700000120000, NULL, 1700000120000, 1, 0, 0, 0, NULL, 0, NULL, 0),
    (2, 8, 12, x'018bcfe652607000800000000000000c', 3, 1700000060000, 1700000120000, NULL, 1700000120000, 1, 0, 0, 0, NULL, 0, NULL, 0),
    (2, 9, 13, x'018bcfe740a87000800000000000000d', 0, 1700000121000, 1700000121000, NULL, 0, 0, 0, 0, 0, NULL, 0, NULL, 0),
    (2, 10, 14, x'018bcfe740a87000800000000000000e', 0, 1700000121000, 1700000121000, NULL, 0, 0, 0, 0, 0, NULL, 0, NULL, 0),
    (2, 11, 15, x'018bcfe740a87000800000000000000f', 0, 1700000121000, 1700000121000, NULL, 0, 0, 0, 0, 0, NULL, 0, NULL, 0);
INSERT INTO lanes (tpp, health, since, declared_at, failures, next_probe_at, wake_at, news_at, owner, epoch, reason) VALUES
    (1, 1, 1700000000000, NULL, 2, 1700000300000, 1700000000000, 1700000000000, 'pusher', 1, '503');
