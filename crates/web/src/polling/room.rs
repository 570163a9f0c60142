//! All lines. What is here holds no lock and rings no bell: it answers who is to be rung.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use oyez_domain::ids::ClientId;
use oyez_domain::time::Timestamp;
use oyez_store::Awaited;
use tokio::sync::Notify;

use super::line::{Line, Order, Seat, Ticket, View};
use super::options::Options;
use crate::metrics::Answered;

/// Those whose bells are to be rung, once the lock is let go.
pub(super) type Bells = Vec<Arc<Seat>>;

/// Who waits.
#[derive(Debug, Default)]
pub(super) struct Room {
    tpps: HashMap<ClientId, Vec<Line>>,
    order: Order,
    tickets_given: u64,
    evicted: u64,
    closed: bool,
}

/// What a poll that would sleep is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Sleep, and look again at this moment if one is named.
    Sleep(Option<Timestamp>),
    /// Ask the ledger again.
    Ask,
    /// Answer with nothing: its time is up, it was sent away, or nobody waits any more.
    Leave(Answered),
}

/// What a poll learned from the ledger.
#[derive(Debug, Clone, Copy)]
pub(super) struct Learned {
    /// When it asked.
    pub(super) at: Timestamp,
    /// When the next event that it sees is due.
    pub(super) next_due_at: Option<Timestamp>,
    /// When what it was handed is due again, if it was handed something.
    pub(super) again_at: Option<Timestamp>,
}

impl Room {
    /// Takes a place, awake.
    pub(super) fn join(&mut self, client_id: &ClientId, view: View) -> Arc<Seat> {
        self.tickets_given += 1;
        if !self.tpps.contains_key(client_id) {
            self.tpps.insert(client_id.clone(), Vec::with_capacity(1));
        }
        let lines = self.tpps.get_mut(client_id).expect("it was just put there");
        let index = lines.iter().position(|line| line.view == view);
        let index = index.unwrap_or_else(|| {
            lines.push(Line::new(view));
            lines.len() - 1
        });
        lines[index].begin();
        Arc::new(Seat {
            ticket: Ticket(self.tickets_given),
            client_id: client_id.clone(),
            view,
            bell: Notify::new(),
        })
    }

    /// One that is awake found nothing and would sleep.
    pub(super) fn lie_down(
        &mut self,
        seat: &Arc<Seat>,
        options: Options,
        now: Timestamp,
    ) -> (Next, Bells) {
        if self.closed {
            return (Next::Leave(Answered::Drained), Bells::new());
        }
        let line = find(&mut self.tpps, seat).expect("who is awake is counted in its line");
        if line.must_ask_again(now) {
            return (Next::Ask, Bells::new());
        }
        line.lie_down(seat);
        let alarm = line.alarm_of(seat.ticket);
        self.order.insert(seat.ticket, Arc::clone(seat));
        (Next::Sleep(alarm), self.evict(&seat.client_id, options))
    }

    /// One that slept looks where it stands.
    pub(super) fn look(&mut self, seat: &Seat, now: Timestamp, time_is_up: bool) -> (Next, Bells) {
        let sent_away = if self.closed {
            Next::Leave(Answered::Drained)
        } else {
            Next::Leave(Answered::Evicted)
        };
        let Some(line) = find(&mut self.tpps, seat) else {
            return (sent_away, Bells::new());
        };
        if line.answers_call(seat.ticket) {
            // It may have kept the time, and what it finds may bring none that is earlier.
            return (Next::Ask, line.timekeeper().into_iter().collect());
        }
        if !line.sleeping.contains_key(&seat.ticket) {
            return (sent_away, Bells::new());
        }
        let alarm = line.alarm_of(seat.ticket);
        if alarm.is_some_and(|at| at <= now) {
            line.take_alarm();
            line.get_up(&mut self.order, seat.ticket);
            line.awake += 1;
            return (Next::Ask, Bells::new());
        }
        if time_is_up {
            let heir = line.get_up(&mut self.order, seat.ticket);
            self.tidy(&seat.client_id);
            return (Next::Leave(Answered::WaitedOut), heir.into_iter().collect());
        }
        (Next::Sleep(alarm), Bells::new())
    }

    /// One that is awake goes.
    pub(super) fn leave(&mut self, seat: &Seat) {
        let line = find(&mut self.tpps, seat).expect("who is awake is counted in its line");
        line.awake -= 1;
        self.tidy(&seat.client_id);
    }

