//! A client that is gone holds nothing.

use std::convert::Infallible;

use axum::body::{Bytes, HttpBody as Body};
use http_body_util::Empty;
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use oyez_web::listener::Bounds;
use tokio::io::AsyncWriteExt as _;

use super::certificates::Authority;
use super::tls::{Client, handshake};
use super::world::{World, send};

/// An HTTP/2 client over TLS.
pub(crate) async fn http2<B>(world: &World, authority: &Authority) -> http2::SendRequest<B>
where
    B: Body<Data = Bytes, Error = Infallible> + Unpin + Send + 'static,
{
    let client = Client {
        alpn: b"h2",
        ..Client::new(authority, None)
    };
    let stream = handshake(world, &client.config()).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::task::spawn_local(connection);
    sender
}

pub(crate) fn get(path: &str) -> Request<Empty<Bytes>> {
    let uri = format!("https://localhost{path}");
    Request::get(uri).body(Empty::new()).unwrap()
}

const WAIT: &str = "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";

// P-07
#[tokio::test]
async fn a_client_that_disconnects_holds_nothing() {
    let world = World::plain(Bounds::default()).await;
    let mut stream = world.connect().await;
    send(&mut stream, WAIT).await;
    world.holds(1).await;
    drop(stream);
    world.holds(0).await;
}

// P-07
#[tokio::test]
async fn a_client_that_shuts_down_its_half_has_disconnected() {
    let world = World::plain(Bounds::default()).await;
    let mut stream = world.connect().await;
    send(&mut stream, WAIT).await;
    world.holds(1).await;
    stream.shutdown().await.unwrap();
    world.holds(0).await;
    world.serves_others().await;
}

// P-07
#[tokio::test]
async fn a_client_that_disconnects_from_tls_holds_nothing() {
    let authority = Authority::new();
    let server = authority.certify("the bank");
    let world = World::secure(authority.tls(&server), Bounds::default()).await;
    let config = Client::new(&authority, None).config();
    for politely in [true, false] {
        let mut stream = handshake(&world, &config).await.unwrap();
        send(&mut stream, WAIT).await;
        world.holds(1).await;
        if politely {
            stream.shutdown().await.unwrap();
        } else {
            drop(stream);
        }
        world.holds(0).await;
    }
}

// P-07
#[tokio::test(flavor = "local")]
async fn an_http_2_stream_that_is_reset_holds_nothing() {
    let authority = Authority::new();
    let server = authority.certify("the bank");
    let world = World::secure(authority.tls(&server), Bounds::default()).await;
    let mut client = http2(&world, &authority).await;
    let polls = [
        client.send_request(get("/wait")),
        client.send_request(get("/wait")),
    ];
    let [first, second] = polls.map(tokio::task::spawn_local);
    world.holds(2).await;
    first.abort();
    world.holds(1).await;
    second.abort();
    drop(client);
    world.holds(0).await;
}
