//! Everything below HTTP, and HTTP that is none: the endpoint's failure, with its kind in the record.

use std::time::Duration;

use oyez_domain::ledger::lanes::{Health, LaneFilter};
use oyez_domain::ledger::push::{Answer, Attempt};
use oyez_testkit::certificates::Authority;
use oyez_testkit::endpoint::{Behaviour, Greeting};

use super::ledger::{outcome, told};
use super::world::{PATH, Tpp, World};

/// Publishes one event, sees it fail in the endpoint's way, and answers with the record and its words.
async fn failed(world: &World, tpp: &Tpp) -> (Attempt, String) {
    let (attempt, file) = world.first_attempt(tpp).await;
    assert_eq!(outcome(&file), None);
    let is_failing = |it: &Health| matches!(it, Health::Failing { failures: 1, .. });
    world.until_health(tpp, is_failing).await;
    match &attempt.answer {
        Answer::Error { detail, .. } => (attempt.clone(), detail.clone()),
        answer @ Answer::Response { .. } => panic!("{answer:?}"),
    }
}

/// A first step that outlasts the test, and attempts that do not.
async fn impatient() -> World {
    World::with(|options| {
        options.attempt_time_max = Duration::from_secs(1);
        options.retry.base = Duration::from_secs(3_600);
        options.retry.ceiling = options.retry.base;
        options.retry.window = options.retry.base * 24;
    })
    .await
}

// D-03, D-11, D-14
#[tokio::test]
async fn answers_that_are_too_slow_too_long_or_no_http() {
    let world = impatient().await;
    let late = Behaviour::accept().late(Duration::from_secs(60));
    for (name, behaviour, class) in [
        (
            "slow",
            Behaviour::SlowHead(Duration::from_millis(100)),
            "timeout",
        ),
        ("late", late, "timeout"),
        ("silent", Behaviour::Silence, "timeout"),
        ("endless", Behaviour::EndlessHead, "too-large"),
        (
            "garbage",
            Behaviour::Garbage(b"SSH-2.0".to_vec()),
            "protocol",
        ),
        ("hang-up", Behaviour::HangUp, "protocol"),
        ("reset", Behaviour::Reset, "protocol"),
    ] {
        let tpp = world.tpp(name, behaviour).await;
        let (attempt, _) = failed(&world, &tpp).await;
        assert_eq!(
            told(&attempt),
            format!("{class}: endpoint failed"),
            "{name}"
        );
        assert_eq!(attempt.peer.address, Some(tpp.endpoint.address()));
        assert!(attempt.peer.certificate_thumbprint.is_some());
        assert_eq!(tpp.inbox().jtis(), [attempt.jti], "{name}");
    }
}

// D-03, D-13, D-14
#[tokio::test]
async fn certificates_that_are_not_to_be_believed() {
    let world = impatient().await;
    let authority = world.authority();
    for (name, certified, why) in [
        (
            "other-host",
            authority.server_of_another_host("other.example"),
            "not valid for name",
        ),
        (
            "expired",
            authority.expired_server(&["expired.example"]),
            "expired",
        ),
        (
            "early",
            authority.future_server(&["early.example"]),
            "not valid yet",
        ),
        (
            "unknown",
            Authority::new("nobody").server(&["unknown.example"]),
            "UnknownIssuer",
        ),
    ] {
        let tpp = world.tpp(name, Behaviour::accept()).await;
        tpp.endpoint.show(&certified);
        let (attempt, detail) = failed(&world, &tpp).await;
        assert_eq!(told(&attempt), "tls: endpoint failed");
        assert!(detail.contains(why), "{detail}");
        assert_eq!(attempt.peer.address, Some(tpp.endpoint.address()));
        assert!(tpp.inbox().arrivals().is_empty());
    }
}

// D-03, D-13
#[tokio::test]
async fn handshakes_that_are_too_old_in_the_clear_broken_or_silent() {
    let world = impatient().await;
    for (name, greeting, class) in [
        ("tls-1-1", Greeting::Tls11, "tls"),
        ("plain", Greeting::Plain, "tls"),
        ("reset", Greeting::Reset, "tls"),
        ("silent", Greeting::Silence, "timeout"),
    ] {
        let tpp = world.tpp(name, Behaviour::accept()).await;
        tpp.endpoint.greet(greeting);
        let (attempt, _) = failed(&world, &tpp).await;
        assert_eq!(
            told(&attempt),
            format!("{class}: endpoint failed"),
            "{name}"
        );
        assert_eq!(attempt.peer.tls_version, None);
        assert!(tpp.inbox().arrivals().is_empty());
    }
}

// D-03, D-14
#[tokio::test]
async fn nobody_listens() {
    let world = impatient().await;
    let tpp = world.tpp("acme", Behaviour::accept()).await;
    tpp.endpoint.go_down().await;
    let (attempt, _) = failed(&world, &tpp).await;
    assert_eq!(told(&attempt), "connect: endpoint failed");
    assert_eq!(attempt.peer.address, Some(tpp.endpoint.address()));
}

// D-12
#[tokio::test]
async fn a_name_that_comes_to_mean_another_address_is_not_dialled_there() {
    let world = impatient().await;
    let tpp = world.tpp("acme", Behaviour::accept().and_close()).await;
    let (first, second) = ("127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap());
    let names = world.bank.names();
    names.explain_in_turn("acme.example", &[&[first], &[second]]);
    let (attempt, _) = world.first_attempt(&tpp).await;
    assert_eq!(told(&attempt), "202: acknowledged");
    tpp.endpoint.until_alone().await;
    let (attempt, _) = failed(&world, &tpp).await;
    assert_eq!(told(&attempt), "refused-address: endpoint failed");
    assert_eq!(attempt.peer.address, None);
    assert_eq!(tpp.endpoint.count(PATH), 1);
}

// D-11
#[tokio::test]
async fn http_2_is_spoken_where_the_endpoint_does_and_shares_one_connection() {
    let world = World::start().await;
    let tpp = world.tpp("acme", Behaviour::accept()).await;
    tpp.endpoint.greet(Greeting::TlsAndHttp2);
    // Those that find no connection all open one: the first goes alone.
    for events in [1, 49] {
        world.publish(&tpp, events).await;
        world.until_all_settled(&tpp).await;
    }
    let inbox = tpp.inbox();
    let heads = inbox.arrivals().iter().map(|seen| seen.head.lines().next());
    let is_http_2 = |line: &Option<&str>| line.is_some_and(|line| line.ends_with("HTTP/2"));
    assert_eq!(heads.filter(is_http_2).count(), 50);
    assert_eq!(tpp.endpoint.connections(), 1);
}

mod slow {
    use super::*;
    use crate::network::ledger::until;

    // D-11
    #[tokio::test]
    async fn a_trickle_of_events_keeps_its_connection_though_its_lane_comes_and_goes() {
        let world = World::start().await;
        let tpp = world.tpp("acme", Behaviour::accept()).await;
        for _ in 0..2 {
            world.publish(&tpp, 1).await;
            world.until_all_settled(&tpp).await;
            until(async || {
                let lanes = world.store().list_lanes(LaneFilter::default(), None, 9);
                let lanes = lanes.await.unwrap().rows;
                lanes.iter().all(|lane| lane.owner.is_none()).then_some(())
            })
            .await;
        }
        assert_eq!(tpp.inbox().arrivals().len(), 2);
        assert_eq!(tpp.endpoint.connections(), 1);
    }
}
