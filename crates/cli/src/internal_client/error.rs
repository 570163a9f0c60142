//! What a call can come to besides an answer, and how to mend it.

use std::fmt::{self, Write as _};

use oyez_domain::error_chain::chain;
use oyez_outbound::{Class, Method, Sent, StatusCode};
use oyez_web::internal::ROUTES;
use oyez_web::internal::operators::Role;
use serde::Deserialize;
use url::Url;

use crate::failure::Failure;

/// Why a call has no answer that can be used.
#[derive(Debug)]
pub(crate) enum CallError {
    /// Nobody answered.
    Unanswered {
        url: String,
        source: oyez_outbound::Error,
    },
    /// The server said no.
    Refused(Box<Refusal>),
    /// Whatever answered is no oyez.
    Strange { url: String, what: String },
}

/// What the server said no with, by problem details (RFC 9457).
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(super) problem: Problem,
    /// Who may do this, if we may not.
    pub(super) roles: Vec<&'static str>,
    /// Where the token was found that is not known.
    pub(super) token_source: String,
}

/// The body of a refusal.
#[derive(Debug, Deserialize)]
pub(crate) struct Problem {
    #[serde(rename = "type", default)]
    kind: String,
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    request_id: String,
    #[serde(default)]
    errors: Vec<Entry>,
}

/// One thing that is wrong.
#[derive(Debug, Deserialize)]
struct Entry {
    path: Option<String>,
    detail: String,
}

impl CallError {
    /// Whether a later attempt may go better.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unanswered { source, .. } => matches!(
                source.class,
                Class::Resolve | Class::Connect | Class::Timeout | Class::Protocol
            ),
            Self::Refused(refusal) => refusal.status == StatusCode::SERVICE_UNAVAILABLE,
            Self::Strange { .. } => false,
        }
    }

    /// Whether the server surely did nothing of what was asked.
    pub(crate) fn is_surely_undone(&self) -> bool {
        match self {
            Self::Unanswered { source, .. } => source.sent == Sent::Nothing,
            Self::Refused(refusal) => {
                refusal.status.is_client_error() || refusal.problem.kind == UNAVAILABLE
            }
            Self::Strange { .. } => false,
        }
    }

    /// In one line.
    pub(crate) fn brief(&self) -> String {
        match self {
            Self::Unanswered { url, source } => format!("no answer from {url}: {}", chain(source)),
            Self::Refused(refusal) => refusal.to_string(),
            Self::Strange { url, what } => format!("{url} is no internal API of oyez: {what}"),
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let what = error.brief();
        match error {
            CallError::Unanswered { source, .. } => Self::environment(what, mend(source.class)),
            CallError::Refused(refusal) => refusal.into_failure(),
            CallError::Strange { .. } => {
                let mend = "check the address: it is that of [internal], not of [listener]";
                Self::environment(what, mend)
            }
        }
    }
}

fn mend(class: Class) -> &'static str {
    match class {
        Class::RefusedUrl | Class::RefusedAddress => {
            "plain HTTP is for this machine alone: use https, or run this where the server runs"
        }
        Class::Tls => {
            "is it https there? if an authority of your own issued the certificate: --ca-file FILE"
        }
        Class::Timeout => "the server is busy or the way to it is: try again",
        Class::Resolve | Class::Connect | Class::Proxy | Class::Protocol | Class::TooLarge => {
            "is the server running? see --url, or [internal] address with -c"
        }
    }
}

impl Refusal {
    /// What is wrong, in one line.
    pub(crate) fn details(&self) -> String {
        let errors = self.problem.errors.iter().map(ToString::to_string);
        let errors: Vec<_> = errors.collect();
        if errors.is_empty() {
            self.problem.detail.clone()
        } else {
            errors.join("; ")
        }
    }

    fn into_failure(self) -> Failure {
        let mend = match self.status {
            StatusCode::UNAUTHORIZED => {
                let source = &self.token_source;
                return Failure::environment(
                    format!("the server does not know the token of {source}"),
                    "name the file with your token: --token-file FILE; \
                     the server's list of hashes is [internal] tokens",
                );
            }
            StatusCode::FORBIDDEN => {
                let roles = self.roles.join(" or ");
                return Failure::environment(
                    format!(
                        "the token of {} has not the role for this",
                        self.token_source
                    ),
                    format!("use a token with the role {roles}"),
                );
            }
            StatusCode::BAD_REQUEST => "correct what is named, and try again",
            StatusCode::NOT_FOUND => "see what there is: oyez tpps list, oyez events list",
            StatusCode::CONFLICT => "see how it stands, then decide anew",
            StatusCode::SERVICE_UNAVAILABLE => {
                let mend = "try again; /health/ready and the server's log say more";
                return Failure::environment(self.to_string(), mend);
            }
            _ => {
                let mend = "the server's log has the cause, under this id";
                return Failure::environment(self.to_string(), mend);
            }
        };
        Failure::refused(self.to_string(), mend)
    }
}

/// The reason first, then each thing that is wrong on a line of its own.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem {
            kind: _,
            title,
            detail,
            request_id,
            errors,
        } = &self.problem;
        if errors.is_empty() {
            write!(f, "{}: {detail}", lower(title))?;
        } else {
            f.write_str(&lower(title))?;
        }
        if self.status.is_server_error() {
            write!(f, " (request {request_id})")?;
        }
        for entry in errors {
            write!(f, "\n  {entry}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = self.path.as_deref().filter(|path| !path.is_empty()) {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.detail)
    }
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    let mut lower: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_lowercase)
        .collect();
    lower
        .write_str(chars.as_str())
        .expect("a string takes all text");
    lower
}

/// The roles to which the route is open that a request would take.
pub(super) fn roles_for(method: &Method, url: &Url) -> Vec<&'static str> {
    let path: Vec<_> = url.path_segments().into_iter().flatten().collect();
    let fits = |pattern: &str| {
        let pattern: Vec<_> = pattern.split('/').skip(1).collect();
        // The base may lie below a path of a gateway's.
        let Some(from) = path.len().checked_sub(pattern.len()) else {
            return false;
        };
        let mut pairs = pattern.iter().zip(&path[from..]);
        pairs.all(|(pattern, said)| pattern.starts_with('{') || pattern == said)
    };
    let mut routes = ROUTES.iter();
    let route = routes.find(|route| route.method == *method && fits(route.path));
    let open = |role: &Role| route.is_some_and(|route| route.access.is_open_to(*role));
    Role::ALL.into_iter().filter(open).map(Role::name).collect()
}

/// What oyez itself calls a 503 where nothing of the request happened. It has another name for one that is in doubt, and
/// something before it may answer 503 as well: then nobody knows.
const UNAVAILABLE: &str = "urn:oyez:problem:unavailable";

#[cfg(test)]
mod tests {
    use super::*;

    // I-05
    #[test]
    fn the_roles_that_may_do_it_are_those_of_the_route() {
        let roles = |method, url: &str| roles_for(&method, &url.parse().unwrap());
        let tpp = "https://gateway.example/oyez/v1/tpps/foo";
        assert_eq!(roles(Method::PUT, tpp), ["admin"]);
        assert_eq!(roles(Method::GET, tpp), ["viewer", "operator", "admin"]);
        let events = "http://127.0.0.1:8081/v1/events";
        assert_eq!(roles(Method::POST, events), ["publisher", "admin"]);
        assert!(roles(Method::GET, "http://127.0.0.1/").is_empty());
    }
}
