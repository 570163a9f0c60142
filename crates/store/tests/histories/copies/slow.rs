//! Histories that go on in a copy of the ledger that they began in: the model, which was not copied, goes on beside it.

use std::sync::Arc;

use oyez_domain::rules::{Rules, Switches};
use oyez_testkit::model_store::ModelStore;
use oyez_testkit::scale;

use super::home::Kind::{self, Postgres, Sqlite};
use crate::player::{Company, Player};
use crate::rounds;
use crate::step::{self, Lanes, Step};

/// Plays one part of a history in each of these kinds of homes.
async fn play_moving(parts: Vec<Vec<Step>>, kinds: &[Kind], rules: Arc<Rules>) {
    let model = ModelStore::new(Arc::clone(&rules));
    let mut homes = Vec::new();
    for kind in kinds {
        homes.push(kind.home().await);
    }
    let first = homes[0].open(&rules).await;
    let (second, third);
    let mut player = Player::new(&model, first.store(), Company::Alone).await;
    Box::pin(player.begin()).await;
    let mut parts = parts.into_iter();
    let mut play = async |player: &mut Player<'_>| {
        for step in parts.next().unwrap_or_default() {
            Box::pin(player.play(step)).await;
        }
    };
    play(&mut player).await;
    player.leave().await;
    first.close().await;
    let there = homes[0].copy_to(&homes[1], &rules);
    second = homes[1].open(&rules).await;
    player.go_on_with(second.store()).await;
    play(&mut player).await;
    player.leave().await;
    second.close().await;
    let back = homes[1].copy_to(&homes[2], &rules);
    assert_eq!(there.tables.len(), back.tables.len());
    third = homes[2].open(&rules).await;
    player.go_on_with(third.store()).await;
    play(&mut player).await;
    Box::pin(player.end()).await;
}

fn campaign(name: &str, kinds: &[Kind], cases: u32) {
    let parts = proptest::collection::vec(step::history(60, Lanes::Played), 3);
    let play = async |parts, rules| play_moving(parts, kinds, rules).await;
    rounds(name, scale::rounds(cases), parts, Switches::default(), play);
}

// M-06, P-02, P-04, P-09, P-12, P-14, I-02, I-03, I-05, I-06, S-05, S-12, D-07
#[test]
fn a_history_goes_on_in_a_copy_on_postgresql_and_back_in_a_file() {
    campaign("copies there and back", &[Sqlite, Postgres, Sqlite], 200);
}

// M-06, P-02, P-04, P-09, P-12, P-14, I-02, I-03, I-05, I-06, S-05, S-12, D-07
#[test]
fn a_history_goes_on_in_a_copy_on_another_server_and_in_a_file_and_back() {
    campaign("copies to a new server", &[Postgres, Postgres, Sqlite], 100);
}

// M-06, P-02, P-04, P-09, P-12, P-14, I-02, I-03, I-05, I-06, S-05, S-12, D-07
#[test]
fn a_history_goes_on_in_a_copy_of_a_file_and_on_postgresql() {
    campaign("copies of files", &[Sqlite, Sqlite, Postgres], 100);
}
