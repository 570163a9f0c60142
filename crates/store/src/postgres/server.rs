//! Where the database is, as whom it is asked, and how the connection is secured.
//!
//! Several hosts may be named: the first that takes writes is used, so that a standby that was promoted is found by itself.
//! TLS comes in from outside, as [`Secure`]: this crate knows no certificates.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::config::{Config, Host, SslMode, TargetSessionAttrs};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

/// A database server, or several of which one takes writes. It has no `Debug`: there is a password in it.
#[derive(Clone)]
pub struct Server {
    pub(super) config: Config,
    pub(super) secure: Option<Arc<dyn Secure>>,
    /// Where nodes listen to each other, if it is elsewhere.
    pub(super) listening: Option<Box<Self>>,
    /// A standby that lists are read from.
    pub(super) replica: Option<Box<Self>>,
}

/// What is not the address of a database.
#[derive(Debug, Clone, thiserror::Error)]
#[error("not a PostgreSQL connection string: {0}")]
pub struct BadAddress(String);

/// Makes a connection to a host secure, or refuses to: who is believed is its business.
pub trait Secure: Send + Sync + 'static {
    /// Speaks TLS on a fresh connection.
    fn secure(&self, host: &str, socket: Wire) -> Pin<Box<dyn Future<Output = Secured> + Send>>;
}

/// A connection that is secured by now, or why not.
pub type Secured = io::Result<Box<dyn Duplex>>;

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// A connection before it is secured.
pub type Wire = Box<dyn Duplex>;

impl Server {
    /// From `postgresql://user@host:port,host:port/database` or words such as `host=… user=…`. What the string says of TLS
    /// modes is not followed: [`Server::secured_by`] decides.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let mut config: Config = text.parse().map_err(|error: tokio_postgres::Error| {
            // The driver's own words are "invalid connection string"; the cause says which part.
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            BadAddress(cause.unwrap_or_else(|| error.to_string()))
        })?;
        if config.get_hosts().is_empty() {
            return Err(BadAddress("it names no host".to_owned()));
        }
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.ssl_mode(SslMode::Disable);
        config.keepalives_idle(KEEPALIVE_IDLE);
        config.keepalives_interval(KEEPALIVE_INTERVAL);
        config.keepalives_retries(KEEPALIVE_RETRIES);
        config.tcp_user_timeout(SILENT_MAX);
        Ok(Self {
            config,
            secure: None,
            listening: None,
            replica: None,
        })
    }

    /// The same, as another user of the database.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.config.user(user);
        self
    }

    /// The same, with a password.
    #[must_use]
    pub fn password(mut self, password: &[u8]) -> Self {
        self.config.password(password);
        self
    }

    /// The same, another database of it.
    #[must_use]
    pub fn database(mut self, name: &str) -> Self {
        self.config.dbname(name);
        self
    }

    /// The same, over TLS; nothing is sent to a server that refuses it. Sockets of this machine stay as they are.
    #[must_use]
    pub fn secured_by(mut self, secure: Arc<dyn Secure>) -> Self {
        self.config.ssl_mode(SslMode::Require);
        self.secure = Some(secure);
        self
    }

    /// The same, where nodes listen to each other at another address: a pooler stands in between, and carries no LISTEN.
    #[must_use]
    pub fn listening_at(mut self, server: Self) -> Self {
        self.listening = Some(Box::new(server));
        self
    }

    /// The same, where people's lists are read at a standby of it, as long as that follows.
    #[must_use]
    pub fn read_at(mut self, mut server: Self) -> Self {
        // A standby takes no writes; what it is is looked at when it is asked.
        server.config.target_session_attrs(TargetSessionAttrs::Any);
        self.replica = Some(Box::new(server));
        self
    }

    /// Whether anything but a socket of this machine is dialled.
    pub fn is_remote(&self) -> bool {
        let mut hosts = self.config.get_hosts().iter();
        hosts.any(|host| matches!(host, Host::Tcp(_)))
    }

    /// Whether a password stands in the text.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// Whether it names whom it is asked as, or leaves that to the system's name of this process's user.
    pub fn names_user(&self) -> bool {
        self.config.get_user().is_some()
    }

    /// The hosts and the database, for people: no user, no password.
    pub fn shown(&self) -> String {
        let ports = self.config.get_ports();
        let port = |index: usize| ports.get(index).or(ports.first()).copied();
        let hosts = self.config.get_hosts().iter().enumerate();
        let shown: Vec<_> = hosts
            .map(|(index, host)| {
                let name = match host {
                    Host::Tcp(name) => name.clone(),
                    Host::Unix(path) => PathBuf::from(path).display().to_string(),
                };
                format!("{name}:{}", port(index).unwrap_or(DEFAULT_PORT))
            })
            .collect();
        let database = self.config.get_dbname().or(self.config.get_user());
        format!("{}/{}", shown.join(","), database.unwrap_or_default())
    }
}

/// The driver's way of asking for TLS.
#[derive(Clone)]
pub(super) struct Handshake(pub(super) Option<Arc<dyn Secure>>);

/// A handshake with one host.
pub(super) struct HandshakeWith {
    secure: Option<Arc<dyn Secure>>,
    host: String,
}

/// A connection that was secured.
pub(super) struct Private(Box<dyn Duplex>);

impl MakeTlsConnect<Socket> for Handshake {
    type Stream = Private;
    type TlsConnect = HandshakeWith;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<HandshakeWith> {
        Ok(HandshakeWith {
            secure: self.0.clone(),
            host: host.to_owned(),
        })
    }
}

impl TlsConnect<Socket> for HandshakeWith {
    type Stream = Private;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Private>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        let Some(secure) = self.secure else {
            let refusal = io::Error::other("TLS was not set up");
            return Box::pin(std::future::ready(Err(refusal)));
        };
        let secured = secure.secure(&self.host, Box::new(socket));
        Box::pin(async move { secured.await.map(Private) })
    }
}

impl TlsStream for Private {
    /// The server proved its name by its certificate: that is what binding would add to a mere password.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Private {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Private {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Where PostgreSQL listens unless it is told otherwise.
const DEFAULT_PORT: u16 = 5432;

// A host that vanishes without a word, as at a failover, must be noticed within seconds, not within TCP's hours.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_RETRIES: u32 = 3;
const SILENT_MAX: Duration = Duration::from_secs(10);
