//! Key sets by URL, from a server that misbehaves.

use std::sync::Arc;
use std::time::Duration;

use oyez_jose::{Jwks, KeyKind, LocalKey};
use oyez_outbound::Class;
use oyez_testkit::clock::{DAWN, ManualClock};
use oyez_web::remote_keys::{
    FLOOR, FRESH_FOR, OUTAGE_MAX, Options, RemoteKeys, Unavailable, limits,
};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::origin::{Act, Origin, client, client_within, clock};

struct World {
    origin: Origin,
    clock: Arc<ManualClock>,
    keys: Arc<RemoteKeys>,
}

impl World {
    async fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        Self::with(acts, Options::default()).await
    }

    async fn with(acts: impl IntoIterator<Item = Act>, options: Options) -> Self {
        let clock = clock();
        Self {
            origin: Origin::start(acts).await,
            keys: Arc::new(RemoteKeys::new(
                client(),
                Arc::clone(&clock) as _,
                TaskTracker::new(),
                options,
            )),
            clock,
        }
    }

    async fn ask(&self, kid: &str) -> Result<Arc<Jwks>, Unavailable> {
        self.keys.keys(&self.origin.url("/jwks"), kid).await
    }

    /// Many at once, all under way when the server has been asked and is let go.
    async fn ask_together(&self, many: usize, kid: impl Fn(usize) -> String) -> usize {
        let asked_before = self.origin.asked();
        self.origin.hold();
        let mut asking = JoinSet::new();
        for index in 0..many {
            let (keys, url, kid) = (Arc::clone(&self.keys), self.origin.url("/jwks"), kid(index));
            asking.spawn(async move { keys.keys(&url, &kid).await.map(drop) });
        }
        self.origin.until_asked(asked_before + 1).await;
        tokio::task::yield_now().await;
        self.origin.release();
        let answers = asking.join_all().await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        self.origin.asked() - asked_before
    }
}

/// A set with keys of these names.
fn set_of(kids: &[&str]) -> String {
    let key = LocalKey::generate(KeyKind::P256).unwrap();
    let keys: Vec<_> = kids
        .iter()
        .map(|kid| key.public_key().to_jwk(kid))
        .collect();
    json!({ "keys": keys }).to_string()
}

fn served(kids: &[&str]) -> Act {
    Act::Answer(200, set_of(kids))
}

// A-02, M-05
#[tokio::test]
async fn a_set_is_fetched_once_while_it_is_fresh_and_anew_after_that() {
    let world = World::new([served(&["a"])]).await;
    for _ in 0..20 {
        assert!(world.ask("a").await.unwrap().has_kid("a"));
    }
    world.clock.advance(FRESH_FOR - Duration::from_millis(1));
    world.ask("a").await.unwrap();
    assert_eq!(world.origin.asked(), 1);
    world.origin.now_acts([served(&["a", "b"])]);
    world.clock.advance(Duration::from_millis(1));
    assert!(world.ask("a").await.unwrap().has_kid("b"));
    assert_eq!(world.origin.asked(), 2);
}

// A-02, M-05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_requests_for_one_url_cause_one_fetch() {
    let world = World::new([served(&["a"])]).await;
    assert_eq!(world.ask_together(100, |_| "a".to_owned()).await, 1);
}

// A-02, M-05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_invented_kids_causes_one_fetch_per_floor() {
    let world = World::new([served(&["a"])]).await;
    world.ask("a").await.unwrap();
    for index in 0..100 {
        let set = world.ask(&format!("invented-{index}")).await.unwrap();
        assert!(set.has_kid("a"));
    }
    assert_eq!(world.origin.asked(), 1);
    for _ in 0..3 {
        world.clock.advance(FLOOR);
        let asked = world
            .ask_together(100, |index| format!("another-{index}"))
            .await;
        assert_eq!(asked, 1);
        world.ask("one more").await.unwrap();
    }
    assert_eq!(world.origin.asked(), 4);
}

// A-02, M-05
#[tokio::test]
async fn a_new_key_is_found_as_soon_as_it_is_asked_for() {
    let world = World::new([served(&["a"]), served(&["a", "b"])]).await;
    world.ask("a").await.unwrap();
    world.clock.advance(FLOOR);
    assert!(world.ask("b").await.unwrap().has_kid("b"));
    assert_eq!(world.origin.asked(), 2);
}

