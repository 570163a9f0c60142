//! A bank that pushes, and TPPs with endpoints.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oyez_delivery::post::{self, Postman};
use oyez_delivery::{Delivery, Observe, Options, Parts, Steady, Trouble};
use oyez_domain::actor::Actor;
use oyez_domain::address;
use oyez_domain::event::Family;
use oyez_domain::ids::{ClientId, Jti, NodeId, RegistrationId};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::history::EventFile;
use oyez_domain::ledger::lanes::Health;
use oyez_domain::ledger::push::Attempt;
use oyez_domain::ledger::registering::{Kind, Target, Wish};
use oyez_domain::retry::Policy;
use oyez_domain::tpp::Overrides;
use oyez_domain::version::ApiVersion;
use oyez_outbound::{Anchors, DefaultTimeProvider, Tls};
use oyez_store::Store;
use oyez_testkit::bank::{Bank, Signs};
use oyez_testkit::certificates::Authority;
use oyez_testkit::clock::{DAWN, ManualClock};
use oyez_testkit::dice::Dice;
use oyez_testkit::endpoint::{Endpoint, Inbox, Manner};
use oyez_testkit::making::{self, Jtis, UPDATE};
use oyez_testkit::tpp::Caller;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A bank, and its delivery.
pub(super) struct World {
    pub(super) bank: Bank,
    options: Options,
    jtis: Jtis,
    watcher: Arc<Watcher>,
    running: Option<Running>,
}

/// A life of delivery.
struct Running {
    /// Who hears the ledger; it holds no more than a weak reference.
    _delivery: Arc<Delivery>,
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

/// A TPP with an endpoint of its own.
pub(super) struct Tpp {
    pub(super) client_id: ClientId,
    pub(super) caller: Caller,
    pub(super) endpoint: Arc<Endpoint>,
    host: String,
    path: &'static str,
    registration: RegistrationId,
}

/// Where endpoints take SETs.
pub(super) const PATH: &str = "/v4.0/event-notifications";

/// Its life.
impl World {
    /// With a retry policy for the impatient.
    pub(super) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With a policy whose first step outlasts every test: what follows a first attempt stays as it is.
    pub(super) async fn of_one_attempt() -> Self {
        Self::with(|options| {
            options.retry.base = Duration::from_secs(3_600);
            options.retry.ceiling = options.retry.base;
            options.retry.window = options.retry.base * 24;
        })
        .await
    }

    /// With other options.
    pub(super) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::of(NodeId::new("here").unwrap());
        options.retry = Policy {
            base: Duration::from_millis(20),
            factor: 2.0,
            ceiling: Duration::from_millis(100),
            retries_max: 1_000,
            window: Duration::from_secs(3_600),
        };
        options.slow_probe = None;
        options.attempt_time_max = Duration::from_secs(10);
        change(&mut options);
        let bank = Bank::builder()
            .signs(Signs::Es256)
            .clock(ManualClock::following(DAWN))
            .rules(|rules| rules.switches.order = options.order)
            .start()
            .await;
        let mut world = Self {
            bank,
            options,
            jtis: Jtis::from(1),
            watcher: Arc::default(),
            running: None,
        };
        world.run();
        world
    }

    /// Delivery begins.
    pub(super) fn run(&mut self) {
        let web = self.bank.web();
        let origin = Instant::now();
        let dice = Mutex::new(Dice::new(7));
        let parts = Parts {
            store: Arc::clone(&web.store),
            issue: Arc::clone(&web.issuer) as _,
            post: Arc::new(self.postman()),
            clock: Arc::clone(&web.clock),
            steady: Arc::new(SinceThen(origin)),
            chance: Arc::new(move || dice.lock().unwrap().bytes()),
            observe: Arc::clone(&self.watcher) as _,
        };
        let delivery = Delivery::new(parts, self.options.clone());
        let listener = Arc::downgrade(&delivery);
        self.store().listen(listener);
        let stop = CancellationToken::new();
        let ended = TaskTracker::new().spawn({
            let (delivery, stop) = (Arc::clone(&delivery), stop.clone());
            async move { delivery.run(stop).await }
        });
        self.running = Some(Running {
            _delivery: delivery,
            stop,
            ended,
        });
    }

