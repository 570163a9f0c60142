//! A bank: everything that production has, over real TLS on this machine, with a ledger of its own.
//!
//! A bank that is dropped has its books audited: each TPP's counts must balance, and no poll may still wait. A test that lets
//! a poll go says so first, by [`Bank::until_waiting`].

mod builder;
mod home;
mod running;

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::ids::Jti;
use oyez_domain::ledger::history::{Counts, EventFile};
use oyez_domain::registration::Registrations;
use oyez_domain::time::{Clock as _, Timestamp};
use oyez_domain::tpp::{KeySource, Overrides, Profile, Standing};
use oyez_jose::compact::{Compact, Verifier};
use oyez_jose::detached::Error;
use oyez_jose::key_set::KeySet;
use oyez_jose::{Form, Jwks, UnixTime};
use oyez_store::Store;
use oyez_web::internal::operators::Role;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::clock::ManualClock;
use crate::colleague::Colleague;
use crate::faulty_store::FaultyStore;
use crate::making::{self, UPDATE};
use crate::tpp::{Caller, Response, Site};
use home::Home;
use running::Running;

pub use crate::names::Names;
pub use builder::{Builder, Signs, key_set};
pub use running::Plan;

/// A bank that serves.
pub struct Bank {
    site: Arc<Site>,
    plan: Plan,
    keys: watch::Sender<Arc<KeySet>>,
    names: Arc<Names>,
    running: Option<Running>,
    home: Home,
}

/// The bank's org-id: the `iss` of its signatures.
pub const ORG_ID: &str = "0015800001041RHAAY";
/// The `iss` of its SETs.
pub const ISS: &str = "https://bank.example";
/// What its links hang on.
pub const BASE_URL: &str = "https://api.bank.example";

/// How it lives.
impl Bank {
    /// As the defaults say.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Otherwise.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Stops as a server does, and serves the same ledger again: on another port, with nothing in memory.
    pub async fn restart(&mut self) {
        self.stop().await;
        let keys = self.keys.subscribe();
        let running = Running::start(&self.plan, &self.site, &self.home, keys, &self.names).await;
        self.running = Some(running);
    }

    /// Waits until so many polls wait.
    pub async fn until_waiting(&self, polls: usize) {
        let all_wait = async {
            while self.web().waiters.counts().waiting != polls {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, all_wait)
            .await
            .unwrap_or_else(|_| panic!("{:?}", self.web().waiters.counts()));
    }

    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }
}

/// Its parts.
impl Bank {
    /// Where it is, and who vouches for whom.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// The clock of everybody here.
    pub fn clock(&self) -> &ManualClock {
        &self.site.clock
    }

    /// This moment.
    pub fn now(&self) -> Timestamp {
        self.site.clock.now()
    }

    /// The ledger, which fails on command.
    pub fn store(&self) -> &FaultyStore {
        &self.running().store
    }

    /// What the routers work on.
    pub fn web(&self) -> &Arc<oyez_web::Bank> {
        &self.running().web
    }

    /// Its keys; send a new set to exchange them.
    pub fn keys(&self) -> &watch::Sender<Arc<KeySet>> {
        &self.keys
    }

    /// Somebody of the bank, in this role.
    pub fn colleague(&self, role: Role) -> Colleague {
        Colleague::new(self.running().internal, role)
    }

    /// What its internal API was told.
    pub fn internal_options(&self) -> oyez_web::internal::Options {
        self.plan.internal.clone()
    }

    /// What names mean to it.
    pub const fn names(&self) -> &Arc<Names> {
        &self.names
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it stops only to start again")
    }
}

/// Its TPPs.
impl Bank {
    /// Somebody it does not know.
    pub fn stranger(&self, client_id: &str) -> Caller {
        Caller::new(&self.site, client_id)
    }

    /// A TPP that it knows.
    pub async fn tpp(&self, client_id: &str) -> Caller {
        let caller = self.stranger(client_id);
        self.register(&caller).await;
        caller
    }

