//! Tokens that are JWTs.

use std::sync::Arc;
use std::time::Duration;

use oyez_jose::access_token::{Algorithm, Types};
use oyez_jose::{Jwk, Jwks};
use oyez_testkit::clock::ManualClock;
use oyez_web::remote_keys::{FLOOR, RemoteKeys};
use oyez_web::tokens::jwt::{Keys, Options, Validator};
use oyez_web::tokens::{
    AccessToken, BadOptions, LEEWAY, TOKEN_BYTES_MAX, TokenError, ValidateTokens,
};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use super::minting::{
    AUDIENCE, ISSUER, OTHER, RSA, but, claims, encode, es256, header, hs256, key_set, key_set_json,
    ps256, rs256, signed, signed_text, token,
};
use crate::origin::{Act, NOW, Origin, client, clock};

fn options() -> Options {
    Options::new(ISSUER, vec!["another".to_owned(), AUDIENCE.to_owned()])
}

fn validator(options: Options) -> Validator {
    let (_, keys) = watch::channel(Arc::new(key_set()));
    Validator::new(options, Keys::Given(keys), clock()).unwrap()
}

async fn validate(token: &str) -> Result<AccessToken, TokenError> {
    validator(options()).validate(token).await
}

async fn why(token: &str) -> TokenError {
    validate(token).await.unwrap_err()
}

const NO_JWT: &str = "the access token is no JWT";
const ALGORITHM: &str = "the algorithm of the access token is not allowed here";
const TYP: &str = "the typ of the access token is not that of access tokens";
const HEADER: &str = "the header of the access token cannot be accepted";
const KEY: &str = "the key of the access token is none that its issuer signs with";
const NO_KID: &str = "the access token names no key";
const SIGNATURE: &str = "the signature of the access token does not verify";
const CLAIMS: &str = "the claims of the access token are no JSON object, or not strictly so";
const NOT_YET: &str = "the access token is not valid yet";
const AUD: &str = "the access token is for another audience";
const ISS: &str = "the access token is of another issuer";
const TEXT: &str = "a claim of the access token that must be a text is none";
const TIME: &str = "a claim of the access token that must be a time is none";
const NO_EXP: &str = "the access token has no exp";
const BOUND: &str = "the access token is bound to something else than a certificate";
const SET: &str = "a security event token is no access token";

// A-01, A-02
#[tokio::test]
async fn a_sound_token_says_whose_it_is_what_it_opens_and_what_it_is_bound_to() {
    let token = validate(&token(&claims())).await.unwrap();
    assert_eq!(token.holder().client_id, Some("tpp-1"));
    assert_eq!(token.holder().sub, None);
    assert_eq!(token.scopes(), ["accounts", "payments"]);
    let bound_to = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";
    assert_eq!(token.bound_to(), Some(bound_to));
    assert_eq!(format!("{token:?}"), "AccessToken(…)");
}

// A-02
#[tokio::test]
async fn sound_tokens_pass_in_every_form_that_the_standards_allow() {
    let said = claims();
    let good = [
        token(&but(said.clone(), json!({"aud": ["x", AUDIENCE]}))),
        token(&but(
            said.clone(),
            json!({"nbf": NOW, "iat": null, "cnf": null}),
        )),
        token(&but(said.clone(), json!({"exp": NOW + 1, "iat": NOW + 10}))),
        token(&but(
            said.clone(),
            json!({"exp": f64::from(1_700_000_100) + 0.5}),
        )),
        token(&but(said.clone(), json!({"exp": NOW - 9}))),
        signed(
            &but(header(), json!({"typ": "application/AT+JWT"})),
            &said.to_string(),
            es256,
        ),
        signed(
            &but(header(), json!({"alg": "PS256", "kid": "rsa"})),
            &said.to_string(),
            ps256,
        ),
    ];
    for token in good {
        assert!(validate(&token).await.is_ok(), "{token}");
    }
}

