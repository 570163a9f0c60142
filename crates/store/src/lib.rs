//! The ledger: what must not be lost, asked and answered in the words of the business.
//!
//! One method is one atomic unit. No transaction and no connection crosses the trait, and nothing here waits for the
//! network or signs. Every method that changes something takes the moment it happens at; leases alone go by the database's
//! clock, since they compare nodes.
//!
//! Hot rules (choose, count, settle) are single statements; cold ones (registrations) are functions of `oyez_domain` called
//! between a read and a write under the TPP's lock. `oyez_domain::model` plays the same histories in memory, and one contract
//! suite holds every backend to both.

mod codes;
pub mod copy;
mod error;
mod health;
pub mod measured;
mod methods;
mod news;
mod newsboard;
mod page;
pub mod postgres;
pub mod rehearsal;
pub mod sqlite;
mod tally;
mod trail;

use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
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

pub use error::Error;
pub use news::{Awaited, Listen, Listeners, News};

/// A method's answer on its way.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// The ledger. See each method for the sentence it makes true.
///
/// A request that was queued completes though its caller is gone. Under group commit a failed commit fails every request in
/// the group, and none of them happened.
pub trait Store: Send + Sync + 'static {
    // --- TPPs (I-04, A-09)

    /// Makes a TPP known. `None` if the client_id is taken.
    fn register_tpp(
        &self,
        actor: Actor,
        client_id: ClientId,
        profile: Profile,
        now: Timestamp,
    ) -> Answer<'_, Option<Tpp>>;

    /// Replaces what an operator may change of a TPP. `None` if it is not known.
    fn change_tpp(
        &self,
        actor: Actor,
        client_id: ClientId,
        profile: Profile,
        now: Timestamp,
    ) -> Answer<'_, Option<Tpp>>;

    /// Serves a TPP or stops serving it. `None` if it is not known.
    fn set_standing(
        &self,
        actor: Actor,
        client_id: ClientId,
        standing: Standing,
        now: Timestamp,
    ) -> Answer<'_, Option<Tpp>>;

    /// One TPP.
    fn find_tpp(&self, client_id: ClientId) -> Answer<'_, Option<Tpp>>;

    /// TPPs by client_id, those after `after`.
    fn list_tpps(&self, after: Option<ClientId>, rows_max: u32) -> Answer<'_, Page<Tpp, ClientId>>;

    // --- registrations (S, C)

    /// What a TPP has registered; empty if it is not known.
    fn registrations(&self, client_id: ClientId) -> Answer<'_, Registrations>;

    /// Registers (S-01, S-02, C-01, C-02).
    fn create_registration(
        &self,
        client_id: ClientId,
        id: RegistrationId,
        wish: Wish,
        api: oyez_domain::version::ApiVersion,
        now: Timestamp,
    ) -> Answer<'_, Result<Registrations, Refusal>>;

    /// Replaces a registration whole and resumes a TPP's pushes (S-04, S-12, D-06, D-07).
    fn replace_registration(
        &self,
        client_id: ClientId,
        target: Target,
        wish: Wish,
        now: Timestamp,
    ) -> Answer<'_, Result<(Registrations, Effect), Refusal>>;

    /// Removes a registration and withdraws what only it wanted (S-05, C-07a, C-08).
    fn delete_registration(
        &self,
        client_id: ClientId,
        target: Target,
        now: Timestamp,
    ) -> Answer<'_, Result<Effect, Refusal>>;

    /// As [`Store::delete_registration`], by an operator, whatever its version (I-04).
    fn remove_registration(
        &self,
        actor: Actor,
        client_id: ClientId,
        kind: Kind,
        now: Timestamp,
    ) -> Answer<'_, Result<Effect, Refusal>>;

    // --- events

    /// Takes a batch in; one outcome per item, in order (I-01, I-02).
    fn accept(&self, batch: Vec<Submission>, now: Timestamp) -> Answer<'_, Vec<Acceptance>>;

    /// Applies a poll's acknowledgements and errors, then chooses (P-02 … P-14).
    fn poll(&self, poll: Poll, now: Timestamp) -> Answer<'_, Polled>;

    /// Chooses work for pushing to one TPP (D-10, P-14). `None`: the lane is not this claim's, or not any more; nothing was
    /// chosen. An owner finds out so that something it has read of the TPP is out of date.
    fn due_for_push(
        &self,
        claim: Claim,
        client_id: ClientId,
        look: Look,
        now: Timestamp,
    ) -> Answer<'_, Option<DueForPush>>;

    /// Makes SETs durable before they are sent, and checks once more that their events are outstanding; one outcome per SET,
    /// in order (P-09, P-14).
    fn keep_sets(&self, signed: Vec<Signed>, now: Timestamp) -> Answer<'_, Vec<Kept>>;

    /// Checks again that events whose SETs were kept earlier are still outstanding, before a retry or a late hand-out; one
    /// outcome per jti, in order (P-14). [`Kept::ChooseAgain`]: the key was disowned, and nobody has signed anew yet. Who pushes
    /// names its claim, and gets `None` as from [`Store::due_for_push`]; polls have none.
    fn recheck(
        &self,
        claim: Option<Claim>,
        client_id: ClientId,
        jtis: Vec<Jti>,
    ) -> Answer<'_, Option<Vec<Kept>>>;

    /// Records ended attempts and applies their verdicts; one outcome per attempt, in order (D-02 … D-07, D-14). Where the
    /// event's counters began anew while the attempt was made, its failure is recorded and not charged. A failure ends the
    /// flight of its own choice and no other's; an acknowledgement always counts. What is asked again after its answer was
    /// lost is applied once.
    fn record_attempts(
        &self,
        client_id: ClientId,
        attempts: Vec<Ended>,
        now: Timestamp,
    ) -> Answer<'_, Vec<Recorded>>;

    /// Gives back what was chosen for pushing and not tried: due for polls at once, and for pushes in its old turn, but
    /// neither while a poll's hand-out holds it. What is not in flight by this choice any more stays as it is; answers how many
    /// flights ended (P-14).
    fn put_back(
        &self,
        client_id: ClientId,
        choices: Vec<Choice>,
        now: Timestamp,
    ) -> Answer<'_, u64>;

    /// Takes outstanding events back; answers how many were (I-04).
    fn withdraw(
        &self,
        actor: Actor,
        client_id: ClientId,
        jtis: Vec<Jti>,
        now: Timestamp,
    ) -> Answer<'_, u64>;

    /// Pushes outstanding events again in their old turn, poll-only ones too, their counters begun anew; answers how many
    /// (I-04, D-07). An endpoint that is held back stays so, and what a poll was handed waits for its acknowledgement.
    fn retry_pushes(
        &self,
        actor: Actor,
        client_id: ClientId,
        jtis: Vec<Jti>,
        now: Timestamp,
    ) -> Answer<'_, u64>;

    /// Makes failed events outstanding again, their counts begun anew: those of a TPP accepted in a range of time, at most
    /// `events_max` of the oldest; answers which (I-04).
    fn requeue_failed(
        &self,
        actor: Actor,
        client_id: ClientId,
        accepted: std::ops::Range<Timestamp>,
        events_max: u32,
        now: Timestamp,
    ) -> Answer<'_, Vec<Jti>>;

    // --- the bank's own keys (M-06)

    /// After a compromise: nothing that this key signed is sent any more. The SETs of its outstanding events, and of those
    /// set aside as failed, are superseded, so that they are signed anew when next chosen; answers how many. None of its
    /// SETs is kept from now on. A rare act: it looks at every outstanding event.
    fn disown_key(&self, actor: Actor, kid: String, now: Timestamp) -> Answer<'_, u64>;

    /// The keys whose SETs may still be sent, by kid: the others need not stay published. A rare question: it looks at
    /// every outstanding event.
    fn keys_in_use(&self) -> Answer<'_, Vec<KeyUse>>;

    // --- delivery

    /// A node takes or renews its place; `renew` names the epoch it holds. `None` if that epoch is over.
    fn hold_lease(
        &self,
        node_id: NodeId,
        renew: Option<u64>,
        ttl: Duration,
    ) -> Answer<'_, Option<Lease>>;

    /// A node says that it answers TPPs for so long from now; answers how many nodes do, itself among them. With no time at all
    /// it stops. A ledger of one process has one node (G-09).
    fn attend(&self, node_id: NodeId, ttl: Duration) -> Answer<'_, NonZeroU32>;

    /// A node leaves: its lanes are free at once.
    fn release_lease(&self, lease: Lease) -> Answer<'_, ()>;

    /// Claims free lanes, longest waiting first. A lane that is taken from its owner falls due at once, though it was claimed
    /// before its time.
    fn claim_lanes(
        &self,
        lease: Lease,
        wanted: Wanted,
        lanes_max: u32,
        now: Timestamp,
    ) -> Answer<'_, Vec<Lane>>;

    /// Writes back what a lane's owner learned; one outcome per report, in order. What a former claim has left is refused.
    /// The moments in them are by the clock that says `now`.
    fn report_lanes(
        &self,
        lease: Lease,
        reports: Vec<LaneReport>,
        now: Timestamp,
    ) -> Answer<'_, Vec<Reported>>;

    /// One lane's health, owned or not; `None` if the TPP never had one.
    fn find_lane(&self, client_id: ClientId) -> Answer<'_, Option<Lane>>;

    /// Lanes by client_id, those after `after`, owned or not (D-06).
    fn list_lanes(
        &self,
        filter: LaneFilter,
        after: Option<ClientId>,
        rows_max: u32,
    ) -> Answer<'_, Page<LaneStatus, ClientId>>;

    /// How many lanes there are of each health, and how much waits (D-06).
    fn lane_totals(&self) -> Answer<'_, LaneTotals>;

    /// An operator pauses an endpoint; `false` if the TPP is not known (I-04).
    fn pause_endpoint(&self, actor: Actor, client_id: ClientId, now: Timestamp)
    -> Answer<'_, bool>;

    /// An operator ends a pause or an outage; pushes begin anew for everything outstanding, poll-only ones too. `false` if
    /// the TPP is not known (I-04, D-06, D-07).
    fn resume_endpoint(
        &self,
        actor: Actor,
        client_id: ClientId,
        now: Timestamp,
    ) -> Answer<'_, bool>;

    // --- news

    /// Tells this listener what changes from now on, for as long as it lives: after each commit, before those who asked for it
    /// are answered; never of what was not committed (P-07, D-05).
    fn listen(&self, listener: Weak<dyn Listen>);

    // --- looking back (I-03)

    /// One event whole.
    fn find_event(&self, jti: Jti) -> Answer<'_, Option<EventFile>>;

    /// Events, newest first, those before `before`.
    fn list_events(
        &self,
        filter: EventFilter,
        before: Option<Jti>,
        rows_max: u32,
    ) -> Answer<'_, Page<EventSummary, Jti>>;

    /// Where a TPP's events stand; all zero if it is not known.
    fn counts(&self, client_id: ClientId) -> Answer<'_, Counts>;

    /// What happened for a TPP (or, without one, for all together) minute by minute; minutes without news are left out.
    fn minutes(
        &self,
        client_id: Option<ClientId>,
        range: std::ops::Range<Timestamp>,
    ) -> Answer<'_, Vec<Minute>>;

    /// Keeps what TPPs asked for, the last requests of each, so that whoever looks at any node sees them; those of TPPs that are
    /// not known are left out. It is no evidence: whoever notes may leave some out (I-03).
    fn note_requests(&self, requests: Vec<Request>) -> Answer<'_, ()>;

    /// A TPP's last requests, newest first.
    fn list_requests(&self, client_id: ClientId, rows_max: u32) -> Answer<'_, Vec<Request>>;

    /// How a TPP's endpoint fared, newest first.
    fn health_history(&self, client_id: ClientId, rows_max: u32) -> Answer<'_, Vec<HealthChange>>;

    /// What waits for a TPP, by its age; of a long queue the oldest are counted.
    fn backlog(&self, client_id: ClientId, now: Timestamp) -> Answer<'_, Backlog>;

    /// The audit trail, newest first, entries before `before` (I-05).
    fn list_audit(
        &self,
        client_id: Option<ClientId>,
        before: Option<u64>,
        rows_max: u32,
    ) -> Answer<'_, Page<AuditEntry, u64>>;

    /// One chain of the audit trail, oldest first, entries after `after`: a TPP's own, or without one the operators'. Entries of
    /// one chain become visible in their order, so nobody who goes on behind the last he saw misses one (I-05).
    fn read_chain(
        &self,
        client_id: Option<ClientId>,
        after: u64,
        rows_max: u32,
    ) -> Answer<'_, Page<AuditEntry, u64>>;

    /// Where the chains of the audit trail end: the operators', and those of TPPs by client_id, those after `after` (I-05).
    fn chain_heads(&self, after: Option<ClientId>, rows_max: u32) -> Answer<'_, Heads>;

    // --- how it is

    /// Writes what changes nothing, durably: what this says of the ledger holds for every other write.
    fn prove_writable(&self) -> Answer<'_, ()>;

    /// The moment by the clock that all processes of this ledger share; `None` where one process has it alone.
    fn shared_clock(&self) -> Answer<'_, Option<Timestamp>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    // --- time passes (I-06)

    /// Expires outstanding events accepted before a moment, a small batch of the oldest; answers how many.
    fn expire(
        &self,
        accepted_before: Timestamp,
        events_max: u32,
        now: Timestamp,
    ) -> Answer<'_, u64>;

    /// Removes what has been kept long enough, one small batch; call again while it removes something.
    fn sweep(&self, retention: Retention, now: Timestamp) -> Answer<'_, Swept>;
}
