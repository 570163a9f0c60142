//! Tokens that their issuer is asked about.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oyez_jose::Zeroizing;
use oyez_testkit::clock::{DAWN, ManualClock};
use oyez_web::tokens::introspection::{
    Credentials, Options, REMEMBER, REMEMBER_REFUSAL, Validator, limits,
};
use oyez_web::tokens::{BadOptions, TokenError, ValidateTokens};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use super::minting::{AUDIENCE, ISSUER, but, claims, es256, header, signed, token};
use crate::origin::{Act, IN_NO_HURRY, NOW, Origin, client_within, clock};

const TOKEN: &str = "opaque~token/1+2=";

struct World {
    origin: Origin,
    clock: Arc<ManualClock>,
    validator: Arc<Validator>,
}

fn bearer() -> Credentials {
    Credentials::Bearer(Zeroizing::new("ours".to_owned()))
}

impl World {
    async fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        Self::with(acts, |_| {}).await
    }

    async fn with(acts: impl IntoIterator<Item = Act>, change: impl FnOnce(&mut Options)) -> Self {
        let origin = Origin::start(acts).await;
        let clock = clock();
        let mut options = Options {
            issuer: Some(ISSUER.to_owned()),
            audiences: vec![AUDIENCE.to_owned()],
            ..Options::new(origin.url("/introspect"), bearer())
        };
        change(&mut options);
        let validator = Validator::new(
            &options,
            client_within(IN_NO_HURRY, limits()),
            Arc::clone(&clock) as _,
            TaskTracker::new(),
        );
        Self {
            origin,
            clock,
            validator: Arc::new(validator.unwrap()),
        }
    }

    async fn validate(&self, token: &str) -> Result<(), TokenError> {
        self.validator.validate(token).await.map(drop)
    }
}

fn active() -> Value {
    but(claims(), json!({"active": true, "token_type": "Bearer"}))
}

fn says(answer: &Value) -> Act {
    Act::Answer(200, answer.to_string())
}

fn inactive() -> Act {
    says(&json!({"active": false}))
}

// A-02
#[tokio::test]
async fn the_issuer_is_asked_in_a_form_and_its_answer_is_believed() {
    let world = World::new([says(&active())]).await;
    let token = world.validator.validate(TOKEN).await.unwrap();
    assert_eq!(token.holder().client_id, Some("tpp-1"));
    assert_eq!(token.scopes(), ["accounts", "payments"]);
    assert!(token.bound_to().is_some());
    let requests = world.origin.requests();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /introspect HTTP/1.1\r\n"));
    assert!(head.contains("content-type: application/x-www-form-urlencoded\r\n"));
    assert_eq!(
        body,
        "token=opaque%7Etoken%2F1%2B2%3D&token_type_hint=access_token"
    );
}

// A-02
#[tokio::test]
async fn we_are_known_by_a_secret_a_token_or_a_certificate() {
    let basic = Credentials::ClientSecretBasic {
        client_id: "oyez:1".to_owned(),
        client_secret: Zeroizing::new("a b%ä".to_owned()),
    };
    let certificate = Credentials::MutualTls {
        client_id: "oyez 1".to_owned(),
    };
    for (credentials, sent) in [
        // oyez%3A1:a+b%25%C3%A4
        (basic, "authorization: Basic b3lleiUzQTE6YStiJTI1JUMzJUE0"),
        (bearer(), "authorization: Bearer ours\r\n"),
        (certificate, "&client_id=oyez+1"),
    ] {
        let world = World::with([says(&active())], |options| {
            options.credentials = credentials;
        })
        .await;
        world.validate(TOKEN).await.unwrap();
        let request = world.origin.requests().remove(0);
        assert!(request.contains(sent), "{request}");
    }
    let unsendable = Credentials::Bearer(Zeroizing::new("a\nb".to_owned()));
    let make = |url: &str, credentials| {
        let options = Options::new(url, credentials);
        Validator::new(
            &options,
            client_within(IN_NO_HURRY, limits()),
            clock(),
            TaskTracker::new(),
        )
        .err()
    };
    assert_eq!(
        make("https://as.example", unsendable),
        Some(BadOptions::Credentials)
    );
    assert_eq!(make("as.example", bearer()), Some(BadOptions::Url));
}

// A-01, A-02
#[tokio::test]
async fn every_answer_that_is_no_pass_is_refused_for_what_it_is() {
    let kind = "the token is of another kind than access tokens";
    for (changes, refused) in [
        (json!({"active": false}), "the access token is not active"),
        (json!({"iss": "x"}), "the access token is of another issuer"),
        (
            json!({"aud": "x"}),
            "the access token is for another audience",
        ),
        (
            json!({"aud": null}),
            "the access token is for another audience",
        ),
        (
            json!({"nbf": NOW + 11}),
            "the access token is not valid yet",
        ),
        (
            json!({"exp": "x"}),
            "a claim of the access token that must be a time is none",
        ),
        (
            json!({"sub": 7}),
            "a claim of the access token that must be a text is none",
        ),
        (json!({"token_type": "DPoP"}), kind),
        (json!({"token_type": 1}), kind),
        (json!({"token_use": "refresh_token"}), kind),
        (
            json!({"events": {}}),
            "a security event token is no access token",
        ),
    ] {
        let world = World::new([says(&but(active(), changes))]).await;
        let outcome = world.validate(TOKEN).await;
        assert_eq!(outcome, Err(TokenError::Invalid(refused)));
    }
    let world = World::new([says(&but(active(), json!({"exp": NOW - 10})))]).await;
    assert_eq!(world.validate(TOKEN).await, Err(TokenError::Expired));
}