// M-05
#[tokio::test]
async fn the_last_good_copy_survives_an_outage_up_to_a_limit() {
    let huge = format!("{{\"keys\":[]{}}}", " ".repeat(limits().body_bytes_max));
    let outages = [
        (Act::Close, Unavailable::NoAnswer(Class::Protocol)),
        (Act::Answer(500, set_of(&["x"])), Unavailable::Status(500)),
        (Act::Answer(404, String::new()), Unavailable::Status(404)),
        (
            Act::AnswerWith(302, "location: /elsewhere", String::new()),
            Unavailable::Status(302),
        ),
        (
            Act::Answer(200, "<html>".to_owned()),
            Unavailable::NotAKeySet,
        ),
        (Act::Answer(200, "{}".to_owned()), Unavailable::NotAKeySet),
        (
            Act::Answer(200, r#"{"keys":[],"keys":[]}"#.to_owned()),
            Unavailable::NotAKeySet,
        ),
        (Act::Answer(200, huge), Unavailable::TooLong),
    ];
    for (outage, why) in outages {
        let world = World::new([served(&["a"])]).await;
        world.ask("a").await.unwrap();
        world.origin.now_acts([outage]);
        world.clock.advance(FRESH_FOR);
        assert!(world.ask("a").await.unwrap().has_kid("a"), "{why}");
        assert_eq!(world.origin.asked(), 2, "{why}");
        world.clock.advance(OUTAGE_MAX - Duration::from_millis(1));
        assert!(world.ask("a").await.unwrap().has_kid("a"), "{why}");
        world.origin.until_asked(3).await;
        world.clock.advance(FLOOR);
        assert_eq!(world.ask("a").await.unwrap_err(), why);
        world.origin.now_acts([served(&["a"])]);
        world.clock.advance(FLOOR);
        assert!(world.ask("a").await.unwrap().has_kid("a"), "{why}");
    }
}

// M-05
#[tokio::test]
async fn nobody_waits_for_a_server_that_failed_a_moment_ago() {
    let world = World::new([served(&["a"]), Act::Close, served(&["a", "b"])]).await;
    world.ask("a").await.unwrap();
    world.clock.advance(FRESH_FOR);
    world.ask("a").await.unwrap();
    world.origin.hold();
    world.clock.advance(FLOOR);
    // The server holds its answer, and this one has the old copy.
    let old = world.ask("a").await.unwrap();
    assert!(!old.has_kid("b"));
    world.origin.until_asked(3).await;
    world.origin.release();
    // Whoever needs the new key waits for the same fetch.
    assert!(world.ask("b").await.unwrap().has_kid("b"));
    assert_eq!(world.origin.asked(), 3);
}

// A-02, M-05
#[tokio::test]
async fn a_failure_is_remembered_for_the_floor_and_then_tried_again() {
    let world = World::new([Act::Answer(503, String::new()), served(&["a"])]).await;
    for _ in 0..20 {
        assert_eq!(world.ask("a").await.unwrap_err(), Unavailable::Status(503));
    }
    assert_eq!(world.origin.asked(), 1);
    world.clock.advance(FLOOR);
    assert!(world.ask("a").await.is_ok());
    // It is forgotten then: a copy that is no longer fresh is waited for again.
    world.origin.now_acts([served(&["a", "b"])]);
    world.clock.advance(FRESH_FOR);
    assert!(world.ask("a").await.unwrap().has_kid("b"));
}

// M-05
#[tokio::test]
async fn the_floor_stands_from_the_end_of_a_fetch_however_long_it_took() {
    let world = World::new([served(&["a"])]).await;
    world.origin.hold();
    let slow = async {
        world.origin.until_asked(1).await;
        world.clock.advance(FLOOR);
        world.origin.release();
    };
    let (set, ()) = tokio::join!(world.ask("a"), slow);
    assert!(set.unwrap().has_kid("a"));
    assert!(world.ask("b").await.is_ok());
    assert_eq!(world.origin.asked(), 1);
}

// A-02
#[tokio::test]
async fn a_key_that_cannot_be_looked_for_is_unavailable_and_not_unknown() {
    let world = World::new([served(&["a"]), Act::Answer(500, String::new())]).await;
    world.ask("a").await.unwrap();
    world.clock.advance(FLOOR);
    for _ in 0..2 {
        assert_eq!(world.ask("b").await.unwrap_err(), Unavailable::Status(500));
        assert!(world.ask("a").await.is_ok());
    }
    assert_eq!(world.origin.asked(), 2);
}

// M-05
#[tokio::test]
async fn a_server_that_never_answers_is_left_in_time() {
    let origin = Origin::start([Act::Hang]).await;
    let client = client_within(Duration::from_millis(200), limits());
    let keys = RemoteKeys::new(client, clock(), TaskTracker::new(), Options::default());
    let refused = keys.keys(&origin.url("/jwks"), "a").await;
    assert_eq!(refused, Err(Unavailable::NoAnswer(Class::Timeout)));
}

// M-05
#[tokio::test]
async fn a_fetch_goes_on_when_the_one_who_asked_first_goes_away() {
    let world = World::new([served(&["a"])]).await;
    world.origin.hold();
    {
        let gone = world.ask("a");
        tokio::select! {
            _ = gone => unreachable!("the server holds its answer"),
            () = world.origin.until_asked(1) => {}
        }
    }
    world.origin.release();
    assert!(world.ask("a").await.unwrap().has_kid("a"));
    assert_eq!(world.origin.asked(), 1);
}

// M-05
#[tokio::test]
async fn the_urls_remembered_are_bounded_and_the_oldest_goes() {
    let options = Options {
        urls_max: 2,
        ..Options::default()
    };
    let world = World::with([served(&["a"])], options).await;
    for path in ["/1", "/2", "/1", "/3", "/1", "/2"] {
        let url = world.origin.url(path);
        world.keys.keys(&url, "a").await.unwrap();
    }
    let lines = world.origin.requests();
    let paths: Vec<_> = lines
        .iter()
        .map(|request| request.split(' ').nth(1).unwrap())
        .collect();
    assert_eq!(paths, ["/1", "/2", "/3", "/2"]);
}

// M-05
#[tokio::test]
async fn where_a_set_may_be_fetched_from_is_the_clients_to_say() {
    let world = World::new([served(&["a"])]).await;
    for (url, why) in [
        ("file:///etc/passwd", Unavailable::Url),
        ("no url", Unavailable::Url),
        ("https://user:secret@tpp.example/", Unavailable::Url),
        (
            "http://192.0.2.1/",
            Unavailable::NoAnswer(Class::RefusedAddress),
        ),
        (
            "https://169.254.169.254/",
            Unavailable::NoAnswer(Class::RefusedAddress),
        ),
        (
            "https://[::ffff:10.0.0.1]/",
            Unavailable::NoAnswer(Class::RefusedAddress),
        ),
    ] {
        assert_eq!(world.keys.keys(url, "a").await, Err(why), "{url}");
    }
}

// M-05
#[tokio::test]
async fn what_a_set_is_served_as_does_not_matter() {
    for media_type in [
        "content-type: application/jwk-set+json",
        "content-type: application/octet-stream",
        "content-type: text/plain; charset=utf-8",
        "x-nothing: at-all",
    ] {
        let world = World::new([Act::AnswerWith(200, media_type, set_of(&["a"]))]).await;
        assert!(world.ask("a").await.is_ok(), "{media_type}");
    }
}

// M-05
#[tokio::test]
async fn a_clock_that_is_set_back_makes_a_copy_old_and_not_young() {
    let world = World::new([served(&["a"]), Act::Close]).await;
    world.ask("a").await.unwrap();
    world.clock.set(DAWN - Duration::from_secs(24 * 60 * 60));
    assert!(world.ask("a").await.is_ok());
    assert_eq!(world.origin.asked(), 2);
}

// M-05
#[tokio::test]
async fn what_goes_wrong_is_told_without_what_came_back() {
    let said = r#"{"inner-secret":1,"inner-secret":2}"#.to_owned();
    let world = World::new([Act::Answer(200, said)]).await;
    let why = world.ask("a").await.unwrap_err();
    assert!(!format!("{why} {why:?}").contains("secret"));
}
