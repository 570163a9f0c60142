//! What the server answered over all rounds, by those who heard it, and what follows from that.
//!
//! A tick is drawn before a request is sent and after its answer came: what was answered at an earlier tick than another
//! request was begun at, that request's answer must respect.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokio::time::Instant;

use crate::house;

/// Everything that was promised and must hold for ever.
#[derive(Default)]
pub(crate) struct Books {
    ticks: u64,
    answers: usize,
    accepted: BTreeMap<String, Accepted>,
    sets: BTreeMap<String, String>,
    /// What polls asked to have acknowledged, answered or not.
    acks: BTreeSet<String>,
    settled: BTreeMap<String, Settled>,
    errors: BTreeMap<String, usize>,
    /// The resources of all batches that were ever sent, answered or not.
    sent: BTreeSet<String>,
    /// Those whose answer never came, to be sent again.
    unanswered: BTreeMap<String, Batch>,
    registration: Registration,
    deleted_up_to: u64,
}

/// An event that was answered `accepted`.
pub(crate) struct Accepted {
    pub(crate) tpp: usize,
    pub(crate) resource: String,
    pub(crate) key: String,
    pub(crate) answered_at: Instant,
    at: u64,
}

/// An event's end was answered to a poll.
#[derive(Clone, Copy)]
pub(crate) struct Settled {
    tick: u64,
    pub(crate) at: Instant,
}

/// Events of one request to the publishing API: the TPP of each.
#[derive(Clone)]
pub(crate) struct Batch {
    pub(crate) resource: String,
    pub(crate) tpps: Vec<usize>,
}

/// What a TPP asks in a poll.
#[derive(Clone, Default)]
pub(crate) struct Ask {
    pub(crate) acks: Vec<String>,
    pub(crate) errors: Vec<String>,
}

/// The subscription that comes and goes: by its number, which stands in its address.
#[derive(Default)]
struct Registration {
    promised: Option<usize>,
    /// What a request that is not answered yet would make of it.
    attempted: Option<Option<usize>>,
}

impl Batch {
    /// The idempotency key of its nth item.
    pub(crate) fn key(&self, index: usize) -> String {
        format!("{}-{index}", self.resource)
    }
}

/// What is entered.
impl Books {
    /// Time goes on.
    fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    /// How many answers were entered.
    pub(crate) const fn answers(&self) -> usize {
        self.answers
    }

    pub(crate) fn publishes(&mut self, batch: &Batch) {
        self.sent.insert(batch.resource.clone());
        self.unanswered
            .insert(batch.resource.clone(), batch.clone());
    }

    /// What became of each item. A batch is done whole or not at all, so a repeated one is all new or all known.
    pub(crate) fn published(&mut self, batch: &Batch, answer: &Value) {
        self.answers += 1;
        self.unanswered.remove(&batch.resource);
        let (at, answered_at) = (self.tick(), Instant::now());
        let outcomes = answer["outcomes"].as_array().unwrap();
        assert_eq!(outcomes.len(), batch.tpps.len(), "{answer}");
        let mut kinds = BTreeSet::new();
        for (index, (outcome, tpp)) in outcomes.iter().zip(&batch.tpps).enumerate() {
            let kind = outcome["outcome"].as_str().unwrap();
            if *tpp != super::CHANGING {
                kinds.insert(kind);
            }
            match kind {
                "accepted" | "duplicate" => {
                    let event = Accepted {
                        tpp: *tpp,
                        resource: batch.resource.clone(),
                        key: batch.key(index),
                        answered_at,
                        at,
                    };
                    let jti = outcome["jti"].as_str().unwrap().to_owned();
                    let twice = self.accepted.insert(jti, event);
                    assert!(twice.is_none(), "accepted twice: {outcome}");
                }
                "no-subscription" if *tpp == super::CHANGING => {}
                _ => panic!("{} was told {outcome}", super::client_of(*tpp)),
            }
        }
        assert!(kinds.len() <= 1, "half of a batch was done: {answer}");
    }