    /// One that slept is gone: its client went away.
    pub(super) fn lose(&mut self, seat: &Seat) -> Bells {
        let Some(line) = find(&mut self.tpps, seat) else {
            return Bells::new();
        };
        let heir = line.lose(&mut self.order, seat.ticket);
        self.tidy(&seat.client_id);
        heir.into_iter().collect()
    }

    /// Something of this TPP may be due.
    pub(super) fn call(&mut self, client_id: &ClientId) -> Bells {
        let lines = self.tpps.get_mut(client_id).into_iter().flatten();
        lines
            .filter_map(|line| line.call(&mut self.order))
            .collect()
    }

    /// An event of this TPP ended: the next may be due where only the oldest counts.
    pub(super) fn call_for_the_next(&mut self, client_id: &ClientId) -> Bells {
        let lines = self.tpps.get_mut(client_id).into_iter().flatten();
        lines
            .filter(|line| line.view.is_strict())
            .filter_map(|line| line.call(&mut self.order))
            .collect()
    }

    /// A poll of this TPP, waiting or not, was told by the ledger what is due when.
    pub(super) fn learn(&mut self, client_id: &ClientId, view: View, learned: Learned) -> Bells {
        let lines = self.tpps.get_mut(client_id).into_iter().flatten();
        lines
            .filter_map(|line| {
                let due_at = if line.view == view {
                    learned.next_due_at
                } else {
                    learned.again_at
                };
                line.falls_due(&mut self.order, due_at?, learned.at)
            })
            .collect()
    }

    /// What those who sleep wait for.
    pub(super) fn awaited(&self) -> Vec<Awaited> {
        let awaited = self.tpps.iter().map(|(client_id, lines)| {
            let asleep = lines.iter().filter(|line| !line.sleeping.is_empty());
            let families: BTreeSet<_> = asleep.flat_map(|line| line.view.families()).collect();
            Awaited {
                client_id: client_id.clone(),
                polls: families.into_iter().collect(),
                pushes: false,
            }
        });
        awaited.filter(|it| !it.polls.is_empty()).collect()
    }

    /// Sends everyone away, and lets nobody lie down from now on.
    pub(super) fn close(&mut self) -> Bells {
        self.closed = true;
        let sleepers = std::mem::take(&mut self.order).into_values().collect();
        for line in self.tpps.values_mut().flatten() {
            line.sleeping.clear();
        }
        self.tpps.retain(|_, lines| {
            lines.retain(|line| !line.is_empty());
            !lines.is_empty()
        });
        sleepers
    }

    pub(super) fn sleeping(&self) -> usize {
        self.order.len()
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Nothing is held for anybody.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.tpps.is_empty() && self.order.is_empty()
    }

    /// Over a bound, sends the one away that waits longest; with it is rung who keeps the time after it.
    fn evict(&mut self, client_id: &ClientId, options: Options) -> Bells {
        let lines = self.tpps.get(client_id).into_iter().flatten();
        let of_tpp: usize = lines.clone().map(|line| line.sleeping.len()).sum();
        let oldest = if of_tpp > options.per_tpp_max.max(1) {
            let oldest = lines.filter_map(|line| line.sleeping.first_key_value());
            oldest.min_by_key(|(ticket, _)| **ticket)
        } else if self.order.len() > options.total_max.max(1) {
            self.order.first_key_value()
        } else {
            None
        };
        let Some(oldest) = oldest.map(|(_, seat)| Arc::clone(seat)) else {
            return Bells::new();
        };
        self.evicted += 1;
        let mut bells = self.lose(&oldest);
        bells.push(oldest);
        bells
    }

    fn tidy(&mut self, client_id: &ClientId) {
        let Some(lines) = self.tpps.get_mut(client_id) else {
            return;
        };
        lines.retain(|line| !line.is_empty());
        if lines.is_empty() {
            self.tpps.remove(client_id);
        }
    }
}

fn find<'a>(tpps: &'a mut HashMap<ClientId, Vec<Line>>, seat: &Seat) -> Option<&'a mut Line> {
    let lines = tpps.get_mut(&seat.client_id)?;
    lines.iter_mut().find(|line| line.view == seat.view)
}

#[cfg(test)]
mod tests;
