//! A ledger, endpoints, and a node that can be started, stopped and killed.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use oyez_delivery::{BoxFuture, Delivery, Issue, Observe, Options, Parts, Steady, Trouble};
use oyez_domain::actor::Actor;
use oyez_domain::event::Family;
use oyez_domain::ids::{ClientId, Jti, NodeId, RegistrationId};
use oyez_domain::ledger::history::EventFile;
use oyez_domain::ledger::lanes::Health;
use oyez_domain::ledger::poll::{Limits, Patience, Poll};
use oyez_domain::ledger::push::Attempt;
use oyez_domain::ledger::registering::{Kind, Target, Wish};
use oyez_domain::ledger::sets::{Kept, SetState, Signed, Work};
use oyez_domain::retry::Policy;
use oyez_domain::rules::Rules;
use oyez_domain::time::{Clock, Timestamp};
use oyez_domain::tpp::{DeliveryOrder, Overrides};
use oyez_domain::version::ApiVersion;
use oyez_issuer::{Issued, Order, Outcome};
use oyez_store::{Listen, News, Store};
use oyez_testkit::clock::{DAWN, ManualClock};
use oyez_testkit::dice::Dice;
use oyez_testkit::faulty_store::FaultyStore;
use oyez_testkit::making::{self, Jtis};
use oyez_testkit::model_store::ModelStore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::endpoints::{Arrival, Behaviour, Endpoints};

/// See the head of this file.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    /// By which the ledger measures leases.
    pub(crate) lease_clock: Arc<ManualClock>,
    /// What is true.
    pub(crate) ledger: Arc<ModelStore>,
    /// The same ledger as the node sees it.
    pub(crate) faults: Arc<FaultyStore>,
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) watched: Arc<Watched>,
    pub(crate) options: Options,
    pub(crate) signing_takes: Arc<Mutex<Duration>>,
    /// How often anything looked at the steady clock.
    pub(crate) looks: Arc<AtomicU64>,
    chance: Arc<Mutex<Dice>>,
    jtis: Jtis,
    hears: Arc<Hears>,
    node: Option<Running>,
    beside: Vec<Running>,
}

/// Hands on to the nodes that run what the ledger tells, or does not.
#[derive(Default)]
struct Hears(Mutex<Vec<Arc<Delivery>>>);

impl Listen for Hears {
    fn heard(&self, news: &[News]) {
        for delivery in &*self.0.lock().unwrap() {
            delivery.heard(news);
        }
    }
}

struct Running {
    stop: CancellationToken,
    task: JoinSet<()>,
}

