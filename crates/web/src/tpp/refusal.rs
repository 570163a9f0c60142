//! Why a request gets nothing: one type, from which status, headers, body and log line follow (G-06).

use std::fmt;
use std::time::Duration;

use axum::http::StatusCode;
use oyez_domain::fault::{Code, Fault};
use oyez_store::Error as StoreError;

/// A request that is not answered as it wished.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Nothing is served there.
    NotFound,
    /// Something was served there once (G-01).
    Retired,
    /// Something else can be done there.
    MethodNotAllowed {
        /// The value of `Allow`.
        allowed: String,
    },
    /// Nobody is known to call (A-01, A-05).
    Unauthenticated(Challenge),
    /// Who calls may not.
    Forbidden(Forbidden),
    /// Who calls does so too often (G-09).
    TooOften {
        /// Until when.
        wait: Duration,
    },
    /// The body is of a type that is not read (G-04).
    UnsupportedMediaType,
    /// The answer would be of a type that is not wanted (G-04).
    NotAcceptable,
    /// The body is too long (G-07).
    TooLarge,
    /// The body did not come to its end.
    TooSlow,
    /// Something is wrong with what was sent (400).
    Faulty(Vec<Fault>),
    /// There is a registration already (S-02).
    AlreadyExists,
    /// It cannot be answered now (G-10). The text is for the log.
    Unavailable(String),
    /// It was done or not, and nobody knows (G-10). The text is for the log.
    InDoubt(String),
    /// Something is wrong here. The text is for the log.
    Broken(String),
}

/// What is wrong with a token or with how it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Challenge {
    /// There is none.
    NoToken,
    /// It does not hold, for this reason.
    Invalid(&'static str),
    /// It has expired, which versions may tell (G-06).
    Expired,
}

/// Why who calls may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Forbidden {
    /// A user stands behind the token (A-03).
    User,
    /// No scope opens this (A-04). The text names those that would.
    Scope(String),
    /// The client is not registered here (A-09).
    Unknown,
    /// The client would be registered, but its token does not say this (A-09).
    Incomplete(String),
    /// The client is not served any more (A-09).
    Disabled,
    /// What it asks for is another TPP's (G-08).
    AnotherTpps,
}

impl Refusal {
    /// A single fault.
    pub(super) fn fault(fault: Fault) -> Self {
        Self::Faulty(vec![fault])
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::TooOften { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Faulty(_) => StatusCode::BAD_REQUEST,
            Self::AlreadyExists => StatusCode::CONFLICT,
            Self::Retired | Self::Unavailable(_) | Self::InDoubt(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What the body tells, where there is one.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let unexpected = |text| vec![Fault::new(Code::UnexpectedError, text)];
        match self {
            Self::Faulty(faults) => faults.clone(),
            Self::AlreadyExists => vec![Fault::new(
                Code::ResourceAlreadyExists,
                "one is registered already, in this version or another",
            )],
            Self::Unauthenticated(Challenge::Expired) => {
                vec![Fault::new(Code::TokenExpired, "the access token expired")]
            }
            Self::Retired => unexpected("this version of the API is served no more"),
            Self::Unavailable(_) => unexpected("the bank cannot answer now; try again later"),
            Self::InDoubt(_) => unexpected(
                "the bank cannot say whether this was done; see how it stands, then try again",
            ),
            Self::Broken(_) => unexpected("something went wrong at the bank"),
            Self::NotFound
            | Self::MethodNotAllowed { .. }
            | Self::Unauthenticated(_)
            | Self::Forbidden(_)
            | Self::TooOften { .. }
            | Self::UnsupportedMediaType
            | Self::NotAcceptable
            | Self::TooLarge
            | Self::TooSlow => Vec::new(),
        }
    }

    /// When to try again.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooOften { wait } => Some(*wait),
            Self::Unavailable(_) | Self::InDoubt(_) => Some(RETRY_AFTER),
            _ => None,
        }
    }

