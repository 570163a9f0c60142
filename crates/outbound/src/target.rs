//! Where a request goes, read once: a callback URL serves many requests.

use std::fmt;
use std::sync::Arc;

use hyper::Uri;
use hyper::http::HeaderValue;
use rustls::pki_types::ServerName;
use url::{Host, Position, Url};

/// A URL that can be dialled: http or https, with a host, without a user.
#[derive(Clone)]
pub struct Target(Arc<Parts>);

struct Parts {
    /// Scheme, host and port: what a kept connection may be used for.
    origin: Arc<str>,
    scheme: Scheme,
    host: Host<String>,
    port: u16,
    server_name: ServerName<'static>,
    authority: HeaderValue,
    /// What the first line of HTTP/1.1 says.
    path: Uri,
    /// What HTTP/2 is told.
    whole: Uri,
}

/// How it is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// Why a text is no target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Not absolute, or not a URL.
    #[error("it is no absolute URL")]
    Url(#[from] url::ParseError),
    /// Another scheme than http and https.
    #[error("its scheme is neither https nor http")]
    Scheme,
    /// Credentials do not belong into URLs.
    #[error("it holds a user")]
    User,
    /// A host that cannot stand in a certificate, or a path that HTTP cannot carry.
    #[error("its host or path cannot be sent")]
    Unsendable,
}

impl Target {
    /// Reads a URL. Its fragment is not sent.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let url = Url::parse(text)?;
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return Err(TargetError::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::User);
        }
        Self::from_url(&url, scheme).ok_or(TargetError::Unsendable)
    }

    fn from_url(url: &Url, scheme: Scheme) -> Option<Self> {
        let host = url.host()?.to_owned();
        let server_name = match &host {
            Host::Domain(name) => ServerName::try_from(name.clone()).ok()?,
            Host::Ipv4(v4) => ServerName::IpAddress((*v4).into()),
            Host::Ipv6(v6) => ServerName::IpAddress((*v6).into()),
        };
        let port = url.port_or_known_default()?;
        let authority = &url[Position::BeforeHost..Position::AfterPort];
        Some(Self(Arc::new(Parts {
            origin: format!("{}://{host}:{port}", url.scheme()).into(),
            scheme,
            port,
            server_name,
            authority: authority.parse().ok()?,
            path: url[Position::BeforePath..Position::AfterQuery]
                .parse()
                .ok()?,
            whole: url[..Position::AfterQuery].parse().ok()?,
            host,
        })))
    }

    pub(crate) fn origin(&self) -> &Arc<str> {
        &self.0.origin
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.0.scheme
    }

    pub(crate) fn host(&self) -> &Host<String> {
        &self.0.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port
    }

    pub(crate) fn server_name(&self) -> ServerName<'static> {
        self.0.server_name.clone()
    }

    pub(crate) fn authority(&self) -> &HeaderValue {
        &self.0.authority
    }

    pub(crate) fn path(&self) -> &Uri {
        &self.0.path
    }

    pub(crate) fn whole(&self) -> &Uri {
        &self.0.whole
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.whole, f)
    }
}
