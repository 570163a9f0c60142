//! Building the server: everything that can be wrong outside is found here, before anybody is answered.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use oyez_delivery::Delivery;
use oyez_domain::ledger::history::Retention;
use oyez_domain::rules::Rules;
use oyez_domain::time::Clock;
use oyez_issuer::{Issuer, Parts};
use oyez_jose::UnixTime;
use oyez_jose::key_set::KeySet;
use oyez_outbound::SystemResolver;
use oyez_telemetry::Exporter;
use oyez_web::listener::Listener;
use oyez_web::metrics::{Figures, Gatherer, Metrics};
use oyez_web::{Bank, Random, Signing, internal, metrics, tpp};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::attending::Attending;
use super::doors::{Door, Doors};
use super::housekeeping::{BATCH_MAX, Housekeeping};
use super::material::{Latest, Material, TlsFiles};
use super::measuring::measured;
use super::outward::Outward;
use super::pushing::Leased;
use super::reload::Source;
use super::telemetry::{ClockAhead, Traces};
use super::{Roles, attending, choices, console, looks, pushing, readiness, telemetry};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::failure::Failure;
use crate::ledger::Ledger;
use crate::schemas;

/// A server that is ready to run.
pub(crate) struct Server {
    pub(super) ledger: Ledger,
    pub(super) bank: Arc<Bank>,
    /// Pushes, if this process does.
    pub(super) delivery: Option<Arc<Delivery>>,
    /// Says that it answers TPPs, if there may be others that do.
    pub(super) attending: Option<Attending>,
    pub(super) tpp: Option<Face>,
    pub(super) internal: Option<Face>,
    pub(super) housekeeping: Housekeeping,
    /// Sends traces and metrics to a collector, if one is named.
    pub(super) exporter: Option<Exporter>,
    pub(super) sources: Vec<Source>,
    /// Cancelled, it takes nothing new from TPPs, and says so.
    pub(super) draining: CancellationToken,
    pub(super) tasks: TaskTracker,
}

/// One side that is answered.
pub(super) struct Face {
    pub(super) listener: Listener,
    pub(super) address: SocketAddr,
    pub(super) router: Router,
}

/// Where chance comes from.
pub(super) type Chance = fn() -> Result<[u8; 32], Failure>;

/// Makes the server of a configuration, with a side for each door.
pub(crate) async fn build(
    config: &Config,
    roles: Roles,
    doors: Doors,
    chance: Chance,
) -> Result<Server, Failure> {
    let tasks = TaskTracker::new();
    let mut material = Material::new();
    let rules = Arc::new(rules(config)?);
    let keys = material.keys(config)?;
    let ledger = Ledger::open(&config.store, Arc::clone(&rules), &Handle::current()).await?;
    let (bank, traces) = bank(config, &ledger, rules, &keys, random(chance)?)?;
    let store = Arc::clone(&bank.store);
    let (mut delivery, mut leased) = (None, None);
    if roles.delivery && config.features.push {
        let node_id = attending::node(&config.store, &bank.random);
        let held = leased.insert(Leased::default()).clone();
        let pushes = pushing::delivery(config, &bank, node_id, held, &mut material, &tasks)?;
        delivery = Some(pushes);
    }
    let draining = CancellationToken::new();
    let (mut tpp, mut attending) = (None, None);
    if let Some(door) = doors.tpp {
        let share = Arc::new(tpp::Share::default());
        attending = Attending::of(config, &store, &bank.random, &share);
        tpp = Some(tpp_face(config, door, &bank, share, &mut material, &tasks)?);
    }
    let clock_ahead = ClockAhead::default();
    let figures = telemetry::figures(config, &ledger, &bank, clock_ahead.clone());
    let exporter = traces.map(|traces| exporter(config, traces, &bank, &figures, &tasks));
    let exporter = exporter.transpose()?;
    let mut internal = None;
    if let Some(door) = doors.internal {
        let setup = internal::Setup {
            bank: Arc::clone(&bank),
            operators: material.operators(config)?,
            readiness: readiness::of(config, &draining, leased),
            figures,
            options: choices::internal_options(config),
            console: console::setup(config, &draining, chance)?,
            tasks: tasks.clone(),
        };
        internal = Some(internal_face(config, door, setup, &mut material)?);
    }
    told(config, &ledger, &keys.borrow());
    Ok(Server {
        ledger,
        delivery,
        attending,
        tpp,
        internal,
        exporter,
        housekeeping: Housekeeping {
            store,
            clock: Arc::clone(&bank.clock),
            clock_ahead,
            metrics: Arc::clone(&bank.metrics),
            tracer: bank.tracer.clone(),
            unacknowledged_for: config.retention.unacknowledged,
            retention: Retention {
                settled_for: config.retention.settled,
                keys_for: config.retention.idempotency_keys,
                minutes_for: config.retention.minutes,
                batch_max: BATCH_MAX,
            },
        },
        bank,
        sources: material.into_sources(),
        draining,
        tasks,
    })
}

