//! The model behind the ledger's trait: the contract suite holds it to what it holds real ledgers to, and simulations run on it.

use std::future::ready;
use std::num::NonZeroU32;
use std::ops::{Deref, DerefMut, Range};
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
use oyez_domain::model::{Contradiction, Ledger};
use oyez_domain::registration::Registrations;
use oyez_domain::rules::Rules;
use oyez_domain::time::{Clock, Timestamp};
use oyez_domain::tpp::{Profile, Standing, Tpp};
use oyez_domain::version::ApiVersion;
use oyez_store::{Answer, Error, Listen, Listeners, Store};

use crate::clock::{DAWN, ManualClock};

/// One model, one lock.
pub struct ModelStore {
    ledger: Mutex<Ledger>,
    lease_clock: Arc<dyn Clock>,
    listeners: Listeners,
}

/// The model, for one request: what it has to tell is told when it is let go.
struct Held<'a> {
    ledger: Option<MutexGuard<'a, Ledger>>,
    listeners: &'a Listeners,
}

impl ModelStore {
    /// An empty one. The clock of its leases stands still: a lease with any time to live lives, one with none is over.
    pub fn new(rules: Arc<Rules>) -> Self {
        Self::with_lease_clock(rules, Arc::new(ManualClock::still(DAWN)))
    }

    /// An empty one whose leases go by this clock, as they go by the database's in others.
    pub fn with_lease_clock(rules: Arc<Rules>, lease_clock: Arc<dyn Clock>) -> Self {
        Self {
            ledger: Mutex::new(Ledger::new(rules)),
            lease_clock,
            listeners: Listeners::default(),
        }
    }

    /// As if it were opened again by a deployment that chose otherwise.
    pub fn goes_by(&self, rules: Arc<Rules>) {
        self.ledger().goes_by(rules);
    }

    fn ledger(&self) -> Held<'_> {
        let ledger = self.ledger.lock();
        Held {
            ledger: Some(ledger.expect("a poisoned model has failed its test already")),
            listeners: &self.listeners,
        }
    }
}

impl Deref for Held<'_> {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        self.ledger
            .as_ref()
            .expect("it is held until it is dropped")
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Ledger {
        self.ledger
            .as_mut()
            .expect("it is held until it is dropped")
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let news = self.take_news();
        drop(self.ledger.take());
        self.listeners.tell(&news);
    }
}

fn answer<T: Send + 'static>(answer: T) -> Answer<'static, T> {
    Box::pin(ready(Ok(answer)))
}

fn checked<T: Send + 'static>(answer: Result<T, Contradiction>) -> Answer<'static, T> {
    Box::pin(ready(
        answer.map_err(|Contradiction(detail)| Error::Inconsistent { detail }),
    ))
}

