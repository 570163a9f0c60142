//! What a bank pushes, and what others push in its name.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame};
use hyper::{Request, Response};
use oyez_tpp::jose::{HeaderProfile, KeyKind, LocalKey};
use oyez_tpp::{
    AGE_MAX, Bytes, Declined, INTERACTION_ID, Identity, Intake, Pusher, Receiver, ReceiverSetup,
    Repeat, SeenInMemory, SetError, SetVerifier,
};
use serde_json::{Value, json};

use crate::application::Application;
use crate::fake_bank::KID;
use crate::sets::{changed, claims, sign, signed};
use crate::world::{ANCHOR, CLIENT, NOW, ORG_ID, World, random};

/// A TPP that receives.
struct Site {
    world: World,
    application: Arc<Application>,
    receiver: Receiver,
    observed: Arc<Mutex<Vec<String>>>,
}

/// What came back.
struct Answer {
    status: u16,
    response: Response<Bytes>,
}

impl Site {
    async fn new() -> Self {
        Self::with(World::new().await)
    }

    fn with(world: World) -> Self {
        let pusher = Pusher {
            name: "bank".into(),
            verifier: world.seen_bank().set_verifier().clone(),
        };
        Self::of(world, vec![pusher])
    }

    fn of(world: World, banks: Vec<Pusher>) -> Self {
        let application = Application::open();
        let seen = Arc::new(SeenInMemory::new(AGE_MAX));
        let taking = Arc::clone(&application);
        let observed: Arc<Mutex<Vec<String>>> = Arc::default();
        let observing = Arc::clone(&observed);
        let receiver = Receiver::new(ReceiverSetup {
            banks,
            intake: Intake::new(seen, taking, world.clock()),
            body_time_max: Duration::from_secs(10),
            retry_after: Duration::from_secs(5),
            clock: world.clock(),
            random: random(),
            observer: Some(Arc::new(move |it| {
                let text = format!("{} {:?} {:?}", it.status, it.bank, it.jti);
                observing.lock().unwrap().push(text);
            })),
        });
        Self {
            world,
            application,
            receiver,
            observed,
        }
    }

    async fn ask<B>(&self, request: Request<B>) -> Answer
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = self.receiver.answer(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            response: Response::from_parts(head, body),
        }
    }

    async fn push(&self, set: &str) -> Answer {
        self.ask(request(set)).await
    }

    fn set(&self, jti: &str) -> String {
        signed(&self.world, &claims(jti))
    }

    /// Nothing has reached the application.
    fn assert_nothing_got_through(&self) {
        assert_eq!(self.application.got(), []);
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let value = self.response.headers().get(name)?;
        Some(value.to_str().unwrap())
    }

    /// `err` of a refusal.
    fn err(&self) -> String {
        self.refusal().0
    }

    /// `err` and `description` of a refusal; everything that belongs to one is there.
    fn refusal(&self) -> (String, String) {
        assert_eq!(self.status, 400, "{:?}", self.response);
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("content-language"), Some("en"));
        assert!(self.header("x-fapi-interaction-id").is_some());
        let body: Value = serde_json::from_slice(self.response.body()).unwrap();
        let [err, description] = ["err", "description"].map(|it| body[it].as_str().unwrap());
        assert!((1..=256).contains(&description.chars().count()));
        (err.to_owned(), description.to_owned())
    }
}

