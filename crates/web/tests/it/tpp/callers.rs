//! Who may call (A).

use std::collections::BTreeMap;
use std::time::Duration;

use oyez_domain::tpp::{KeySource, Standing};
use oyez_store::Store;
use oyez_testkit::clock::DAWN;
use oyez_web::tokens::TokenError;
use oyez_web::tpp::{Binding, Registration};
use serde_json::{Value, json};

use super::asking::{Ask, VERSIONS};
use super::world::{World, certificate, claims, client};

/// One of each kind of operation.
const ASKED: [(&str, &str); 3] = [
    ("GET", "event-subscriptions"),
    ("DELETE", "callback-urls/none"),
    ("POST", "events"),
];

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut changed = claims("tpp-1");
    changed[name] = value.into();
    changed
}

// A-01
#[tokio::test]
async fn without_a_token_nobody_is_known() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let bare = r#"Bearer realm="open-banking""#;
    for version in VERSIONS {
        for (method, path) in ASKED {
            let ask = || Ask::new(&world, &tpp, method, format!("{version}/{path}"));
            for ask in [
                ask().without("authorization"),
                ask().header("authorization", "Basic Z29vZC10cHAtMTo="),
                Ask::new(
                    &world,
                    &tpp,
                    method,
                    format!("{version}/{path}?access_token=good-tpp-1"),
                )
                .without("authorization"),
            ] {
                let reply = ask.send().await;
                assert_eq!((reply.status, reply.body.len()), (401, 0));
                assert_eq!(reply.header("www-authenticate"), Some(bare));
            }
        }
    }
}

// A-01
#[tokio::test]
async fn a_token_that_does_not_hold_is_refused_with_its_reason() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    world.bad_token("stale", TokenError::Invalid("the access token was revoked"));
    for version in VERSIONS {
        for (method, path) in ASKED {
            let ask = || Ask::new(&world, &tpp, method, format!("{version}/{path}"));
            for (ask, why) in [
                (ask().token("stale"), "the access token was revoked"),
                (ask().token("garbage"), "the access token cannot be read"),
                (
                    ask().header("authorization", "Bearer"),
                    "the access token is malformed",
                ),
                (ask().token("a b"), "the access token is malformed"),
                (
                    ask().token(&"x".repeat(20_000)),
                    "the access token is malformed",
                ),
                (
                    ask().also("authorization", "Bearer good-tpp-1"),
                    "the access token is malformed",
                ),
            ] {
                let reply = ask.send().await;
                assert_eq!((reply.status, reply.body.len()), (401, 0), "{why}");
                let expected = format!(
                    r#"Bearer realm="open-banking", error="invalid_token", error_description="{why}""#
                );
                assert_eq!(reply.header("www-authenticate"), Some(expected.as_str()));
            }
        }
    }
    let lower = Ask::new(&world, &tpp, "GET", "v4.0/callback-urls");
    let lower = lower
        .header("authorization", "bEARER  good-tpp-1")
        .send()
        .await;
    assert_eq!(lower.status, 200);
}

// A-01, G-06
#[tokio::test]
async fn an_expired_token_has_a_body_of_its_own_in_v4_0() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    world.bad_token("old", TokenError::Expired);
    for (method, path) in ASKED {
        let old = Ask::new(&world, &tpp, method, format!("v3.1/{path}")).token("old");
        let old = old.send().await;
        assert_eq!((old.status, old.body.len()), (401, 0));
        let new = Ask::new(&world, &tpp, method, format!("v4.0/{path}")).token("old");
        let new = new.send().await;
        assert_eq!(new.status, 401);
        assert_eq!(new.errors(), [("TKXP".to_owned(), None)]);
        for reply in [old, new] {
            let challenge = reply.header("www-authenticate").unwrap();
            assert!(
                challenge.contains(r#"error="invalid_token""#),
                "{challenge}"
            );
        }
    }
}

