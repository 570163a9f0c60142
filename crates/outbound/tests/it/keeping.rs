//! Connections that are kept, and those that are not.

use std::time::Duration;

use oyez_outbound::{Class, Client, Sent, StatusCode};
use tokio_util::task::TaskTracker;

use crate::certificates::Authority;
use crate::server::{Act, Server};
use crate::world::{FakeResolver, NAME, SOON, client, post, send, setup, target};

const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
const ACCEPTED_ONCE: &str =
    "HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

async fn serving(acts: &[Act]) -> (Client, Server) {
    let authority = Authority::new();
    let server = Server::start(&authority.certify(NAME), acts).await;
    (client(setup(&authority)), server)
}

// D-11
#[tokio::test]
async fn a_connection_is_used_again() {
    let (client, server) = serving(&[Act::Say(ACCEPTED)]).await;
    let first = send(&client, &server).await.unwrap();
    for _ in 0..20 {
        let next = send(&client, &server).await.unwrap();
        assert_eq!(next.peer, first.peer);
    }
    assert_eq!((server.connections(), server.requests().len()), (1, 21));
}

// D-11
#[tokio::test]
async fn a_new_connection_to_a_known_host_resumes_its_session() {
    let (client, server) = serving(&[Act::Say(ACCEPTED_ONCE)]).await;
    let first = send(&client, &server).await.unwrap();
    let second = send(&client, &server).await.unwrap();
    assert_eq!((server.connections(), server.resumed()), (2, 1));
    assert_eq!(first.peer, second.peer);
}

// D-11
#[tokio::test]
async fn a_connection_that_was_idle_for_too_long_is_let_go() {
    let (client, server) = serving(&[Act::Say(ACCEPTED)]).await;
    send(&client, &server).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(56)).await;
    tokio::time::resume();
    send(&client, &server).await.unwrap();
    assert_eq!(server.connections(), 2);
    server.until_ended(1).await;
}

// D-09, D-11
#[tokio::test]
async fn no_more_connections_are_kept_than_the_limits_say() {
    let authority = Authority::new();
    let first = Server::start(&authority.certify(NAME), &[Act::Say(ACCEPTED)]).await;
    let second = Server::start(&authority.certify(NAME), &[Act::Say(ACCEPTED)]).await;
    let mut setup = setup(&authority);
    setup.limits.kept_max = 1;
    let client = client(setup);
    send(&client, &first).await.unwrap();
    send(&client, &second).await.unwrap();
    // The older one made room.
    first.until_ended(1).await;
    send(&client, &second).await.unwrap();
    assert_eq!(second.connections(), 1);
}

// D-11
#[tokio::test]
async fn two_clients_share_no_connection() {
    let authority = Authority::new();
    let server = Server::start(&authority.certify(NAME), &[Act::Say(ACCEPTED)]).await;
    let (one, other) = (client(setup(&authority)), client(setup(&authority)));
    send(&one, &server).await.unwrap();
    send(&other, &server).await.unwrap();
    assert_eq!(server.connections(), 2);
    drop(one);
    server.until_ended(1).await;
}

// D-03, D-11
#[tokio::test]
async fn a_kept_connection_that_breaks_is_no_failure_of_the_other_side() {
    let acts = [Act::Say(ACCEPTED), Act::SayAndClose(""), Act::Say(ACCEPTED)];
    let (client, server) = serving(&acts).await;
    send(&client, &server).await.unwrap();
    let response = send(&client, &server).await.unwrap();
    assert_eq!(response.status, StatusCode::ACCEPTED);
    assert_eq!((server.connections(), server.requests().len()), (2, 3));
}

// D-03, D-11
#[tokio::test]
async fn a_request_is_repeated_once_and_not_for_ever() {
    let (client, server) = serving(&[Act::Say(ACCEPTED), Act::SayAndClose("")]).await;
    send(&client, &server).await.unwrap();
    let error = send(&client, &server).await.unwrap_err();
    assert_eq!((error.class, error.sent), (Class::Protocol, Sent::Perhaps));
    assert_eq!((server.connections(), server.requests().len()), (2, 3));
}

