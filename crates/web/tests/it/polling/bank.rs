//! A bank with a desk, whose time stands still until the test moves it on: the runtime's clock and the bank's together.
//!
//! Its ledger is a file, on PostgreSQL too: who waits for a socket while the runtime's clock stands still is told at once that
//! time is over. What waiting asks of a ledger is in the contract that both keep, and polls over both in `end_to_end`.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::Family;
use oyez_domain::ids::{ClientId, Jti, RegistrationId};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::history::EventFile;
use oyez_domain::ledger::poll::Limits;
use oyez_domain::ledger::registering::{Kind, Target, Wish};
use oyez_domain::polling::{Plan, Reply};
use oyez_domain::registration::SubscriptionWish;
use oyez_domain::time::Clock;
use oyez_domain::tpp::{DeliveryOrder, HeaderProfile, Overrides};
use oyez_domain::version::ApiVersion;
use oyez_issuer::{Identity, Issuer, Parts};
use oyez_jose::key_set::{KeyEntry, KeySet, Manifest};
use oyez_jose::{Sign, Signatory, UnixTime};
use oyez_store::sqlite::{self, Ledger};
use oyez_store::{Error, Listen, News, Store};
use oyez_testkit::clock::{DAWN, ManualClock};
use oyez_testkit::faulty_store::FaultyStore;
use oyez_testkit::keys;
use oyez_testkit::making::{
    Jtis, UPDATE, client, everything, interaction, notice, profile, rules, submission,
};
use oyez_web::metrics::{Levels, Metrics};
use oyez_web::polling::{Answer, Ask, Desk, Options, Unavailable, Waiters};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinHandle, yield_now};

pub(crate) struct Bank {
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) keys: watch::Sender<Arc<KeySet>>,
    ears: Arc<Ears>,
    jtis: Jtis,
    _stopped: Stopped,
    _directory: TempDir,
}

/// What the waiters hear the ledger by. A test can shut them.
struct Ears {
    waiters: Arc<Waiters>,
    shut: AtomicBool,
}

impl Listen for Ears {
    fn heard(&self, news: &[News]) {
        if !self.shut.load(Ordering::SeqCst) {
            self.waiters.heard(news);
        }
    }
}

/// A poll on its way.
pub(crate) type Polling = JoinHandle<Result<Answer, Unavailable>>;

