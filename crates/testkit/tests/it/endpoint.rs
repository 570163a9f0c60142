//! That an endpoint misbehaves exactly as it is told. Our own client is the witness.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::address::Policy;
use oyez_domain::error_chain::chain;
use oyez_domain::ids::Jti;
use oyez_outbound::{
    Anchors, Bytes, Class, Client, DefaultTimeProvider, Ending, Error, HeaderMap, Limits, Method,
    PlainHttp, Request, Response, Sent, Setup, Target, Tls,
};
use oyez_testkit::certificates::Authority;
use oyez_testkit::endpoint::{
    Behaviour, Book, Echo, Endpoint, Flaw, Greeting, Manner, UNPACKED_BYTES,
};
use oyez_testkit::jws;
use oyez_testkit::names::Names;
use tokio_util::task::TaskTracker;

const PATH: &str = "/events";
const ID: &str = "93bac548-d2de-4546-b106-880a5018460d";

/// Longer than this machine needs for anything here.
const LONG: Duration = Duration::from_secs(20);
/// How long somebody waits who waits in vain.
const SHORT: Duration = Duration::from_millis(500);

struct World {
    authority: Authority,
    endpoint: Endpoint,
    names: Arc<Names>,
    client: Client,
    hurried: Client,
}

impl World {
    async fn new() -> Self {
        let authority = Authority::new("the only one");
        let endpoint = Endpoint::start(&authority.server(&["tpp.example"])).await;
        endpoint.behave(PATH, Behaviour::accept());
        let anchors = Anchors::from_pem(authority.pem().as_bytes()).unwrap();
        let setup = Setup {
            tls: Tls::new(&anchors, None, Arc::new(DefaultTimeProvider)).unwrap(),
            addresses: Policy {
                allowed: vec!["127.0.0.1/32".parse().unwrap()],
            },
            plain_http: PlainHttp::Refused,
            proxy: None,
            limits: Limits::default(),
        };
        let names = Arc::new(Names::default());
        let client = |total| {
            let mut setup = setup.clone();
            (setup.limits.connect, setup.limits.total) = (total, total);
            Client::new(setup, Arc::clone(&names) as _, TaskTracker::new())
        };
        let (client, hurried) = (client(LONG), client(SHORT));
        Self {
            authority,
            endpoint,
            names,
            client,
            hurried,
        }
    }

    async fn told(manner: impl Into<Manner>) -> Self {
        let world = Self::new().await;
        world.endpoint.behave(PATH, manner);
        world
    }

    async fn post(&self, body: impl Into<Bytes>) -> Result<Response, Error> {
        self.post_to(&self.endpoint.url(PATH), body).await
    }

    async fn post_to(&self, url: &str, body: impl Into<Bytes>) -> Result<Response, Error> {
        self.client.send(&request(url, body)).await
    }

    /// Without patience.
    async fn post_in_vain(&self) -> Result<Response, Error> {
        let request = request(&self.endpoint.url(PATH), "");
        self.hurried.send(&request).await
    }

    async fn status(&self) -> u16 {
        self.post("").await.unwrap().status.as_u16()
    }

    async fn class(&self) -> Class {
        self.post("").await.unwrap_err().class
    }
}

fn request(url: &str, body: impl Into<Bytes>) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert("x-fapi-interaction-id", ID.parse().unwrap());
    Request {
        method: Method::POST,
        target: Target::parse(url).unwrap(),
        headers,
        body: body.into(),
    }
}

fn echoed(response: &Response) -> Option<&str> {
    let header = response.headers.get("x-fapi-interaction-id")?;
    Some(header.to_str().unwrap())
}

/// An unsigned SET of this number.
fn set(number: u8) -> (Jti, String) {
    let jti = Jti::from_bytes([number; 16]);
    let payload = serde_json::json!({ "jti": jti }).to_string();
    let header = serde_json::Map::new();
    let set = jws::compact(&header, payload.as_bytes(), &jws::Seal::Nothing);
    (jti, set)
}

