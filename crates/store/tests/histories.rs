//! Random histories: what the model answers, a backend answers, to every request of a history that nobody thought of.
//!
//! A failing history is shrunk and printed with its seed. Sizes go by `OYEZ_TEST_SCALE`.

#![expect(clippy::unwrap_used, reason = "what a campaign cannot do fails it")]
#![expect(
    clippy::duplicate_mod,
    reason = "one set of campaigns, compiled once for each backend"
)]

#[path = "histories/player.rs"]
mod player;
#[path = "histories/step.rs"]
mod step;

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ids::NodeId;
use oyez_domain::ledger::lanes::Lease;
use oyez_domain::rules::{Rules, Switches};
use oyez_store::Store;
use oyez_store::sqlite::{Ledger, Options};
use oyez_testkit::postgres::Database;
use oyez_testkit::scale;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use tokio::task::JoinSet;

use oyez_testkit::model_store::ModelStore;
use player::{Company, Player};
use step::Step;

#[path = "histories"]
mod sqlite {
    use crate::in_a_file as open;

    const SHARE: u32 = 1;

    mod slow;
}

#[path = "histories"]
mod postgres {
    use crate::in_postgres as open;

    /// A database for each history takes longer than the history.
    const SHARE: u32 = 5;

    mod slow;
}

#[path = "histories/copies"]
mod copies {
    mod cut_off;
    mod home;
    mod refused;
    mod slow;
}

/// A ledger, and what it lives in.
struct Backend {
    store: Arc<dyn Store>,
    lives_in: Box<dyn Any>,
}

async fn play(history: Vec<Step>, backend: &dyn Store, rules: Arc<Rules>, company: Company) {
    let model = ModelStore::new(rules);
    let mut player = Player::new(&model, backend, company).await;
    // In boxes: all three on a test's stack are too much for it.
    Box::pin(player.begin()).await;
    for step in history {
        Box::pin(player.play(step)).await;
    }
    Box::pin(player.end()).await;
}

/// Plays so many random histories, or sets of them, each on a backend of its own.
fn campaign<T: Debug>(
    open: impl AsyncFn(Arc<Rules>) -> Backend,
    name: &str,
    cases: u32,
    histories: impl Strategy<Value = T>,
    switches: Switches,
    play: impl AsyncFn(T, Arc<dyn Store>, Arc<Rules>),
) {
    rounds(
        name,
        cases,
        histories,
        switches,
        async |histories, rules| {
            let backend = open(Arc::clone(&rules)).await;
            play(histories, Arc::clone(&backend.store), rules).await;
            drop(backend.store);
            drop(backend.lives_in);
        },
    );
}

/// Plays so many random histories, or sets of them.
fn rounds<T: Debug>(
    name: &str,
    cases: u32,
    histories: impl Strategy<Value = T>,
    switches: Switches,
    play: impl AsyncFn(T, Arc<Rules>),
) {
    let seed = scale::seed(name);
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let rules = Rules {
        switches,
        ..Rules::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let outcome = TestRunner::new(config).run(&histories, |histories| {
        let rules = Arc::new(rules.clone());
        runtime.block_on(play(histories, rules));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("by OYEZ_TEST_SEED={seed}: {error}"));
}

/// Histories are about answers, not about disks: without waiting for one, many more are played.
async fn in_a_file(rules: Arc<Rules>) -> Backend {
    let directory = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path, Options::default(), rules).unwrap();
    Backend {
        store: Arc::new(ledger),
        lives_in: Box::new(directory),
    }
}

async fn in_postgres(rules: Arc<Rules>) -> Backend {
    let database = Database::new().await;
    Backend {
        store: Arc::new(database.ledger(rules).await),
        lives_in: Box::new(database),
    }
}

/// The one node that those in company push by.
async fn join(ledger: &dyn Store) -> Lease {
    let (node_id, ttl) = (NodeId::new("pusher").unwrap(), Duration::from_secs(3_600));
    ledger
        .hold_lease(node_id, None, ttl)
        .await
        .unwrap()
        .unwrap()
}

async fn alone(history: Vec<Step>, backend: Arc<dyn Store>, rules: Arc<Rules>) {
    play(history, &*backend, rules, Company::Alone).await;
}

async fn in_company(histories: Vec<Vec<Step>>, backend: Arc<dyn Store>, rules: Arc<Rules>) {
    let mut players = JoinSet::new();
    let lease = join(&*backend).await;
    for (nth, history) in (0..).zip(histories) {
        let (backend, rules) = (Arc::clone(&backend), Arc::clone(&rules));
        let company = Company::Among {
            nth,
            lease: lease.clone(),
        };
        players.spawn(async move {
            play(history, &*backend, rules, company).await;
        });
    }
    while let Some(played) = players.join_next().await {
        played.unwrap();
    }
}
