//! Polling: what is asked, and which SETs are believed.

use std::sync::Arc;

use oyez_tpp::jose::compact;
use oyez_tpp::jose::{HeaderProfile, KeyKind, LocalKey};
use oyez_tpp::{
    Answer, Bank, BankKeys, Error, Method, PollRequest, Polled, SIGNATURE, SetError, Setup,
    VerifyError,
};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::fake_bank::Canned;
use crate::sets::{UPDATE, changed, claims, sign, signed};
use crate::world::{NOW, ORG_ID, World, path};

async fn poll(world: &World, body: &str) -> Result<Answer<Polled>, Error> {
    world.bank.answers(Canned::new(200, body));
    world
        .seen_bank()
        .polls()
        .poll(&PollRequest::default())
        .await
}

/// What becomes of one SET, handed out as `j`.
async fn outcome(world: &World, set: &str) -> VerifyError {
    let body = json!({"sets": {"j": set}, "moreAvailable": false}).to_string();
    let mut polled = poll(world, &body).await.unwrap().value;
    polled.sets.remove(0).outcome.unwrap_err()
}

fn code(error: &VerifyError) -> String {
    error.report().unwrap().err
}

// R-01, R-02
#[tokio::test]
async fn a_dead_key_server_is_asked_once_for_all_sets_of_a_poll() {
    let world = World::new().await;
    world.bank.hides_keys();
    let sets = ["a", "b", "c"].map(|jti| (jti, signed(&world, &claims(jti))));
    let body = json!({"sets": std::collections::BTreeMap::from(sets), "moreAvailable": false});
    let polled = poll(&world, &body.to_string()).await.unwrap().value;
    assert_eq!(polled.sets.len(), 3);
    for set in &polled.sets {
        assert!(matches!(set.outcome, Err(VerifyError::Keys(_))), "{set:?}");
    }
    assert_eq!(polled.set_errs(), []);
    assert_eq!(world.bank.seen("/jwks").len(), 1);
}

