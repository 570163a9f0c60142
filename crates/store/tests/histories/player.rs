//! Plays a history against the model and a backend at once, and stops at the first answer that differs.
//!
//! Answers are compared as they print, which is all of them. What is left to a backend is taken out first: the order in which
//! one poll names what it settled, the moment by which leases go and the words of an error.

mod comparing;
mod delivering;
mod lanes;
mod listening;
mod operating;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::lanes::Lease;
use oyez_domain::ledger::push::{Choice, Ended};
use oyez_domain::ledger::sets::Purpose;
use oyez_domain::time::Timestamp;
use oyez_domain::version::ApiVersion;
use oyez_store::{Error, Store};

use crate::step::{Act, Change, EventOf, NODES, Step, TPPS, Turn, WishOf};
use listening::Known;
use oyez_testkit::making::{DAWN, Jtis, client, interaction};
use oyez_testkit::notebook::Notebook;

/// The two ledgers, and the names that a history's numbers stand for.
pub(crate) struct Player<'a> {
    ledgers: [&'a dyn Store; 2],
    company: Company,
    now: Timestamp,
    jtis: Jtis,
    /// Every jti given, oldest first.
    given: Vec<Jti>,
    /// Those accepted, by TPP.
    accepted: [Vec<Jti>; TPPS],
    registrations_made: u64,
    /// Chosen, unsigned and not kept yet, oldest choice first.
    chosen: Vec<(ClientId, Jti, u64)>,
    interactions: u64,
    /// The choices that took an event, oldest first: until when it was in flight.
    choices: BTreeMap<Jti, Vec<Timestamp>>,
    /// What was recorded last, by TPP.
    recorded: [Option<Ended>; TPPS],
    notebooks: [Arc<Notebook>; 2],
    /// What those know who wait, by TPP.
    known: [Known; TPPS],
    /// Until when at most the last poll, of this TPP, holds back what it chose: it tells those who wait.
    learned: Option<(usize, Timestamp)>,
    /// Each node's lease, as each of the two ledgers granted it.
    leases: Vec<Option<[Lease; 2]>>,
}

/// Whether a history has the backend to itself. In company it keeps to its own TPPs and to what is asked of one TPP at a time:
/// then it must go as if it were alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Company {
    Alone,
    /// The lease is everybody's.
    Among {
        nth: u64,
        lease: Lease,
    },
}

/// An answer as it is compared.
type Said = String;

/// Asks both ledgers the same, and panics if they answer differently.
macro_rules! both {
    ($player:expr, |$ledger:ident| $ask:expr, $said:expr) => {{
        let [model, backend] = $player.ledgers;
        let first = {
            let $ledger = model;
            $ask.await
        };
        let second = {
            let $ledger = backend;
            $ask.await
        };
        let said = $said;
        $crate::player::agree(&said(&first), &said(&second));
        first
    }};
}

use both;

fn agree(model: &str, backend: &str) {
    assert!(
        model == backend,
        "the model says\n{model}\nand the backend\n{backend}"
    );
}

fn whole<T: std::fmt::Debug>(answer: &Result<T, Error>) -> Said {
    match answer {
        Ok(answer) => format!("{answer:#?}"),
        Err(Error::Inconsistent { .. }) => "a contradiction".to_owned(),
        Err(other) => panic!("a fault: {other}"),
    }
}

impl<'a> Player<'a> {
    pub(crate) async fn new(
        model: &'a dyn Store,
        backend: &'a dyn Store,
        company: Company,
    ) -> Self {
        let (first, leases) = match &company {
            Company::Alone => (1, vec![None; NODES]),
            Company::Among { nth, lease } => {
                let leases = [crate::join(model).await, lease.clone()];
                ((nth + 1) << 32, vec![Some(leases); NODES])
            }
        };
        Self {
            company,
            ledgers: [model, backend],
            now: DAWN,
            jtis: Jtis::from(first),
            given: Vec::new(),
            accepted: Default::default(),
            registrations_made: first,
            chosen: Vec::new(),
            interactions: 0,
            choices: BTreeMap::new(),
            recorded: Default::default(),
            notebooks: [model, backend].map(Notebook::of),
            known: Default::default(),
            learned: None,
            leases,
        }
    }

