//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::ops::DerefMut;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;
use tracing::{debug, warn};

use super::Peer;
use super::activity::{Activity, Due, FIRST_REQUEST_WAIT, Protocol};
use super::body::{Answer, arriving};
use super::bounds::Bounds;
use super::certificate::ClientCertificate;
use super::gateway::Gateway;
use super::tls::HTTP_2;
use super::wire::{Stream, Wire};
use crate::metrics::Connections;

/// What all connections of a listener share.
pub(super) struct House {
    pub(super) router: Router,
    pub(super) bounds: Arc<Bounds>,
    pub(super) gateway: Option<Gateway>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) connections: Connections,
}

/// A connection as it was taken.
pub(super) struct Connection {
    pub(super) tcp: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Arc<ServerConfig>>,
}

impl Connection {
    pub(super) async fn serve(self, house: Arc<House>) {
        let address = self.address;
        // On the heap, or its room would be kept for as long as the connection.
        let Some((stream, protocol, certificate)) = Box::pin(self.secured(&house)).await else {
            return;
        };
        let peer = Peer {
            address,
            certificate,
        };
        let activity = Activity::new(Arc::clone(&house.bounds), protocol, Instant::now());
        let wire = TokioIo::new(Wire::new(stream, Arc::clone(&activity)));
        let served = Served {
            from_gateway: (house.gateway.as_ref()).is_some_and(|it| it.is_at(address.ip())),
            house: Arc::clone(&house),
            peer,
            activity: Arc::clone(&activity),
        };
        let service = service_fn(move |request| served.answer(request));
        match protocol {
            Protocol::Http1 => {
                let connection = pin!(house.http1().serve_connection(wire, service));
                watch(connection, &activity, &house.stop, address).await;
            }
            Protocol::Http2 => {
                // On the heap, for it is twice as large as the other, which is the common one.
                let connection = Box::pin(house.http2().serve_connection(wire, service));
                watch(connection, &activity, &house.stop, address).await;
            }
        }
    }

    /// After the handshake, if there is one. A shutdown waits for it as long as for a first request, which TLS 1.3 sends at the
    /// end of it.
    async fn secured(
        self,
        house: &House,
    ) -> Option<(Stream, Protocol, Option<Arc<ClientCertificate>>)> {
        let Some(config) = self.tls else {
            return Some((Stream::Plain(self.tcp), Protocol::Http1, None));
        };
        let handshake = TlsAcceptor::from(config).accept(self.tcp);
        let limited = timeout(house.bounds.handshake_timeout, handshake);
        let address = self.address;
        let shut = async {
            house.stop.cancelled().await;
            sleep(FIRST_REQUEST_WAIT).await;
        };
        let shaken = tokio::select! {
            shaken = limited => shaken,
            () = shut => return None,
        };
        let tls = match shaken {
            Ok(Ok(tls)) => Box::new(tls),
            Ok(Err(error)) => {
                house.connections.handshake_failed();
                debug!(%address, "a handshake failed: {error}");
                return None;
            }
            Err(_) => {
                house.connections.handshake_failed();
                debug!(%address, "a handshake took too long");
                return None;
            }
        };
        let protocol = match tls.get_ref().1.alpn_protocol() {
            Some(HTTP_2) => Protocol::Http2,
            _ => Protocol::Http1,
        };
        let certificate = proven(&tls, address);
        Some((Stream::Tls(tls), protocol, certificate))
    }
}

impl House {
    fn http1(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            // The watcher knows idleness from slowness; hyper's one timer does not.
            .header_read_timeout(None)
            .half_close(false)
            .max_headers(self.bounds.headers_max)
            .max_header_size(self.bounds.head_bytes_max as usize)
            .max_buf_size(self.bounds.head_bytes_max as usize)
            // Pieces of an answer stay pieces, which know when they were written.
            .writev(true);
        builder
    }

    fn http2(&self) -> http2::Builder<Spawner> {
        let mut builder = http2::Builder::new(Spawner(self.tasks.clone()));
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.bounds.streams_max)
            .max_header_list_size(self.bounds.head_bytes_max)
            .header_table_size(HEADER_TABLE_BYTES)
            .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
            .max_local_error_reset_streams(RESETS_OURS_MAX)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT);
        builder
    }
}

/// What is done with each request of a connection.
struct Served {
    house: Arc<House>,
    peer: Peer,
    from_gateway: bool,
    activity: Arc<Activity>,
}

