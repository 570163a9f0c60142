//! Random histories: TPPs that poll in every way, drop their polls, acknowledge some of what they get and not the rest, while
//! events are accepted and time passes. Whenever all is quiet, nothing that is due stays while somebody waits for it, and
//! nobody waits for longer than asked; in the end everything was handed out and acknowledged.

use std::collections::BTreeSet;
use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::poll::{Limits, Patience, Poll};
use oyez_domain::polling::{Plan, Reply};
use oyez_domain::tpp::DeliveryOrder;
use oyez_store::Store as _;
use oyez_testkit::dice::Dice;
use oyez_web::polling::{Ask, Options};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::bank::{Bank, Polling, at_once, jtis, limits};

struct History {
    bank: Bank,
    dice: Dice,
    tpps: Vec<Player>,
    running: Vec<Running>,
    handed_out: usize,
    woken: usize,
}

struct Player {
    client_id: ClientId,
    order: DeliveryOrder,
    accepted: BTreeSet<Jti>,
    in_hand: BTreeSet<Jti>,
}

struct Running {
    tpp: usize,
    ask: Ask,
    until: Instant,
    polling: Polling,
}

impl History {
    async fn begin(mut dice: Dice) -> Self {
        let bank = Bank::bounded(Options {
            per_tpp_max: 2 + dice.below(3),
            total_max: 3 + dice.below(8),
        });
        let mut tpps = Vec::new();
        for name in ["a", "b", "c", "d"] {
            tpps.push(Player {
                client_id: bank.tpp(name).await,
                order: match dice.below(4) {
                    0 => DeliveryOrder::Strict,
                    _ => DeliveryOrder::Concurrent,
                },
                accepted: BTreeSet::new(),
                in_hand: BTreeSet::new(),
            });
        }
        Self {
            bank,
            dice,
            tpps,
            running: Vec::new(),
            handed_out: 0,
            woken: 0,
        }
    }

    async fn step(&mut self) {
        let tpp = self.dice.below(self.tpps.len());
        match self.dice.below(12) {
            0..3 => self.publish(tpp).await,
            3..7 => {
                let ask = self.ask(tpp);
                self.start(tpp, ask);
            }
            7 => self.hang_up(),
            8 => {
                let ask = self.ask(tpp);
                let mut polling = pin!(self.bank.desk.answer(ask));
                let mut context = Context::from_waker(Waker::noop());
                // Even if it is there already, nobody hears it.
                drop(polling.as_mut().poll(&mut context));
            }
            9 => self.bank.cry_wolf(&self.tpps[tpp].client_id),
            10 => {
                for _ in 0..self.dice.below(9) {
                    yield_now().await;
                }
            }
            _ => {
                self.quiet().await;
                let by = Duration::from_millis(1 + self.dice.roll() % 3_000);
                self.bank.later(by).await;
                self.quiet().await;
                self.check().await;
            }
        }
    }

    async fn publish(&mut self, tpp: usize) {
        let family = [Family::Aisp, Family::Pisp][self.dice.below(2)];
        let events = 1 + self.dice.below(4);
        let client_id = &self.tpps[tpp].client_id;
        let jtis = self.bank.accept_of(client_id, family, events).await;
        self.tpps[tpp].accepted.extend(jtis);
    }

    fn ask(&mut self, tpp: usize) -> Ask {
        let player = &mut self.tpps[tpp];
        let dice = &mut self.dice;
        let mut acks: Vec<Jti> = player.in_hand.iter().copied().collect();
        acks.retain(|_| dice.below(2) == 0);
        let reply = match dice.below(3) {
            0 => Reply::AtOnce,
            _ => Reply::WhenDue(Duration::from_millis(100 + dice.roll() % 9_000)),
        };
        let families = match dice.below(4) {
            0 => vec![Family::Aisp],
            1 => vec![Family::Pisp],
            _ => Family::ALL.to_vec(),
        };
        Ask {
            plan: Plan {
                events_max: u32::try_from(1 + dice.below(4)).unwrap(),
                reply,
            },
            acks,
            families,
            limits: Limits {
                order: player.order,
                redelivery_delay: Duration::from_millis(2_000),
                ..limits()
            },
            ..at_once(&player.client_id)
        }
    }

