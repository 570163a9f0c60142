//! Random histories: what the model answers, a backend answers, to every request of a history that nobody thought of.
//!
//! A failing history is shrunk and printed with its seed. Sizes go by `OYEZ_TEST_SCALE`.

#[path = "contract/making.rs"]
#[expect(dead_code, reason = "the contract says more of these words")]
mod making;
#[path = "contract/model_store.rs"]
mod model_store;
#[path = "histories/player.rs"]
mod player;
#[path = "contract/scale.rs"]
mod scale;
#[path = "histories/step.rs"]
mod step;

use std::sync::Arc;

use oyez_domain::rules::Rules;
use oyez_store::Store;
use oyez_store::sqlite::{Ledger, Options};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use tempfile::TempDir;

use model_store::ModelStore;
use player::Player;
use step::Step;

async fn play(history: Vec<Step>, backend: &dyn Store, rules: Arc<Rules>) {
    let model = ModelStore::new(rules);
    let mut player = Player::new(&model, backend);
    player.begin().await;
    for step in history {
        player.play(step).await;
    }
    player.end().await;
}

/// Plays so many random histories of up to so many steps, each on a backend of its own.
fn histories(campaign: &str, cases: u32, steps_max: usize, rules: &Rules) {
    let seed = scale::seed(campaign);
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let outcome = TestRunner::new(config).run(&step::history(steps_max), |history| {
        let rules = Arc::new(rules.clone());
        let directory = in_memory_if_there_is_room();
        let path = directory.path().join("ledger.db");
        let backend = Ledger::open(&path, &Options::default(), Arc::clone(&rules)).unwrap();
        runtime.block_on(play(history, &backend, rules));
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

// P-02, P-08, P-12, P-14, I-02, S-12, D-10
#[test]
fn slow_a_backend_answers_as_the_model_does() {
    histories("histories", scale::rounds(3_000), 120, &Rules::default());
}
