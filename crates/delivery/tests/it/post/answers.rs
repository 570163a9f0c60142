//! What becomes of an answer, or of none.

use std::time::Duration;

use oyez_delivery::Reply;
use oyez_outbound::Peer;
use oyez_testkit::endpoint::{Behaviour, Flaw};

use super::world::{INTERACTION_ID, PATH, World};

// D-02, D-05, D-14
#[tokio::test]
async fn a_reply_says_all_that_is_judged_and_kept_of_an_answer() {
    let world = World::new().await;
    // DAWN, and ninety seconds.
    let later = Behaviour::status(503)
        .with_header("retry-after", "Tue, 14 Nov 2023 22:14:50 GMT")
        .with_header("X-FAPI-Interaction-Id", INTERACTION_ID)
        .with_body("later");
    world.endpoint.behave(PATH, later);
    let reply = world.answered(world.acme()).await;
    let Reply {
        status,
        interaction_id,
        retry_after,
        body_head,
        peer,
    } = reply;
    assert_eq!(status, 503);
    assert_eq!(interaction_id.as_deref(), Some(INTERACTION_ID));
    assert_eq!(retry_after, Some(Duration::from_secs(90)));
    assert_eq!(body_head, b"later");
    assert_eq!(peer.address, Some(world.endpoint.address()));
    assert_eq!(peer.tls_version.as_deref(), Some("TLSv1.3"));
    assert_eq!(peer.certificate_thumbprint.map(|hex| hex.len()), Some(64));

    world.endpoint.behave(PATH, Behaviour::status(202));
    let bare = world.answered(world.acme()).await;
    assert_eq!((bare.status, bare.interaction_id), (202, None));
    assert_eq!((bare.retry_after, bare.body_head), (None, Vec::new()));
}

// D-11, D-14
#[tokio::test]
async fn of_a_body_the_first_512_bytes_are_kept_as_they_were_sent() {
    let world = World::new().await;
    let long = [&b"\0\xff<html>"[..], &[b'z'; 40_000]].concat();
    let answer = Behaviour::status(202).with_body(long.clone());
    world.endpoint.behave(PATH, answer);
    let reply = world.answered(world.acme()).await;
    assert_eq!((reply.status, &*reply.body_head), (202, &long[..512]));

    world.endpoint.behave(PATH, Behaviour::bomb(400));
    let reply = world.answered(world.acme()).await;
    let is_packed = reply.body_head.starts_with(&[0x1f, 0x8b]);
    assert_eq!((reply.status, reply.body_head.len()), (400, 512));
    assert!(is_packed);

    let broken = Behaviour::BadBody(202, Flaw::Short);
    world.endpoint.behave(PATH, broken);
    assert_eq!(world.answered(world.acme()).await.status, 202);

    world.endpoint.behave(PATH, Behaviour::status(302));
    assert_eq!(world.answered(world.acme()).await.status, 302);
}

// D-03, D-14
#[tokio::test]
async fn no_answer_is_a_failure_with_a_class_and_a_chain() {
    let world = World::with(|options| options.attempt_time_max = Duration::from_millis(500)).await;
    for (behaviour, class, told) in [
        (
            Behaviour::Silence,
            "timeout",
            "no answer in time: the answer took longer than 500ms",
        ),
        (Behaviour::HangUp, "protocol", "no valid HTTP: "),
    ] {
        world.endpoint.behave(PATH, behaviour);
        let failure = world.failed(world.acme()).await;
        assert_eq!(failure.class, class);
        assert!(failure.detail.starts_with(told), "{}", failure.detail);
        assert_eq!(failure.peer.address, Some(world.endpoint.address()));
    }
}

// D-03, D-14
#[tokio::test]
async fn nobody_there_is_a_failure_to_connect_until_somebody_is() {
    let world = World::new().await;
    world.endpoint.go_down().await;
    let failure = world.failed(world.acme()).await;
    let peer = Peer {
        address: Some(world.endpoint.address()),
        ..Peer::default()
    };
    assert_eq!((failure.class, failure.peer), ("connect", peer));
    world.endpoint.come_up().await;
    assert_eq!(world.answered(world.acme()).await.status, 202);
}