    fn start(&mut self, tpp: usize, ask: Ask) {
        let wait = match ask.plan.reply {
            Reply::AtOnce => Duration::ZERO,
            Reply::WhenDue(wait) => wait,
        };
        self.running.push(Running {
            tpp,
            until: Instant::now() + wait,
            polling: self.bank.start(ask.clone()),
            ask,
        });
    }

    fn hang_up(&mut self) {
        if !self.running.is_empty() {
            let gone = self
                .running
                .swap_remove(self.dice.below(self.running.len()));
            gone.polling.abort();
        }
    }

    /// Nothing goes on that does not wait for time to pass.
    async fn quiet(&mut self) {
        let mut quiet_rounds = 0;
        while quiet_rounds < 2 {
            self.bank.settle().await;
            self.gather().await;
            let is_quiet = self.running.len() == self.bank.waiters.counts().waiting;
            quiet_rounds = if is_quiet { quiet_rounds + 1 } else { 0 };
        }
    }

    async fn gather(&mut self) {
        let (done, running) = std::mem::take(&mut self.running)
            .into_iter()
            .partition(|it| it.polling.is_finished());
        self.running = running;
        for Running {
            tpp, ask, polling, ..
        } in done
        {
            let answer = polling.await.unwrap().unwrap();
            let player = &mut self.tpps[tpp];
            assert!(answer.sets.len() <= ask.plan.events_max as usize);
            let is_long = matches!(ask.plan.reply, Reply::WhenDue(_));
            self.woken += usize::from(is_long && !answer.sets.is_empty());
            for jti in jtis(&answer) {
                assert!(player.accepted.contains(&jti), "its own");
                let family = self.bank.file(jti).await.notice.resource.family;
                assert!(ask.families.contains(&family), "what it may see");
                player.in_hand.insert(jti);
                self.handed_out += 1;
            }
        }
    }

    async fn check(&self) {
        for Running {
            tpp,
            ask,
            until,
            polling,
        } in &self.running
        {
            assert!(!polling.is_finished());
            assert!(*until > Instant::now(), "nobody waits longer than asked");
            let question = Poll {
                client_id: self.tpps[*tpp].client_id.clone(),
                acks: Vec::new(),
                errors: Vec::new(),
                events_max: 0,
                families: ask.families.clone(),
                patience: Patience::WaitForDue,
                limits: ask.limits,
                interaction_id: ask.interaction_id.clone(),
            };
            let now = oyez_domain::time::Clock::now(&*self.bank.clock);
            let polled = self.bank.store.poll(question, now).await.unwrap();
            assert!(!polled.more_available, "what is due is not slept over");
        }
    }

    /// Everybody polls and acknowledges until nothing is left.
    async fn end(mut self) -> (usize, usize) {
        self.quiet().await;
        self.check().await;
        for running in self.running.drain(..) {
            running.polling.abort();
        }
        for player in &self.tpps {
            let mut ask = at_once(&player.client_id);
            ask.limits.order = player.order;
            loop {
                let answer = self.bank.poll(ask.clone()).await;
                ask.acks = jtis(&answer);
                if ask.acks.is_empty() && !answer.more_available {
                    break;
                }
            }
            let counts = self.bank.store.counts(player.client_id.clone());
            let counts = counts.await.unwrap();
            assert_eq!(counts.outstanding, 0);
            assert_eq!(counts.acknowledged, player.accepted.len() as u64);
        }
        self.bank.settle().await;
        assert_eq!(self.bank.waiters.counts().waiting, 0, "nobody is held");
        (self.handed_out, self.woken)
    }
}

async fn play(seed: u64, steps: usize) -> (usize, usize) {
    let mut history = History::begin(Dice::new(seed)).await;
    for _ in 0..steps {
        history.step().await;
    }
    history.end().await
}

// P-02, P-03, P-07, P-08, D-08
#[tokio::test(start_paused = true)]
async fn in_a_random_history_nothing_is_lost_and_nothing_due_is_slept_over() {
    let (handed_out, woken) = play(1, 150).await;
    assert!(handed_out > 20 && woken > 5, "{handed_out} {woken}");
}

mod slow {
    use super::*;

    // P-02, P-03, P-07, P-08, D-08
    #[tokio::test(start_paused = true)]
    async fn in_many_random_histories_nothing_is_lost_and_nothing_due_is_slept_over() {
        for seed in 2..14 {
            play(seed, 300).await;
        }
    }
}
