//! The TPP API of one version as a document: its operations with the parameters, bodies and answers that they have.

use oyez_domain::base_url::BaseUrl;
use oyez_domain::fault::Code;
use oyez_domain::versions::{Opens, Row};
use serde_json::{Map, Value, json};

use super::schemas::{self, reference};

/// What a document is made from, besides the list of routes.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The version.
    pub row: &'a Row,
    /// Where it is served.
    pub base_url: &'a BaseUrl,
    /// Where TPPs get their tokens.
    pub token_url: &'a str,
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

/// One operation: its path below the version, its method in lower case, and its id.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    /// `event-subscriptions/{EventSubscriptionId}`
    pub path: &'a str,
    /// `put`
    pub method: &'a str,
    /// `replace_event_subscription`
    pub id: &'a str,
}

/// The document of a version that has these operations.
pub fn document<'a>(
    facts: Facts<'a>,
    operations: impl IntoIterator<Item = Operation<'a>>,
) -> Value {
    let row = facts.row;
    let mut paths = Map::new();
    for operation in operations {
        let path = format!("/{}", operation.path);
        paths.entry(path).or_insert_with(|| json!({}))[operation.method] =
            facts.operation(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("Event Notification API {}: the bank's endpoints", row.api),
            "version": row.releases.last().map_or_else(|| row.api.to_string(), |release| release.version.to_string()),
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
    signed: Signed,
}

/// Which messages of an operation carry x-jws-signature (M-01, M-04).
#[derive(PartialEq, Eq)]
enum Signed {
    Both,
    Answer,
    Neither,
}

/// What an operation is about.
#[derive(Clone, Copy)]
enum Kind {
    Subscription,
    CallbackUrl,
    Events,
}

/// The schemas of a kind of registration.
struct Names {
    request: &'static str,
    replacement: &'static str,
    response: &'static str,
    list: &'static str,
}

impl Facts<'_> {
    fn operation(&self, operation: Operation<'_>) -> Value {
        let shape = self.shape(operation.id);
        let mut described = json!({
            "operationId": operation.id,
            "summary": shape.summary,
            "tags": [shape.tag],
            "parameters": self.parameters(operation.path, &shape),
            "responses": self.responses(&shape),
            "security": self.security(operation.id),
        });
        if let Some(schema) = shape.takes {
            described["requestBody"] = json!({
                "required": true,
                "content": { MEDIA_TYPE: { "schema": reference(schema) } },
            });
        }
        described
    }

    fn shape(&self, id: &str) -> Shape {
        let statuses = self.row.successes;
        let (kind, tag, names) = if id.ends_with("callback_url") || id.ends_with("callback_urls") {
            (Kind::CallbackUrl, "Callback URLs", &CALLBACK_URL)
        } else if id.contains("event_subscription") {
            (Kind::Subscription, "Event Subscriptions", &SUBSCRIPTION)
        } else {
            (Kind::Events, "Events", &SUBSCRIPTION)
        };
        let shape = |summary, takes, status, gives, refuses, signed| Shape {
            summary,
            tag,
            takes,
            status,
            gives,
            refuses,
            signed,
        };
        match (kind, id.split('_').next().unwrap_or_default()) {
            (Kind::Events, _) => shape(
                "Acknowledge events and be handed others",
                Some("OBEventPolling1"),
                statuses.polled,
                Some("OBEventPollingResponse1"),
                BODY,
                Signed::Neither,
            ),
            (_, "create") => shape(
                "Register",
                Some(names.request),
                statuses.created,
                Some(names.response),
                CREATION,
                Signed::Both,
            ),
            (_, "replace") => shape(
                "Replace the registration",
                Some(names.replacement),
                statuses.replaced,
                Some(names.response),
                BODY,
                Signed::Both,
            ),
            (_, "delete") => shape(
                "Remove the registration",
                None,
                statuses.deleted,
                None,
                &[],
                Signed::Neither,
            ),
            _ => shape(
                "What is registered",
                None,
                statuses.read,
                Some(names.list),
                NOT_ACCEPTABLE,
                Signed::Answer,
            ),
        }
    }

    fn parameters(&self, path: &str, shape: &Shape) -> Vec<Value> {
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
        if shape.signed == Signed::Both {
            let about = "A detached JWS over the bytes of the body.";
            let required = self.signatures == Signatures::Required;
            parameters.push(header("x-jws-signature", about, required));
        }
        parameters
    }

    fn responses(&self, shape: &Shape) -> Value {
        let mut responses = Map::new();
        let signed = shape.signed != Signed::Neither;
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

    fn security(&self, id: &str) -> Value {
        let wanted = if id.contains("event_subscription") || id.contains("callback_url") {
            Opens::Everything
        } else {
            Opens::Polling
        };
        let one_of = self
            .row
            .scopes
            .iter()
            .filter(|scope| scope.opens == Opens::Everything || scope.opens == wanted)
            .filter_map(|scope| scope.spellings.first())
            .map(|scope| json!({ "TPPOAuth2Security": [scope] }));
        one_of.collect()
    }

    fn security_scheme(&self) -> Value {
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
                "tokenUrl": self.token_url,
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
    request: "OBEventSubscription1",
    replacement: "OBEventSubscriptionReplacement",
    response: "OBEventSubscriptionResponse1",
    list: "OBEventSubscriptionsResponse1",
};

const CALLBACK_URL: Names = Names {
    request: "OBCallbackUrl1",
    replacement: "OBCallbackUrlReplacement",
    response: "OBCallbackUrlResponse1",
    list: "OBCallbackUrlsResponse1",
};
