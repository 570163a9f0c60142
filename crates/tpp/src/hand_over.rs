//! What the application gets, and how it says that it has it.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;

use oyez_domain::claims::Claims;
use oyez_domain::ids::InteractionId;
use oyez_domain::ledger::poll::SetError;
use oyez_domain::time::Timestamp;

use crate::seen::EventId;

/// A future without a name, so that a trait with it can be an object.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An event of a bank that was verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// The name by which its receiver or poller knows the bank.
    pub bank: Arc<str>,
    /// What it says.
    pub claims: Claims,
    /// The token as it came, for the records: it proves what the bank said.
    pub raw: String,
    /// How it came.
    pub via: Via,
    /// The id of the exchange it came in, for whoever asks the bank about it.
    pub interaction_id: Option<InteractionId>,
    /// When it came.
    pub received_at: Timestamp,
    /// Whether it may have been handed over before.
    pub repeat: Repeat,
}

impl Notification {
    pub(crate) fn event_id(&self) -> EventId {
        EventId {
            issuer: self.claims.iss.clone(),
            jti: self.claims.jti.clone(),
        }
    }
}

/// How an event came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The bank pushed it.
    Push,
    /// We polled it.
    Poll,
}

/// Whether an event may have been handed over before. One that surely was is not handed over again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// This is the first time.
    No,
    /// It was offered before, and nothing says how that ended: the process died meanwhile, or the application declined.
    Possible,
}

/// Where events go: the application.
pub trait HandOver: Send + Sync + 'static {
    /// Takes events over; one outcome per event, in their order. `Ok` says that it is safe there: the bank is told so, and may
    /// forget it. A call may be given up at any await; what was not answered is offered again, with [`Repeat::Possible`].
    fn hand_over<'a>(
        &'a self,
        notifications: &'a [Notification],
    ) -> Pending<'a, Vec<Result<(), Declined>>>;
}

/// Why the application did not take an event.
#[derive(Debug, thiserror::Error)]
pub enum Declined {
    /// It cannot now: the bank will offer it again.
    #[error("the application cannot take it now")]
    Later(#[source] Box<dyn Error + Send + Sync>),
    /// It never will, and the bank is told why.
    #[error("the application refuses it: {}", .0.description)]
    Never(SetError),
}

/// A function that takes events one by one.
pub fn each<F, T>(take: F) -> Each<F>
where
    F: Fn(Notification) -> T + Send + Sync + 'static,
    T: Future<Output = Result<(), Declined>> + Send,
{
    Each(take)
}

/// See [`each`].
pub struct Each<F>(F);

impl<F, T> HandOver for Each<F>
where
    F: Fn(Notification) -> T + Send + Sync + 'static,
    T: Future<Output = Result<(), Declined>> + Send,
{
    fn hand_over<'a>(
        &'a self,
        notifications: &'a [Notification],
    ) -> Pending<'a, Vec<Result<(), Declined>>> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(notifications.len());
            for notification in notifications {
                outcomes.push((self.0)(notification.clone()).await);
            }
            outcomes
        })
    }
}
