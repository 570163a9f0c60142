//! Tokens: asked for once, over the client's certificate, and kept no longer than they are good.

use std::collections::BTreeMap;
use std::time::Duration;

use oyez_tpp::jose::compact::{Compact, Verifier};
use oyez_tpp::jose::{Form, Jwk, Jwks, UnixTime};
use oyez_tpp::{AccessToken, Authentication, Error, INTERACTION_ID, TokenError, header};
use serde_json::{Value, json};

use crate::fake_bank::{Canned, Seal, Seen};
use crate::world::{CLIENT, NOW, TPP_KID, World, path, wish};

fn form(seen: &Seen) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(&seen.body)
        .into_owned()
        .collect()
}

fn shown(token: &AccessToken) -> String {
    token.authorization().to_str().unwrap().to_owned()
}

fn created() -> Canned {
    let body = r#"{"Data":{"EventSubscriptionId":"s-1","Version":"4.0"}}"#;
    Canned::new(201, body).sealed(Seal::Good)
}

fn invalid_token() -> Canned {
    let challenge = r#"Bearer realm="bank", error="invalid_token""#;
    Canned::new(401, "").with("www-authenticate", challenge)
}

fn sent(world: &World) -> Vec<Seen> {
    world.bank.seen(&path("v4.0/event-subscriptions"))
}

