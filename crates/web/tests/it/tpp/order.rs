//! The one order of checks (G-12): of whatever is wrong with a request, the first in it is told.

use std::num::NonZeroU32;

use oyez_domain::fault::Code;
use serde_json::json;

use super::asking::{Ask, VERSIONS, a_callback_url, a_subscription, called, one};
use super::world::{World, claims};

/// What can be wrong with a POST, in the order in which it is told, and how.
const FAULTS: [(Fault, u16, Option<Code>); 10] = [
    (Fault::Method, 405, None),
    (Fault::Token, 401, None),
    (Fault::Certificate, 401, None),
    (Fault::Scope, 403, None),
    (Fault::MediaType, 415, None),
    (Fault::Accept, 406, None),
    (Fault::Size, 413, None),
    (Fault::Signature, 400, Some(Code::SignatureMissing)),
    (Fault::Body, 400, Some(Code::FieldMissing)),
    (Fault::State, 409, Some(Code::ResourceAlreadyExists)),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Method,
    Token,
    Certificate,
    Scope,
    MediaType,
    Accept,
    Size,
    Signature,
    Body,
    State,
}

// G-12
#[tokio::test]
async fn of_every_combination_of_faults_the_first_is_told_and_nothing_is_changed() {
    for version in VERSIONS {
        let world = World::new();
        let (tpp, full) = (world.tpp("tpp-1").await, world.tpp("tpp-2").await);
        for name in ["tpp-1", "tpp-2"] {
            let mut narrow = claims(name);
            narrow["scope"] = json!("openid");
            world.token(&format!("narrow-{name}"), narrow);
        }
        let path = format!("{version}/event-subscriptions");
        let body = a_subscription(version);
        let made = Ask::new(&world, &full, "POST", &path).json(&body);
        assert_eq!(made.send().await.status, 201);
        let before = world.registrations("tpp-2").await;
        for combination in 1..1_u32 << FAULTS.len() {
            let is_wrong = |fault| {
                let index = FAULTS.iter().position(|(one, ..)| *one == fault).unwrap();
                combination & (1 << index) != 0
            };
            let who = if is_wrong(Fault::State) { &full } else { &tpp };
            let ask = wrong(&world, who, &path, &body.to_string(), is_wrong);
            let reply = ask.send().await;
            let (fault, status, code) = FAULTS[combination.trailing_zeros() as usize];
            assert_eq!(reply.status, status, "{fault:?} {combination:b}");
            match code {
                Some(code) => assert_eq!(reply.errors()[0].0, called(version, code)),
                None => assert!(reply.body.is_empty(), "{fault:?} {combination:b}"),
            }
        }
        let nothing = oyez_domain::registration::Registrations::default();
        assert_eq!(world.registrations("tpp-1").await, nothing);
        assert_eq!(world.registrations("tpp-2").await, before);
    }
}

fn wrong<'w>(
    world: &'w World,
    who: &oyez_testkit::tpp::Caller,
    path: &str,
    body: &str,
    is_wrong: impl Fn(Fault) -> bool,
) -> Ask<'w> {
    let method = if is_wrong(Fault::Method) {
        "PATCH"
    } else {
        "POST"
    };
    let mut ask = Ask::new(world, who, method, path).body(body);
    if is_wrong(Fault::Token) {
        ask = ask.token("garbage");
    } else if is_wrong(Fault::Scope) {
        ask = ask.token(&format!("narrow-{}", who.client_id()));
    }
    if is_wrong(Fault::Certificate) {
        ask = ask.certificate(None);
    }
    if is_wrong(Fault::MediaType) {
        ask = ask.header("content-type", "text/plain");
    }
    if is_wrong(Fault::Accept) {
        ask = ask.header("accept", "text/plain");
    }
    if is_wrong(Fault::Body) {
        ask = ask.body("{}");
    }
    if is_wrong(Fault::Size) {
        ask = ask.header("content-length", "1048577");
    }
    if is_wrong(Fault::Signature) {
        ask = ask.unsigned();
    }
    ask
}

