//! From a port to a connection that speaks HTTP, or never does.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Came, State, http1, http2};
use crate::certificates::Certified;

/// How a new connection is greeted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// TLS 1.3 or 1.2, then HTTP/1.1.
    Tls,
    /// The same, and HTTP/2 for clients that offer it.
    TlsAndHttp2,
    /// TLS 1.2 and no newer. The certificate must be RSA, or our clients find no common suite.
    Tls12,
    /// TLS 1.1: its first answer, which is as far as a client that refuses it listens.
    Tls11,
    /// No TLS: HTTP in the clear.
    Plain,
    /// Nothing is said, until the client gives up.
    Silence,
    /// The connection is reset.
    Reset,
}

/// What a new connection finds.
pub(super) struct Front {
    pub(super) greeting: Greeting,
    pub(super) certified: Certified,
    /// Who may come, if not everybody.
    pub(super) clients: Option<Arc<RootCertStore>>,
}

impl Front {
    pub(super) fn new(certified: &Certified) -> Self {
        Self {
            greeting: Greeting::Tls,
            certified: certified.clone(),
            clients: None,
        }
    }

    fn acceptor(&self) -> TlsAcceptor {
        let versions: &[_] = match self.greeting {
            Greeting::Tls12 => &[&TLS12],
            _ => &[&TLS13, &TLS12],
        };
        let mut config = self
            .certified
            .server_config(versions, self.clients.as_ref());
        if self.greeting == Greeting::TlsAndHttp2 {
            config.alpn_protocols = vec![http2::NAME.to_vec(), b"http/1.1".to_vec()];
        }
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A port that is its own, listened at or not: connections to a socket that does not listen are refused.
pub(super) enum Door {
    Open {
        shut: CancellationToken,
        ended: JoinHandle<Option<()>>,
    },
    Closed(TcpSocket),
}

impl Door {
    /// On any port.
    pub(super) fn closed() -> (Self, SocketAddr) {
        let socket = bound(SocketAddr::from(([127, 0, 0, 1], 0)));
        let address = socket.local_addr().unwrap();
        (Self::Closed(socket), address)
    }

    pub(super) fn opened(self, state: &Arc<State>, gone: &CancellationToken) -> Self {
        let Self::Closed(socket) = self else {
            return self;
        };
        let listener = socket.listen(BACKLOG).unwrap();
        let shut = gone.child_token();
        let accepting = accept(listener, Arc::clone(state));
        let accepting = shut.clone().run_until_cancelled_owned(accepting);
        Self::Open {
            shut,
            ended: TaskTracker::new().spawn(accepting),
        }
    }

    pub(super) async fn shut(self, address: SocketAddr) -> Self {
        if let Self::Open { shut, ended } = self {
            shut.cancel();
            // A port is free to be bound when nobody listens there any more.
            ended.await.unwrap();
            return Self::Closed(bound(address));
        }
        self
    }
}

fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let tracker = TaskTracker::new();
    while let Ok((tcp, _)) = listener.accept().await {
        let mut number = 0;
        state.log.send_modify(|log| {
            log.connections += 1;
            log.open += 1;
            number = log.connections;
        });
        let open = Open(Arc::clone(&state));
        let cut = state.cut.lock().unwrap().clone();
        tracker.spawn(async move {
            cut.run_until_cancelled_owned(Box::pin(greet(tcp, number, &open.0)))
                .await;
        });
    }
}

/// A connection that is open; dropped, it is closed.
struct Open(Arc<State>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.log.send_modify(|log| log.open -= 1);
    }
}

async fn greet(tcp: TcpStream, connection: u64, state: &Arc<State>) {
    drop(tcp.set_nodelay(true));
    let (greeting, acceptor) = {
        let front = state.front();
        (front.greeting, front.acceptor())
    };
    match greeting {
        Greeting::Tls | Greeting::Tls12 | Greeting::TlsAndHttp2 => {
            // A client that turns its back on the handshake is what some tests are about.
            if let Ok(stream) = acceptor.accept(tcp).await {
                secured(stream, connection, state).await;
            }
        }
        Greeting::Plain => in_the_clear(tcp, connection, state).await,
        Greeting::Tls11 => answer_in_tls_1_1(tcp).await,
        Greeting::Silence => until_closed(tcp).await,
        Greeting::Reset => drop(tcp.set_zero_linger()),
    }
}

/// A client that speaks TLS is told in the clear that this is no request, as common servers do.
async fn in_the_clear(mut tcp: TcpStream, connection: u64, state: &Arc<State>) {
    let mut first = [0];
    if tcp.peek(&mut first).await.is_ok() && first == HANDSHAKE {
        let told = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n";
        drop(tcp.write_all(told).await);
        return until_closed(tcp).await;
    }
    http1::converse(tcp, Line::new(connection, None), state).await;
}

async fn secured(stream: TlsStream<TcpStream>, connection: u64, state: &Arc<State>) {
    let (_, session) = stream.get_ref();
    let line = Line::new(connection, session.protocol_version());
    if session.alpn_protocol() == Some(http2::NAME) {
        http2::converse(stream, line, state).await;
    } else {
        http1::converse(stream, line, state).await;
    }
}

/// Our own TLS speaks nothing so old, so this is written by hand: a ServerHello that chooses version 3.2, with 32 random
/// bytes, no session, ECDHE-RSA-AES128-SHA and no compression.
async fn answer_in_tls_1_1(mut tcp: TcpStream) {
    let body = [&[3, 2][..], &[7; 32], &[0, 0xc0, 0x13, 0]].concat();
    let length = u8::try_from(body.len()).unwrap();
    let hello = [&[22, 3, 2, 0, length + 4, 2, 0, 0, length][..], &body].concat();
    if tcp.read(&mut [0]).await.is_ok() && tcp.write_all(&hello).await.is_ok() {
        until_closed(tcp).await;
    }
}

async fn until_closed(mut tcp: TcpStream) {
    let mut bytes = [0; 1_024];
    while matches!(tcp.read(&mut bytes).await, Ok(1..)) {}
}

/// What a connection is known by.
#[derive(Clone, Copy)]
pub(super) struct Line {
    connection: u64,
    tls_version: Option<ProtocolVersion>,
}

impl Line {
    const fn new(connection: u64, tls_version: Option<ProtocolVersion>) -> Self {
        Self {
            connection,
            tls_version,
        }
    }

    pub(super) fn came(self) -> Came {
        Came {
            at: Instant::now(),
            connection: self.connection,
            tls_version: self.tls_version,
        }
    }
}

/// A stream that can end with a reset.
pub(super) trait Abort {
    /// What follows is a reset, when it is dropped.
    fn abort(&self);
}

impl Abort for TcpStream {
    fn abort(&self) {
        drop(self.set_zero_linger());
    }
}

impl Abort for TlsStream<TcpStream> {
    fn abort(&self) {
        self.get_ref().0.abort();
    }
}

/// How each message of a handshake begins.
const HANDSHAKE: [u8; 1] = [22];

/// More than any test dials at once.
const BACKLOG: u32 = 1_024;
