-- What the story of tests/contract/migrated.rs leaves on schema 1.
INSERT INTO tpps (tpp, client_id, profile, strict_order, disabled_at, disabled_reason, registered_at, changed_at) VALUES
    (1, 'acme', '{"name":"Acme Budgeting","org_id":"0015800001041RbAAI","software_id":"2fNwVYePN8WqqDFvVf7XMN","keys":{"jwks_url":"https://keys.acme.example/jwks"},"overrides":{"header_profile":null,"retry":null,"delivery_order":null,"acknowledgement":null,"pushes_at_once_max":null,"error_cap":null,"hand_out_cap":null,"requests_per_second":null}}', 0, NULL, NULL, 1700000000000, 1700000000000),
    (2, 'bolt', '{"name":"Acme Budgeting","org_id":"0015800001041RbAAI","software_id":"2fNwVYePN8WqqDFvVf7XMN","keys":{"jwks_url":"https://keys.acme.example/jwks"},"overrides":{"header_profile":null,"retry":null,"delivery_order":null,"acknowledgement":null,"pushes_at_once_max":null,"error_cap":null,"hand_out_cap":null,"requests_per_second":null}}', 0, NULL, NULL, 1700000000000, 1700000000000),
    (3, 'cove', '{"name":"Acme Budgeting","org_id":"0015800001041RbAAI","software_id":"2fNwVYePN8WqqDFvVf7XMN","keys":{"jwks_url":"https://keys.acme.example/jwks"},"overrides":{"header_profile":null,"retry":null,"delivery_order":null,"acknowledgement":null,"pushes_at_once_max":null,"error_cap":null,"hand_out_cap":null,"requests_per_second":null}}', 0, 1700000121000, 'certificate revoked', 1700000000000, 1700000121000);
INSERT INTO queues (tpp, revision, accepted, acknowledged, failed, expired, withdrawn) VALUES
    (1, 1, 4, 1, 0, 0, 0),
    (2, 2, 11, 2, 1, 0, 1),
    (3, 1, 0, 0, 0, 0, 0);
INSERT INTO registrations (tpp, kind, id, wish, api, created_at, changed_at) VALUES
    (1, 0, 'registration-0', '{"callback_url":"https://acme.example/v4.0/event-notifications","version":"4.0"}', 'v4.0', 1700000000000, 1700000000000),
    (2, 0, 'registration-1', '{"version":"4.0","event_types":["urn:uk:org:openbanking:events:resource-update"]}', 'v4.0', 1700000000000, 1700000121000),
    (3, 1, 'registration-2', '{"url":"https://cove.example/v3.1/event-notifications","version":"3.1"}', 'v3.1', 1700000000000, 1700000000000);