fn request(set: &str) -> Request<Full<Bytes>> {
    let request = Request::post("/open-banking/v4.0/event-notifications");
    let request = request.header("content-type", "application/jwt");
    let request = request.header(INTERACTION_ID, "i-1");
    request.body(Full::from(set.to_owned())).unwrap()
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

// R-01
#[tokio::test]
async fn an_event_is_acknowledged_once_it_is_handed_over_and_a_repeat_as_the_first() {
    let site = Site::new().await;
    let set = site.set("j");
    for _ in 0..2 {
        let answer = site.push(&set).await;
        assert_eq!(answer.status, 202);
        assert_eq!(answer.header("x-fapi-interaction-id"), Some("i-1"));
        assert!(answer.response.body().is_empty());
    }
    assert_eq!(site.application.got(), [("j".to_owned(), Repeat::No)]);
    let told = "202 Accepted Some(\"bank\") Some(\"j\")";
    assert_eq!(*site.observed.lock().unwrap(), [told, told]);
}

// R-01
#[tokio::test]
async fn an_event_without_an_interaction_id_gets_a_fresh_one() {
    let site = Site::new().await;
    let mut request = request(&site.set("j"));
    request.headers_mut().remove(INTERACTION_ID);
    let answer = site.ask(request).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.header("x-fapi-interaction-id").unwrap().len(), 36);
}

// R-01, T-07
#[tokio::test]
async fn every_profile_is_received_and_either_content_type() {
    let site = Site::new().await;
    for (jti, profile, kind) in [
        ("1", HeaderProfile::OpenBanking, "application/jwt"),
        ("2", HeaderProfile::Jwt, "Application/JWT; charset=utf-8"),
        ("3", HeaderProfile::Rfc8417, "application/secevent+jwt"),
    ] {
        let set = sign(profile, &site.world.bank.key, ORG_ID, &claims(jti));
        let mut request = request(&format!("{set}\r\n"));
        let kind = kind.parse().unwrap();
        request.headers_mut().insert("content-type", kind);
        assert_eq!(site.ask(request).await.status, 202, "{profile:?}");
    }
    assert_eq!(site.application.got().len(), 3);
}

// R-01
#[tokio::test]
async fn what_the_bank_did_not_sign_is_refused_with_the_right_code() {
    let site = Site::new().await;
    let world = &site.world;
    let set = site.set("j");
    let (header, rest) = set.split_once('.').unwrap();
    let payload = rest.split('.').next().unwrap();
    let unsigned = |alg: &str| {
        let header = encoded(&json!({"alg": alg, "kid": KID, "typ": "JOSE"}));
        format!("{header}.{payload}.")
    };
    // HMAC keyed with the public key, as a verifier that takes the key's bytes for a secret would check it.
    let hs256 = {
        let header = encoded(&json!({"alg": "HS256", "kid": KID, "typ": "JWT"}));
        let input = format!("{header}.{payload}");
        let public = json!(world.bank.key.public_key().to_jwk(KID)).to_string();
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, public.as_bytes());
        let mac = aws_lc_rs::hmac::sign(&key, input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac))
    };
    let other = LocalKey::generate(KeyKind::P256).unwrap();
    let by_another = sign(HeaderProfile::OpenBanking, &other, ORG_ID, &claims("j"));
    let of_another = sign(
        HeaderProfile::OpenBanking,
        &world.bank.key,
        "x",
        &claims("j"),
    );
    let tampered = {
        let claims = encoded(&changed("j", |it| it["txn"] = json!("t-2")));
        let signature = set.rsplit('.').next().unwrap();
        format!("{header}.{claims}.{signature}")
    };
    let jwe = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a2V5.aXY.dGV4dA.dGFn".to_owned();
    let attacks = [
        ("alg none", unsigned("none"), "invalid_request"),
        ("alg None", unsigned("None"), "invalid_request"),
        ("HS256", hs256, "invalid_request"),
        ("another key", by_another, "authentication_failed"),
        ("another org", of_another, "invalid_issuer"),
        ("tampered", tampered, "authentication_failed"),
        ("not a JWT", "hello".to_owned(), "invalid_request"),
        ("empty", String::new(), "invalid_request"),
        ("JWE", jwe, "invalid_request"),
    ];
    for (name, attack, code) in attacks {
        assert_eq!(site.push(&attack).await.err(), code, "{name}");
    }
    site.assert_nothing_got_through();
}

