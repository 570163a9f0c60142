//! Connections that are kept, and with whom they are never shared.

use std::time::Duration;

use futures_util::future::join_all;
use oyez_delivery::{Post, Posted};
use oyez_domain::address::Policy;
use oyez_outbound::{Proxy, Resolution};
use oyez_testkit::endpoint::{Behaviour, Greeting};
use tokio::time::timeout;

use super::world::{PATH, World, believing, letter};

const HANGING: &str = "/hanging/v4.0/event-notifications";

// D-11
#[tokio::test]
async fn a_connection_carries_one_letter_after_the_other() {
    let world = World::new().await;
    for _ in 0..10 {
        assert_eq!(world.answered(world.acme()).await.status, 202);
    }
    assert_eq!(world.endpoint.connections(), 1);
}

// D-01, D-11
#[tokio::test]
async fn http_2_is_spoken_with_who_offers_it_and_says_the_same() {
    let world = World::new().await;
    world.answered(world.acme()).await;
    world.endpoint.greet(Greeting::TlsAndHttp2);
    world.endpoint.break_off();
    world.answered(world.acme()).await;
    join_all((0..20).map(|_| world.answered(world.acme()))).await;
    assert_eq!(world.endpoint.connections(), 2);
    let seen = world.endpoint.seen();
    let [first, second] = [&seen[0], &seen[1]];
    for name in [
        "accept",
        "content-type",
        "user-agent",
        "x-fapi-financial-id",
        "x-fapi-interaction-id",
    ] {
        assert!(first.header(name).is_some(), "{name}");
        assert_eq!(first.header(name), second.header(name), "{name}");
    }
    assert_eq!((&first.path, &first.body), (&second.path, &second.body));
}

// D-11
#[tokio::test]
async fn as_many_connections_are_kept_as_letters_were_under_way() {
    let world = World::new().await;
    let late = Behaviour::status(202).late(Duration::from_millis(300));
    world.endpoint.behave(PATH, late);
    for _ in 0..2 {
        let posts = (0..20).map(|_| world.answered(world.acme()));
        join_all(posts).await;
    }
    assert_eq!(world.endpoint.connections(), 20);
}

// D-09
#[tokio::test]
async fn what_one_tpp_does_to_its_letters_is_not_felt_by_another_at_the_same_host() {
    let world = World::new().await;
    world.endpoint.behave(HANGING, Behaviour::Silence);
    let hanging = (0..300).map(|_| world.post(world.tpp("hostile", HANGING)));
    let healthy = async {
        world.endpoint.until_count(HANGING, 300).await;
        for _ in 0..10 {
            assert_eq!(world.answered(world.acme()).await.status, 202);
        }
    };
    tokio::select! {
        _ = join_all(hanging) => panic!("nothing answers them"),
        () = healthy => {}
    }
    assert_eq!(world.endpoint.connections(), 301);
}

// D-09, D-11
#[tokio::test]
async fn two_tpps_with_one_endpoint_share_no_connection() {
    let world = World::new().await;
    for name in ["acme", "other", "acme", "other"] {
        world.answered(world.tpp(name, PATH)).await;
    }
    assert_eq!(world.endpoint.connections(), 2);
}

// D-09, D-11
#[tokio::test]
async fn what_is_under_way_ends_on_its_connection_when_the_client_is_replaced() {
    let world = World::new().await;
    let late = Behaviour::status(202).late(Duration::from_millis(300));
    world.endpoint.behave(HANGING, late);
    let under_way = world.postman.post(letter(world.tpp("acme", HANGING)));
    let replaced = async {
        world.endpoint.until_count(HANGING, 1).await;
        world.believe(believing(&world.authority, None));
        world.answered(world.acme()).await;
    };
    let (posted, ()) = tokio::join!(under_way, replaced);
    assert!(matches!(posted, Posted::Answered(reply) if reply.status == 202));
    assert_eq!(world.endpoint.connections(), 2);
}

// D-09, D-11
#[tokio::test]
async fn the_connections_of_a_tpp_that_hears_nothing_any_more_end() {
    let world = World::new().await;
    world.answered(world.acme()).await;
    assert_eq!(world.tracker.len(), 2);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(60)).await;
    // Longer than connections live, but an attempt might have begun late.
    assert_eq!(world.tracker.len(), 2);
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::time::resume();
    let ended = async {
        while world.tracker.len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), ended).await.unwrap();

    world.answered(world.acme()).await;
    world.tracker.close();
    drop(world.postman);
    world.tracker.wait().await;
}

// D-12
#[tokio::test]
async fn an_endpoint_inside_the_bank_is_not_dialled() {
    let world = World::with(|options| options.addresses = Policy::default()).await;
    let failure = world.failed(world.acme()).await;
    assert_eq!(failure.class, "refused-address");
    let told = "no address of the host may be dialled: 127.0.0.1 is loopback";
    assert_eq!(failure.detail, told);
    assert_eq!(failure.peer.address, None);
}

// D-12
#[tokio::test]
async fn where_there_is_a_proxy_there_is_no_other_way_out() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let proxy = Proxy {
        host: "proxy.bank.example".to_owned(),
        port,
        authorization: None,
        resolution: Resolution::Here,
    };
    let world = World::with(|options| options.proxy = Some(proxy)).await;
    assert_eq!(world.failed(world.acme()).await.class, "proxy");
    assert!(world.endpoint.seen().is_empty());
}
