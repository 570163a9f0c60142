//! The bank's keys: when they are fetched, and when not.

use std::sync::Arc;
use std::time::Duration;

use oyez_tpp::jose::{KeyKind, LocalKey};
use oyez_tpp::{Bank, Error, SignatureFault};

use crate::fake_bank::{Canned, KID, Seal};
use crate::world::{World, wish};

/// Creates a subscription whose answer is signed so.
async fn created(world: &World, bank: &Bank, seal: Seal) -> Result<(), Error> {
    let body = r#"{"Data":{"EventSubscriptionId":"s-1","Version":"4.0"}}"#;
    world.bank.answers(Canned::new(201, body).sealed(seal));
    bank.subscriptions().create(&wish()).await.map(drop)
}

fn key() -> Arc<LocalKey> {
    Arc::new(LocalKey::generate(KeyKind::P256).unwrap())
}

fn fetches(world: &World) -> usize {
    world.bank.seen("/jwks").len()
}

// R-01, R-04
#[tokio::test]
async fn an_unknown_key_is_looked_for_once_in_a_floors_time() {
    let world = World::new().await;
    let bank = world.seen_bank();
    created(&world, &bank, Seal::Good).await.unwrap();
    assert_eq!(fetches(&world), 1);
    // Just fetched: a key that is not there now is not asked for.
    let next = key();
    world
        .bank
        .publishes(&[(KID, &world.bank.key), ("bank-2", &next)]);
    let rotated = || Seal::Key(Arc::clone(&next), "bank-2");
    let early = created(&world, &bank, rotated()).await;
    assert!(matches!(early, Err(Error::Unproven { .. })));
    assert_eq!(fetches(&world), 1);
    world.clock.advance(Duration::from_secs(60));
    created(&world, &bank, rotated()).await.unwrap();
    assert_eq!(fetches(&world), 2);
    // Made-up names cost one fetch a minute, not one each.
    world.clock.advance(Duration::from_secs(60));
    for _ in 0..5 {
        let made_up = created(&world, &bank, Seal::Key(Arc::clone(&next), "made-up")).await;
        assert!(matches!(made_up, Err(Error::Unproven { .. })));
    }
    assert_eq!(fetches(&world), 3);
}

// R-04
#[tokio::test]
async fn a_withdrawn_key_counts_no_longer_than_a_copy_is_kept() {
    let world = World::new().await;
    let bank = world.seen_bank();
    created(&world, &bank, Seal::Good).await.unwrap();
    world.bank.publishes(&[("bank-2", &key())]);
    world.clock.advance(Duration::from_secs(3599));
    created(&world, &bank, Seal::Good).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    let withdrawn = created(&world, &bank, Seal::Good).await;
    assert!(matches!(withdrawn, Err(Error::Unproven { .. })));
}

// R-04
#[tokio::test]
async fn the_last_copy_outlives_an_outage_of_the_key_server_up_to_a_limit() {
    let world = World::new().await;
    let bank = world.seen_bank();
    created(&world, &bank, Seal::Good).await.unwrap();
    world.bank.hides_keys();
    world.clock.advance(Duration::from_secs(2 * 3600));
    for _ in 0..3 {
        created(&world, &bank, Seal::Good).await.unwrap();
    }
    assert_eq!(fetches(&world), 2);
    world.clock.advance(Duration::from_secs(22 * 3600));
    let outage = created(&world, &bank, Seal::Good).await;
    let Err(Error::Unproven { fault, .. }) = outage else {
        panic!("{outage:?}");
    };
    assert!(matches!(fault, SignatureFault::Keys(_)), "{fault}");
    world.bank.publishes(&[(KID, &world.bank.key)]);
    created(&world, &bank, Seal::Good).await.unwrap();
}
