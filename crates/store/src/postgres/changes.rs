//! What a group of requests changes, worked out in memory under the TPPs' locks, to be written at once.
//!
//! Rows are read first, all in one message; then each request of the group is decided on them in turn, as if it were alone; and
//! what came of all is written in one message more, whose last word is COMMIT. So a group costs two round trips, however many
//! requests and events it has. [`super::writing`] has the statements.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, IdempotencyKey, InteractionId, Jti};
use oyez_domain::ledger::poll::SetError;
use oyez_domain::ledger::push::Attempt;
use oyez_domain::ledger::sets::Signed;
use oyez_domain::life::{Acknowledged, Outcome};
use oyez_domain::routing;
use oyez_domain::rules::Rules;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;

use super::open::Open;
use super::skew::Skew;
use super::state::State;
use crate::Error;
use crate::codes::{TppId, outcome_code, settling_actor};
use crate::error::contradiction;
use crate::newsboard::Newsboard;
use crate::tally::Tally;

/// An event's key in every table that has events.
pub(super) type Key = (TppId, Jti);

/// What a group changes.
pub(super) struct Changes {
    pub(super) rules: Arc<Rules>,
    pub(super) tally: Tally,
    pub(super) news: Newsboard,
    pub(super) states: HashMap<TppId, State>,
    pub(super) open: HashMap<Key, Held>,
    pub(super) failed: HashMap<Key, SetAside>,
    pub(super) settlements: Vec<Settled>,
    /// Failures written earlier that are no event's end any more.
    pub(super) superseded: Vec<(Key, i32)>,
    pub(super) events: Vec<NewEvent>,
    pub(super) remembered: Vec<Remembered>,
    /// Events whose SET gives way to one that another key signs.
    pub(super) superseded_sets: Vec<Key>,
    pub(super) sets: Vec<(Key, Signed, Timestamp)>,
    pub(super) polls: Vec<PollEntry>,
    pub(super) hand_outs: Vec<(Key, i64, Timestamp)>,
    pub(super) errors: Vec<ErrorEntry>,
    pub(super) attempts: Vec<(Key, i64, Attempt)>,
    /// Lanes whose rows have to say from when on, by the database's clock, there is something to push.
    pub(super) lane_news: BTreeMap<TppId, Timestamp>,
}

/// A row of `outstanding`, as far as this group knows.
pub(super) struct Held {
    pub(super) row: Open,
    pub(super) fate: Fate,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays as it was read.
    Untouched,
    /// It is written anew.
    Changed,
    /// It is new.
    Made,
    /// It goes: the event ended.
    Gone,
}

/// A row of `failed`.
pub(super) struct SetAside {
    pub(super) position: i64,
    pub(super) kind: i32,
    pub(super) family: i16,
    pub(super) accepted_at: Timestamp,
    pub(super) ends: i32,
    pub(super) fate: Fate,
}

/// An end to be written.
pub(super) struct Settled {
    pub(super) key: Key,
    pub(super) ends: i32,
    pub(super) at: Timestamp,
    pub(super) outcome: Outcome,
    pub(super) actor: Option<String>,
    pub(super) superseded: bool,
}

/// An event that was accepted; its narrow row is in `open`.
pub(super) struct NewEvent {
    pub(super) key: Key,
    pub(super) position: i64,
    pub(super) accepted_at: Timestamp,
    pub(super) kind: i32,
    pub(super) family: i16,
    pub(super) resource_id: String,
    pub(super) txn: Option<String>,
    pub(super) notice: String,
}

/// An idempotency key that was used.
pub(super) struct Remembered {
    pub(super) tpp: TppId,
    pub(super) key: IdempotencyKey,
    pub(super) fingerprint: [u8; 32],
    pub(super) jti: Jti,
    pub(super) accepted_at: Timestamp,
}

/// A poll that handed something out or reported an error.
pub(super) struct PollEntry {
    pub(super) tpp: TppId,
    pub(super) entry: i64,
    pub(super) at: Timestamp,
    pub(super) interaction_id: InteractionId,
    pub(super) jtis: Vec<Jti>,
}

/// What a poll reported.
pub(super) struct ErrorEntry {
    pub(super) key: Key,
    pub(super) entry: i64,
    pub(super) poll: i64,
    pub(super) at: Timestamp,
    pub(super) error: SetError,
}

/// The polls of one request, made when first needed.
#[derive(Default)]
pub(super) struct Polls {
    /// Where they stand in [`Changes::polls`].
    places: HashMap<(TppId, InteractionId), usize>,
    handed_out: HashSet<Key>,
}

