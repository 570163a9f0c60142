//! Random histories: endpoints fail and come back, TPPs poll, change and leave, operators pause, the ledger is away or slow,
//! the node dies, and time passes. Every arrival is held against the rules; at the end everything is mended, and everything
//! that was ever accepted has ended.

use std::time::Duration;

use oyez_domain::ids::ClientId;
use oyez_domain::tpp::{DeliveryOrder, Overrides};
use oyez_store::Error;
use oyez_testkit::dice::Dice;
use oyez_testkit::scale;
use tokio::runtime::Runtime;

use super::endpoints::Behaviour;
use super::world::{MINUTE, World};

mod slow {
    use super::*;

    // D-04, D-05, D-06, D-07, D-08, D-09, D-10, P-09, P-11, P-14, S-12
    #[test]
    fn whatever_happens_nothing_is_lost_and_no_rule_is_broken() {
        let mut seeds = Dice::new(scale::seed("histories of lanes"));
        for _ in 0..scale::rounds(400) {
            let dice = seeds.split();
            runtime().block_on(History::new(dice).play(History::step));
        }
    }

    // D-08, D-10, P-14
    #[test]
    fn first_attempts_start_in_the_order_of_acceptance_over_crashes_and_outages() {
        let mut seeds = Dice::new(scale::seed("order over crashes"));
        for _ in 0..scale::rounds(400) {
            let history = History::new(seeds.split());
            history.world.endpoints.look_at_the_order();
            runtime().block_on(history.play(History::step_of_crashes));
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

struct History {
    dice: Dice,
    world: World,
    tpps: Vec<ClientId>,
}

impl History {
    fn new(mut dice: Dice) -> Self {
        Self {
            world: World::new(dice.roll()),
            dice,
            tpps: Vec::new(),
        }
    }

    async fn play(mut self, step: impl AsyncFn(&mut Self)) {
        for number in 0..=self.dice.below(3) {
            let strict = self.dice.below(3) == 0;
            let overrides = Overrides {
                delivery_order: strict.then_some(DeliveryOrder::Strict),
                ..Overrides::default()
            };
            let tpp = self.world.tpp(&format!("tpp-{number}"), overrides).await;
            self.tpps.push(tpp);
        }
        self.world.start();
        for _ in 0..60 {
            step(&mut self).await;
            let pause = [0, 1, 10, 100, 1_000, 10_000, 60_000][self.dice.below(7)];
            let pause = Duration::from_millis(self.dice.below(pause + 1) as u64);
            tokio::time::sleep(pause).await;
            self.world.assert_sound();
            for tpp in &self.tpps {
                assert!(self.world.endpoints.most_in_flight(tpp) <= 8);
            }
        }
        self.end().await;
    }

    fn tpp(&mut self) -> ClientId {
        self.tpps[self.dice.below(self.tpps.len())].clone()
    }

    async fn step(&mut self) {
        let tpp = self.tpp();
        match self.dice.below(21) {
            0..=4 => {
                let events = 1 + self.dice.below(40);
                self.world.accept(&tpp, events).await;
            }
            5 => {
                self.world.accept_silently(&tpp, 1).await;
            }
            6..=9 => self.behave(&tpp).await,
            10..=11 => {
                let got = self.world.poll(&tpp, Vec::new(), 10).await;
                if self.dice.below(2) == 0 {
                    self.world.poll(&tpp, got, 0).await;
                }
            }
            12 => self.world.pause(&tpp).await,
            13 => self.world.resume(&tpp).await,
            14 => {
                let host = ["one.example", "two.example"][self.dice.below(2)];
                self.world.put(&tpp, host).await;
            }
            15 => match self.dice.below(3) {
                0 => self.world.delete(&tpp).await,
                _ => self.world.subscribe(&tpp).await,
            },
            16 => self.trouble(),
            17 => {
                self.world.faults.mend();
                let takes = Duration::from_millis(self.dice.below(30) as u64);
                self.world.faults.take(takes);
                *self.world.signing_takes.lock().unwrap() =
                    Duration::from_millis(self.dice.below(50) as u64);
            }
            18 => {
                self.world.crash().await;
                self.world.start();
            }
            19 => {
                self.world.crash().await;
                let push = self.dice.below(2) == 0;
                self.world.goes_by(|rules| rules.switches.push = push);
                self.world.start();
            }
            _ => {
                self.world.faults.mend();
                self.world.stop().await;
                self.world.start();
            }
        }
    }

    /// Nothing but what may happen while every answer of the ledger comes.
    async fn step_of_crashes(&mut self) {
        let tpp = self.tpp();
        match self.dice.below(12) {
            0..=4 => {
                let events = 1 + self.dice.below(40);
                self.world.accept(&tpp, events).await;
            }
            5..=6 => self.behave(&tpp).await,
            7 => drop(self.world.poll(&tpp, Vec::new(), 10).await),
            8 => {
                self.world.stop().await;
                self.world.start();
            }
            9 => self.world.resume(&tpp).await,
            _ => {
                self.world.crash().await;
                self.world.start();
            }
        }
    }

    async fn behave(&mut self, tpp: &ClientId) {
        let some = self.world.accept_silently(tpp, 2).await;
        let behaviour = match self.dice.below(9) {
            0..=2 => Behaviour::Up,
            3 => Behaviour::Slow(Duration::from_millis(self.dice.below(9_000) as u64)),
            4 => Behaviour::Status([301, 400, 404, 500, 204][self.dice.below(5)]),
            5 => Behaviour::Busy(Duration::from_secs(self.dice.below(100) as u64)),
            6 => Behaviour::Down,
            7 => Behaviour::Refuses(some.into_iter().collect()),
            _ => Behaviour::BreaksAt(some.into_iter().collect()),
        };
        self.world.behave(tpp, behaviour);
    }

    fn trouble(&mut self) {
        let error = Error::Unavailable {
            detail: "as the history says".to_owned(),
        };
        let methods = [
            "due_for_push",
            "record_attempts",
            "report_lanes",
            "hold_lease",
            "claim_lanes",
            "keep_sets",
            "put_back",
            "recheck",
            "find_tpp",
        ];
        match self.dice.below(3) {
            0 => self.world.faults.fail(error),
            1 => self.world.faults.lose_answers(error),
            _ => self
                .world
                .faults
                .fail_at(methods[self.dice.below(methods.len())], error),
        }
    }

    /// Everything is mended, and everything ends.
    async fn end(mut self) {
        self.world.faults.mend();
        self.world.goes_by(|rules| rules.switches.push = true);
        for tpp in &self.tpps {
            self.world.behave(tpp, Behaviour::Up);
            self.world.resume(tpp).await;
            self.world.subscribe(tpp).await;
            self.world.put(tpp, "one.example").await;
        }
        for tpp in &self.tpps {
            self.world.all_settled(tpp, MINUTE * 10).await;
        }
        self.world.stop().await;
        self.world.assert_sound();
    }
}
