//! Heads that are too long, too many, too slow or none at all.

use oyez_web::listener::Bounds;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};

use super::world::{BLINK, PATIENCE, World, ask_kept, rest, send};

#[tokio::test]
async fn a_head_beyond_the_bound_is_431() {
    let world = World::plain(Bounds::default()).await;
    for length in [40 * 1024, 1024 * 1024] {
        let mut stream = world.connect().await;
        let long = "a".repeat(length);
        let head = format!("GET /who HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n");
        send(&mut stream, &head).await;
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    world.serves_others().await;
}

#[tokio::test]
async fn a_head_within_the_bound_is_taken() {
    let world = World::plain(Bounds::default()).await;
    let mut stream = world.connect().await;
    let line = format!("GET /who HTTP/1.1\r\nX-Long: {}", "a".repeat(31 * 1024));
    let answer = ask_kept(&mut stream, &line).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn more_fields_than_the_bound_are_431() {
    let world = World::plain(Bounds::default()).await;
    for (number, status) in [(64, "200"), (65, "431")] {
        let mut stream = world.connect().await;
        let fields: String = (2..number).map(|n| format!("\r\nX-{n}: 1")).collect();
        let head = format!("GET /who HTTP/1.1{fields}\r\nHost: x\r\nConnection: close\r\n\r\n");
        send(&mut stream, &head).await;
        let answer = rest(&mut stream).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn garbage_behind_a_request_is_400_after_its_answer() {
    let world = World::plain(Bounds::default()).await;
    let mut stream = world.connect().await;
    let request = "GET /who HTTP/1.1\r\nHost: x\r\n\r\n";
    send(&mut stream, &format!("{request}\u{0}\u{1}garbage\r\n\r\n")).await;
    let answers = rest(&mut stream).await;
    assert!(answers.starts_with("HTTP/1.1 200"), "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 400").count(), 1, "{answers}");
    world.serves_others().await;
}

#[tokio::test]
async fn a_head_that_drips_is_cut() {
    let bounds = Bounds {
        head_timeout: BLINK,
        ..Bounds::default()
    };
    let world = World::plain(bounds).await;
    // The second head of a connection is watched like the first.
    for earlier in [0, 1] {
        let mut stream = world.connect().await;
        for _ in 0..earlier {
            ask_kept(&mut stream, "GET /who HTTP/1.1").await;
        }
        let dripping = async {
            send(&mut stream, "GET /who HTTP/1.1\r\nX: ").await;
            while stream.write_all(b"a").await.is_ok() {
                world.serves_others().await;
                sleep(BLINK / 10).await;
            }
        };
        timeout(PATIENCE, dripping).await.expect("it is cut");
    }
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let bounds = Bounds {
        idle_timeout: BLINK,
        ..Bounds::default()
    };
    let world = World::plain(bounds).await;
    let mut silent = world.connect().await;
    assert_eq!(rest(&mut silent).await, "");
    let mut idle = world.connect().await;
    ask_kept(&mut idle, "GET /who HTTP/1.1").await;
    assert_eq!(rest(&mut idle).await, "");
}

#[tokio::test]
async fn an_idle_connection_outlives_the_bound_of_heads() {
    let bounds = Bounds {
        head_timeout: BLINK,
        ..Bounds::default()
    };
    let world = World::plain(bounds).await;
    let mut stream = world.connect().await;
    for _ in 0..2 {
        sleep(BLINK * 2).await;
        let answer = ask_kept(&mut stream, "GET /who HTTP/1.1").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}
