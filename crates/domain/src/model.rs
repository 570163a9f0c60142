//! The ledger in memory, written to be obviously right: the yardstick that every real ledger is held to.
//!
//! Plain maps, everything found by looking at all of it, every order made by sorting. The requests and answers are those of
//! [`crate::ledger`], and each public method means what the ledger's method of the same name means. Random histories are
//! played against this and against a backend, and every answer is compared.
//!
//! Absent: durability, concurrency, speed, and a clock. Leases go by a moment that the caller passes.

mod accepting;
mod endpoints;
mod keeping;
mod keys;
mod lanes;
mod looking_back;
mod operating;
mod overview;
mod passing;
mod polling;
mod pushing;
mod registering;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::actor::Actor;
use crate::event::Notice;
use crate::ids::{ClientId, IdempotencyKey, Jti, NodeId};
use crate::ledger::history::{AuditEntry, Counts, HandOut, KeptSet, Minute, ReportedError};
use crate::ledger::lanes::HealthState;
use crate::ledger::news::News;
use crate::ledger::overview::{HealthChange, Request};
use crate::ledger::push::Attempt;
use crate::ledger::set_back::{self, Reading};
use crate::life::{self, Ending, Occurrence, Outcome, Settlement, State, Transition};
use crate::registration::Registrations;
use crate::routing;
use crate::rules::Rules;
use crate::time::Timestamp;
use crate::tpp::{DeliveryOrder, Tpp};

/// The ledger in memory.
#[derive(Debug, Clone)]
pub struct Ledger {
    rules: Arc<Rules>,
    tpps: BTreeMap<ClientId, TppRow>,
    events: BTreeMap<Jti, EventRow>,
    remembered: BTreeMap<(ClientId, IdempotencyKey), Remembered>,
    minutes: BTreeMap<(ClientId, Timestamp), Minute>,
    lanes: BTreeMap<ClientId, lanes::LaneRow>,
    leases: BTreeMap<NodeId, lanes::LeaseRow>,
    disowned_keys: BTreeSet<String>,
    audit: Vec<AuditEntry>,
    requests: BTreeMap<(ClientId, Timestamp, String), Request>,
    health_changes: BTreeMap<(ClientId, Timestamp, HealthState), HealthChange>,
    news: BTreeMap<ClientId, News>,
}

/// A request that contradicts what the ledger holds: a fault of the caller, and nothing of the request happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Contradiction(pub String);

/// One TPP with everything that its lock guards.
#[derive(Debug, Clone)]
struct TppRow {
    tpp: Tpp,
    registrations: Registrations,
    /// Grows with each change of the registrations.
    revision: u64,
    /// How many were ever accepted: the last position given.
    accepted: u64,
    /// The latest moment at which it was given events, as far as that was noted.
    seen_at: Timestamp,
    /// What retention has removed, so that counts balance.
    swept: Counts,
}

/// One event and everything that ever happened to it.
#[derive(Debug, Clone)]
struct EventRow {
    notice: Notice,
    /// Its place among all TPPs' events in the order of acceptance.
    number: u64,
    position: u64,
    accepted_at: Timestamp,
    /// `None` once it is settled.
    outstanding: Option<Outstanding>,
    /// The SET to send, once it is signed.
    set: Option<KeptSet>,
    /// Those it had before, whose keys were disowned (M-06).
    superseded: Vec<KeptSet>,
    hand_outs: Vec<HandOut>,
    errors: Vec<ReportedError>,
    attempts: Vec<Attempt>,
    settlements: Vec<Settlement>,
}

/// What changes while an event is outstanding.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outstanding {
    /// What polls go by.
    due_at: Timestamp,
    /// What pushes go by, whether or not there is an address; `None` when its pushes are used up (D-07).
    push_at: Option<Timestamp>,
    /// The end of the last poll hand-out's redelivery delay.
    polled_until: Timestamp,
    /// It was chosen for pushing, and nobody has said yet what came of it.
    flight: Option<Flight>,
    refusals: u32,
    refused_since: Option<Timestamp>,
    endpoint_failures: u32,
    errors: u32,
    hand_outs: u32,
}

/// A choice for pushing that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Flight {
    /// It is over then, whatever became of it.
    until: Timestamp,
    /// Counters began anew meanwhile: what comes of it is not charged any more.
    overtaken: bool,
}

/// An idempotency key that was used (I-02).
#[derive(Debug, Clone)]
struct Remembered {
    fingerprint: [u8; 32],
    jti: Jti,
    at: Timestamp,
}

impl Ledger {
    /// An empty ledger that goes by these rules.
    pub fn new(rules: Arc<Rules>) -> Self {
        Self {
            rules,
            tpps: BTreeMap::new(),
            events: BTreeMap::new(),
            remembered: BTreeMap::new(),
            minutes: BTreeMap::new(),
            lanes: BTreeMap::new(),
            leases: BTreeMap::new(),
            disowned_keys: BTreeSet::new(),
            audit: Vec::new(),
            requests: BTreeMap::new(),
            health_changes: BTreeMap::new(),
            news: BTreeMap::new(),
        }
    }

    /// The deployment's choices changed between two runs.
    pub fn goes_by(&mut self, rules: Arc<Rules>) {
        self.rules = rules;
    }