// A-02
#[tokio::test]
async fn what_an_answer_leaves_out_is_not_held_against_it() {
    for changes in [
        json!({"iss": null}),
        json!({"exp": null, "iat": null, "token_type": null}),
        json!({"token_type": "bearer", "token_use": "access_token"}),
    ] {
        let world = World::new([says(&but(active(), changes))]).await;
        assert_eq!(world.validate(TOKEN).await, Ok(()));
    }
    let any = World::with([says(&but(active(), json!({"aud": "x"})))], |options| {
        options.audiences.clear();
    });
    assert_eq!(any.await.validate(TOKEN).await, Ok(()));
}

// A-02
#[tokio::test]
async fn while_the_issuer_gives_no_proper_answer_nobody_says_whether_a_token_holds() {
    let huge = but(active(), json!({"x": "x".repeat(limits().body_bytes_max)}));
    for act in [
        Act::Answer(401, active().to_string()),
        Act::Answer(403, String::new()),
        Act::Answer(500, active().to_string()),
        Act::Answer(204, String::new()),
        Act::AnswerWith(302, "location: /other", String::new()),
        Act::Answer(200, String::new()),
        Act::Answer(200, "[true]".to_owned()),
        Act::Answer(200, r#"{"active":false,"active":true}"#.to_owned()),
        says(&json!({})),
        says(&json!({"active": "true"})),
        says(&json!({"active": 1})),
        says(&huge),
        Act::Close,
    ] {
        let world = World::new([act, says(&active())]).await;
        let refused = world.validate(TOKEN).await;
        assert!(
            matches!(refused, Err(TokenError::Unavailable(_))),
            "{refused:?}"
        );
        // It is not remembered.
        assert_eq!(world.validate(TOKEN).await, Ok(()));
        assert_eq!(world.origin.asked(), 2);
    }
}

// A-02
#[tokio::test]
async fn an_issuer_that_never_answers_is_left_in_time() {
    let origin = Origin::start([Act::Hang]).await;
    let options = Options::new(origin.url("/introspect"), bearer());
    let client = client_within(Duration::from_millis(200), limits());
    let validator = Validator::new(&options, client, clock(), TaskTracker::new()).unwrap();
    let refused = validator.validate(TOKEN).await.unwrap_err();
    let why = "no answer in time".to_owned();
    assert_eq!(refused, TokenError::Unavailable(why));
}

// A-02
#[tokio::test]
async fn a_pass_is_remembered_for_its_time_and_not_longer_though_the_issuer_is_gone() {
    let without_end = but(active(), json!({"exp": null}));
    let world = World::new([says(&without_end), Act::Close]).await;
    world.validate(TOKEN).await.unwrap();
    world.clock.advance(REMEMBER - Duration::from_millis(1));
    for _ in 0..10 {
        world.validate(TOKEN).await.unwrap();
    }
    assert_eq!(world.origin.asked(), 1);
    world.clock.advance(Duration::from_millis(1));
    for asked in 2..4 {
        let refused = world.validate(TOKEN).await;
        assert!(
            matches!(refused, Err(TokenError::Unavailable(_))),
            "{refused:?}"
        );
        assert_eq!(world.origin.asked(), asked);
    }
}

// A-02
#[tokio::test]
async fn a_pass_is_never_remembered_past_the_end_of_the_token() {
    let soon = but(active(), json!({"exp": NOW + 5}));
    let world = World::new([says(&soon), inactive()]).await;
    world.validate(TOKEN).await.unwrap();
    world.clock.advance(Duration::from_millis(4_999));
    world.validate(TOKEN).await.unwrap();
    world.clock.advance(Duration::from_millis(1));
    let refused = TokenError::Invalid("the access token is not active");
    assert_eq!(world.validate(TOKEN).await, Err(refused));
    assert_eq!(world.origin.asked(), 2);
}

// A-02
#[tokio::test]
async fn nothing_is_remembered_where_that_is_configured_or_the_clock_was_set_back() {
    let world = World::with([says(&active())], |options| {
        options.remember = Duration::ZERO;
    })
    .await;
    world.validate(TOKEN).await.unwrap();
    world.validate(TOKEN).await.unwrap();
    assert_eq!(world.origin.asked(), 2);
    let world = World::new([says(&active())]).await;
    world.validate(TOKEN).await.unwrap();
    world.clock.set(DAWN - Duration::from_secs(5));
    world.validate(TOKEN).await.unwrap();
    assert_eq!(world.origin.asked(), 2);
}

// A-02
#[tokio::test]
async fn a_refusal_is_remembered_briefly() {
    let world = World::new([inactive(), says(&active())]).await;
    for _ in 0..10 {
        assert!(world.validate(TOKEN).await.is_err());
    }
    assert_eq!(world.origin.asked(), 1);
    world.clock.advance(REMEMBER_REFUSAL);
    assert_eq!(world.validate(TOKEN).await, Ok(()));
}

// A-02
#[tokio::test]
async fn invented_tokens_do_not_drive_out_good_answers_and_both_are_bounded() {
    let good = [says(&active()), says(&active()), inactive()];
    let world = World::with(good, |options| options.answers_max = 2).await;
    world.validate("good-1").await.unwrap();
    world.validate("good-2").await.unwrap();
    for index in 0..10 {
        let refused = world.validate(&format!("invented-{index}")).await;
        assert!(refused.is_err());
    }
    world.validate("good-1").await.unwrap();
    world.validate("good-2").await.unwrap();
    assert_eq!(world.origin.asked(), 12);
    world.origin.now_acts([says(&active())]);
    for token in ["good-3", "good-2", "good-1"] {
        world.validate(token).await.unwrap();
    }
    assert_eq!(world.origin.asked(), 14);
}

// A-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_requests_with_one_token_ask_once() {
    let world = World::new([says(&active())]).await;
    world.origin.hold();
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let validator = Arc::clone(&world.validator);
        asking.spawn(async move { validator.validate(TOKEN).await.map(drop) });
    }
    world.origin.until_asked(1).await;
    world.origin.release();
    let outcomes = asking.join_all().await;
    assert_eq!(outcomes, vec![Ok(()); 100]);
    assert_eq!(world.origin.asked(), 1);
}

