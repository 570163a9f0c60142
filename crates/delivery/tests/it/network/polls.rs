//! Pushing and polling share one ledger.

use std::time::Duration;

use oyez_domain::ledger::lanes::Health;
use oyez_domain::life::{Acknowledged, Outcome};
use oyez_testkit::endpoint::{Behaviour, Manner};

use super::ledger::outcome;
use super::world::{PATH, World};

// P-09, P-14
#[tokio::test]
async fn a_set_has_the_same_bytes_in_every_push_retry_and_poll() {
    let world = World::start().await;
    let steps = [(3, Behaviour::status(500)), (1, Behaviour::HangUp)];
    let manner = Manner::steps(steps, Behaviour::status(503));
    let tpp = world.tpp("acme", manner).await;
    let [jti] = world.publish(&tpp, 1).await[..] else {
        unreachable!("one was published");
    };
    world.until_attempts(jti, 5).await;
    let polled = world.poll(&tpp, &[]).await;
    let [(polled, set)] = &polled[..] else {
        panic!("a backoff hides nothing from polls");
    };
    assert_eq!(*polled, jti);
    let inbox = tpp.inbox();
    assert!(inbox.of(&jti).len() >= 5);
    assert!(
        inbox
            .of(&jti)
            .iter()
            .all(|seen| seen.body == set.as_bytes())
    );
    assert_eq!(world.bank.event(jti).await.sets.len(), 1);
    world.poll(&tpp, &[jti]).await;
}

// P-11
#[tokio::test]
async fn what_was_acknowledged_by_a_push_is_settled_for_polls() {
    let world = World::start().await;
    let tpp = world.tpp("acme", Behaviour::accept()).await;
    world.publish(&tpp, 10).await;
    world.until_all_settled(&tpp).await;
    assert!(world.poll(&tpp, &[]).await.is_empty());
}

// P-11, P-14
#[tokio::test]
async fn what_was_acknowledged_by_a_poll_is_not_pushed_any_more() {
    let world = World::start().await;
    let tpp = world.tpp("acme", Behaviour::accept()).await;
    tpp.endpoint.go_down().await;
    let jtis = world.publish(&tpp, 10).await;
    let failing = |it: &Health| matches!(it, Health::Failing { failures: 2.., .. });
    world.until_health(&tpp, failing).await;
    let (acked, kept) = jtis.split_at(6);
    world.poll(&tpp, acked).await;
    // What that poll handed out is the poll's for a while (P-14): the TPP says that it did not mean it.
    let by_poll = Some(Outcome::Acknowledged(Acknowledged::Poll));
    for jti in acked {
        assert_eq!(outcome(&world.bank.event(*jti).await), by_poll);
    }
    world.bank.clock().advance(Duration::from_secs(61));
    tpp.endpoint.come_up().await;
    world.until_all_settled(&tpp).await;
    assert_eq!(*tpp.inbox().accepted(), kept.iter().copied().collect());
    assert_eq!(tpp.inbox().jtis().len(), kept.len());
}

// P-14, D-14
#[tokio::test]
async fn a_202_that_comes_after_the_polls_ack_is_recorded_and_changes_nothing() {
    let world = World::start().await;
    let tpp = world
        .tpp("acme", Behaviour::accept().late(Duration::from_millis(500)))
        .await;
    let [jti] = world.publish(&tpp, 1).await[..] else {
        unreachable!("one was published");
    };
    tpp.endpoint.until_count(PATH, 1).await;
    world.poll(&tpp, &[jti]).await;
    let file = world.until_attempts(jti, 1).await;
    let by_poll = Some(Outcome::Acknowledged(Acknowledged::Poll));
    assert_eq!(outcome(&file), by_poll);
    assert_eq!(file.settlements.len(), 1);
    assert_eq!(tpp.endpoint.count(PATH), 1);
}