// D-03
#[tokio::test]
async fn garbage_on_a_kept_connection_is_the_other_sides_failure() {
    let (client, server) = serving(&[Act::Say(ACCEPTED), Act::Say("HTTP/1.1 abc\r\n\r\n")]).await;
    send(&client, &server).await.unwrap();
    let error = send(&client, &server).await.unwrap_err();
    assert_eq!((error.class, error.sent), (Class::Protocol, Sent::Perhaps));
    assert_eq!((server.connections(), server.requests().len()), (1, 2));
}

// D-11
#[tokio::test]
async fn http_2_is_spoken_and_its_connection_shared() {
    let authority = Authority::new();
    let server = Server::start_http2(&authority.certify(NAME), "answer").await;
    let client = client(setup(&authority));
    let first = send(&client, &server).await.unwrap();
    assert_eq!(first.body.bytes, b"answer");
    let request = post(target(&server, "/events"));
    let (one, other) = tokio::join!(client.send(&request), client.send(&request));
    assert_eq!(one.unwrap().peer, other.unwrap().peer);
    assert_eq!((server.connections(), server.requests().len()), (1, 3));
    let line = format!("HTTP/2.0 https://{NAME}:{}/events", server.address.port());
    assert_eq!(server.requests()[0], line);
}

// D-11
#[tokio::test]
async fn a_shared_connection_that_failed_somebody_is_not_used_again() {
    let authority = Authority::new();
    let server = Server::start_http2(&authority.certify(NAME), "answer").await;
    let mut setup = setup(&authority);
    setup.limits.total = SOON;
    let client = client(setup);
    send(&client, &server).await.unwrap();
    let hanging = post(target(&server, "/hang"));
    let error = client.send(&hanging).await.unwrap_err();
    assert_eq!((error.class, error.sent), (Class::Timeout, Sent::Perhaps));
    send(&client, &server).await.unwrap();
    assert_eq!(server.connections(), 2);
    server.until_ended(1).await;
}

// D-03, D-11
#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_not_taken_for_the_next() {
    let with_more = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n\
                     HTTP/1.1 418 Teapot\r\ncontent-length: 0\r\n\r\n";
    let (client, server) = serving(&[Act::Say(with_more), Act::Say(ACCEPTED)]).await;
    for _ in 0..2 {
        let response = send(&client, &server).await.unwrap();
        assert_eq!(response.status, StatusCode::ACCEPTED);
    }
    assert_eq!((server.connections(), server.requests().len()), (2, 2));
}

// D-09, D-11
#[tokio::test]
async fn a_caller_that_leaves_takes_its_connection_along() {
    let (client, server) = serving(&[Act::SayAndHang(""), Act::Say(ACCEPTED)]).await;
    let request = post(target(&server, "/events"));
    let given_up = tokio::time::timeout(SOON, client.send(&request)).await;
    assert!(given_up.is_err());
    server.until_ended(1).await;
    send(&client, &server).await.unwrap();
    assert_eq!(server.connections(), 2);
}

// D-11
#[tokio::test]
async fn the_tasks_of_a_client_end_with_it() {
    let authority = Authority::new();
    let server = Server::start(&authority.certify(NAME), &[Act::Say(ACCEPTED)]).await;
    let shared = Server::start_http2(&authority.certify(NAME), "answer").await;
    let tracker = TaskTracker::new();
    let resolver = FakeResolver::answering(&[&["127.0.0.1"]]);
    let client = Client::new(setup(&authority), resolver, tracker.clone());
    send(&client, &server).await.unwrap();
    send(&client, &shared).await.unwrap();
    assert!(!tracker.is_empty());
    drop(client);
    tracker.close();
    tracker.wait().await;
}
