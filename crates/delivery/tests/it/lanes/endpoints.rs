//! Every TPP's endpoint, as delivery sees it: a post that ends as a test says. What arrives is held against the rules at
//! once, since only then it is known what the ledger said at that moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use oyez_delivery::{BoxFuture, Failure, Letter, Post, Posted, Reply};
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::history::EventFile;
use oyez_domain::ledger::lanes::Health;
use oyez_domain::ledger::push::Peer;
use oyez_domain::life::State;
use oyez_domain::time::{Clock, Timestamp};
use oyez_domain::tpp::DeliveryOrder;
use oyez_store::Store;
use oyez_testkit::clock::ManualClock;
use tokio::time::Instant;

use super::world::REDELIVERY_DELAY;

/// What an endpoint does with what it gets.
#[derive(Debug, Clone, Default)]
pub(crate) enum Behaviour {
    /// 202, after a moment.
    #[default]
    Up,
    /// 202, after so long.
    Slow(Duration),
    /// This status.
    Status(u16),
    /// 429, and it asks for so long.
    Busy(Duration),
    /// 400, and it asks for so long.
    RefusesFor(Duration),
    /// Nobody is there.
    Down,
    /// It takes the request and never answers.
    Hangs,
    /// The one who posts to it dies of it.
    Panics,
    /// 400 to these, 202 to the others.
    Refuses(BTreeSet<Jti>),
    /// 500 to these, 202 to the others.
    BreaksAt(BTreeSet<Jti>),
}

/// One POST as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) jti: Jti,
    pub(crate) set: String,
    pub(crate) at: Instant,
    pub(crate) callback_url: String,
    pub(crate) interaction_id: String,
    /// What the ledger said of the endpoint at that moment.
    pub(crate) health: Health,
}

/// All endpoints there are.
pub(crate) struct Endpoints {
    pub(crate) ledger: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    sites: Mutex<BTreeMap<ClientId, Site>>,
    violations: Mutex<Vec<String>>,
    in_flight: AtomicUsize,
    /// Whether the order of first attempts is looked at where it is not strict.
    strict_of_all: AtomicBool,
}

#[derive(Default)]
struct Site {
    behaviour: Behaviour,
    arrivals: Vec<Arrival>,
    bytes: BTreeMap<Jti, String>,
    in_flight: usize,
    most_in_flight: usize,
    order: DeliveryOrder,
    /// All that was ever for it, in order; those before `ended` have ended.
    accepted: Vec<Jti>,
    ended: usize,
    /// What the node that lives has chosen.
    chosen: BTreeSet<Jti>,
    /// What somebody else has, and until when: a poll, or a node that died with it.
    taken: BTreeMap<Jti, Timestamp>,
}

/// Counts an attempt as long as it lives, crashes included.
struct InFlight<'a>(&'a Endpoints, ClientId);

impl Endpoints {
    pub(crate) fn new(ledger: Arc<dyn Store>, clock: Arc<ManualClock>) -> Self {
        Self {
            ledger,
            clock,
            sites: Mutex::default(),
            violations: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            strict_of_all: AtomicBool::new(false),
        }
    }

    /// From now on first attempts are held against the order of acceptance (D-10). That asks for a ledger whose answers come.
    pub(crate) fn look_at_the_order(&self) {
        self.strict_of_all.store(true, Ordering::SeqCst);
    }

    pub(crate) fn opened(&self, client_id: &ClientId, order: DeliveryOrder) {
        self.sites().entry(client_id.clone()).or_default().order = order;
    }

    pub(crate) fn accepted(&self, client_id: &ClientId, jtis: &[Jti]) {
        let mut sites = self.sites();
        let site = sites.entry(client_id.clone()).or_default();
        site.accepted.extend(jtis);
    }

    pub(crate) fn chosen(&self, client_id: &ClientId, jtis: impl Iterator<Item = Jti>) {
        let mut sites = self.sites();
        let site = sites.entry(client_id.clone()).or_default();
        site.chosen.extend(jtis);
    }

    /// The node died, and with it what it knew.
    pub(crate) fn crashed(&self) {
        let until = self.clock.now() + IN_FLIGHT_FOR;
        for site in self.sites().values_mut() {
            let chosen = std::mem::take(&mut site.chosen);
            for jti in chosen
                .into_iter()
                .filter(|jti| !site.bytes.contains_key(jti))
            {
                let taken_until = site.taken.entry(jti).or_default();
                *taken_until = until.max(*taken_until);
            }
        }
    }

