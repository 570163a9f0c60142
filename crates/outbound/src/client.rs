//! Sending: on a kept connection if there is one, else on a new one, all within limits.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use oyez_domain::address::Policy;
use oyez_domain::ledger::push::Peer;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::connection::{Connection, Sender, Unanswered};
use crate::error::{Class, Error, Fault, Sent, Trail};
use crate::exchange::{self, Body, Ending, Left, Request, Response};
use crate::pool::Pool;
use crate::proxy::Proxy;
use crate::resolver::Resolve;
use crate::target::Target;
use crate::tls::Tls;

/// One way of reaching a class of peers. Dropped, it lets its connections go.
pub struct Client {
    setup: Setup,
    resolver: Arc<dyn Resolve>,
    /// Places for lookups, those that were left behind included.
    lookups: Arc<Semaphore>,
    tracker: TaskTracker,
    pool: Pool,
}

/// How peers are reached.
#[derive(Clone)]
pub struct Setup {
    /// Who is believed, and who we are.
    pub tls: Tls,
    /// Where connections may go.
    pub addresses: Policy,
    /// Whether TLS may be left out.
    pub plain_http: PlainHttp,
    /// The way out, if there is only one.
    pub proxy: Option<Proxy>,
    /// What is bounded, and by how much.
    pub limits: Limits,
}

/// Whether TLS may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// Never.
    Refused,
    /// On this machine alone, for an introspection endpoint beside us. It never goes through a proxy.
    OnLoopback,
}

/// What is bounded, and by how much (D-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the name to a secured connection.
    pub connect: Duration,
    /// From the call to the last byte of the answer.
    pub total: Duration,
    /// How many names are looked up at once, those included that nobody waits for any more.
    pub lookups_max: usize,
    /// How long a connection is kept without use.
    pub idle: Duration,
    /// How much of a body is read.
    pub body_bytes_max: usize,
    /// How many unused connections are kept to one origin.
    pub kept_per_origin_max: usize,
    /// How many are kept in all.
    pub kept_max: usize,
}

/// What a limit of time cut off.
#[derive(Debug, thiserror::Error)]
#[error("{what} took longer than {limit:?}")]
struct TooSlow {
    what: &'static str,
    limit: Duration,
}

impl Client {
    /// The tasks that move the bytes of connections are spawned on `tracker`; those of kept connections end with the client.
    pub fn new(setup: Setup, resolver: Arc<dyn Resolve>, tracker: TaskTracker) -> Self {
        Self {
            lookups: Arc::new(Semaphore::new(setup.limits.lookups_max)),
            setup,
            resolver,
            tracker,
            pool: Pool::default(),
        }
    }

    /// Sends a request and reads the answer.
    ///
    /// A kept connection that turns out to be closed is no failure of the other side: the request is sent once more on a new
    /// one, within the same limits, even if some of it may have been seen. Whoever calls must be able to bear a repetition,
    /// as pushes, key sets and introspection do. Nothing else is tried again.
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        let limits = &self.setup.limits;
        let deadline = Instant::now() + limits.total;
        let mut trail = Trail::default();
        let answered = timeout_at(deadline, self.head(request, deadline, &mut trail)).await;
        let (held, answer) = match answered {
            Ok(Ok(answered)) => answered,
            Ok(Err(fault)) => return Err(fault.on(trail)),
            Err(_) => return Err(too_slow("the answer", limits.total).on(trail)),
        };
        let (head, incoming) = answer.into_parts();
        let mut bytes = Vec::new();
        let reading = exchange::read(incoming, &mut bytes, limits.body_bytes_max);
        let ending = match timeout_at(deadline, reading).await {
            Ok(Ok(())) => {
                held.give_back();
                Ending::Complete
            }
            Ok(Err(Left::TooLong)) => {
                held.abandon_answer();
                Ending::TooLong
            }
            Ok(Err(Left::Broken(fault))) => Ending::Broken(fault.on(trail.clone())),
            Err(_) => Ending::Broken(too_slow("the body", limits.total).on(trail.clone())),
        };
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body: Body { bytes, ending },
            peer: trail.peer,
        })
    }

    async fn head<'a>(
        &'a self,
        request: &'a Request,
        deadline: Instant,
        trail: &mut Trail,
    ) -> Result<(Held<'a>, hyper::Response<Incoming>), Fault> {
        let target = &request.target;
        while let Some(connection) = self.pool.take(target.origin(), &self.setup.limits) {
            let mut held = self.hold(target, connection);
            if !held.is_ready().await {
                continue;
            }
            match held.send(request, trail).await {
                Ok(answer) => return Ok((held, answer)),
                Err(Unanswered::Unsent(_)) => {}
                Err(Unanswered::Broken(error)) if error.is_parse() => {
                    return Err(Fault::of_exchange(error));
                }
                Err(Unanswered::Broken(_)) => break,
            }
        }
        let mut held = self.connect(target, deadline, trail).await?;
        match held.send(request, trail).await {
            Ok(answer) => Ok((held, answer)),
            Err(Unanswered::Unsent(error) | Unanswered::Broken(error)) => {
                Err(Fault::of_exchange(error))
            }
        }
    }

    async fn connect<'a>(
        &'a self,
        target: &'a Target,
        deadline: Instant,
        trail: &mut Trail,
    ) -> Result<Held<'a>, Fault> {
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        let limit = self.setup.limits.connect.min(left);
        let deadline = now + limit;
        trail.peer = Peer::default();
        let sender = timeout_at(deadline, self.open(target, deadline, trail))
            .await
            .unwrap_or_else(|_| Err(too_slow("connecting", limit)))?;
        let connection = Connection {
            number: self.pool.number(),
            sender,
            peer: trail.peer.clone(),
            used_at: Instant::now(),
        };
        if let Some(shared) = connection.shared() {
            self.pool.keep(target.origin(), shared, &self.setup.limits);
        }
        Ok(self.hold(target, connection))
    }

    fn hold<'a>(&'a self, target: &'a Target, connection: Connection) -> Held<'a> {
        Held {
            client: self,
            origin: target.origin(),
            connection: Some(connection),
        }
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Asks for the addresses of a name. Whoever asked may go away: the lookup keeps its place until the resolver lets go of
    /// it, so that a name whose servers never answer costs no more than these places, however often it is asked for.
    pub(crate) async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let place = Arc::clone(&self.lookups).acquire_owned().await;
        let place = place.expect("nobody closes it");
        let (resolver, name) = (Arc::clone(&self.resolver), name.to_owned());
        let lookup = self.tracker.spawn(async move {
            let found = resolver.resolve(&name).await;
            drop(place);
            found
        });
        lookup.await.unwrap_or_else(|error| Err(error.into()))
    }

    pub(crate) fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }
}

