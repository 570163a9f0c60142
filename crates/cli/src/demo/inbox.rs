//! Where TPPs of this world are pushed to: one HTTPS server with a path for each, and behind it the library's receiver, as real
//! TPPs have it. What comes is verified before it is anybody's; the application behind it keeps it, and takes it or not as its
//! TPP wants it to, so that an outage can be played.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use oyez_tpp::{
    AGE_MAX, Declined, HandOver, Intake, Notification, Pending, Pusher, Receiver, ReceiverSetup,
    SeenInMemory,
};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::cast::Person;
use super::player::Player;
use super::why::Why;

/// Of all TPPs together.
#[derive(Clone)]
pub(super) struct Inbox {
    address: SocketAddr,
    shelves: Arc<watch::Sender<Shelves>>,
    receivers: Arc<BTreeMap<&'static str, Receiver>>,
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

/// One push, of an event that was verified.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    /// Of the event.
    pub(super) jti: String,
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
    /// For these TPPs.
    pub(super) fn new(address: SocketAddr, players: &[&Player]) -> Self {
        let shelves = Arc::new(watch::Sender::new(BTreeMap::new()));
        let receiver = |player: &&Player| {
            let person = player.person;
            let application = Application {
                person,
                shelves: Arc::clone(&shelves),
            };
            (person.client_id, receiver(player, application))
        };
        Self {
            address,
            receivers: Arc::new(players.iter().map(receiver).collect()),
            shelves,
        }
    }

    /// Its one path.
    pub(super) fn router(&self) -> Router {
        Router::new()
            .route("/{tpp}/v4.0/event-notifications", any(take))
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

async fn take(State(inbox): State<Inbox>, Path(tpp): Path<String>, request: Request) -> Response {
    match inbox.receivers.get(tpp.as_str()) {
        Some(receiver) => receiver.answer(request).await.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn receiver(player: &Player, application: Application) -> Receiver {
    let setup = player.v4.setup();
    let seen = Arc::new(SeenInMemory::new(AGE_MAX));
    Receiver::new(ReceiverSetup {
        banks: vec![Pusher {
            name: "the bank".into(),
            verifier: player.v4.set_verifier().clone(),
        }],
        intake: Intake::new(seen, Arc::new(application), Arc::clone(&setup.clock)),
        body_time_max: BODY_TIME_MAX,
        // The bank of this world retries sooner, whatever it is asked for.
        retry_after: Duration::from_secs(1),
        clock: Arc::clone(&setup.clock),
        random: setup.random.clone(),
        observer: None,
    })
}

/// Whoever gets a TPP's events from its receiver.
struct Application {
    person: Person,
    shelves: Arc<watch::Sender<Shelves>>,
}

impl Application {
    fn take(&self, notification: &Notification) -> Result<(), Declined> {
        let mut mood = Mood::default();
        self.shelves.send_modify(|shelves| {
            let client_id = self.person.client_id.to_owned();
            let shelf = shelves.entry(client_id).or_default();
            mood = shelf.mood;
            shelf.arrivals.push_back(Arrival {
                jti: notification.claims.jti.clone(),
                set: notification.raw.clone(),
                at: Instant::now(),
                mood,
            });
            if shelf.arrivals.len() > KEPT_MAX {
                shelf.arrivals.pop_front();
                shelf.forgotten += 1;
            }
        });
        match mood {
            Mood::Takes => Ok(()),
            Mood::Fails => Err(Declined::Later("an outage is played".into())),
        }
    }
}

impl HandOver for Application {
    fn hand_over<'a>(
        &'a self,
        notifications: &'a [Notification],
    ) -> Pending<'a, Vec<Result<(), Declined>>> {
        let outcomes = notifications.iter().map(|it| self.take(it)).collect();
        Box::pin(std::future::ready(outcomes))
    }
}

/// More than the story brings; in a world that stays, what is older was looked at.
const KEPT_MAX: usize = 1_000;
/// Everybody here is on this machine.
const BODY_TIME_MAX: Duration = Duration::from_secs(5);
/// A push comes within milliseconds, a retry within its step; the rest is for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(20);