// D-02
#[tokio::test]
async fn an_acknowledgement_echoes_the_interaction_id_or_not_as_told() {
    let world = World::new().await;
    for (echo, expected) in [
        (Echo::Same, Some(ID)),
        (Echo::Missing, None),
        (Echo::Other, Some("00000000-dead-4000-8000-000000000000")),
    ] {
        world.endpoint.behave(PATH, Behaviour::Accept(echo));
        let response = world.post("").await.unwrap();
        assert_eq!(response.status, 202);
        assert_eq!(echoed(&response), expected, "{echo:?}");
    }
    assert_eq!(world.endpoint.inbox(PATH).connections(), [1].into());
}

// D-03, D-05
#[tokio::test]
async fn any_status_is_answered_with_any_headers_and_body() {
    let world = World::new().await;
    let told = Behaviour::status(429).with_header("retry-after", "7");
    world.endpoint.behave(PATH, told.with_body("slowly"));
    let response = world.post("").await.unwrap();
    assert_eq!(response.status, 429);
    assert_eq!(response.headers["retry-after"], "7");
    assert_eq!(response.body.bytes, b"slowly");
    let refusal = Behaviour::refuse("invalid_key", "who are you");
    world.endpoint.behave(PATH, refusal);
    let response = world.post("").await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&response.body.bytes).unwrap();
    assert_eq!(
        (response.status.as_u16(), &body["err"]),
        (400, &"invalid_key".into())
    );
}

// D-03, D-12
#[tokio::test]
async fn a_redirect_to_this_machine_is_offered_and_nobody_comes() {
    let world = World::new().await;
    let inside = world.endpoint.url("/inside");
    world
        .endpoint
        .behave(PATH, Behaviour::redirect(307, &inside));
    let response = world.post("").await.unwrap();
    assert_eq!(response.headers["location"], inside.as_str());
    assert_eq!(world.endpoint.count("/inside"), 0);
}

#[tokio::test]
async fn behaviours_come_one_after_the_other_or_by_the_request() {
    let steps = [(2, Behaviour::status(500)), (1, Behaviour::status(404))];
    let world = World::told(Manner::steps(steps, Behaviour::accept())).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(world.status().await);
    }
    assert_eq!(statuses, [500, 500, 404, 202, 202]);

    let by_length = |seen: &oyez_testkit::endpoint::Seen| match seen.body.len() {
        0 => Behaviour::status(204),
        _ => Behaviour::status(413),
    };
    world.endpoint.behave(PATH, Manner::by(by_length));
    assert_eq!(world.status().await, 204);
    assert_eq!(world.post("more").await.unwrap().status, 413);

    let elsewhere = world.endpoint.url("/elsewhere");
    assert_eq!(world.post_to(&elsewhere, "").await.unwrap().status, 404);
    world.endpoint.behave_otherwise(Behaviour::status(418));
    assert_eq!(world.post_to(&elsewhere, "").await.unwrap().status, 418);
}

// D-11
#[tokio::test]
async fn a_gzip_bomb_arrives_packed() {
    let world = World::told(Behaviour::bomb(200)).await;
    let response = world.post("").await.unwrap();
    assert_eq!(response.headers["content-encoding"], "gzip");
    assert!(matches!(response.body.ending, Ending::Complete));
    assert!(response.body.bytes.len() * 100 < UNPACKED_BYTES);
}

// D-11
#[tokio::test]
async fn bodies_are_slow_endless_short_or_reset_behind_a_good_head() {
    let world = World::new().await;
    let mut endings = Vec::new();
    for flaw in [
        Flaw::Slow(Duration::from_millis(100)),
        Flaw::Endless,
        Flaw::Short,
        Flaw::Reset,
    ] {
        world.endpoint.behave(PATH, Behaviour::BadBody(202, flaw));
        let answer = match flaw {
            Flaw::Slow(_) => world.post_in_vain().await,
            _ => world.post("").await,
        };
        let response = answer.unwrap();
        assert_eq!(response.status, 202);
        endings.push(match response.body.ending {
            Ending::Complete => "complete".to_owned(),
            Ending::TooLong => "too-long".to_owned(),
            Ending::Broken(error) => error.class.as_str().to_owned(),
        });
    }
    assert_eq!(endings, ["timeout", "too-long", "protocol", "protocol"]);
}