    /// Delivery ends as a server stops.
    pub(super) async fn stop(&mut self) {
        let running = self.running.take().unwrap();
        running.stop.cancel();
        timeout(PATIENCE, running.ended).await.unwrap().unwrap();
    }

    /// Delivery ends as a server dies.
    pub(super) async fn crash(&mut self) {
        let running = self.running.take().unwrap();
        running.ended.abort();
        assert!(running.ended.await.unwrap_err().is_cancelled());
    }

    fn postman(&self) -> Postman {
        let authority = &self.bank.site().authority;
        let anchors = Anchors::from_pem(authority.pem().as_bytes()).unwrap();
        let tls = Tls::new(&anchors, None, Arc::new(DefaultTimeProvider)).unwrap();
        let options = post::Options {
            financial_id: None,
            user_agent: "oyez".parse().unwrap(),
            addresses: address::Policy {
                allowed: vec!["127.0.0.1/32".parse().unwrap()],
            },
            proxy: None,
            connect_time_max: self.options.attempt_time_max,
            attempt_time_max: self.options.attempt_time_max,
        };
        let parts = post::Parts {
            tls: watch::Sender::new(Arc::new(tls)).subscribe(),
            resolver: Arc::clone(self.bank.names()) as _,
            clock: Arc::clone(&self.bank.web().clock),
            tracker: TaskTracker::new(),
        };
        Postman::new(options, parts)
    }
}

/// Its TPPs and their events.
impl World {
    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.bank.web().store
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.bank.site().authority
    }

    /// A TPP whose endpoint behaves so.
    pub(super) async fn tpp(&self, name: &str, manner: impl Into<Manner>) -> Tpp {
        self.tpp_with(name, manner, Overrides::default()).await
    }

    /// The same, treated otherwise than the rest.
    pub(super) async fn tpp_with(
        &self,
        name: &str,
        manner: impl Into<Manner>,
        overrides: Overrides,
    ) -> Tpp {
        let host = format!("{name}.example");
        let endpoint = Endpoint::start(&self.authority().server(&[&host])).await;
        endpoint.behave(PATH, manner);
        let names = self.bank.names();
        names.explain(&host, &[Ipv4Addr::LOCALHOST.into()]);
        let tpp = Tpp {
            client_id: making::client(name),
            caller: self.bank.tpp(name).await,
            endpoint: Arc::new(endpoint),
            host,
            path: PATH,
            registration: RegistrationId::new(format!("of-{name}")).unwrap(),
        };
        self.bank
            .change(&tpp.caller, |profile| profile.overrides = overrides)
            .await;
        self.subscribe(&tpp).await;
        tpp
    }

    /// Another TPP at the endpoint of this one.
    pub(super) async fn guest(&self, name: &str, of: &Tpp, path: &'static str) -> Tpp {
        let tpp = Tpp {
            client_id: making::client(name),
            caller: self.bank.tpp(name).await,
            endpoint: Arc::clone(&of.endpoint),
            host: of.host.clone(),
            path,
            registration: RegistrationId::new(format!("of-{name}")).unwrap(),
        };
        self.subscribe(&tpp).await;
        tpp
    }

    async fn subscribe(&self, tpp: &Tpp) {
        let created = self.store().create_registration(
            tpp.client_id.clone(),
            tpp.registration.clone(),
            tpp.wish(),
            ApiVersion::V4_0,
            self.bank.now(),
        );
        created.await.unwrap().unwrap();
    }

    /// The TPP PUTs what it has registered already.
    pub(super) async fn put(&self, tpp: &Tpp) {
        let target = Target {
            kind: Kind::Subscription,
            id: tpp.registration.clone(),
            api: ApiVersion::V4_0,
        };
        let (client_id, wish) = (tpp.client_id.clone(), tpp.wish());
        let now = self.bank.now();
        let replaced = self
            .store()
            .replace_registration(client_id, target, wish, now);
        replaced.await.unwrap().unwrap();
    }

    /// An operator resumes it.
    pub(super) async fn resume(&self, tpp: &Tpp) {
        let resumed =
            self.store()
                .resume_endpoint(operator(), tpp.client_id.clone(), self.bank.now());
        assert!(resumed.await.unwrap());
    }

    /// So many events are accepted for it, in this order.
    pub(super) async fn publish(&self, tpp: &Tpp, events: usize) -> Vec<Jti> {
        let mut jtis = Vec::with_capacity(events);
        while jtis.len() < events {
            let now = self.bank.now();
            let batch: Vec<_> = (jtis.len()..events.min(jtis.len() + BATCH))
                .map(|_| {
                    let notice = making::notice(&tpp.client_id, Family::Aisp, &[UPDATE]);
                    making::submission(self.jtis.next(now), notice)
                })
                .collect();
            jtis.extend(batch.iter().map(|submission| submission.jti));
            let outcomes = self.store().accept(batch, now).await.unwrap();
            let is_accepted = |it: &Acceptance| matches!(it, Acceptance::Accepted(_));
            assert!(outcomes.iter().all(is_accepted), "{outcomes:?}");
        }
        jtis
    }

    /// One event, and what the ledger says after its first attempt.
    pub(super) async fn first_attempt(&self, tpp: &Tpp) -> (Attempt, EventFile) {
        let [jti] = self.publish(tpp, 1).await[..] else {
            unreachable!("one was published");
        };
        let file = self.until_attempts(jti, 1).await;
        let [attempt] = &file.attempts[..] else {
            panic!("{:?}", file.attempts);
        };
        (attempt.clone(), file)
    }

    /// A poll that answers at once, acknowledging these: the SETs it got.
    pub(super) async fn poll(&self, tpp: &Tpp, acks: &[Jti]) -> Vec<(Jti, String)> {
        let body = json!({ "returnImmediately": true, "ack": acks });
        let answer = tpp.caller.post("/open-banking/v4.0/events").json(&body);
        let answer = answer.send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        let sets = answer["sets"].as_object().unwrap().iter();
        let read = |(jti, set): (&String, &Value)| {
            (jti.parse().unwrap(), set.as_str().unwrap().to_owned())
        };
        sets.map(read).collect()
    }
}

