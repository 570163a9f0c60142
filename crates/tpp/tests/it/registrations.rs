//! Event-subscriptions and callback-urls: what leaves is signed, what comes back is believed only when it is.

use std::sync::Arc;

use oyez_tpp::domain::registration::{CallbackUrlWish, SubscriptionWish};
use oyez_tpp::domain::version::ApiVersion;
use oyez_tpp::jose::detached::{self, Forms, Policy, Signature};
use oyez_tpp::jose::{Algorithm, Form, Jwk, Jwks, KeyKind, LocalKey, Signatory, UnixTime};
use oyez_tpp::{
    Bank, Echo, Error, INTERACTION_ID, Method, SIGNATURE, Setup, SignatureFault, Subscription,
    header,
};
use serde_json::{Value, json};

use crate::fake_bank::{Back, Canned, Seal, Seen};
use crate::world::{ANCHOR, NOW, ORG_ID, TPP, TPP_KID, World, path, wish};

const CREATED: &str = r#"{"Data":{"EventSubscriptionId":"s-1","Version":"4.0","New":1},"Links":{"Self":"https://x"},"Meta":{}}"#;
const LISTED: &str = r#"{"Data":{"EventSubscription":[{"EventSubscriptionId":"s-1","CallbackUrl":"https://tpp.example/v4.0/event-notifications","Version":"4.0","EventTypes":["UK.OBIE.Resource-Update"]}]},"Links":{"Self":"https://x"},"Meta":{}}"#;
const URL: &str = "https://tpp.example/v3.1/event-notifications";

/// Holds a request to the standard's rules for signatures.
fn verify(world: &World, seen: &Seen) -> Result<Form, detached::Error> {
    let keys: Jwks = [Jwk::new(TPP_KID, world.key.public_key().clone())]
        .into_iter()
        .collect();
    let policy = Policy {
        algorithms: vec![Algorithm::PS256, Algorithm::ES256],
        ..Policy::standard([TPP], [ANCHOR], Forms::Both)
    };
    let now = UnixTime::from_seconds(NOW);
    let value = seen
        .headers
        .get(SIGNATURE)
        .map(|value| value.to_str().unwrap());
    let checked = Signature::parse(value)?.check(&policy, now)?;
    checked.verify(&seen.body, &keys, now)?;
    Ok(checked.form())
}

fn body(seen: &Seen) -> Value {
    serde_json::from_slice(&seen.body).unwrap()
}

async fn create(world: &World, answer: Canned) -> Result<oyez_tpp::Answer<Subscription>, Error> {
    world.bank.answers(answer);
    world.seen_bank().subscriptions().create(&wish()).await
}

async fn fault(world: &World, answer: Canned) -> SignatureFault {
    match create(world, answer).await {
        Err(Error::Unproven {
            response, fault, ..
        }) => {
            assert_eq!(response.body, CREATED);
            fault
        }
        other => panic!("{other:?}"),
    }
}

fn created(seal: Seal) -> Canned {
    Canned::new(201, CREATED).sealed(seal)
}