impl Served {
    /// Only what must outlive this call is kept in the future, for thousands of them wait.
    fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Answer>, Infallible>> + use<> {
        let ticket = self.activity.begin();
        let peer = self.peer_of(&mut request);
        request.extensions_mut().insert(peer);
        let pace = self.house.bounds.body_pace;
        let is_http2 = request.version() == Version::HTTP_2;
        let is_last = !is_http2 && self.house.stop.is_cancelled();
        let (head, body) = request.into_parts();
        let (body, unread) = arriving(body, pace);
        let unread = unread.filter(|_| is_http2);
        let request = Request::from_parts(head, body);
        // A router is always ready.
        let routing = self.house.router.clone().call(request);
        async move {
            let Ok(mut response) = routing.await;
            if is_last {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            if let Some(unread) = unread {
                Box::pin(unread.discard()).await;
            }
            Ok(response.map(|body| Answer::new(body, ticket)))
        }
    }

    /// Who sent this request: from a gateway, by its header alone.
    fn peer_of(&self, request: &mut Request<Incoming>) -> Peer {
        let mut peer = self.peer.clone();
        let Some(gateway) = &self.house.gateway else {
            return peer;
        };
        if self.from_gateway {
            let named = gateway.certificate(request.headers()).unwrap_or_else(|why| {
                warn!(address = %peer.address, "a gateway's header {} is ignored: {why}", gateway.header);
                None
            });
            peer.certificate = named.map(Arc::new);
        }
        gateway.strip(request.headers_mut());
        peer
    }
}

/// Drives a connection, and ends it when something is due that did not happen.
async fn watch<C>(
    mut connection: Pin<impl DerefMut<Target = C>>,
    activity: &Activity,
    stop: &CancellationToken,
    address: SocketAddr,
) where
    C: GracefulConnection<Error = hyper::Error>,
{
    let mut stopped = pin!(stop.cancelled());
    let (first, _) = activity.due();
    let mut alarm = pin!(sleep_until(first));
    let mut leaving = false;
    poll_fn(|cx| {
        loop {
            // Before a request has come, the end is put off for a moment: hyper would close on what is on its way.
            if !leaving && stopped.as_mut().poll(cx).is_ready() && activity.may_end() {
                leaving = true;
                activity.leave();
                connection.as_mut().graceful_shutdown();
            }
            if let Poll::Ready(end) = connection.as_mut().poll(cx) {
                if let Err(error) = end {
                    debug!(%address, "a connection ended: {error}");
                }
                return Poll::Ready(());
            }
            if !leaving && stop.is_cancelled() && activity.may_end() {
                continue;
            }
            let (by, due) = activity.due();
            // Later is no reason to set the alarm anew: it looks when it rings.
            if by < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(by);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            match due {
                _ if Instant::now() < by => {}
                Due::Look => {}
                Due::Leave => {
                    leaving = true;
                    activity.leave();
                    connection.as_mut().graceful_shutdown();
                }
                Due::Cut(reason) => {
                    debug!(%address, ?reason, "a connection is cut");
                    return Poll::Ready(());
                }
            }
        }
    })
    .await;
}

/// The certificate that the client proved to have.
fn proven(tls: &TlsStream<TcpStream>, address: SocketAddr) -> Option<Arc<ClientCertificate>> {
    let leaf = tls.get_ref().1.peer_certificates()?.first()?;
    match ClientCertificate::from_der(leaf) {
        Ok(certificate) => Some(Arc::new(certificate)),
        Err(error) => {
            warn!(%address, "a client's certificate is ignored: {error}");
            None
        }
    }
}

/// hyper's own tasks, one for each HTTP/2 stream, are tracked like all others.
#[derive(Clone)]
struct Spawner(TaskTracker);

impl<F> Executor<F> for Spawner
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// What HPACK remembers for a connection; our clients repeat few fields.
const HEADER_TABLE_BYTES: u32 = 4 * 1024;

/// Streams opened and reset before we looked (CVE-2023-44487); more is an attack.
const RESETS_PENDING_MAX: usize = 20;

/// Streams that we had to reset for errors of the client; more is an attack.
const RESETS_OURS_MAX: usize = 128;

/// What may arrive of one body before a handler reads it. Bodies are mostly smaller.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;

/// The same for all bodies of a connection, which bounds what unread bodies hold.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// HTTP/2 connections of a vanished client are found out, and gateways' idle timers are kept from firing under a poll.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// A round trip, generously.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