/// What all sides work on, and its traces if they go anywhere. The ledger tells polls that wait.
fn bank(
    config: &Config,
    ledger: &Ledger,
    rules: Arc<Rules>,
    keys: &Latest<KeySet>,
    random: Random,
) -> Result<(Arc<Bank>, Option<Traces>), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let metrics = Arc::new(Metrics::new(config.telemetry.tpps));
    let store = measured(ledger.store(), &metrics);
    let traces = Traces::of(&config.telemetry, &random, &clock);
    let tracer = traces.as_ref().map(|traces| Arc::clone(&traces.tracer));
    let signing = Signing::new(Arc::clone(&metrics), tracer.clone());
    let bank = Arc::new(Bank {
        issuer: Arc::new(issuer(Parts {
            store: Arc::clone(&store),
            rules: Arc::clone(&rules),
            keys: keys.clone(),
            identity: choices::identity(config),
            clock: Arc::clone(&clock),
            observe: Some(Arc::new(signing)),
        })?),
        rules,
        identity: choices::identity(config),
        keys: keys.clone(),
        clock,
        random,
        waiters: choices::waiters(config),
        metrics,
        tracer,
        journal: Arc::default(),
        store,
    });
    let listener = Arc::downgrade(&bank.waiters);
    bank.store.listen(listener as _);
    Ok((bank, traces))
}

fn tpp_face(
    config: &Config,
    door: Door,
    bank: &Arc<Bank>,
    share: Arc<tpp::Share>,
    material: &mut Material,
    tasks: &TaskTracker,
) -> Result<Face, Failure> {
    let outward = Outward::new(config, Arc::clone(&bank.clock), tasks.clone())?;
    let router = tpp::router(tpp::Setup {
        bank: Arc::clone(bank),
        tokens: outward.tokens(material)?,
        tpp_keys: outward.tpp_keys()?,
        resolver: Arc::new(SystemResolver),
        options: choices::tpp_options(config),
        developer: looks::developer(config)?,
        share,
    });
    let listener = &config.listener;
    let tls = material.tls(&TlsFiles {
        name: "certificate and anchors of [listener]",
        certificate: &listener.certificate,
        key: &listener.key,
        client_anchors: &listener.client_anchors,
    })?;
    let listener = Listener {
        socket: door.socket,
        tls,
        gateway: choices::gateway(config),
        bounds: choices::tpp_bounds(config),
        connections: bank.metrics.connections(metrics::Listener::Tpp),
    };
    Ok(Face {
        listener,
        address: door.address,
        router,
    })
}

fn internal_face(
    config: &Config,
    door: Door,
    setup: internal::Setup,
    material: &mut Material,
) -> Result<Face, Failure> {
    let internal = &config.internal;
    let connections = setup.bank.metrics.connections(metrics::Listener::Internal);
    let router = internal::router(setup);
    let tls = material.tls(&TlsFiles {
        name: "certificate and anchors of [internal]",
        certificate: &internal.certificate,
        key: &internal.key,
        client_anchors: &internal.client_anchors,
    })?;
    let listener = Listener {
        socket: door.socket,
        tls,
        gateway: None,
        bounds: choices::internal_bounds(config),
        connections,
    };
    Ok(Face {
        listener,
        address: door.address,
        router,
    })
}

/// What the configuration decides of the domain's rules.
pub(crate) fn rules(config: &Config) -> Result<Rules, Failure> {
    let schemas: Result<Vec<_>, _> = schemas::read(config).into_iter().collect();
    let mend = "oyez check says more";
    let schemas = schemas.map_err(|what| Failure::environment(what, mend))?;
    config.rules(schemas).map_err(|faults| {
        let texts: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
        let what = format!(
            "the schemas of [event_types] cannot be used: {}",
            texts.join("; ")
        );
        Failure::environment(what, mend)
    })
}

/// Whoever sends what is traced; under a name that is drawn, since several processes may come from one template.
fn exporter(
    config: &Config,
    traces: Traces,
    bank: &Arc<Bank>,
    figures: &Figures,
    tasks: &TaskTracker,
) -> Result<Exporter, Failure> {
    let outward = Outward::new(config, Arc::clone(&bank.clock), tasks.clone())?;
    let gatherer = Gatherer::new(Arc::clone(bank), figures.clone());
    let instance = bank.random.interaction_id().to_string();
    traces.exporter(config, outward.collector()?, gatherer, instance)
}

fn issuer(parts: Parts) -> Result<Issuer, Failure> {
    let started = Issuer::start(parts, oyez_issuer::Options::default(), &Handle::current());
    started.map_err(|error| {
        Failure::environment(
            "cannot start the threads that sign",
            "see the reason, and try again",
        )
        .because(&error)
    })
}

/// Chance was there a moment ago and is not taken away from a running system.
fn random(chance: Chance) -> Result<Random, Failure> {
    chance()?;
    Ok(Random::new(move || {
        let bytes = chance().expect("the system had random numbers when the server started");
        let (first, _) = bytes
            .split_first_chunk()
            .expect("32 bytes have 16 first ones");
        *first
    }))
}

/// What operators look for when they read the log from its beginning. Nothing here is secret.
fn told(config: &Config, ledger: &Ledger, keys: &KeySet) {
    let now: UnixTime = SystemClock.second();
    let published: Vec<_> = keys.published_at(now).map(|key| key.kid()).collect();
    let signing = keys.signing_at(now).map(|key| key.kid());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        ledger = %ledger.place(),
        issuer = %config.bank.issuer,
        "oyez"
    );
    match signing {
        Some(kid) => tracing::info!(kid, published = published.join(" "), "signing keys"),
        None => tracing::warn!(
            published = published.join(" "),
            "no key may sign: events wait"
        ),
    }
    tracing::info!(
        tokens = ?config.tokens.validation,
        binding = ?config.tokens.binding,
        registration = ?config.tokens.registration,
        signatures = ?config.signatures.policy,
        "policies"
    );
    if !config.features.push {
        tracing::info!("[features] push is off: a CallbackUrl is refused");
    }
}