// A-02
#[tokio::test]
async fn when_nobody_can_say_whether_a_token_holds_it_does_not_pass() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    world.bad_token("unknown", TokenError::Unavailable("refused".to_owned()));
    let ask = Ask::new(&world, &tpp, "GET", "v4.0/event-subscriptions").token("unknown");
    let reply = ask.send().await;
    assert_eq!(reply.status, 503);
    assert!(reply.header("retry-after").is_some());
    assert!(!String::from_utf8_lossy(&reply.body).contains("refused"));
}

// A-03
#[tokio::test]
async fn only_a_client_s_own_token_opens_anything() {
    let world = World::with(|choices| {
        choices.options.subjects = vec!["service-account-*".parse().unwrap()];
    });
    let tpp = world.tpp("tpp-1").await;
    let mut by_azp = claims("tpp-1");
    by_azp.as_object_mut().unwrap().remove("client_id");
    let unnamed = by_azp.clone();
    by_azp["azp"] = json!("tpp-1");
    for (token, claims, status) in [
        ("own", with("sub", "tpp-1"), 200),
        ("account", with("sub", "service-account-7"), 200),
        ("azp", by_azp, 200),
        ("user", with("sub", "alice"), 403),
        ("unnamed", unnamed, 401),
    ] {
        world.token(token, claims);
        let ask = Ask::new(&world, &tpp, "GET", "v3.1/event-subscriptions").token(token);
        let reply = ask.send().await;
        assert_eq!(reply.status, status, "{token}");
        assert_eq!(reply.body.is_empty(), status != 200, "{token}");
    }
}

// A-04
#[tokio::test]
async fn scopes_open_what_the_version_says() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    for (scope, version, registers, polls) in [
        ("accounts", "v3.1", true, true),
        ("payments", "v4.0", true, true),
        ("openid fundsconfirmations", "v4.0", true, true),
        ("fundsconfirmation", "v3.1", true, true),
        ("fundsconfirmation", "v4.0", false, false),
        ("eventpolling", "v3.1", false, true),
        ("eventpolling", "v4.0", false, false),
        ("openid", "v3.1", false, false),
        ("", "v4.0", false, false),
    ] {
        world.token("scoped", with("scope", scope));
        for (method, path, opens) in [
            ("GET", "event-subscriptions", registers),
            ("POST", "events", polls),
        ] {
            let ask = Ask::new(&world, &tpp, method, format!("{version}/{path}"));
            let reply = ask.token("scoped").body("{}").send().await;
            assert_eq!(
                reply.status,
                if opens { 200 } else { 403 },
                "{scope} {version} {path}"
            );
            if !opens {
                assert!(reply.body.is_empty());
                let challenge = reply.header("www-authenticate").unwrap();
                assert!(
                    challenge.contains(r#"error="insufficient_scope""#),
                    "{challenge}"
                );
                assert!(
                    challenge.contains("accounts payments fundsconfirmations"),
                    "{challenge}"
                );
            }
        }
    }
}

// A-04, A-10
#[tokio::test]
async fn a_token_opens_no_more_than_the_bank_grants_the_tpp() {
    let world = World::new();
    let tpp = world.stranger("tpp-1");
    let granted = vec!["fundsconfirmation".to_owned(), "eventpolling".to_owned()];
    world.register_granted(&tpp, granted).await;
    for (scope, version, registers, polls) in [
        ("accounts", "v3.1", false, false),
        ("accounts fundsconfirmations", "v3.1", true, true),
        ("accounts fundsconfirmations", "v4.0", true, true),
        ("accounts eventpolling", "v3.1", false, true),
        ("accounts eventpolling", "v4.0", false, false),
    ] {
        world.token("scoped", with("scope", scope));
        for (method, path, opens) in [
            ("GET", "event-subscriptions", registers),
            ("POST", "events", polls),
        ] {
            let ask = Ask::new(&world, &tpp, method, format!("{version}/{path}"));
            let reply = ask.token("scoped").body("{}").send().await;
            let status = if opens { 200 } else { 403 };
            assert_eq!(reply.status, status, "{scope} {version} {path}");
        }
    }
}

