//! An HTTPS server that behaves as it is told: a token server, a host of key sets, an introspection endpoint.
//!
//! It writes its answers by hand, so that they can be anything.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::certificates::Certified;

/// What a request is answered with.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// As it should be.
    Answer {
        /// 200, 503.
        status: u16,
        /// Beside `content-length`: name and value.
        headers: Vec<(String, String)>,
        /// Sent in one piece.
        body: Vec<u8>,
    },
    /// The same, but not before so much time has passed.
    Late(Duration, Box<Self>),
    /// These bytes, which need not be HTTP, and the end.
    Garbage(Vec<u8>),
    /// A good head, and a body that never ends.
    Endless,
    /// Nothing, until the client gives up.
    Silence,
    /// The connection ends.
    HangUp,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `POST`.
    pub method: String,
    /// With its query.
    pub path: String,
    /// From the first line to the empty one.
    pub head: String,
    /// As long as `content-length` says.
    pub body: Vec<u8>,
}

/// The server. Dropped, it is gone: connections are refused.
pub struct Endpoint {
    address: SocketAddr,
    state: Arc<State>,
    gone: CancellationToken,
}

struct State {
    script: Mutex<HashMap<String, Behaviour>>,
    seen: watch::Sender<Vec<Seen>>,
}

impl Behaviour {
    /// 200 with this JSON.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::Answer {
            status: 200,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.into(),
        }
    }

    /// A status and nothing else.
    pub fn status(status: u16) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }
}

impl Endpoint {
    /// On a port of its own; every path is 404 until it is told otherwise.
    pub async fn start(certified: &Certified) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Mutex::default(),
            seen: watch::Sender::new(Vec::new()),
        });
        let gone = CancellationToken::new();
        let acceptor = TlsAcceptor::from(Arc::new(certified.server_config()));
        let serving = serve(listener, acceptor, Arc::clone(&state), gone.clone());
        TaskTracker::new().spawn(gone.clone().run_until_cancelled_owned(serving));
        Self {
            address,
            state,
            gone,
        }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a path is.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// From now on, requests to this path (without its query) are answered so.
    pub fn behave(&self, path: &str, behaviour: Behaviour) {
        self.state.script().insert(path.to_owned(), behaviour);
    }

    /// What came so far, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.borrow().clone()
    }

    /// How many requests came to this path.
    pub fn count(&self, path: &str) -> usize {
        let seen = self.state.seen.borrow();
        seen.iter().filter(|it| bare(&it.path) == path).count()
    }

    /// Returns when so many requests have come to this path.
    pub async fn until_count(&self, path: &str, requests: usize) {
        let mut seen = self.state.seen.subscribe();
        let enough =
            |seen: &Vec<Seen>| seen.iter().filter(|it| bare(&it.path) == path).count() >= requests;
        seen.wait_for(enough).await.unwrap();
    }
}

impl Seen {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut headers = lines.filter_map(|line| line.split_once(": "));
        let (_, value) = headers.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

impl State {
    fn script(&self) -> MutexGuard<'_, HashMap<String, Behaviour>> {
        self.script.lock().unwrap()
    }

    fn behaviour(&self, path: &str) -> Behaviour {
        let script = self.script();
        script
            .get(bare(path))
            .cloned()
            .unwrap_or(Behaviour::status(404))
    }
}

async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    state: Arc<State>,
    gone: CancellationToken,
) {
    let tracker = TaskTracker::new();
    while let Ok((tcp, _)) = listener.accept().await {
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        let conversation = async move {
            // A client that turns its back on the handshake is what some tests are about.
            if let Ok(stream) = acceptor.accept(tcp).await {
                converse(stream, &state).await;
            }
        };
        tracker.spawn(gone.clone().run_until_cancelled_owned(conversation));
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, state: &State) {
    while let Some(seen) = read_request(&mut stream).await {
        let behaviour = state.behaviour(&seen.path);
        state.seen.send_modify(|all| all.push(seen));
        if !act(&mut stream, behaviour).await {
            return;
        }
    }
}

/// Whether the conversation goes on.
async fn act<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, behaviour: Behaviour) -> bool {
    match behaviour {
        Behaviour::Answer {
            status,
            headers,
            body,
        } => {
            let mut answer = format!(
                "HTTP/1.1 {status} Told\r\ncontent-length: {}\r\n",
                body.len()
            );
            for (name, value) in headers {
                answer.push_str(&format!("{name}: {value}\r\n"));
            }
            answer.push_str("\r\n");
            say(stream, &[answer.as_bytes(), &body].concat()).await
        }
        Behaviour::Late(pause, then) => {
            tokio::time::sleep(pause).await;
            Box::pin(act(stream, *then)).await
        }
        Behaviour::Garbage(bytes) => {
            say(stream, &bytes).await;
            false
        }
        Behaviour::Endless => {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let mut goes_on = say(stream, head).await;
            while goes_on {
                goes_on = say(stream, b"8\r\n        \r\n").await;
            }
            false
        }
        Behaviour::Silence => {
            // Until the client goes.
            drop(stream.read(&mut [0; 64]).await);
            false
        }
        Behaviour::HangUp => false,
    }
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> bool {
    stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok()
}

/// Head and body of a request, if there is one more.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut line = head.split(' ').map(str::to_owned);
        let seen = Seen {
            method: line.next()?,
            path: line.next()?,
            body: bytes.split_off(end + 4),
            head,
        };
        let length = seen.header("content-length");
        if seen.body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return Some(seen);
        }
        bytes.extend_from_slice(&seen.body);
    }
}

fn bare(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}