impl Changes {
    pub(super) fn new(rules: Arc<Rules>, states: HashMap<TppId, State>) -> Self {
        Self {
            rules,
            states,
            tally: Tally::default(),
            news: Newsboard::default(),
            open: HashMap::new(),
            failed: HashMap::new(),
            settlements: Vec::new(),
            superseded: Vec::new(),
            events: Vec::new(),
            remembered: Vec::new(),
            superseded_sets: Vec::new(),
            sets: Vec::new(),
            polls: Vec::new(),
            hand_outs: Vec::new(),
            errors: Vec::new(),
            attempts: Vec::new(),
            lane_news: BTreeMap::new(),
        }
    }

    /// Takes in rows that were read; those known already stay as they have become.
    pub(super) fn take_in(&mut self, rows: impl IntoIterator<Item = Open>) {
        for row in rows {
            let held = self.open.entry((row.tpp, row.jti));
            held.or_insert(Held {
                row,
                fate: Fate::Untouched,
            });
        }
    }

    /// A TPP whose lock is held.
    pub(super) fn state(&mut self, tpp: TppId) -> Result<&mut State, Error> {
        let state = self.states.get_mut(&tpp);
        state.ok_or_else(|| contradiction(format!("the lock of TPP {} is not held", tpp.0)))
    }

    /// An event that is still outstanding.
    pub(super) fn outstanding(&self, key: Key) -> Option<&Open> {
        let held = self.open.get(&key)?;
        (held.fate != Fate::Gone).then_some(&held.row)
    }

    /// Changes an outstanding event; `None` if it is none.
    pub(super) fn change<T>(&mut self, key: Key, change: impl FnOnce(&mut Open) -> T) -> Option<T> {
        let held = self.open.get_mut(&key)?;
        if held.fate == Fate::Gone {
            return None;
        }
        let changed = change(&mut held.row);
        if held.fate == Fate::Untouched {
            held.fate = Fate::Changed;
        }
        if let Some(state) = self.states.get_mut(&key.0) {
            state.bounds.include(&held.row);
        }
        Some(changed)
    }

    /// Puts a new event in.
    pub(super) fn insert(&mut self, row: Open) -> Result<(), Error> {
        self.state(row.tpp)?.bounds.include(&row);
        let (key, fate) = ((row.tpp, row.jti), Fate::Made);
        match self.open.insert(key, Held { row, fate }) {
            None => Ok(()),
            Some(_) => Err(contradiction(format!("the jti {} was used before", key.1))),
        }
    }

    /// The TPP has it: an outstanding event, or one set aside as failed (P-05). Answers whether that was news.
    pub(super) fn acknowledge(
        &mut self,
        key: Key,
        how: Acknowledged,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let outcome = Outcome::Acknowledged(how);
        if self.settle(key, outcome, None, now)? {
            return Ok(true);
        }
        let Some(aside) = self.failed.get_mut(&key).filter(|it| it.fate != Fate::Gone) else {
            return Ok(false);
        };
        let ends = aside.ends;
        if aside.fate == Fate::Made {
            self.failed.remove(&key);
            let mut made = self.settlements.iter_mut();
            if let Some(failure) = made.rfind(|it| it.key == key) {
                failure.superseded = true;
            }
        } else {
            aside.fate = Fate::Gone;
            self.superseded.push((key, ends - 1));
        }
        self.tally.left_failed(key.0, 1);
        self.write_end(key, ends, outcome, None, now)?;
        Ok(true)
    }

    /// Ends an outstanding event; without an actor by the TPP itself. Answers whether it was one.
    pub(super) fn settle(
        &mut self,
        key: Key,
        outcome: Outcome,
        actor: Option<&Actor>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let Some(held) = self.open.get_mut(&key).filter(|it| it.fate != Fate::Gone) else {
            return Ok(false);
        };
        let ends = held.row.ends;
        held.fate = Fate::Gone;
        self.write_end(key, ends, outcome, actor, now)?;
        let owner = self.state(key.0)?.client_id.clone();
        self.news.of((key.0, &owner)).ends = true;
        self.next_in_line(key.0, now)?;
        Ok(true)
    }

    /// Sets an outstanding event aside as failed (P-12).
    pub(super) fn fail(&mut self, key: Key, now: Timestamp) -> Result<(), Error> {
        let Some(row) = self.outstanding(key) else {
            return Err(contradiction(format!("{} is not outstanding", key.1)));
        };
        let aside = SetAside {
            position: row.position,
            kind: row.kind,
            family: row.family,
            accepted_at: row.accepted_at,
            ends: row.ends + 1,
            fate: Fate::Made,
        };
        self.settle(key, Outcome::Failed, None, now)?;
        self.failed.insert(key, aside);
        Ok(())
    }

