//! A bank with a ledger of its own, a clock that is driven by hand, and keys that can be exchanged.
//!
//! The ledger is a file, on PostgreSQL too: what issuing asks of a ledger is in the contract that both keep.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::{Family, Notice, Submission};
use oyez_domain::ids::{ClientId, Jti, RegistrationId};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::history::EventFile;
use oyez_domain::ledger::poll::{Limits, Patience, Poll};
use oyez_domain::ledger::registering::{Kind, Target, Wish};
use oyez_domain::ledger::sets::{Purpose, Work};
use oyez_domain::registration::SubscriptionWish;
use oyez_domain::time::Clock;
use oyez_domain::tpp::{DeliveryOrder, HeaderProfile, Overrides};
use oyez_domain::version::ApiVersion;
use oyez_issuer::{Error, Identity, Issued, Issuer, Options, Order, Outcome, Parts, Urgency};
use oyez_jose::compact::{Compact, Verifier};
use oyez_jose::key_set::{KeyEntry, KeySet, Manifest};
use oyez_jose::{KeyKind, LocalKey, Sign, Signatory, UnixTime};
use oyez_store::Store;
use oyez_store::sqlite::{self, Ledger};
use oyez_testkit::clock::ManualClock;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::watch;

use oyez_testkit::making::{
    DAWN, Jtis, UPDATE, client, everything, interaction, notice, profile, rules, submission,
};

pub(crate) struct Bank {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) keys: watch::Sender<Arc<KeySet>>,
    pub(crate) clock: Arc<ManualClock>,
    jtis: Jtis,
    _directory: TempDir,
}

impl Bank {
    pub(crate) fn with(keys: KeySet) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        let ledger = Ledger::open(path, sqlite::Options::default(), rules()).unwrap();
        Self {
            ledger: Arc::new(ledger),
            keys: watch::Sender::new(Arc::new(keys)),
            clock: Arc::new(ManualClock::still(DAWN)),
            jtis: Jtis::from(1),
            _directory: directory,
        }
    }

    /// With one P-256 key in memory.
    pub(crate) fn new() -> Self {
        Self::with(key_set(&[("k-1", p256())]))
    }

    pub(crate) fn issuer(&self, options: Options) -> Arc<Issuer> {
        let parts = Parts {
            store: Arc::clone(&self.ledger) as Arc<dyn Store>,
            rules: rules(),
            keys: self.keys.subscribe(),
            identity: Identity {
                iss: ISS.to_owned(),
                signatory: Signatory {
                    issuer: "0015800001041RHAAY".to_owned(),
                    trust_anchor: "openbanking.org.uk".to_owned(),
                },
                base_url: "https://api.bank.example".parse().unwrap(),
            },
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            observe: None,
        };
        Arc::new(Issuer::start(parts, options, &Handle::current()).unwrap())
    }

    /// Makes a TPP known and subscribed to everything.
    pub(crate) async fn tpp(&self, name: &str) -> ClientId {
        let client_id = client(name);
        let known = self.ledger.register_tpp(
            Actor::Operator("ops".to_owned()),
            client_id.clone(),
            profile(Overrides::default()),
            DAWN,
        );
        assert!(known.await.unwrap().is_some());
        let wish = Wish::Subscription(everything());
        let made = self.ledger.create_registration(
            client_id.clone(),
            subscription_of(&client_id),
            wish,
            ApiVersion::V4_0,
            DAWN,
        );
        assert!(made.await.unwrap().is_ok());
        client_id
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
            .ledger
            .replace_registration(client_id.clone(), target, wish, now);
        assert!(replaced.await.unwrap().is_ok());
    }

    /// Accepts so many resource-updates.
    pub(crate) async fn accept(&self, client_id: &ClientId, events: usize) -> Vec<Jti> {
        let notices = (0..events).map(|_| notice(client_id, Family::Aisp, &[UPDATE]));
        self.accept_all(notices).await
    }

    /// Accepts a resource-update about a resource of this type.
    pub(crate) async fn accept_of_kind(&self, client_id: &ClientId, kind: &str) {
        let mut notice = notice(client_id, Family::Aisp, &[UPDATE]);
        notice.resource.kind = kind.to_owned();
        self.accept_all([notice]).await;
    }

    async fn accept_all(&self, notices: impl IntoIterator<Item = Notice>) -> Vec<Jti> {
        let batch: Vec<Submission> = notices
            .into_iter()
            .map(|notice| submission(self.jtis.next(DAWN), notice))
            .collect();
        let jtis: Vec<Jti> = batch.iter().map(|it| it.jti).collect();
        let accepted = self.ledger.accept(batch, self.clock.now()).await.unwrap();
        let expected: Vec<_> = jtis.iter().copied().map(Acceptance::Accepted).collect();
        assert_eq!(accepted, expected);
        jtis
    }

    /// What a poll at once would hand out.
    pub(crate) async fn choose(&self, client_id: &ClientId) -> Vec<Work> {
        let poll = self.poll(client_id, Vec::new(), 10_000);
        self.ledger.poll(poll, self.clock.now()).await.unwrap().work
    }

    pub(crate) async fn acknowledge(&self, client_id: &ClientId, jti: Jti) {
        let poll = self.poll(client_id, vec![jti], 0);
        let polled = self.ledger.poll(poll, self.clock.now()).await.unwrap();
        assert_eq!(polled.settled, [jti]);
    }

    /// Accepts, and chooses all there is.
    pub(crate) async fn work(&self, client_id: &ClientId, events: usize) -> Vec<Work> {
        self.accept(client_id, events).await;
        self.choose(client_id).await
    }

    pub(crate) async fn file(&self, jti: Jti) -> EventFile {
        self.ledger.find_event(jti).await.unwrap().unwrap()
    }

    /// Verifies a SET against the keys published now, and answers its claims.
    pub(crate) fn verified(&self, set: &str) -> Value {
        let now = UnixTime::from_milliseconds(self.clock.now().unix_ms());
        let published = self.keys.borrow().jwks_at(now);
        let token = Compact::parse(set).unwrap();
        let verified = Verifier::sets().verify(token, &published, now).unwrap();
        serde_json::from_slice(&verified.payload).unwrap()
    }

    fn poll(&self, client_id: &ClientId, acks: Vec<Jti>, events_max: u32) -> Poll {
        Poll {
            client_id: client_id.clone(),
            acks,
            errors: Vec::new(),
            events_max,
            families: vec![Family::Aisp],
            patience: Patience::Immediate,
            limits: Limits {
                redelivery_delay: Duration::from_secs(60),
                error_cap: 10.try_into().unwrap(),
                hand_out_cap: None,
                order: DeliveryOrder::Concurrent,
            },
            interaction_id: interaction("a-poll"),
        }
    }
}