/// Keeps a paused runtime from leaping ahead while it waits for the ledger's threads and the signers'.
struct Stopped(#[expect(dead_code, reason = "held")] mpsc::Sender<()>);

impl Stopped {
    fn new() -> Self {
        let (keep, kept) = mpsc::channel::<()>();
        Handle::current().spawn_blocking(move || kept.recv().is_err());
        Self(keep)
    }
}

impl Bank {
    pub(crate) fn new() -> Self {
        Self::bounded(Options::default())
    }

    pub(crate) fn bounded(options: Options) -> Self {
        Self::with(options, &(keys::p256() as _))
    }

    pub(crate) fn signing_with(key: &Arc<dyn Sign>) -> Self {
        Self::with(Options::default(), key)
    }

    fn with(options: Options, key: &Arc<dyn Sign>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        let ledger = Ledger::open(path, sqlite::Options::default(), rules()).unwrap();
        let store = Arc::new(FaultyStore::new(Arc::new(ledger)));
        let clock = Arc::new(ManualClock::still(DAWN));
        let keys = watch::Sender::new(Arc::new(key_set(Some(key))));
        let parts = Parts {
            store: Arc::clone(&store) as Arc<dyn Store>,
            rules: rules(),
            keys: keys.subscribe(),
            identity: Identity {
                iss: "https://bank.example".to_owned(),
                signatory: Signatory {
                    issuer: "0015800001041RHAAY".to_owned(),
                    trust_anchor: "openbanking.org.uk".to_owned(),
                },
                base_url: "https://api.bank.example".parse().unwrap(),
            },
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            observe: None,
        };
        let issuer =
            Issuer::start(parts, oyez_issuer::Options::default(), &Handle::current()).unwrap();
        let waiters = Arc::new(Waiters::new(options));
        let ears = Arc::new(Ears {
            waiters: Arc::clone(&waiters),
            shut: AtomicBool::new(false),
        });
        store.listen(Arc::downgrade(&ears) as _);
        let metrics = Arc::new(Metrics::default());
        let desk = Desk {
            store: Arc::clone(&store) as Arc<dyn Store>,
            issuer: Arc::new(issuer),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            waiters: Arc::clone(&waiters),
            metrics: Arc::clone(&metrics),
            tracer: None,
        };
        Self {
            store,
            clock,
            waiters,
            desk: Arc::new(desk),
            metrics,
            keys,
            ears,
            jtis: Jtis::from(1),
            _stopped: Stopped::new(),
            _directory: directory,
        }
    }
}

/// TPPs and what they have registered.
impl Bank {
    /// Known, and subscribed to everything by polling.
    pub(crate) async fn tpp(&self, name: &str) -> ClientId {
        let client_id = self.stranger(name).await;
        self.subscribe(&client_id).await;
        client_id
    }

    /// Known, with nothing registered.
    pub(crate) async fn stranger(&self, name: &str) -> ClientId {
        let client_id = client(name);
        let known = self.store.register_tpp(
            operator(),
            client_id.clone(),
            profile(Overrides::default()),
            DAWN,
        );
        assert!(known.await.unwrap().is_some());
        client_id
    }

    pub(crate) async fn subscribe(&self, client_id: &ClientId) {
        let made = self.store.create_registration(
            client_id.clone(),
            subscription_of(client_id),
            Wish::Subscription(everything()),
            ApiVersion::V4_0,
            self.clock.now(),
        );
        assert!(made.await.unwrap().is_ok());
    }

    pub(crate) async fn resubscribe(&self, client_id: &ClientId, wish: SubscriptionWish) {
        let target = Target {
            kind: Kind::Subscription,
            id: subscription_of(client_id),
            api: ApiVersion::V4_0,
        };
        let wish = Wish::Subscription(wish);
        let now = self.clock.now();
        let replaced = self
            .store
            .replace_registration(client_id.clone(), target, wish, now);
        assert!(replaced.await.unwrap().is_ok());
    }
}

/// News.
impl Bank {
    pub(crate) async fn accept(&self, client_id: &ClientId, events: usize) -> Vec<Jti> {
        self.accept_of(client_id, Family::Aisp, events).await
    }

    pub(crate) async fn accept_of(
        &self,
        client_id: &ClientId,
        family: Family,
        events: usize,
    ) -> Vec<Jti> {
        let batch: Vec<_> = (0..events)
            .map(|_| notice(client_id, family, &[UPDATE]))
            .map(|notice| submission(self.jtis.next(DAWN), notice))
            .collect();
        let jtis: Vec<Jti> = batch.iter().map(|it| it.jti).collect();
        let accepted = self.store.accept(batch, self.clock.now()).await.unwrap();
        let expected: Vec<_> = jtis.iter().copied().map(Acceptance::Accepted).collect();
        assert_eq!(accepted, expected);
        jtis
    }

    /// Accepts events, and those who wait do not hear of it.
    pub(crate) async fn accept_silently(
        &self,
        client_id: &ClientId,
        family: Family,
        events: usize,
    ) -> Vec<Jti> {
        self.ears.shut.store(true, Ordering::SeqCst);
        let jtis = self.accept_of(client_id, family, events).await;
        self.ears.shut.store(false, Ordering::SeqCst);
        jtis
    }

    /// Says that there is something, though there is nothing.
    pub(crate) fn cry_wolf(&self, client_id: &ClientId) {
        let mut news = News::of(client_id.clone());
        news.polls = true;
        self.waiters.heard(&[news]);
    }

    /// Accepts an event about a resource of a type that the bank's table does not have (any more).
    pub(crate) async fn accept_unspeakable(&self, client_id: &ClientId) -> Jti {
        let mut notice = notice(client_id, Family::Aisp, &[UPDATE]);
        notice.resource.kind = "children-savings-account".to_owned();
        let jti = self.jtis.next(DAWN);
        let batch = vec![submission(jti, notice)];
        let accepted = self.store.accept(batch, self.clock.now()).await.unwrap();
        assert_eq!(accepted, [Acceptance::Accepted(jti)]);
        jti
    }

    pub(crate) async fn file(&self, jti: Jti) -> EventFile {
        self.store.find_event(jti).await.unwrap().unwrap()
    }

    pub(crate) async fn is_settled(&self, jti: Jti) -> bool {
        !self.file(jti).await.settlements.is_empty()
    }
}

/// Polls.
impl Bank {
    /// Whether so many polls were answered like this.
    pub(crate) fn counts(&self, answered: &str, polls: usize) -> bool {
        let line = format!("oyez_polls_total{{answered=\"{answered}\"}} {polls}");
        self.metrics
            .text(&Levels::default())
            .lines()
            .any(|found| found == line)
    }

    pub(crate) async fn poll(&self, ask: Ask) -> Answer {
        self.desk.answer(ask).await.unwrap()
    }

    pub(crate) fn start(&self, ask: Ask) -> Polling {
        let desk = Arc::clone(&self.desk);
        Handle::current().spawn(async move { desk.answer(ask).await })
    }

    /// Starts a poll that finds nothing, and waits until it sleeps.
    pub(crate) async fn lies_down(&self, ask: Ask) -> Polling {
        let sleeping = self.waiters.counts().waiting;
        let polling = self.start(ask);
        self.sleeping(sleeping + 1).await;
        polling
    }

    /// Waits until so many sleep.
    pub(crate) async fn sleeping(&self, polls: usize) {
        until(|| self.waiters.counts().waiting == polls).await;
    }

    /// How often the ledger was asked by polls.
    pub(crate) fn looks(&self) -> u64 {
        self.store.asked("poll")
    }

    /// Time passes for the bank and for the runtime.
    pub(crate) async fn later(&self, by: Duration) {
        self.clock.advance(by);
        tokio::time::advance(by).await;
        self.settle().await;
    }

    /// What can go on without time passing has gone on: the ledger did what it was asked, and those woken by it have looked.
    pub(crate) async fn settle(&self) {
        for _ in 0..3 {
            for _ in 0..20 {
                yield_now().await;
            }
            // It answers after all that it was asked before.
            let expired = self.store.expire(DAWN - YEAR, 1, self.clock.now());
            assert_eq!(expired.await.unwrap(), 0);
        }
    }
}

/// Waits for a condition that other threads bring about, while the runtime's time stands still.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..PATIENCE {
        if holds() {
            return;
        }
        yield_now().await;
    }
    panic!("what was waited for does not come");
}