// A-05, A-06
#[tokio::test]
async fn a_token_works_only_with_the_certificate_it_names() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let mut unbound = claims("tpp-1");
    unbound.as_object_mut().unwrap().remove("cnf");
    world.token("unbound", unbound);
    let ask = || Ask::new(&world, &tpp, "GET", "v4.0/event-subscriptions");
    assert_eq!(ask().send().await.status, 200);
    for (ask, why) in [
        (ask().certificate(None), "a client certificate is required"),
        (
            ask().certificate(Some(certificate("tpp-2"))),
            "the access token is bound to another certificate",
        ),
        (
            ask().token("unbound"),
            "the access token is not bound to a certificate",
        ),
    ] {
        let reply = ask.send().await;
        assert_eq!((reply.status, reply.body.len()), (401, 0), "{why}");
        assert!(
            reply.header("www-authenticate").unwrap().contains(why),
            "{why}"
        );
    }
    world.clock.advance(Duration::from_secs(90_000));
    let late = ask().send().await;
    assert_eq!(late.status, 401);
    assert!(
        late.header("www-authenticate")
            .unwrap()
            .contains("not valid now")
    );
}

// A-05
#[tokio::test]
async fn binding_can_be_left_to_a_gateway() {
    let world = World::with(|choices| choices.options.binding = Binding::Off);
    let tpp = world.tpp("tpp-1").await;
    let ask = Ask::new(&world, &tpp, "GET", "v4.0/event-subscriptions").certificate(None);
    assert_eq!(ask.send().await.status, 200);
}

// A-09
#[tokio::test]
async fn clients_that_are_unknown_or_disabled_are_refused_everywhere() {
    let world = World::new();
    let stranger = world.stranger("tpp-2");
    let disabled = world.tpp("tpp-1").await;
    world.disable("tpp-1").await;
    for version in VERSIONS {
        for (method, path) in ASKED {
            for caller in [&stranger, &disabled] {
                let ask = Ask::new(&world, caller, method, format!("{version}/{path}"));
                let reply = ask.body("{}").send().await;
                assert_eq!((reply.status, reply.body.len()), (403, 0));
                assert_eq!(reply.header("www-authenticate"), None);
            }
        }
    }
    assert_eq!(world.store.find_tpp(client("tpp-2")).await.unwrap(), None);
}

// A-09
#[tokio::test]
async fn a_client_is_registered_by_its_first_good_token_where_the_bank_wants_that() {
    let world = World::with(|choices| {
        choices.options.registration = Registration::Automatic {
            org_id: "org_id".to_owned(),
            software_id: "software_id".to_owned(),
            jwks_url: "jwks_uri".to_owned(),
        };
    });
    let caller = world.stranger("tpp-1");
    let ask = || Ask::new(&world, &caller, "GET", "v4.0/event-subscriptions").token("first");
    let full =
        json!({ "org_id": "org", "software_id": "soft", "jwks_uri": "https://keys.example/1" });
    let said = |change: &dyn Fn(&mut Value)| {
        let mut said = claims("tpp-1");
        for (name, value) in full.as_object().unwrap() {
            said[name] = value.clone();
        }
        change(&mut said);
        world.token("first", said);
    };
    let incomplete: BTreeMap<&str, Value> = BTreeMap::from([
        ("org_id", json!(null)),
        ("software_id", json!("")),
        ("jwks_uri", json!("http://keys.example/1")),
        ("scope", json!("openid")),
    ]);
    for (name, value) in incomplete {
        said(&|claims| claims[name] = value.clone());
        assert_eq!(ask().send().await.status, 403, "{name}");
        assert_eq!(world.store.find_tpp(client("tpp-1")).await.unwrap(), None);
    }
    said(&|_| {});
    let (one, two) = tokio::join!(ask().send(), ask().send());
    assert_eq!((one.status, two.status), (200, 200));
    let tpp = world
        .store
        .find_tpp(client("tpp-1"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(tpp.profile.org_id, "org");
    assert_eq!(tpp.profile.software_id, "soft");
    assert_eq!(
        tpp.profile.keys,
        KeySource::JwksUrl("https://keys.example/1".to_owned())
    );
    assert_eq!(tpp.standing, Standing::Active);
    assert_eq!(tpp.registered_at, DAWN);
    world.disable("tpp-1").await;
    assert_eq!(ask().send().await.status, 403);
}