/// What went wrong.
impl World {
    /// Everything that delivery was seen to do wrong.
    pub(super) fn troubles(&self) -> Vec<String> {
        self.watcher.troubles.lock().unwrap().clone()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.ended.abort();
        }
        if !std::thread::panicking() {
            let panics = |trouble: &String| trouble.starts_with("Panicked");
            assert!(!self.troubles().iter().any(panics), "a lane died");
        }
    }
}

impl Tpp {
    /// What came so far.
    pub(super) fn inbox(&self) -> Inbox {
        self.endpoint.inbox(self.path)
    }

    /// What it registers: everything, pushed to it.
    fn wish(&self) -> Wish {
        let mut wish = making::everything();
        let (host, port) = (&self.host, self.endpoint.address().port());
        wish.callback_url = Some(format!("https://{host}:{port}{}", self.path));
        Wish::Subscription(wish)
    }
}

pub(super) fn operator() -> Actor {
    Actor::Operator("ada".to_owned())
}

/// Notes what is wrong.
#[derive(Default)]
struct Watcher {
    troubles: Mutex<Vec<String>>,
}

impl Observe for Watcher {
    fn attempt_ended(&self, _: &ClientId, _: &Attempt) {}
    fn health_changed(&self, _: &ClientId, _: &Health, _: &Health) {}
    fn lanes_owned(&self, _: usize) {}
    fn in_flight(&self, _: usize) {}
    fn lease_lost(&self) {}

    fn trouble(&self, trouble: Trouble<'_>) {
        self.troubles.lock().unwrap().push(format!("{trouble:?}"));
    }
}

struct SinceThen(Instant);

impl Steady for SinceThen {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Far longer than anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// A group that the ledger takes at once.
const BATCH: usize = 500;