// R-02, P-01
#[tokio::test]
async fn a_poll_says_what_it_wants_what_is_safe_and_what_is_not() {
    let world = World::new().await;
    let bank = world.seen_bank();
    world
        .bank
        .answers(Canned::new(201, r#"{"moreAvailable":true,"sets":{}}"#));
    let error = SetError {
        err: "invalid_request".to_owned(),
        description: "no".to_owned(),
    };
    let request = PollRequest {
        max_events: Some(10),
        return_immediately: Some(true),
        ack: vec!["a".to_owned()],
        set_errs: vec![("b".to_owned(), error)],
    };
    let polled = bank.polls().poll(&request).await.unwrap();
    assert_eq!((polled.status, polled.value.more_available), (201, true));
    let seen = world.bank.saw(&path("v4.0/events"));
    assert_eq!(seen.method, Method::POST);
    assert_eq!(seen.headers.get(SIGNATURE), None);
    let sent: Value = serde_json::from_slice(&seen.body).unwrap();
    let expected = json!({
        "maxEvents": 10, "returnImmediately": true, "ack": ["a"],
        "setErrs": {"b": {"err": "invalid_request", "description": "no"}},
    });
    assert_eq!(sent, expected);
    world.bank.answers(Canned::new(200, "{}"));
    let polled = bank
        .polls()
        .poll(&PollRequest::default())
        .await
        .unwrap()
        .value;
    assert!(polled.sets.is_empty() && !polled.more_available);
    assert_eq!(world.bank.seen(&path("v4.0/events"))[1].body, "{}");
}

// R-02, T-07
#[tokio::test]
async fn sets_of_every_profile_are_believed_in_the_order_of_the_answer() {
    for kind in [KeyKind::P256, KeyKind::Rsa2048] {
        let world = World::with_keys(kind).await;
        let set = |profile, jti| sign(profile, &world.bank.key, ORG_ID, &claims(jti));
        let body = format!(
            r#"{{"sets":{{"z":"{}","a":"{}","m":"{}"}},"moreAvailable":false}}"#,
            set(HeaderProfile::OpenBanking, "z"),
            set(HeaderProfile::Jwt, "a"),
            set(HeaderProfile::Rfc8417, "m"),
        );
        let polled = poll(&world, &body).await.unwrap().value;
        let jtis: Vec<_> = polled
            .sets
            .iter()
            .map(|set| set.outcome.as_ref().unwrap().claims.jti.as_str())
            .collect();
        assert_eq!(jtis, ["z", "a", "m"]);
        assert_eq!(polled.set_errs(), []);
    }
}

// R-01, R-02
#[tokio::test]
async fn a_set_that_is_not_from_this_bank_for_us_now_under_its_name_is_refused() {
    let world = World::new().await;
    let refused = async |claims: Value| outcome(&world, &signed(&world, &claims)).await;
    let error = refused(changed("j", |claims| claims["aud"] = json!("another"))).await;
    assert!(
        matches!(&error, VerifyError::Audience { found } if found == "another"),
        "{error}"
    );
    assert_eq!(code(&error), "invalid_audience");
    let error = refused(changed("j", |claims| {
        claims["iss"] = json!("https://other.example");
    }))
    .await;
    assert!(matches!(&error, VerifyError::Issuer { .. }), "{error}");
    assert_eq!(code(&error), "invalid_issuer");
    let error = refused(changed("j", |claims| claims["iat"] = json!(NOW + 61))).await;
    assert!(
        matches!(&error, VerifyError::FromTheFuture { .. }),
        "{error}"
    );
    let error = refused(claims("k")).await;
    assert!(
        matches!(&error, VerifyError::OtherJti { found } if found == "k"),
        "{error}"
    );
    let error = refused(changed("j", |claims| claims["events"] = json!({}))).await;
    assert!(matches!(&error, VerifyError::Claims(_)), "{error}");
    assert_eq!(code(&error), "invalid_request");
}

// R-01, R-02
#[tokio::test]
async fn a_set_that_the_bank_did_not_sign_is_refused() {
    let world = World::new().await;
    let other = LocalKey::generate(KeyKind::P256).unwrap();
    let forged = sign(HeaderProfile::OpenBanking, &other, ORG_ID, &claims("j"));
    let error = outcome(&world, &forged).await;
    assert!(
        matches!(error, VerifyError::Token(compact::Error::Signature)),
        "{error}"
    );
    assert_eq!(code(&error), "authentication_failed");
    let foreign = sign(
        HeaderProfile::OpenBanking,
        &world.bank.key,
        "other",
        &claims("j"),
    );
    assert_eq!(code(&outcome(&world, &foreign).await), "invalid_issuer");
    // {"alg":"none"}
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", forged.split('.').nth(1).unwrap());
    let error = outcome(&world, &unsigned).await;
    assert!(
        matches!(
            error,
            VerifyError::Token(compact::Error::UnknownAlgorithm(_))
        ),
        "{error}"
    );
    assert_eq!(code(&outcome(&world, "no token").await), "invalid_request");
}

// R-02
#[tokio::test]
async fn a_set_that_is_not_believed_spoils_no_other_and_is_reported() {
    let world = World::new().await;
    let body = json!({"sets": {
        "bad": signed(&world, &changed("bad", |claims| claims["aud"] = json!("another"))),
        "good": signed(&world, &claims("good")),
    }});
    let polled = poll(&world, &body.to_string()).await.unwrap().value;
    let good: Vec<_> = polled
        .sets
        .iter()
        .filter(|set| set.outcome.is_ok())
        .collect();
    assert_eq!((good.len(), good[0].jti.as_str()), (1, "good"));
    assert_eq!(good[0].raw, body["sets"]["good"]);
    let reports = polled.set_errs();
    assert_eq!(reports.len(), 1);
    assert_eq!(
        (reports[0].0.as_str(), reports[0].1.err.as_str()),
        ("bad", "invalid_audience")
    );
}

// R-02
#[tokio::test]
async fn what_only_a_later_version_knows_is_passed_over() {
    let world = World::new().await;
    let newer = changed("j", |claims| {
        claims["exp"] = json!(1);
        claims["events"][UPDATE]["new"] = json!(true);
    });
    let body = json!({"sets": {"j": signed(&world, &newer)}, "later": 1}).to_string();
    let polled = poll(&world, &body).await.unwrap().value;
    assert!(
        polled.sets[0].outcome.is_ok(),
        "{:?}",
        polled.sets[0].outcome
    );
}

// R-02
#[tokio::test]
async fn an_answer_that_two_readers_could_read_differently_is_not_read() {
    let world = World::new().await;
    for body in [
        r#"{"sets":{"j":"a","j":"b"}}"#,
        r#"{"sets":{},"sets":{}}"#,
        r#"{"sets":[]}"#,
    ] {
        let read = poll(&world, body).await;
        assert!(
            matches!(read, Err(Error::Unreadable { .. })),
            "{body}: {read:?}"
        );
    }
}

// R-02
#[tokio::test]
async fn without_the_banks_keys_a_set_is_not_blamed() {
    let world = World::new().await;
    world.bank.hides_keys();
    let error = outcome(&world, &signed(&world, &claims("j"))).await;
    assert!(matches!(error, VerifyError::Keys(_)), "{error}");
    assert_eq!(error.report(), None);
}

// R-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_run_as_tasks_over_one_token_and_one_copy_of_the_keys() {
    for world in [World::new().await, World::over_http_2().await] {
        let bank = world.seen_bank();
        let body = json!({"sets": {"j": signed(&world, &claims("j"))}}).to_string();
        let tracker = TaskTracker::new();
        let polls: Vec<_> = std::iter::repeat_with(|| {
            world.bank.answers(Canned::new(200, &body));
            let bank = bank.clone();
            tracker.spawn(async move { bank.polls().poll(&PollRequest::default()).await })
        })
        .take(8)
        .collect();
        for poll in polls {
            let polled = poll.await.unwrap().unwrap().value;
            assert!(polled.sets[0].outcome.is_ok());
        }
        assert_eq!(world.bank.seen("/token").len(), 1);
        assert_eq!(world.bank.seen("/jwks").len(), 1);
    }
}

// R-02
#[tokio::test]
async fn keys_can_be_pinned() {
    let world = World::new().await;
    let other = Arc::new(LocalKey::generate(KeyKind::P256).unwrap());
    let keys = oyez_tpp::jose::Jwks::parse(
        json!({"keys": [other.public_key().to_jwk("other")]})
            .to_string()
            .as_bytes(),
    );
    let setup = Setup {
        keys: BankKeys::fixed(keys.unwrap()),
        ..world.setup()
    };
    let bank = Bank::new(setup, oyez_tpp::domain::version::ApiVersion::V4_0).unwrap();
    let error = bank
        .set_verifier()
        .verify(&signed(&world, &claims("j")))
        .await
        .unwrap_err();
    assert_eq!(code(&error), "invalid_key");
    assert!(world.bank.seen("/jwks").is_empty());
}
