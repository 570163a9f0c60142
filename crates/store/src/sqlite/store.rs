//! The trait's methods: each one line, to the writer or to a reader.

use std::future::ready;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Weak;
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

use super::{
    Ledger, accept, attempts, audit, claims, endpoints, event_list, history, keys, lanes, leases,
    migrations, overview, poll, push, registrations, requeue, retention, sets, tpps, withdraw,
};
use crate::{Answer, Listen, Store};

impl Store for Ledger {
    fn register_tpp(
        &self,
        actor: Actor,
        client_id: ClientId,
        profile: Profile,
        now: Timestamp,
    ) -> Answer<'_, Option<Tpp>> {
        Box::pin(self.write(move |unit| tpps::register(unit, &actor, &client_id, &profile, now)))
    }

    fn change_tpp(
        &self,
        actor: Actor,
        client_id: ClientId,
        profile: Profile,
        now: Timestamp,
    ) -> Answer<'_, Option<Tpp>> {
        Box::pin(self.write(move |unit| tpps::change(unit, &actor, &client_id, &profile, now)))
    }

    fn set_standing(
        &self,
        actor: Actor,
        client_id: ClientId,
        standing: Standing,
        now: Timestamp,
    ) -> Answer<'_, Option<Tpp>> {
        Box::pin(
            self.write(move |unit| tpps::set_standing(unit, &actor, &client_id, &standing, now)),
        )
    }

    fn find_tpp(&self, client_id: ClientId) -> Answer<'_, Option<Tpp>> {
        Box::pin(self.read(move |db| tpps::find(db, &client_id)))
    }

    fn list_tpps(&self, after: Option<ClientId>, rows_max: u32) -> Answer<'_, Page<Tpp, ClientId>> {
        Box::pin(self.read(move |db| tpps::list(db, after.as_ref(), rows_max)))
    }

    fn registrations(&self, client_id: ClientId) -> Answer<'_, Registrations> {
        Box::pin(self.read(move |db| registrations::find(db, &client_id)))
    }

    fn create_registration(
        &self,
        client_id: ClientId,
        id: RegistrationId,
        wish: Wish,
        api: ApiVersion,
        now: Timestamp,
    ) -> Answer<'_, Result<Registrations, Refusal>> {
        Box::pin(
            self.write(move |unit| registrations::create(unit, &client_id, &id, &wish, api, now)),
        )
    }

    fn replace_registration(
        &self,
        client_id: ClientId,
        target: Target,
        wish: Wish,
        now: Timestamp,
    ) -> Answer<'_, Result<(Registrations, Effect), Refusal>> {
        Box::pin(
            self.write(move |unit| registrations::replace(unit, &client_id, &target, &wish, now)),
        )
    }

    fn delete_registration(
        &self,
        client_id: ClientId,
        target: Target,
        now: Timestamp,
    ) -> Answer<'_, Result<Effect, Refusal>> {
        Box::pin(self.write(move |unit| registrations::delete(unit, &client_id, &target, now)))
    }

    fn remove_registration(
        &self,
        actor: Actor,
        client_id: ClientId,
        kind: Kind,
        now: Timestamp,
    ) -> Answer<'_, Result<Effect, Refusal>> {
        Box::pin(self.write(move |unit| registrations::remove(unit, &actor, &client_id, kind, now)))
    }

    fn accept(&self, batch: Vec<Submission>, now: Timestamp) -> Answer<'_, Vec<Acceptance>> {
        Box::pin(self.write(move |unit| accept::accept(unit, &batch, now)))
    }

    fn poll(&self, poll: Poll, now: Timestamp) -> Answer<'_, Polled> {
        Box::pin(self.write(move |unit| poll::poll(unit, &poll, now)))
    }

    fn due_for_push(
        &self,
        claim: Claim,
        client_id: ClientId,
        look: Look,
        now: Timestamp,
    ) -> Answer<'_, Option<DueForPush>> {
        Box::pin(self.write(move |unit| push::due(unit, &claim, &client_id, look, now)))
    }

    fn keep_sets(&self, signed: Vec<Signed>, now: Timestamp) -> Answer<'_, Vec<Kept>> {
        Box::pin(self.write(move |unit| sets::keep(unit, &signed, now)))
    }

    fn recheck(
        &self,
        claim: Option<Claim>,
        client_id: ClientId,
        jtis: Vec<Jti>,
    ) -> Answer<'_, Option<Vec<Kept>>> {
        Box::pin(self.write(move |unit| sets::recheck(unit, claim.as_ref(), &client_id, &jtis)))
    }

    fn record_attempts(
        &self,
        client_id: ClientId,
        attempts: Vec<Ended>,
        now: Timestamp,
    ) -> Answer<'_, Vec<Recorded>> {
        Box::pin(self.write(move |unit| attempts::record(unit, &client_id, &attempts, now)))
    }

    fn put_back(
        &self,
        client_id: ClientId,
        choices: Vec<Choice>,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        Box::pin(self.write(move |unit| push::put_back(unit, &client_id, &choices, now)))
    }

    fn withdraw(
        &self,
        actor: Actor,
        client_id: ClientId,
        jtis: Vec<Jti>,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        Box::pin(self.write(move |unit| withdraw::named(unit, &actor, &client_id, &jtis, now)))
    }

    fn retry_pushes(
        &self,
        actor: Actor,
        client_id: ClientId,
        jtis: Vec<Jti>,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        Box::pin(
            self.write(move |unit| requeue::retry_pushes(unit, &actor, &client_id, &jtis, now)),
        )
    }

    fn requeue_failed(
        &self,
        actor: Actor,
        client_id: ClientId,
        accepted: Range<Timestamp>,
        events_max: u32,
        now: Timestamp,
    ) -> Answer<'_, Vec<Jti>> {
        Box::pin(self.write(move |unit| {
            requeue::requeue_failed(unit, &actor, &client_id, &accepted, events_max, now)
        }))
    }

    fn disown_key(&self, actor: Actor, kid: String, now: Timestamp) -> Answer<'_, u64> {
        Box::pin(self.write(move |unit| keys::disown(unit, &actor, &kid, now)))
    }

    fn keys_in_use(&self) -> Answer<'_, Vec<KeyUse>> {
        Box::pin(self.read(keys::in_use))
    }

    fn hold_lease(
        &self,
        node_id: NodeId,
        renew: Option<u64>,
        ttl: Duration,
    ) -> Answer<'_, Option<Lease>> {
        Box::pin(self.write(move |unit| leases::hold(unit, &node_id, renew, ttl)))
    }

    fn release_lease(&self, lease: Lease) -> Answer<'_, ()> {
        Box::pin(self.write(move |unit| leases::release(unit, &lease)))
    }

    fn claim_lanes(
        &self,
        lease: Lease,
        wanted: Wanted,
        lanes_max: u32,
        now: Timestamp,
    ) -> Answer<'_, Vec<Lane>> {
        Box::pin(self.write(move |unit| claims::claim(unit, &lease, wanted, lanes_max, now)))
    }

    /// There is one process, and one clock.
    fn attend(&self, _: NodeId, _: Duration) -> Answer<'_, NonZeroU32> {
        Box::pin(ready(Ok(NonZeroU32::MIN)))
    }

    fn report_lanes(
        &self,
        lease: Lease,
        reports: Vec<LaneReport>,
        now: Timestamp,
    ) -> Answer<'_, Vec<Reported>> {
        Box::pin(self.write(move |unit| lanes::report(unit, &lease, &reports, now)))
    }

    fn find_lane(&self, client_id: ClientId) -> Answer<'_, Option<Lane>> {
        Box::pin(self.read(move |db| lanes::find(db, &client_id)))
    }

    fn list_lanes(
        &self,
        filter: LaneFilter,
        after: Option<ClientId>,
        rows_max: u32,
    ) -> Answer<'_, Page<LaneStatus, ClientId>> {
        Box::pin(self.read(move |db| lanes::list(db, filter, after.as_ref(), rows_max)))
    }

    fn lane_totals(&self) -> Answer<'_, LaneTotals> {
        Box::pin(self.read(lanes::totals))
    }

    fn pause_endpoint(
        &self,
        actor: Actor,
        client_id: ClientId,
        now: Timestamp,
    ) -> Answer<'_, bool> {
        Box::pin(self.write(move |unit| endpoints::pause(unit, &actor, &client_id, now)))
    }

    fn resume_endpoint(
        &self,
        actor: Actor,
        client_id: ClientId,
        now: Timestamp,
    ) -> Answer<'_, bool> {
        Box::pin(self.write(move |unit| endpoints::resume(unit, &actor, &client_id, now)))
    }

    fn listen(&self, listener: Weak<dyn Listen>) {
        self.listeners.add(listener);
    }

    fn find_event(&self, jti: Jti) -> Answer<'_, Option<EventFile>> {
        Box::pin(self.read(move |db| history::find_event(db, jti)))
    }

    fn list_events(
        &self,
        filter: EventFilter,
        before: Option<Jti>,
        rows_max: u32,
    ) -> Answer<'_, Page<EventSummary, Jti>> {
        Box::pin(self.read(move |db| event_list::list(db, &filter, before, rows_max)))
    }

    fn counts(&self, client_id: ClientId) -> Answer<'_, Counts> {
        Box::pin(self.read(move |db| history::counts(db, &client_id)))
    }

    fn minutes(
        &self,
        client_id: Option<ClientId>,
        range: Range<Timestamp>,
    ) -> Answer<'_, Vec<Minute>> {
        Box::pin(self.read(move |db| history::minutes(db, client_id.as_ref(), &range)))
    }

    fn note_requests(&self, requests: Vec<Request>) -> Answer<'_, ()> {
        Box::pin(self.write(move |unit| overview::note_requests(unit, &requests)))
    }

    fn list_requests(&self, client_id: ClientId, rows_max: u32) -> Answer<'_, Vec<Request>> {
        Box::pin(self.read(move |db| overview::requests(db, &client_id, rows_max)))
    }

    fn health_history(&self, client_id: ClientId, rows_max: u32) -> Answer<'_, Vec<HealthChange>> {
        Box::pin(self.read(move |db| overview::health_history(db, &client_id, rows_max)))
    }

    fn backlog(&self, client_id: ClientId, now: Timestamp) -> Answer<'_, Backlog> {
        Box::pin(self.read(move |db| overview::backlog(db, &client_id, now)))
    }

    fn list_audit(
        &self,
        client_id: Option<ClientId>,
        before: Option<u64>,
        rows_max: u32,
    ) -> Answer<'_, Page<AuditEntry, u64>> {
        Box::pin(self.read(move |db| audit::list(db, client_id.as_ref(), before, rows_max)))
    }

    fn read_chain(
        &self,
        client_id: Option<ClientId>,
        after: u64,
        rows_max: u32,
    ) -> Answer<'_, Page<AuditEntry, u64>> {
        Box::pin(self.read(move |db| audit::chain(db, client_id.as_ref(), after, rows_max)))
    }

    fn chain_heads(&self, after: Option<ClientId>, rows_max: u32) -> Answer<'_, Heads> {
        Box::pin(self.read(move |db| audit::heads(db, after.as_ref(), rows_max)))
    }

    fn prove_writable(&self) -> Answer<'_, ()> {
        // SQLite writes a header's field though it says the same already.
        Box::pin(self.write(|unit| {
            let id = migrations::APPLICATION_ID;
            Ok(unit.db.pragma_update(None, "application_id", id)?)
        }))
    }

    fn expire(
        &self,
        accepted_before: Timestamp,
        events_max: u32,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        Box::pin(self.write(move |unit| retention::expire(unit, accepted_before, events_max, now)))
    }

    fn sweep(&self, retention: Retention, now: Timestamp) -> Answer<'_, Swept> {
        Box::pin(self.write(move |unit| retention::sweep(unit, retention, now)))
    }
}
