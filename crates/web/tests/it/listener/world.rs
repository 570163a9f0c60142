//! A listener that serves a few odd handlers, and clients that work with bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use http_body_util::BodyExt as _;
use oyez_web::listener::{BodyTooSlow, Bounds, Gateway, Listener, Peer, Tls};
use oyez_web::metrics::{self, Levels, Metrics};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: JoinHandle<()>,
    pub(crate) tls: watch::Sender<Arc<Tls>>,
    /// What the handlers hold.
    pub(crate) held: watch::Sender<usize>,
    /// Permits for `/gate`.
    pub(crate) gate: Arc<Semaphore>,
    pub(crate) metrics: Metrics,
    _runs: tokio_util::sync::DropGuard,
}

pub(crate) struct Setup {
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) gateway: Option<Gateway>,
    pub(crate) bounds: Bounds,
}

/// Nothing that a test waits for takes this long unless it never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A bound that is tested.
pub(crate) const BLINK: Duration = Duration::from_millis(150);

impl World {
    pub(crate) async fn plain(bounds: Bounds) -> Self {
        Self::new(Setup {
            tls: None,
            gateway: None,
            bounds,
        })
        .await
    }

    pub(crate) async fn secure(tls: Arc<Tls>, bounds: Bounds) -> Self {
        Self::new(Setup {
            tls: Some(tls),
            gateway: None,
            bounds,
        })
        .await
    }

    pub(crate) async fn new(setup: Setup) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (tls, receiver) = match setup.tls {
            Some(tls) => {
                let (sender, receiver) = watch::channel(tls);
                (sender, Some(receiver))
            }
            None => (watch::channel(never_used()).0, None),
        };
        let held = watch::Sender::new(0);
        let gate = Arc::new(Semaphore::new(0));
        let stop = CancellationToken::new();
        let metrics = Metrics::default();
        let listener = Listener {
            socket,
            tls: receiver,
            gateway: setup.gateway,
            bounds: setup.bounds,
            connections: metrics.connections(metrics::Listener::Tpp),
        };
        let router = router(held.clone(), Arc::clone(&gate));
        let tasks = TaskTracker::new();
        let serving = tasks.spawn(listener.serve(router, stop.clone(), tasks.clone()));
        Self {
            address,
            stop: stop.clone(),
            serving,
            tls,
            held,
            gate,
            metrics,
            _runs: stop.drop_guard(),
        }
    }

    /// Whether this is counted now: `connections`, and how many.
    pub(crate) fn counts(&self, name: &str, value: usize) -> bool {
        let line = format!("oyez_{name}{{listener=\"tpp\"}} {value}");
        self.metrics
            .text(&Levels::default())
            .lines()
            .any(|found| found == line)
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Until the handlers hold so many things.
    pub(crate) async fn holds(&self, number: usize) {
        let mut held = self.held.subscribe();
        let waiting = held.wait_for(|held| *held == number);
        timeout(PATIENCE, waiting)
            .await
            .expect("the number is reached")
            .unwrap();
    }

    /// Somebody else is served at this moment.
    pub(crate) async fn serves_others(&self) {
        let answer = ask(&mut self.connect().await, "GET /who HTTP/1.1").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

/// A request without a body and with `Connection: close`, and all that comes back.
pub(crate) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, line: &str) -> String {
    send(
        stream,
        &format!("{line}\r\nHost: x\r\nConnection: close\r\n\r\n"),
    )
    .await;
    rest(stream).await
}

/// The same on a connection that stays open: up to the end of an answer whose body is shorter than a read.
pub(crate) async fn ask_kept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    line: &str,
) -> String {
    send(stream, &format!("{line}\r\nHost: x\r\n\r\n")).await;
    one(stream).await
}

pub(crate) async fn send<S: AsyncWrite + Unpin>(stream: &mut S, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}

/// All that comes until the server closes, in whatever way.
pub(crate) async fn rest<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut all = Vec::new();
    let reading = stream.read_to_end(&mut all);
    // A reset is an end like any other.
    drop(timeout(PATIENCE, reading).await.expect("the server closes"));
    String::from_utf8_lossy(&all).into_owned()
}

/// One answer with a Content-Length.
pub(crate) async fn one<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let reading = async {
        let mut all = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&all).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    return text;
                }
            }
            let mut byte = [0; 1024];
            match stream.read(&mut byte).await.unwrap() {
                0 => panic!("the server closed after {text:?}"),
                count => all.extend_from_slice(&byte[..count]),
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("an answer")
}

#[derive(Clone)]
struct Things {
    held: watch::Sender<usize>,
    gate: Arc<Semaphore>,
}

/// Counts as held until it is dropped.
struct Held(watch::Sender<usize>);

impl Held {
    fn new(held: &watch::Sender<usize>) -> Self {
        held.send_modify(|held| *held += 1);
        Self(held.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.send_modify(|held| *held -= 1);
    }
}

/// Zeros that count as held.
struct Zeros(#[expect(dead_code, reason = "dropped with the bytes")] Held);

impl AsRef<[u8]> for Zeros {
    fn as_ref(&self) -> &[u8] {
        static ZEROS: [u8; 64 << 20] = [0; 64 << 20];
        &ZEROS
    }
}

fn router(held: watch::Sender<usize>, gate: Arc<Semaphore>) -> Router {
    Router::new()
        .route("/who", get(who))
        .route("/wait", get(wait).post(wait))
        .route("/gate", get(through_gate))
        .route("/zeros", get(zeros))
        .route("/read", post(read))
        .route("/refuse", post(async || StatusCode::PAYLOAD_TOO_LARGE))
        .with_state(Things { held, gate })
}

async fn who(Extension(peer): Extension<Peer>, headers: HeaderMap) -> String {
    let name = peer.certificate.map_or_else(
        || "nobody".to_owned(),
        |certificate| certificate.thumbprint.clone(),
    );
    let header = headers.contains_key("x-cert");
    format!("{name} at {} header {header}", peer.address.ip())
}

async fn wait(State(things): State<Things>, _body: Bytes) {
    let _held = Held::new(&things.held);
    std::future::pending::<()>().await;
}

async fn through_gate(State(things): State<Things>) -> &'static str {
    let _held = Held::new(&things.held);
    things.gate.acquire().await.unwrap().forget();
    "through"
}

async fn zeros(State(things): State<Things>) -> Bytes {
    Bytes::from_owner(Zeros(Held::new(&things.held)))
}

async fn read(body: Body) -> Result<String, (StatusCode, String)> {
    match body.collect().await {
        Ok(all) => Ok(all.to_bytes().len().to_string()),
        Err(error) => {
            let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
            while let Some(one) = cause {
                if one.is::<BodyTooSlow>() {
                    return Err((StatusCode::REQUEST_TIMEOUT, one.to_string()));
                }
                cause = one.source();
            }
            Err((StatusCode::BAD_REQUEST, error.to_string()))
        }
    }
}

/// For a listener without TLS.
fn never_used() -> Arc<Tls> {
    let authority = super::certificates::Authority::new();
    authority.tls(&authority.certify("unused"))
}
