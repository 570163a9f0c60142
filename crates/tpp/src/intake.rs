//! What happens to an event between its verification and the word that the bank gets: the same for pushes and polls (R-01 … R-03).
//!
//! It is noted, handed over, and noted again. The same event may come twice at once, by a push and by a poll or by two pushes:
//! the second waits and shares the fate of the first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oyez_domain::ledger::poll::SetError;
use oyez_domain::time::Clock;
use tokio::sync::watch;

use crate::hand_over::{Declined, HandOver, Notification, Repeat};
use crate::seen::{EventId, Known, Seen, SeenError};

/// Takes verified events in, for receivers and pollers of any number of banks. Clones share everything.
///
/// ```
/// use std::sync::Arc;
///
/// use oyez_tpp::domain::time::{Clock, Timestamp};
/// use oyez_tpp::{AGE_MAX, Intake, Notification, Repeat, SeenInMemory, Taken, Via, each};
/// # use oyez_tpp::domain::claims::Claims;
/// # struct Fixed;
/// # impl Clock for Fixed {
/// #     fn now(&self) -> Timestamp { Timestamp::from_unix_ms(1_893_456_000_000) }
/// # }
/// # let clock: Arc<dyn Clock> = Arc::new(Fixed);
/// # let now = clock.now();
/// # let claims = Claims {
/// #     iss: "https://bank.example".into(), iat: now, jti: "1".into(), sub: "consent".into(), aud: "us".into(),
/// #     txn: "txn".into(), toe: now, events: Vec::new(),
/// # };
/// # let event = Notification {
/// #     bank: "the bank".into(), claims, raw: String::new(), via: Via::Push, interaction_id: None, received_at: now,
/// #     repeat: Repeat::No,
/// # };
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let application = each(async |event: Notification| {
///     println!("{} says {:?}", event.bank, event.claims.events);
///     Ok(())
/// });
/// let seen = SeenInMemory::new(AGE_MAX);
/// let intake = Intake::new(Arc::new(seen), Arc::new(application), clock);
///
/// let first = intake.take(vec![event.clone()]).await;
/// assert!(matches!(first[0], Taken::HandedOver));
/// let again = intake.take(vec![event]).await;
/// assert!(matches!(again[0], Taken::HadIt));
/// # });
/// ```
#[derive(Clone)]
pub struct Intake {
    shared: Arc<Shared>,
}

struct Shared {
    seen: Arc<dyn Seen>,
    hand_over: Arc<dyn HandOver>,
    clock: Arc<dyn Clock>,
    under_way: Mutex<HashMap<EventId, Ending>>,
}

/// Whoever waits for the end of an event hears the sender go; there is none while nobody waits.
type Ending = Option<watch::Sender<()>>;

/// What became of an event.
#[derive(Debug)]
pub enum Taken {
    /// It is safe with the application since now.
    HandedOver,
    /// It was safe there already.
    HadIt,
    /// The application will never take it.
    Refused(SetError),
    /// The bank should offer it again.
    NotNow(NotNow),
}

/// Why an event was not taken this time.
#[derive(Debug, thiserror::Error)]
pub enum NotNow {
    /// What was seen before cannot be known.
    #[error(transparent)]
    Seen(SeenError),
    /// The application said so.
    #[error("the application cannot take it now")]
    Declined(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The application answered for fewer events than it was given.
    #[error("the application said nothing of it")]
    Unanswered,
}

impl Intake {
    /// Hands over to `hand_over` what `seen` does not know.
    pub fn new(seen: Arc<dyn Seen>, hand_over: Arc<dyn HandOver>, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            seen,
            hand_over,
            clock,
            under_way: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Takes events; one outcome per event, in their order. What [`Notification::repeat`] says is found out here.
    pub async fn take(&self, notifications: Vec<Notification>) -> Vec<Taken> {
        let mut taken: Vec<(usize, Taken)> = Vec::with_capacity(notifications.len());
        let mut left: Vec<(usize, Notification)> = notifications.into_iter().enumerate().collect();
        while !left.is_empty() {
            let (ours, others) = self.claim(left);
            taken.extend(self.take_claimed(ours).await);
            // Nothing is claimed now: nobody waits for one who waits.
            left = Vec::with_capacity(others.len());
            for (place, notification, mut end) in others {
                // It says no more than that its sender is gone.
                end.changed().await.ok();
                left.push((place, notification));
            }
        }
        taken.sort_by_key(|(place, _)| *place);
        taken.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// Claims what nobody else is at; says of the rest how its end is heard of.
    fn claim(&self, left: Vec<(usize, Notification)>) -> (Claimed<'_>, Vec<Others>) {
        let mut under_way = self.shared.under_way();
        let (mut ours, mut others) = (Vec::with_capacity(left.len()), Vec::new());
        for (place, notification) in left {
            let event = notification.event_id();
            if let Some(end) = under_way.get_mut(&event) {
                let end = end.get_or_insert_with(|| watch::Sender::new(()));
                others.push((place, notification, end.subscribe()));
                continue;
            }
            under_way.insert(event.clone(), None);
            ours.push((place, event, notification));
        }
        drop(under_way);
        let claimed = Claimed {
            shared: &self.shared,
            events: ours.iter().map(|(_, event, _)| event.clone()).collect(),
            ours,
        };
        (claimed, others)
    }

    async fn take_claimed(&self, mut claimed: Claimed<'_>) -> Vec<(usize, Taken)> {
        let Shared { seen, clock, .. } = &*self.shared;
        let ours = std::mem::take(&mut claimed.ours);
        let known = match seen.begin(claimed.events.clone(), clock.now()).await {
            Ok(known) => known,
            Err(error) => {
                let not_now = || Taken::NotNow(NotNow::Seen(error.clone()));
                return ours.into_iter().map(|it| (it.0, not_now())).collect();
            }
        };
        let (mut taken, mut places) = (Vec::with_capacity(ours.len()), Vec::new());
        let (mut events, mut notifications) = (Vec::new(), Vec::new());
        for ((place, event, mut notification), known) in ours.into_iter().zip(known) {
            notification.repeat = match known {
                Known::New => Repeat::No,
                Known::Begun => Repeat::Possible,
                Known::HandedOver => {
                    taken.push((place, Taken::HadIt));
                    continue;
                }
            };
            places.push(place);
            events.push(event);
            notifications.push(notification);
        }
        if !places.is_empty() {
            let outcomes = self.offer(&notifications, events).await;
            taken.extend(places.into_iter().zip(outcomes));
        }
        taken
    }

    /// Offers events to the application, and notes those that it took.
    async fn offer(&self, notifications: &[Notification], events: Vec<EventId>) -> Vec<Taken> {
        let Shared {
            seen,
            hand_over,
            clock,
            ..
        } = &*self.shared;
        let mut outcomes = hand_over.hand_over(notifications).await.into_iter();
        let mut taken: Vec<Taken> = Vec::with_capacity(events.len());
        let mut safe = Vec::with_capacity(events.len());
        for event in events {
            taken.push(match outcomes.next() {
                Some(Ok(())) => {
                    safe.push(event);
                    Taken::HandedOver
                }
                // The words are the application's, and the bank bears so many.
                Some(Err(Declined::Never(SetError { err, description }))) => {
                    Taken::Refused(SetError::of(&err, &description))
                }
                Some(Err(Declined::Later(cause))) => Taken::NotNow(NotNow::Declined(cause)),
                None => Taken::NotNow(NotNow::Unanswered),
            });
        }
        if safe.is_empty() {
            return taken;
        }
        let Err(error) = seen.finish(safe, clock.now()).await else {
            return taken;
        };
        // The application has them and it is not noted: told as taken, a repeat would look like the first.
        let not_noted = |outcome| match outcome {
            Taken::HandedOver => Taken::NotNow(NotNow::Seen(error.clone())),
            other => other,
        };
        taken.into_iter().map(not_noted).collect()
    }
}

/// Somebody else is at it: its place, itself, and where its end is heard of.
type Others = (usize, Notification, watch::Receiver<()>);

/// Events that nobody else is at until it is dropped.
struct Claimed<'s> {
    shared: &'s Shared,
    events: Vec<EventId>,
    ours: Vec<(usize, EventId, Notification)>,
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        let mut under_way = self.shared.under_way();
        for event in &self.events {
            under_way.remove(event);
        }
    }
}

impl Shared {
    fn under_way(&self) -> MutexGuard<'_, HashMap<EventId, Ending>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
