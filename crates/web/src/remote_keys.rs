//! Key sets that live elsewhere: the authorisation server's and the TPPs' (M-05).
//!
//! A set is fetched when it is first needed and trusted for a while. Then it is fetched anew before it is used, and so it is
//! when a key is asked for that it lacks, for that is how a rotation shows. Between two fetches of one URL stands a floor
//! whatever happens, so that neither a flood of invented kids nor a server in trouble makes us a nuisance. While the server
//! cannot be reached, the last good copy serves on up to a limit, and nobody waits for what failed a moment ago.
//!
//! A hundred requests for one URL wait for one fetch, which runs to its end as a task of its own, within the limits of the
//! client.
//!
//! What may be dialled is the client's to say: a TPP's URL is the word of a stranger. What came back is never repeated
//! outside, and the log is told of a foreign document only where it stops being a key set.
//!
//! Decided here: `Cache-Control` is not read, since the owner's interest in being asked seldom is not ours in learning soon
//! that a key is withdrawn. The media type is not read either, since directories serve key sets from stores of files that
//! call everything `application/octet-stream`: whatever is a key set by its content is one.

mod fetch;
mod held;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oyez_domain::time::Clock;
use oyez_jose::{Jwks, limits as jose_limits};
use oyez_outbound::{Class, Client, Limits};
use tokio_util::task::TaskTracker;

use crate::flight::Flight;
use crate::recent::Recent;
use held::{Held, Step};

/// The key sets of one class of peers: those that its client reaches.
pub struct RemoteKeys {
    shared: Arc<Shared>,
    tracker: TaskTracker,
}

/// For how long and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How long a copy is used without asking again.
    pub fresh_for: Duration,
    /// The least time between the end of one fetch and the next of the same URL. A failure is remembered for as long.
    pub floor: Duration,
    /// How much longer than fresh the last good copy is used while there is no newer one.
    pub outage_max: Duration,
    /// How many URLs are remembered.
    pub urls_max: usize,
}

/// There is no copy that answers: the set was never had, is too old, or lacks the key and cannot be asked for again.
///
/// For the log, not for whoever chose the URL: it would learn what answers inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The URL is none that could be dialled.
    #[error("the URL of the key set cannot be used")]
    Url,
    /// No answer, or none to its end.
    #[error("the key set cannot be fetched: {0}")]
    NoAnswer(Class),
    /// An answer, and not 200.
    #[error("the key set cannot be fetched: the answer is {0}")]
    Status(u16),
    /// More than the limit.
    #[error("the key set is too large")]
    TooLong,
    /// 200, and something else.
    #[error("what stands at the URL of the key set is none")]
    NotAKeySet,
    /// The fetch was broken off: the program ends.
    #[error("the key set was not fetched to the end")]
    BrokenOff,
}

struct Shared {
    client: Arc<Client>,
    clock: Arc<dyn Clock>,
    options: Options,
    held: Mutex<Recent<Arc<str>, Held>>,
}

type Outcome = Result<Arc<Jwks>, Unavailable>;

impl RemoteKeys {
    /// Fetched through `client`, which is best set up with [`limits`]; fetches are spawned on `tracker`.
    pub fn new(
        client: Arc<Client>,
        clock: Arc<dyn Clock>,
        tracker: TaskTracker,
        options: Options,
    ) -> Self {
        let held = Mutex::new(Recent::new(options.urls_max));
        let shared = Arc::new(Shared {
            client,
            clock,
            options,
            held,
        });
        Self { shared, tracker }
    }

    /// A set in which `kid` was looked for, and that was fetched anew if it was not there, unless that was done a moment ago.
    /// Whether the key is there now, and good for what it is needed for, is to be asked of the set.
    pub async fn keys(&self, url: &str, kid: &str) -> Result<Arc<Jwks>, Unavailable> {
        match self.step(url, kid) {
            Step::Have(keys) => Ok(keys),
            Step::Refuse(why) => Err(why),
            Step::Wait { flight, fallback } => flight
                .landed()
                .await
                .unwrap_or(Err(Unavailable::BrokenOff))
                .or_else(|why| fallback.ok_or(why)),
        }
    }

    fn step(&self, url: &str, kid: &str) -> Step {
        let shared = &self.shared;
        let now = shared.clock.now();
        let start = || {
            let (shared, url) = (Arc::clone(shared), Arc::from(url));
            Flight::start(&self.tracker, async move { shared.refresh(url).await })
        };
        let mut held = shared.lock();
        if let Some(held) = held.get(url) {
            return held.step(kid, now, &shared.options, start);
        }
        let mut new = Held::default();
        let step = new.step(kid, now, &shared.options, start);
        held.insert(Arc::from(url), new);
        step
    }
}

impl Shared {
    async fn refresh(&self, url: Arc<str>) -> Outcome {
        let outcome = fetch::fetch(&self.client, &url).await.map(Arc::new);
        if let Some(held) = self.lock().get(&*url) {
            held.note(&outcome, self.clock.now());
        }
        outcome
    }

    /// Each change leaves the entries whole, so a panic elsewhere is no reason to stop.
    fn lock(&self) -> MutexGuard<'_, Recent<Arc<str>, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            fresh_for: FRESH_FOR,
            floor: FLOOR,
            outage_max: OUTAGE_MAX,
            urls_max: URLS_MAX,
        }
    }
}

/// What the client of key sets is best limited to.
pub fn limits() -> Limits {
    Limits {
        total: FETCH_TOTAL,
        body_bytes_max: jose_limits::JWKS_BYTES_MAX,
        kept_per_origin_max: 1,
        ..Limits::default()
    }
}

/// A withdrawn key is believed for no longer; a server is asked twelve times an hour for each of us.
pub const FRESH_FOR: Duration = Duration::from_secs(5 * 60);
/// A new key works after this at the latest, whatever is going on; a server in trouble gets six requests a minute.
pub const FLOOR: Duration = Duration::from_secs(10);
/// A night and the day on which somebody mends it. A key that is withdrawn meanwhile is believed for as long.
pub const OUTAGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// More than a deployment has TPPs. A set is some kilobytes.
pub const URLS_MAX: usize = 1_024;
/// A request waits for it, and has a caller that waits too.
const FETCH_TOTAL: Duration = Duration::from_secs(5);