// D-11
#[tokio::test]
async fn heads_are_slow_endless_absent_late_or_no_heads_at_all() {
    let world = World::new().await;
    let pause = Duration::from_millis(1);
    for (behaviour, class) in [
        (Behaviour::SlowHead(SHORT / 10), Class::Timeout),
        (Behaviour::EndlessHead, Class::TooLarge),
        (Behaviour::Silence, Class::Timeout),
        (Behaviour::accept().late(LONG), Class::Timeout),
        (Behaviour::Garbage(b"SSH-2.0\r\n".to_vec()), Class::Protocol),
        (Behaviour::HangUp, Class::Protocol),
        (Behaviour::Reset, Class::Protocol),
    ] {
        let told = format!("{behaviour:?}");
        world.endpoint.behave(PATH, behaviour);
        let answer = match class {
            Class::Timeout => world.post_in_vain().await,
            _ => world.post("").await,
        };
        let error = answer.unwrap_err();
        assert_eq!((error.class, error.sent), (class, Sent::Perhaps), "{told}");
    }
    world.endpoint.behave(PATH, Behaviour::SlowHead(pause));
    assert_eq!(world.status().await, 202);
}

// D-13
#[tokio::test]
async fn certificates_are_wrong_in_one_way_each() {
    let world = World::new().await;
    let authority = &world.authority;
    for (certified, why) in [
        (
            authority.server_of_another_host("other.example"),
            "not valid for name",
        ),
        (authority.expired_server(&[]), "expired"),
        (authority.future_server(&[]), "not valid yet"),
        (Authority::new("another").server(&[]), "UnknownIssuer"),
    ] {
        world.endpoint.show(&certified);
        let error = world.post("").await.unwrap_err();
        assert_eq!((error.class, error.sent), (Class::Tls, Sent::Nothing));
        assert!(chain(&error).contains(why), "{}", chain(&error));
    }
    world.endpoint.show(&authority.server(&[]));
    assert_eq!(world.status().await, 202);
    assert_eq!(world.endpoint.count(PATH), 1);
}

// D-13
#[tokio::test]
async fn greetings_are_tls_or_less_as_told() {
    let world = World::new().await;
    for (greeting, class) in [
        (Greeting::Tls11, Class::Tls),
        (Greeting::Plain, Class::Tls),
        (Greeting::Reset, Class::Tls),
        (Greeting::Silence, Class::Timeout),
    ] {
        world.endpoint.greet(greeting);
        let answer = match class {
            Class::Timeout => world.post_in_vain().await,
            _ => world.post("").await,
        };
        let error = answer.unwrap_err();
        assert_eq!(
            (error.class, error.sent),
            (class, Sent::Nothing),
            "{greeting:?}"
        );
    }
    world.endpoint.greet(Greeting::Tls12);
    world.endpoint.show(&world.authority.server_rsa(&[]));
    let response = world.post("").await.unwrap();
    assert_eq!(response.peer.tls_version.as_deref(), Some("TLSv1.2"));
    let [seen] = world.endpoint.seen().try_into().unwrap();
    assert_eq!(
        seen.came.tls_version,
        Some(rustls::ProtocolVersion::TLSv1_2)
    );
}

// D-13
#[tokio::test]
async fn a_server_of_tls_1_1_is_told_that_it_is_too_old() {
    let world = World::new().await;
    world.endpoint.greet(Greeting::Tls11);
    let told = chain(&world.post("").await.unwrap_err());
    assert!(told.contains("peer is incompatible"), "{told}");
}

