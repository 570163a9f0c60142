//! How many at once, and how slow a client may be with bodies.

use std::time::Duration;

use hyper::StatusCode;
use oyez_web::listener::{Bounds, Pace};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::certificates::Authority;
use super::disconnect::{get, http2};
use super::world::{BLINK, PATIENCE, World, ask_kept, one, rest, send};

/// A blink, and then as fast as nobody is.
const IMPATIENT: Pace = Pace {
    grace: BLINK,
    bytes_per_second: u32::MAX,
};

#[tokio::test]
async fn connections_beyond_the_bound_are_turned_away_until_one_leaves() {
    let in_all = Bounds {
        connections_max: 2,
        ..Bounds::default()
    };
    let per_address = Bounds {
        connections_per_address_max: Some(2),
        ..Bounds::default()
    };
    for bounds in [in_all, per_address] {
        let world = World::plain(bounds).await;
        let mut first = world.connect().await;
        let mut second = world.connect().await;
        for kept in [&mut first, &mut second] {
            ask_kept(kept, "GET /who HTTP/1.1").await;
        }
        assert_eq!(rest(&mut world.connect().await).await, "");
        ask_kept(&mut first, "GET /who HTTP/1.1").await;
        drop(second);
        timeout(PATIENCE, async {
            while !is_served(&mut world.connect().await).await {}
        })
        .await
        .expect("a place is free");
    }
}

async fn is_served(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 12];
    let request = b"GET /who HTTP/1.1\r\nHost: x\r\n\r\n";
    let sent = stream.write_all(request).await;
    sent.is_ok() && stream.read_exact(&mut answer).await.is_ok()
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_cut() {
    let authority = Authority::new();
    let bounds = Bounds {
        handshake_timeout: BLINK,
        ..Bounds::default()
    };
    let server = authority.certify("the bank");
    let world = World::secure(authority.tls(&server), bounds).await;
    assert_eq!(rest(&mut world.connect().await).await, "");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let bounds = Bounds {
        body_pace: IMPATIENT,
        ..Bounds::default()
    };
    let world = World::plain(bounds).await;
    let mut stream = world.connect().await;
    send(
        &mut stream,
        "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
    )
    .await;
    let answer = one(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    world.serves_others().await;
}

#[tokio::test]
async fn a_body_that_keeps_its_pace_is_read_to_the_end() {
    let bounds = Bounds {
        body_pace: Pace {
            grace: Duration::from_secs(1),
            bytes_per_second: 1,
        },
        ..Bounds::default()
    };
    let world = World::plain(bounds).await;
    let mut stream = world.connect().await;
    send(
        &mut stream,
        "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
    )
    .await;
    for part in ["abc", "def", "ghi"] {
        sleep(Duration::from_millis(500)).await;
        send(&mut stream, part).await;
    }
    let answer = one(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with('9'),
        "{answer}"
    );
}

// G-07
#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let world = World::plain(Bounds::default()).await;
    let mut stream = world.connect().await;
    let length = 3 << 20;
    let head = format!("POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    send(&mut stream, &head).await;
    send(&mut stream, &"x".repeat(length)).await;
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_not_kept() {
    let bounds = Bounds {
        answer_pace: IMPATIENT,
        ..Bounds::default()
    };
    let world = World::plain(bounds).await;
    let mut stream = world.connect().await;
    send(&mut stream, "GET /zeros HTTP/1.1\r\nHost: x\r\n\r\n").await;
    world.holds(1).await;
    world.serves_others().await;
    world.holds(0).await;
}

#[tokio::test]
async fn an_answer_that_is_read_is_given_to_the_end() {
    let world = World::plain(Bounds::default()).await;
    let mut stream = world.connect().await;
    send(
        &mut stream,
        "GET /zeros HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(rest(&mut stream).await.len() > 64 << 20);
    world.holds(0).await;
}

#[tokio::test(flavor = "local")]
async fn an_answer_without_a_window_is_not_kept() {
    let authority = Authority::new();
    let bounds = Bounds {
        answer_pace: IMPATIENT,
        ..Bounds::default()
    };
    let server = authority.certify("the bank");
    let world = World::secure(authority.tls(&server), bounds).await;
    let mut client = http2(&world, &authority).await;
    let answer = client.send_request(get("/zeros")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    world.holds(1).await;
    // Its body is not read, so the window stays shut, while the connection is alive and well.
    world.holds(0).await;
    drop(answer);
}
