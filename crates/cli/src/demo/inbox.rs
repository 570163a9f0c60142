//! Where TPPs of this world are pushed to: one HTTPS server with a path for each. It keeps what comes before it answers, and
//! answers as its TPP wants it to, so that an outage can be played.
//!
//! Whether a SET is to be believed is found out by whoever looks at it here: a TPP's answer says no more than that it
//! has it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use oyez_tpp::INTERACTION_ID;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::cast::Person;
use super::why::Why;

/// Of all TPPs together.
#[derive(Clone)]
pub(super) struct Inbox {
    address: SocketAddr,
    shelves: Arc<watch::Sender<BTreeMap<String, Shelf>>>,
}

/// What came for one TPP.
#[derive(Debug, Clone, Default)]
struct Shelf {
    mood: Mood,
    arrivals: Vec<Arrival>,
}

/// One push.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    /// Byte for byte.
    pub(super) set: String,
    pub(super) at: Instant,
    /// What it was answered with.
    pub(super) mood: Mood,
}

/// How pushes are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mood {
    /// 202: it is safe here.
    #[default]
    Takes,
    /// 503: come again.
    Fails,
}

impl Inbox {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            shelves: Arc::new(watch::Sender::new(BTreeMap::new())),
        }
    }

    /// Its one path.
    pub(super) fn router(&self) -> Router {
        Router::new()
            .route("/{tpp}/v4.0/event-notifications", post(take))
            .layer(DefaultBodyLimit::max(SET_BYTES_MAX))
            .with_state(self.clone())
    }

    /// A TPP's CallbackUrl.
    pub(super) fn url(&self, person: Person) -> String {
        format!(
            "https://{}/{}/v4.0/event-notifications",
            self.address, person.client_id
        )
    }

    /// From now on, this TPP's pushes are answered so.
    pub(super) fn answer(&self, person: Person, mood: Mood) {
        self.shelves.send_modify(|shelves| {
            shelves.entry(person.client_id.to_owned()).or_default().mood = mood;
        });
    }

    /// Everything that came for a TPP so far, oldest first.
    pub(super) fn arrivals(&self, person: Person) -> Vec<Arrival> {
        let shelves = self.shelves.borrow();
        let shelf = shelves.get(person.client_id);
        shelf.map_or_else(Vec::new, |shelf| shelf.arrivals.clone())
    }

    /// Waits until `enough` of what came for a TPP from its `after`-th push on, and returns that.
    pub(super) async fn until(
        &self,
        person: Person,
        after: usize,
        enough: impl Fn(&[Arrival]) -> bool,
    ) -> Result<Vec<Arrival>, Why> {
        let mut shelves = self.shelves.subscribe();
        let since = |shelves: &BTreeMap<String, Shelf>| {
            let shelf = shelves.get(person.client_id);
            shelf.map_or_else(Vec::new, |shelf| {
                shelf.arrivals.iter().skip(after).cloned().collect()
            })
        };
        let waits = shelves.wait_for(|shelves| enough(&since(shelves)));
        match timeout(PATIENCE, waits).await {
            Ok(Ok(shelves)) => Ok(since(&shelves)),
            Ok(Err(gone)) => Err(gone.into()),
            Err(_) => Err(Why(format!(
                "{} had waited {PATIENCE:?} for pushes, and got {} of them",
                person.name,
                since(&self.shelves.borrow()).len()
            ))),
        }
    }
}

async fn take(
    State(inbox): State<Inbox>,
    Path(tpp): Path<String>,
    headers: HeaderMap,
    set: String,
) -> (StatusCode, HeaderMap) {
    let mut mood = Mood::default();
    inbox.shelves.send_modify(|shelves| {
        let shelf = shelves.entry(tpp).or_default();
        mood = shelf.mood;
        shelf.arrivals.push(Arrival {
            set,
            at: Instant::now(),
            mood,
        });
    });
    let status = match mood {
        Mood::Takes => StatusCode::ACCEPTED,
        Mood::Fails => StatusCode::SERVICE_UNAVAILABLE,
    };
    let echo = headers.get(INTERACTION_ID).cloned();
    let echo = echo.into_iter().map(|id| (INTERACTION_ID, id));
    (status, echo.collect())
}

/// Larger than any SET here.
const SET_BYTES_MAX: usize = 64 * 1024;
/// A push comes within milliseconds, a retry within its step; the rest is for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(20);
