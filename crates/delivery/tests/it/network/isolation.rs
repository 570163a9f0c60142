//! No TPP is in another's way.

use std::time::Duration;

use oyez_testkit::endpoint::{Behaviour, Flaw, Greeting};

use super::world::{PATH, Tpp, World};

const EVENTS: usize = 40;

/// So many events for each, all at once.
async fn publish_to_all(world: &World, tpps: &[&Tpp]) {
    for tpp in tpps {
        world.publish(tpp, EVENTS).await;
    }
}

// D-09
#[tokio::test]
async fn dead_slow_and_hostile_endpoints_do_not_delay_a_healthy_one() {
    // Whoever waited for one of the others would wait for longer than this test's patience.
    let world = World::with(|options| options.attempt_time_max = Duration::from_secs(300)).await;
    let dead = world.tpp("dead", Behaviour::accept()).await;
    dead.endpoint.go_down().await;
    let slow = world
        .tpp("slow", Behaviour::accept().late(Duration::from_secs(300)))
        .await;
    let hostile = world
        .tpp("hostile", Behaviour::BadBody(500, Flaw::Endless))
        .await;
    let dripping = world
        .tpp("dripping", Behaviour::SlowHead(Duration::from_secs(60)))
        .await;
    let mute = world.tpp("mute", Behaviour::accept()).await;
    mute.endpoint.greet(Greeting::Silence);
    let bad = [&dead, &slow, &hostile, &dripping, &mute];
    let healthy = world.tpp("healthy", Behaviour::accept()).await;
    publish_to_all(&world, &bad).await;
    slow.endpoint.until_count(PATH, 1).await;
    dripping.endpoint.until_count(PATH, 1).await;
    mute.endpoint.until_connections(1).await;
    publish_to_all(&world, &[&healthy]).await;
    let counts = world.until_all_settled(&healthy).await;
    assert_eq!(counts.acknowledged, EVENTS as u64);
    for tpp in bad {
        let counts = world.counts(tpp).await;
        assert_eq!(counts.outstanding, EVENTS as u64, "{}", tpp.client_id);
        // Nor does any of them get more than its share of sockets (D-09).
        assert!(tpp.endpoint.connections_open() <= 8, "{}", tpp.client_id);
    }
}

// D-09, D-11
#[tokio::test]
async fn two_tpps_at_one_endpoint_share_no_connection() {
    let world = World::start().await;
    for greeting in [Greeting::Tls, Greeting::TlsAndHttp2] {
        let host = world
            .tpp(
                &format!("host-{greeting:?}").to_lowercase(),
                Behaviour::accept(),
            )
            .await;
        host.endpoint.greet(greeting);
        let guest = world
            .guest(
                &format!("guest-{greeting:?}").to_lowercase(),
                &host,
                "/guest",
            )
            .await;
        host.endpoint.behave("/guest", Behaviour::accept());
        for _ in 0..EVENTS {
            world.publish(&host, 1).await;
            world.publish(&guest, 1).await;
        }
        host.endpoint.until_count(PATH, EVENTS).await;
        host.endpoint.until_count("/guest", EVENTS).await;
        let of_host = host.inbox().connections();
        let of_guest = guest.inbox().connections();
        assert!(of_host.is_disjoint(&of_guest), "{of_host:?} {of_guest:?}");
        assert!(of_host.len() <= 8 && of_guest.len() <= 8);
    }
}