/// What was observed.
#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) healths: Mutex<Vec<(ClientId, Health)>>,
    pub(crate) troubles: Mutex<Vec<String>>,
    pub(crate) leases_lost: Mutex<u32>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::following(DAWN));
        let lease_clock = Arc::new(ManualClock::following(DAWN));
        let ledger = Arc::new(ModelStore::with_lease_clock(
            making::rules(),
            Arc::clone(&lease_clock) as _,
        ));
        let hears = Arc::new(Hears::default());
        let listener: Weak<Hears> = Arc::downgrade(&hears);
        ledger.listen(listener);
        Self {
            faults: Arc::new(FaultyStore::new(Arc::clone(&ledger) as _)),
            endpoints: Arc::new(Endpoints::new(Arc::clone(&ledger) as _, Arc::clone(&clock))),
            watched: Arc::default(),
            options: Options {
                retry: POLICY,
                slow_probe: Some(SLOW_PROBE),
                ..Options::of(NodeId::new("node").unwrap())
            },
            signing_takes: Arc::default(),
            looks: Arc::default(),
            chance: Arc::new(Mutex::new(Dice::new(seed))),
            jtis: Jtis::from(1),
            hears,
            node: None,
            beside: Vec::new(),
            clock,
            lease_clock,
            ledger,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    // --- the node

    pub(crate) fn start(&mut self) {
        self.hears.0.lock().unwrap().clear();
        self.node = Some(self.running(self.options.clone()));
    }

    /// Another node, of this name.
    pub(crate) fn start_beside(&mut self, name: &str) {
        let options = Options {
            node_id: NodeId::new(name).unwrap(),
            ..self.options.clone()
        };
        let running = self.running(options);
        self.beside.push(running);
    }

    fn running(&self, options: Options) -> Running {
        let chance = Arc::clone(&self.chance);
        let parts = Parts {
            store: Arc::clone(&self.faults) as Arc<dyn Store>,
            issue: Arc::new(Signer {
                store: Arc::clone(&self.faults),
                clock: Arc::clone(&self.clock),
                takes: Arc::clone(&self.signing_takes),
                chance: Arc::clone(&self.chance),
                endpoints: Arc::clone(&self.endpoints),
            }),
            post: Arc::clone(&self.endpoints) as Arc<_>,
            clock: Arc::clone(&self.clock) as Arc<_>,
            steady: Arc::new(Origin(Instant::now(), Arc::clone(&self.looks))),
            chance: Arc::new(move || chance.lock().unwrap().bytes()),
            observe: Arc::clone(&self.watched) as Arc<_>,
        };
        let delivery = Delivery::new(parts, options);
        self.hears.0.lock().unwrap().push(Arc::clone(&delivery));
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        let (running, until) = (Arc::clone(&delivery), stop.clone());
        task.spawn(async move { running.run(until).await });
        Running { stop, task }
    }

    /// Nothing of it is left, at any point of what it did.
    pub(crate) async fn crash(&mut self) {
        if let Some(mut node) = self.node.take() {
            node.task.shutdown().await;
            self.endpoints.crashed();
        }
    }

    /// As a shutdown does it; answers how long it took.
    pub(crate) async fn stop(&mut self) -> Duration {
        let begun = Instant::now();
        if let Some(mut node) = self.node.take() {
            node.stop.cancel();
            node.task.join_next().await.unwrap().unwrap();
        }
        begun.elapsed()
    }

    /// What the deployment chose, by default but for this: from the next start of a node on.
    pub(crate) fn goes_by(&self, choose: impl FnOnce(&mut Rules)) {
        let mut rules = Rules::default();
        choose(&mut rules);
        self.ledger.goes_by(Arc::new(rules));
    }

    // --- what TPPs do

    /// A TPP that is pushed to at the host of its name.
    pub(crate) async fn tpp(&self, name: &str, overrides: Overrides) -> ClientId {
        let id = making::client(name);
        let order = overrides.delivery_order.unwrap_or_default();
        self.endpoints.opened(&id, order);
        let profile = making::profile(overrides);
        let made = self
            .ledger
            .register_tpp(operator(), id.clone(), profile, self.now());
        made.await.unwrap().unwrap();
        self.subscribe(&id).await;
        id
    }

    pub(crate) async fn subscribe(&self, id: &ClientId) {
        let wish = Wish::Subscription(making::pushed_to(
            &format!("{id}.example"),
            making::everything(),
        ));
        let registration = RegistrationId::new(format!("of-{id}")).unwrap();
        let now = self.now();
        let made =
            self.ledger
                .create_registration(id.clone(), registration, wish, ApiVersion::V4_0, now);
        // It may have one already.
        made.await.unwrap().ok();
    }

    /// Replaces its subscription by one with this host.
    pub(crate) async fn put(&self, id: &ClientId, host: &str) -> bool {
        let Some(target) = self.target(id).await else {
            return false;
        };
        let wish = Wish::Subscription(making::pushed_to(host, making::everything()));
        let put = self
            .ledger
            .replace_registration(id.clone(), target, wish, self.now());
        put.await.unwrap().unwrap();
        true
    }

    pub(crate) async fn delete(&self, id: &ClientId) {
        if let Some(target) = self.target(id).await {
            let deleted = self
                .ledger
                .delete_registration(id.clone(), target, self.now());
            deleted.await.unwrap().unwrap();
        }
    }

    async fn target(&self, id: &ClientId) -> Option<Target> {
        let registered = self.ledger.registrations(id.clone()).await.unwrap();
        Some(Target {
            kind: Kind::Subscription,
            id: registered.subscription?.id,
            api: ApiVersion::V4_0,
        })
    }

    /// Polls, acknowledging these; answers what a patient poll gets: what is due.
    pub(crate) async fn poll(&self, id: &ClientId, acks: Vec<Jti>, events_max: u32) -> Vec<Jti> {
        let poll = Poll {
            client_id: id.clone(),
            acks,
            errors: Vec::new(),
            events_max,
            families: Family::ALL.to_vec(),
            patience: Patience::WaitForDue,
            limits: Limits {
                redelivery_delay: REDELIVERY_DELAY,
                error_cap: NonZeroU32::new(10).unwrap(),
                hand_out_cap: None,
                order: DeliveryOrder::Concurrent,
            },
            interaction_id: making::interaction("poll"),
        };
        let polled = self.ledger.poll(poll, self.now()).await.unwrap();
        let got: Vec<_> = polled.work.into_iter().map(|work| work.jti).collect();
        self.endpoints.polled(id, &got);
        got
    }

    // --- what the bank does

    pub(crate) async fn accept(&self, id: &ClientId, events: usize) -> Vec<Jti> {
        let notice = making::notice(id, Family::Aisp, &[making::UPDATE]);
        let now = self.now();
        let batch: Vec<_> = (0..events)
            .map(|_| making::submission(self.jtis.next(now), notice.clone()))
            .collect();
        let jtis: Vec<_> = batch.iter().map(|it| it.jti).collect();
        self.endpoints.accepted(id, &jtis);
        self.ledger.accept(batch, now).await.unwrap();
        jtis
    }

    /// The same, and the news of it gets lost.
    pub(crate) async fn accept_silently(&self, id: &ClientId, events: usize) -> Vec<Jti> {
        let listening = std::mem::take(&mut *self.hears.0.lock().unwrap());
        let jtis = self.accept(id, events).await;
        *self.hears.0.lock().unwrap() = listening;
        jtis
    }

    pub(crate) async fn pause(&self, id: &ClientId) {
        let paused = self
            .ledger
            .pause_endpoint(operator(), id.clone(), self.now());
        paused.await.unwrap();
    }

    pub(crate) async fn resume(&self, id: &ClientId) {
        let resumed = self
            .ledger
            .resume_endpoint(operator(), id.clone(), self.now());
        resumed.await.unwrap();
    }

    // --- looking

    pub(crate) async fn outstanding(&self, id: &ClientId) -> u64 {
        let counts = self.ledger.counts(id.clone()).await.unwrap();
        assert!(counts.balance(), "{counts:?}");
        counts.outstanding
    }

    pub(crate) async fn file(&self, jti: Jti) -> EventFile {
        self.ledger.find_event(jti).await.unwrap().unwrap()
    }

    pub(crate) async fn health(&self, id: &ClientId) -> Health {
        self.ledger
            .find_lane(id.clone())
            .await
            .unwrap()
            .unwrap()
            .health
    }

    pub(crate) fn behave(&self, id: &ClientId, behaviour: Behaviour) {
        self.endpoints.behave(id, behaviour);
    }

    pub(crate) fn arrivals(&self, id: &ClientId) -> Vec<Arrival> {
        self.endpoints.arrivals(id)
    }

    /// Lets time pass until this holds; panics when it does not for too long.
    pub(crate) async fn until(&self, what: &str, limit: Duration, holds: impl AsyncFn() -> bool) {
        let begun = Instant::now();
        while !holds().await {
            assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Everything of this TPP is settled, within a time.
    pub(crate) async fn all_settled(&self, id: &ClientId, limit: Duration) {
        self.until("nothing is outstanding", limit, async || {
            self.outstanding(id).await == 0
        })
        .await;
    }

    /// No rule was broken at any arrival.
    pub(crate) fn assert_sound(&self) {
        let violations = self.endpoints.violations();
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

/// Signs by drawing lots: who signs twice has two SETs, and only the ledger makes them one (P-09).
struct Signer {
    store: Arc<FaultyStore>,
    clock: Arc<ManualClock>,
    takes: Arc<Mutex<Duration>>,
    chance: Arc<Mutex<Dice>>,
    endpoints: Arc<Endpoints>,
}

impl Issue for Signer {
    fn issue(&self, order: Order, work: Vec<Work>) -> BoxFuture<'_, Vec<Issued>> {
        let chosen = work.iter().map(|work| work.jti);
        self.endpoints.chosen(&order.client_id, chosen);
        Box::pin(async move {
            let takes = *self.takes.lock().unwrap();
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            let mut issued = Vec::new();
            for work in work {
                let outcome = match work.set {
                    SetState::Kept(set) => Ok(Outcome::Send(set)),
                    SetState::Unsigned { revision, .. } => {
                        let lot = self.chance.lock().unwrap().roll();
                        let signed = Signed {
                            client_id: order.client_id.clone(),
                            jti: work.jti,
                            revision,
                            set: format!("{}.{lot}", work.jti),
                            kid: "key-1".to_owned(),
                            purpose: order.purpose.clone(),
                        };
                        let kept = self.store.keep_sets(vec![signed], self.clock.now()).await;
                        kept.map(|mut kept| match kept.remove(0) {
                            Kept::Send(set) => Outcome::Send(set),
                            Kept::NoLongerOutstanding => Outcome::NoLongerOutstanding,
                            Kept::ChooseAgain | Kept::KeyDisowned => Outcome::ChooseAgain,
                        })
                        .map_err(Into::into)
                    }
                };
                let jti = work.jti;
                issued.push(Issued { jti, outcome });
            }
            issued
        })
    }
}

/// Counts how often it is looked at: whoever looks for work looks here too.
struct Origin(Instant, Arc<AtomicU64>);

impl Steady for Origin {
    fn elapsed(&self) -> Duration {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.elapsed()
    }
}

impl Observe for Watched {
    fn attempt_ended(&self, _: &ClientId, _: &Attempt) {}

    fn health_changed(&self, client_id: &ClientId, _: &Health, to: &Health) {
        let change = (client_id.clone(), to.clone());
        self.healths.lock().unwrap().push(change);
    }

    fn lanes_owned(&self, _: usize) {}

    fn in_flight(&self, _: usize) {}

    fn lease_lost(&self) {
        *self.leases_lost.lock().unwrap() += 1;
    }

    fn trouble(&self, trouble: Trouble<'_>) {
        self.troubles.lock().unwrap().push(format!("{trouble:?}"));
    }
}

pub(crate) fn operator() -> Actor {
    Actor::Operator("ada".to_owned())
}

/// Exhausted after a minute or so, so that histories get there.
pub(crate) const POLICY: Policy = Policy {
    base: Duration::from_secs(1),
    factor: 2.0,
    ceiling: Duration::from_secs(30),
    retries_max: 6,
    window: Duration::from_secs(120),
};
pub(crate) const SLOW_PROBE: Duration = Duration::from_secs(600);
pub(crate) const REDELIVERY_DELAY: Duration = Duration::from_secs(60);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
