//! Where connections go, and where they never go.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use oyez_domain::address::Policy;
use oyez_domain::error_chain::chain;
use oyez_outbound::{Addresses, Class, Client, Peer, PlainHttp, Resolve, Sent, StatusCode, Target};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::certificates::Authority;
use crate::server::{Act, Server};
use crate::world::{FakeResolver, NAME, client, post, send, setup};

const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
const ACCEPTED_ONCE: &str =
    "HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// As the system does with a name whose servers are silent.
#[derive(Debug, Default)]
struct Hangs {
    asked: AtomicUsize,
    gives_up: Notify,
}

impl Resolve for Hangs {
    fn resolve<'a>(&'a self, _: &'a str) -> Addresses<'a> {
        Box::pin(async {
            self.asked.fetch_add(1, Ordering::AcqRel);
            self.gives_up.notified().await;
            Err(io::ErrorKind::TimedOut.into())
        })
    }
}

/// Dials 127.0.0.1 alone, and resolves as told.
fn strict(authority: &Authority, answers: &[&[&str]]) -> (Client, Arc<FakeResolver>) {
    let mut setup = setup(authority);
    setup.addresses = Policy {
        allowed: vec!["127.0.0.1/32".parse().unwrap()],
    };
    let resolver = FakeResolver::answering(answers);
    let client = Client::new(setup, Arc::clone(&resolver) as _, TaskTracker::new());
    (client, resolver)
}

// D-12
#[tokio::test]
async fn a_name_that_changes_its_answer_is_judged_anew_at_each_connection() {
    let authority = Authority::new();
    let server = Server::start(&authority.certify(NAME), &[Act::Say(ACCEPTED_ONCE)]).await;
    let (client, resolver) = strict(&authority, &[&["127.0.0.1"], &["127.0.0.2"]]);
    let response = send(&client, &server).await.unwrap();
    assert_eq!(response.status, StatusCode::ACCEPTED);
    let error = send(&client, &server).await.unwrap_err();
    assert_eq!(
        (error.class, error.sent),
        (Class::RefusedAddress, Sent::Nothing)
    );
    assert_eq!(
        chain(&error),
        "no address of the host may be dialled: 127.0.0.2 is loopback"
    );
    assert_eq!(server.connections(), 1);
    assert_eq!(resolver.asked(), [NAME, NAME]);
}

// D-09, D-11
#[tokio::test]
async fn a_name_that_is_never_answered_costs_as_many_lookups_as_it_may_and_no_more() {
    let authority = Authority::new();
    let mut setup = setup(&authority);
    setup.limits.lookups_max = 2;
    setup.limits.connect = Duration::from_millis(20);
    let (resolver, tracker) = (Arc::new(Hangs::default()), TaskTracker::new());
    let client = Client::new(setup, Arc::clone(&resolver) as _, tracker.clone());
    let target = Target::parse(&format!("https://{NAME}/events")).unwrap();
    for _ in 0..10 {
        let error = client.send(&post(target.clone())).await.unwrap_err();
        assert_eq!((error.class, error.sent), (Class::Timeout, Sent::Nothing));
    }
    assert_eq!(resolver.asked.load(Ordering::Acquire), 2);
    resolver.gives_up.notify_waiters();
    tracker.close();
    tracker.wait().await;
    client.send(&post(target)).await.unwrap_err();
    assert_eq!(
        resolver.asked.load(Ordering::Acquire),
        3,
        "there is place again"
    );
}

// D-12
#[tokio::test]
async fn what_was_judged_is_dialled_without_asking_again() {
    let authority = Authority::new();
    let server = Server::start(&authority.certify(NAME), &[Act::Say(ACCEPTED)]).await;
    // Whoever resolved twice for one connection would dial the second answer.
    let (client, resolver) = strict(&authority, &[&["127.0.0.1"], &["127.0.0.2"]]);
    let response = send(&client, &server).await.unwrap();
    assert_eq!(response.peer.address, Some(server.address));
    // The connection is kept: no address is dialled, none is asked for.
    send(&client, &server).await.unwrap();
    assert_eq!(resolver.asked(), [NAME]);
}

// D-12, D-14
#[tokio::test]
async fn a_repetition_is_judged_too_and_its_error_tells_only_of_itself() {
    let authority = Authority::new();
    let acts = [Act::Say(ACCEPTED), Act::SayAndClose("")];
    let server = Server::start(&authority.certify(NAME), &acts).await;
    let (client, _) = strict(&authority, &[&["127.0.0.1"], &["127.0.0.2"]]);
    send(&client, &server).await.unwrap();
    let error = send(&client, &server).await.unwrap_err();
    assert_eq!(
        (error.class, error.sent),
        (Class::RefusedAddress, Sent::Perhaps)
    );
    assert_eq!(error.peer, Peer::default());
}

