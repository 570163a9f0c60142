//! What comes back, and how much of it is read.

use std::time::Duration;

use oyez_domain::error_chain::chain;
use oyez_outbound::{Class, Ending, Sent, StatusCode};

use crate::certificates::Authority;
use crate::server::{Act, Server};
use crate::world::{NAME, SOON, client, post, send, setup, target};

const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";

async fn serving(acts: &[Act]) -> (oyez_outbound::Client, Server) {
    let authority = Authority::new();
    let server = Server::start(&authority.certify(NAME), acts).await;
    let mut setup = setup(&authority);
    setup.limits.body_bytes_max = 10;
    (client(setup), server)
}

async fn serving_soon(acts: &[Act]) -> (oyez_outbound::Client, Server) {
    let authority = Authority::new();
    let server = Server::start(&authority.certify(NAME), acts).await;
    let mut setup = setup(&authority);
    setup.limits.total = SOON;
    (client(setup), server)
}

// D-01, D-14
#[tokio::test]
async fn a_request_arrives_as_it_was_given_and_the_answer_says_who_gave_it() {
    let authority = Authority::new();
    let certified = authority.certify(NAME);
    let answer = "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nx-own: 1\r\n\r\nno";
    let server = Server::start(&certified, &[Act::Say(answer)]).await;
    let mut request = post(target(&server, "/a/v4.0/event-notifications?q=1#part"));
    let own = oyez_outbound::HeaderValue::from_static("application/jwt");
    request
        .headers
        .insert(oyez_outbound::header::CONTENT_TYPE, own);
    let response = client(setup(&authority)).send(&request).await.unwrap();

    let port = server.address.port();
    assert_eq!(
        server.requests(),
        [format!(
            "POST /a/v4.0/event-notifications?q=1 HTTP/1.1\r\ncontent-type: application/jwt\r\n\
             host: {NAME}:{port}\r\ncontent-length: 5\r\n\r\na SET"
        )]
    );
    assert_eq!(response.status, StatusCode::BAD_REQUEST);
    assert_eq!(response.headers["x-own"], "1");
    assert_eq!(response.body.bytes, b"no");
    assert!(matches!(response.body.ending, Ending::Complete));
    assert_eq!(response.peer.address, Some(server.address));
    assert_eq!(response.peer.tls_version.as_deref(), Some("TLSv1.3"));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &certified.certificate);
    let hex: String = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(response.peer.certificate_thumbprint, Some(hex));
}

// D-11
#[tokio::test]
async fn a_body_is_read_up_to_the_limit() {
    let exact = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789";
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n0123456789X";
    let (client, server) = serving(&[Act::Say(exact), Act::Say(long)]).await;
    let response = send(&client, &server).await.unwrap();
    assert_eq!(response.body.bytes, b"0123456789");
    assert!(matches!(response.body.ending, Ending::Complete));
    let response = send(&client, &server).await.unwrap();
    assert_eq!(response.body.bytes, b"0123456789");
    assert!(matches!(response.body.ending, Ending::TooLong));
}

// D-11
#[tokio::test]
async fn a_body_without_end_is_cut_and_its_connection_closed() {
    let endless = "HTTP/1.1 200 OK\r\n\r\n0123456789";
    let (client, server) = serving(&[Act::SayWithoutEnd(endless)]).await;
    let response = send(&client, &server).await.unwrap();
    assert_eq!(response.body.bytes, b"0123456789");
    assert!(matches!(response.body.ending, Ending::TooLong));
    server.until_ended(1).await;
}

// D-11
#[tokio::test]
async fn a_packed_body_is_left_packed() {
    let packed =
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x1d\x08\x00";
    let (client, server) = serving(&[Act::Say(packed)]).await;
    let response = send(&client, &server).await.unwrap();
    assert_eq!(response.body.bytes, b"\x1f\x1d\x08\x00");
    assert_eq!(response.headers["content-encoding"], "gzip");
    assert!(!server.requests()[0].contains("accept-encoding"));
}