INSERT INTO events (event, jti, tpp, position, accepted_at, resource_id, txn, notice) VALUES
    (1, x'018bcfe5680070008000000000000001', 1, 1, 1700000000000, 'r-1', NULL, '{"client_id":"acme","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (2, x'018bcfe5680070008000000000000002', 1, 2, 1700000000000, 'r-1', NULL, '{"client_id":"acme","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (3, x'018bcfe5680070008000000000000003', 1, 3, 1700000000000, 'r-1', NULL, '{"client_id":"acme","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (4, x'018bcfe5680070008000000000000004', 1, 4, 1700000000000, 'r-1', NULL, '{"client_id":"acme","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (5, x'018bcfe6526070008000000000000005', 2, 1, 1700000060000, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (6, x'018bcfe6526070008000000000000006', 2, 2, 1700000060000, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (7, x'018bcfe6526070008000000000000007', 2, 3, 1700000060000, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (8, x'018bcfe6526070008000000000000008', 2, 4, 1700000060000, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (9, x'018bcfe6526070008000000000000009', 2, 5, 1700000060000, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (10, x'018bcfe652607000800000000000000a', 2, 6, 1700000060000, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (11, x'018bcfe652607000800000000000000b', 2, 7, 1700000060000, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"domestic-payment-consent","id":"r-1","version":"v4.0","family":"pisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:account-access-consent-linked-account-update"},{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (12, x'018bcfe652607000800000000000000c', 2, 8, 1700000060000, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"domestic-vrp-consent","id":"r-1","version":"v4.0","family":"vrp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (13, x'018bcfe740a87000800000000000000d', 2, 9, 1700000121000, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (14, x'018bcfe740a87000800000000000000e', 2, 10, 1700000121000, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (15, x'018bcfe740a87000800000000000000f', 2, 11, 1700000121000, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}');
INSERT INTO outstanding (tpp, position, event, jti, family, accepted_at, due_at, push_at, polled_until, hand_outs, errors, ends) VALUES
    (1, 2, 2, x'018bcfe5680070008000000000000002', 0, 1700000000000, 1700000000000, 1700000300000, 0, 0, 0, 0),
    (1, 3, 3, x'018bcfe5680070008000000000000003', 0, 1700000000000, 1700000010000, 1700000010000, 0, 0, 0, 0),
    (1, 4, 4, x'018bcfe5680070008000000000000004', 0, 1700000000000, 1700000000000, 1700000000000, 0, 0, 0, 0),
    (2, 3, 7, x'018bcfe6526070008000000000000007', 0, 1700000060000, 1700000060000, 1700000060000, 0, 0, 0, 1),
    (2, 6, 10, x'018bcfe652607000800000000000000a', 0, 1700000060000, 1700000120000, NULL, 1700000120000, 1, 0, 0),
    (2, 7, 11, x'018bcfe652607000800000000000000b', 1, 1700000060000, 1700000120000, NULL, 1700000120000, 1, 0, 0),
    (2, 8, 12, x'018bcfe652607000800000000000000c', 3, 1700000060000, 1700000120000, NULL, 1700000120000, 1, 0, 0),
    (2, 9, 13, x'018bcfe740a87000800000000000000d', 0, 1700000121000, 1700000121000, NULL, 0, 0, 0, 0),
    (2, 10, 14, x'018bcfe740a87000800000000000000e', 0, 1700000121000, 1700000121000, NULL, 0, 0, 0, 0),
    (2, 11, 15, x'018bcfe740a87000800000000000000f', 0, 1700000121000, 1700000121000, NULL, 0, 0, 0, 0);
INSERT INTO failed (tpp, position, event, jti, family, accepted_at, ends) VALUES
    (2, 4, 8, x'018bcfe6526070008000000000000008', 0, 1700000060000, 1);
INSERT INTO sets (event, jws, kid, kept_at) VALUES
    (1, 'set-of-018bcfe5-6800-7000-8000-000000000001', 'key-1', 1700000000000),
    (5, 'set-of-018bcfe6-5260-7000-8000-000000000005', 'key-1', 1700000060000),
    (6, 'set-of-018bcfe6-5260-7000-8000-000000000006', 'key-1', 1700000060000),
    (9, 'set-of-018bcfe6-5260-7000-8000-000000000009', 'key-1', 1700000060000);
INSERT INTO superseded_sets (entry, event, jws, kid, kept_at) VALUES
    (1, 2, 'set-of-018bcfe5-6800-7000-8000-000000000002', 'key-1', 1700000000000),
    (2, 3, 'set-of-018bcfe5-6800-7000-8000-000000000003', 'key-1', 1700000000000),
    (3, 7, 'set-of-018bcfe6-5260-7000-8000-000000000007', 'key-1', 1700000060000),
    (4, 10, 'set-of-018bcfe6-5260-7000-8000-00000000000a', 'key-1', 1700000060000),
    (5, 11, 'set-of-018bcfe6-5260-7000-8000-00000000000b', 'key-1', 1700000060000),
    (6, 12, 'set-of-018bcfe6-5260-7000-8000-00000000000c', 'key-1', 1700000060000),
    (7, 8, 'set-of-018bcfe6-5260-7000-8000-000000000008', 'key-1', 1700000060000);
INSERT INTO disowned_keys (kid, disowned_at) VALUES
    ('key-1', 1700000121000);
INSERT INTO polls (poll, interaction_id, at) VALUES
    (1, 'poll-1', 1700000060000),
    (2, 'poll-1', 1700000060000),
    (3, 'poll-1', 1700000060000),
    (4, 'poll-1', 1700000060000),
    (5, 'poll-1', 1700000060000),
    (6, 'poll-1', 1700000060000),
    (7, 'poll-1', 1700000060000),
    (8, 'poll-1', 1700000060000),
    (9, 'poll-2', 1700000060000);
INSERT INTO hand_outs (event, poll) VALUES
    (5, 1),
    (6, 2),
    (7, 3),
    (8, 4),
    (9, 5),
    (10, 6),
    (11, 7),
    (12, 8);
INSERT INTO set_errors (entry, event, poll, err, description) VALUES
    (1, 7, 9, 'jwtIss', 'as the TPP says it'),
    (2, 8, 9, 'setData', 'as the TPP says it');
INSERT INTO attempts (attempt, event, started_at, latency_ns, interaction_id, address, tls_version, thumbprint, status, body_head, deviation, error_class, error_detail, verdict, again_at) VALUES
    (1, 1, 1700000000000, 12000000, 'push-1', NULL, NULL, NULL, 202, x'', NULL, NULL, NULL, 0, NULL),
    (2, 2, 1700000000000, 12000000, 'push-2', NULL, NULL, NULL, 400, x'', NULL, NULL, NULL, 1, 1700000300000);
INSERT INTO settlements (event, ends, at, outcome, actor, superseded) VALUES
    (1, 0, 1700000000000, 10, NULL, 0),
    (5, 0, 1700000060000, 11, NULL, 0),
    (6, 0, 1700000060000, 11, NULL, 0),
    (7, 0, 1700000060000, 20, NULL, 1),
    (8, 0, 1700000060000, 20, NULL, 0),
    (9, 0, 1700000061000, 42, 'operator:ada', 0);
INSERT INTO idempotency (tpp, key, fingerprint, jti, accepted_at) VALUES
    (2, 'k-1', x'0707070707070707070707070707070707070707070707070707070707070707', x'018bcfe652607000800000000000000c', 1700000060000);
INSERT INTO minutes (tpp, minute, accepted, handed_out, pushed, acknowledged, failed, expired, withdrawn) VALUES
    (1, 1699999980000, 4, 0, 2, 1, 0, 0, 0),
    (2, 1700000040000, 8, 8, 0, 2, 2, 0, 1),
    (2, 1700000100000, 3, 0, 0, 0, 0, 0, 0);
INSERT INTO nodes (node_id, epoch, expires_at) VALUES
    ('pusher', 1, 1795308534447);
INSERT INTO lanes (tpp, health, since, declared_at, failures, next_probe_at, wake_at, news_at, owner, epoch) VALUES
    (1, 1, 1700000000000, NULL, 2, 1700000300000, 1700000000000, 1700000000000, 'pusher', 1);
INSERT INTO audit (sequence, at, actor, action, tpp, before, after) VALUES
    (1, 1700000000000, 'operator:ada', 'tpp.registered', 1, NULL, '{"client_id":"acme","profile":{"name":"Acme Budgeting","org_id":"0015800001041RbAAI","software_id":"2fNwVYePN8WqqDFvVf7XMN","keys":{"jwks_url":"https://keys.acme.example/jwks"},"overrides":{"header_profile":null,"retry":null,"delivery_order":null,"acknowledgement":null,"pushes_at_once_max":null,"error_cap":null,"hand_out_cap":null,"requests_per_second":null}},"standing":"active","registered_at":1700000000000,"changed_at":1700000000000}'),
    (2, 1700000000000, 'tpp:acme', 'registration.created', 1, '{"subscription":null,"callback_url":null}', '{"subscription":{"id":"registration-0","wish":{"callback_url":"https://acme.example/v4.0/event-notifications","version":"4.0"},"api":"v4.0","created_at":1700000000000,"changed_at":1700000000000},"callback_url":null}'),
    (3, 1700000000000, 'operator:ada', 'tpp.registered', 2, NULL, '{"client_id":"bolt","profile":{"name":"Acme Budgeting","org_id":"0015800001041RbAAI","software_id":"2fNwVYePN8WqqDFvVf7XMN","keys":{"jwks_url":"https://keys.acme.example/jwks"},"overrides":{"header_profile":null,"retry":null,"delivery_order":null,"acknowledgement":null,"pushes_at_once_max":null,"error_cap":null,"hand_out_cap":null,"requests_per_second":null}},"standing":"active","registered_at":1700000000000,"changed_at":1700000000000}'),
    (4, 1700000000000, 'tpp:bolt', 'registration.created', 2, '{"subscription":null,"callback_url":null}', '{"subscription":{"id":"registration-1","wish":{"version":"4.0"},"api":"v4.0","created_at":1700000000000,"changed_at":1700000000000},"callback_url":null}'),
    (5, 1700000000000, 'operator:ada', 'tpp.registered', 3, NULL, '{"client_id":"cove","profile":{"name":"Acme Budgeting","org_id":"0015800001041RbAAI","software_id":"2fNwVYePN8WqqDFvVf7XMN","keys":{"jwks_url":"https://keys.acme.example/jwks"},"overrides":{"header_profile":null,"retry":null,"delivery_order":null,"acknowledgement":null,"pushes_at_once_max":null,"error_cap":null,"hand_out_cap":null,"requests_per_second":null}},"standing":"active","registered_at":1700000000000,"changed_at":1700000000000}'),
    (6, 1700000000000, 'tpp:cove', 'registration.created', 3, '{"subscription":null,"callback_url":null}', '{"subscription":null,"callback_url":{"id":"registration-2","wish":{"url":"https://cove.example/v3.1/event-notifications","version":"3.1"},"api":"v3.1","created_at":1700000000000,"changed_at":1700000000000}}'),
    (7, 1700000061000, 'operator:ada', 'event.requeued', 2, NULL, '["018bcfe6-5260-7000-8000-000000000007"]'),
    (8, 1700000061000, 'operator:ada', 'event.withdrawn', 2, NULL, '["018bcfe6-5260-7000-8000-000000000009"]'),
    (9, 1700000121000, 'operator:ada', 'key.disowned', NULL, '{"kid":"key-1","sets":7}', '{"kid":"key-1","sets":0}'),
    (10, 1700000121000, 'tpp:bolt', 'registration.replaced', 2, '{"subscription":{"id":"registration-1","wish":{"version":"4.0"},"api":"v4.0","created_at":1700000000000,"changed_at":1700000000000},"callback_url":null}', '{"subscription":{"id":"registration-1","wish":{"version":"4.0","event_types":["urn:uk:org:openbanking:events:resource-update"]},"api":"v4.0","created_at":1700000000000,"changed_at":1700000121000},"callback_url":null}'),
    (11, 1700000121000, 'operator:ada', 'tpp.disabled', 3, '{"client_id":"cove","profile":{"name":"Acme Budgeting","org_id":"0015800001041RbAAI","software_id":"2fNwVYePN8WqqDFvVf7XMN","keys":{"jwks_url":"https://keys.acme.example/jwks"},"overrides":{"header_profile":null,"retry":null,"delivery_order":null,"acknowledgement":null,"pushes_at_once_max":null,"error_cap":null,"hand_out_cap":null,"requests_per_second":null}},"standing":"active","registered_at":1700000000000,"changed_at":1700000000000}', '{"client_id":"cove","profile":{"name":"Acme Budgeting","org_id":"0015800001041RbAAI","software_id":"2fNwVYePN8WqqDFvVf7XMN","keys":{"jwks_url":"https://keys.acme.example/jwks"},"overrides":{"header_profile":null,"retry":null,"delivery_order":null,"acknowledgement":null,"pushes_at_once_max":null,"error_cap":null,"hand_out_cap":null,"requests_per_second":null}},"standing":{"disabled":{"at":1700000121000,"reason":"certificate revoked"}},"registered_at":1700000000000,"changed_at":1700000121000}');
