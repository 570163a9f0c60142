-- What the story of tests/contract/migrated.rs leaves on schema 1, with the parts of its month.
CREATE TABLE schema_versions (
    version     integer PRIMARY KEY,
    name        text NOT NULL,
    serves_from integer NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now());
INSERT INTO schema_versions (version, name, serves_from) VALUES (1, 'ledger', 1);
CREATE TABLE attempts_20231026 PARTITION OF attempts FOR VALUES FROM ('018b6947-e000-0000-0000-000000000000') TO ('018bf979-f000-0000-0000-000000000000');
CREATE TABLE events_20231026 PARTITION OF events FOR VALUES FROM ('018b6947-e000-0000-0000-000000000000') TO ('018bf979-f000-0000-0000-000000000000');
CREATE TABLE hand_outs_20231026 PARTITION OF hand_outs FOR VALUES FROM ('018b6947-e000-0000-0000-000000000000') TO ('018bf979-f000-0000-0000-000000000000');
CREATE TABLE polls_20231026 PARTITION OF polls FOR VALUES FROM ('1698278400000') TO ('1700697600000');
CREATE TABLE set_errors_20231026 PARTITION OF set_errors FOR VALUES FROM ('018b6947-e000-0000-0000-000000000000') TO ('018bf979-f000-0000-0000-000000000000');
CREATE TABLE sets_20231026 PARTITION OF sets FOR VALUES FROM ('018b6947-e000-0000-0000-000000000000') TO ('018bf979-f000-0000-0000-000000000000');
CREATE TABLE settlements_20231026 PARTITION OF settlements FOR VALUES FROM ('018b6947-e000-0000-0000-000000000000') TO ('018bf979-f000-0000-0000-000000000000');
CREATE TABLE superseded_sets_20231026 PARTITION OF superseded_sets FOR VALUES FROM ('018b6947-e000-0000-0000-000000000000') TO ('018bf979-f000-0000-0000-000000000000');
INSERT INTO attempts (tpp, jti, entry, started_at, latency_ns, again_at, status, verdict, interaction_id, address, tls_version, thumbprint, body_head, deviation, error_class, error_detail) VALUES
    (1, '018bcfe5-6800-7000-8000-000000000001', 1, 1700000000000, 12000000, NULL, 202, 0, 'push-1', NULL, NULL, NULL, '\x', NULL, NULL, NULL),
    (1, '018bcfe5-6800-7000-8000-000000000002', 2, 1700000000000, 12000000, 1700000300000, 400, 1, 'push-2', NULL, NULL, NULL, '\x', NULL, NULL, NULL);
INSERT INTO audit (sequence, at, actor, action, tpp, before, after) OVERRIDING SYSTEM VALUE VALUES
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
INSERT INTO disowned_keys (kid, disowned_at, actor, superseded, walked_tpp, walked_position, is_over) VALUES
    ('key-1', 1700000121000, 'operator:ada', 7, 2, 8, true);
