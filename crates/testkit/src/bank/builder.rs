//! What can be chosen about a bank before it serves.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::sync::Arc;

use oyez_domain::rules::Rules;
use oyez_jose::key_set::{KeyEntry, KeySet, Manifest};
use oyez_jose::{LocalKey, Sign, UnixTime};
use oyez_web::internal::{self, TestResource};
use oyez_web::tokens::ValidateTokens;
use oyez_web::tpp::Options;
use oyez_web::tpp::options::JWKS_MAX_AGE;
use oyez_web::{developer, listener, polling};
use tokio::sync::watch;

use super::home::Home;
use super::running::{Plan, Running};
use super::{BASE_URL, Bank, Names};
use crate::certificates::Authority;
use crate::clock::{DAWN, ManualClock};
use crate::keys;
use crate::tokens::AuthorisationServer;
use crate::tpp::Site;

/// A bank in the making.
#[must_use = "it serves when it is started"]
pub struct Builder {
    plan: Plan,
    clock: ManualClock,
    signs: Signs,
    authorisation_server: AuthorisationServer,
}

/// What the bank signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    /// As the standard says, a millisecond each.
    Ps256,
    /// Quickly, for tests that need many SETs.
    Es256,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            plan: Plan {
                rules: Rules::default(),
                options: Options {
                    requests_per_second: NO_RATE,
                    ..Options::default()
                },
                developer: developer::Options::default(),
                bounds: listener::Bounds::default(),
                gateway: None,
                waiters: polling::Options::default(),
                internal: internal::Options {
                    test_resource: Some(TestResource {
                        kind: "domestic-payment".to_owned(),
                        id: "test".to_owned(),
                    }),
                    ..internal::Options::default()
                },
                tokens: None,
                base_url: BASE_URL.to_owned(),
                rsa_certificate: false,
                seed: 1,
            },
            clock: ManualClock::still(DAWN),
            signs: Signs::Ps256,
            authorisation_server: AuthorisationServer::new(),
        }
    }

    /// Other rules.
    pub fn rules(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(&mut self.plan.rules);
        self
    }

    /// Other choices of the TPP API. Unlike in production, a TPP may call as often as it likes unless this says otherwise.
    pub fn options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.plan.options);
        self
    }

    /// Other developer pages.
    pub fn developer(mut self, change: impl FnOnce(&mut developer::Options)) -> Self {
        change(&mut self.plan.developer);
        self
    }

    /// Other bounds of the TPPs' listener.
    pub fn bounds(mut self, change: impl FnOnce(&mut listener::Bounds)) -> Self {
        change(&mut self.plan.bounds);
        self
    }

    /// Other bounds of waiting polls.
    pub fn waiters(mut self, change: impl FnOnce(&mut polling::Options)) -> Self {
        change(&mut self.plan.waiters);
        self
    }

    /// Other choices of the internal API.
    pub fn internal(mut self, change: impl FnOnce(&mut internal::Options)) -> Self {
        change(&mut self.plan.internal);
        self
    }

    /// Behind a gateway that says which certificate a client has.
    pub fn gateway(mut self, gateway: listener::Gateway) -> Self {
        self.plan.gateway = Some(gateway);
        self
    }

    /// With somebody else's word on tokens, such as introspection's; by default it believes its authorisation server's key.
    pub fn tokens(mut self, tokens: Arc<dyn ValidateTokens>) -> Self {
        self.plan.tokens = Some(tokens);
        self
    }

    /// With another authorisation server.
    pub fn authorisation_server(mut self, server: AuthorisationServer) -> Self {
        self.authorisation_server = server;
        self
    }

    /// With links that hang on another address.
    pub fn base_url(mut self, base_url: &str) -> Self {
        base_url.clone_into(&mut self.plan.base_url);
        self
    }

    /// With an RSA certificate, so that TLS 1.2 can be spoken.
    pub fn rsa_certificate(mut self) -> Self {
        self.plan.rsa_certificate = true;
        self
    }

    /// Other keys.
    pub fn signs(mut self, signs: Signs) -> Self {
        self.signs = signs;
        self
    }

    /// Other chance.
    pub fn seed(mut self, seed: u64) -> Self {
        self.plan.seed = seed;
        self
    }

    /// Another clock; by default it stands still at [`DAWN`].
    pub fn clock(mut self, clock: ManualClock) -> Self {
        self.clock = clock;
        self
    }

    /// Serves.
    pub async fn start(self) -> Bank {
        let authority = Authority::new("the directory");
        let clock = Arc::new(self.clock);
        let site = Arc::new(Site::new(authority, self.authorisation_server, clock));
        let home = Home::new().await;
        let keys = watch::Sender::new(Arc::new(key_set(&[("bank-1", self.signs.key())])));
        let names = Arc::new(Names::default());
        let running = Running::start(&self.plan, &site, &home, keys.subscribe(), &names).await;
        Bank {
            site,
            plan: self.plan,
            keys,
            names,
            running: Some(running),
            home,
        }
    }
}

/// A clock that stands still refills no bucket: tests that are not about rates make as many requests as they like.
const NO_RATE: NonZeroU32 = NonZeroU32::new(1_000_000).expect("it is not zero");

impl Signs {
    fn key(self) -> Arc<LocalKey> {
        match self {
            Self::Ps256 => Arc::clone(&keys::BANK),
            Self::Es256 => keys::p256(),
        }
    }
}

/// A set of keys that were all made long before the tests begin; the last one signs.
pub fn key_set(keys: &[(&str, Arc<LocalKey>)]) -> KeySet {
    let long_ago = UnixTime::from_seconds(1_600_000_000);
    let entry = |(kid, key): &(&str, Arc<LocalKey>)| {
        KeyEntry::new(*kid, key.public_key().algorithm(), *kid, long_ago)
    };
    let manifest = Manifest {
        keys: keys.iter().map(entry).collect(),
    };
    KeySet::load_with::<Infallible>(manifest, JWKS_MAX_AGE, long_ago, |entry| {
        let mut found = keys.iter().filter(|(kid, _)| *kid == entry.kid);
        let (_, key) = found.next().unwrap();
        Ok(Arc::clone(key) as Arc<dyn Sign>)
    })
    .unwrap()
}
