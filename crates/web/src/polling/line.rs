//! One line: the waiting polls of a TPP that see the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use oyez_domain::event::Family;
use oyez_domain::ids::ClientId;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use tokio::sync::Notify;

/// All sleepers of all lines, the oldest first.
pub(super) type Order = BTreeMap<Ticket, Arc<Seat>>;

/// A waiting poll's place in the order of arrival, over all TPPs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(pub(super) u64);

/// What a poll can be handed: the families that its token sees, as a set, and whether only its TPP's oldest event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    families: u8,
    order: DeliveryOrder,
}

impl View {
    pub(super) fn of(families: &[Family], order: DeliveryOrder) -> Self {
        Self {
            families: families.iter().fold(0, |set, family| set | bit(*family)),
            order,
        }
    }

    /// The families.
    pub(super) fn families(self) -> impl Iterator<Item = Family> {
        let sees = move |family: &Family| self.families & bit(*family) != 0;
        Family::ALL.into_iter().filter(sees)
    }

    /// Whether the end of an event lets the next one out (D-10).
    pub(super) fn is_strict(self) -> bool {
        self.order == DeliveryOrder::Strict
    }
}

/// A waiting poll.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) ticket: Ticket,
    pub(super) client_id: ClientId,
    pub(super) view: View,
    /// Rung when it should look where it stands.
    pub(super) bell: Notify,
}

/// The waiting polls of one TPP that see the same. See the prose of [`super`].
#[derive(Debug)]
pub(super) struct Line {
    pub(super) view: View,
    pub(super) sleeping: BTreeMap<Ticket, Arc<Seat>>,
    /// Polls that ask the ledger or are being answered.
    pub(super) awake: usize,
    call: Call,
    /// When the next event that is visible here falls due, as far as is known. The oldest sleeper keeps the time.
    next_due_at: Option<Timestamp>,
}

/// Whether somebody is to look for events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// Nobody need look.
    Quiet,
    /// This one was told and has not begun; until then more news is covered by it.
    Told(Ticket),
    /// All were asking the ledger already when news came: the first that would lie down asks again.
    Open,
}

impl Line {
    pub(super) fn new(view: View) -> Self {
        Self {
            view,
            sleeping: BTreeMap::new(),
            awake: 0,
            call: Call::Quiet,
            next_due_at: None,
        }
    }

    /// Something may be due: calls the oldest sleeper, if nobody is on the way. Whoever is answered is to be rung.
    pub(super) fn call(&mut self, order: &mut Order) -> Option<Arc<Seat>> {
        if matches!(self.call, Call::Told(_)) {
            return None;
        }
        if let Some((ticket, seat)) = self.sleeping.pop_first() {
            order.remove(&ticket);
            self.call = Call::Told(ticket);
            return Some(seat);
        }
        if self.awake > 0 {
            self.call = Call::Open;
        }
        None
    }

    /// Something falls due then. Whoever is answered is to be rung.
    pub(super) fn falls_due(
        &mut self,
        order: &mut Order,
        at: Timestamp,
        now: Timestamp,
    ) -> Option<Arc<Seat>> {
        if at <= now {
            return self.call(order);
        }
        if self.next_due_at.is_some_and(|known| known <= at) {
            return None;
        }
        self.next_due_at = Some(at);
        self.timekeeper()
    }

    /// One that is awake lies down.
    pub(super) fn lie_down(&mut self, seat: &Arc<Seat>) {
        self.awake -= 1;
        self.sleeping.insert(seat.ticket, Arc::clone(seat));
    }

    /// A poll comes in and asks the ledger: it finds whatever an open call was about.
    pub(super) fn begin(&mut self) {
        self.awake += 1;
        if self.call == Call::Open {
            self.call = Call::Quiet;
        }
    }

    /// A poll that is awake found nothing. Is it to ask again?
    pub(super) fn must_ask_again(&mut self, now: Timestamp) -> bool {
        if self.call == Call::Open {
            self.call = Call::Quiet;
            return true;
        }
        let due = self.next_due_at.is_some_and(|at| at <= now);
        if due {
            self.take_alarm();
        }
        due
    }

    /// Was this one told to ask? Then it does, from here on.
    pub(super) fn answers_call(&mut self, ticket: Ticket) -> bool {
        let told = self.call == Call::Told(ticket);
        if told {
            self.call = Call::Quiet;
            self.awake += 1;
        }
        told
    }

    /// The alarm has gone off, and one asks the ledger for it: that brings the next.
    pub(super) fn take_alarm(&mut self) {
        self.next_due_at = None;
    }

    /// Until when this one sleeps besides its own end: only the oldest looks at the clock for all.
    pub(super) fn alarm_of(&self, ticket: Ticket) -> Option<Timestamp> {
        let keeps_time = self.sleeping.keys().next() == Some(&ticket);
        self.next_due_at.filter(|_| keeps_time)
    }

    /// A sleeper gets up by itself: it asks, or goes. Whoever is answered is to be rung: the next to keep the time.
    pub(super) fn get_up(&mut self, order: &mut Order, ticket: Ticket) -> Option<Arc<Seat>> {
        let kept_time = self.alarm_of(ticket).is_some();
        self.sleeping.remove(&ticket)?;
        order.remove(&ticket);
        if kept_time { self.timekeeper() } else { None }
    }

    /// One that slept is gone, whatever it had been told. Whoever is answered is to be rung.
    pub(super) fn lose(&mut self, order: &mut Order, ticket: Ticket) -> Option<Arc<Seat>> {
        if self.call == Call::Told(ticket) {
            self.call = Call::Quiet;
            return self.call(order);
        }
        self.get_up(order, ticket)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sleeping.is_empty() && self.awake == 0 && !matches!(self.call, Call::Told(_))
    }

    /// Who is to look at the clock from now on, if there is a time to keep.
    pub(super) fn timekeeper(&self) -> Option<Arc<Seat>> {
        self.next_due_at?;
        self.sleeping.values().next().map(Arc::clone)
    }
}

/// Of a set of families.
const fn bit(family: Family) -> u8 {
    match family {
        Family::Aisp => 1,
        Family::Pisp => 2,
        Family::Cbpii => 4,
        Family::Vrp => 8,
    }
}
