//! Where TPPs of this world are pushed to: one HTTPS server with a path for each. It keeps what comes before it answers, and
//! answers as its TPP wants it to, so that an outage can be played.
//!
//! Whether a SET is to be believed is found out by whoever looks at it here: a TPP's answer says no more than that it
//! has it.

use std::collections::{BTreeMap, VecDeque};
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
    shelves: Arc<watch::Sender<Shelves>>,
}

/// By client_id.
type Shelves = BTreeMap<String, Shelf>;

/// What came for one TPP.
#[derive(Debug, Clone, Default)]
struct Shelf {
    mood: Mood,
    /// The last of all that came.
    arrivals: VecDeque<Arrival>,
    /// How many came before these.
    forgotten: usize,
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

    /// What came for a TPP so far, oldest first.
    pub(super) fn arrivals(&self, person: Person) -> Vec<Arrival> {
        since(&self.shelves.borrow(), person, 0)
    }

    /// What came for a TPP in this place, whenever it comes.
    pub(super) async fn next(&self, person: Person, place: usize) -> Result<Arrival, Why> {
        let mut shelves = self.shelves.subscribe();
        let at = |shelves: &Shelves| since(shelves, person, place).into_iter().next();
        let shelves = shelves.wait_for(|shelves| at(shelves).is_some()).await?;
        Ok(at(&shelves).expect("it was waited for"))
    }

    /// Waits until `enough` of what came for a TPP from its `after`-th push on, and returns that.
    pub(super) async fn until(
        &self,
        person: Person,
        after: usize,
        enough: impl Fn(&[Arrival]) -> bool,
    ) -> Result<Vec<Arrival>, Why> {
        let mut shelves = self.shelves.subscribe();
        let waits = shelves.wait_for(|shelves| enough(&since(shelves, person, after)));
        match timeout(PATIENCE, waits).await {
            Ok(Ok(shelves)) => Ok(since(&shelves, person, after)),
            Ok(Err(gone)) => Err(gone.into()),
            Err(_) => Err(Why(format!(
                "{} had waited {PATIENCE:?} for pushes, and got {} of them",
                person.name,
                since(&self.shelves.borrow(), person, after).len()
            ))),
        }
    }
}

/// What came for a TPP from a place on, counted from the first that ever came.
fn since(shelves: &Shelves, person: Person, place: usize) -> Vec<Arrival> {
    let Some(shelf) = shelves.get(person.client_id) else {
        return Vec::new();
    };
    let passed_over = place.saturating_sub(shelf.forgotten);
    shelf.arrivals.iter().skip(passed_over).cloned().collect()
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
        shelf.arrivals.push_back(Arrival {
            set,
            at: Instant::now(),
            mood,
        });
        if shelf.arrivals.len() > KEPT_MAX {
            shelf.arrivals.pop_front();
            shelf.forgotten += 1;
        }
    });
    let status = match mood {
        Mood::Takes => StatusCode::ACCEPTED,
        Mood::Fails => StatusCode::SERVICE_UNAVAILABLE,
    };
    let echo = headers.get(INTERACTION_ID).cloned();
    let echo = echo.into_iter().map(|id| (INTERACTION_ID, id));
    (status, echo.collect())
}

/// More than the story brings; in a world that stays, what is older was looked at.
const KEPT_MAX: usize = 1_000;
/// Larger than any SET here.
const SET_BYTES_MAX: usize = 64 * 1024;
/// A push comes within milliseconds, a retry within its step; the rest is for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(20);
