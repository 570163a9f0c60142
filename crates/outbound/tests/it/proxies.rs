//! The way out through a proxy.

use std::sync::Arc;

use oyez_domain::address::Policy;
use oyez_domain::error_chain::chain;
use oyez_outbound::{Class, Client, HeaderValue, Proxy, Resolution, Sent, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

use crate::certificates::Authority;
use crate::server::{Act, Server, read_request};
use crate::world::{FakeResolver, NAME, send, setup};

const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";

/// A proxy that leads to `server` whatever it is asked for.
async fn proxy_to(server: &Server) -> Server {
    let address = server.address;
    Server::serve(move |mut tcp, seen| async move {
        let request = read_request(&mut tcp).await.unwrap();
        seen.lock().unwrap().requests.push(request);
        let mut onward = TcpStream::connect(address).await.unwrap();
        tcp.write_all(b"HTTP/1.1 200 Connection established\r\nvia: 1.1 proxy\r\n\r\n")
            .await
            .unwrap();
        // It ends as either side ends it.
        drop(copy_bidirectional(&mut tcp, &mut onward).await);
    })
    .await
}

async fn proxy_saying(answer: &'static str) -> Server {
    Server::serve(move |mut tcp, _| async move {
        read_request(&mut tcp).await.unwrap();
        tcp.write_all(answer.as_bytes()).await.unwrap();
        // Until the client has had enough.
        drop(tcp.read_to_end(&mut Vec::new()).await);
    })
    .await
}

/// Resolves names to a public address that no test could dial, and to this machine for the proxy's.
fn client_through(proxy: &Server, authority: &Authority, resolution: Resolution) -> Client {
    let mut setup = setup(authority);
    setup.addresses = Policy::default();
    setup.proxy = Some(Proxy {
        host: "proxy.example".to_owned(),
        port: proxy.address.port(),
        authorization: Some(HeaderValue::from_static("Basic b3lleg==")),
        resolution,
    });
    let answers: &[&[&str]] = match resolution {
        Resolution::Here => &[&["93.184.216.34"], &["127.0.0.1"]],
        Resolution::AtProxy => &[&["127.0.0.1"]],
    };
    Client::new(setup, FakeResolver::answering(answers), TaskTracker::new())
}

// D-12
#[tokio::test]
async fn a_proxy_is_asked_for_the_address_that_was_judged() {
    let authority = Authority::new();
    let server = Server::start(&authority.certify(NAME), &[Act::Say(ACCEPTED)]).await;
    let proxy = proxy_to(&server).await;
    let client = client_through(&proxy, &authority, Resolution::Here);
    let response = send(&client, &server).await.unwrap();
    assert_eq!(response.status, StatusCode::ACCEPTED);
    let asked_for = format!("93.184.216.34:{}", server.address.port());
    assert_eq!(response.peer.address, Some(asked_for.parse().unwrap()));
    assert_eq!(response.peer.tls_version.as_deref(), Some("TLSv1.3"));
    assert_eq!(
        proxy.requests(),
        [format!(
            "CONNECT {asked_for} HTTP/1.1\r\nHost: {asked_for}\r\nProxy-Authorization: Basic b3lleg==\r\n\r\n"
        )]
    );
    // What the proxy may know, the target may not.
    assert!(!server.requests()[0].contains("b3lleg"));
    send(&client, &server).await.unwrap();
    assert_eq!(proxy.connections(), 1);
}

// D-12
#[tokio::test]
async fn a_target_inside_is_refused_before_a_proxy_hears_of_it() {
    let authority = Authority::new();
    let server = Server::start(&authority.certify(NAME), &[Act::Say(ACCEPTED)]).await;
    let proxy = proxy_to(&server).await;
    let mut setup = setup(&authority);
    setup.addresses = Policy::default();
    setup.proxy = Some(Proxy {
        host: "127.0.0.1".to_owned(),
        port: proxy.address.port(),
        authorization: None,
        resolution: Resolution::Here,
    });
    let inside = FakeResolver::answering(&[&["10.0.0.1"]]);
    let client = Client::new(setup, Arc::clone(&inside) as _, TaskTracker::new());
    let error = send(&client, &server).await.unwrap_err();
    assert_eq!(error.class, Class::RefusedAddress);
    assert_eq!((proxy.connections(), server.connections()), (0, 0));
}

// D-12
#[tokio::test]
async fn a_proxy_that_resolves_is_asked_for_the_name_and_literals_are_judged_still() {
    let authority = Authority::new();
    let server = Server::start(&authority.certify(NAME), &[Act::Say(ACCEPTED)]).await;
    let proxy = proxy_to(&server).await;
    let client = client_through(&proxy, &authority, Resolution::AtProxy);
    let response = send(&client, &server).await.unwrap();
    assert_eq!(response.peer.address, None);
    let line = format!("CONNECT {NAME}:{} HTTP/1.1\r\n", server.address.port());
    assert!(proxy.requests()[0].starts_with(&line));

    let literal = oyez_outbound::Target::parse("https://10.0.0.1/").unwrap();
    let error = client.send(&crate::world::post(literal)).await.unwrap_err();
    assert_eq!(error.class, Class::RefusedAddress);
    assert_eq!(proxy.connections(), 1);
}

// D-12
#[tokio::test]
async fn a_proxy_that_will_not_is_told_apart_from_a_target_that_does_not() {
    let authority = Authority::new();
    let server = Server::start(&authority.certify(NAME), &[Act::Say(ACCEPTED)]).await;
    for (answer, told) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 2\r\n\r\nno",
            "it answered 407",
        ),
        ("HTTP/1.1 301 Moved\r\n\r\n", "it answered 301"),
        (
            "HTTP/1.1 200 OK\r\n\r\nmore",
            "its answer is no HTTP, or has no end",
        ),
        (
            "SSH-2.0-OpenSSH_9.9\r\n\r\n",
            "its answer is no HTTP, or has no end",
        ),
    ] {
        let proxy = proxy_saying(answer).await;
        let client = client_through(&proxy, &authority, Resolution::Here);
        let error = send(&client, &server).await.unwrap_err();
        assert_eq!((error.class, error.sent), (Class::Proxy, Sent::Nothing));
        assert_eq!(chain(&error), format!("no way through the proxy: {told}"));
    }
    assert_eq!(server.connections(), 0);
}
