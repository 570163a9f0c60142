//! What is noted of requests, and what becomes of those that fail inside.

use std::io;
use std::sync::{Arc, Mutex};

use oyez_domain::fault::Code;
use oyez_store::Error;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use super::asking::{Ask, VERSIONS, a_subscription, one};
use super::world::World;

/// The log of this thread, for as long as the guard is kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn kept() -> (Self, DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// What was written since this was asked last.
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

// G-02, G-06
#[tokio::test]
async fn each_request_is_one_line_that_says_who_what_and_how_it_ended() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let (log, _guard) = Log::kept();
    let ask = || {
        Ask::new(&world, &tpp, "POST", "v4.0/event-subscriptions")
            .header("x-fapi-interaction-id", "the-interaction")
    };
    let made = ask().json(&a_subscription("v4.0")).send().await;
    assert_eq!(made.status, 201);
    let written = log.take();
    assert_eq!(written.lines().count(), 1, "{written}");
    for part in [
        "interaction.id=\"the-interaction\"",
        "client.id=\"tpp-1\"",
        "operation=\"create_event_subscription\"",
        "status=201",
    ] {
        assert!(written.contains(part), "{written}");
    }
    let refused = ask().body(r#"{"a secret":"of theirs"}"#).send().await;
    let written = log.take();
    let id = refused.json()["Id"].as_str().unwrap().to_owned();
    assert_eq!(written.lines().count(), 1, "{written}");
    for part in ["status=400", &format!("error.id=\"{id}\""), "Field.Missing"] {
        assert!(written.contains(part), "{written}");
    }
    for secret in ["good-tpp-1", "of theirs", "eyJ", "thumbprint"] {
        assert!(!written.contains(secret), "{written}");
    }
    let unknown = Ask::new(&world, &tpp, "GET", "/nowhere").send().await;
    assert_eq!(unknown.status, 404);
    assert!(log.take().contains("status=404"));
}

// G-02, G-10
#[tokio::test]
async fn what_went_wrong_inside_is_logged_once_and_never_told() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let (log, _guard) = Log::kept();
    let detail = "the disk is on fire".to_owned();
    world.store.fail(Error::Unavailable { detail });
    let reply = Ask::new(&world, &tpp, "GET", "v4.0/event-subscriptions")
        .send()
        .await;
    let written = log.take();
    assert_eq!(written.matches("on fire").count(), 1, "{written}");
    assert!(written.contains("ERROR"), "{written}");
    assert!(!String::from_utf8_lossy(&reply.body).contains("on fire"));
}

// G-02, P-07
#[tokio::test]
async fn a_client_that_leaves_is_noted() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let (log, _guard) = Log::kept();
    let poll = Ask::new(&world, &tpp, "POST", "v4.0/events").body(r#"{"returnImmediately":false}"#);
    let mut poll = Box::pin(poll.send());
    let waiting = async {
        while world.bank.waiters.counts().waiting == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = &mut poll => panic!("it did not wait"),
        () = waiting => {}
    }
    drop(poll);
    let written = log.take();
    assert!(written.contains("the client left"), "{written}");
    assert!(written.contains("poll_events"), "{written}");
    assert_eq!(world.bank.waiters.counts().waiting, 0);
}

// G-06
#[tokio::test]
async fn a_panic_is_a_500_of_one_request() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let (log, _guard) = Log::kept();
    for version in VERSIONS {
        let ask = || {
            Ask::new(
                &world,
                &tpp,
                "GET",
                format!("{version}/event-subscriptions"),
            )
        };
        let reply = ask().token("panics").send().await;
        assert_eq!(reply.status, 500);
        assert_eq!(reply.errors(), one(version, Code::UnexpectedError, None));
        assert!(reply.header("x-jws-signature").is_some());
        assert!(log.take().contains("a panic: as the test says"));
        assert_eq!(ask().send().await.status, 200);
    }
}
