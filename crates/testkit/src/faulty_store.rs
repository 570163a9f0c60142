//! A ledger that fails on command and counts what it is asked.

use std::collections::BTreeMap;
use std::future::ready;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
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
use oyez_store::{Answer, Error, Listen, Store};

/// Every ledger there is, with faults in front of it.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    script: Mutex<Script>,
}

/// What to refuse, and what was asked.
#[derive(Default)]
struct Script {
    everything: Option<Error>,
    unheard: Option<Error>,
    takes: Duration,
    by_method: BTreeMap<&'static str, Error>,
    asked: BTreeMap<&'static str, u64>,
}

impl FaultyStore {
    /// In front of this one, and out of its way until it is told.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            script: Mutex::default(),
        }
    }

    /// Every method fails like this from now on.
    pub fn fail(&self, error: Error) {
        self.script().everything = Some(error);
    }

    /// One method fails like this from now on: `"poll"`, `"accept"`.
    pub fn fail_at(&self, method: &'static str, error: Error) {
        self.script().by_method.insert(method, error);
    }

    /// Every method does what it is asked from now on, and its answer is lost: this is heard instead.
    pub fn lose_answers(&self, error: Error) {
        self.script().unheard = Some(error);
    }

    /// Every answer comes so long after what was asked has happened.
    pub fn take(&self, time: Duration) {
        self.script().takes = time;
    }

    /// No method fails any more.
    pub fn mend(&self) {
        let mut script = self.script();
        script.everything = None;
        script.unheard = None;
        script.by_method.clear();
    }

    /// How often a method was asked, with or without success.
    pub fn asked(&self, method: &'static str) -> u64 {
        self.script().asked.get(method).copied().unwrap_or(0)
    }

    /// Each kind of fault that a ledger can be in.
    pub fn faults() -> [Error; 7] {
        let detail = || "as the test says".to_owned();
        [
            Error::Busy { detail: detail() },
            Error::DiskFull,
            Error::ReadOnly { detail: detail() },
            Error::Inconsistent { detail: detail() },
            Error::TimedOut { limit_ms: 1 },
            Error::InDoubt { detail: detail() },
            Error::Unavailable { detail: detail() },
        ]
    }

    /// Those that may pass by themselves: the ledger is out of reach, and sound (G-10).
    pub fn outages() -> impl Iterator<Item = Error> {
        let passes = |fault: &Error| !matches!(fault, Error::Inconsistent { .. });
        Self::faults().into_iter().filter(passes)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    /// Counts, and fails if that is commanded; else says how the answer comes.
    fn judge(&self, method: &'static str) -> Result<(Duration, Option<Error>), Error> {
        let mut script = self.script();
        *script.asked.entry(method).or_default() += 1;
        let fault = script.by_method.get(method).or(script.everything.as_ref());
        match fault {
            Some(fault) => Err(fault.clone()),
            None => Ok((script.takes, script.unheard.clone())),
        }
    }
}

/// What a method's answer goes through.
async fn come<T>(
    answer: Answer<'_, T>,
    takes: Duration,
    unheard: Option<Error>,
) -> Result<T, Error> {
    let answer = answer.await;
    if !takes.is_zero() {
        tokio::time::sleep(takes).await;
    }
    unheard.map_or(answer, Err)
}

/// The trait again, each method judged and passed on.
macro_rules! pass_on {
    ($($method:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        impl Store for FaultyStore {
            $(fn $method(&self, $($argument: $kind),*) -> Answer<'_, $answer> {
                match self.judge(stringify!($method)) {
                    Ok((takes, unheard)) => {
                        Box::pin(come(self.inner.$method($($argument),*), takes, unheard))
                    }
                    Err(fault) => Box::pin(ready(Err(fault))),
                }
            })*

            // Whoever listens hears what happened; a fault that is commanded happens before anything does.
            fn listen(&self, listener: Weak<dyn Listen>) {
                self.inner.listen(listener);
            }
        }
    };
}

oyez_store::methods!(pass_on);
