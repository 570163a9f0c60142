//! A bank whose TPP API is called without sockets.
//!
//! Its ledger is a file, on PostgreSQL too: what the API asks of a ledger is in the contract that both keep, and `end_to_end`
//! has it over both.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use oyez_domain::actor::Actor;
use oyez_domain::ids::ClientId;
use oyez_domain::registration::Registrations;
use oyez_domain::rules::Rules;
use oyez_domain::time::{Clock, Timestamp};
use oyez_domain::tpp::{KeySource, Overrides, Profile, Standing};
use oyez_issuer::{Identity, Issuer, Parts};
use oyez_jose::key_set::{KeyEntry, KeySet, Manifest};
use oyez_jose::{Sign, Signatory, UnixTime};
use oyez_outbound::{Addresses, Bytes, Resolve};
use oyez_store::Store;
use oyez_store::sqlite::{self, Ledger};
use oyez_testkit::certificates::Authority;
use oyez_testkit::clock::{DAWN, ManualClock};
use oyez_testkit::dice::Dice;
use oyez_testkit::faulty_store::FaultyStore;
use oyez_testkit::keys;
use oyez_testkit::tokens::AuthorisationServer;
use oyez_testkit::tpp::{Caller, Site};
use oyez_web::Bank;
use oyez_web::developer;
use oyez_web::listener::{ClientCertificate, Peer};
use oyez_web::metrics::Metrics;
use oyez_web::polling::Waiters;
use oyez_web::remote_keys::{self, RemoteKeys};
use oyez_web::tokens::{AccessToken, TokenError, ValidateTokens, Validating};
use oyez_web::tpp::{Options, Setup, router};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::origin;

pub(crate) struct World {
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) keys: watch::Sender<Arc<KeySet>>,
    pub(crate) names: Arc<Names>,
    pub(crate) bank: Arc<Bank>,
    router: Router,
    tokens: Arc<Tokens>,
    site: Arc<Site>,
    _directory: TempDir,
}

/// What a test may choose of a bank.
pub(crate) struct Choices {
    pub(crate) options: Options,
    pub(crate) developer: developer::Options,
    pub(crate) rules: Rules,
    pub(crate) base_url: &'static str,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Says of tokens what a test says.
#[derive(Default)]
struct Tokens(Mutex<HashMap<String, Result<AccessToken, TokenError>>>);

/// Names and their addresses; one that is not listed does not resolve, and `hangs.example` never answers.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<HashMap<String, Vec<IpAddr>>>);

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(choose: impl FnOnce(&mut Choices)) -> Self {
        let mut choices = Choices {
            // The clock stands still, and with it the rate: only tests of it have one.
            options: Options {
                requests_per_second: NonZeroU32::MAX,
                ..Options::default()
            },
            developer: developer::Options::default(),
            rules: Rules::default(),
            base_url: "https://api.bank.example",
        };
        choose(&mut choices);
        let directory = tempfile::tempdir().unwrap();
        let rules = Arc::new(choices.rules);
        let path = directory.path().join("ledger.db");
        let ledger = Ledger::open(path, sqlite::Options::default(), Arc::clone(&rules)).unwrap();
        let store = Arc::new(FaultyStore::new(Arc::new(ledger)));
        let clock = Arc::new(ManualClock::still(DAWN));
        let keys = watch::Sender::new(bank_keys());
        let bank = bank(&store, &clock, &keys, rules, choices.base_url);
        store.listen(Arc::downgrade(&bank.waiters) as _);
        let (tokens, names) = (Arc::new(Tokens::default()), Arc::new(Names::default()));
        let tpp_keys = RemoteKeys::new(
            origin::client(),
            Arc::clone(&clock) as _,
            TaskTracker::new(),
            remote_keys::Options::default(),
        );
        let setup = Setup {
            bank: Arc::clone(&bank),
            tokens: Arc::clone(&tokens) as _,
            tpp_keys: Arc::new(tpp_keys),
            share: Arc::default(),
            resolver: Arc::clone(&names) as _,
            options: choices.options,
            developer: choices.developer,
        };
        let site = Site::new(
            Authority::new("Nobody asks"),
            AuthorisationServer::new(),
            Arc::clone(&clock),
        );
        Self {
            router: router(setup),
            store,
            clock,
            keys,
            names,
            bank,
            tokens,
            site: Arc::new(site),
            _directory: directory,
        }
    }