// R-04
#[tokio::test]
async fn a_signed_assertion_proves_who_asks_for_a_token() {
    let world = World::new().await;
    let signer = world.signer(Form::Encoded);
    let tokens = world.tokens(Authentication::PrivateKeyJwt(signer));
    assert_eq!(shown(&tokens.token().await.unwrap()), "Bearer token-1");
    let seen = world.bank.saw("/token");
    assert_eq!(
        seen.headers[header::CONTENT_TYPE],
        "application/x-www-form-urlencoded"
    );
    assert_eq!(seen.certificate, world.certified.der());
    let form = form(&seen);
    assert_eq!(
        (form["grant_type"].as_str(), form["scope"].as_str()),
        ("client_credentials", "accounts payments")
    );
    assert_eq!(
        form["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    let keys: Jwks = [Jwk::new(TPP_KID, world.key.public_key().clone())]
        .into_iter()
        .collect();
    let assertion = Compact::parse(&form["client_assertion"]).unwrap();
    let now = UnixTime::from_seconds(NOW);
    let verified = Verifier::types(["JWT"])
        .verify(assertion, &keys, now)
        .unwrap();
    let claims: Value = serde_json::from_slice(&verified.payload).unwrap();
    let endpoint = world.bank.url("/token");
    let expected = json!({
        "iss": CLIENT, "sub": CLIENT, "aud": endpoint, "jti": claims["jti"], "iat": NOW, "exp": NOW + 60,
    });
    assert_eq!(claims, expected);

    world.clock.advance(Duration::from_secs(300));
    drop(tokens.token().await.unwrap());
    let again = self::form(&world.bank.seen("/token")[1]);
    let again = Compact::parse(&again["client_assertion"]).unwrap();
    let again: Value = serde_json::from_slice(again.unverified_payload()).unwrap();
    assert_ne!(claims["jti"], again["jti"]);
}

// R-04
#[tokio::test]
async fn a_certificate_alone_proves_it_where_the_bank_says_so() {
    let world = World::new().await;
    let tokens = world.tokens(Authentication::TlsClientAuth);
    drop(tokens.token().await.unwrap());
    let seen = world.bank.saw("/token");
    assert_eq!(
        form(&seen).get("client_id").map(String::as_str),
        Some(CLIENT)
    );
    assert_eq!(form(&seen).get("client_assertion"), None);
    assert_eq!(seen.certificate, world.certified.der());
}

// R-04
#[tokio::test]
async fn a_token_is_kept_until_shortly_before_it_expires() {
    let world = World::new().await;
    let tokens = world.tokens(Authentication::TlsClientAuth);
    drop(tokens.token().await.unwrap());
    world.clock.advance(Duration::from_secs(269));
    assert_eq!(shown(&tokens.token().await.unwrap()), "Bearer token-1");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(shown(&tokens.token().await.unwrap()), "Bearer token-2");
    // Of a short life half is used; of a life unsaid, half a minute.
    for token in [
        r#"{"access_token":"a","token_type":"bearer","expires_in":40}"#,
        r#"{"access_token":"b","token_type":"BEARER"}"#,
    ] {
        world.clock.advance(Duration::from_secs(300));
        world.bank.answers_token(Canned::new(200, token));
        let kept = shown(&tokens.token().await.unwrap());
        world.clock.advance(Duration::from_secs(19));
        assert_eq!(shown(&tokens.token().await.unwrap()), kept);
        world.clock.advance(Duration::from_secs(11));
        assert_ne!(shown(&tokens.token().await.unwrap()), kept);
    }
}

// R-04
#[tokio::test]
async fn who_asks_while_a_token_is_fetched_shares_it_and_its_failure() {
    let world = World::new().await;
    let tokens = world.tokens(Authentication::TlsClientAuth);
    world.bank.answers_token(Canned::new(
        400,
        r#"{"error":"invalid_client","error_description":"no"}"#,
    ));
    let (one, two, three) = tokio::join!(tokens.token(), tokens.token(), tokens.token());
    for failed in [one, two, three] {
        let Err(error) = failed else {
            panic!("the endpoint said no");
        };
        let TokenError::Refused { status, error, .. } = &*error else {
            panic!("{error:?}");
        };
        assert_eq!((*status, error.as_str()), (400, "invalid_client"));
    }
    assert_eq!(world.bank.seen("/token").len(), 1);
    let (one, two, three) = tokio::join!(tokens.token(), tokens.token(), tokens.token());
    for token in [one, two, three] {
        assert_eq!(shown(&token.unwrap()), "Bearer token-1");
    }
    assert_eq!(world.bank.seen("/token").len(), 2);
}

// R-04
#[tokio::test]
async fn what_is_no_bearer_token_is_not_used() {
    let world = World::new().await;
    let tokens = world.tokens(Authentication::TlsClientAuth);
    for answer in [
        "token",
        r#"{"access_token":"a","token_type":"mac"}"#,
        r#"{"access_token":"","token_type":"Bearer"}"#,
        r#"{"access_token":"a\r\nx-evil: 1","token_type":"Bearer"}"#,
    ] {
        world.bank.answers_token(Canned::new(200, answer));
        let Err(error) = tokens.token().await else {
            panic!("{answer}");
        };
        assert!(
            matches!(*error, TokenError::Unusable(_)),
            "{answer}: {error}"
        );
    }
}

// R-04
#[tokio::test]
async fn a_token_that_the_bank_takes_no_more_is_replaced_once() {
    let world = World::new().await;
    let bank = world.seen_bank();
    let expired = Canned::new(
        401,
        r#"{"Id":"1","Errors":[{"ErrorCode":"TKXP","Message":"expired"}]}"#,
    );
    for (round, refusal) in [invalid_token(), expired].into_iter().enumerate() {
        world.bank.answers(refusal);
        world.bank.answers(created());
        drop(bank.subscriptions().create(&wish()).await.unwrap());
        let [.., first, second] = &sent(&world)[..] else {
            panic!("two requests were sent");
        };
        let bearer = |number: usize| format!("Bearer token-{number}");
        assert_eq!(first.headers[header::AUTHORIZATION], bearer(round + 1));
        assert_eq!(second.headers[header::AUTHORIZATION], bearer(round + 2));
        assert_ne!(
            first.headers[INTERACTION_ID],
            second.headers[INTERACTION_ID]
        );
    }
}

// R-04
#[tokio::test]
async fn a_bank_that_takes_no_token_is_not_asked_a_third_time() {
    let world = World::new().await;
    world.bank.answers(invalid_token());
    world.bank.answers(invalid_token());
    let error = world
        .seen_bank()
        .subscriptions()
        .create(&wish())
        .await
        .unwrap_err();
    let refused = error.refusal().unwrap();
    assert_eq!(refused.status, 401);
    assert!(
        refused
            .challenge
            .as_deref()
            .unwrap()
            .contains("invalid_token")
    );
    assert_eq!(
        (sent(&world).len(), world.bank.seen("/token").len()),
        (2, 2)
    );
}

// R-04
#[tokio::test]
async fn a_401_that_does_not_blame_the_token_leaves_it_alone() {
    let world = World::new().await;
    world
        .bank
        .answers(Canned::new(401, "").with("www-authenticate", "Bearer"));
    let error = world
        .seen_bank()
        .subscriptions()
        .create(&wish())
        .await
        .unwrap_err();
    assert_eq!(error.refusal().map(|refused| refused.status), Some(401));
    assert_eq!(
        (sent(&world).len(), world.bank.seen("/token").len()),
        (1, 1)
    );
}

// R-04
#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let world = World::new().await;
    world.bank.answers_token(Canned::new(503, "busy"));
    let error = world
        .seen_bank()
        .subscriptions()
        .create(&wish())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Token(_)), "{error:?}");
    assert!(sent(&world).is_empty());
}