// D-12
#[tokio::test]
async fn of_several_answers_only_those_that_may_be_dialled_are() {
    let authority = Authority::new();
    let server = Server::start(&authority.certify(NAME), &[Act::Say(ACCEPTED)]).await;
    let answers = ["127.0.0.2", "::1", "10.0.0.1", "::ffff:127.0.0.1"];
    let (client, _) = strict(&authority, &[&answers]);
    let response = send(&client, &server).await.unwrap();
    assert_eq!(response.peer.address, Some(server.address));
    assert_eq!(server.connections(), 1);
}

// D-12
#[tokio::test]
async fn a_dead_address_does_not_keep_the_next_from_being_tried() {
    let authority = Authority::new();
    let server = Server::start(&authority.certify(NAME), &[Act::Say(ACCEPTED)]).await;
    let mut setup = setup(&authority);
    setup.addresses.allowed.push("::1/128".parse().unwrap());
    // The server listens at 127.0.0.1 alone.
    let resolver = FakeResolver::answering(&[&["::1", "127.0.0.3", "127.0.0.1"]]);
    let client = Client::new(setup, resolver, TaskTracker::new());
    let response = send(&client, &server).await.unwrap();
    assert_eq!(response.peer.address, Some(server.address));
}

// S-07, D-12
#[tokio::test]
async fn literal_addresses_are_judged_too() {
    let authority = Authority::new();
    let (client, resolver) = strict(&authority, &[&["127.0.0.1"]]);
    for url in [
        "https://127.0.0.2/",
        "https://2130706434/",
        "https://0x7f.2/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://169.254.169.254/latest/meta-data",
    ] {
        let request = post(Target::parse(url).unwrap());
        let error = client.send(&request).await.unwrap_err();
        assert_eq!(error.class, Class::RefusedAddress, "{url}");
        assert_eq!(error.peer.address, None, "{url}");
    }
    assert!(resolver.asked().is_empty());
}

// D-12
#[tokio::test]
async fn a_name_without_addresses_does_not_resolve() {
    let authority = Authority::new();
    let (client, _) = strict(&authority, &[&[]]);
    let request = post(Target::parse("https://nowhere.example/").unwrap());
    let error = client.send(&request).await.unwrap_err();
    assert_eq!((error.class, error.sent), (Class::Resolve, Sent::Nothing));
}

// A-02, D-13
#[tokio::test]
async fn plain_http_is_refused_but_on_this_machine_when_that_is_allowed() {
    let authority = Authority::new();
    let server = Server::start_plain(&[Act::Say(ACCEPTED)]).await;
    let request = |host: &str| {
        let url = format!("http://{host}:{}/introspect", server.address.port());
        post(Target::parse(&url).unwrap())
    };
    let error = client(setup(&authority))
        .send(&request("127.0.0.1"))
        .await
        .unwrap_err();
    assert_eq!(error.class, Class::RefusedUrl);

    let mut allowing = setup(&authority);
    allowing.plain_http = PlainHttp::OnLoopback;
    allowing.addresses = Policy {
        allowed: vec!["0.0.0.0/0".parse().unwrap()],
    };
    let allowing_client = client(allowing.clone());
    let response = allowing_client.send(&request("127.0.0.1")).await.unwrap();
    assert_eq!(response.status, StatusCode::ACCEPTED);
    assert_eq!(response.peer.tls_version, None);
    let error = allowing_client
        .send(&request("10.0.0.1"))
        .await
        .unwrap_err();
    assert_eq!(error.class, Class::RefusedAddress);
    let outside = FakeResolver::answering(&[&["8.8.8.8"]]);
    let error = Client::new(allowing, outside, TaskTracker::new())
        .send(&request("as.example"))
        .await
        .unwrap_err();
    assert_eq!(
        chain(&error),
        "no address of the host may be dialled: 8.8.8.8 is not this machine, and plain HTTP goes nowhere else"
    );
}

// D-12
#[test]
fn a_target_is_a_url_with_a_host_and_without_a_user() {
    for url in [
        "",
        "/events",
        "tpp.example/events",
        "ftp://tpp.example/",
        "file:///etc/passwd",
        "https:///",
        "https://user@tpp.example/",
        "https://user:secret@tpp.example/",
        "https://tpp..example/",
        "https://tpp.example:99999/",
    ] {
        assert!(Target::parse(url).is_err(), "{url}");
    }
}