// R-04, M-01, M-02
#[tokio::test]
async fn a_subscription_is_created_with_a_signed_request_and_a_verified_answer() {
    let world = World::with_keys(KeyKind::Rsa2048).await;
    let answer = create(&world, created(Seal::Good)).await.unwrap();
    assert_eq!((answer.status, answer.echo), (201, Echo::Same));
    assert_eq!(
        (answer.value.id.as_str(), answer.value.version.as_str()),
        ("s-1", "4.0")
    );
    let seen = world.bank.saw(&path("v4.0/event-subscriptions"));
    assert_eq!(seen.method, Method::POST);
    assert_eq!(verify(&world, &seen), Ok(Form::Encoded));
    assert_eq!(body(&seen), json!({"Data": {"Version": "4.0"}}));
    assert_eq!(seen.headers[header::AUTHORIZATION], "Bearer token-1");
    assert_eq!(seen.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(seen.headers[INTERACTION_ID], answer.interaction_id.as_str());
    assert_eq!(seen.certificate, world.certified.der());
}

// R-04
#[tokio::test]
async fn a_subscription_is_read_updated_and_deleted_in_either_version() {
    let world = World::new().await;
    let bank = world.seen_bank().at(ApiVersion::V3_1).unwrap();
    let subscriptions = bank.subscriptions();

    world
        .bank
        .answers(Canned::new(200, LISTED).sealed(Seal::Good));
    let found = subscriptions.read().await.unwrap().value.remove(0);
    assert_eq!(
        found.event_types.as_deref(),
        Some(&["UK.OBIE.Resource-Update".to_owned()][..])
    );
    let read = world.bank.saw(&path("v3.1/event-subscriptions"));
    assert_eq!((read.method.clone(), read.body.len()), (Method::GET, 0));
    assert_eq!(verify(&world, &read), Err(detached::Error::Missing));

    world
        .bank
        .answers(Canned::new(200, CREATED).sealed(Seal::Good));
    let wish = SubscriptionWish {
        callback_url: Some(URL.to_owned()),
        event_types: Some(vec!["UK.OBIE.Resource-Update".to_owned()]),
        version: "3.1".parse().unwrap(),
    };
    drop(subscriptions.update("s-1", &wish).await.unwrap());
    world.bank.answers(Canned::new(204, ""));
    let deleted = subscriptions.delete("s-1").await.unwrap();
    assert_eq!(deleted.status, 204);

    let [put, delete]: [Seen; 2] = world
        .bank
        .seen(&path("v3.1/event-subscriptions/s-1"))
        .try_into()
        .ok()
        .unwrap();
    assert_eq!(verify(&world, &put), Ok(Form::Encoded));
    let sent = json!({"Data": {
        "EventSubscriptionId": "s-1", "CallbackUrl": URL, "Version": "3.1",
        "EventTypes": ["UK.OBIE.Resource-Update"],
    }});
    assert_eq!((put.method.clone(), body(&put)), (Method::PUT, sent));
    assert_eq!(delete.method, Method::DELETE);
    assert_eq!(verify(&world, &delete), Err(detached::Error::Missing));
    assert_ne!(put.headers[INTERACTION_ID], delete.headers[INTERACTION_ID]);
}

// R-04
#[tokio::test]
async fn a_callback_url_is_created_read_updated_and_deleted() {
    let world = World::new().await;
    let bank = world.seen_bank().at(ApiVersion::V3_1).unwrap();
    let callback_urls = bank.callback_urls();
    let entry = format!(r#"{{"CallbackUrlId":"c 1","Url":"{URL}","Version":"3.1"}}"#);
    let one = format!(r#"{{"Data":{entry}}}"#);
    let wish = CallbackUrlWish {
        url: URL.to_owned(),
        version: "3.1".parse().unwrap(),
    };
    world
        .bank
        .answers(Canned::new(201, &one).sealed(Seal::Good));
    let id = callback_urls.create(&wish).await.unwrap().value.id;
    let list = format!(r#"{{"Data":{{"CallbackUrl":[{entry}]}}}}"#);
    world
        .bank
        .answers(Canned::new(200, list).sealed(Seal::Good));
    assert_eq!(callback_urls.read().await.unwrap().value[0].url, URL);
    world
        .bank
        .answers(Canned::new(200, r#"{"Data":{}}"#).sealed(Seal::Good));
    assert_eq!(callback_urls.read().await.unwrap().value, []);
    world
        .bank
        .answers(Canned::new(200, &one).sealed(Seal::Good));
    drop(callback_urls.update(&id, &wish).await.unwrap());
    world.bank.answers(Canned::new(204, ""));
    drop(callback_urls.delete(&id).await.unwrap());

    // An id is one segment of a path, whatever it holds.
    let seen = world.bank.seen(&path("v3.1/callback-urls/c%201"));
    assert_eq!(verify(&world, &seen[0]), Ok(Form::Encoded));
    let sent = json!({"Data": {"Url": URL, "Version": "3.1"}});
    assert_eq!(
        (body(&seen[0]), seen[1].method.clone()),
        (sent, Method::DELETE)
    );
}

// R-04, M-04
#[tokio::test]
async fn an_answer_that_is_not_signed_as_the_bank_would_is_not_believed() {
    let world = World::new().await;
    let signatory = |issuer: &str, anchor: &str| Signatory {
        issuer: issuer.to_owned(),
        trust_anchor: anchor.to_owned(),
    };
    let missing = fault(&world, created(Seal::None)).await;
    assert!(matches!(
        missing,
        SignatureFault::Signature(detached::Error::Missing)
    ));
    let twice = fault(&world, created(Seal::Twice)).await;
    assert!(matches!(twice, SignatureFault::Several));
    let tampered = fault(&world, created(Seal::OtherBody)).await;
    assert!(matches!(
        tampered,
        SignatureFault::Signature(detached::Error::Invalid)
    ));
    let other_key = Arc::new(LocalKey::generate(KeyKind::P256).unwrap());
    let forged = fault(&world, created(Seal::Key(other_key, "bank-1"))).await;
    assert!(matches!(
        forged,
        SignatureFault::Signature(detached::Error::Invalid)
    ));
    for (by, claim) in [
        (
            signatory("other", ANCHOR),
            oyez_tpp::jose::open_banking::ISS,
        ),
        (
            signatory(ORG_ID, "evil.example"),
            oyez_tpp::jose::open_banking::TAN,
        ),
    ] {
        let wrong = fault(&world, created(Seal::As(by))).await;
        let SignatureFault::Signature(detached::Error::InvalidClaim { name, .. }) = wrong else {
            panic!("{wrong:?}");
        };
        assert_eq!(name, claim);
    }
}

// R-04, M-03
#[tokio::test]
async fn the_form_of_old_versions_is_spoken_and_understood() {
    let world = World::new().await;
    let setup = Setup {
        signer: world.signer(Form::Unencoded),
        ..world.setup()
    };
    let bank = Bank::new(setup, ApiVersion::V3_1).unwrap();
    world.bank.answers(created(Seal::Unencoded));
    drop(bank.subscriptions().create(&wish()).await.unwrap());
    let seen = world.bank.saw(&path("v3.1/event-subscriptions"));
    assert_eq!(verify(&world, &seen), Ok(Form::Unencoded));
}

// R-04, G-02
#[tokio::test]
async fn an_interaction_id_that_does_not_come_back_is_a_warning() {
    let world = World::new().await;
    for (back, echo) in [
        (Back::None, Echo::Absent),
        (Back::Other, Echo::Other("another".to_owned())),
    ] {
        let answer = Canned {
            back,
            ..created(Seal::Good)
        };
        let answer = create(&world, answer).await.unwrap();
        assert_eq!((answer.value.id.as_str(), answer.echo), ("s-1", echo));
    }
}

// R-04
#[tokio::test]
async fn a_signed_answer_of_another_shape_is_told_with_its_interaction_id() {
    let world = World::new().await;
    let answer = Canned::new(201, r#"{"Data":{"Version":"4.0"}}"#).sealed(Seal::Good);
    let error = create(&world, answer).await.unwrap_err();
    let Error::Unreadable {
        status,
        interaction_id,
        source,
    } = error
    else {
        panic!("{error:?}");
    };
    let sent = world.bank.saw(&path("v4.0/event-subscriptions"));
    assert_eq!(sent.headers[INTERACTION_ID], interaction_id.as_str());
    assert_eq!(status, 201);
    assert!(
        source.to_string().contains("EventSubscriptionId"),
        "{source}"
    );
}

// R-04
#[tokio::test]
async fn a_version_without_a_row_is_refused_before_anything_is_sent() {
    let world = World::new().await;
    let unknown = "v9.9".parse().unwrap();
    assert!(world.seen_bank().at(unknown).is_err());
    assert!(Bank::new(world.setup(), unknown).is_err());
}
