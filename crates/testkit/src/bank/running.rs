//! One life of a bank, from opening its ledger to closing it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::address;
use oyez_domain::rules::Rules;
use oyez_domain::time::Clock;
use oyez_issuer::{Identity, Issuer, Parts};
use oyez_jose::Signatory;
use oyez_jose::key_set::KeySet;
use oyez_outbound::{Anchors, Client, DefaultTimeProvider, PlainHttp};
use oyez_store::Store;
use oyez_telemetry::Tracer;
use oyez_web::Signing;
use oyez_web::console;
use oyez_web::developer;
use oyez_web::internal::operators::Operators;
use oyez_web::internal::{self, Readiness};
use oyez_web::listener::{self, Listener};
use oyez_web::metrics::{self, Figures, Metrics, Tpps};
use oyez_web::pages::{Accent, Brand};
use oyez_web::polling::{self, Waiters};
use oyez_web::remote_keys::{self, RemoteKeys};
use oyez_web::tokens::{ValidateTokens, jwt};
use oyez_web::tpp::{self, Options};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::home::{Home, Ledger};
use super::{ISS, Names, ORG_ID};
use crate::colleague::staff;
use crate::dice::Dice;
use crate::faulty_store::FaultyStore;
use crate::tokens::{AUDIENCE, ISSUER};
use crate::tpp::{Site, TRUST_ANCHOR};

/// What was chosen about a bank: the same for each of its lives.
pub struct Plan {
    pub(super) rules: Rules,
    pub(super) options: Options,
    pub(super) developer: developer::Options,
    pub(super) bounds: listener::Bounds,
    pub(super) gateway: Option<listener::Gateway>,
    pub(super) waiters: polling::Options,
    pub(super) internal: internal::Options,
    pub(super) tokens: Option<Arc<dyn ValidateTokens>>,
    pub(super) base_url: String,
    pub(super) rsa_certificate: bool,
    pub(super) seed: u64,
    pub(super) tpps: Tpps,
    pub(super) tracer: Option<Arc<Tracer>>,
}

pub(super) struct Running {
    ledger: Ledger,
    pub(super) store: Arc<FaultyStore>,
    pub(super) web: Arc<oyez_web::Bank>,
    pub(super) internal: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    pub(super) async fn start(
        plan: &Plan,
        site: &Arc<Site>,
        home: &Home,
        keys: watch::Receiver<Arc<KeySet>>,
        names: &Arc<Names>,
    ) -> Self {
        let rules = Arc::new(plan.rules.clone());
        let ledger = home.open(Arc::clone(&rules)).await;
        let store = Arc::new(FaultyStore::new(ledger.store()));
        let web = Arc::new(plan.web(Arc::clone(&store) as _, rules, keys, site));
        store.listen(Arc::downgrade(&web.waiters) as _);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (journal, kept_in, no_more) = (Arc::clone(&web.journal), ledger.store(), stop.clone());
        tasks.spawn(async move {
            let keeping = journal.keep(&*kept_in);
            no_more.run_until_cancelled(keeping).await;
        });
        let router = tpp::router(tpp::Setup {
            bank: Arc::clone(&web),
            tokens: plan.tokens.clone().unwrap_or_else(|| jwt_tokens(site)),
            tpp_keys: Arc::new(tpp_keys(site, names, &tasks)),
            share: Arc::default(),
            resolver: Arc::clone(names) as _,
            options: plan.options.clone(),
            developer: plan.developer.clone(),
        });
        let listener = plan.listener(site, &web.metrics).await;
        site.moved_to(listener.socket.local_addr().unwrap());
        tasks.spawn(listener.serve(router, stop.clone(), tasks.clone()));
        let router = internal::router(internal::Setup {
            bank: Arc::clone(&web),
            operators: watch::Sender::new(Arc::new(Operators::new(staff()))).subscribe(),
            readiness: Readiness::default(),
            figures: Figures::default(),
            options: plan.internal.clone(),
            console: Some(console(&stop)),
            tasks: tasks.clone(),
        });
        let listener = plain_listener(&web.metrics).await;
        let internal = listener.socket.local_addr().unwrap();
        tasks.spawn(listener.serve(router, stop.clone(), tasks.clone()));
        Self {
            ledger,
            store,
            web,
            internal,
            stop,
            tasks,
        }
    }

    /// As a server stops: polls are answered, requests finish, what was signed is kept.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.web.waiters.drain();
        self.tasks.close();
        let ended = tokio::time::timeout(STOPS_WITHIN, self.tasks.wait()).await;
        assert!(ended.is_ok(), "every connection has ended");
        self.web.issuer.close(STOPS_WITHIN).await;
        self.ledger.close().await;
    }

    /// Each TPP's counts balance.
    pub(super) async fn audit(self) {
        self.stop.cancel();
        let ledger = self.ledger.store();
        let mut after = None;
        loop {
            let page = ledger.list_tpps(after, 100).await.unwrap();
            for tpp in page.rows {
                let counts = ledger.counts(tpp.client_id.clone()).await.unwrap();
                assert!(counts.balance(), "{}: {counts:?}", tpp.client_id);
            }
            after = page.next;
            if after.is_none() {
                return;
            }
        }
    }
}