    /// Records that kept bytes go out in a poll's answer; the last hand-out that a cap allows settles the event (P-12).
    pub(super) fn hand_out(
        &mut self,
        key: Key,
        polls: &mut Polls,
        (interaction_id, cap): (&InteractionId, Option<NonZeroU32>),
        now: Timestamp,
    ) -> Result<(), Error> {
        let counted = self.change(key, |row| {
            row.hand_outs += 1;
            row.hand_outs
        });
        let hand_outs = counted
            .ok_or_else(|| contradiction(format!("{} is handed out and not outstanding", key.1)))?;
        if !polls.handed_out.insert(key) {
            // Twice in one request: the second is a hand-out of its own.
            polls.places.remove(&(key.0, interaction_id.clone()));
        }
        let poll = self.poll_entry(key, polls, interaction_id, now)?;
        self.hand_outs.push((key, poll, now));
        self.tally.flow(key.0, now).handed_out += 1;
        let hand_outs = u32::try_from(hand_outs).unwrap_or(u32::MAX);
        if cap.is_some_and(|cap| hand_outs >= cap.get()) {
            let assumed = Outcome::Acknowledged(Acknowledged::Assumed);
            self.settle(key, assumed, Some(&Actor::System), now)?;
        }
        Ok(())
    }

    /// The entry of a poll that concerned an event.
    pub(super) fn poll_entry(
        &mut self,
        (tpp, jti): Key,
        polls: &mut Polls,
        interaction_id: &InteractionId,
        now: Timestamp,
    ) -> Result<i64, Error> {
        let place = match polls.places.get(&(tpp, interaction_id.clone())) {
            Some(place) => *place,
            None => {
                let entry = PollEntry {
                    tpp,
                    entry: self.state(tpp)?.next_entry(),
                    at: now,
                    interaction_id: interaction_id.clone(),
                    jtis: Vec::new(),
                };
                self.polls.push(entry);
                let place = self.polls.len() - 1;
                polls.places.insert((tpp, interaction_id.clone()), place);
                place
            }
        };
        let poll = &mut self.polls[place];
        poll.jtis.push(jti);
        Ok(poll.entry)
    }

    /// There is something to push from a moment on, by the clock of who says so.
    pub(super) fn lane_news(
        &mut self,
        tpp: TppId,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        let state = self.state(tpp)?;
        let at = Skew::between(now, state.clock).stored(at);
        let (is_news, owner) = (state.hears(at), state.client_id.clone());
        if is_news {
            let earliest = self.lane_news.entry(tpp).or_insert(at);
            *earliest = at.min(*earliest);
        }
        self.news.of((tpp, &owner)).pushes = true;
        Ok(())
    }

    /// Whoever has the lane, it hears of what came back to it, if there is an address to push it to.
    pub(super) fn came_back(
        &mut self,
        tpp: TppId,
        push_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Error> {
        match push_at {
            Some(push_at) if self.has_address(tpp)? => self.lane_news(tpp, push_at.max(now), now),
            Some(_) | None => Ok(()),
        }
    }

    /// Something may be due for polls sooner than they were told.
    pub(super) fn polls_news(&mut self, tpp: TppId, owner: &ClientId) {
        self.news.of((tpp, owner)).polls = true;
    }

    fn has_address(&mut self, tpp: TppId) -> Result<bool, Error> {
        let rules = Arc::clone(&self.rules);
        let state = self.state(tpp)?;
        Ok(routing::push_address(&rules, &state.registrations).is_some())
    }

    /// In strict order an end is news for the lane, if there is one: whatever stood behind the oldest may go now (D-10).
    fn next_in_line(&mut self, tpp: TppId, now: Timestamp) -> Result<(), Error> {
        let rules = Arc::clone(&self.rules);
        let state = self.state(tpp)?;
        if state.lane.is_some()
            && state.order(&rules) == DeliveryOrder::Strict
            && routing::push_address(&rules, &state.registrations).is_some()
        {
            self.lane_news(tpp, now, now)?;
        }
        Ok(())
    }

    fn write_end(
        &mut self,
        key: Key,
        ends: i32,
        outcome: Outcome,
        actor: Option<&Actor>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let actor = match actor {
            Some(actor) => settling_actor(actor, &self.state(key.0)?.client_id),
            None => None,
        };
        self.settlements.push(Settled {
            key,
            ends,
            at: now,
            outcome,
            actor,
            superseded: false,
        });
        self.tally.ended(key.0, outcome.ending(), 1, now);
        Ok(())
    }
}

impl Settled {
    /// How its outcome stands in a column.
    pub(super) fn code(&self) -> i16 {
        i16::try_from(outcome_code(self.outcome)).unwrap_or_default()
    }
}
