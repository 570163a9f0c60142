//! What becomes of an answer, or of none.

use std::time::Duration;

use oyez_delivery::Reply;
use oyez_outbound::Peer;
use oyez_testkit::endpoint::Behaviour;

use super::world::{PATH, World};

fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Behaviour {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Behaviour::Answer {
        status,
        headers: headers.iter().map(owned).collect(),
        body: body.to_vec(),
    }
}

// D-02, D-05, D-14
#[tokio::test]
async fn a_reply_says_all_that_is_judged_and_kept_of_an_answer() {
    let world = World::new().await;
    let headers = [
        (
            "X-FAPI-Interaction-Id",
            "93bac548-d2de-4546-b106-880a5018460d",
        ),
        // DAWN, and ninety seconds.
        ("retry-after", "Tue, 14 Nov 2023 22:14:50 GMT"),
    ];
    world.endpoint.behave(PATH, answer(503, &headers, b"later"));
    let reply = world.answered(world.acme()).await;
    let Reply {
        status,
        interaction_id,
        retry_after,
        body_head,
        peer,
    } = reply;
    assert_eq!(status, 503);
    let id = interaction_id.as_deref();
    assert_eq!(id, Some("93bac548-d2de-4546-b106-880a5018460d"));
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
    let packed = [&[0x1f, 0x8b, 8, 0][..], &[b'z'; 40_000]].concat();
    let headers = [("content-encoding", "gzip")];
    world.endpoint.behave(PATH, answer(202, &headers, &packed));
    let reply = world.answered(world.acme()).await;
    assert_eq!((reply.status, &*reply.body_head), (202, &packed[..512]));

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
async fn nobody_there_is_a_failure_to_connect() {
    let mut world = World::new().await;
    let acme = world.acme();
    let other = World::new().await;
    let gone = std::mem::replace(&mut world.endpoint, other.endpoint);
    let address = gone.address();
    drop(gone);
    let failure = loop {
        // The port closes when its task has ended.
        let failure = world.failed(acme.clone()).await;
        if failure.class == "connect" {
            break failure;
        }
    };
    let peer = Peer {
        address: Some(address),
        ..Peer::default()
    };
    assert_eq!(failure.peer, peer);
}
