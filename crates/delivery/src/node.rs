//! One node: a lease, the lanes that it owns under it, and who wakes them.
//!
//! The loop is of the same kind as a lane's: it looks at what it has, starts what may be started, waits until
//! something changes. News of a lane that is ours is a knock at its door; news of any other is a reason to claim. A
//! sweep looks for work that nobody told of: lanes whose time has come, lanes of a node that died, and news that got lost.
//! When the node starts, when the clock was set back and once an hour it looks at lanes whose time has not come, too.
//!
//! Lanes are tasks of a set that the node holds: dropping the node drops them all. One that panics is forgotten, and claimed
//! again after a pause.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::{Hold, Lane, LaneReport, Lease, Reported};
use oyez_domain::time::Timestamp;
use oyez_store::Error;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::door::{Claim, Door, Tenure};
use crate::lane;
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
    fallen: VecDeque<(Instant, ClientId)>,
    ledger: FuturesUnordered<BoxFuture<'a, Told>>,
    asked: Asked,
    /// The lease is to be had or renewed then.
    renew_at: Instant,
    renew_pause: Pause,
    sweep_at: Instant,
    /// What the clock said at the last claim, and when that was.
    claimed_at: (Timestamp, Instant),
    /// Then every lane is claimed that sleeps, whenever it was to wake.
    all_at: Instant,
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
    Lease(Asking, Result<Option<Lease>, Error>),
    Claimed(Claimed),
    Reported(Vec<LaneReport>, Result<Vec<Reported>, Error>),
    Health(ClientId, Result<Option<Lane>, Error>),
    Released(Result<(), Error>),
}

/// Lanes that were asked for.
struct Claimed {
    tenure: Arc<Tenure>,
    wanted: Wanted,
    answer: Result<Vec<Lane>, Error>,
}

/// Which lanes are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Those that have something to do now.
    Due,
    /// Those that sleep, too.
    All,
}