    /// Nodes with leases and two TPPs that subscribed, so that short histories say something; a third that is unknown.
    pub(crate) async fn begin(&mut self) {
        let nodes = if self.company == Company::Alone {
            NODES
        } else {
            0
        };
        for node in 0..nodes {
            self.lease(node, None, Duration::from_secs(3_600)).await;
        }
        for tpp in 0..TPPS - 1 {
            self.play(Step::Govern(tpp, Act::Register)).await;
            let wish = WishOf::Subscription {
                pushed: tpp == 0,
                types: None,
                version: "4.0",
            };
            let api = ApiVersion::V4_0;
            self.play(Step::Register(tpp, Change::Create { wish, api }))
                .await;
        }
    }

    /// Plays a step on both, and sees that what it changed was told.
    pub(crate) async fn play(&mut self, step: Step) {
        self.ask(step.clone()).await;
        self.check_news(&step).await;
    }

    /// All nodes leave, as before a copy.
    pub(crate) async fn leave(&mut self) {
        for node in 0..NODES {
            Box::pin(self.play(Step::Lane(node, Turn::Release))).await;
        }
    }

    /// They come back, and find the backend's ledger in another place.
    pub(crate) async fn go_on_with(&mut self, backend: &'a dyn Store) {
        self.ledgers[1] = backend;
        self.notebooks[1] = Notebook::of(backend);
        for node in 0..NODES {
            let join = Turn::Join(Duration::from_secs(3_600));
            Box::pin(self.play(Step::Lane(node, join))).await;
        }
    }

    async fn ask(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Expire { .. } | Step::Sweep(_) if self.company != Company::Alone => {}
            Step::Pass(time) => self.now = now + time,
            Step::SetBack(time) => self.now = now - time,
            Step::Govern(tpp, act) => self.govern(tpp, act).await,
            Step::Mend(tpp, mend) => self.mend(tpp, mend).await,
            Step::Disown(key) => self.disown(key).await,
            Step::Register(tpp, change) => self.register(tpp, change).await,
            Step::Lane(node, turn) => self.lane(node, turn).await,
            Step::Accept(items) => self.accept(items).await,
            Step::AcceptAgain(items, tpp) => self.accept_again(items, tpp).await,
            Step::Poll(poll) => self.poll(*poll).await,
            Step::Keep {
                newest,
                bytes,
                key,
                handed_out,
            } => {
                let purpose = handed_out.map_or(Purpose::Push, |cap| Purpose::HandOut {
                    cap,
                    interaction_id: interaction("kept"),
                });
                self.keep(newest, (bytes, key), &purpose).await;
            }
            Step::Recheck(tpp, events) => {
                let jtis = self.named(tpp, &events);
                self.recheck(tpp, jtis).await;
            }
            Step::Look(node, tpp, look) => self.look(node, tpp, look).await,
            Step::ListLanes(state, after, rows_max) => {
                self.list_lanes(state, after, rows_max).await;
            }
            Step::PutBack(tpp, events) => {
                let id = self.name(tpp);
                let jtis = self.named(tpp, &events).into_iter();
                let choices: Vec<Choice> = jtis.map(|jti| self.choice(jti)).collect();
                both!(
                    self,
                    |it| it.put_back(id.clone(), choices.clone(), now),
                    whole
                )
                .unwrap();
            }
            Step::Attempt(tpp, event, verdict) => self.attempt(tpp, event, &verdict).await,
            Step::Expire {
                accepted_ago,
                events_max,
            } => {
                let before = now - accepted_ago;
                both!(self, |it| it.expire(before, events_max, now), whole).unwrap();
            }
            Step::Sweep(retention) => self.sweep(retention).await,
        }
    }

    fn name(&self, tpp: usize) -> ClientId {
        match &self.company {
            Company::Alone => client(&format!("tpp-{tpp}")),
            Company::Among { nth, .. } => client(&format!("of-{nth}-tpp-{tpp}")),
        }
    }

    /// A key by its number; in company each has keys of its own.
    fn kid(&self, key: usize) -> String {
        match &self.company {
            Company::Alone => format!("key-{key}"),
            Company::Among { nth, .. } => format!("of-{nth}-key-{key}"),
        }
    }

    /// Events by their numbers; one beyond them all is a jti that nobody has.
    fn named(&self, tpp: usize, events: &[EventOf]) -> Vec<Jti> {
        let unknown = Jti::from_bytes([0xff; 16]);
        let jti = |event: &EventOf| match event {
            EventOf::Own(back) => self.accepted[tpp].iter().rev().nth(*back),
            EventOf::Any(back) => self.given.iter().rev().nth(*back),
        };
        events
            .iter()
            .map(|event| *jti(event).unwrap_or(&unknown))
            .collect()
    }
}
