//! One node: a lease, the lanes that it owns under it, and who wakes them.
//!
//! The loop is of the same kind as a lane's: it looks at what it has, starts what may be started, waits until
//! something changes. News of a lane that is ours is a knock at its door; news of any other is a reason to claim. A
//! sweep looks for work that nobody told of: lanes whose time has come, lanes of a node that died, and news that got lost.
//! When the node starts, when the clock was set back and once an hour it looks at lanes whose time has not come, too.
//!
//! Lanes are tasks of a set that the node holds: dropping the node drops them all. One that panics is forgotten, and claimed
//! again after a pause.
//!
//! The parts: `leasing` keeps the lease, `claiming` brings lanes, `giving_up` says which others are to have, `letting_go` gives
//! them back.

mod claiming;
mod giving_up;
mod leasing;
mod letting_go;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::{Lane, LaneReport, Lease, Reported};
use oyez_domain::time::Timestamp;
use oyez_store::Error;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::door::Tenure;
use crate::pause::Pause;
use crate::ports::{BoxFuture, Trouble};
use crate::shared::Shared;

/// See the head of this file.
pub(crate) struct Node<'a> {
    shared: &'a Arc<Shared>,
    lanes: JoinSet<Option<LaneReport>>,
    names: HashMap<Id, ClientId>,
    tenure: Option<Arc<Tenure>>,
    /// Lanes that ended and are still ours in the ledger.
    let_go: Vec<LaneReport>,
    /// Lanes that panicked or were not ours any more, and when they are let go if they are after all.
    fallen: VecDeque<letting_go::Fallen>,
    ledger: FuturesUnordered<BoxFuture<'a, Told>>,
    asked: Asked,
    /// The lease is to be had or renewed then.
    renew_at: Instant,
    renew_pause: Pause,
    sweep_at: Instant,
    /// Lanes were asked for a moment ago and there were none: news alone is no reason to ask again before this.
    vain_until: Instant,
    /// What the clock said at the last claim, and when that was.
    claimed_at: (Timestamp, Instant),
    /// Then every lane is claimed that sleeps, whenever it was to wake.
    all_at: Instant,
    giving_up: giving_up::GivingUp,
    pause: Pause,
    /// A claim was not answered: a new epoch is wanted.
    in_doubt: bool,
    stopped: Stopped,
}

/// What the ledger was asked and has not answered.
#[derive(Default)]
struct Asked {
    lease: bool,
    lanes: bool,
    report: bool,
    health: bool,
}

/// How far a stop has come.
#[derive(PartialEq, Eq)]
enum Stopped {
    Not,
    /// Lanes end; then their reports are written.
    Ending,
    /// The lease is being given back.
    Releasing,
    Done,
}

/// What the ledger answered.
enum Told {
    Lease(leasing::Asking, Result<Option<Lease>, Error>),
    Claimed(claiming::Claimed),
    Reported(Vec<LaneReport>, Result<Vec<Reported>, Error>),
    Health(letting_go::Fallen, Result<Option<Lane>, Error>),
    Released(Result<(), Error>),
}

enum Event {
    Told(Told),
    Ended(Result<(Id, Option<LaneReport>), JoinError>),
    Wanted,
    Stop,
    Alarm,
}

impl<'a> Node<'a> {
    pub(crate) fn new(shared: &'a Arc<Shared>) -> Self {
        let now = Instant::now();
        Self {
            shared,
            lanes: JoinSet::new(),
            names: HashMap::new(),
            tenure: None,
            let_go: Vec::new(),
            fallen: VecDeque::new(),
            ledger: FuturesUnordered::new(),
            asked: Asked::default(),
            renew_at: now,
            renew_pause: Pause::default(),
            sweep_at: now,
            vain_until: now,
            claimed_at: (shared.parts.clock.now(), now),
            all_at: now,
            giving_up: giving_up::GivingUp::default(),
            pause: Pause::default(),
            in_doubt: false,
            stopped: Stopped::Not,
        }
    }

    /// Runs until it was told to stop and has stopped.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            self.act();
            if self.stopped == Stopped::Done {
                return;
            }
            let until = self.next_look();
            let event = tokio::select! {
                Some(told) = self.ledger.next() => Event::Told(told),
                Some(ended) = self.lanes.join_next_with_id() => Event::Ended(ended),
                () = self.shared.wants_lanes.notified() => Event::Wanted,
                () = stop.cancelled(), if self.stopped == Stopped::Not => Event::Stop,
                () = tokio::time::sleep_until(until) => Event::Alarm,
            };
            match event {
                Event::Told(told) => self.told(told),
                Event::Ended(ended) => self.ended(ended),
                Event::Wanted => self.sweep_at = Instant::now().max(self.vain_until),
                Event::Stop => self.stop(),
                Event::Alarm => {}
            }
        }
    }

    /// Starts whatever may be started now.
    fn act(&mut self) {
        let now = Instant::now();
        if (now >= self.renew_at || self.in_doubt && self.pause.until(now).is_none())
            && self.stopped != Stopped::Releasing
        {
            self.renew();
        }
        if self.pause.until(now).is_none() {
            self.report();
            self.pick_up_fallen(now);
            if now >= self.sweep_at && self.stopped == Stopped::Not && !self.in_doubt {
                self.claim(now);
            }
            let all_told = self.let_go.is_empty() && !self.asked.report;
            if self.stopped == Stopped::Ending && self.lanes.is_empty() && all_told {
                self.release();
            }
        }
    }

    fn next_look(&self) -> Instant {
        let now = Instant::now();
        let pause = self.pause.until(now);
        let renewal = (!self.asked.lease).then_some(self.renew_at);
        let sweep = (!self.asked.lanes && pause.is_none()).then_some(self.sweep_at);
        let soonest = [pause, renewal, sweep].into_iter().flatten().min();
        soonest.map_or(now + SWEEP, |at| at.clamp(now + NAP, now + SWEEP))
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Lease(asking, answer) => self.leased(asking, answer),
            Told::Claimed(claimed) => self.claimed(claimed),
            Told::Reported(reports, answer) => self.reported(reports, answer),
            Told::Health(fallen, answer) => self.found(fallen, answer),
            Told::Released(answer) => {
                if let Err(error) = answer {
                    self.failed(&error);
                }
                self.stopped = Stopped::Done;
            }
        }
    }

    fn stop(&mut self) {
        self.stopped = Stopped::Ending;
        self.shared.stop();
    }

    fn failed(&mut self, error: &Error) {
        self.pause.begin(Instant::now());
        let client_id = None;
        self.shared
            .parts
            .observe
            .trouble(Trouble::Ledger { client_id, error });
    }
}

/// How often the ledger is asked for lanes that nobody told of.
const SWEEP: Duration = Duration::from_secs(1);
/// On several nodes most news is of lanes that others drive. A push to somebody who was not pushed to lately waits so much longer,
/// if it comes just after such news.
const VAIN: Duration = Duration::from_millis(20);
/// The least sleep, so that nothing here can spin.
const NAP: Duration = Duration::from_millis(1);