INSERT INTO events (tpp, jti, "position", accepted_at, kind, family, resource_id, txn, notice) VALUES
    (1, '018bcfe5-6800-7000-8000-000000000001', 1, 1700000000000, 1, 0, 'r-1', NULL, '{"client_id":"acme","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (1, '018bcfe5-6800-7000-8000-000000000002', 2, 1700000000000, 1, 0, 'r-1', NULL, '{"client_id":"acme","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (1, '018bcfe5-6800-7000-8000-000000000003', 3, 1700000000000, 1, 0, 'r-1', NULL, '{"client_id":"acme","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (1, '018bcfe5-6800-7000-8000-000000000004', 4, 1700000000000, 1, 0, 'r-1', NULL, '{"client_id":"acme","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (2, '018bcfe6-5260-7000-8000-000000000005', 1, 1700000060000, 1, 0, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (2, '018bcfe6-5260-7000-8000-000000000006', 2, 1700000060000, 1, 0, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (2, '018bcfe6-5260-7000-8000-000000000007', 3, 1700000060000, 1, 0, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (2, '018bcfe6-5260-7000-8000-000000000008', 4, 1700000060000, 1, 0, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (2, '018bcfe6-5260-7000-8000-000000000009', 5, 1700000060000, 1, 0, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (2, '018bcfe6-5260-7000-8000-00000000000a', 6, 1700000060000, 1, 0, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (2, '018bcfe6-5260-7000-8000-00000000000b', 7, 1700000060000, 2, 1, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"domestic-payment-consent","id":"r-1","version":"v4.0","family":"pisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:account-access-consent-linked-account-update"},{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (2, '018bcfe6-5260-7000-8000-00000000000c', 8, 1700000060000, 1, 3, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"domestic-vrp-consent","id":"r-1","version":"v4.0","family":"vrp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (2, '018bcfe7-40a8-7000-8000-00000000000d', 9, 1700000121000, 1, 0, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (2, '018bcfe7-40a8-7000-8000-00000000000e', 10, 1700000121000, 1, 0, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}'),
    (2, '018bcfe7-40a8-7000-8000-00000000000f', 11, 1700000121000, 1, 0, 'r-1', NULL, '{"client_id":"bolt","resource":{"type":"account-access-consent","id":"r-1","version":"v4.0","family":"aisp"},"happenings":[{"type":"urn:uk:org:openbanking:events:resource-update"}],"toe":1700000000000}');
INSERT INTO failed (tpp, "position", jti, accepted_at, kind, ends, family) VALUES
    (2, 4, '018bcfe6-5260-7000-8000-000000000008', 1700000060000, 1, 1, 0);
INSERT INTO hand_outs (tpp, jti, poll, at) VALUES
    (2, '018bcfe6-5260-7000-8000-000000000005', 1, 1700000060000),
    (2, '018bcfe6-5260-7000-8000-000000000006', 2, 1700000060000),
    (2, '018bcfe6-5260-7000-8000-000000000007', 3, 1700000060000),
    (2, '018bcfe6-5260-7000-8000-000000000008', 4, 1700000060000),
    (2, '018bcfe6-5260-7000-8000-000000000009', 5, 1700000060000),
    (2, '018bcfe6-5260-7000-8000-00000000000a', 6, 1700000060000),
    (2, '018bcfe6-5260-7000-8000-00000000000b', 7, 1700000060000),
    (2, '018bcfe6-5260-7000-8000-00000000000c', 8, 1700000060000);
INSERT INTO idempotency (tpp, key, fingerprint, jti, accepted_at) VALUES
    (2, 'k-1', '\x0707070707070707070707070707070707070707070707070707070707070707', '018bcfe6-5260-7000-8000-00000000000c', 1700000060000);
INSERT INTO kinds (kind, types) OVERRIDING SYSTEM VALUE VALUES
    (1, '["urn:uk:org:openbanking:events:resource-update"]'),
    (2, '["urn:uk:org:openbanking:events:account-access-consent-linked-account-update","urn:uk:org:openbanking:events:resource-update"]');
INSERT INTO lanes (tpp, claim, since, declared_at, next_probe_at, wake_at, news_at, epoch, failures, health, owner, reason) VALUES
    (1, 1, 1700000000000, NULL, 1700000300000, 1700000000000, 1700000000000, 1, 2, 1, 'pusher', '503');
INSERT INTO minutes (tpp, minute, accepted, handed_out, pushed, acknowledged, failed, expired, withdrawn) VALUES
    (1, 1699999980000, 4, 0, 2, 1, 0, 0, 0),
    (2, 1700000040000, 8, 8, 0, 2, 2, 0, 1),
    (2, 1700000100000, 3, 0, 0, 0, 0, 0, 0);
INSERT INTO nodes (node_id, epoch, expires_at) VALUES
    ('pusher', 1, 1795308534151);
INSERT INTO outstanding (tpp, "position", jti, accepted_at, due_at, push_at, polled_until, flight_until, begun, refused_since, kind, hand_outs, errors, ends, refusals, endpoint_failures, family) VALUES
    (1, 3, '018bcfe5-6800-7000-8000-000000000003', 1700000000000, 1700000010000, 1700000010000, 0, 1700000010000, 1, NULL, 1, 0, 0, 0, 0, 0, 0),
    (1, 4, '018bcfe5-6800-7000-8000-000000000004', 1700000000000, 1700000000000, 1700000000000, 0, NULL, 0, NULL, 1, 0, 0, 0, 0, 0, 0),
    (1, 2, '018bcfe5-6800-7000-8000-000000000002', 1700000000000, 1700000000000, 1700000300000, 0, NULL, 1, 1700000000000, 1, 0, 0, 0, 1, 0, 0),
    (2, 6, '018bcfe6-5260-7000-8000-00000000000a', 1700000060000, 1700000120000, NULL, 1700000120000, NULL, 0, NULL, 1, 1, 0, 0, 0, 0, 0),
    (2, 7, '018bcfe6-5260-7000-8000-00000000000b', 1700000060000, 1700000120000, NULL, 1700000120000, NULL, 0, NULL, 2, 1, 0, 0, 0, 0, 1),
    (2, 8, '018bcfe6-5260-7000-8000-00000000000c', 1700000060000, 1700000120000, NULL, 1700000120000, NULL, 0, NULL, 1, 1, 0, 0, 0, 0, 3),
    (2, 3, '018bcfe6-5260-7000-8000-000000000007', 1700000060000, 1700000060000, 1700000060000, 0, NULL, 0, NULL, 1, 0, 0, 1, 0, 0, 0),
    (2, 9, '018bcfe7-40a8-7000-8000-00000000000d', 1700000121000, 1700000121000, NULL, 0, NULL, 0, NULL, 1, 0, 0, 0, 0, 0, 0),
    (2, 10, '018bcfe7-40a8-7000-8000-00000000000e', 1700000121000, 1700000121000, NULL, 0, NULL, 0, NULL, 1, 0, 0, 0, 0, 0, 0),
    (2, 11, '018bcfe7-40a8-7000-8000-00000000000f', 1700000121000, 1700000121000, NULL, 0, NULL, 0, NULL, 1, 0, 0, 0, 0, 0, 0);
INSERT INTO polls (tpp, entry, at, interaction_id, jtis) VALUES
    (2, 1, 1700000060000, 'poll-1', '{018bcfe6-5260-7000-8000-000000000005}'),
    (2, 2, 1700000060000, 'poll-1', '{018bcfe6-5260-7000-8000-000000000006}'),
    (2, 3, 1700000060000, 'poll-1', '{018bcfe6-5260-7000-8000-000000000007}'),
    (2, 4, 1700000060000, 'poll-1', '{018bcfe6-5260-7000-8000-000000000008}'),
    (2, 5, 1700000060000, 'poll-1', '{018bcfe6-5260-7000-8000-000000000009}'),
    (2, 6, 1700000060000, 'poll-1', '{018bcfe6-5260-7000-8000-00000000000a}'),
    (2, 7, 1700000060000, 'poll-1', '{018bcfe6-5260-7000-8000-00000000000b}'),
    (2, 8, 1700000060000, 'poll-1', '{018bcfe6-5260-7000-8000-00000000000c}'),
    (2, 9, 1700000060000, 'poll-2', '{018bcfe6-5260-7000-8000-000000000007,018bcfe6-5260-7000-8000-000000000008}');
INSERT INTO queues (tpp, revision, begun, accepted, acknowledged, failed, expired, withdrawn, entries, kinds, kinds_from, unlisted_from, accepted_until, seen_at, first_position, due_from, push_from) VALUES
    (2, 2, 0, 11, 2, 1, 0, 1, 11, '{1,2}', '{1,7}', 1, 1700000121000, 1700000060000, 0, '{0,0,0,0}', 0),
    (3, 1, 1, 0, 0, 0, 0, 0, 0, '{}', '{}', NULL, 0, 0, 0, '{0,0,0,0}', 0),
    (1, 1, 1, 4, 1, 0, 0, 0, 2, '{1}', '{1}', NULL, 1700000000000, 1700000000000, 0, '{0,0,0,0}', 1700000000000);
INSERT INTO registrations (tpp, kind, id, wish, api, created_at, changed_at) VALUES
    (1, 0, 'registration-0', '{"callback_url":"https://acme.example/v4.0/event-notifications","version":"4.0"}', 'v4.0', 1700000000000, 1700000000000),
    (3, 1, 'registration-2', '{"url":"https://cove.example/v3.1/event-notifications","version":"3.1"}', 'v3.1', 1700000000000, 1700000000000),
    (2, 0, 'registration-1', '{"version":"4.0","event_types":["urn:uk:org:openbanking:events:resource-update"]}', 'v4.0', 1700000000000, 1700000121000);
INSERT INTO set_errors (tpp, jti, entry, poll, at, err, description) VALUES
    (2, '018bcfe6-5260-7000-8000-000000000007', 10, 9, 1700000060000, 'jwtIss', 'as the TPP says it'),
    (2, '018bcfe6-5260-7000-8000-000000000008', 11, 9, 1700000060000, 'setData', 'as the TPP says it');
INSERT INTO sets (tpp, jti, kept_at, kid, jws) VALUES
    (1, '018bcfe5-6800-7000-8000-000000000001', 1700000000000, 'key-1', 'set-of-018bcfe5-6800-7000-8000-000000000001'),
    (2, '018bcfe6-5260-7000-8000-000000000005', 1700000060000, 'key-1', 'set-of-018bcfe6-5260-7000-8000-000000000005'),
    (2, '018bcfe6-5260-7000-8000-000000000006', 1700000060000, 'key-1', 'set-of-018bcfe6-5260-7000-8000-000000000006'),
    (2, '018bcfe6-5260-7000-8000-000000000009', 1700000060000, 'key-1', 'set-of-018bcfe6-5260-7000-8000-000000000009');
INSERT INTO settlements (tpp, jti, ends, outcome, superseded, at, actor) VALUES
    (1, '018bcfe5-6800-7000-8000-000000000001', 0, 10, false, 1700000000000, NULL),
    (2, '018bcfe6-5260-7000-8000-000000000005', 0, 11, false, 1700000060000, NULL),
    (2, '018bcfe6-5260-7000-8000-000000000006', 0, 11, false, 1700000060000, NULL),
    (2, '018bcfe6-5260-7000-8000-000000000008', 0, 20, false, 1700000060000, NULL),
    (2, '018bcfe6-5260-7000-8000-000000000007', 0, 20, true, 1700000060000, NULL),
    (2, '018bcfe6-5260-7000-8000-000000000009', 0, 42, false, 1700000061000, 'operator:ada');
INSERT INTO superseded_sets (tpp, jti, nth, kept_at, kid, jws) VALUES
    (1, '018bcfe5-6800-7000-8000-000000000002', 1, 1700000000000, 'key-1', 'set-of-018bcfe5-6800-7000-8000-000000000002'),
    (1, '018bcfe5-6800-7000-8000-000000000003', 1, 1700000000000, 'key-1', 'set-of-018bcfe5-6800-7000-8000-000000000003'),
    (2, '018bcfe6-5260-7000-8000-000000000007', 1, 1700000060000, 'key-1', 'set-of-018bcfe6-5260-7000-8000-000000000007'),
    (2, '018bcfe6-5260-7000-8000-000000000008', 1, 1700000060000, 'key-1', 'set-of-018bcfe6-5260-7000-8000-000000000008'),
    (2, '018bcfe6-5260-7000-8000-00000000000a', 1, 1700000060000, 'key-1', 'set-of-018bcfe6-5260-7000-8000-00000000000a'),
    (2, '018bcfe6-5260-7000-8000-00000000000b', 1, 1700000060000, 'key-1', 'set-of-018bcfe6-5260-7000-8000-00000000000b'),
    (2, '018bcfe6-5260-7000-8000-00000000000c', 1, 1700000060000, 'key-1', 'set-of-018bcfe6-5260-7000-8000-00000000000c');
INSERT INTO tpps (tpp, client_id, profile, own_order, disabled_at, disabled_reason, registered_at, changed_at) OVERRIDING SYSTEM VALUE VALUES
    (1, 'acme', '{"name":"Acme Budgeting","org_id":"0015800001041RbAAI","software_id":"2fNwVYePN8WqqDFvVf7XMN","keys":{"jwks_url":"https://keys.acme.example/jwks"},"overrides":{"header_profile":null,"retry":null,"delivery_order":null,"acknowledgement":null,"pushes_at_once_max":null,"error_cap":null,"hand_out_cap":null,"requests_per_second":null}}', 0, NULL, NULL, 1700000000000, 1700000000000),
    (2, 'bolt', '{"name":"Acme Budgeting","org_id":"0015800001041RbAAI","software_id":"2fNwVYePN8WqqDFvVf7XMN","keys":{"jwks_url":"https://keys.acme.example/jwks"},"overrides":{"header_profile":null,"retry":null,"delivery_order":null,"acknowledgement":null,"pushes_at_once_max":null,"error_cap":null,"hand_out_cap":null,"requests_per_second":null}}', 0, NULL, NULL, 1700000000000, 1700000000000),
    (3, 'cove', '{"name":"Acme Budgeting","org_id":"0015800001041RbAAI","software_id":"2fNwVYePN8WqqDFvVf7XMN","keys":{"jwks_url":"https://keys.acme.example/jwks"},"overrides":{"header_profile":null,"retry":null,"delivery_order":null,"acknowledgement":null,"pushes_at_once_max":null,"error_cap":null,"hand_out_cap":null,"requests_per_second":null}}', 0, 1700000121000, 'certificate revoked', 1700000000000, 1700000121000);
SELECT setval('audit_sequence_seq', 11, true);
SELECT setval('kinds_kind_seq', 2, true);
SELECT setval('tpps_tpp_seq', 3, true);
