//! Access tokens, judged by the crate that judges them in production.

use oyez_jose::compact::{Compact, Error, Verifier};
use oyez_jose::{UnixTime, looks_like_set};
use oyez_testkit::clock::DAWN;
use oyez_testkit::keys;
use oyez_testkit::tokens::{AuthorisationServer, Token};
use serde_json::json;

fn judged(server: &AuthorisationServer, token: &Token) -> Result<(), Error> {
    let minted = token.mint();
    let now = UnixTime::from_milliseconds(DAWN.unix_ms());
    let verifier = Verifier::types(["at+jwt"]);
    let verified = verifier.verify(Compact::parse(&minted)?, &server.jwks(), now);
    verified.map(|_| ())
}

#[test]
fn a_good_token_is_good_with_either_kind_of_key() {
    for server in [AuthorisationServer::new(), AuthorisationServer::rsa()] {
        assert_eq!(judged(&server, &server.token("tpp-1", None, DAWN)), Ok(()));
    }
}

#[test]
fn a_wrong_token_is_wrong() {
    let server = AuthorisationServer::rsa();
    let good = server.token("tpp-1", None, DAWN);
    let wrong = [
        good.clone().signed_by(&keys::STRANGER),
        good.clone().unsecured(),
        good.clone().hs256_by_public_key(&server),
        good.clone().header("typ", "JWT"),
        good.clone().header("kid", "unheard-of"),
        good.clone().without_header("alg"),
    ];
    for token in wrong {
        assert!(judged(&server, &token).is_err(), "{}", token.mint());
    }
}

#[test]
fn a_token_with_events_looks_like_a_set() {
    let token = AuthorisationServer::new().token("tpp-1", None, DAWN);
    assert!(!looks_like_set(&token.mint()));
    assert!(looks_like_set(&token.claim("events", json!({})).mint()));
}