/// An order of a poll.
pub(crate) fn handed_out(client_id: &ClientId) -> Order {
    Order {
        client_id: client_id.clone(),
        profile: HeaderProfile::OpenBanking,
        purpose: Purpose::HandOut {
            cap: None,
            interaction_id: interaction("a-poll"),
        },
        urgency: Urgency::First,
    }
}

/// An order of a lane that is under way.
pub(crate) fn pushed(client_id: &ClientId) -> Order {
    Order {
        purpose: Purpose::Push,
        urgency: Urgency::Rest,
        ..handed_out(client_id)
    }
}

/// One thread, and one signature at a time asked of a key outside.
pub(crate) fn one_at_a_time() -> Options {
    Options {
        threads: NonZeroUsize::MIN,
        remote_at_once_max: 1,
        ..Options::default()
    }
}

/// Keys that may all sign already; the last one does.
pub(crate) fn key_set(keys: &[(&str, Arc<dyn Sign>)]) -> KeySet {
    let entry = |(kid, key): &(&str, Arc<dyn Sign>)| {
        KeyEntry::new(*kid, key.public_key().algorithm(), *kid, LONG_AGO)
    };
    let manifest = Manifest {
        keys: keys.iter().map(entry).collect(),
    };
    opened(manifest, keys)
}

pub(crate) fn opened(manifest: Manifest, keys: &[(&str, Arc<dyn Sign>)]) -> KeySet {
    let now = UnixTime::from_milliseconds(DAWN.unix_ms());
    KeySet::load_with::<Infallible>(manifest, MAX_AGE, now, |entry| {
        let (_, key) = keys.iter().find(|(kid, _)| *kid == entry.kid).unwrap();
        Ok(Arc::clone(key))
    })
    .unwrap()
}

pub(crate) fn p256() -> Arc<dyn Sign> {
    Arc::new(LocalKey::generate(KeyKind::P256).unwrap())
}

/// The bytes of SETs that are all to be sent.
pub(crate) fn sent(issued: Vec<Issued>) -> Vec<String> {
    let set = |issued: Issued| match issued.outcome {
        Ok(Outcome::Send(set)) => set,
        other => panic!("{}: {other:?}", issued.jti),
    };
    issued.into_iter().map(set).collect()
}

/// The only outcome.
pub(crate) fn only(issued: Vec<Issued>) -> Result<Outcome, Error> {
    let [issued] = issued.try_into().unwrap();
    issued.outcome
}

pub(crate) fn jtis(work: &[Work]) -> Vec<Jti> {
    work.iter().map(|work| work.jti).collect()
}

fn subscription_of(client_id: &ClientId) -> RegistrationId {
    RegistrationId::new(format!("s-{client_id}")).unwrap()
}

pub(crate) const ISS: &str = "https://bank.example";
const MAX_AGE: Duration = Duration::from_secs(300);
const LONG_AGO: UnixTime = UnixTime::from_seconds(1_600_000_000);
