//! The bodies of the internal API.

use oyez_domain::fault::Code;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::HealthState;
use serde_json::{Map, Value, json};

use super::{closed, reference};
use crate::internal::ITEMS_MAX;
use crate::metrics::Publication;

/// All schemas that the operations refer to.
pub(super) fn all() -> Value {
    let groups = [
        words(),
        publishing(),
        tpps(),
        endpoints(),
        registrations(),
        events(),
        rest(),
    ];
    let mut all = Map::new();
    for group in groups {
        let Value::Object(group) = group else {
            continue;
        };
        all.extend(group);
    }
    Value::Object(all)
}

/// A text that is not empty.
pub(super) fn at_most(chars: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": chars })
}

fn words() -> Value {
    let codes = Code::ALL.map(|code| serde_json::to_value(code).expect("a code is a word"));
    let codes: Vec<Value> = codes
        .into_iter()
        .chain(["unknown_tpp", "idempotency_conflict"].map(Value::from))
        .collect();
    json!({
        "ClientId": at_most(ClientId::CHARS_MAX),
        "Jti": { "type": "string", "format": "uuid", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" },
        "Moment": { "type": "string", "format": "date-time" },
        "Span": { "type": "string", "pattern": "^[0-9]{1,9}(ms|s|m|h|d)$" },
        "State": { "enum": ["outstanding", "acknowledged", "failed", "expired", "withdrawn"] },
        "Fault": closed(&["code", "detail"], json!({
            "code": { "enum": codes },
            "path": { "type": "string", "description": "A member, as in resource.id, or a parameter." },
            "detail": { "type": "string" },
        })),
        "Problem": closed(&["type", "title", "status", "detail", "request_id"], json!({
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "request_id": { "type": "string" },
            "errors": many("Fault"),
        })),
    })
}

fn publishing() -> Value {
    let kept = [Publication::Accepted, Publication::Duplicate].map(Publication::name);
    let not_wanted = [
        Publication::NoSubscription,
        Publication::NotSubscribed,
        Publication::Disabled,
    ];
    let rejected = Publication::Rejected.name();
    json!({
        "Publication": { "oneOf": [reference("Item"), reference("Batch")] },
        "Batch": closed(&["items"], json!({
            "items": { "type": "array", "minItems": 1, "maxItems": ITEMS_MAX, "items": reference("Item") },
        })),
        "Item": closed(&["tpp", "resource", "events"], json!({
            "tpp": reference("ClientId"),
            "resource": closed(&["type", "id"], json!({
                "type": { "type": "string", "description": "A name of the resource table." },
                "id": at_most(128),
                "version": { "type": "string", "pattern": r"^v[0-9]+\.[0-9]+$" },
            })),
            "events": { "type": "array", "minItems": 1, "items": reference("Happening") },
            "toe": { "type": "integer", "minimum": 0, "description": "When it happened, in seconds since 1970." },
            "txn": at_most(128),
            "test": { "type": "boolean", "description": "It tells of nothing that happened; the ledger marks it, the SET does not." },
            "idempotency_key": at_most(128),
            "traceparent": { "type": "string", "pattern": "^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$", "description": "Where in a trace it belongs, if that is not where the request is (W3C Trace Context)." },
            "tracestate": { "type": "string", "description": "Goes with `traceparent`." },
        })),
        "TestEvent": closed(&["tpp"], json!({ "tpp": reference("ClientId") })),
        "Happening": closed(&["type"], json!({
            "type": { "type": "string", "description": "A name of the catalogue; answers have the URN." },
            "reason": { "type": "string" },
            "subject": closed(&["type", "id"], json!({ "type": { "type": "string" }, "id": at_most(128) })),
            "payload": { "description": "Of the bank's own types alone." },
        })),
        "Outcomes": closed(&["outcomes"], json!({ "outcomes": { "type": "array", "items": { "oneOf": [
            closed(&["outcome", "jti"], json!({ "outcome": { "enum": kept }, "jti": reference("Jti") })),
            closed(&["outcome"], json!({ "outcome": { "enum": not_wanted.map(Publication::name) } })),
            closed(&["outcome", "errors"], json!({ "outcome": { "const": rejected }, "errors": many("Fault") })),
        ] } } })),
    })
}

fn tpps() -> Value {
    let profile = json!({
        "name": at_most(200),
        "org_id": at_most(200),
        "software_id": at_most(200),
        "keys": { "oneOf": [
            closed(&["jwks"], json!({ "jwks": { "type": "object" } })),
            closed(&["jwks_url"], json!({ "jwks_url": { "type": "string", "format": "uri", "maxLength": 2048 } })),
        ] },
        "scopes": { "type": "array", "uniqueItems": true, "items": { "type": "string" } },
        "overrides": reference("Overrides"),
    });
    let named = with(&profile, json!({ "client_id": reference("ClientId") }));
    let known = with(
        &named,
        json!({
            "standing": { "oneOf": [
                closed(&["state"], json!({ "state": { "const": "active" } })),
                closed(&["state", "since", "reason"], json!({
                    "state": { "const": "disabled" },
                    "since": reference("Moment"),
                    "reason": { "type": "string" },
                })),
            ] },
            "registered_at": reference("Moment"),
            "changed_at": reference("Moment"),
        }),
    );
    let file = with(
        &known,
        json!({
            "counts": reference("Counts"),
            "delivery": reference("Delivery"),
            "registrations": reference("Registrations"),
        }),
    );
    let wanted = ["name", "org_id", "software_id", "keys"];
    let with_name = [&["client_id"], &wanted[..]].concat();
    json!({
        "NewTpp": closed(&with_name, named.clone()),
        "ChangedTpp": closed(&wanted, named),
        "Tpp": whole(known),
        "TppFile": whole(file),
        "Tpps": page("tpps", "Tpp", reference("ClientId")),
        "Reason": closed(&["reason"], json!({ "reason": at_most(500) })),
        "Overrides": overrides(),
        "Counts": whole(counts(&["accepted", "outstanding", "acknowledged", "failed", "expired", "withdrawn"])),
    })
}

fn endpoints() -> Value {
    let health = json!({
        "state": reference("EndpointState"),
        "since": or_null(reference("Moment")),
        "declared_at": or_null(reference("Moment")),
        "failures": count(),
        "next_probe_at": or_null(reference("Moment")),
        "reason": or_null(json!({ "type": "string" })),
    });
    let line = with(
        &health,
        json!({ "client_id": reference("ClientId"), "outstanding": count() }),
    );
    let in_force = json!({
        "set_for": { "enum": ["deployment", "tpp"] },
        "shortest": reference("Span"),
        "longest": reference("Span"),
    });
    let file = json!({
        "pushed_to": or_null(json!({ "type": "string" })),
        "retry": whole(with(&policy(), in_force)),
    });
    json!({
        "EndpointState": { "enum": HealthState::ALL.map(|state| state.to_string()) },
        "Endpoint": whole(line.clone()),
        "EndpointFile": whole(with(&line, file)),
        "Endpoints": page("endpoints", "Endpoint", reference("ClientId")),
        "Status": whole(json!({
            "client_id": reference("ClientId"),
            "delivery": reference("Delivery"),
            "reasons": many("Reason"),
            "counts": reference("Counts"),
            "backlog": whole(json!({
                "oldest_at": or_null(reference("Moment")),
                "under_a_minute": count(),
                "under_an_hour": count(),
                "under_a_day": count(),
                "under_a_week": count(),
                "older": count(),
                "uncounted": {
                    "type": "integer",
                    "minimum": 0,
                    "description": "The oldest 10,000 are counted by age; so many more there are, none of them older.",
                },
                "poll_only": count(),
            })),
            "health_history": { "type": "array", "items": whole(json!({
                "at": reference("Moment"),
                "state": reference("EndpointState"),
                "failures": count(),
                "reason": or_null(json!({ "type": "string" })),
            })) },
            "requests": { "type": "array", "items": whole(json!({
                "at": reference("Moment"),
                "operation": { "type": "string" },
                "status": { "type": "integer" },
                "error_code": or_null(json!({ "type": "string" })),
                "interaction_id": { "type": "string" },
                "took_ms": count(),
            })) },
        })),
        "Reason": whole(json!({
            "code": { "type": "string" },
            "weight": { "enum": ["all", "pushes", "some"] },
            "what": { "type": "string" },
            "mend": { "type": "string" },
        })),
        "Delivery": whole(json!({
            "pushed_to": or_null(json!({ "type": "string" })),
            "may_poll": { "type": "boolean" },
            "silenced_by": { "type": "array", "items": { "type": "string" } },
            "endpoint": whole(health),
        })),
    })
}

fn policy() -> Value {
    json!({
        "base": reference("Span"),
        "factor": { "type": "number" },
        "ceiling": reference("Span"),
        "retries_max": { "type": "integer", "minimum": 0, "maximum": u32::MAX },
        "window": reference("Span"),
    })
}

/// What is absent or null follows the deployment.
fn overrides() -> Value {
    let number = || json!({ "type": ["integer", "null"], "minimum": 1, "maximum": u32::MAX });
    let span = || reference("Span");
    closed(
        &[],
        json!({
            "header_profile": { "enum": ["openbanking", "jwt", "rfc8417", null] },
            "retry": or_null(closed(&[], policy())),
            "delivery_order": { "enum": ["concurrent", "strict", null] },
            "acknowledgement": { "enum": ["standard", "strict", "lenient", null] },
            "pushes_at_once_max": number(),
            "redelivery_delay": or_null(span()),
            "error_cap": number(),
            "hand_out_cap": number(),
            "requests_per_second": number(),
            "signature_form": { "enum": ["encoded", "unencoded", null] },
            "trust_anchors": or_null(json!({
                "type": "string", "maxLength": 65536, "description": "Certificates in PEM.",
            })),
        }),
    )
}

fn registrations() -> Value {
    let text = || json!({ "type": "string" });
    let common = json!({
        "id": text(),
        "version": text(),
        "api": text(),
        "created_at": reference("Moment"),
        "changed_at": reference("Moment"),
    });
    let subscription = json!({
        "callback_url": or_null(text()),
        "event_types": or_null(json!({ "type": "array", "items": { "type": "string" } })),
    });
    json!({
        "Registrations": whole(json!({
            "event_subscription": or_null(whole(with(&common, subscription))),
            "callback_url": or_null(whole(with(&common, json!({ "url": text() })))),
        })),
        "Removal": whole(json!({ "withdrawn": count() })),
    })
}

fn events() -> Value {
    let text = || json!({ "type": "string" });
    let said = json!({ "at": reference("Moment"), "interaction_id": text() });
    json!({
        "Event": whole(json!({
            "jti": reference("Jti"),
            "tpp": reference("ClientId"),
            "position": count(),
            "accepted_at": reference("Moment"),
            "test": { "type": "boolean", "description": "An operator's test: nothing happened." },
            "types": { "type": "array", "items": { "type": "string" } },
            "resource": whole(json!({ "type": text(), "id": text() })),
            "state": reference("State"),
            "settlement": or_null(reference("Settlement")),
        })),
        "Events": page("events", "Event", reference("Jti")),
        "EventFile": whole(json!({
            "event": reference("Event"),
            "notice": closed(&["tpp", "resource", "events", "toe", "txn"], json!({
                "tpp": reference("ClientId"),
                "resource": closed(&["type", "id"], json!({ "type": text(), "id": text(), "version": text() })),
                "events": many("Happening"),
                "toe": { "type": "integer" },
                "txn": or_null(text()),
            })),
            "sets": { "type": "array", "items": whole(json!({
                "kid": text(),
                "kept_at": reference("Moment"),
                "set": text(),
                "claims": { "type": ["object", "null"] },
            })) },
            "hand_outs": { "type": "array", "items": whole(said.clone()) },
            "errors": { "type": "array", "items": whole(with(&said, json!({ "err": text(), "description": text() }))) },
            "attempts": many("Attempt"),
            "settlements": many("Settlement"),
            "delivery": or_null(reference("Delivery")),
        })),
        "Attempt": attempt(),
        "Settlement": whole(json!({
            "outcome": { "enum": ["acknowledged", "failed", "expired", "withdrawn"] },
            "reason": text(),
            "actor": text(),
            "at": reference("Moment"),
        })),
        "Withdrawal": whole(json!({ "withdrawn": { "type": "boolean" }, "event": reference("Event") })),
        "Retry": whole(json!({
            "queued": { "type": "boolean" },
            "event": reference("Event"),
            "delivery": or_null(reference("Delivery")),
        })),
        "Requeueing": closed(&[], json!({
            "accepted_from": reference("Moment"),
            "accepted_before": reference("Moment"),
            "limit": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 1000 },
        })),
        "Requeued": whole(json!({ "requeued": many("Jti") })),
    })
}