    /// A poll is asked; what it acknowledges may be done though no answer comes.
    pub(crate) fn polls(&mut self, ask: &Ask) -> u64 {
        self.acks.extend(ask.acks.iter().cloned());
        self.tick()
    }

    /// What a poll that was begun at this tick was answered.
    pub(crate) fn polled(&mut self, began: u64, ask: &Ask, answer: &Value) -> Vec<String> {
        self.answers += 1;
        let sets = house::sets(answer);
        for (jti, set) in &sets {
            let first = self.sets.entry(jti.clone()).or_insert_with(|| set.clone());
            assert_eq!(
                first, set,
                "{jti} was handed out with other bytes than before"
            );
            let settled = self.settled.get(jti);
            assert!(
                settled.is_none_or(|settled| settled.tick > began),
                "{jti} was settled, and returned"
            );
        }
        let (tick, at) = (self.tick(), Instant::now());
        let settled = Settled { tick, at };
        for jti in &ask.acks {
            self.settled.entry(jti.clone()).or_insert(settled);
        }
        for jti in &ask.errors {
            let errors = self.errors.entry(jti.clone()).or_default();
            *errors += 1;
            if *errors >= super::ERROR_CAP {
                self.settled.entry(jti.clone()).or_insert(settled);
            }
        }
        sets.into_iter().map(|(jti, _)| jti).collect()
    }

    /// A change of the subscription is asked for, and may be done though no answer comes.
    pub(crate) fn registers(&mut self, number: Option<usize>) -> u64 {
        self.registration.attempted = Some(number);
        self.tick()
    }

    /// It was done. A deletion takes with it what had been accepted before it was asked for.
    pub(crate) fn registered(&mut self, began: u64) {
        self.answers += 1;
        let number = self
            .registration
            .attempted
            .take()
            .expect("it was asked for");
        self.registration.promised = number;
        if number.is_none() {
            self.deleted_up_to = began;
        }
    }

    /// What the subscription turned out to be after a kill: what was promised last, or what was asked for.
    pub(crate) fn found_registered(&mut self, number: Option<usize>) {
        let Registration {
            promised,
            attempted,
        } = self.registration;
        assert!(
            number == promised || Some(number) == attempted,
            "subscription {number:?} where {promised:?} was promised and {attempted:?} asked for"
        );
        self.registration = Registration {
            promised: number,
            attempted: None,
        };
    }
}

/// What follows.
impl Books {
    pub(crate) const fn subscription(&self) -> Option<usize> {
        self.registration.promised
    }

    pub(crate) fn accepted(&self) -> &BTreeMap<String, Accepted> {
        &self.accepted
    }

    pub(crate) fn unanswered(&self) -> Vec<Batch> {
        self.unanswered.values().cloned().collect()
    }

    pub(crate) fn settled(&self) -> &BTreeMap<String, Settled> {
        &self.settled
    }

    pub(crate) fn acks(&self) -> &BTreeSet<String> {
        &self.acks
    }

    pub(crate) fn handed_out(&self) -> &BTreeMap<String, String> {
        &self.sets
    }

    pub(crate) fn errors_of(&self, jti: &str) -> usize {
        self.errors.get(jti).copied().unwrap_or_default()
    }

    /// Holds a line of the list of events to what is known of it.
    pub(crate) fn check(&self, event: &Value) {
        let (jti, is_outstanding) = (
            event["jti"].as_str().unwrap(),
            event["state"] == "outstanding",
        );
        let resource = event["resource"]["id"].as_str().unwrap();
        assert!(self.sent.contains(resource), "nobody published {event}");
        assert!(
            !is_outstanding || !self.settled.contains_key(jti),
            "settled before: {event}"
        );
        if let Some(known) = self.accepted.get(jti) {
            assert_eq!(event["tpp"], super::client_of(known.tpp));
            assert_eq!(resource, known.resource);
            let is_withdrawn = known.tpp == super::CHANGING && known.at < self.deleted_up_to;
            assert!(
                !is_outstanding || !is_withdrawn,
                "survived the deletion: {event}"
            );
        }
    }
}
