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

pass_on! {
    register_tpp(actor: Actor, client_id: ClientId, profile: Profile, now: Timestamp) -> Option<Tpp>;
    change_tpp(actor: Actor, client_id: ClientId, profile: Profile, now: Timestamp) -> Option<Tpp>;
    set_standing(actor: Actor, client_id: ClientId, standing: Standing, now: Timestamp) -> Option<Tpp>;
    find_tpp(client_id: ClientId) -> Option<Tpp>;
    list_tpps(after: Option<ClientId>, rows_max: u32) -> Page<Tpp, ClientId>;
    registrations(client_id: ClientId) -> Registrations;
    create_registration(client_id: ClientId, id: RegistrationId, wish: Wish, api: ApiVersion, now: Timestamp) -> Result<Registrations, Refusal>;
    replace_registration(client_id: ClientId, target: Target, wish: Wish, now: Timestamp) -> Result<(Registrations, Effect), Refusal>;
    delete_registration(client_id: ClientId, target: Target, now: Timestamp) -> Result<Effect, Refusal>;
    remove_registration(actor: Actor, client_id: ClientId, kind: Kind, now: Timestamp) -> Result<Effect, Refusal>;
    accept(batch: Vec<Submission>, now: Timestamp) -> Vec<Acceptance>;
    poll(poll: Poll, now: Timestamp) -> Polled;
    due_for_push(claim: Claim, client_id: ClientId, look: Look, now: Timestamp) -> Option<DueForPush>;
    keep_sets(signed: Vec<Signed>, now: Timestamp) -> Vec<Kept>;
    recheck(claim: Option<Claim>, client_id: ClientId, jtis: Vec<Jti>) -> Option<Vec<Kept>>;
    record_attempts(client_id: ClientId, attempts: Vec<Ended>, now: Timestamp) -> Vec<Recorded>;
    put_back(client_id: ClientId, choices: Vec<Choice>, now: Timestamp) -> u64;
    withdraw(actor: Actor, client_id: ClientId, jtis: Vec<Jti>, now: Timestamp) -> u64;
    retry_pushes(actor: Actor, client_id: ClientId, jtis: Vec<Jti>, now: Timestamp) -> u64;
    requeue_failed(actor: Actor, client_id: ClientId, accepted: Range<Timestamp>, events_max: u32, now: Timestamp) -> Vec<Jti>;
    disown_key(actor: Actor, kid: String, now: Timestamp) -> u64;
    keys_in_use() -> Vec<KeyUse>;
    hold_lease(node_id: NodeId, renew: Option<u64>, ttl: Duration) -> Option<Lease>;
    attend(node_id: NodeId, ttl: Duration) -> NonZeroU32;
    release_lease(lease: Lease) -> ();
    claim_lanes(lease: Lease, wanted: Wanted, lanes_max: u32, now: Timestamp) -> Vec<Lane>;
    report_lanes(lease: Lease, reports: Vec<LaneReport>, now: Timestamp) -> Vec<Reported>;
    find_lane(client_id: ClientId) -> Option<Lane>;
    list_lanes(filter: LaneFilter, after: Option<ClientId>, rows_max: u32) -> Page<LaneStatus, ClientId>;
    lane_totals() -> LaneTotals;
    pause_endpoint(actor: Actor, client_id: ClientId, now: Timestamp) -> bool;
    resume_endpoint(actor: Actor, client_id: ClientId, now: Timestamp) -> bool;
    find_event(jti: Jti) -> Option<EventFile>;
    list_events(filter: EventFilter, before: Option<Jti>, rows_max: u32) -> Page<EventSummary, Jti>;
    counts(client_id: ClientId) -> Counts;
    minutes(client_id: Option<ClientId>, range: Range<Timestamp>) -> Vec<Minute>;
    note_requests(requests: Vec<Request>) -> ();
    list_requests(client_id: ClientId, rows_max: u32) -> Vec<Request>;
    health_history(client_id: ClientId, rows_max: u32) -> Vec<HealthChange>;
    backlog(client_id: ClientId, now: Timestamp) -> Backlog;
    list_audit(client_id: Option<ClientId>, before: Option<u64>, rows_max: u32) -> Page<AuditEntry, u64>;
    read_chain(client_id: Option<ClientId>, after: u64, rows_max: u32) -> Page<AuditEntry, u64>;
    chain_heads(after: Option<ClientId>, rows_max: u32) -> Heads;
    prove_writable() -> ();
    shared_clock() -> Option<Timestamp>;
    expire(accepted_before: Timestamp, events_max: u32, now: Timestamp) -> u64;
    sweep(retention: Retention, now: Timestamp) -> Swept;
}