/// A poll for everything, answered at once.
pub(crate) fn at_once(client_id: &ClientId) -> Ask {
    Ask {
        client_id: client_id.clone(),
        profile: HeaderProfile::OpenBanking,
        plan: Plan {
            events_max: 100,
            reply: Reply::AtOnce,
        },
        acks: Vec::new(),
        errors: Vec::new(),
        families: Family::ALL.to_vec(),
        limits: limits(),
        interaction_id: interaction("a-poll"),
        trace: None,
    }
}

/// A poll for everything that waits.
pub(crate) fn waiting(client_id: &ClientId) -> Ask {
    Ask {
        plan: Plan {
            events_max: 100,
            reply: Reply::WhenDue(WAIT),
        },
        ..at_once(client_id)
    }
}

/// The same for fewer events.
pub(crate) fn at_most(events_max: u32, mut ask: Ask) -> Ask {
    ask.plan.events_max = events_max;
    ask
}

pub(crate) fn limits() -> Limits {
    Limits {
        redelivery_delay: REDELIVERY,
        error_cap: NonZeroU32::new(10).unwrap(),
        hand_out_cap: None,
        order: DeliveryOrder::Concurrent,
    }
}

pub(crate) fn jtis(answer: &Answer) -> Vec<Jti> {
    answer.sets.iter().map(|(jti, _)| *jti).collect()
}

/// The answer of a poll that was started.
pub(crate) async fn answer_of(polling: Polling) -> Answer {
    polling.await.unwrap().unwrap()
}

pub(crate) fn busy() -> Error {
    Error::Busy {
        detail: "as the test says".to_owned(),
    }
}

/// Keys of which the last may sign now, or none.
pub(crate) fn key_set(key: Option<&Arc<dyn Sign>>) -> KeySet {
    let entry = |key: &Arc<dyn Sign>| {
        let algorithm = key.public_key().algorithm();
        KeyEntry::new(
            "k-1",
            algorithm,
            "k-1",
            UnixTime::from_seconds(1_600_000_000),
        )
    };
    let manifest = Manifest {
        keys: key.map(entry).into_iter().collect(),
    };
    let now = UnixTime::from_milliseconds(DAWN.unix_ms());
    KeySet::load_with::<Infallible>(manifest, Duration::from_secs(300), now, |_| {
        Ok(Arc::clone(key.unwrap()))
    })
    .unwrap()
}

pub(crate) fn operator() -> Actor {
    Actor::Operator("ops".to_owned())
}

fn subscription_of(client_id: &ClientId) -> RegistrationId {
    RegistrationId::new(format!("s-{client_id}")).unwrap()
}

pub(crate) const WAIT: Duration = Duration::from_secs(25);
pub(crate) const REDELIVERY: Duration = Duration::from_secs(5);
pub(crate) const A_MOMENT: Duration = Duration::from_millis(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
const PATIENCE: u32 = 20_000_000;