// A-01, A-02
#[tokio::test]
async fn every_bad_header_and_signature_is_refused_for_what_it_is() {
    let said = claims().to_string();
    let with = |changes: Value| signed(&but(header(), changes), &said, es256);
    let good = token(&claims());
    let (input, signature) = good.rsplit_once('.').unwrap();
    let by_other = |input: &[u8]| OTHER.sign_now(input).unwrap();
    let foreign = Value::from(OTHER.public_key().to_jwk("ec"));
    let bad = [
        (String::new(), NO_JWT),
        ("opaque".to_owned(), NO_JWT),
        ("a.b.c".to_owned(), NO_JWT),
        (format!("{good}."), NO_JWT),
        (format!("{good}="), NO_JWT),
        (good.replace('.', ".."), NO_JWT),
        (signed_text("[]", &said, es256), NO_JWT),
        (
            signed_text(r#"{"alg":"ES256","alg":"ES256"}"#, &said, es256),
            NO_JWT,
        ),
        (
            signed(&but(header(), json!({"alg": "none"})), &said, |_| {
                Vec::new()
            }),
            ALGORITHM,
        ),
        (
            signed(
                &but(header(), json!({"alg": "HS256", "kid": "rsa"})),
                &said,
                hs256,
            ),
            ALGORITHM,
        ),
        (
            signed(
                &but(header(), json!({"alg": "RS256", "kid": "rsa"})),
                &said,
                rs256,
            ),
            ALGORITHM,
        ),
        (with(json!({"alg": null})), ALGORITHM),
        (with(json!({"alg": "es256"})), ALGORITHM),
        (with(json!({"typ": null})), TYP),
        (with(json!({"typ": "JWT"})), TYP),
        (with(json!({"typ": "JOSE"})), TYP),
        (with(json!({"typ": 1})), TYP),
        (with(json!({"crit": ["x"], "x": 1})), HEADER),
        (with(json!({"crit": []})), HEADER),
        (with(json!({"b64": false})), HEADER),
        (with(json!({"kid": null})), NO_KID),
        (with(json!({"kid": ""})), NO_KID),
        (with(json!({"kid": "nobody's"})), KEY),
        (with(json!({"kid": "rsa"})), KEY),
        (with(json!({"kid": "ec-enc"})), KEY),
        (with(json!({"kid": "ec-revoked"})), KEY),
        (with(json!({"kid": "ec-expired"})), KEY),
        (format!("{input}."), SIGNATURE),
        (format!("{input}.{}", encode(&[0; 64])), SIGNATURE),
        (signed(&header(), &said, by_other), SIGNATURE),
        (
            signed(&but(header(), json!({"jwk": foreign})), &said, by_other),
            SIGNATURE,
        ),
        (
            format!(
                "{}.{}.{signature}",
                encode(header().to_string().as_bytes()),
                encode(b"{}")
            ),
            SIGNATURE,
        ),
    ];
    for (token, refused) in bad {
        assert_eq!(why(&token).await, TokenError::Invalid(refused), "{token}");
    }
}

// A-01, A-02
#[tokio::test]
async fn every_bad_claim_is_refused_for_what_it_is() {
    let with = |changes: Value| but(claims(), changes).to_string();
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let bad = [
        ("[]".to_owned(), CLAIMS),
        ("opaque".to_owned(), CLAIMS),
        (
            format!(r#"{{"exp":9999999999,{}"#, &claims().to_string()[1..]),
            CLAIMS,
        ),
        (
            format!(r#"{{"x":{deep},{}"#, &claims().to_string()[1..]),
            CLAIMS,
        ),
        (with(json!({"iss": null})), ISS),
        (with(json!({"iss": "https://as.bank.example/"})), ISS),
        (with(json!({"iss": "https://AS.bank.example"})), ISS),
        (with(json!({"iss": [ISSUER]})), TEXT),
        (with(json!({"aud": null})), AUD),
        (with(json!({"aud": "https://api.bank.example/x"})), AUD),
        (with(json!({"aud": []})), AUD),
        (with(json!({"aud": ["x", 1]})), AUD),
        (with(json!({"aud": {"a": AUDIENCE}})), AUD),
        (with(json!({"exp": null})), NO_EXP),
        (with(json!({"exp": "9999999999"})), TIME),
        (with(json!({"exp": true})), TIME),
        (with(json!({"nbf": NOW + 11})), NOT_YET),
        (with(json!({"nbf": "soon"})), TIME),
        (with(json!({"iat": NOW + 11})), NOT_YET),
        (with(json!({"sub": 7})), TEXT),
        (with(json!({"client_id": ["tpp-1"]})), TEXT),
        (with(json!({"azp": {}})), TEXT),
        (with(json!({"cnf": {"jkt": "x"}})), BOUND),
        (with(json!({"cnf": {"x5t#S256": 1}})), BOUND),
        (with(json!({"cnf": "x"})), BOUND),
    ];
    for (payload, refused) in bad {
        let token = signed(&header(), &payload, es256);
        assert_eq!(why(&token).await, TokenError::Invalid(refused), "{payload}");
    }
}

// A-08
#[tokio::test]
async fn a_set_is_refused_whatever_the_policy() {
    let set = but(
        claims(),
        json!({"events": {"urn:uk:org:openbanking:events:resource-update": {}}}),
    );
    let null_events = claims().to_string().replacen('{', r#"{"events":null,"#, 1);
    let typed = |typ: &str| but(header(), json!({ "typ": typ }));
    let sets = [
        token(&set),
        signed(&header(), &null_events, es256),
        signed(&typed("secevent+jwt"), &claims().to_string(), es256),
        signed(
            &typed("application/SecEvent+JWT"),
            &claims().to_string(),
            es256,
        ),
        signed(&typed("JWT"), &set.to_string(), es256),
        signed(&typed("JOSE"), &set.to_string(), ps256),
    ];
    let lenient = validator(Options {
        types: Types::Lenient,
        ..options()
    });
    for token in sets {
        assert_eq!(why(&token).await, TokenError::Invalid(SET), "{token}");
        let refused = lenient.validate(&token).await.unwrap_err();
        assert_eq!(refused, TokenError::Invalid(SET), "{token}");
    }
}

// A-01, A-02
#[tokio::test]
async fn only_a_token_that_holds_in_all_else_is_called_expired() {
    let old = |changes: Value| but(but(claims(), json!({"exp": NOW - 10})), changes);
    assert_eq!(why(&token(&old(json!({})))).await, TokenError::Expired);
    let by_other = |input: &[u8]| OTHER.sign_now(input).unwrap();
    let forged = signed(&header(), &old(json!({})).to_string(), by_other);
    assert_eq!(why(&forged).await, TokenError::Invalid(SIGNATURE));
    for (changes, refused) in [
        (json!({"aud": "x"}), AUD),
        (json!({"iss": "x"}), ISS),
        (json!({"nbf": NOW + 60}), NOT_YET),
        (json!({"cnf": {}}), BOUND),
    ] {
        let refusal = why(&token(&old(changes))).await;
        assert_eq!(refusal, TokenError::Invalid(refused));
    }
}

// A-01
#[tokio::test]
async fn a_token_expires_while_it_is_looked_at_by_the_clock_and_the_leeway() {
    let clock = clock();
    let (_, keys) = watch::channel(Arc::new(key_set()));
    let validator = Validator::new(options(), Keys::Given(keys), Arc::clone(&clock) as _).unwrap();
    let token = token(&but(claims(), json!({"exp": NOW + 60})));
    clock.advance(Duration::from_secs(60) + LEEWAY - Duration::from_millis(1));
    assert!(validator.validate(&token).await.is_ok());
    clock.advance(Duration::from_millis(1));
    assert_eq!(
        validator.validate(&token).await.unwrap_err(),
        TokenError::Expired
    );
}

// A-01
#[tokio::test]
async fn a_token_without_end_is_refused_before_it_is_read() {
    let long = token(&but(claims(), json!({"x": "x".repeat(TOKEN_BYTES_MAX)})));
    let refused = TokenError::Invalid("the access token is too long");
    assert_eq!(why(&long).await, refused);
}

// A-01
#[tokio::test]
async fn a_token_in_which_any_character_was_changed_is_refused() {
    let good = token(&claims());
    let validator = validator(options());
    assert!(validator.validate(&good).await.is_ok());
    for (index, one) in good.char_indices() {
        for other in ["", "A", "_", ".", "=", "\u{e9}"] {
            if other.starts_with(one) {
                continue;
            }
            let changed = format!("{}{other}{}", &good[..index], &good[index + 1..]);
            let refused = validator.validate(&changed).await;
            assert!(matches!(refused, Err(TokenError::Invalid(_))), "{changed}");
        }
    }
}

// A-02
#[tokio::test]
async fn older_types_and_rs256_pass_where_they_are_opted_in() {
    let validator = validator(Options {
        types: Types::Lenient,
        algorithms: vec![Algorithm::RS256],
        ..options()
    });
    for typ in [json!("JWT"), json!("at+jwt"), json!(null)] {
        let header = but(header(), json!({"alg": "RS256", "kid": "rsa", "typ": typ}));
        let token = signed(&header, &claims().to_string(), rs256);
        assert!(validator.validate(&token).await.is_ok(), "{header}");
    }
    let not_allowed = validator.validate(&token(&claims())).await.unwrap_err();
    assert_eq!(not_allowed, TokenError::Invalid(ALGORITHM));
}

// A-02
#[tokio::test]
async fn keys_from_a_file_are_exchanged_without_a_restart() {
    let (send, keys) = watch::channel(Arc::new(key_set()));
    let validator = Validator::new(options(), Keys::Given(keys), clock()).unwrap();
    let token = token(&claims());
    assert!(validator.validate(&token).await.is_ok());
    let others: Jwks = [Jwk::new("ec", OTHER.public_key().clone())]
        .into_iter()
        .collect();
    send.send_replace(Arc::new(others));
    let refused = validator.validate(&token).await.unwrap_err();
    assert_eq!(refused, TokenError::Invalid(SIGNATURE));
}

// A-02
#[test]
fn a_validator_that_would_believe_too_much_or_nothing_is_not_made() {
    let make = |options| {
        let (_, keys) = watch::channel(Arc::new(Jwks::default()));
        Validator::new(options, Keys::Given(keys), clock()).err()
    };
    let leeway = Duration::from_secs(61);
    assert_eq!(
        make(Options {
            leeway,
            ..options()
        }),
        Some(BadOptions::Leeway)
    );
    assert_eq!(
        make(Options::new(ISSUER, Vec::new())),
        Some(BadOptions::NoAudience)
    );
    let algorithms = Vec::new();
    assert_eq!(
        make(Options {
            algorithms,
            ..options()
        }),
        Some(BadOptions::NoAlgorithm)
    );
    assert_eq!(make(options()), None);
}

/// A validator whose keys are at an authorisation server's.
async fn remote(acts: impl IntoIterator<Item = Act>) -> (Arc<Validator>, Origin, Arc<ManualClock>) {
    let origin = Origin::start(acts).await;
    let clock = clock();
    let keys = RemoteKeys::new(
        client(),
        Arc::clone(&clock) as _,
        TaskTracker::new(),
        oyez_web::remote_keys::Options::default(),
    );
    let keys = Keys::AtUrl {
        url: origin.url("/jwks"),
        remote: Arc::new(keys),
    };
    let validator = Validator::new(options(), keys, Arc::clone(&clock) as _).unwrap();
    (Arc::new(validator), origin, clock)
}

// A-02
#[tokio::test]
async fn keys_by_url_are_fetched_once_and_anew_for_an_unknown_kid() {
    let only_rsa = json!({"keys": [RSA.public_key().to_jwk("rsa")]}).to_string();
    let acts = [Act::Answer(200, only_rsa), Act::Answer(200, key_set_json())];
    let (validator, origin, clock) = remote(acts).await;
    let token = token(&claims());
    let refused = validator.validate(&token).await.unwrap_err();
    assert_eq!((refused, origin.asked()), (TokenError::Invalid(KEY), 1));
    clock.advance(FLOOR);
    for _ in 0..10 {
        assert!(validator.validate(&token).await.is_ok());
    }
    assert_eq!(origin.asked(), 2);
}

// A-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_tokens_of_unknown_keys_cause_one_fetch() {
    let (validator, origin, clock) = remote([Act::Answer(200, key_set_json())]).await;
    validator.validate(&token(&claims())).await.unwrap();
    clock.advance(FLOOR);
    origin.hold();
    let mut validating = JoinSet::new();
    for index in 0..100 {
        let validator = Arc::clone(&validator);
        let header = but(header(), json!({"kid": format!("unknown-{index}")}));
        let token = signed(&header, &claims().to_string(), es256);
        validating.spawn(async move { validator.validate(&token).await.map(drop) });
    }
    origin.until_asked(2).await;
    origin.release();
    let outcomes = validating.join_all().await;
    assert!(
        outcomes
            .iter()
            .all(|outcome| *outcome == Err(TokenError::Invalid(KEY)))
    );
    assert_eq!(origin.asked(), 2);
}

// A-02
#[tokio::test]
async fn while_keys_cannot_be_had_nobody_says_whether_a_token_holds() {
    let (validator, _origin, _) = remote([Act::Answer(500, String::new())]).await;
    let refused = validator.validate(&token(&claims())).await.unwrap_err();
    let why = "the key set cannot be fetched: the answer is 500";
    assert_eq!(refused, TokenError::Unavailable(why.to_owned()));
}

// A-02, A-08
#[tokio::test]
async fn what_can_be_refused_without_a_key_causes_no_fetch() {
    let (validator, origin, _) = remote([Act::Answer(200, key_set_json())]).await;
    let said = claims().to_string();
    let jku = origin.url("/evil");
    for header in [
        but(header(), json!({"alg": "none"})),
        but(header(), json!({"typ": "JWT"})),
        but(header(), json!({"typ": "secevent+jwt"})),
        but(header(), json!({"kid": null, "jku": jku})),
        but(header(), json!({"crit": ["jku"], "jku": jku})),
    ] {
        let refused = validator.validate(&signed(&header, &said, es256)).await;
        assert!(matches!(refused, Err(TokenError::Invalid(_))), "{header}");
    }
    assert!(validator.validate("garbage").await.is_err());
    assert_eq!(origin.asked(), 0);
}
