//! One TPP's lane: a loop that looks at what it has, starts what may be started, and waits until something changes.
//!
//! Everything that is under way (choices, signatures, attempts, records) is a future that the lane itself holds. So there
//! is one task per lane, dropping it drops all of it, and nothing here needs a lock. What may be started when is
//! decided in [`Lane::act`] and below it, from the lane's state alone: it can be called at any moment, and calling it twice does
//! no more than once.
//!
//! The parts: `choosing` takes events out of the ledger and gives them back, `sending` has them issued and posted,
//! `recording` writes what ended, `resting` says how long there is nothing to do.

mod choosing;
mod recording;
mod resting;
mod sending;

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use futures_util::{FutureExt, StreamExt};
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::{Health, LaneReport};
use oyez_domain::ledger::push::{Choice, Ended};
use oyez_domain::tpp::Tpp;
use oyez_store::Error;
use tokio::time::Instant;

use crate::door::{Claim, Door, Title};
use crate::health::{Endpoint, Moment};
use crate::pause::Pause;
use crate::ports::{Addressee, BoxFuture, Trouble};
use crate::shared::Shared;
use crate::terms::Terms;
use crate::window::{LookAhead, Window};

/// Drives a lane from a claim until it is let go, lost or stopped. `Some`: it is still ours, and this is to be reported.
pub(crate) async fn drive(
    node: Arc<Shared>,
    door: Arc<Door>,
    client_id: ClientId,
    claim: Claim,
) -> Option<LaneReport> {
    let mut lane = Lane::new(&node, &door, client_id, claim);
    loop {
        lane.act();
        if let Some(ending) = lane.ending() {
            node.remember(lane.client_id, lane.endpoint.into_memory());
            return ending;
        }
        door.rest(lane.is_at_rest());
        lane.wait().await;
    }
}

/// See the head of this file.
struct Lane<'a> {
    node: &'a Shared,
    door: &'a Door,
    client_id: ClientId,
    place: Place,
    /// Claimed with this health; nothing starts before the TPP's terms were read.
    arriving: Option<Health>,
    terms: Terms,
    addressee: Option<Arc<Addressee>>,
    endpoint: Endpoint,
    /// The health that the ledger has.
    written: Health,
    /// Unless it has one that was written and never confirmed.
    unconfirmed: bool,
    window: Window,
    ahead: LookAhead,

    /// What is held goes back to the ledger when this grows; what was chosen before goes back when it comes.
    generation: u64,
    issuing: FuturesOrdered<BoxFuture<'a, sending::Chunk>>,
    /// The events in `issuing`, chunk by chunk.
    unsigned: VecDeque<Vec<Choice>>,
    ready: VecDeque<sending::Ready>,
    rechecking: usize,
    flights: FuturesUnordered<BoxFuture<'a, sending::Landed>>,
    /// The step whose one probe was started.
    probed_step: Option<u64>,
    ended: Vec<Ended>,
    returning: Vec<Choice>,

    ledger: FuturesUnordered<BoxFuture<'a, Told>>,
    asked: Asked,
    ledger_pause: Pause,
    issue_pause: Pause,
    rest: resting::Rest,
    alarm: std::pin::Pin<Box<tokio::time::Sleep>>,
}

/// Whose the lane is.
enum Place {
    /// Ours.
    Owner(Title),
    /// Nothing starts any more; what is in flight ends and is recorded.
    Leaving {
        /// Still ours in the ledger: the node stops, or gives the lane up.
        owned: Option<Title>,
    },
}

/// What the ledger was asked and has not answered: each at most once at a time.
#[derive(Default)]
struct Asked {
    terms: bool,
    choice: Option<usize>,
    return_: bool,
    report: bool,
    record: usize,
}