/// How a lease was asked for.
#[derive(Clone, Copy)]
struct Asking {
    /// By the steady clock.
    at: Duration,
    /// For a new epoch.
    anew: bool,
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
            claimed_at: (shared.parts.clock.now(), now),
            all_at: now,
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
                Event::Wanted => self.sweep_at = Instant::now(),
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
            Told::Health(client_id, answer) => self.found(client_id, answer),
            Told::Released(answer) => {
                if let Err(error) = answer {
                    self.failed(&error);
                }
                self.stopped = Stopped::Done;
            }
        }
    }

    // --- the lease

    fn renew(&mut self) {
        if self.asked.lease {
            return;
        }
        self.asked.lease = true;
        let options = &self.shared.options;
        let renewed = self.tenure.as_ref().filter(|_| !self.in_doubt);
        let epoch = renewed.map(|tenure| tenure.lease.epoch);
        let asking = Asking {
            at: self.shared.parts.steady.elapsed(),
            anew: epoch.is_none(),
        };
        let store = &self.shared.parts.store;
        let answer = store.hold_lease(options.node_id.clone(), epoch, options.lease_ttl);
        self.ledger
            .push(Box::pin(async move { Told::Lease(asking, answer.await) }));
    }

    fn leased(&mut self, asking: Asking, answer: Result<Option<Lease>, Error>) {
        self.asked.lease = false;
        let now = Instant::now();
        let ttl = self.shared.options.lease_ttl;
        // Asked before it was granted: by our clock it ends sooner than by the ledger's.
        let holds_until = asking.at + ttl - ttl / MARGIN;
        if asking.anew && matches!(answer, Ok(Some(_))) {
            self.lose_lease();
            self.in_doubt = false;
        }
        match (answer, &self.tenure) {
            (Ok(Some(lease)), None) => {
                self.tenure = Some(Arc::new(Tenure::new(lease, holds_until)));
                self.sweep_at = now;
            }
            (Ok(Some(_)), Some(tenure)) => {
                let lapsed = !tenure.holds(self.shared.parts.steady.elapsed());
                tenure.renewed(holds_until);
                if lapsed {
                    self.sweep_at = now;
                    self.shared.knock_everywhere();
                }
            }
            (Ok(None), _) => {
                self.lose_lease();
                self.renew_at = now;
                return;
            }
            (Err(error), _) => {
                self.failed(&error);
                self.renew_pause.begin(now);
                self.renew_at = self.renew_pause.until(now).unwrap_or(now);
                return;
            }
        }
        self.renew_pause.clear();
        self.renew_at = now + ttl / RENEWALS;
    }

    /// The epoch is over: others may have the lanes. What was not let go is theirs to find.
    fn lose_lease(&mut self) {
        let Some(tenure) = self.tenure.take() else {
            return;
        };
        tenure.end();
        self.let_go.clear();
        self.fallen.clear();
        self.shared.parts.observe.lease_lost();
        self.shared.knock_everywhere();
    }

    // --- lanes come

    fn claim(&mut self, now: Instant) {
        let Some(tenure) = &self.tenure else {
            return;
        };
        let free = self
            .shared
            .options
            .lanes_max
            .saturating_sub(self.lanes.len());
        if self.asked.lanes || free == 0 {
            return;
        }
        // Lanes that may start nothing would be let go at once, and claimed again, and let go: until the lease is renewed.
        if !tenure.holds(self.shared.parts.steady.elapsed()) {
            self.sweep_at = now + SWEEP;
            return;
        }
        self.asked.lanes = true;
        self.sweep_at = now + SWEEP;
        let tenure = Arc::clone(tenure);
        let lease = tenure.lease.clone();
        let (wanted, by, lanes_max) = match self.wanted(now) {
            // All at once: those that are let go again while others are still to come would come again.
            (Wanted::All, _) => (Wanted::All, Timestamp::MAX, free),
            (Wanted::Due, clock) => (Wanted::Due, clock, free.min(CLAIM_MAX)),
        };
        let lanes_max = u32::try_from(lanes_max).unwrap_or(u32::MAX);
        let answer = self.shared.parts.store.claim_lanes(lease, lanes_max, by);
        self.ledger.push(Box::pin(async move {
            let answer = answer.await;
            Told::Claimed(Claimed {
                tenure,
                wanted,
                answer,
            })
        }));
    }

    /// When a lane wakes was said by a clock that may have been set back since, while this node ran or before, and on terms
    /// that may have changed. So now and then every lane is looked at, and lies down again by what is true now. Answers
    /// what the clock says, too.
    fn wanted(&mut self, now: Instant) -> (Wanted, Timestamp) {
        let clock = self.shared.parts.clock.now();
        let (said, then) = self.claimed_at;
        let expected = said + now.duration_since(then);
        if expected.since(clock) > SET_BACK_MIN {
            self.all_at = now;
        }
        self.claimed_at = (clock, now);
        let wanted = if now >= self.all_at {
            Wanted::All
        } else {
            Wanted::Due
        };
        (wanted, clock)
    }

    fn claimed(&mut self, claimed: Claimed) {
        self.asked.lanes = false;
        let tenure = claimed.tenure;
        let lanes = match claimed.answer {
            Ok(lanes) => lanes,
            Err(error) => {
                // Unless it had no turn, it may have happened: lanes of this epoch that nobody drives are free only when the epoch
                // is over.
                self.in_doubt |= !matches!(error, Error::Busy { .. });
                return self.failed(&error);
            }
        };
        self.pause.clear();
        match claimed.wanted {
            Wanted::All => self.all_at = Instant::now() + ALL_EVERY,
            Wanted::Due if lanes.len() >= CLAIM_MAX => self.sweep_at = Instant::now(),
            Wanted::Due => {}
        }
        for Lane { client_id, health } in lanes {
            let tenure = Arc::clone(&tenure);
            let claim = Claim { health, tenure };
            let door = self.shared.doors().get(&client_id).map(Arc::clone);
            match door {
                Some(door) => door.hand_in(claim),
                None => self.begin(client_id, claim),
            }
        }
        self.shared.parts.observe.lanes_owned(self.lanes.len());
    }

    fn begin(&mut self, client_id: ClientId, claim: Claim) {
        let door = Arc::new(Door::default());
        self.shared
            .doors()
            .insert(client_id.clone(), Arc::clone(&door));
        let shared = Arc::clone(self.shared);
        let task = self
            .lanes
            .spawn(lane::drive(shared, door, client_id.clone(), claim));
        self.names.insert(task.id(), client_id);
    }

    // --- lanes go

    fn ended(&mut self, ended: Result<(Id, Option<LaneReport>), JoinError>) {
        let (id, report) = match ended {
            Ok((id, report)) => (id, Ok(report)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(client_id) = self.names.remove(&id) else {
            return;
        };
        let door = self.shared.doors().remove(&client_id);
        // A claim that was handed in while the lane went: it is ours, and nobody drives it.
        if let Some(claim) = door.and_then(|door| door.take_claim()) {
            self.begin(client_id, claim);
            return;
        }
        let now = Instant::now();
        match report {
            Ok(Some(report)) => self.let_go.push(report),
            Ok(None) => {
                self.sweep_at = now;
                self.fallen.push_back((now + FALLEN_REST, client_id));
            }
            Err(_) => {
                let trouble = Trouble::Panicked {
                    client_id: &client_id,
                };
                self.shared.parts.observe.trouble(trouble);
                self.fallen.push_back((now + FALLEN_REST, client_id));
            }
        }
        self.shared.parts.observe.lanes_owned(self.lanes.len());
    }

    /// Writes what lanes that ended have left, all in one request.
    fn report(&mut self) {
        let Some(tenure) = &self.tenure else {
            return;
        };
        // On a stop they are waited for, so that one write says it of all.
        let waits = self.stopped == Stopped::Ending && !self.lanes.is_empty();
        // What was let go once and claimed again meanwhile has a better report to come.
        let doors = self.shared.doors();
        self.let_go
            .retain(|report| !doors.contains_key(&report.client_id));
        drop(doors);
        // Beside a claim a report may come after it, and let go what was just claimed with a health that was overruled.
        let busy = self.asked.report || self.asked.lanes;
        if busy || self.let_go.is_empty() || waits {
            return;
        }
        self.asked.report = true;
        let reports = std::mem::take(&mut self.let_go);
        let store = &self.shared.parts.store;
        let answer = store.report_lanes(tenure.lease.clone(), reports.clone());
        self.ledger
            .push(Box::pin(async { Told::Reported(reports, answer.await) }));
    }

    fn reported(&mut self, reports: Vec<LaneReport>, answer: Result<Vec<Reported>, Error>) {
        self.asked.report = false;
        match answer {
            Ok(_) => {
                self.pause.clear();
                // News that came while a lane went has found no door.
                self.sweep_at = Instant::now();
            }
            Err(error) => {
                self.let_go.extend(reports);
                self.failed(&error);
            }
        }
    }

    /// A lane that panicked is let go as the ledger remembers it. So is one that was not ours: it may be for all that, when the
    /// ledger's clock jumped past the lease and back, and then nobody would drive it while we live.
    fn pick_up_fallen(&mut self, now: Instant) {
        if self.asked.health {
            return;
        }
        let rested = |(at, _): &mut (Instant, ClientId)| *at <= now;
        let mut fallen = std::iter::from_fn(|| self.fallen.pop_front_if(rested));
        let doors = self.shared.doors();
        let undriven = fallen.find(|(_, client_id)| !doors.contains_key(client_id));
        drop(doors);
        let Some((_, client_id)) = undriven else {
            return;
        };
        self.asked.health = true;
        let answer = self.shared.parts.store.find_lane(client_id.clone());
        self.ledger
            .push(Box::pin(async { Told::Health(client_id, answer.await) }));
    }

    fn found(&mut self, client_id: ClientId, answer: Result<Option<Lane>, Error>) {
        self.asked.health = false;
        match answer {
            Ok(None) => {}
            Ok(Some(lane)) => {
                let now = self.shared.parts.clock.now();
                let wake_at = lane.health.next_probe_at().map_or(now, |at| at.max(now));
                self.let_go.push(LaneReport {
                    client_id,
                    health: lane.health,
                    hold: Hold::LetGo {
                        wake_at: Some(wake_at),
                    },
                });
            }
            Err(error) => {
                self.fallen.push_front((Instant::now(), client_id));
                self.failed(&error);
            }
        }
    }

    // --- the end

    fn stop(&mut self) {
        self.stopped = Stopped::Ending;
        self.shared.stop();
    }

    fn release(&mut self) {
        let Some(tenure) = self.tenure.take() else {
            self.stopped = Stopped::Done;
            return;
        };
        self.stopped = Stopped::Releasing;
        tenure.end();
        let answer = self.shared.parts.store.release_lease(tenure.lease.clone());
        self.ledger
            .push(Box::pin(async { Told::Released(answer.await) }));
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
/// Lanes claimed by one request; there may be another at once.
const CLAIM_MAX: usize = 64;
/// A lane that sleeps by a mistake sleeps no longer than this.
const ALL_EVERY: Duration = Duration::from_secs(60 * 60);
/// Less is what clocks are put right by day by day: lanes sleep so much longer.
const SET_BACK_MIN: Duration = Duration::from_secs(1);
/// A lease is renewed so often in its time, so that two renewals may fail.
const RENEWALS: u32 = 3;
/// We count on less than we were given, by this part: clocks do not run equally fast.
const MARGIN: u32 = 10;
/// A lane that panicked may do so again.
const FALLEN_REST: Duration = Duration::from_secs(5);
/// The least sleep, so that nothing here can spin.
const NAP: Duration = Duration::from_millis(1);