// R-01
#[tokio::test]
async fn a_body_that_is_too_long_or_no_text_is_refused_as_that() {
    let site = Site::new().await;
    // But for the bound it would be an event with a long line end.
    let long = format!("{}{}", site.set("j"), "\n".repeat(256 * 1024));
    let no_text = request("").map(|_| Full::from(&b"\xff"[..]));
    for (request, why) in [
        (request(&long), "the SET is longer than 262144 bytes"),
        (no_text, "the body is no text"),
    ] {
        let refusal = site.ask(request).await.refusal();
        assert_eq!(refusal, ("invalid_request".to_owned(), why.to_owned()));
    }
    site.assert_nothing_got_through();
}

// R-01
#[tokio::test]
async fn a_header_that_is_not_understood_or_says_a_thing_twice_is_refused() {
    let site = Site::new().await;
    let by_hand = |header: &str| {
        let payload = encoded(&claims("j"));
        let input = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header));
        let signature = site.world.bank.key.sign_now(input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let good = by_hand(r#"{"alg":"ES256","kid":"bank-1","typ":"JWT"}"#);
    assert_eq!(site.push(&good).await.status, 202, "the way is right");
    let got = site.application.got().len();
    for (header, code) in [
        (
            r#"{"alg":"ES256","kid":"bank-1","typ":"JWT","crit":["x"],"x":1}"#,
            "invalid_request",
        ),
        (
            r#"{"alg":"ES256","kid":"bank-1","typ":"JWT","crit":[]}"#,
            "invalid_request",
        ),
        (
            r#"{"alg":"ES256","alg":"ES256","kid":"bank-1"}"#,
            "invalid_request",
        ),
        (
            r#"{"alg":"ES256","kid":"bank-1","kid":"bank-2"}"#,
            "invalid_request",
        ),
        (
            r#"{"alg":"ES256","kid":"unknown","typ":"JWT"}"#,
            "invalid_key",
        ),
        (r#"{"alg":"ES256","typ":"JWT"}"#, "invalid_key"),
        (
            r#"{"alg":"PS256","kid":"bank-1","typ":"JWT"}"#,
            "invalid_key",
        ),
        (
            r#"{"alg":"ES256","kid":"bank-1","typ":"at+jwt"}"#,
            "invalid_request",
        ),
    ] {
        assert_eq!(site.push(&by_hand(header)).await.err(), code, "{header}");
    }
    assert_eq!(site.application.got().len(), got);
}

// R-01
#[tokio::test]
async fn a_kid_that_was_swapped_for_that_of_another_key_proves_nothing() {
    let site = Site::new().await;
    let next = LocalKey::generate(KeyKind::P256).unwrap();
    let bank = &site.world.bank;
    bank.publishes(&[("bank-2", &bank.key), (KID, &next)]);
    assert_eq!(
        site.push(&site.set("j")).await.err(),
        "authentication_failed"
    );
    site.assert_nothing_got_through();
}

// R-01
#[tokio::test]
async fn an_event_of_or_for_somebody_else_is_refused() {
    let site = Site::new().await;
    for (change, code) in [
        (json!({"aud": "another"}), "invalid_audience"),
        (json!({"iss": "https://other.example/"}), "invalid_issuer"),
        (json!({"iat": NOW + 61}), "invalid_request"),
        (json!({"events": {}}), "invalid_request"),
        (json!({"jti": 1}), "invalid_request"),
    ] {
        let changes = change.as_object().unwrap().clone();
        let claims = changed("j", |it| it.as_object_mut().unwrap().extend(changes));
        let set = signed(&site.world, &claims);
        assert_eq!(site.push(&set).await.err(), code, "{change}");
    }
    site.assert_nothing_got_through();
}

// R-01
#[tokio::test]
async fn a_request_that_can_be_read_in_two_ways_is_refused() {
    let site = Site::new().await;
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-type", "application/jwt"),
        ("x-fapi-interaction-id", "i-2"),
    ] {
        let mut request = request(&site.set("j"));
        request.headers_mut().append(name, value.parse().unwrap());
        assert_eq!(site.ask(request).await.err(), "invalid_request", "{name}");
    }
    let mut bare = request(&site.set("j"));
    bare.headers_mut().remove("content-type");
    assert_eq!(site.ask(bare).await.err(), "invalid_request");
    let mut asked = request(&site.set("j"));
    *asked.method_mut() = hyper::Method::GET;
    let answer = site.ask(asked).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    site.assert_nothing_got_through();
}

// R-01
#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    /// Some of a body, and then nothing for ever.
    struct Slow(Option<Bytes>);
    impl Body for Slow {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.take() {
                Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                None => Poll::Pending,
            }
        }
    }
    let site = Site::new().await;
    let request = request("").map(|_| Slow(Some(Bytes::from_static(b"eyJ"))));
    assert_eq!(site.ask(request).await.status, 408);
    site.assert_nothing_got_through();
}