/// What the ledger answered.
enum Told {
    Terms(Result<Option<Box<Tpp>>, Error>),
    Chosen(choosing::Chosen),
    Returned(Vec<Choice>, Result<u64, Error>),
    Rechecked(sending::Rechecked),
    Reported(recording::Reported),
    Recorded(recording::Group),
}

/// What a lane waits for.
enum Event {
    Landed(sending::Landed),
    Told(Told),
    Issued(sending::Chunk),
    Knock,
    Alarm,
}

impl<'a> Lane<'a> {
    fn new(node: &'a Shared, door: &'a Door, client_id: ClientId, claim: Claim) -> Self {
        let terms = Terms::of_deployment(&node.options);
        let memory = node.recall(&client_id);
        let now = Instant::now();
        let mut lane = Self {
            node,
            door,
            client_id,
            place: Place::Leaving { owned: None },
            arriving: None,
            window: Window::narrow(1),
            ahead: LookAhead::new(),
            endpoint: Endpoint::known(claim.health.clone(), memory),
            written: claim.health.clone(),
            unconfirmed: false,
            terms,
            addressee: None,
            generation: 0,
            issuing: FuturesOrdered::new(),
            unsigned: VecDeque::new(),
            ready: VecDeque::new(),
            rechecking: 0,
            flights: FuturesUnordered::new(),
            probed_step: None,
            ended: Vec::new(),
            returning: Vec::new(),
            ledger: FuturesUnordered::new(),
            asked: Asked::default(),
            ledger_pause: Pause::default(),
            issue_pause: Pause::default(),
            rest: resting::Rest::new(now),
            alarm: Box::pin(tokio::time::sleep_until(now)),
        };
        lane.arrive(claim);
        lane
    }

    /// Starts whatever may be started now.
    fn act(&mut self) {
        self.look_around();
        self.rest.pass(Instant::now());
        self.look_once_more();
        if self.ledger_pause.until(Instant::now()).is_none() {
            self.read_terms();
            self.report();
            self.record();
            self.put_back();
            self.choose();
        }
        self.start();
        // Starting gives back what got old, and nothing else might wake the lane for that.
        if self.ledger_pause.until(Instant::now()).is_none() {
            self.put_back();
        }
    }

