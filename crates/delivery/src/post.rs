//! SETs over HTTPS: one POST per letter, to the CallbackUrl exactly as registered (D-01).
//!
//! Each TPP has a client of its own, with its own connections, its own TLS sessions where it has its own anchors, and nothing
//! to wait for that another TPP could hold (D-09): the one lock that all share is held for a look into a map. A client goes
//! when it was not used for as long as its connections live, however often its lane comes and goes meanwhile, or when there are
//! too many and it was used least recently; what it has in flight ends first.
//!
//! Whom the deployment believes, and who it is, comes in from the edge and may be replaced while it runs: the next letter to
//! a TPP finds the new value and takes a new client (D-13).
//!
//! A registered URL is already written as it is sent, or it would not have been registered: the path is sent byte for byte.
//! Only a host in capitals is written in small letters, and `:443` left out, in the `Host` header.
//!
//! Absent here: what an answer means, trying again, and how many letters may be under way: those are the lane's.

mod answer;
mod route;
mod routes;

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::address::Policy;
use oyez_domain::time::Clock;
use oyez_outbound::{HeaderValue, Limits, PlainHttp, Proxy, Resolve, Setup, Tls};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub(crate) use self::answer::refusal_words;
use self::route::Route;
use self::routes::Routes;
use crate::ports::{Addressee, BoxFuture, Failure, Letter, Post, Posted};

/// How letters are carried: the deployment's choices.
#[derive(Clone)]
pub struct Options {
    /// What `x-fapi-financial-id` says: the bank's id in the directory. `None`: it is not sent (D-01).
    pub financial_id: Option<HeaderValue>,
    /// What `User-Agent` says.
    pub user_agent: HeaderValue,
    /// Where connections may go (D-12).
    pub addresses: Policy,
    /// The way out, if there is only one (D-12).
    pub proxy: Option<Proxy>,
    /// From a name to a secured connection (D-11).
    pub connect_time_max: Duration,
    /// From the start of an attempt to the last byte of its answer (D-11).
    pub attempt_time_max: Duration,
}

/// What a postman works with.
pub struct Parts {
    /// Whom the deployment believes, and who it is; whoever reloads it sends the new value (D-13).
    pub tls: watch::Receiver<Arc<Tls>>,
    /// Who knows the addresses of names.
    pub resolver: Arc<dyn Resolve>,
    /// What a date in `Retry-After` is compared with.
    pub clock: Arc<dyn Clock>,
    /// Where the tasks of connections are spawned. They end with the postman.
    pub tracker: TaskTracker,
}

/// Carries letters over HTTPS.
pub struct Postman {
    options: Options,
    parts: Parts,
    routes: Arc<Routes>,
    _sweeping: DropGuard,
}

impl Postman {
    /// Ready to carry. Called on a runtime.
    pub fn new(options: Options, parts: Parts) -> Self {
        let unused_max = Limits::default().idle + options.attempt_time_max;
        let routes = Arc::new(Routes::new(ROUTES_MAX));
        let stop = CancellationToken::new();
        let sweeping = sweep(Arc::clone(&routes), unused_max);
        let until_stopped = stop.clone().run_until_cancelled_owned(sweeping);
        drop(parts.tracker.spawn(until_stopped));
        Self {
            options,
            parts,
            routes,
            _sweeping: stop.drop_guard(),
        }
    }

    async fn carry(&self, letter: Letter) -> Posted {
        let route = match self.route(&letter.addressee) {
            Ok(route) => route,
            Err(failure) => return Posted::Failed(failure),
        };
        match route.send(letter).await {
            Ok(response) => Posted::Answered(answer::reply(response, self.parts.clock.now())),
            Err(error) => Posted::Failed(answer::failure(error)),
        }
    }

    /// The way to an addressee: the one that was taken last, as far as it still leads there.
    fn route(&self, addressee: &Arc<Addressee>) -> Result<Arc<Route>, Failure> {
        let tls = Tls::clone(&self.parts.tls.borrow());
        let place = self.routes.place(&addressee.client_id);
        place.renewed(|known| match known {
            Some(route) if route.leads_to(addressee, &tls) => Ok(Arc::clone(route)),
            _ => Route::new(self, addressee, tls, known.map(Arc::as_ref)).map(Arc::new),
        })
    }

    fn setup(&self, tls: Tls) -> Setup {
        Setup {
            tls,
            addresses: self.options.addresses.clone(),
            plain_http: PlainHttp::Refused,
            proxy: self.options.proxy.clone(),
            limits: Limits {
                connect: self.options.connect_time_max,
                total: self.options.attempt_time_max,
                lookups_max: LOOKUPS_MAX,
                kept_per_origin_max: KEPT_MAX,
                kept_max: KEPT_MAX,
                ..Limits::default()
            },
        }
    }
}

impl Post for Postman {
    fn post(&self, letter: Letter) -> BoxFuture<'_, Posted> {
        Box::pin(self.carry(letter))
    }
}

async fn sweep(routes: Arc<Routes>, unused_max: Duration) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        routes.sweep(unused_max);
    }
}

/// One TPP's. Enough for a name that is answered; and one whose servers hang keeps two threads of the runtime's blocking pool,
/// however often it is tried: so many such TPPs as a market has do not use up its 512 (D-09).
const LOOKUPS_MAX: usize = 2;
/// More than a market has TPPs with an endpoint; one more costs the least recently used its connections.
const ROUTES_MAX: usize = 1_024;
/// A lane has no more letters under way than it was told, hence no more connections: this only bounds what it can be told.
const KEPT_MAX: usize = 256;
/// Connections of TPPs that hear nothing any more live at most so much longer than those of others.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
