//! The trait's methods: each one line, to the line of its kind, or to a transaction or a session of its own.

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
use oyez_domain::ledger::poll::{Poll, Polled};
use oyez_domain::ledger::push::{Choice, DueForPush, Ended, Recorded};
use oyez_domain::ledger::registering::{Effect, Kind, Refusal, Target, Wish};
use oyez_domain::ledger::sets::{Kept, KeyUse, Look, Signed};
use oyez_domain::registration::Registrations;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{Profile, Standing, Tpp};
use oyez_domain::version::ApiVersion;

use super::Ledger;
use crate::{Answer, Error, Listen, Store};

impl Ledger {
    /// On this branch only.
    async fn not_yet<T>(&self) -> Result<T, Error> {
        Err(Error::Unavailable {
            detail: "not written yet".to_owned(),
        })
    }
}

impl Store for Ledger {
    fn register_tpp(
        &self,
        actor: Actor,
        client_id: ClientId,
        profile: Profile,
        now: Timestamp,
    ) -> Answer<'_, Option<Tpp>> {
        Box::pin(self.not_yet())
    }

    fn change_tpp(
        &self,
        actor: Actor,
        client_id: ClientId,
        profile: Profile,
        now: Timestamp,
    ) -> Answer<'_, Option<Tpp>> {
        Box::pin(self.not_yet())
    }

    fn set_standing(
        &self,
        actor: Actor,
        client_id: ClientId,
        standing: Standing,
        now: Timestamp,
    ) -> Answer<'_, Option<Tpp>> {
        Box::pin(self.not_yet())
    }

    fn find_tpp(&self, client_id: ClientId) -> Answer<'_, Option<Tpp>> {
        Box::pin(self.not_yet())
    }

    fn list_tpps(&self, after: Option<ClientId>, rows_max: u32) -> Answer<'_, Page<Tpp, ClientId>> {
        Box::pin(self.not_yet())
    }

    fn registrations(&self, client_id: ClientId) -> Answer<'_, Registrations> {
        Box::pin(self.not_yet())
    }

    fn create_registration(
        &self,
        client_id: ClientId,
        id: RegistrationId,
        wish: Wish,
        api: ApiVersion,
        now: Timestamp,
    ) -> Answer<'_, Result<Registrations, Refusal>> {
        Box::pin(self.not_yet())
    }

    fn replace_registration(
        &self,
        client_id: ClientId,
        target: Target,
        wish: Wish,
        now: Timestamp,
    ) -> Answer<'_, Result<(Registrations, Effect), Refusal>> {
        Box::pin(self.not_yet())
    }

    fn delete_registration(
        &self,
        client_id: ClientId,
        target: Target,
        now: Timestamp,
    ) -> Answer<'_, Result<Effect, Refusal>> {
        Box::pin(self.not_yet())
    }

    fn remove_registration(
        &self,
        actor: Actor,
        client_id: ClientId,
        kind: Kind,
        now: Timestamp,
    ) -> Answer<'_, Result<Effect, Refusal>> {
        Box::pin(self.not_yet())
    }

    fn accept(&self, batch: Vec<Submission>, now: Timestamp) -> Answer<'_, Vec<Acceptance>> {
        Box::pin(self.not_yet())
    }

    fn poll(&self, poll: Poll, now: Timestamp) -> Answer<'_, Polled> {
        Box::pin(self.not_yet())
    }

    fn due_for_push(
        &self,
        claim: Claim,
        client_id: ClientId,
        look: Look,
        now: Timestamp,
    ) -> Answer<'_, Option<DueForPush>> {
        Box::pin(self.not_yet())
    }

    fn keep_sets(&self, signed: Vec<Signed>, now: Timestamp) -> Answer<'_, Vec<Kept>> {
        Box::pin(self.not_yet())
    }

    fn recheck(
        &self,
        claim: Option<Claim>,
        client_id: ClientId,
        jtis: Vec<Jti>,
    ) -> Answer<'_, Option<Vec<Kept>>> {
        Box::pin(self.not_yet())
    }

    fn record_attempts(
        &self,
        client_id: ClientId,
        attempts: Vec<Ended>,
        now: Timestamp,
    ) -> Answer<'_, Vec<Recorded>> {
        Box::pin(self.not_yet())
    }

    fn put_back(
        &self,
        client_id: ClientId,
        choices: Vec<Choice>,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        Box::pin(self.not_yet())
    }

    fn withdraw(
        &self,
        actor: Actor,
        client_id: ClientId,
        jtis: Vec<Jti>,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        Box::pin(self.not_yet())
    }

    fn retry_pushes(
        &self,
        actor: Actor,
        client_id: ClientId,
        jtis: Vec<Jti>,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        Box::pin(self.not_yet())
    }

    fn requeue_failed(
        &self,
        actor: Actor,
        client_id: ClientId,
        accepted: Range<Timestamp>,
        events_max: u32,
        now: Timestamp,
    ) -> Answer<'_, Vec<Jti>> {
        Box::pin(self.not_yet())
    }

    fn disown_key(&self, actor: Actor, kid: String, now: Timestamp) -> Answer<'_, u64> {
        Box::pin(self.not_yet())
    }

    fn keys_in_use(&self) -> Answer<'_, Vec<KeyUse>> {
        Box::pin(self.not_yet())
    }

    fn hold_lease(
        &self,
        node_id: NodeId,
        renew: Option<u64>,
        ttl: Duration,
    ) -> Answer<'_, Option<Lease>> {
        Box::pin(self.not_yet())
    }

    fn release_lease(&self, lease: Lease) -> Answer<'_, ()> {
        Box::pin(self.not_yet())
    }

    fn claim_lanes(
        &self,
        lease: Lease,
        wanted: Wanted,
        lanes_max: u32,
        now: Timestamp,
    ) -> Answer<'_, Vec<Lane>> {
        Box::pin(self.not_yet())
    }

    fn report_lanes(&self, lease: Lease, reports: Vec<LaneReport>) -> Answer<'_, Vec<Reported>> {
        Box::pin(self.not_yet())
    }

    fn find_lane(&self, client_id: ClientId) -> Answer<'_, Option<Lane>> {
        Box::pin(self.not_yet())
    }

    fn list_lanes(
        &self,
        filter: LaneFilter,
        after: Option<ClientId>,
        rows_max: u32,
    ) -> Answer<'_, Page<LaneStatus, ClientId>> {
        Box::pin(self.not_yet())
    }

    fn lane_totals(&self) -> Answer<'_, LaneTotals> {
        Box::pin(self.not_yet())
    }

    fn pause_endpoint(
        &self,
        actor: Actor,
        client_id: ClientId,
        now: Timestamp,
    ) -> Answer<'_, bool> {
        Box::pin(self.not_yet())
    }

    fn resume_endpoint(
        &self,
        actor: Actor,
        client_id: ClientId,
        now: Timestamp,
    ) -> Answer<'_, bool> {
        Box::pin(self.not_yet())
    }

    fn listen(&self, listener: Weak<dyn Listen>) {
        self.shared.listeners.add(listener);
    }

    fn find_event(&self, jti: Jti) -> Answer<'_, Option<EventFile>> {
        Box::pin(self.not_yet())
    }

    fn list_events(
        &self,
        filter: EventFilter,
        before: Option<Jti>,
        rows_max: u32,
    ) -> Answer<'_, Page<EventSummary, Jti>> {
        Box::pin(self.not_yet())
    }

    fn counts(&self, client_id: ClientId) -> Answer<'_, Counts> {
        Box::pin(self.not_yet())
    }

    fn minutes(
        &self,
        client_id: Option<ClientId>,
        range: Range<Timestamp>,
    ) -> Answer<'_, Vec<Minute>> {
        Box::pin(self.not_yet())
    }

    fn list_audit(
        &self,
        client_id: Option<ClientId>,
        before: Option<u64>,
        rows_max: u32,
    ) -> Answer<'_, Page<AuditEntry, u64>> {
        Box::pin(self.not_yet())
    }

    fn prove_writable(&self) -> Answer<'_, ()> {
        Box::pin(self.not_yet())
    }

    fn expire(
        &self,
        accepted_before: Timestamp,
        events_max: u32,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        Box::pin(self.not_yet())
    }

    fn sweep(&self, retention: Retention, now: Timestamp) -> Answer<'_, Swept> {
        Box::pin(self.not_yet())
    }
}