// A-02
#[tokio::test]
async fn the_questions_open_at_once_are_bounded_and_the_rest_wait_their_turn() {
    let world = World::with([says(&active())], |options| options.questions_max = 2).await;
    world.origin.hold();
    let mut asking = JoinSet::new();
    for index in 0..10 {
        let validator = Arc::clone(&world.validator);
        asking.spawn(async move { validator.validate(&format!("t{index}")).await.map(drop) });
    }
    world.origin.until_asked(2).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.origin.asked(), 2);
    world.origin.release();
    assert_eq!(asking.join_all().await, vec![Ok(()); 10]);
    assert_eq!(world.origin.asked(), 10);
}

// A-02
#[tokio::test]
async fn of_those_who_wait_their_turn_with_one_token_one_asks() {
    let world = World::with([says(&active())], |options| options.questions_max = 1).await;
    world.origin.hold();
    let release = async {
        world.origin.until_asked(1).await;
        world.origin.release();
    };
    let (first, second, third, ()) = tokio::join!(
        world.validate("one"),
        world.validate("other"),
        world.validate("other"),
        release,
    );
    assert_eq!((first, second, third), (Ok(()), Ok(()), Ok(())));
    assert_eq!(world.origin.asked(), 2);
}

// A-02
#[tokio::test]
async fn a_question_goes_on_when_the_one_who_asked_first_goes_away() {
    let world = World::new([says(&active())]).await;
    world.origin.hold();
    tokio::select! {
        _ = world.validate(TOKEN) => unreachable!("the server holds its answer"),
        () = world.origin.until_asked(1) => {}
    }
    world.origin.release();
    assert_eq!(world.validate(TOKEN).await, Ok(()));
    assert_eq!(world.origin.asked(), 1);
}

// A-08
#[tokio::test]
async fn a_set_is_refused_and_its_issuer_not_even_asked() {
    let world = World::new([says(&active())]).await;
    let typed = but(header(), json!({"typ": "secevent+jwt"}));
    for set in [
        token(&but(claims(), json!({"events": {}}))),
        signed(&typed, &claims().to_string(), es256),
    ] {
        let refused = TokenError::Invalid("a security event token is no access token");
        assert_eq!(world.validate(&set).await, Err(refused));
    }
    assert_eq!(world.origin.asked(), 0);
    assert_eq!(world.validate(&token(&claims())).await, Ok(()));
}

// A-02
#[tokio::test]
async fn neither_token_nor_secret_reaches_the_log_or_an_error() {
    let log = Log::default();
    let _logging = tracing::subscriber::set_default(log.clone());
    for act in [
        Act::Close,
        Act::Answer(401, String::new()),
        Act::Answer(200, TOKEN.to_owned()),
    ] {
        let world = World::new([act]).await;
        let refused = world.validate(TOKEN).await.unwrap_err();
        log.write(&format!("{refused} {refused:?}"));
    }
    let written = log.0.lock().unwrap().clone();
    assert_eq!(written.matches("introspection: ").count(), 3, "{written}");
    for secret in [TOKEN, "opaque", "ours"] {
        assert!(!written.contains(secret), "{written}");
    }
}

/// All that is logged, in one text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn write(&self, text: &str) {
        writeln!(self.0.lock().unwrap(), "{text}").unwrap();
    }
}

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.write(&format!("{field}: {value:?}"));
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
