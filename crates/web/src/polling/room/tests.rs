//! A model: one event of one TPP, polls that come, ask, lie down, are rung and go in any order. Whenever all have done what
//! they can do without time passing, nobody sleeps over the event.

use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::tpp::DeliveryOrder;
use oyez_testkit::dice::Dice;

use super::*;

struct Model {
    room: Room,
    dice: Dice,
    now: Timestamp,
    /// When the event is due, if it is not acknowledged.
    due_at: Option<Timestamp>,
    polls: Vec<(Arc<Seat>, Doing)>,
    views: Vec<View>,
}

#[derive(Debug, Clone, Copy)]
enum Doing {
    Asking,
    FindingNothing,
    Leaving,
    Sleeping {
        alarm: Option<Timestamp>,
        is_rung: bool,
    },
}

impl Model {
    fn new(dice: Dice) -> Self {
        Self {
            room: Room::default(),
            dice,
            now: Timestamp::from_unix_seconds(1_700_000_000),
            due_at: None,
            polls: Vec::new(),
            views: vec![
                View::of(&Family::ALL, DeliveryOrder::Concurrent),
                View::of(&[Family::Aisp], DeliveryOrder::Concurrent),
            ],
        }
    }

    fn step(&mut self) {
        match self.dice.below(10) {
            0..2 => {
                let view = self.views[self.dice.below(2)];
                let seat = self.room.join(&tpp(), view);
                self.polls.push((seat, Doing::Asking));
            }
            2 => {
                self.due_at = Some(self.now);
                let bells = self.room.call(&tpp());
                self.ring(&bells);
            }
            3 => self.now = self.now + SECOND * u32::try_from(self.dice.below(4)).unwrap(),
            4 if !self.polls.is_empty() => self.hang_up(),
            _ if !self.polls.is_empty() => {
                let index = self.dice.below(self.polls.len());
                self.go_on(index);
            }
            _ => {}
        }
    }

    /// Does what this one does next. Whether there was anything to do.
    fn go_on(&mut self, index: usize) -> bool {
        let (seat, doing) = self.polls[index].clone();
        let (next, bells) = match doing {
            Doing::Asking => {
                let bells = self.ask(&seat, index);
                self.ring(&bells);
                return true;
            }
            Doing::Leaving => {
                self.room.leave(&seat);
                self.polls.swap_remove(index);
                return true;
            }
            Doing::FindingNothing => self.room.lie_down(&seat, BOUNDS, self.now),
            Doing::Sleeping { alarm, is_rung } => {
                if !is_rung && alarm.is_none_or(|at| at > self.now) {
                    return false;
                }
                self.room.look(&seat, self.now, false)
            }
        };
        match next {
            Next::Ask => self.polls[index].1 = Doing::Asking,
            Next::Sleep(alarm) => {
                let is_rung = false;
                self.polls[index].1 = Doing::Sleeping { alarm, is_rung };
            }
            Next::Leave(_) => drop(self.polls.swap_remove(index)),
        }
        self.ring(&bells);
        true
    }

    /// The ledger answers: the event if it is due, and when it is due again.
    fn ask(&mut self, seat: &Seat, index: usize) -> Bells {
        let takes = self.take();
        self.polls[index].1 = if takes {
            Doing::Leaving
        } else {
            Doing::FindingNothing
        };
        let learned = Learned {
            at: self.now,
            next_due_at: self.due_at,
            again_at: self.due_at.filter(|_| takes),
        };
        self.room.learn(&tpp(), seat.view, learned)
    }

    fn take(&mut self) -> bool {
        let takes = self.due_at.is_some_and(|at| at <= self.now);
        if takes {
            self.due_at = Some(self.now + SECOND * 5);
        }
        takes
    }

    /// One goes away, perhaps while the ledger answers.
    fn hang_up(&mut self) {
        let index = self.dice.below(self.polls.len());
        let (seat, doing) = self.polls.swap_remove(index);
        let bells = match doing {
            Doing::Sleeping { .. } => self.room.lose(&seat),
            Doing::Leaving => {
                self.room.leave(&seat);
                return;
            }
            Doing::Asking | Doing::FindingNothing => {
                if self.dice.below(2) == 0 {
                    self.take();
                }
                let bells = self.room.call(&tpp());
                self.room.leave(&seat);
                bells
            }
        };
        self.ring(&bells);
    }

    fn ring(&mut self, bells: &Bells) {
        for (seat, doing) in &mut self.polls {
            if let Doing::Sleeping { is_rung, .. } = doing {
                *is_rung |= bells.iter().any(|bell| bell.ticket == seat.ticket);
            }
        }
    }

    /// All do what they can; then time passes, and they do so again.
    fn check(&mut self) {
        for _ in 0..2 {
            while self.anybody_goes_on() {}
            let is_due = self.due_at.is_some_and(|at| at <= self.now);
            assert!(
                !is_due || self.polls.is_empty(),
                "{:?} at {}",
                self.polls,
                self.now
            );
            self.now = self.now + SECOND * u32::try_from(self.dice.below(9)).unwrap();
        }
    }

    fn anybody_goes_on(&mut self) -> bool {
        (0..self.polls.len()).any(|index| self.go_on(index))
    }
}

// P-07, P-08
#[test]
fn in_no_order_of_steps_is_what_is_due_slept_over_or_a_place_kept() {
    for seed in 0..HISTORIES {
        let mut model = Model::new(Dice::new(seed));
        for _ in 0..8 {
            for _ in 0..12 {
                model.step();
            }
            model.check();
        }
        while !model.polls.is_empty() {
            model.hang_up();
        }
        assert!(model.room.is_empty(), "{seed}");
    }
}

fn tpp() -> ClientId {
    ClientId::new("tpp").unwrap()
}

const SECOND: Duration = Duration::from_secs(1);
const HISTORIES: u64 = 2_000;
const BOUNDS: Options = Options {
    per_tpp_max: 4,
    total_max: 4,
};