    /// What there is to tell since it was last asked for.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news).into_values().collect()
    }

    /// What there is to tell of a TPP, to be added to.
    fn news_of(&mut self, client_id: &ClientId) -> &mut News {
        let entry = self.news.entry(client_id.clone());
        entry.or_insert_with(|| News::of(client_id.clone()))
    }

    /// The outstanding events of a TPP in the order of acceptance.
    fn outstanding_of(&self, client_id: &ClientId) -> Vec<Jti> {
        let mut found: Vec<(u64, Jti)> = self
            .events
            .iter()
            .filter(|(_, event)| &event.notice.client_id == client_id)
            .filter(|(_, event)| event.outstanding.is_some())
            .map(|(jti, event)| (event.position, *jti))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, jti)| jti).collect()
    }

    /// The event, if it is this TPP's: nobody else's is ever looked at.
    fn own_event(&mut self, client_id: &ClientId, jti: Jti) -> Option<&mut EventRow> {
        self.events
            .get_mut(&jti)
            .filter(|event| &event.notice.client_id == client_id)
    }

    fn event(&mut self, jti: Jti) -> &mut EventRow {
        self.events
            .get_mut(&jti)
            .expect("its jti was read from the ledger just now")
    }

    fn outstanding(&mut self, jti: Jti) -> &mut Outstanding {
        let event = self.event(jti);
        event
            .outstanding
            .as_mut()
            .expect("it was chosen among the outstanding just now")
    }

    /// Ends an event, or moves a failed one to another end, if the life of an event says so; answers whether it did.
    fn settle(&mut self, jti: Jti, occurrence: Occurrence, actor: Actor, now: Timestamp) -> bool {
        let event = self.event(jti);
        let Transition::Settles(outcome) = life::step(event.settled(), occurrence) else {
            return false;
        };
        let was_outstanding = event.outstanding.take().is_some();
        event.settlements.push(Settlement {
            outcome,
            actor,
            at: now,
        });
        let client_id = event.notice.client_id.clone();
        let minute = self.minute(&client_id, now);
        match outcome.ending() {
            Ending::Acknowledged => minute.acknowledged += 1,
            Ending::Failed => minute.failed += 1,
            Ending::Expired => minute.expired += 1,
            Ending::Withdrawn => minute.withdrawn += 1,
        }
        if was_outstanding {
            self.news_of(&client_id).ends = true;
            self.next_in_line(&client_id, now);
        }
        true
    }

    /// In strict order an end is news for the lane, if there is one: what stood behind the oldest may go now (D-10).
    fn next_in_line(&mut self, client_id: &ClientId, now: Timestamp) {
        let row = &self.tpps[client_id];
        let is_pushed = routing::push_address(&self.rules, &row.registrations).is_some();
        let in_order = self.rules.order_of(&row.tpp.profile) == DeliveryOrder::Strict;
        if is_pushed && in_order && self.lanes.contains_key(client_id) {
            self.news(client_id, now);
        }
    }

    /// Notes when a TPP asks for events; moves back what holds them if the clock was, and tells those who wait by the old one.
    fn note_the_clock(&mut self, client_id: &ClientId, now: Timestamp) {
        let row = self.tpps.get_mut(client_id);
        let seen_at = &mut row.expect("the caller found it").seen_at;
        let reading = set_back::read(now, *seen_at);
        if reading != Reading::Usual {
            *seen_at = now;
        }
        if let Reading::SetBack { by } = reading {
            for jti in self.outstanding_of(client_id) {
                let event = self.event(jti);
                if let Some(outstanding) = &mut event.outstanding {
                    outstanding.move_back(event.accepted_at, by, now);
                }
            }
            self.news_of(client_id).polls = true;
            self.news_if_pushable(client_id, now);
        }
    }

    fn minute(&mut self, client_id: &ClientId, now: Timestamp) -> &mut Minute {
        let minute = now.minute();
        let row = self.minutes.entry((client_id.clone(), minute)).or_default();
        row.minute = minute;
        row
    }

    fn note(&mut self, entry: Note<'_>, now: Timestamp) {
        let mut entry = AuditEntry {
            sequence: self.audit.len() as u64 + 1,
            at: now,
            actor: entry.actor,
            action: entry.action.to_owned(),
            client_id: entry.client_id.cloned(),
            before: entry.before,
            after: entry.after,
            link: None,
        };
        entry.link = Some(entry.link_after(self.head(entry.client_id.as_ref())));
        self.audit.push(entry);
    }
}

impl EventRow {
    fn state(&self) -> State {
        match (&self.outstanding, self.settlements.last()) {
            (None, Some(last)) => State::Settled(last.clone()),
            _ => State::Outstanding,
        }
    }

    /// How it ended; `None` while it is outstanding.
    fn settled(&self) -> Option<Outcome> {
        match self.state() {
            State::Outstanding => None,
            State::Settled(settlement) => Some(settlement.outcome),
        }
    }
}

/// What an audit entry says (I-05).
struct Note<'a> {
    actor: Actor,
    action: &'static str,
    client_id: Option<&'a ClientId>,
    before: Option<Value>,
    after: Option<Value>,
}

/// A value as the audit trail keeps it.
fn json(value: &impl serde::Serialize) -> Option<Value> {
    Some(serde_json::to_value(value).expect("what the ledger keeps has string keys only"))
}
