//! Events that are refused: each backs off by itself, until so many are refused that it is the endpoint.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oyez_domain::ids::Jti;
use oyez_domain::ledger::lanes::Health;
use oyez_domain::ledger::push::{Attempt, Verdict};
use oyez_domain::life::{Acknowledged, Outcome};
use oyez_domain::tpp::Overrides;
use oyez_testkit::endpoint::{Behaviour, Manner};
use tokio::time::sleep;

use super::ledger::{outcome, told};
use super::world::{PATH, World};

// D-04, D-07
#[tokio::test]
async fn a_refused_event_becomes_poll_only_and_the_others_flow() {
    let world = World::with(|options| options.retry.retries_max = 3).await;
    let tpp = world.tpp("acme", Behaviour::accept()).await;
    let (first, _) = world.first_attempt(&tpp).await;
    assert_eq!(told(&first), "202: acknowledged");
    let bad: Arc<Mutex<Option<Jti>>> = Arc::default();
    let refused = Arc::clone(&bad);
    tpp.endpoint.behave(
        PATH,
        Manner::by(move |seen| {
            let mut refused = refused.lock().unwrap();
            if *refused.get_or_insert(seen.jti().unwrap()) == seen.jti().unwrap() {
                return Behaviour::status(400);
            }
            Behaviour::accept()
        }),
    );
    world.publish(&tpp, 20).await;
    tpp.endpoint
        .until(PATH, |inbox| inbox.distinct().len() == 21)
        .await;
    let jti = bad.lock().unwrap().unwrap();
    let file = world.until_attempts(jti, 4).await;
    let lines: Vec<_> = file.attempts.iter().map(told).collect();
    assert_eq!(lines, ["400: refused"; 4]);
    assert_eq!(outcome(&file), None);
    assert_eq!(world.health(&tpp).await, Health::Responsive);
    let polled = world.poll(&tpp, &[]).await;
    assert_eq!(polled, [(jti, file.sets[0].set.clone())]);
    world.poll(&tpp, &[jti]).await;
    let file = world.until_settled(jti).await;
    let by_poll = Some(Outcome::Acknowledged(Acknowledged::Poll));
    assert_eq!(outcome(&file), by_poll);
}

// D-07
#[tokio::test]
async fn a_poll_only_event_is_pushed_again_after_a_put_or_by_an_operator() {
    let world = World::with(|options| options.retry.retries_max = 1).await;
    for way in ["put", "operator"] {
        let tpp = world.tpp(way, Behaviour::status(422)).await;
        let (first, _) = world.first_attempt(&tpp).await;
        let file = world.until_attempts(first.jti, 2).await;
        let again_at = |it: &Attempt| match it.verdict {
            Verdict::Refused { again_at } => again_at.is_some(),
            other => panic!("{other:?}"),
        };
        let goes_on: Vec<_> = file.attempts.iter().map(again_at).collect();
        assert_eq!(goes_on, [true, false]);
        tpp.endpoint.behave(PATH, Behaviour::accept());
        // Two sweeps of the node, in which nothing happens.
        sleep(Duration::from_secs(2)).await;
        assert_eq!(tpp.endpoint.count(PATH), 2);
        match way {
            "put" => world.put(&tpp).await,
            _ => world.resume(&tpp).await,
        }
        let file = world.until_settled(first.jti).await;
        let by_push = Some(Outcome::Acknowledged(Acknowledged::Push));
        assert_eq!(outcome(&file), by_push);
        assert!(tpp.inbox().differing().is_empty());
    }
}

// D-04
#[tokio::test]
async fn three_refusals_of_different_events_in_a_row_are_an_outage() {
    let world = World::of_one_attempt().await;
    let one_at_once = Overrides {
        pushes_at_once_max: NonZeroU32::new(1),
        ..Overrides::default()
    };
    let refusal = Behaviour::status(400);
    let tpp = world.tpp_with("acme", refusal, one_at_once).await;
    world.publish(&tpp, 20).await;
    let failing = |it: &Health| matches!(it, Health::Failing { .. });
    world.until_health(&tpp, failing).await;
    assert_eq!(tpp.endpoint.count(PATH), 3);
    assert_eq!(world.counts(&tpp).await.outstanding, 20);
}
