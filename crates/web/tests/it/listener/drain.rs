//! How a listener ends, and how a connection grows old.

use std::time::Duration;

use http_body_util::BodyExt as _;
use oyez_web::listener::Bounds;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::certificates::Authority;
use super::disconnect::{get, http2};
use super::tls::{Client, secured};
use super::world::{BLINK, PATIENCE, World, ask, ask_kept, rest, send};

#[tokio::test]
async fn a_drain_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let mut world = World::plain(Bounds::default()).await;
    let mut idle = world.connect().await;
    ask_kept(&mut idle, "GET /who HTTP/1.1").await;
    let mut fresh = world.connect().await;
    let mut busy = world.connect().await;
    send(&mut busy, "GET /gate HTTP/1.1\r\nHost: x\r\n\r\n").await;
    world.holds(1).await;

    world.stop.cancel();
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(rest(&mut fresh).await, "");
    timeout(PATIENCE, async {
        while TcpStream::connect(world.address).await.is_ok() {}
    })
    .await
    .expect("the door is shut");
    assert!(!world.serving.is_finished());

    world.gate.add_permits(1);
    let answer = rest(&mut busy).await;
    assert!(
        answer.contains("200 OK") && answer.ends_with("through"),
        "{answer}"
    );
    assert!(answer.contains("connection: close"), "{answer}");
    timeout(PATIENCE, &mut world.serving)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "local")]
async fn a_drain_finishes_http_2_requests_and_takes_no_more() {
    let authority = Authority::new();
    let server = authority.certify("the bank");
    let mut world = World::secure(authority.tls(&server), Bounds::default()).await;
    let mut client = http2(&world, &authority).await;
    let request = tokio::task::spawn_local(client.send_request(get("/gate")));
    world.holds(1).await;

    world.stop.cancel();
    // It still answers what it has, not what comes.
    timeout(PATIENCE, async {
        while client.send_request(get("/who")).await.is_ok() {}
    })
    .await
    .expect("it takes no more");
    world.gate.add_permits(1);
    let answer = request.await.unwrap().unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "through");
    timeout(PATIENCE, &mut world.serving)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn whoever_has_connected_when_the_listener_closes_is_answered_once() {
    let mut world = World::plain(Bounds::default()).await;
    let mut taken = world.connect().await;
    // Connected by the kernel: whether the listener has taken it yet is anybody's guess.
    let mut queued = Vec::new();
    for _ in 0..50 {
        queued.push(world.connect().await);
    }
    world.stop.cancel();
    send(&mut taken, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n").await;
    for stream in &mut queued {
        send(stream, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n").await;
    }
    queued.push(taken);
    for stream in &mut queued {
        let answer = rest(stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    timeout(PATIENCE, &mut world.serving)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn whoever_is_in_a_handshake_when_the_listener_closes_is_answered_once() {
    let authority = Authority::new();
    let server = authority.certify("the bank");
    let world = World::secure(authority.tls(&server), Bounds::default()).await;
    let stream = world.connect().await;
    world.stop.cancel();
    let config = Client::new(&authority, None).config();
    let mut stream = secured(stream, &config).await.unwrap();
    let answer = ask(&mut stream, "GET /who HTTP/1.1").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
}

#[tokio::test]
async fn a_drain_does_not_wait_long_for_handshakes() {
    let authority = Authority::new();
    let server = authority.certify("the bank");
    let bounds = Bounds {
        handshake_timeout: Duration::from_secs(3_600),
        ..Bounds::default()
    };
    let mut world = World::secure(authority.tls(&server), bounds).await;
    let mut mute = world.connect().await;
    world.stop.cancel();
    assert_eq!(rest(&mut mute).await, "");
    timeout(PATIENCE, &mut world.serving)
        .await
        .unwrap()
        .unwrap();
}

//
#[tokio::test]
async fn a_connection_grows_old_and_finishes_what_it_has() {
    let bounds = Bounds {
        age_max: BLINK,
        ..Bounds::default()
    };
    let world = World::plain(bounds).await;
    let mut stream = at_the_gate(&world).await;
    sleep(BLINK * 2).await;
    world.gate.add_permits(1);
    let answer = rest(&mut stream).await;
    assert!(
        answer.contains("connection: close") && answer.ends_with("through"),
        "{answer}"
    );
}

/// A connection whose request waits at the gate. On a busy machine some are too old for a request before it is read.
async fn at_the_gate(world: &World) -> TcpStream {
    loop {
        let mut stream = world.connect().await;
        let request = b"GET /gate HTTP/1.1\r\nHost: x\r\n\r\n";
        let sent = stream.write_all(request).await;
        let mut nothing = [0];
        tokio::select! {
            () = world.holds(1), if sent.is_ok() => return stream,
            _ = stream.peek(&mut nothing) => {}
        }
    }
}
