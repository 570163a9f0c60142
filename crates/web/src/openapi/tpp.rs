//! The TPP API of one version as a document: its operations with the parameters, bodies and answers that they have.

use oyez_domain::base_url::BaseUrl;
use oyez_domain::fault::Code;
use oyez_domain::ledger::registering::Kind;
use oyez_domain::versions::{Opens, Row};
use serde_json::{Map, Value, json};

use super::{reference, schemas};
use crate::tpp::{Act, Operation, Route};

/// What a document is made from, besides the list of routes.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The version.
    pub row: &'a Row,
    /// Where it is served.
    pub base_url: &'a BaseUrl,
    /// Where TPPs get their tokens, if the bank says so.
    pub token_url: Option<&'a str>,
    /// Whether requests that change registrations must be signed (M-01).
    pub signatures: Signatures,
}

/// What is said of x-jws-signature in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatures {
    /// It must be there.
    Required,
    /// It may be there.
    Optional,
}

/// The document of a version that is served by these routes.
pub fn document(facts: Facts<'_>, routes: &[Route]) -> Value {
    let row = facts.row;
    let prefix = format!("/{}/{}", row.market.path_prefix, row.api);
    let mut paths = Map::new();
    for route in routes.iter().filter(|route| route.api == Some(row.api)) {
        let Some(path) = route.path.strip_prefix(&prefix) else {
            continue;
        };
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        let method = route.operation.method().as_str().to_lowercase();
        methods[method] = facts.operation(route.operation, path);
    }
    let newest = row.releases.last();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("Event Notification API {}: the bank's endpoints", row.api),
            "version": newest.map_or_else(|| row.api.to_string(), |release| release.version.to_string()),
        },
        "servers": [{ "url": facts.base_url.under(row, "").trim_end_matches('/') }],
        "paths": paths,
        "components": {
            "schemas": schemas::of(row),
            "securitySchemes": { "TPPOAuth2Security": facts.security_scheme() },
        },
    })
}

/// What an operation takes and gives, besides what all have in common.
struct Shape {
    summary: &'static str,
    tag: &'static str,
    takes: Option<&'static str>,
    status: u16,
    gives: Option<&'static str>,
    /// Statuses of errors beyond those that every operation has.
    refuses: &'static [u16],
}

/// The schemas of a kind of registration.
struct Names {
    tag: &'static str,
    request: &'static str,
    replacement: &'static str,
    response: &'static str,
    list: &'static str,
}

impl Facts<'_> {
    fn operation(&self, operation: Operation, path: &str) -> Value {
        let shape = self.shape(operation);
        let mut described = json!({
            "operationId": operation.id(),
            "summary": shape.summary,
            "tags": [shape.tag],
            "parameters": self.parameters(operation, path),
            "responses": self.responses(operation, &shape),
            "security": self.security(operation),
        });
        if let Some(schema) = shape.takes {
            described["requestBody"] = json!({
                "required": true,
                "content": { MEDIA_TYPE: { "schema": reference(schema) } },
            });
        }
        described
    }

    fn shape(&self, operation: Operation) -> Shape {
        let statuses = self.row.successes;
        let Operation::Register(kind, act) = operation else {
            return Shape {
                summary: "Acknowledge events and be handed others",
                tag: "Events",
                takes: Some("OBEventPolling1"),
                status: statuses.polled,
                gives: Some("OBEventPollingResponse1"),
                refuses: BODY,
            };
        };
        let names = match kind {
            Kind::Subscription => SUBSCRIPTION,
            Kind::CallbackUrl => CALLBACK_URL,
        };
        let (summary, takes, status, gives, refuses) = match act {
            Act::Create => (
                "Register",
                Some(names.request),
                statuses.created,
                Some(names.response),
                CREATION,
            ),
            Act::List => (
                "What is registered",
                None,
                statuses.read,
                Some(names.list),
                NOT_ACCEPTABLE,
            ),
            Act::Replace => (
                "Replace the registration",
                Some(names.replacement),
                statuses.replaced,
                Some(names.response),
                BODY,
            ),
            Act::Delete => (
                "Remove the registration",
                None,
                statuses.deleted,
                None,
                &[][..],
            ),
        };
        Shape {
            summary,
            tag: names.tag,
            takes,
            status,
            gives,
            refuses,
        }
    }

    fn parameters(&self, operation: Operation, path: &str) -> Vec<Value> {
        let in_path = path
            .split('/')
            .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
        let id = json!({ "type": "string", "minLength": 1, "maxLength": self.row.lengths.registration_id });
        let mut parameters: Vec<Value> = in_path
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": id }))
            .collect();
        parameters.push(header(
            "x-fapi-interaction-id",
            "Comes back as it is.",
            false,
        ));
        for (name, about) in PSU_HEADERS {
            parameters.push(header(name, about, false));
        }
        if operation.takes_signatures() {
            let about = "A detached JWS over the bytes of the body.";
            let required = self.signatures == Signatures::Required;
            parameters.push(header("x-jws-signature", about, required));
        }
        parameters
    }

    fn responses(&self, operation: Operation, shape: &Shape) -> Value {
        let mut responses = Map::new();
        let signed = operation.gives_signatures();
        let success = response("Success", headers(signed, &[]), shape.gives);
        responses.insert(shape.status.to_string(), success);
        let mut refusals = [ALWAYS, shape.refuses].concat();
        refusals.sort_unstable();
        for status in refusals {
            let has_body = status != 401 || self.row.errors.text(Code::TokenExpired).is_some();
            let has_body = has_body && self.row.errors.status(status).is_some();
            let further: &[&str] = match status {
                401 | 403 => &["WWW-Authenticate"],
                405 => &["Allow"],
                429 | 503 => &["Retry-After"],
                _ => &[],
            };
            let about = about(status);
            let body = has_body.then_some("OBErrorResponse1");
            let headers = headers(signed && has_body, further);
            responses.insert(status.to_string(), response(about, headers, body));
        }
        Value::Object(responses)
    }

    fn security(&self, operation: Operation) -> Value {
        let wanted = operation.opens();
        let one_of = self
            .row
            .scopes
            .iter()
            .filter(|scope| scope.opens == Opens::Everything || Some(scope.opens) == wanted)
            .filter_map(|scope| scope.spellings.first())
            .map(|scope| json!({ "TPPOAuth2Security": [scope] }));
        one_of.collect()
    }

    /// A token, and where to get it; where that is not said, just a token.
    fn security_scheme(&self) -> Value {
        let Some(token_url) = self.token_url else {
            return json!({
                "type": "http",
                "scheme": "bearer",
                "description": "By client credentials, bound to the client certificate",
            });
        };
        let scopes = self.row.scopes.iter().flat_map(|scope| {
            let families: Vec<String> = scope
                .families
                .iter()
                .map(|family| format!("{family:?}").to_lowercase())
                .collect();
            let about = format!("events of {}", families.join(" and "));
            scope
                .spellings
                .iter()
                .map(move |name| (name.clone(), json!(about)))
        });
        json!({
            "type": "oauth2",
            "description": "Client credentials, bound to the client certificate",
            "flows": { "clientCredentials": {
                "tokenUrl": token_url,
                "scopes": scopes.collect::<Map<_, _>>(),
            } },
        })
    }
}