impl Store for ModelStore {
    fn register_tpp(
        &self,
        actor: Actor,
        client_id: ClientId,
        profile: Profile,
        now: Timestamp,
    ) -> Answer<'_, Option<Tpp>> {
        answer(self.ledger().register_tpp(actor, &client_id, profile, now))
    }

    fn change_tpp(
        &self,
        actor: Actor,
        client_id: ClientId,
        profile: Profile,
        now: Timestamp,
    ) -> Answer<'_, Option<Tpp>> {
        answer(self.ledger().change_tpp(actor, &client_id, profile, now))
    }

    fn set_standing(
        &self,
        actor: Actor,
        client_id: ClientId,
        standing: Standing,
        now: Timestamp,
    ) -> Answer<'_, Option<Tpp>> {
        answer(self.ledger().set_standing(actor, &client_id, standing, now))
    }

    fn find_tpp(&self, client_id: ClientId) -> Answer<'_, Option<Tpp>> {
        answer(self.ledger().find_tpp(&client_id))
    }

    fn list_tpps(&self, after: Option<ClientId>, rows_max: u32) -> Answer<'_, Page<Tpp, ClientId>> {
        answer(self.ledger().list_tpps(after.as_ref(), rows_max))
    }

    fn registrations(&self, client_id: ClientId) -> Answer<'_, Registrations> {
        answer(self.ledger().registrations(&client_id))
    }

    fn create_registration(
        &self,
        client_id: ClientId,
        id: RegistrationId,
        wish: Wish,
        api: ApiVersion,
        now: Timestamp,
    ) -> Answer<'_, Result<Registrations, Refusal>> {
        checked(
            self.ledger()
                .create_registration(&client_id, id, wish, api, now),
        )
    }

    fn replace_registration(
        &self,
        client_id: ClientId,
        target: Target,
        wish: Wish,
        now: Timestamp,
    ) -> Answer<'_, Result<(Registrations, Effect), Refusal>> {
        answer(
            self.ledger()
                .replace_registration(&client_id, &target, wish, now),
        )
    }

    fn delete_registration(
        &self,
        client_id: ClientId,
        target: Target,
        now: Timestamp,
    ) -> Answer<'_, Result<Effect, Refusal>> {
        answer(self.ledger().delete_registration(&client_id, &target, now))
    }

    fn remove_registration(
        &self,
        actor: Actor,
        client_id: ClientId,
        kind: Kind,
        now: Timestamp,
    ) -> Answer<'_, Result<Effect, Refusal>> {
        answer(
            self.ledger()
                .remove_registration(&actor, &client_id, kind, now),
        )
    }

    fn accept(&self, batch: Vec<Submission>, now: Timestamp) -> Answer<'_, Vec<Acceptance>> {
        checked(self.ledger().accept(batch, now))
    }

    fn poll(&self, poll: Poll, now: Timestamp) -> Answer<'_, Polled> {
        answer(self.ledger().poll(&poll, now))
    }

    fn due_for_push(
        &self,
        claim: Claim,
        client_id: ClientId,
        look: Look,
        now: Timestamp,
    ) -> Answer<'_, Option<DueForPush>> {
        let mut ledger = self.ledger();
        answer(ledger.due_for_push(&claim, &client_id, look, (now, self.lease_clock.now())))
    }

    fn keep_sets(&self, signed: Vec<Signed>, now: Timestamp) -> Answer<'_, Vec<Kept>> {
        answer(self.ledger().keep_sets(signed, now))
    }

    fn recheck(
        &self,
        claim: Option<Claim>,
        client_id: ClientId,
        jtis: Vec<Jti>,
    ) -> Answer<'_, Option<Vec<Kept>>> {
        let clock = self.lease_clock.now();
        checked(
            self.ledger()
                .recheck(claim.as_ref(), &client_id, &jtis, clock),
        )
    }

    fn record_attempts(
        &self,
        client_id: ClientId,
        attempts: Vec<Ended>,
        now: Timestamp,
    ) -> Answer<'_, Vec<Recorded>> {
        answer(self.ledger().record_attempts(&client_id, attempts, now))
    }

    fn put_back(
        &self,
        client_id: ClientId,
        choices: Vec<Choice>,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        answer(self.ledger().put_back(&client_id, &choices, now))
    }

    fn withdraw(
        &self,
        actor: Actor,
        client_id: ClientId,
        jtis: Vec<Jti>,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        answer(self.ledger().withdraw(&actor, &client_id, &jtis, now))
    }

    fn retry_pushes(
        &self,
        actor: Actor,
        client_id: ClientId,
        jtis: Vec<Jti>,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        answer(self.ledger().retry_pushes(&actor, &client_id, &jtis, now))
    }

    fn requeue_failed(
        &self,
        actor: Actor,
        client_id: ClientId,
        accepted: Range<Timestamp>,
        events_max: u32,
        now: Timestamp,
    ) -> Answer<'_, Vec<Jti>> {
        answer(
            self.ledger()
                .requeue_failed(&actor, &client_id, &accepted, events_max, now),
        )
    }

    fn disown_key(&self, actor: Actor, kid: String, now: Timestamp) -> Answer<'_, u64> {
        answer(self.ledger().disown_key(actor, &kid, now))
    }

    fn keys_in_use(&self) -> Answer<'_, Vec<KeyUse>> {
        answer(self.ledger().keys_in_use())
    }

    fn hold_lease(
        &self,
        node_id: NodeId,
        renew: Option<u64>,
        ttl: Duration,
    ) -> Answer<'_, Option<Lease>> {
        answer(
            self.ledger()
                .hold_lease(node_id, renew, ttl, self.lease_clock.now()),
        )
    }

    fn release_lease(&self, lease: Lease) -> Answer<'_, ()> {
        self.ledger().release_lease(&lease);
        answer(())
    }

    fn claim_lanes(
        &self,
        lease: Lease,
        wanted: Wanted,
        lanes_max: u32,
        now: Timestamp,
    ) -> Answer<'_, Vec<Lane>> {
        answer(
            self.ledger()
                .claim_lanes(&lease, wanted, lanes_max, (now, self.lease_clock.now())),
        )
    }

    /// A model is of one process.
    fn attend(&self, _: NodeId, _: Duration) -> Answer<'_, NonZeroU32> {
        answer(NonZeroU32::MIN)
    }

    fn report_lanes(
        &self,
        lease: Lease,
        reports: Vec<LaneReport>,
        now: Timestamp,
    ) -> Answer<'_, Vec<Reported>> {
        let at = (now, self.lease_clock.now());
        answer(self.ledger().report_lanes(&lease, reports, at))
    }

    fn find_lane(&self, client_id: ClientId) -> Answer<'_, Option<Lane>> {
        answer(self.ledger().find_lane(&client_id))
    }

    fn list_lanes(
        &self,
        filter: LaneFilter,
        after: Option<ClientId>,
        rows_max: u32,
    ) -> Answer<'_, Page<LaneStatus, ClientId>> {
        let ledger = self.ledger();
        answer(ledger.list_lanes(filter, after.as_ref(), rows_max, self.lease_clock.now()))
    }

    fn lane_totals(&self) -> Answer<'_, LaneTotals> {
        answer(self.ledger().lane_totals())
    }

    fn pause_endpoint(
        &self,
        actor: Actor,
        client_id: ClientId,
        now: Timestamp,
    ) -> Answer<'_, bool> {
        answer(self.ledger().pause_endpoint(actor, &client_id, now))
    }

    fn resume_endpoint(
        &self,
        actor: Actor,
        client_id: ClientId,
        now: Timestamp,
    ) -> Answer<'_, bool> {
        answer(self.ledger().resume_endpoint(actor, &client_id, now))
    }

    fn listen(&self, listener: Weak<dyn Listen>) {
        self.listeners.add(listener);
    }

    fn find_event(&self, jti: Jti) -> Answer<'_, Option<EventFile>> {
        answer(self.ledger().find_event(jti))
    }

    fn list_events(
        &self,
        filter: EventFilter,
        before: Option<Jti>,
        rows_max: u32,
    ) -> Answer<'_, Page<EventSummary, Jti>> {
        answer(self.ledger().list_events(&filter, before, rows_max))
    }

    fn counts(&self, client_id: ClientId) -> Answer<'_, Counts> {
        answer(self.ledger().counts(&client_id))
    }

    fn minutes(
        &self,
        client_id: Option<ClientId>,
        range: Range<Timestamp>,
    ) -> Answer<'_, Vec<Minute>> {
        answer(self.ledger().minutes(client_id.as_ref(), &range))
    }

    fn note_requests(&self, requests: Vec<Request>) -> Answer<'_, ()> {
        self.ledger().note_requests(requests);
        answer(())
    }

    fn list_requests(&self, client_id: ClientId, rows_max: u32) -> Answer<'_, Vec<Request>> {
        answer(self.ledger().list_requests(&client_id, rows_max))
    }

    fn health_history(&self, client_id: ClientId, rows_max: u32) -> Answer<'_, Vec<HealthChange>> {
        answer(self.ledger().health_history(&client_id, rows_max))
    }

    fn backlog(&self, client_id: ClientId, now: Timestamp) -> Answer<'_, Backlog> {
        answer(self.ledger().backlog(&client_id, now))
    }

    fn list_audit(
        &self,
        client_id: Option<ClientId>,
        before: Option<u64>,
        rows_max: u32,
    ) -> Answer<'_, Page<AuditEntry, u64>> {
        answer(
            self.ledger()
                .list_audit(client_id.as_ref(), before, rows_max),
        )
    }

    fn read_chain(
        &self,
        client_id: Option<ClientId>,
        after: u64,
        rows_max: u32,
    ) -> Answer<'_, Page<AuditEntry, u64>> {
        answer(
            self.ledger()
                .read_chain(client_id.as_ref(), after, rows_max),
        )
    }

    fn chain_heads(&self, after: Option<ClientId>, rows_max: u32) -> Answer<'_, Heads> {
        answer(self.ledger().chain_heads(after.as_ref(), rows_max))
    }

    fn prove_writable(&self) -> Answer<'_, ()> {
        answer(())
    }

    fn expire(
        &self,
        accepted_before: Timestamp,
        events_max: u32,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        answer(self.ledger().expire(accepted_before, events_max, now))
    }

    fn sweep(&self, retention: Retention, now: Timestamp) -> Answer<'_, Swept> {
        answer(self.ledger().sweep(retention, now))
    }
}
