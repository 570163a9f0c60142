//! What can go wrong, by class: a fixed short word for records and metrics, and the chain of causes for people.

use std::error::Error as StdError;
use std::fmt;

use hyper::Error as HttpError;
use oyez_domain::ledger::push::Peer;

/// A request that got no answer.
#[derive(Debug, thiserror::Error)]
#[error("{class}")]
pub struct Error {
    /// Where it went wrong.
    pub class: Class,
    /// Whether the other side may have seen some of it.
    pub sent: Sent,
    /// The other side, as far as it was reached.
    pub peer: Peer,
    /// Why.
    #[source]
    pub source: Cause,
}

/// What lies beneath.
pub(crate) type Cause = Box<dyn StdError + Send + Sync>;

/// Where it went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The name has no address now.
    Resolve,
    /// This client does not speak to such a URL.
    RefusedUrl,
    /// None of its addresses may be dialled.
    RefusedAddress,
    /// No address took the connection.
    Connect,
    /// The egress proxy was not reached or would not.
    Proxy,
    /// Version, certificate, host name, or a handshake that broke.
    Tls,
    /// A limit of time was reached.
    Timeout,
    /// What came back is no HTTP, or broke off.
    Protocol,
    /// The head of the answer is larger than we read.
    TooLarge,
}

/// Whether the other side may have seen some of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sent {
    /// Not a byte of it.
    #[default]
    Nothing,
    /// It may have; it may even have acted on all of it.
    Perhaps,
}

impl Class {
    /// The word that records and metrics know it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::RefusedUrl => "refused-url",
            Self::RefusedAddress => "refused-address",
            Self::Connect => "connect",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::TooLarge => "too-large",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "the name does not resolve",
            Self::RefusedUrl => "the URL is not for this client",
            Self::RefusedAddress => "no address of the host may be dialled",
            Self::Connect => "no connection",
            Self::Proxy => "no way through the proxy",
            Self::Tls => "no secure connection",
            Self::Timeout => "no answer in time",
            Self::Protocol => "no valid HTTP",
            Self::TooLarge => "the head of the answer is too large",
        })
    }
}

/// A class and a cause; peer and sent are known to whoever keeps the [`Trail`].
#[derive(Debug)]
pub(crate) struct Fault {
    class: Class,
    source: Cause,
}

/// How far a request came, kept outside of what a limit may cut off.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trail {
    pub(crate) peer: Peer,
    pub(crate) sent: Sent,
}

impl Fault {
    pub(crate) fn new(class: Class, source: impl Into<Cause>) -> Self {
        Self {
            class,
            source: source.into(),
        }
    }

    /// Of an exchange on an open connection. TLS 1.3 refuses a client's certificate only after the handshake.
    pub(crate) fn of_exchange(error: HttpError) -> Self {
        let class = if error.is_parse_too_large() {
            Class::TooLarge
        } else if causes(&error).any(is_tls) {
            Class::Tls
        } else {
            Class::Protocol
        };
        Self::new(class, error)
    }

    pub(crate) fn with_class(self, class: Class) -> Self {
        Self { class, ..self }
    }

    pub(crate) fn on(self, trail: Trail) -> Error {
        Error {
            class: self.class,
            sent: trail.sent,
            peer: trail.peer,
            source: self.source,
        }
    }
}

/// An error and all beneath it. What an I/O error wraps is not its source but itself, hence the second step.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let wrapped = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .map(|inner| inner as &(dyn StdError + 'static));
        wrapped.or_else(move || error.source())
    })
}

fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    error.is::<rustls::Error>()
}