    /// The value of `WWW-Authenticate` (RFC 6750). `realm` is a name of ours, and so are the texts: nothing needs escapes.
    pub(super) fn challenge(&self, realm: &str) -> Option<String> {
        let invalid = |why| {
            format!(r#"Bearer realm="{realm}", error="invalid_token", error_description="{why}""#)
        };
        match self {
            Self::Unauthenticated(Challenge::NoToken) => Some(format!(r#"Bearer realm="{realm}""#)),
            Self::Unauthenticated(Challenge::Invalid(why)) => Some(invalid(*why)),
            Self::Unauthenticated(Challenge::Expired) => Some(invalid("the access token expired")),
            Self::Forbidden(Forbidden::Scope(scopes)) => Some(format!(
                r#"Bearer realm="{realm}", error="insufficient_scope", scope="{scopes}""#
            )),
            _ => None,
        }
    }
}

/// For the log: what is wrong, without anything that was sent but names.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("nothing is served there"),
            Self::Retired => f.write_str("the version is retired"),
            Self::MethodNotAllowed { .. } => f.write_str("no such method there"),
            Self::Unauthenticated(Challenge::NoToken) => f.write_str("no access token"),
            Self::Unauthenticated(Challenge::Invalid(why)) => f.write_str(why),
            Self::Unauthenticated(Challenge::Expired) => f.write_str("the access token expired"),
            Self::Forbidden(forbidden) => forbidden.fmt(f),
            Self::TooOften { .. } => f.write_str("too many requests"),
            Self::UnsupportedMediaType => f.write_str("the body is not JSON in UTF-8"),
            Self::NotAcceptable => f.write_str("JSON in UTF-8 is not wanted"),
            Self::TooLarge => f.write_str("the body is too long"),
            Self::TooSlow => f.write_str("the body did not come in time"),
            Self::Faulty(faults) => {
                for (index, fault) in faults.iter().take(FAULTS_LOGGED_MAX).enumerate() {
                    let gap = if index == 0 { "" } else { ", " };
                    write!(f, "{gap}{}", fault.code)?;
                    if let Some(path) = &fault.path {
                        let path: String = path.chars().take(PATH_LOGGED_MAX).collect();
                        write!(f, " ({path:?})")?;
                    }
                }
                Ok(())
            }
            Self::AlreadyExists => f.write_str("one is registered already"),
            Self::Unavailable(cause) | Self::InDoubt(cause) | Self::Broken(cause) => {
                f.write_str(cause)
            }
        }
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => f.write_str("the token is a user's"),
            Self::Scope(_) => f.write_str("no scope of the token opens this"),
            Self::Unknown => f.write_str("the client is not registered here"),
            Self::Incomplete(claim) => {
                write!(
                    f,
                    "the client is not registered here, and its token has no fit claim `{claim}`"
                )
            }
            Self::Disabled => f.write_str("the client is disabled"),
            Self::AnotherTpps => f.write_str("it is another TPP's"),
        }
    }
}

/// A row that contradicts itself is a bug of ours and waiting does not help; all else may pass. Nothing of the request happened,
/// unless that is in doubt.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Inconsistent { .. } => Self::Broken(error.to_string()),
            StoreError::InDoubt { .. } => Self::InDoubt(error.to_string()),
            StoreError::Busy { .. }
            | StoreError::DiskFull
            | StoreError::ReadOnly { .. }
            | StoreError::InUse { .. }
            | StoreError::Unfinished { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Schema { .. }
            | StoreError::TimedOut { .. }
            | StoreError::Unavailable { .. } => Self::Unavailable(error.to_string()),
        }
    }
}

/// What is unavailable is asked for again after this long: long enough for a node to restart, short enough for a poll.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A line of the log names so many faults of a body; the answer names them all.
const FAULTS_LOGGED_MAX: usize = 5;

/// And so much of where each stands: names of members are the sender's.
const PATH_LOGGED_MAX: usize = 100;