    /// The one way in: later these tests call over sockets instead.
    pub(crate) async fn call(
        &self,
        (method, path): (&str, &str),
        certificate: Option<ClientCertificate>,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Reply {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .extension(Peer {
                address: ([192, 0, 2, 1], 50_000).into(),
                certificate: certificate.map(Arc::new),
            });
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(body)).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// As a browser asks for a page.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call(("GET", path), None, &[], Vec::new()).await
    }

    /// The name of something that the developer page is made with.
    pub(crate) async fn asset(&self) -> String {
        let page = self.get("/developer").await.text();
        let name = page.split("developer/assets/").nth(1).unwrap();
        name.split('"').next().unwrap().to_owned()
    }

    /// A TPP that the bank knows, with its keys stored.
    pub(crate) async fn tpp(&self, name: &str) -> Caller {
        self.tpp_with(name, Overrides::default()).await
    }

    pub(crate) async fn tpp_with(&self, name: &str, overrides: Overrides) -> Caller {
        let caller = self.stranger(name);
        let keys = KeySource::Jwks(caller.jwks().to_json());
        self.register(&caller, keys, overrides).await;
        caller
    }

    /// One that it does not know, with a token that holds.
    pub(crate) fn stranger(&self, name: &str) -> Caller {
        let caller = Caller::new(&self.site, name);
        self.token(&good_token(name), claims(name));
        caller
    }

    pub(crate) async fn register(&self, caller: &Caller, keys: KeySource, overrides: Overrides) {
        let profile = Profile {
            keys,
            scopes: Vec::new(),
            overrides,
            ..profile(caller)
        };
        self.make_known(caller, profile).await;
    }

    /// With these scopes alone.
    pub(crate) async fn register_granted(&self, caller: &Caller, scopes: Vec<String>) {
        let profile = Profile {
            scopes,
            ..profile(caller)
        };
        self.make_known(caller, profile).await;
    }

    async fn make_known(&self, caller: &Caller, profile: Profile) {
        let operator = Actor::Operator("ops".to_owned());
        let known = self
            .store
            .register_tpp(operator, client(caller.client_id()), profile, DAWN);
        assert!(known.await.unwrap().is_some());
    }

    pub(crate) async fn enable(&self, name: &str) {
        let operator = Actor::Operator("ops".to_owned());
        let changed = self
            .store
            .set_standing(operator, client(name), Standing::Active, DAWN);
        assert!(changed.await.unwrap().is_some());
    }

    pub(crate) async fn disable(&self, name: &str) {
        let standing = Standing::Disabled {
            at: DAWN,
            reason: "test".to_owned(),
        };
        let operator = Actor::Operator("ops".to_owned());
        let changed = self
            .store
            .set_standing(operator, client(name), standing, DAWN);
        assert!(changed.await.unwrap().is_some());
    }

    /// From now on this text is a token that holds, and says this.
    pub(crate) fn token(&self, text: &str, claims: Value) {
        let Value::Object(claims) = claims else {
            panic!("claims are an object");
        };
        self.tokens.say(text, Ok(AccessToken::new(claims)));
    }

    /// From now on this text is a token that does not.
    pub(crate) fn bad_token(&self, text: &str, error: TokenError) {
        self.tokens.say(text, Err(error));
    }

