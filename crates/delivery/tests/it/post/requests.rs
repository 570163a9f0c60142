//! What an endpoint is sent.

use oyez_domain::address::Policy;
use oyez_domain::registration::callback::{self, Judgement};
use oyez_domain::tpp::HeaderProfile;
use oyez_domain::versions::VersionTable;
use oyez_outbound::Target;
use oyez_testkit::endpoint::Behaviour;
use proptest::prelude::*;

use super::world::{PATH, SET, World};

// D-01
#[tokio::test]
async fn a_set_is_posted_with_the_headers_of_the_standard_and_no_others() {
    let world = World::new().await;
    world.answered(world.acme()).await;
    let [seen] = &world.endpoint.seen()[..] else {
        panic!("one letter is one request");
    };
    let port = world.endpoint.address().port();
    let mut lines: Vec<_> = seen.head.lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(
        lines,
        [
            "POST /v4.0/event-notifications HTTP/1.1",
            "accept: application/json",
            "content-length: 37",
            "content-type: application/jwt",
            &format!("host: localhost:{port}"),
            "user-agent: oyez/0.1.0",
            "x-fapi-financial-id: 0015800001041REAAY",
            "x-fapi-interaction-id: 93bac548-d2de-4546-b106-880a5018460d",
        ]
    );
    assert_eq!(seen.body, SET.as_bytes());
}

// D-01, T-07
#[tokio::test]
async fn the_media_type_follows_the_profile_of_the_tpps_sets() {
    let world = World::new().await;
    for (profile, media_type) in [
        (HeaderProfile::OpenBanking, "application/jwt"),
        (HeaderProfile::Jwt, "application/jwt"),
        (HeaderProfile::Rfc8417, "application/secevent+jwt"),
    ] {
        let mut acme = world.acme();
        acme.profile = profile;
        world.answered(acme).await;
        let seen = world.endpoint.seen();
        let said = seen.last().unwrap().header("content-type");
        assert_eq!(said, Some(media_type), "{profile:?}");
    }
    // A profile that changed is no reason for another connection.
    assert_eq!(world.endpoint.connections(), 1);
}

// D-01
#[tokio::test]
async fn the_banks_id_is_left_out_where_it_is_switched_off() {
    let world = World::with(|options| options.financial_id = None).await;
    world.answered(world.acme()).await;
    assert_eq!(world.endpoint.seen()[0].header("x-fapi-financial-id"), None);
}

// D-01, S-07
#[tokio::test]
async fn whatever_may_be_registered_is_called_exactly_as_it_is_written() {
    let world = World::new().await;
    let port = world.endpoint.address().port();
    let table = VersionTable::default();
    let policy = Policy {
        allowed: vec!["127.0.0.0/8".parse().unwrap()],
    };
    for prefix in [
        "",
        "/",
        "//",
        "/a//b/",
        "/%7Etpp",
        "/%7etpp/~tpp",
        "/a%2Fb",
        "/a@b:c;d=e,f/(g)'h'!*$&+",
        "/[x]|y",
        "/Caf%C3%A9",
    ] {
        let path = format!("{prefix}/v4.0/event-notifications");
        let url = format!("HTTPS://LocalHost:{port}{path}");
        let judgement = Judgement {
            row: table.newest(),
            version: None,
            addresses: &policy,
        };
        let faults = callback::faults(&url, judgement);
        assert!(faults.is_empty(), "{url}: {faults:?}");
        world.endpoint.behave(&path, Behaviour::status(202));
        let mut acme = world.acme();
        acme.callback_url = url;
        world.answered(acme).await;
        let seen = world.endpoint.seen().pop().unwrap();
        assert_eq!(seen.path, path);
        assert_eq!(seen.header("host"), Some(&*format!("localhost:{port}")));
    }
}

// D-01, D-13
#[tokio::test]
async fn what_cannot_be_called_is_a_failure_that_says_so() {
    let world = World::new().await;
    for (url, told) in [
        ("", "it is no absolute URL: relative URL without a base"),
        ("https://tpp..example/", "its host or path cannot be sent"),
        ("ftp://tpp.example/", "its scheme is neither https nor http"),
        (
            &*world.endpoint.url(PATH).replace("https", "http"),
            "the URL is not for this client: plain HTTP is refused",
        ),
    ] {
        let mut acme = world.acme();
        acme.callback_url = url.to_owned();
        let failure = world.failed(acme).await;
        assert_eq!((failure.class, &*failure.detail), ("refused-url", told));
    }
    assert!(world.endpoint.seen().is_empty());
}

proptest! {
    // S-07, D-01
    #[test]
    fn every_callback_url_that_is_taken_can_be_dialled(
        host in r"[a-zA-Z0-9._!~$&'()*+,;=%-]{1,40}|[a-z.-]{1,270}|([a-z0-9_-]{1,4}\.){1,4}[a-z-]{1,3}",
        port in proptest::option::of(0_u16..3),
    ) {
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        let text = format!("https://{host}{port}/v3.1/event-notifications");
        let versions = VersionTable::default();
        let judgement = Judgement {
            row: versions.newest(),
            version: None,
            addresses: &Policy::default(),
        };
        if callback::faults(&text, judgement).is_empty() {
            prop_assert!(Target::parse(&text).is_ok(), "{}", text);
        }
    }
}
