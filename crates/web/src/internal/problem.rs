//! What can be wrong with a request, as problem details (RFC 9457). Each has a fixed text for outside; what caused it goes
//! to the log.

use std::time::Duration;

use axum::http::StatusCode;
use oyez_domain::error_chain::chain;
use oyez_domain::fault::Fault;
use oyez_domain::ids::InteractionId;
use oyez_domain::json::Malformed;
use serde::Serialize;
use serde_json::Value;

/// Why a request was not done.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The body is not JSON as we take it; with the place.
    Malformed(String),
    /// All that is wrong with what was said.
    Invalid(Vec<Fault>),
    /// Nobody that is known.
    Unauthenticated(&'static str),
    /// Somebody whose role does not have this.
    Forbidden,
    /// There is no such thing.
    NotFound(&'static str),
    /// The path is there, the method is not; the router adds which are.
    MethodNotAllowed,
    /// The body did not come in time.
    TooSlow,
    /// What is there does not allow it.
    Conflict(&'static str),
    /// The body is too long.
    TooLarge { bytes_max: usize },
    /// The body is something else than JSON.
    MediaType,
    /// The ledger cannot, now; with the chain of causes.
    Unavailable(String),
    /// The ledger did it or not, and nobody knows; with the chain of causes.
    InDoubt(String),
    /// A mistake of ours; with what is known of it.
    Broken(String),
}

/// One fault of a request or of an item.
#[derive(Debug, Serialize)]
pub(super) struct Entry<'a> {
    /// What kind of fault, as one word.
    code: Value,
    /// Where: `resource.id`, or the name of a parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    /// For people.
    detail: &'a str,
}

#[derive(Serialize)]
struct Details<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Entry<'a>>,
}

impl Problem {
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unavailable(_) | Self::InDoubt(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// When to come back.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        matches!(self, Self::Unavailable(_) | Self::InDoubt(_)).then_some(RETRY_AFTER)
    }

    /// What nobody outside is told.
    pub(crate) fn cause(&self) -> Option<&str> {
        match self {
            Self::Unavailable(cause) | Self::InDoubt(cause) | Self::Broken(cause) => Some(cause),
            _ => None,
        }
    }

    /// The body.
    pub(super) fn render(&self, id: &InteractionId) -> Vec<u8> {
        let (name, title) = self.kind();
        let errors = match self {
            Self::Invalid(faults) => faults.iter().map(Entry::from).collect(),
            _ => Vec::new(),
        };
        let details = Details {
            kind: format!("urn:oyez:problem:{name}"),
            title,
            status: self.status().as_u16(),
            detail: self.detail(),
            request_id: id.as_str(),
            errors,
        };
        serde_json::to_vec(&details).expect("texts and numbers are JSON")
    }

    /// Its name and its title.
    pub(crate) const fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed(_) => ("malformed", "The body cannot be read"),
            Self::Invalid(_) => ("invalid", "Something in the request may not stand there"),
            Self::Unauthenticated(_) => ("unauthenticated", "Nobody that is known here"),
            Self::Forbidden => ("forbidden", "The role does not have this"),
            Self::NotFound(_) => ("not-found", "There is no such thing"),
            Self::MethodNotAllowed => ("method-not-allowed", "This path has no such method"),
            Self::TooSlow => ("too-slow", "The body did not come in time"),
            Self::Conflict(_) => ("conflict", "What is there does not allow it"),
            Self::TooLarge { .. } => ("too-large", "The body is too long"),
            Self::MediaType => ("media-type", "The body is something else than JSON"),
            Self::Unavailable(_) => ("unavailable", "The ledger cannot do it now"),
            Self::InDoubt(_) => ("in-doubt", "It is not known whether the ledger did it"),
            Self::Broken(_) => ("broken", "A mistake of oyez's own"),
        }
    }

    /// What is said outside, in a sentence.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Malformed(detail) => detail.clone(),
            Self::Invalid(faults) => format!("what is wrong stands in errors: {}", faults.len()),
            Self::Unauthenticated(detail) | Self::NotFound(detail) | Self::Conflict(detail) => {
                (*detail).to_owned()
            }
            Self::Forbidden => "ask for a token or certificate with another role".to_owned(),
            Self::MethodNotAllowed => "the header Allow names its methods".to_owned(),
            Self::TooSlow => "send it faster, or less of it".to_owned(),
            Self::TooLarge { bytes_max } => format!("a body here has at most {bytes_max} bytes"),
            Self::MediaType => "the body must be application/json, not encoded".to_owned(),
            Self::Unavailable(_) => "nothing of the request happened; ask again later".to_owned(),
            Self::InDoubt(_) => "the request may have been carried out or not; look how it stands, or send what has an \
                idempotency key again with the same key"
                .to_owned(),
            Self::Broken(_) => "the log has the cause, under this request_id".to_owned(),
        }
    }
}

impl<'a> Entry<'a> {
    /// A fault that the ledger found.
    pub(super) fn of_ledger(code: &'a str, path: &'a str, detail: &'a str) -> Self {
        Self {
            code: code.into(),
            path: Some(path),
            detail,
        }
    }
}

impl<'a> From<&'a Fault> for Entry<'a> {
    fn from(fault: &'a Fault) -> Self {
        Self {
            code: serde_json::to_value(fault.code).expect("a code is a word"),
            path: fault.path.as_deref(),
            detail: &fault.message,
        }
    }
}

impl From<Vec<Fault>> for Problem {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Invalid(faults)
    }
}

impl From<Malformed> for Problem {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed.to_string())
    }
}

impl From<oyez_store::Error> for Problem {
    fn from(error: oyez_store::Error) -> Self {
        match error {
            oyez_store::Error::InDoubt { .. } => Self::InDoubt(chain(&error)),
            _ => Self::Unavailable(chain(&error)),
        }
    }
}

/// Most of what makes a ledger busy is over by then; a publisher's own backoff does the rest.
const RETRY_AFTER: Duration = Duration::from_secs(2);
