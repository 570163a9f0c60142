//! The internal API as a document, made from the list of its routes: who may call what, with which bodies and answers.

use serde_json::{Map, Value, json};

use super::internal_schemas::{self, at_most};
use super::reference;
use crate::internal::operators::Role;
use crate::internal::{Access, Operation, ROUTES, Route};
use crate::metrics;

/// The document of the internal API.
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in &ROUTES {
        let methods = paths.entry(route.path).or_insert_with(|| json!({}));
        methods[route.method.as_str().to_lowercase()] = describe(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "oyez: the bank's own side of event notifications",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Roles in the requirements of security: a token or certificate of any of them will do.",
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": internal_schemas::all(),
            "securitySchemes": {
                "Token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the operators' list, which keeps its SHA-256.",
                },
                "Certificate": {
                    "type": "mutualTLS",
                    "description": "A client certificate of the operators' list. A token counts before it.",
                },
            },
        },
    })
}

/// What an operation takes and gives, besides what all have in common.
struct Shape {
    summary: &'static str,
    takes: Takes,
    status: &'static str,
    gives: &'static str,
}

/// A body, by the name of its schema.
enum Takes {
    Nothing,
    Perhaps(&'static str),
    Always(&'static str),
}

fn shape(operation: Operation) -> Shape {
    use Operation as Op;
    use Takes::{Always, Nothing, Perhaps};
    let (summary, takes, gives) = match operation {
        Op::PublishEvents => (
            "Hand events over: one item or a batch, with one outcome per item, in order",
            Always("Publication"),
            "Outcomes",
        ),
        Op::ListEvents => ("Events, newest first", Nothing, "Events"),
        Op::ReadEvent => ("All that is kept of an event", Nothing, "EventFile"),
        Op::WithdrawEvent => ("Take an outstanding event back", Nothing, "Withdrawal"),
        Op::PushEventAgain => (
            "Push an outstanding event again at once, one that was given up to polls too",
            Nothing,
            "Retry",
        ),
        Op::SendTestEvent => (
            "Try the way to a TPP: tell it of the resource that is configured for that",
            Always("TestEvent"),
            "Outcomes",
        ),
        Op::ListEndpoints => ("Endpoints by client_id", Nothing, "Endpoints"),
        Op::ReadEndpoint => (
            "A TPP's endpoint, and how it stands",
            Nothing,
            "EndpointFile",
        ),
        Op::PauseEndpoint => ("Push nothing to a TPP", Nothing, "EndpointFile"),
        Op::ResumeEndpoint => (
            "Push to a TPP again: ends a pause, and an outage",
            Nothing,
            "EndpointFile",
        ),
        Op::RegisterTpp => ("Make a TPP known", Always("NewTpp"), "Tpp"),
        Op::ListTpps => ("TPPs by client_id", Nothing, "Tpps"),
        Op::ReadTpp => ("A TPP, and how it stands", Nothing, "TppFile"),
        Op::ChangeTpp => ("Replace a TPP's profile", Always("ChangedTpp"), "Tpp"),
        Op::DisableTpp => ("Stop serving a TPP", Always("Reason"), "Tpp"),
        Op::EnableTpp => ("Serve a TPP again", Nothing, "Tpp"),
        Op::ReadCounts => ("Where a TPP's events stand", Nothing, "Counts"),
        Op::ReadStatus => (
            "A TPP at a glance: why it gets no events, what waits, how its endpoint fared, what it asked for",
            Nothing,
            "Status",
        ),
        Op::ListMinutes => (
            "What happened minute by minute: the last hour, or up to a week",
            Nothing,
            "Minutes",
        ),
        Op::RequeueFailedEvents => (
            "Make failed events outstanding again, the oldest first",
            Perhaps("Requeueing"),
            "Requeued",
        ),
        Op::ReadRegistrations => ("What a TPP has registered", Nothing, "Registrations"),
        Op::RemoveEventSubscription => ("Remove a TPP's event-subscription", Nothing, "Removal"),
        Op::RemoveCallbackUrl => ("Remove a TPP's callback-url", Nothing, "Removal"),
        Op::ListAudit => ("Who changed what, newest first", Nothing, "Audit"),
        Op::ReadAuditChain => ("A chain of the trail, oldest first", Nothing, "Audit"),
        Op::ListAuditHeads => ("Where its chains end", Nothing, "AuditHeads"),
        Op::TellLive => ("Whether the process lives", Nothing, "Liveness"),
        Op::TellReady => ("Whether the process can work", Nothing, "Readiness"),
        Op::ReadMetrics => ("What was counted", Nothing, "Metrics"),
    };
    let status = match operation {
        Op::RegisterTpp => "201",
        _ => "200",
    };
    Shape {
        summary,
        takes,
        status,
        gives,
    }
}

fn describe(route: &Route) -> Value {
    let shape = shape(route.operation);
    let mut described = json!({
        "operationId": route.id,
        "summary": shape.summary,
        "parameters": parameters(route),
        "responses": responses(route, &shape),
        "security": security(route.access),
    });
    let body = match shape.takes {
        Takes::Nothing => None,
        Takes::Perhaps(schema) => Some((schema, false)),
        Takes::Always(schema) => Some((schema, true)),
    };
    if let Some((schema, required)) = body {
        let content = json!({ "application/json": { "schema": reference(schema) } });
        described["requestBody"] = json!({ "required": required, "content": content });
    }
    described
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/');
    let in_path = in_path.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path.map(|name| parameter("path", name, of_parameter(route.operation, name)));
    let asked = route.operation.parameters().iter();
    let asked = asked.map(|name| parameter("query", name, of_parameter(route.operation, name)));
    in_path.chain(asked).collect()
}

fn parameter(place: &str, name: &str, schema: Value) -> Value {
    json!({ "name": name, "in": place, "required": place == "path", "schema": schema })
}

fn of_parameter(operation: Operation, name: &str) -> Value {
    match (name, operation) {
        ("jti", _) | ("cursor", Operation::ListEvents) => reference("Jti"),
        ("cursor", Operation::ListAudit | Operation::ReadAuditChain) => {
            json!({ "type": "integer", "minimum": 0 })
        }
        ("client_id" | "tpp" | "cursor", _) => reference("ClientId"),
        ("limit", _) => json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 }),
        ("state", Operation::ListEndpoints) => reference("EndpointState"),
        ("state", _) => reference("State"),
        ("type", _) => {
            json!({ "type": "string", "description": "An event type by any of its names." })
        }
        ("resource_id" | "txn" | "interaction_id", _) => at_most(128),
        _ => reference("Moment"),
    }
}