    /// A poll was handed them.
    pub(crate) fn polled(&self, client_id: &ClientId, jtis: &[Jti]) {
        let until = self.clock.now() + REDELIVERY_DELAY;
        let mut sites = self.sites();
        let site = sites.entry(client_id.clone()).or_default();
        site.taken.extend(jtis.iter().map(|jti| (*jti, until)));
    }

    pub(crate) fn behave(&self, client_id: &ClientId, behaviour: Behaviour) {
        self.sites().entry(client_id.clone()).or_default().behaviour = behaviour;
    }

    pub(crate) fn arrivals(&self, client_id: &ClientId) -> Vec<Arrival> {
        let sites = self.sites();
        sites
            .get(client_id)
            .map_or_else(Vec::new, |site| site.arrivals.clone())
    }

    pub(crate) fn most_in_flight(&self, client_id: &ClientId) -> usize {
        self.sites()
            .get(client_id)
            .map_or(0, |site| site.most_in_flight)
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }

    pub(crate) fn violated(&self, what: String) {
        self.violations.lock().unwrap().push(what);
    }

    fn sites(&self) -> MutexGuard<'_, BTreeMap<ClientId, Site>> {
        self.sites.lock().unwrap()
    }

    /// Writes an arrival down and holds it against the rules.
    async fn arrived(&self, letter: &Letter) -> (Jti, Behaviour) {
        let client_id = letter.addressee.client_id.clone();
        let jti: Jti = letter.set.split('.').next().unwrap().parse().unwrap();
        let lane = self.ledger.find_lane(client_id.clone()).await.unwrap();
        let file = self.ledger.find_event(jti).await.unwrap().unwrap();
        let now = self.clock.now();
        let health = lane.unwrap().health;
        let at = format!("{client_id} got {jti} at {now}");
        if let State::Settled(settlement) = &file.summary.state
            && now.since(settlement.at) > Duration::from_secs(1)
        {
            self.violated(format!("P-14: {at}, settled at {}", settlement.at));
        }
        if let Health::Paused { since } = health
            && now.since(since) > PAUSE_TAKES
        {
            self.violated(format!("I-04: {at}, paused since {since}"));
        }
        self.probes_in_time(&health, now, &at);
        self.in_turn(&client_id, &file, &health, &at).await;
        let arrival = Arrival {
            jti,
            set: letter.set.clone(),
            at: Instant::now(),
            callback_url: letter.addressee.callback_url.clone(),
            interaction_id: letter.interaction_id.to_string(),
            health,
        };
        let mut sites = self.sites();
        let site = sites.entry(client_id).or_default();
        let first = site.bytes.entry(jti).or_insert_with(|| arrival.set.clone());
        if *first != arrival.set {
            self.violated(format!("P-09: {at}, with other bytes than before"));
        }
        site.arrivals.push(arrival);
        (jti, site.behaviour.clone())
    }

    /// D-10: in strict order nothing leaves while something older is outstanding. Otherwise that is so of first attempts, but
    /// for three things: one of the eight oldest may probe (D-04); what a poll was handed takes its place by the moment when
    /// that runs out, and so does what a node had chosen that died (P-14).
    async fn in_turn(&self, client_id: &ClientId, file: &EventFile, health: &Health, at: &str) {
        let jti = file.summary.jti;
        let (is_strict, older) = {
            let sites = self.sites();
            let Some(site) = sites.get(client_id) else {
                return;
            };
            let is_strict = site.order == DeliveryOrder::Strict;
            let is_looked_at = is_strict
                || self.strict_of_all.load(Ordering::SeqCst) && !site.bytes.contains_key(&jti);
            let place = site.accepted.iter().position(|it| *it == jti).unwrap();
            if !is_looked_at || place < site.ended {
                return;
            }
            (is_strict, site.accepted[site.ended..place].to_vec())
        };
        let mut overtaken = Vec::new();
        let mut all_ended = true;
        for old in older {
            // What nobody wanted when it was accepted is no event.
            let Some(old) = self.ledger.find_event(old).await.unwrap() else {
                continue;
            };
            let has_ended = old.summary.state != State::Outstanding;
            all_ended &= has_ended;
            let mut sites = self.sites();
            let site = sites.get_mut(client_id).unwrap();
            site.ended += usize::from(all_ended);
            let is_passed = is_strict
                || !site.bytes.contains_key(&old.summary.jti)
                    && file.summary.accepted_at > site.place_of(&old) + HELD_MAX;
            if !has_ended && is_passed {
                overtaken.push(old.summary.jti);
            }
        }
        let may_be_overtaken = if is_strict || *health == Health::Responsive {
            0
        } else {
            PROBERS - 1
        };
        if overtaken.len() > may_be_overtaken {
            self.violated(format!(
                "D-10: {at}, before {overtaken:?} that are older; {health:?}"
            ));
        }
    }

    /// D-04, D-05: while an endpoint is held back, a probe comes when its time has come and not before.
    fn probes_in_time(&self, health: &Health, now: Timestamp, at: &str) {
        let probe_at = match health {
            Health::Responsive | Health::Paused { .. } => return,
            Health::Failing { next_probe_at, .. } => Some(*next_probe_at),
            Health::Unresponsive { next_probe_at, .. } => *next_probe_at,
        };
        if probe_at.is_none_or(|probe_at| now < probe_at) {
            self.violated(format!("D-04: {at}, which is no time to probe: {health:?}"));
        }
    }
}