impl Plan {
    fn web(
        &self,
        store: Arc<dyn Store>,
        rules: Arc<Rules>,
        keys: watch::Receiver<Arc<KeySet>>,
        site: &Site,
    ) -> oyez_web::Bank {
        let clock = Arc::clone(&site.clock) as Arc<dyn Clock>;
        let identity = Identity {
            iss: ISS.to_owned(),
            signatory: Signatory {
                issuer: ORG_ID.to_owned(),
                trust_anchor: TRUST_ANCHOR.to_owned(),
            },
            base_url: self.base_url.parse().unwrap(),
        };
        let metrics = Arc::new(Metrics::new(self.tpps));
        let parts = Parts {
            store: Arc::clone(&store),
            rules: Arc::clone(&rules),
            keys: keys.clone(),
            identity: identity.clone(),
            clock: Arc::clone(&clock),
            observe: Some(Arc::new(Signing::new(
                Arc::clone(&metrics),
                self.tracer.clone(),
            ))),
        };
        let issuer = Issuer::start(parts, oyez_issuer::Options::default(), &Handle::current());
        oyez_web::Bank {
            store,
            issuer: Arc::new(issuer.unwrap()),
            rules,
            identity,
            keys,
            clock,
            random: Dice::new(self.seed).random(),
            waiters: Arc::new(Waiters::new(self.waiters)),
            metrics,
            tracer: self.tracer.clone(),
            journal: Arc::default(),
        }
    }

    async fn listener(&self, site: &Site, metrics: &Metrics) -> Listener {
        let certified = if self.rsa_certificate {
            site.authority.server_rsa(&[])
        } else {
            site.authority.server(&[])
        };
        let (chain, key, anchors) = (certified.pem(), certified.key_pem(), site.authority.pem());
        let tls = listener::Tls::from_pem(
            chain.as_bytes(),
            key.as_bytes(),
            Some(anchors.as_bytes()),
            Arc::clone(&site.clock) as _,
        );
        Listener {
            socket: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            tls: Some(watch::Sender::new(Arc::new(tls.unwrap())).subscribe()),
            gateway: self.gateway.clone(),
            bounds: self.bounds.clone(),
            connections: metrics.connections(metrics::Listener::Tpp),
        }
    }
}

/// For the bank's own systems.
async fn plain_listener(metrics: &Metrics) -> Listener {
    Listener {
        socket: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        tls: None,
        gateway: None,
        bounds: listener::Bounds::default(),
        connections: metrics.connections(metrics::Listener::Internal),
    }
}

/// Believes the site's authorisation server by its key.
/// The pages for the bank's people.
fn console(stop: &CancellationToken) -> console::Setup {
    console::Setup {
        key: console::SealKey::new(&[7; 32]),
        lifetimes: console::Lifetimes::default(),
        transport: console::Transport::Plain,
        brand: Brand {
            name: "Example Bank".to_owned(),
            logo: None,
            accent: Accent::default(),
        },
        stop: stop.clone(),
    }
}

fn jwt_tokens(site: &Site) -> Arc<dyn ValidateTokens> {
    let options = jwt::Options::new(ISSUER, vec![AUDIENCE.to_owned()]);
    let jwks = Arc::new(site.authorisation_server.jwks());
    let keys = jwt::Keys::Given(watch::Sender::new(jwks).subscribe());
    Arc::new(jwt::Validator::new(options, keys, Arc::clone(&site.clock) as _).unwrap())
}

/// Fetched over TLS that believes the site's authority, from this machine too.
fn tpp_keys(site: &Site, names: &Arc<Names>, tasks: &TaskTracker) -> RemoteKeys {
    let anchors = Anchors::from_pem(site.authority.pem().as_bytes()).unwrap();
    let tls = oyez_outbound::Tls::new(&anchors, None, Arc::new(DefaultTimeProvider));
    let setup = oyez_outbound::Setup {
        tls: tls.unwrap(),
        addresses: address::Policy {
            allowed: vec!["127.0.0.0/8".parse().unwrap()],
        },
        plain_http: PlainHttp::Refused,
        proxy: None,
        limits: remote_keys::limits(),
    };
    let client = Client::new(setup, Arc::clone(names) as _, tasks.clone());
    RemoteKeys::new(
        Arc::new(client),
        Arc::clone(&site.clock) as _,
        tasks.clone(),
        remote_keys::Options::default(),
    )
}

/// Far longer than it takes.
const STOPS_WITHIN: Duration = Duration::from_secs(10);