fn responses(route: &Route, shape: &Shape) -> Value {
    let mut responses = Map::new();
    let mut add = |status: &str, about: &str, header: Option<&str>, body: (&str, &str)| {
        let text = json!({ "schema": { "type": "string" } });
        let names = std::iter::once("x-fapi-interaction-id").chain(header);
        let headers: Map<_, _> = names.map(|name| (name.to_owned(), text.clone())).collect();
        let (media_type, schema) = body;
        let content = json!({ media_type: { "schema": reference(schema) } });
        let response = json!({ "description": about, "headers": headers, "content": content });
        responses.insert(status.to_owned(), response);
    };
    let media_type = match route.operation {
        Operation::ReadMetrics => metrics::CONTENT_TYPE,
        _ => "application/json",
    };
    add(shape.status, "Done", None, (media_type, shape.gives));
    for (status, about, header) in refusals(route, shape) {
        add(
            status,
            about,
            header,
            ("application/problem+json", "Problem"),
        );
    }
    if route.operation == Operation::TellReady {
        let body = ("application/json", shape.gives);
        add("503", "Some part cannot work", None, body);
    }
    Value::Object(responses)
}

type Refusal = (&'static str, &'static str, Option<&'static str>);

fn refusals(route: &Route, shape: &Shape) -> Vec<Refusal> {
    let mut refusals = vec![
        ("405", "The path has no such method", Some("Allow")),
        ("500", "A mistake of oyez's own", None),
    ];
    if route.access != Access::Anyone {
        refusals.extend([
            ("400", "Something in the request may not stand there", None),
            ("401", "Nobody that is known here", Some("WWW-Authenticate")),
            ("403", "The role does not have this", None),
            (
                "503",
                "The ledger cannot do it now, or it is not known whether it did: `type` says which",
                Some("Retry-After"),
            ),
        ]);
    }
    if route.path.contains('{') {
        refusals.push(("404", "There is no such thing", None));
    }
    match route.operation {
        Operation::RegisterTpp => refusals.push(("409", "The client_id is taken", None)),
        Operation::SendTestEvent => {
            refusals.push(("409", "No resource is configured for test events", None));
        }
        _ => {}
    }
    if !matches!(shape.takes, Takes::Nothing) {
        refusals.extend([
            ("408", "The body did not come in time", None),
            ("413", "The body is too long", None),
            ("415", "The body is something else than JSON", None),
        ]);
    }
    refusals
}

/// A token or a certificate of one of the roles that have it.
fn security(access: Access) -> Value {
    if access == Access::Anyone {
        return json!([]);
    }
    let roles = Role::ALL
        .into_iter()
        .filter(|role| access.is_open_to(*role));
    let roles: Vec<&str> = roles.map(Role::name).collect();
    json!([{ "Token": roles }, { "Certificate": roles }])
}