impl Site {
    /// By which an event has its place in the order of first attempts.
    fn place_of(&self, file: &EventFile) -> Timestamp {
        let accepted_at = file.summary.accepted_at;
        let taken_until = self.taken.get(&file.summary.jti).copied();
        accepted_at.max(taken_until.unwrap_or(accepted_at))
    }
}

impl Post for Endpoints {
    fn post(&self, letter: Letter) -> BoxFuture<'_, Posted> {
        Box::pin(async move {
            let client_id = letter.addressee.client_id.clone();
            let in_flight = InFlight::begin(self, client_id);
            let (jti, behaviour) = self.arrived(&letter).await;
            let posted = answer(&behaviour, jti, &letter).await;
            drop(in_flight);
            posted
        })
    }
}

async fn answer(behaviour: &Behaviour, jti: Jti, letter: &Letter) -> Posted {
    let status = |status| {
        Posted::Answered(Reply {
            status,
            interaction_id: Some(letter.interaction_id.to_string()),
            ..Reply::default()
        })
    };
    let failed = |class| {
        Posted::Failed(Failure {
            class,
            detail: "as the test says".to_owned(),
            peer: Peer::default(),
        })
    };
    let takes = match behaviour {
        Behaviour::Slow(takes) => *takes,
        Behaviour::Hangs => Duration::from_secs(10),
        _ => Duration::from_millis(5),
    };
    tokio::time::sleep(takes).await;
    match behaviour {
        Behaviour::Up | Behaviour::Slow(_) => status(202),
        Behaviour::Status(it) => status(*it),
        Behaviour::Busy(asked) => Posted::Answered(Reply {
            status: 429,
            retry_after: Some(*asked),
            ..Reply::default()
        }),
        Behaviour::RefusesFor(asked) => Posted::Answered(Reply {
            status: 400,
            retry_after: Some(*asked),
            ..Reply::default()
        }),
        Behaviour::Panics => panic!("as the test says"),
        Behaviour::Down => failed("connect"),
        Behaviour::Hangs => failed("timeout"),
        Behaviour::Refuses(them) => status(if them.contains(&jti) { 400 } else { 202 }),
        Behaviour::BreaksAt(them) => status(if them.contains(&jti) { 500 } else { 202 }),
    }
}

impl<'a> InFlight<'a> {
    fn begin(endpoints: &'a Endpoints, client_id: ClientId) -> Self {
        endpoints.in_flight.fetch_add(1, Ordering::SeqCst);
        let mut sites = endpoints.sites();
        let site = sites.entry(client_id.clone()).or_default();
        site.in_flight += 1;
        site.most_in_flight = site.most_in_flight.max(site.in_flight);
        drop(sites);
        Self(endpoints, client_id)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
        if let Some(site) = self.0.sites().get_mut(&self.1) {
            site.in_flight -= 1;
        }
    }
}

/// An attempt's time, and that for which something may be held.
const IN_FLIGHT_FOR: Duration = Duration::from_secs(12);
/// What is chosen is started in this time: what falls due meanwhile comes after it.
const HELD_MAX: Duration = Duration::from_secs(2);
const PROBERS: usize = 8;
/// What was chosen before a pause may still be sent for so long.
const PAUSE_TAKES: Duration = Duration::from_millis(2_100);