    /// Makes a TPP known, with its keys.
    pub async fn register(&self, caller: &Caller) {
        let profile = Profile {
            org_id: Caller::ORG_ID.to_owned(),
            software_id: caller.software_id().to_owned(),
            keys: KeySource::Jwks(caller.jwks().to_json()),
            ..making::profile(Overrides::default())
        };
        let (id, now) = (making::client(caller.client_id()), self.now());
        let known = self
            .store()
            .register_tpp(operator(), id, profile, now)
            .await;
        assert!(known.unwrap().is_some(), "{} is known", caller.client_id());
    }

    /// Changes what it knows of a TPP.
    pub async fn change(&self, caller: &Caller, change: impl FnOnce(&mut Profile)) {
        let id = making::client(caller.client_id());
        let tpp = self.store().find_tpp(id.clone()).await.unwrap();
        let mut profile = tpp.expect("it is known").profile;
        change(&mut profile);
        let changed = self.store().change_tpp(operator(), id, profile, self.now());
        assert!(changed.await.unwrap().is_some());
    }

    /// Serves a TPP no more.
    pub async fn disable(&self, caller: &Caller) {
        let standing = Standing::Disabled {
            at: self.now(),
            reason: "as the test says".to_owned(),
        };
        let id = making::client(caller.client_id());
        let set = self
            .store()
            .set_standing(operator(), id, standing, self.now());
        assert!(set.await.unwrap().is_some());
    }

    /// What a TPP has registered.
    pub async fn registrations(&self, caller: &Caller) -> Registrations {
        let id = making::client(caller.client_id());
        self.store().registrations(id).await.unwrap()
    }

    /// Where a TPP's events stand.
    pub async fn counts(&self, caller: &Caller) -> Counts {
        let id = making::client(caller.client_id());
        self.store().counts(id).await.unwrap()
    }
}

/// Its events.
impl Bank {
    /// Hands items over, as a core system does; one outcome per item, in order (I-01).
    pub async fn publish(&self, items: &[Value]) -> Vec<Value> {
        let publisher = self.colleague(Role::Publisher);
        let answer = publisher
            .post("/v1/events", &json!({ "items": items }))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut answer = answer.json();
        serde_json::from_value(answer["outcomes"].take()).unwrap()
    }

    /// Publishes so many updates of an account-access-consent, and sees them accepted.
    pub async fn tell(&self, caller: &Caller, events: usize) -> Vec<Jti> {
        let item = json!({
            "tpp": caller.client_id(), "events": [{ "type": UPDATE }],
            "resource": { "type": "account-access-consent", "id": "r-1", "version": "v4.0" },
        });
        let outcomes = self.publish(&vec![item; events]).await;
        let jti = |outcome: &Value| {
            assert_eq!(outcome["outcome"], "accepted", "{outcome}");
            serde_json::from_value(outcome["jti"].clone()).unwrap()
        };
        outcomes.iter().map(jti).collect()
    }

    /// All that the ledger knows of an event.
    pub async fn event(&self, jti: Jti) -> EventFile {
        let file = self.store().find_event(jti).await.unwrap();
        file.expect("the ledger has it")
    }
}

/// Its word.
impl Bank {
    /// Its public keys now.
    pub fn jwks(&self) -> Jwks {
        self.keys.borrow().jwks_at(self.unix_time())
    }

    /// That it signed a response, and in which form (M-04).
    pub fn verify(&self, response: &Response) -> Result<Form, Error> {
        response.verified(ORG_ID, &self.jwks(), self.now())
    }

    /// The claims of a SET that it signed; anything else panics.
    pub fn claims(&self, set: &str) -> Value {
        let token = Compact::parse(set).unwrap();
        let verifier = Verifier::sets();
        let verified = verifier.verify(token, &self.jwks(), self.unix_time());
        serde_json::from_slice(&verified.unwrap().payload).unwrap()
    }

    fn unix_time(&self) -> UnixTime {
        UnixTime::from_milliseconds(self.now().unix_ms())
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let Some(running) = self.running.take() else {
            return;
        };
        let waiting = running.web.waiters.counts().waiting;
        // The ledger has threads of its own: it answers though the test's runtime stands still meanwhile.
        let audit = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(running.audit());
        });
        assert!(audit.join().is_ok(), "the books were audited");
        assert_eq!(waiting, 0, "polls still wait");
    }
}

fn operator() -> Actor {
    Actor::Operator("ada".to_owned())
}

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);
