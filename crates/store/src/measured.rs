//! A ledger with somebody before it who takes the time of each request: how long whoever asks waits, whatever the backend does
//! meanwhile. Nothing is taken apart and nothing is added to what is asked.

use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::Submission;
use oyez_domain::ids::{ClientId, Jti, NodeId, RegistrationId};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::history::{
    AuditEntry, Counts, EventFile, EventFilter, EventSummary, Minute, Page, Retention, Swept,
};
use oyez_domain::ledger::lanes::{
    Claim, Lane, LaneFilter, LaneReport, LaneStatus, LaneTotals, Lease, Reported, Wanted,
};
use oyez_domain::ledger::overview::{Backlog, HealthChange, Request};
use oyez_domain::ledger::poll::{Poll, Polled};
use oyez_domain::ledger::push::{Choice, DueForPush, Ended, Recorded};
use oyez_domain::ledger::registering::{Effect, Kind, Refusal, Target, Wish};
use oyez_domain::ledger::sets::{Kept, KeyUse, Look, Signed};
use oyez_domain::ledger::trail::Heads;
use oyez_domain::registration::Registrations;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{Profile, Standing, Tpp};
use oyez_domain::version::ApiVersion;
use tokio::time::Instant;

use crate::{Answer, Error, Listen, Store};

/// Hears how long requests took. Called where the answer is taken: it must be quick and may not block.
pub trait Meter: Send + Sync + 'static {
    /// A request to this method was answered.
    fn answered(&self, method: &'static str, took: Duration, error: Option<&Error>);
}

/// A ledger whose requests are measured.
pub struct Measured<M> {
    inner: Arc<dyn Store>,
    meter: M,
}

impl<M: Meter> Measured<M> {
    /// Measures this one.
    pub fn new(inner: Arc<dyn Store>, meter: M) -> Self {
        Self { inner, meter }
    }

    async fn timed<T>(&self, method: &'static str, answer: Answer<'_, T>) -> Result<T, Error> {
        let asked_at = Instant::now();
        let answer = answer.await;
        self.meter
            .answered(method, asked_at.elapsed(), answer.as_ref().err());
        answer
    }
}

/// The trait again, each method timed and passed on.
macro_rules! time_each {
    ($($method:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        impl<M: Meter> Store for Measured<M> {
            $(fn $method(&self, $($argument: $kind),*) -> Answer<'_, $answer> {
                Box::pin(self.timed(stringify!($method), self.inner.$method($($argument),*)))
            })*

            fn listen(&self, listener: Weak<dyn Listen>) {
                self.inner.listen(listener);
            }
        }

        /// The methods that are measured, in the order of the trait.
        pub const MEASURED: &[&str] = &[$(stringify!($method)),*];
    };
}

crate::methods!(time_each);