fn header(name: &str, about: &str, required: bool) -> Value {
    json!({
        "name": name,
        "in": "header",
        "required": required,
        "description": about,
        "schema": { "type": "string" },
    })
}

fn headers(signed: bool, further: &[&str]) -> Value {
    let text = json!({ "schema": { "type": "string" } });
    let signature = signed.then_some("x-jws-signature");
    std::iter::once("x-fapi-interaction-id")
        .chain(signature)
        .chain(further.iter().copied())
        .map(|name| (name.to_owned(), text.clone()))
        .collect::<Map<_, _>>()
        .into()
}

fn response(about: &str, headers: Value, body: Option<&str>) -> Value {
    let mut response = json!({ "description": about, "headers": headers });
    if let Some(schema) = body {
        response["content"] = json!({ MEDIA_TYPE: { "schema": reference(schema) } });
    }
    response
}

fn about(status: u16) -> &'static str {
    match status {
        400 => "The request is not valid",
        401 => "The access token is not valid",
        403 => "The caller may not do that",
        404 => "There is no such path",
        405 => "The path has no such method",
        406 => "No such representation",
        409 => "There is one already",
        413 => "The body is too long",
        415 => "The body is of another media type",
        429 => "Too many requests",
        500 => "The request could not be completed",
        _ => "The service is not available now",
    }
}

const MEDIA_TYPE: &str = "application/json";
/// Errors that every operation has.
const ALWAYS: &[u16] = &[400, 401, 403, 404, 405, 429, 500, 503];
const NOT_ACCEPTABLE: &[u16] = &[406];
const BODY: &[u16] = &[406, 413, 415];
const CREATION: &[u16] = &[406, 409, 413, 415];

const PSU_HEADERS: [(&str, &str); 3] = [
    ("x-fapi-auth-date", "Means nothing here."),
    ("x-fapi-customer-ip-address", "Means nothing here."),
    ("x-customer-user-agent", "Means nothing here."),
];

const SUBSCRIPTION: Names = Names {
    tag: "Event Subscriptions",
    request: "OBEventSubscription1",
    replacement: "OBEventSubscriptionReplacement",
    response: "OBEventSubscriptionResponse1",
    list: "OBEventSubscriptionsResponse1",
};

const CALLBACK_URL: Names = Names {
    tag: "Callback URLs",
    request: "OBCallbackUrl1",
    replacement: "OBCallbackUrlReplacement",
    response: "OBCallbackUrlResponse1",
    list: "OBCallbackUrlsResponse1",
};