// G-08, G-12
#[tokio::test]
async fn what_is_wrong_with_a_body_is_told_before_what_is_wrong_with_the_id() {
    let world = World::new();
    let (tpp, other) = (world.tpp("tpp-1").await, world.tpp("tpp-2").await);
    for version in VERSIONS {
        for resource in ["event-subscriptions", "callback-urls"] {
            let theirs = Ask::new(&world, &other, "POST", format!("{version}/{resource}"));
            let body = if resource == "callback-urls" {
                a_callback_url(version)
            } else {
                a_subscription(version)
            };
            let made = theirs.json(&body).send().await.json();
            let mut ids = made["Data"].as_object().unwrap().iter();
            let (_, id) = ids.find(|(name, _)| name.ends_with("Id")).unwrap();
            let before = world.registrations("tpp-2").await;
            for id in [
                id.as_str().unwrap(),
                "0b7dd3a6-9a5c-4a0f-9f5b-1f1d3a8e7c11",
                &"x".repeat(41),
            ] {
                let put = || Ask::new(&world, &tpp, "PUT", format!("{version}/{resource}/{id}"));
                let reply = put().body("{}").send().await;
                let missing = one(version, Code::FieldMissing, Some("Data"));
                assert_eq!((reply.status, reply.errors()), (400, missing), "{id}");
                let reply = put().body("{}").unsigned().send().await;
                let unsigned = one(version, Code::SignatureMissing, Some("x-jws-signature"));
                assert_eq!(reply.errors(), unsigned, "{id}");
            }
            assert_eq!(world.registrations("tpp-2").await, before);
            let path = format!("{version}/{resource}/{}", id.as_str().unwrap());
            let deleted = Ask::new(&world, &other, "DELETE", path).send().await;
            assert_eq!(deleted.status, 204);
        }
    }
}

// G-12
#[tokio::test]
async fn of_several_faults_the_first_in_the_order_of_checks_is_told() {
    let world = World::with(|choices| {
        choices.options.requests_per_second = NonZeroU32::new(1).unwrap();
    });
    let tpp = world.tpp("tpp-1").await;
    let narrow = json!({ "client_id": "tpp-1", "scope": "openid",
        "cnf": { "x5t#S256": "thumbprint-of-tpp-1" } });
    world.token("narrow", narrow);
    // Wrong in everything from the token on.
    let wrong = || {
        Ask::new(&world, &tpp, "POST", "v4.0/event-subscriptions")
            .header("content-type", "text/plain")
            .header("accept", "text/plain")
            .body(vec![b'x'; 2 * 1024 * 1024])
            .unsigned()
    };
    assert_eq!(
        wrong()
            .token("narrow")
            .certificate(None)
            .send()
            .await
            .status,
        401
    );
    assert_eq!(wrong().token("narrow").send().await.status, 403);
    // The first costs the one request of this second.
    assert_eq!(wrong().send().await.status, 415);
    assert_eq!(wrong().send().await.status, 429);
    let patient = async |ask: Ask<'_>| {
        world.clock.advance(std::time::Duration::from_secs(1));
        ask.send().await
    };
    let json = || wrong().header("content-type", "application/json");
    assert_eq!(patient(json()).await.status, 406);
    assert_eq!(patient(json().without("accept")).await.status, 413);
    let small = || json().without("accept").body("x");
    let unsigned = patient(small()).await;
    assert_eq!(
        unsigned.errors()[0].0,
        called("v4.0", Code::SignatureMissing)
    );
    let signed = patient(small().signed(tpp.signing())).await;
    assert_eq!(
        signed.errors()[0].0,
        called("v4.0", Code::ResourceInvalidFormat)
    );
    let post = || Ask::new(&world, &tpp, "POST", "v4.0/event-subscriptions");
    assert_eq!(
        patient(post().json(&a_subscription("v4.0"))).await.status,
        201
    );
    assert_eq!(patient(post().body("x")).await.status, 400);
    assert_eq!(
        patient(post().json(&a_subscription("v4.0"))).await.status,
        409
    );
}
