//! A server that does what it is told, on a port of its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use crate::certificates::{Authority, Certified};

/// What a request is answered with.
#[derive(Clone)]
pub(crate) enum Act {
    /// These bytes; then the next request.
    Say(&'static str),
    /// These bytes; then the connection is closed.
    SayAndClose(&'static str),
    /// These bytes; then nothing, for ever.
    SayAndHang(&'static str),
    /// These bytes; then more of them without end.
    SayWithoutEnd(&'static str),
}

/// What a server saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// Whole requests, head and body.
    pub(crate) requests: Vec<String>,
    pub(crate) connections: usize,
    /// Handshakes that resumed a session.
    pub(crate) resumed: usize,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    /// Connections that have ended.
    ended: watch::Receiver<usize>,
}

impl Server {
    /// TLS with this certificate; `acts` one after the other, the last for ever.
    pub(crate) async fn start(certified: &Certified, acts: &[Act]) -> Self {
        Self::over(Some(config(certified, rustls::ALL_VERSIONS)), acts).await
    }

    pub(crate) async fn start_tls_1_2(certified: &Certified, acts: &[Act]) -> Self {
        Self::over(Some(config(certified, &[&rustls::version::TLS12])), acts).await
    }

    /// It asks clients for a certificate of this authority.
    pub(crate) async fn start_mutual(
        certified: &Certified,
        authority: &Authority,
        acts: &[Act],
    ) -> Self {
        let config = builder(rustls::ALL_VERSIONS)
            .with_client_cert_verifier(authority.client_verifier())
            .with_single_cert(vec![certified.certificate.clone()], certified.key())
            .unwrap();
        Self::over(Some(config), acts).await
    }

    pub(crate) async fn start_plain(acts: &[Act]) -> Self {
        Self::over(None, acts).await
    }

    async fn over(config: Option<ServerConfig>, acts: &[Act]) -> Self {
        let acceptor = config.map(|config| TlsAcceptor::from(Arc::new(config)));
        let acts = Acts::new(acts);
        Self::serve(move |tcp, seen| {
            let (acceptor, acts) = (acceptor.clone(), acts.clone());
            async move {
                let Some(acceptor) = acceptor else {
                    return converse(tcp, &seen, &acts).await;
                };
                // A client that turns its back on the handshake is what many tests are about.
                if let Ok(stream) = acceptor.accept(tcp).await {
                    seen.lock().unwrap().note(stream.get_ref().1);
                    converse(stream, &seen, &acts).await;
                }
            }
        })
        .await
    }

    /// HTTP/2 with `answer` to everything; a request to `/hang` is never answered.
    pub(crate) async fn start_http2(certified: &Certified, answer: &'static str) -> Self {
        let mut config = config(certified, rustls::ALL_VERSIONS);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::serve(move |tcp, seen| {
            let acceptor = acceptor.clone();
            async move {
                let stream = acceptor.accept(tcp).await.unwrap();
                let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
                    let line = format!("{:?} {}", request.version(), request.uri());
                    seen.lock().unwrap().requests.push(line);
                    async move {
                        if request.uri().path() == "/hang" {
                            std::future::pending::<()>().await;
                        }
                        Ok::<_, std::convert::Infallible>(hyper::Response::new(Full::new(
                            Bytes::from(answer),
                        )))
                    }
                });
                let tasks = Tasks(TaskTracker::new());
                let connection = hyper::server::conn::http2::Builder::new(tasks)
                    .serve_connection(TokioIo::new(stream), service);
                // It ends as its client ends it.
                drop(connection.await);
            }
        })
        .await
    }

    /// Every connection is handled by `handle`.
    pub(crate) async fn serve<H, F>(handle: H) -> Self
    where
        H: Fn(TcpStream, Arc<Mutex<Seen>>) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let tracker = TaskTracker::new();
        let handed = Arc::clone(&seen);
        let (end, ended) = watch::channel(0);
        tracker.clone().spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                handed.lock().unwrap().connections += 1;
                let (conversation, end) = (handle(tcp, Arc::clone(&handed)), end.clone());
                tracker.spawn(async move {
                    conversation.await;
                    end.send_modify(|ended| *ended += 1);
                });
            }
        });
        Self {
            address,
            seen,
            ended,
        }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    pub(crate) fn resumed(&self) -> usize {
        self.seen.lock().unwrap().resumed
    }

    /// Returns when so many connections have ended.
    pub(crate) async fn until_ended(&self, connections: usize) {
        let mut ended = self.ended.clone();
        ended.wait_for(|ended| *ended >= connections).await.unwrap();
    }
}

impl Seen {
    fn note(&mut self, session: &ServerConnection) {
        if session.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
            self.resumed += 1;
        }
    }
}

/// One after the other over all connections, the last for ever.
#[derive(Clone)]
struct Acts(Arc<Mutex<Vec<Act>>>);

impl Acts {
    fn new(acts: &[Act]) -> Self {
        let mut acts = acts.to_vec();
        acts.reverse();
        Self(Arc::new(Mutex::new(acts)))
    }

    fn next(&self) -> Act {
        let mut acts = self.0.lock().unwrap();
        if acts.len() > 1 {
            return acts.pop().unwrap();
        }
        acts[0].clone()
    }
}

async fn converse<S>(mut stream: S, seen: &Mutex<Seen>, acts: &Acts)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(request) = read_request(&mut stream).await {
        seen.lock().unwrap().requests.push(request);
        let said = match acts.next() {
            Act::Say(text) => stream.write_all(text.as_bytes()).await,
            Act::SayAndClose(text) => {
                // Without a farewell of TLS: the connection just ends.
                drop(stream.write_all(text.as_bytes()).await);
                drop(stream.flush().await);
                return;
            }
            Act::SayAndHang(text) => {
                drop(stream.write_all(text.as_bytes()).await);
                drop(stream.flush().await);
                // Until the client gives up.
                drop(stream.read(&mut [0; 64]).await);
                return;
            }
            Act::SayWithoutEnd(text) => loop {
                if stream.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
            },
        };
        if said.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// Head and body of a request, if there is one more.
pub(crate) async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut request = Vec::new();
    loop {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
    }
}

fn builder(
    versions: &[&'static SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
}

fn config(certified: &Certified, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
    builder(versions)
        .with_no_client_auth()
        .with_single_cert(vec![certified.certificate.clone()], certified.key())
        .unwrap()
}

#[derive(Clone)]
struct Tasks(TaskTracker);

impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        drop(self.0.spawn(task));
    }
}