/// A connection in use. Dropped without a word (the request failed, or its caller went away), it is not used again.
struct Held<'a> {
    client: &'a Client,
    origin: &'a Arc<str>,
    connection: Option<Connection>,
}

impl Held<'_> {
    async fn is_ready(&mut self) -> bool {
        let connection = self.connection.as_mut().expect(HELD);
        connection.sender.is_ready().await
    }

    async fn send(
        &mut self,
        request: &Request,
        trail: &mut Trail,
    ) -> Result<hyper::Response<Incoming>, Unanswered> {
        let connection = self.connection.as_mut().expect(HELD);
        trail.peer = connection.peer.clone();
        let sent_before = trail.sent;
        // Beforehand, for the limit of time may cut off what follows.
        trail.sent = Sent::Perhaps;
        let answer = connection.sender.send(request).await;
        if let Err(Unanswered::Unsent(_)) = answer {
            trail.sent = sent_before;
        }
        answer
    }

    /// The answer was read to its end.
    fn give_back(mut self) {
        let connection = self.connection.take().expect(HELD);
        if let Sender::Http1(_) = connection.sender {
            let connection = Connection {
                used_at: Instant::now(),
                ..connection
            };
            let limits = &self.client.setup.limits;
            self.client.pool.keep(self.origin, connection, limits);
        }
    }

    /// The rest of the answer is not wanted: HTTP/2 can say so, HTTP/1.1 only by closing.
    fn abandon_answer(mut self) {
        drop(self.connection.take());
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(Connection { number, .. }) = self.connection.take() {
            self.client.pool.forget(self.origin, number);
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: CONNECT,
            total: TOTAL,
            lookups_max: LOOKUPS_MAX,
            idle: IDLE,
            body_bytes_max: BODY_BYTES_MAX,
            kept_per_origin_max: KEPT_PER_ORIGIN_MAX,
            kept_max: KEPT_MAX,
        }
    }
}

fn too_slow(what: &'static str, limit: Duration) -> Fault {
    Fault::new(Class::Timeout, TooSlow { what, limit })
}

const HELD: &str = "a connection is held until it is given back, which consumes the holder";

/// Across the world and a TLS handshake take less than one second.
const CONNECT: Duration = Duration::from_secs(3);
/// Those who answer before they work are done long before.
const TOTAL: Duration = Duration::from_secs(10);
/// Common servers and load balancers close after 60 seconds or more: better that we are first.
const IDLE: Duration = Duration::from_secs(55);
/// An acknowledgement has no body, an error fits on a page (D-11).
const BODY_BYTES_MAX: usize = 16 * 1_024;
/// As many as push at once to an endpoint.
const KEPT_PER_ORIGIN_MAX: usize = 8;
/// Each may be a thread of the runtime's blocking pool (see `SystemResolver`), which has 512 that all share.
const LOOKUPS_MAX: usize = 32;
/// Well below the usual limit of 1,024 open files that a process starts with; each keeps about 40 KiB.
const KEPT_MAX: usize = 512;
