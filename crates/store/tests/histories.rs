//! Random histories: what the model answers, a backend answers, to every request of a history that nobody thought of.
//!
//! A failing history is shrunk and printed with its seed. Sizes go by `OYEZ_TEST_SCALE`.

#![expect(clippy::unwrap_used, reason = "what a campaign cannot do fails it")]

#[path = "histories/player.rs"]
mod player;
#[path = "histories/step.rs"]
mod step;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ids::NodeId;
use oyez_domain::ledger::lanes::Lease;
use oyez_domain::rules::{Rules, Switches};
use oyez_store::Store;
use oyez_store::sqlite::{Ledger, Options};
use oyez_testkit::scale;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use tempfile::TempDir;
use tokio::task::JoinSet;

use oyez_testkit::model_store::ModelStore;
use player::{Company, Player};
use step::{Lanes, Step};

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
    name: &str,
    cases: u32,
    histories: impl Strategy<Value = T>,
    switches: Switches,
    play: impl AsyncFn(T, Arc<dyn Store>, Arc<Rules>),
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
        .build()
        .unwrap();
    let outcome = TestRunner::new(config).run(&histories, |histories| {
        let rules = Arc::new(rules.clone());
        let directory = in_memory_if_there_is_room();
        let path = directory.path().join("ledger.db");
        let backend = Ledger::open(&path, Options::default(), Arc::clone(&rules)).unwrap();
        runtime.block_on(play(histories, Arc::new(backend), rules));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("by OYEZ_TEST_SEED={seed}: {error}"));
}

/// Histories are about answers, not about disks: without waiting for one, many more are played.
fn in_memory_if_there_is_room() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
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

/// `./test --quick` leaves these out.
mod slow {
    use super::*;

    // M-06, P-02, P-04, P-05, P-08, P-09, P-12, P-14, I-02, I-03, I-06, S-02, S-05, S-12, C-08, D-07, D-10
    #[test]
    fn a_backend_answers_every_history_as_the_model_does() {
        let history = step::history(120, Lanes::Played);
        campaign(
            "histories",
            scale::rounds(3_000),
            history,
            Switches::default(),
            alone,
        );
    }

    // P-10, C-07a, S-05
    #[test]
    fn a_backend_answers_as_the_model_does_where_polling_needs_no_subscription() {
        let switches = Switches {
            polling_requires_subscription: false,
            polling_with_callback_url: true,
            ..Switches::default()
        };
        let history = step::history(120, Lanes::Played);
        campaign(
            "histories of open polling",
            scale::rounds(1_000),
            history,
            switches,
            alone,
        );
    }

    // A-07, D-09, I-01, I-02, I-03
    #[test]
    fn histories_of_many_at_once_go_as_if_each_were_alone() {
        let histories = proptest::collection::vec(step::history(80, Lanes::LeftOut), 2..8);
        let cases = scale::rounds(500);
        campaign(
            "histories in company",
            cases,
            histories,
            Switches::default(),
            in_company,
        );
    }
}