fn attempt() -> Value {
    let text = || json!({ "type": "string" });
    whole(json!({
        "started_at": reference("Moment"),
        "latency_ms": count(),
        "interaction_id": text(),
        "peer": whole(json!({
            "address": or_null(text()),
            "tls_version": or_null(text()),
            "certificate_thumbprint": or_null(text()),
        })),
        "answer": { "oneOf": [
            whole(json!({ "status": { "type": "integer" }, "body_head": text(), "deviation": or_null(text()) })),
            whole(json!({ "error": text(), "detail": text() })),
        ] },
        "verdict": { "enum": ["acknowledged", "refused", "endpoint_failed"] },
        "again_at": or_null(reference("Moment")),
    }))
}

fn rest() -> Value {
    let counted = [
        "accepted",
        "handed_out",
        "pushed",
        "acknowledged",
        "failed",
        "expired",
        "withdrawn",
    ];
    let minute = with(&counts(&counted), json!({ "minute": reference("Moment") }));
    let part = json!({
        "name": { "type": "string" },
        "ready": { "type": "boolean" },
        "detail": { "type": "string" },
    });
    json!({
        "Minutes": whole(json!({ "minutes": { "type": "array", "items": whole(minute) } })),
        "Audit": page("entries", "AuditEntry", count()),
        "AuditEntry": whole(json!({
            "sequence": count(),
            "at": reference("Moment"),
            "actor": { "type": "string" },
            "action": { "type": "string" },
            "tpp": or_null(reference("ClientId")),
            "before": {},
            "after": {},
            "link": or_null(reference("AuditLink")),
        })),
        "AuditLink": whole(json!({
            "number": { "type": "integer", "minimum": 1, "description": "Its place in its chain." },
            "hash": {
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
                "description": "The SHA-256 over action, actor, after, at, before, chain (the TPP or null), number and previous \
                    (the hash before it or null), as a JSON object with members by name and without white space.",
            },
        })),
        "AuditHeads": whole(json!({
            "operators": or_null(reference("AuditLink")),
            "heads": { "type": "array", "items": whole(json!({
                "tpp": reference("ClientId"),
                "head": or_null(reference("AuditLink")),
            })) },
            "next": or_null(reference("ClientId")),
        })),
        "Liveness": whole(json!({ "status": { "const": "live" } })),
        "Readiness": whole(json!({
            "status": { "enum": ["ready", "not-ready"] },
            "parts": { "type": "array", "items": closed(&["name", "ready"], part) },
        })),
        "Metrics": { "type": "string", "description": "OpenMetrics." },
    })
}

/// One page of a list.
fn page(member: &str, schema: &str, cursor: Value) -> Value {
    let mut next = or_null(cursor);
    next["description"] = "Where the next page begins; null after the last. A page may have fewer rows than were asked for, \
        or none, and still a next: only null ends a list."
        .into();
    whole(json!({ member: many(schema), "next": next }))
}

fn many(schema: &str) -> Value {
    json!({ "type": "array", "items": reference(schema) })
}

fn or_null(schema: Value) -> Value {
    json!({ "oneOf": [schema, { "type": "null" }] })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn counts(names: &[&str]) -> Value {
    let each = names.iter().map(|name| ((*name).to_owned(), count()));
    Value::Object(each.collect())
}

/// An object that always has all of its members.
fn whole(properties: Value) -> Value {
    let names = properties.as_object().into_iter().flat_map(Map::keys);
    let names: Vec<&str> = names.map(String::as_str).collect();
    let required = json!(names);
    let mut schema = closed(&[], properties);
    schema["required"] = required;
    schema
}

fn with(properties: &Value, more: Value) -> Value {
    let mut all = properties.clone();
    if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
        all.extend(more);
    }
    all
}