// D-12
#[tokio::test]
async fn a_name_changes_its_answer_in_turn() {
    let world = World::told(Behaviour::accept().and_close()).await;
    let (public, private) = ("127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap());
    world
        .names
        .explain_in_turn("tpp.example", &[&[public], &[private]]);
    let url = world.endpoint.url(PATH).replace("localhost", "tpp.example");
    assert_eq!(world.post_to(&url, "").await.unwrap().status, 202);
    world.endpoint.until_alone().await;
    let error = world.post_to(&url, "").await.unwrap_err();
    assert_eq!(error.class, Class::RefusedAddress);
    assert_eq!(world.names.asked("tpp.example"), 2);
}

// D-11
#[tokio::test]
async fn http_2_is_spoken_when_told_and_many_requests_share_a_connection() {
    let world = World::told(Behaviour::accept().late(Duration::from_millis(50))).await;
    world.endpoint.greet(Greeting::TlsAndHttp2);
    world.post("").await.unwrap();
    let (one, other) = tokio::join!(world.post("a"), world.post("b"));
    assert_eq!(echoed(&one.unwrap()), Some(ID));
    assert_eq!(echoed(&other.unwrap()), Some(ID));
    assert_eq!(world.endpoint.connections(), 1);
    assert_eq!(world.endpoint.in_progress_max(), 2);
    let seen = world.endpoint.seen();
    assert!(seen[2].head.starts_with("POST /events HTTP/2\r\n"));
    world.endpoint.behave(PATH, Behaviour::HangUp);
    assert_eq!(world.class().await, Class::Protocol);
}

#[tokio::test]
async fn an_endpoint_that_is_down_refuses_and_comes_up_where_it_was() {
    let world = World::new().await;
    let address = world.endpoint.address();
    for _ in 0..3 {
        assert_eq!(world.status().await, 202);
        world.endpoint.go_down().await;
        world.endpoint.until_alone().await;
        assert_eq!(world.class().await, Class::Connect);
        world.endpoint.come_up().await;
    }
    assert_eq!(world.endpoint.address(), address);
    assert_eq!(world.endpoint.inbox(PATH).connections(), [1, 2, 3].into());
}

#[tokio::test]
async fn what_is_in_progress_breaks_off_on_command() {
    let world = World::told(Behaviour::Silence).await;
    let (answer, ()) = tokio::join!(world.post(""), async {
        world.endpoint.until_count(PATH, 1).await;
        world.endpoint.break_off();
    });
    assert_eq!(answer.unwrap_err().class, Class::Protocol);
    world.endpoint.until_alone().await;
}

// P-09
#[tokio::test]
async fn an_inbox_knows_which_sets_came_how_often_and_whether_they_differ() {
    // A kept connection that hangs up is no failure yet: the client comes once more, on a new one.
    let steps = [(1, Behaviour::status(500)), (2, Behaviour::HangUp)];
    let world = World::told(Manner::steps(steps, Behaviour::accept())).await;
    let ((first_jti, first), (second_jti, second)) = (set(1), set(2));
    world.post(first.clone()).await.unwrap();
    world.post(second).await.unwrap_err();
    world.post(first.clone()).await.unwrap();
    world.post("no SET").await.unwrap();
    let inbox = world.endpoint.inbox(PATH);
    assert_eq!(inbox.arrivals().len(), 5);
    let arrived = [first_jti, second_jti, second_jti, first_jti];
    assert_eq!(inbox.jtis(), arrived);
    assert_eq!(inbox.distinct(), [first_jti, second_jti]);
    assert_eq!(*inbox.accepted(), [first_jti].into());
    let statuses: Vec<_> = inbox.of(&first_jti).iter().map(|it| it.status).collect();
    assert_eq!(statuses, [Some(500), Some(202)]);
    assert!(inbox.differing().is_empty());
    world.post(format!("{first}x")).await.unwrap();
    assert_eq!(world.endpoint.inbox(PATH).differing(), [first_jti]);
}

// D-08
#[tokio::test]
async fn a_book_holds_every_request_before_it_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("book");
    let world = World::told(Manner::steps(
        [(1, Behaviour::status(503))],
        Behaviour::accept(),
    ))
    .await;
    world.endpoint.keep_book(&path);
    let (jti, text) = set(1);
    for requests in 1..=3 {
        world.post(text.clone()).await.unwrap();
        assert_eq!(Book::read(&path).len(), requests);
    }
    // A line that its writer's death cut off.
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let entries = Book::read(&path);
    let statuses: Vec<_> = entries.iter().map(|entry| entry.status).collect();
    assert_eq!(statuses, [Some(503), Some(202)]);
    for entry in entries {
        assert_eq!(entry.jti, Some(jti));
        assert_eq!(entry.digest, jws::digest(text.as_bytes()));
        assert_eq!(entry.interaction_id.as_deref(), Some(ID));
    }
}