    pub(crate) async fn registrations(&self, name: &str) -> Registrations {
        self.store.registrations(client(name)).await.unwrap()
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The codes of an error body with their paths.
    pub(crate) fn errors(&self) -> Vec<(String, Option<String>)> {
        let body = self.json();
        let errors = body["Errors"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        errors
            .map(|error| (text(&error["ErrorCode"]).unwrap(), text(&error["Path"])))
            .collect()
    }
}

/// What is registered of a TPP, with its keys stored.
pub(crate) fn profile(caller: &Caller) -> Profile {
    Profile {
        name: "Acme Budgeting".to_owned(),
        org_id: Caller::ORG_ID.to_owned(),
        software_id: caller.software_id().to_owned(),
        keys: KeySource::Jwks(caller.jwks().to_json()),
        scopes: Vec::new(),
        overrides: Overrides::default(),
    }
}

/// What a good token of this client says.
pub(crate) fn claims(name: &str) -> Value {
    json!({
        "client_id": name,
        "scope": "accounts payments fundsconfirmations",
        "cnf": { "x5t#S256": certificate(name).thumbprint },
    })
}

pub(crate) fn good_token(name: &str) -> String {
    format!("good-{name}")
}

pub(crate) fn certificate(name: &str) -> ClientCertificate {
    ClientCertificate {
        sha256: [0; 32],
        thumbprint: format!("thumbprint-of-{name}"),
        subject: format!("C=GB, O=Surgicon Limited, CN={name}"),
        not_before: DAWN,
        not_after: Timestamp::from_unix_seconds(DAWN.unix_seconds() + 86_400),
    }
}

pub(crate) fn client(name: &str) -> ClientId {
    ClientId::new(name).unwrap()
}

/// The bank signs as this.
pub(crate) const BANK_ORG: &str = "0015800001041RHAAY";

fn bank(
    store: &Arc<FaultyStore>,
    clock: &Arc<ManualClock>,
    keys: &watch::Sender<Arc<KeySet>>,
    rules: Arc<Rules>,
    base_url: &str,
) -> Arc<Bank> {
    let store = Arc::clone(store) as Arc<dyn Store>;
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let identity = Identity {
        iss: "https://bank.example".to_owned(),
        signatory: Signatory {
            issuer: BANK_ORG.to_owned(),
            trust_anchor: "openbanking.org.uk".to_owned(),
        },
        base_url: base_url.parse().unwrap(),
    };
    let parts = Parts {
        store: Arc::clone(&store),
        rules: Arc::clone(&rules),
        keys: keys.subscribe(),
        identity: identity.clone(),
        clock: Arc::clone(&clock),
        observe: None,
    };
    let issuer = Issuer::start(parts, oyez_issuer::Options::default(), &Handle::current());
    Arc::new(Bank {
        store,
        issuer: Arc::new(issuer.unwrap()),
        rules,
        identity,
        keys: keys.subscribe(),
        clock,
        random: Dice::new(1).random(),
        waiters: Arc::new(Waiters::default()),
        metrics: Arc::new(Metrics::default()),
        tracer: None,
        journal: Arc::default(),
    })
}

fn bank_keys() -> Arc<KeySet> {
    let created = UnixTime::from_seconds(DAWN.unix_seconds() - 86_400);
    let algorithm = keys::BANK.public_key().algorithm();
    let manifest = Manifest {
        keys: vec![KeyEntry::new("bank-1", algorithm, "bank", created)],
    };
    let now = UnixTime::from_seconds(DAWN.unix_seconds());
    let max_age = Options::default().jwks_max_age;
    let set = KeySet::load_with::<Infallible>(manifest, max_age, now, |_| {
        Ok(Arc::clone(&keys::BANK) as Arc<dyn Sign>)
    });
    Arc::new(set.unwrap())
}

impl Tokens {
    fn say(&self, text: &str, word: Result<AccessToken, TokenError>) {
        self.0.lock().unwrap().insert(text.to_owned(), word);
    }
}

impl ValidateTokens for Tokens {
    fn validate<'a>(&'a self, token: &'a str) -> Validating<'a> {
        assert!(token != "panics", "as the test says");
        let word = self.0.lock().unwrap().get(token).cloned();
        let unreadable = Err(TokenError::Invalid("the access token cannot be read"));
        Box::pin(ready(word.unwrap_or(unreadable)))
    }
}

impl Names {
    pub(crate) fn lead(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.0.lock().unwrap().insert(name.to_owned(), addresses);
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> Addresses<'a> {
        if name == "hangs.example" {
            return Box::pin(std::future::pending());
        }
        let found = self.0.lock().unwrap().get(name).cloned();
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no such name");
        Box::pin(ready(found.ok_or_else(missing)))
    }
}
