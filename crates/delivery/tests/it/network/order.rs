//! In which order events leave.

use std::num::NonZeroU32;

use oyez_domain::tpp::{DeliveryOrder, Overrides};
use oyez_testkit::endpoint::{Behaviour, Manner};

use super::world::{PATH, World};

// D-10
#[tokio::test]
async fn in_strict_order_the_next_waits_until_the_one_before_is_settled() {
    let world = World::start().await;
    let steps = [
        (2, Behaviour::accept()),
        (3, Behaviour::status(500)),
        (1, Behaviour::accept()),
        (2, Behaviour::status(400)),
    ];
    let manner = Manner::steps(steps, Behaviour::accept());
    let strict = Overrides {
        delivery_order: Some(DeliveryOrder::Strict),
        ..Overrides::default()
    };
    let tpp = world.tpp_with("acme", manner, strict).await;
    let jtis = world.publish(&tpp, 6).await;
    world.until_all_settled(&tpp).await;
    let [a, b, c, d, e, f] = jtis[..] else {
        unreachable!("six were published");
    };
    assert_eq!(tpp.inbox().jtis(), [a, b, c, c, c, c, d, d, d, e, f]);
    assert_eq!(tpp.endpoint.in_progress_max(), 1);
}

// D-10
#[tokio::test]
async fn where_the_deployment_is_strict_so_is_a_tpp_that_says_nothing() {
    let world = World::with(|options| options.order = DeliveryOrder::Strict).await;
    let manner = Manner::steps([(3, Behaviour::status(500))], Behaviour::accept());
    let tpp = world.tpp_with("acme", manner, Overrides::default()).await;
    let jtis = world.publish(&tpp, 3).await;
    world.until_all_settled(&tpp).await;
    let [a, b, c] = jtis[..] else {
        unreachable!("three were published");
    };
    assert_eq!(tpp.inbox().jtis(), [a, a, a, a, b, c]);
    assert_eq!(tpp.endpoint.in_progress_max(), 1);
}

// D-10
#[tokio::test]
async fn first_attempts_start_in_order_of_acceptance() {
    let world = World::start().await;
    let one_at_once = Overrides {
        pushes_at_once_max: NonZeroU32::new(1),
        ..Overrides::default()
    };
    for (name, overrides) in [("one", one_at_once), ("many", Overrides::default())] {
        let tpp = world.tpp_with(name, Behaviour::accept(), overrides).await;
        let jtis = world.publish(&tpp, 150).await;
        world.until_all_settled(&tpp).await;
        let mut before = None;
        for jti in &jtis {
            let started_at = world.bank.event(*jti).await.attempts[0].started_at;
            assert!(before <= Some(started_at), "{jti} overtook");
            before = Some(started_at);
        }
        if name == "one" {
            assert_eq!(tpp.inbox().jtis(), jtis);
        }
    }
}

// D-08, D-10
#[tokio::test]
async fn a_node_that_stops_ends_what_it_began_and_the_next_goes_on_where_it_was() {
    let mut world = World::start().await;
    let slowly = Behaviour::accept().late(std::time::Duration::from_millis(50));
    let tpp = world.tpp("acme", slowly).await;
    let jtis = world.publish(&tpp, 60).await;
    tpp.endpoint.until_count(PATH, 20).await;
    world.stop().await;
    let sent = tpp.inbox();
    let counts = world.counts(&tpp).await;
    assert_eq!(counts.acknowledged, sent.arrivals().len() as u64);
    assert!(counts.outstanding > 0, "it stopped before the end");
    world.run();
    world.until_all_settled(&tpp).await;
    let inbox = tpp.inbox();
    assert_eq!(inbox.jtis().len(), jtis.len(), "each once");
    let later: std::collections::HashSet<_> =
        inbox.distinct()[sent.arrivals().len()..].iter().collect();
    let never_sent = jtis.iter().filter(|jti| sent.of(jti).is_empty());
    assert_eq!(later, never_sent.collect());
}