// R-01
#[tokio::test]
async fn what_is_our_own_trouble_does_not_blame_the_event() {
    let site = Site::new().await;
    site.world.bank.hides_keys();
    let set = site.set("j");
    let answer = site.push(&set).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("5"))
    );
    assert!(answer.response.body().is_empty());
    site.world.bank.publishes(&[(KID, &site.world.bank.key)]);
    site.world.clock.advance(Duration::from_secs(60));
    site.application.declines(Declined::Later("full".into()));
    assert_eq!(site.push(&set).await.status, 503);
    site.application.declines(Declined::Never(SetError {
        err: "invalid_request".to_owned(),
        description: "unknown consent ".repeat(20),
    }));
    let (err, description) = site.push(&set).await.refusal();
    assert_eq!(err, "invalid_request");
    assert!(description.starts_with("unknown consent "));
    assert_eq!(site.push(&set).await.status, 202);
    let repeats: Vec<Repeat> = site.application.got().iter().map(|it| it.1).collect();
    assert_eq!(repeats, [Repeat::No, Repeat::Possible, Repeat::Possible]);
}

// R-01
#[tokio::test]
async fn of_several_banks_the_issuer_says_which_and_its_own_keys_prove_it() {
    let (world, other) = (World::new().await, World::new().await);
    let second = SetVerifier::new(
        &Identity {
            org_id: "other".to_owned(),
            trust_anchors: vec![ANCHOR.to_owned()],
            set_issuer: "https://other.example/".to_owned(),
        },
        CLIENT,
        Arc::default(),
        other.setup().keys,
        other.clock(),
    );
    let first = world.seen_bank().set_verifier().clone();
    let banks = [("one", first), ("two", second)].map(|(name, verifier)| Pusher {
        name: name.into(),
        verifier,
    });
    let site = Site::of(world, banks.into());
    let theirs = changed("k", |it| it["iss"] = json!("https://other.example/"));
    let by_them = sign(
        HeaderProfile::OpenBanking,
        &other.bank.key,
        "other",
        &theirs,
    );
    assert_eq!(site.push(&site.set("j")).await.status, 202);
    assert_eq!(site.push(&by_them).await.status, 202);
    // The first bank's key does not prove what the second says.
    let forged = sign(
        HeaderProfile::OpenBanking,
        &site.world.bank.key,
        "other",
        &theirs,
    );
    assert_eq!(site.push(&forged).await.err(), "authentication_failed");
    // It is quoted no longer than a bank bears.
    let nobody = format!("https://nobody.example/{}", "x".repeat(1_000));
    let stranger = changed("l", |it| it["iss"] = json!(nobody));
    let stranger = signed(&site.world, &stranger);
    assert_eq!(site.push(&stranger).await.err(), "invalid_issuer");
    let observed = site.observed.lock().unwrap().join(", ");
    let two = "202 Accepted Some(\"two\") Some(\"k\")";
    assert!(observed.contains(two), "{observed}");
    assert_eq!(site.application.got().len(), 2);
}
