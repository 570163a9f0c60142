//! How many at once, and how slow a client may be with bodies.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use hyper::body::Frame;
use hyper::{Request, StatusCode};
use oyez_web::listener::{Bounds, Pace};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};

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
        assert!(world.counts("connections", 2));
        assert_eq!(rest(&mut world.connect().await).await, "");
        assert!(world.counts("connections_turned_away_total", 1));
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

/// A body of two bytes, the second of which comes late.
struct Late {
    pause: Option<Pin<Box<Sleep>>>,
    is_sent: Arc<AtomicBool>,
}

impl HttpBody for Late {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let byte = || Some(Ok(Frame::data(Bytes::from_static(b"x"))));
        if self.is_sent.load(Ordering::Relaxed) {
            return Poll::Ready(None);
        }
        match &mut self.pause {
            None => {
                self.pause = Some(Box::pin(sleep(BLINK)));
                Poll::Ready(byte())
            }
            Some(pause) => {
                ready!(pause.as_mut().poll(cx));
                self.is_sent.store(true, Ordering::Relaxed);
                Poll::Ready(byte())
            }
        }
    }
}

// G-02
#[tokio::test(flavor = "local")]
async fn on_http_2_a_refusal_waits_for_the_little_that_nobody_reads() {
    let authority = Authority::new();
    let server = authority.certify("the bank");
    let world = World::secure(authority.tls(&server), Bounds::default()).await;
    let mut client = http2(&world, &authority).await;
    for (bytes, is_taken) in [(2_u32, true), (1 << 20, false)] {
        let is_sent = Arc::new(AtomicBool::new(false));
        let body = Late {
            pause: None,
            is_sent: Arc::clone(&is_sent),
        };
        let request = Request::post("https://localhost/refuse").header("content-length", bytes);
        let answer = client.send_request(request.body(body).unwrap()).await;
        assert_eq!(answer.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
        // Otherwise the stream would be reset, and some clients lose the answer with it.
        assert_eq!(is_sent.load(Ordering::Relaxed), is_taken, "{bytes}");
    }
}