    async fn wait(&mut self) {
        let until = self.next_look();
        // An alarm that rings too early does no harm, and setting it costs more than letting it ring.
        if until < self.alarm.deadline() || self.alarm.is_elapsed() {
            self.alarm.as_mut().reset(until);
        }
        let event = tokio::select! {
            biased;
            Some(landed) = self.flights.next() => Event::Landed(landed),
            Some(told) = self.ledger.next() => Event::Told(told),
            Some(chunk) = self.issuing.next() => Event::Issued(chunk),
            () = self.door.knocked() => Event::Knock,
            () = self.alarm.as_mut() => Event::Alarm,
        };
        match event {
            Event::Landed(landed) => {
                self.landed(landed);
                // All that ended together is judged together, and what was started before it leaves before the ledger is told.
                while let Some(Some(landed)) = self.flights.next().now_or_never() {
                    self.landed(landed);
                }
            }
            Event::Told(told) => self.told(told),
            Event::Issued(chunk) => self.issued(chunk),
            Event::Knock => self.rest.more = true,
            Event::Alarm => {}
        }
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Terms(answer) => self.terms_read(answer),
            Told::Chosen(chosen) => self.chosen(chosen),
            Told::Returned(choices, answer) => self.returned(choices, answer),
            Told::Rechecked(rechecked) => self.rechecked(rechecked),
            Told::Reported(reported) => self.reported(reported),
            Told::Recorded(group) => self.recorded(group),
        }
    }

    /// Has the lane been claimed anew, lost or given up, or is the node stopping?
    fn look_around(&mut self) {
        // Whether it is ours, the next choice says. Until then nothing that was chosen before is started (S-12, I-04).
        if self.door.take_doubt() && self.owner().is_some() {
            self.give_back();
        }
        if let Some(claim) = self.door.take_claim() {
            self.arrive(claim);
        }
        if let Place::Owner(title) = &self.place {
            if title.tenure.is_over() {
                self.leave(None);
            } else if self.node.is_stopping() || self.door.is_given_up() {
                let owned = Some(title.clone());
                self.leave(owned);
            }
        }
    }

    /// The lane is ours, with whatever changed over the last owner's head.
    fn arrive(&mut self, claim: Claim) {
        self.give_back();
        // What was written by a former claim came before this one, or never comes.
        self.unconfirmed = false;
        self.place = Place::Owner(claim.title);
        self.arriving = Some(claim.health);
        self.rest.active(Instant::now());
    }

    /// Nothing starts any more.
    fn leave(&mut self, owned: Option<Title>) {
        self.give_back();
        self.arriving = None;
        self.place = Place::Leaving { owned };
    }

    /// The ledger refused what was said by this claim: it is over, unless another came since.
    fn refused(&mut self, claim: u64) {
        if self.title().is_some_and(|title| title.number == claim) {
            self.lost();
        } else {
            self.rest.more = true;
        }
    }

    /// Somebody changed something over our head: the lane is to be claimed anew.
    fn lost(&mut self) {
        self.leave(None);
        self.node.wants_lanes.notify_one();
    }

    fn read_terms(&mut self) {
        if self.arriving.is_none() || self.asked.terms {
            return;
        }
        self.asked.terms = true;
        let store = &*self.node.parts.store;
        let answer = store.find_tpp(self.client_id.clone());
        self.ledger.push(Box::pin(async {
            Told::Terms(answer.await.map(|tpp| tpp.map(Box::new)))
        }));
    }

    fn terms_read(&mut self, answer: Result<Option<Box<Tpp>>, Error>) {
        self.asked.terms = false;
        let tpp = match answer {
            Ok(Some(tpp)) => tpp,
            Ok(None) => return self.lost(),
            Err(error) => return self.ledger_failed(&error),
        };
        self.ledger_pause.clear();
        let Some(health) = self.arriving.take() else {
            return;
        };
        self.terms = Terms::of(*tpp, &self.node.options);
        self.addressee = None;
        self.written = health.clone();
        self.endpoint
            .claimed(health, &self.terms, self.node.moment());
        // Whatever brought it back (a PUT, an operator), nobody has spoken with it since (D-06).
        self.window = Window::narrow(self.terms.at_once_max);
    }

    fn ledger_failed(&mut self, error: &Error) {
        self.ledger_pause.begin(Instant::now());
        let client_id = Some(&self.client_id);
        self.node
            .parts
            .observe
            .trouble(Trouble::Ledger { client_id, error });
    }

    /// By what attempts may start.
    fn owner(&self) -> Option<&Title> {
        match &self.place {
            Place::Owner(title) if self.arriving.is_none() => Some(title),
            Place::Owner(_) | Place::Leaving { .. } => None,
        }
    }

    /// By what the ledger takes our word about the lane.
    fn reporter(&self) -> Option<&Title> {
        self.title().filter(|_| self.arriving.is_none())
    }

    /// By what the lane is ours in the ledger.
    fn title(&self) -> Option<&Title> {
        match &self.place {
            Place::Owner(title) => Some(title),
            Place::Leaving { owned } => owned.as_ref(),
        }
    }

    /// Attempts may start at this moment.
    fn may_act(&self) -> bool {
        self.owner()
            .is_some_and(|title| title.tenure.holds(self.node.parts.steady.elapsed()))
    }

    /// Health changed and the ledger does not know: nothing starts and nothing is recorded before it does.
    fn is_unwritten(&self) -> bool {
        let differs = self.unconfirmed || *self.endpoint.health() != self.written;
        self.reporter().is_some() && (self.asked.report || differs)
    }

    fn moment(&self) -> Moment {
        self.node.moment()
    }
}