// D-03, D-11
#[tokio::test]
async fn a_head_that_does_not_come_is_a_timeout_after_sending() {
    let (client, server) = serving_soon(&[Act::SayAndHang("HTTP/1.1 202 Acc")]).await;
    let error = send(&client, &server).await.unwrap_err();
    assert_eq!((error.class, error.sent), (Class::Timeout, Sent::Perhaps));
    assert_eq!(error.peer.address, Some(server.address));
    assert_eq!(
        chain(&error),
        "no answer in time: the answer took longer than 2s"
    );
    server.until_ended(1).await;
}

// D-02, D-11
#[tokio::test]
async fn a_status_is_an_answer_whatever_becomes_of_its_body() {
    let slow = "HTTP/1.1 202 Accepted\r\ncontent-length: 100\r\n\r\nslow";
    let (client, server) = serving_soon(&[Act::SayAndHang(slow)]).await;
    let response = send(&client, &server).await.unwrap();
    assert_eq!(response.status, StatusCode::ACCEPTED);
    assert_eq!(response.body.bytes, b"slow");
    let Ending::Broken(error) = response.body.ending else {
        panic!("{:?}", response.body.ending);
    };
    assert_eq!(error.class, Class::Timeout);
    server.until_ended(1).await;

    let (client, server) = serving(&[Act::SayAndClose(slow)]).await;
    let response = send(&client, &server).await.unwrap();
    assert_eq!(response.status, StatusCode::ACCEPTED);
    assert_eq!(response.body.bytes, b"slow");
    let Ending::Broken(error) = response.body.ending else {
        panic!("{:?}", response.body.ending);
    };
    assert_eq!((error.class, error.sent), (Class::Protocol, Sent::Perhaps));
}

// D-03
#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let redirect = "HTTP/1.1 307 Temporary Redirect\r\nlocation: https://127.0.0.1/\r\ncontent-length: 0\r\n\r\n";
    let (client, server) = serving(&[Act::Say(redirect)]).await;
    let response = send(&client, &server).await.unwrap();
    assert_eq!(response.status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(server.requests().len(), 1);
}

// D-03
#[tokio::test]
async fn what_is_no_http_is_an_error_of_protocol() {
    let conflicting = "HTTP/1.1 202 Accepted\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab";
    for garbage in [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/9.9 202 Accepted\r\n\r\n",
        conflicting,
        "",
    ] {
        let (client, server) = serving(&[Act::SayAndClose(garbage)]).await;
        let error = send(&client, &server).await.unwrap_err();
        let seen = (error.class, error.sent);
        assert_eq!(seen, (Class::Protocol, Sent::Perhaps), "{garbage}");
        assert_eq!(server.requests().len(), 1, "{garbage}");
    }
}

// D-11
#[tokio::test]
async fn a_head_without_end_is_too_large() {
    let (client, server) = serving(&[Act::SayWithoutEnd("HTTP/1.1 202 Accepted\r\nx: ")]).await;
    let error = send(&client, &server).await.unwrap_err();
    assert_eq!(error.class, Class::TooLarge);
    assert_eq!(error.class.as_str(), "too-large");
    server.until_ended(1).await;
}

// D-11
#[tokio::test]
async fn what_never_connects_is_cut_off_by_the_limit_for_connecting() {
    let authority = Authority::new();
    // It takes the connection and says nothing.
    let server = Server::serve(|tcp, _| async move {
        let _tcp = tcp;
        std::future::pending::<()>().await;
    })
    .await;
    let mut setup = setup(&authority);
    setup.limits.connect = Duration::from_millis(200);
    let error = send(&client(setup), &server).await.unwrap_err();
    assert_eq!((error.class, error.sent), (Class::Timeout, Sent::Nothing));
    assert_eq!(error.peer.address, Some(server.address));
    assert_eq!(
        chain(&error),
        "no answer in time: connecting took longer than 200ms"
    );
}

// D-03
#[tokio::test]
async fn nobody_listening_is_an_error_of_connecting() {
    let authority = Authority::new();
    let (client, server) = serving(&[Act::Say(ACCEPTED)]).await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop((free, authority));
    let target = oyez_outbound::Target::parse(&format!("https://{NAME}:{port}/")).unwrap();
    let error = client.send(&post(target)).await.unwrap_err();
    assert_eq!((error.class, error.sent), (Class::Connect, Sent::Nothing));
    assert_eq!(server.connections(), 0);
}
