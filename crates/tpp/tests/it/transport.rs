//! Connections: what is bounded, what is refused, and what a deliberately wrong caller may do.

use std::time::Duration;

use oyez_tpp::domain::version::ApiVersion;
use oyez_tpp::{
    Bank, Error, HeaderMap, HeaderValue, Limits, Method, PollRequest, Request, Setup, Tls,
    Transport, TransportError, header,
};

use crate::authority::Authority;
use crate::fake_bank::{Act, Canned};
use crate::world::{World, path};

/// Short enough to wait for; the other side would never answer.
const SOON: Duration = Duration::from_millis(200);

fn bank(world: &World, limits: Limits) -> Bank {
    let setup = Setup {
        transport: world.transport(limits),
        ..world.setup()
    };
    Bank::new(setup, ApiVersion::V4_0).unwrap()
}

fn get(url: String) -> Request {
    Request {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: oyez_tpp::Bytes::new(),
        total: Duration::from_secs(20),
    }
}

// R-04
#[tokio::test]
async fn a_bank_that_does_not_answer_costs_one_limit_of_time() {
    let world = World::new().await;
    let limits = Limits {
        total: SOON,
        ..Limits::default()
    };
    world.bank.acts(Act::Hang);
    let error = bank(&world, limits)
        .subscriptions()
        .read()
        .await
        .unwrap_err();
    let Error::Transport(TransportError::Timeout { limit }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(limit, SOON);
}

// R-02
#[tokio::test]
async fn a_poll_that_waits_has_a_limit_of_its_own() {
    let world = World::new().await;
    let limits = Limits {
        long_poll: SOON,
        ..Limits::default()
    };
    let bank = bank(&world, limits);
    for return_immediately in [Some(false), None] {
        world.bank.acts(Act::Hang);
        let request = PollRequest {
            return_immediately,
            ..PollRequest::default()
        };
        let error = bank.polls().poll(&request).await.unwrap_err();
        assert!(
            matches!(
                error,
                Error::Transport(TransportError::Timeout { limit: SOON })
            ),
            "{error:?}"
        );
    }
}

// R-04
#[tokio::test]
async fn no_more_of_a_body_is_read_than_the_limit() {
    let world = World::new().await;
    let limits = Limits {
        body_bytes_max: 100,
        ..Limits::default()
    };
    let bank = bank(&world, limits);
    world
        .bank
        .answers(Canned::new(200, format!(r#"{{"sets":{{}}{:99}}}"#, "")));
    let error = bank
        .polls()
        .poll(&PollRequest::default())
        .await
        .unwrap_err();
    let too_long = matches!(
        error,
        Error::Transport(TransportError::BodyTooLong { max: 100 })
    );
    assert!(too_long, "{error:?}");
    world
        .bank
        .answers(Canned::new(200, format!(r#"{{"sets":{{}}{:89}}}"#, "")));
    assert!(bank.polls().poll(&PollRequest::default()).await.is_ok());
}

// R-04
#[tokio::test]
async fn a_redirect_is_a_refusal() {
    let world = World::new().await;
    let elsewhere = world.bank.url("/elsewhere");
    world
        .bank
        .answers(Canned::new(307, "").with("location", &elsewhere));
    let error = bank(&world, Limits::default())
        .polls()
        .poll(&PollRequest::default())
        .await;
    assert_eq!(
        error.unwrap_err().refusal().map(|refused| refused.status),
        Some(307)
    );
    assert!(world.bank.seen("/elsewhere").is_empty());
}

// R-04
#[tokio::test]
async fn only_servers_of_our_anchors_are_spoken_to_and_only_over_tls() {
    let world = World::new().await;
    let other = Authority::new().pem();
    let tls = Tls {
        anchors: other.as_bytes(),
        certificate: None,
    };
    let stranger = Transport::new(tls, Limits::default(), world.clock()).unwrap();
    let error = stranger
        .send(get(world.bank.url("/jwks")))
        .await
        .unwrap_err();
    assert!(matches!(error, TransportError::Connect(_)), "{error:?}");
    let ours = world.transport(Limits::default());
    for url in [
        "http://127.0.0.1/jwks",
        "/jwks",
        "127.0.0.1",
        "https://a b/",
    ] {
        let error = ours.send(get(url.to_owned())).await.unwrap_err();
        assert!(matches!(error, TransportError::Url(_)), "{url}: {error:?}");
    }
    assert!(world.bank.seen("/jwks").is_empty());
}

// R-04
#[tokio::test]
async fn a_client_without_its_certificate_does_not_get_through() {
    let world = World::new().await;
    let anchors = world.authority.pem();
    let tls = Tls {
        anchors: anchors.as_bytes(),
        certificate: None,
    };
    let anonymous = Transport::new(tls, Limits::default(), world.clock()).unwrap();
    assert!(anonymous.send(get(world.bank.url("/jwks"))).await.is_err());
    assert!(world.bank.seen("/jwks").is_empty());
}

// R-04
#[tokio::test]
async fn what_is_no_pem_makes_no_transport() {
    let world = World::new().await;
    let tls = Tls {
        anchors: b"no PEM",
        certificate: None,
    };
    assert!(Transport::new(tls, Limits::default(), world.clock()).is_err());
}

// R-04
#[tokio::test]
async fn a_raw_request_leaves_exactly_as_it_was_written() {
    let world = World::new().await;
    world.bank.answers(Canned::new(400, "no"));
    let foreign = (
        header::AUTHORIZATION,
        HeaderValue::from_static("Bearer foreign"),
    );
    let headers = HeaderMap::from_iter([foreign]);
    let bank = bank(&world, Limits::default());
    let answer = bank
        .raw(Method::POST, "event-subscriptions", headers, "unsigned")
        .await
        .unwrap();
    assert_eq!(
        (answer.status.as_u16(), &answer.body[..]),
        (400, &b"no"[..])
    );
    let seen = world.bank.saw(&path("v4.0/event-subscriptions"));
    assert_eq!(seen.body, "unsigned");
    let mut names: Vec<_> = seen
        .headers
        .keys()
        .map(header::HeaderName::as_str)
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["authorization", "content-length", "host"]);
    assert!(world.bank.seen("/token").is_empty());
}
