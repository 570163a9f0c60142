//! A ledger whose disk is full, or that was taken away from under the server: the real thing, below the real process.
//!
//! Whoever asks for something that must be written is told 503 and when to come back, readiness says so, and once there is
//! room again everything goes on without a restart, with all that was answered with success.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use oyez_testkit::colleague::Colleague;
use oyez_testkit::tpp::{Caller, Response};
use serde_json::{Value, json};

use crate::house::{self, EVENTS, House, SUBSCRIPTIONS};

/// A bank with a TPP that has two events in hand, and one that waits.
struct Story {
    house: House,
    tpp: Caller,
    publisher: Colleague,
    accepted: Vec<String>,
    in_hand: Vec<(String, String)>,
}

impl Story {
    async fn begin(house: House) -> Self {
        let tpp = house.subscriber("tpp-1").await;
        let publisher = house.colleague("publisher");
        let mut story = Self {
            house,
            tpp,
            publisher,
            accepted: Vec::new(),
            in_hand: Vec::new(),
        };
        for key in ["k-0", "k-1", "k-2"] {
            let answer = story.publish(key, "r-1").await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let answer = story.poll(&json!({ "maxEvents": 2 })).await;
        story.in_hand = house::sets(&answer.json());
        assert_eq!(story.in_hand.len(), 2);
        story
    }

    async fn publish(&mut self, key: &str, resource: &str) -> Response {
        let item = house::item("tpp-1", resource, key);
        let answer = self.publisher.post("/v1/events", &item).await;
        if answer.status == 200 {
            let outcome = answer.json()["outcomes"][0].take();
            assert_eq!(outcome["outcome"], "accepted", "{outcome}");
            self.accepted
                .push(outcome["jti"].as_str().unwrap().to_owned());
        }
        answer
    }

    async fn poll(&self, body: &Value) -> Response {
        let mut body = body.clone();
        body["returnImmediately"] = true.into();
        self.tpp.post(EVENTS).json(&body).send().await
    }

    /// Hands events over until there is no room for more.
    async fn publish_until_refused(&mut self) {
        for number in 0..PUBLISHED_MAX {
            let answer = self
                .publish(&format!("until-{number}"), &"x".repeat(128))
                .await;
            if answer.status != 200 {
                return assert_unavailable(&answer);
            }
        }
        panic!("{PUBLISHED_MAX} events were taken: {}", self.house.log());
    }

    /// Writes the smallest thing there is until not even that has room.
    async fn fill_up(&self) {
        for _ in 0..PUBLISHED_MAX {
            if self.publisher.get("/health/ready").await.status != 200 {
                return;
            }
        }
        panic!("it is ready for ever: {}", self.house.log());
    }

    /// Whatever must be written is refused, on both sides; what was in hand is still to be acknowledged.
    async fn everything_is_refused(&mut self) {
        assert_unavailable(&self.publish("refused", "r-1").await);
        let problem = self.publish("refused", "r-1").await;
        assert_eq!(
            problem.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(problem.json()["type"], "urn:oyez:problem:unavailable");
        let acks = json!({ "ack": [self.in_hand[0].0], "maxEvents": 0 });
        let answer = self.poll(&acks).await;
        assert_unavailable(&answer);
        assert_eq!(answer.error_codes().len(), 1, "{answer:?}");
        let wish = json!({ "Data": { "Url": "https://tpp.example/open-banking/v4.0/event-notifications", "Version": "4.0" } });
        let callback = self
            .tpp
            .post("/open-banking/v4.0/callback-urls")
            .json(&wish);
        assert_unavailable(&callback.send().await);
        let ready = self.publisher.get("/health/ready").await;
        assert_eq!(ready.status, 503, "{ready:?}");
        assert_eq!(
            ready.json()["parts"][0],
            json!({
                "name": "ledger", "ready": false, "detail": "it cannot be written to",
            })
        );
        assert_eq!(self.publisher.get("/health/live").await.status, 200);
    }

    /// Everything that was promised is there and nothing else, and the server works.
    async fn everything_is_there(&mut self) {
        assert_eq!(self.publisher.get("/health/ready").await.status, 200);
        let answer = self.publish("afterwards", "r-1").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let callbacks = self
            .tpp
            .get("/open-banking/v4.0/callback-urls")
            .send()
            .await;
        assert_eq!(callbacks.json()["Data"]["CallbackUrl"], json!([]));
        assert_eq!(self.tpp.get(SUBSCRIPTIONS).send().await.status, 200);
        let mut ack: Vec<String> = self.in_hand.iter().map(|(jti, _)| jti.clone()).collect();
        let mut handed_out = ack.clone();
        loop {
            let answer = self.poll(&json!({ "ack": ack, "maxEvents": 100 })).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            ack = house::sets(&answer.json())
                .into_iter()
                .map(|(jti, _)| jti)
                .collect();
            if ack.is_empty() {
                break;
            }
            handed_out.extend(ack.clone());
        }
        handed_out.sort();
        self.accepted.sort();
        assert_eq!(
            handed_out, self.accepted,
            "each once, and what was acknowledged never again"
        );
    }
}

fn assert_unavailable(answer: &Response) {
    assert_eq!(answer.status, 503, "{answer:?}");
    let seconds = answer.header("retry-after").unwrap().parse::<u32>();
    assert!(seconds.is_ok_and(|seconds| seconds > 0), "{answer:?}");
}

// D-08, G-06, G-10, I-01, I-05, P-03
#[tokio::test]
async fn a_ledger_that_may_not_grow_refuses_and_goes_on_when_it_may() {
    let mut house = House::new(&[]);
    // A file at its limit is a signal too, which would be one more way to be killed.
    house.start_after("trap '' XFSZ");
    let mut story = Story::begin(house).await;
    let log = story.house.desk().path("bank/oyez.db-wal");
    let bytes = fs::metadata(log).unwrap().len();
    limit_files(&story.house, &format!("{}:unlimited", bytes + 256 * 1024));
    story.publish_until_refused().await;
    // What is smaller may still have fitted; now nothing does, not even a line in the log, which is a file too.
    limit_files(&story.house, "4096:unlimited");
    story.everything_is_refused().await;
    limit_files(&story.house, "unlimited");
    story.everything_is_there().await;
    assert_eq!(story.house.stop(), 0);
}

fn limit_files(house: &House, limit: &str) {
    let id = house.process_id().to_string();
    let limit = format!("--fsize={limit}");
    let limited = Command::new("prlimit")
        .args(["--pid", &id, &limit])
        .status();
    assert!(limited.unwrap().success());
}

// D-08, G-06, G-10, I-01, I-05, P-03
#[tokio::test]
async fn a_ledger_on_a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let Some(mut house) = House::in_a_world_of_its_own(&[("OYEZ_STORE__PATH", "small/oyez.db")])
    else {
        return;
    };
    fs::create_dir(house.desk().path("bank/small")).unwrap();
    house.start_after("mount -t tmpfs -o size=3m,mode=700 none small && cp oyez.db small/");
    let mut story = Story::begin(house).await;
    let disk = story.house.seen_by_the_server("bank/small");
    story.publish_until_refused().await;
    let full = fs::write(disk.join("more"), vec![0; 4 << 20]);
    assert!(full.is_err(), "the disk is full indeed");
    story.fill_up().await;
    story.everything_is_refused().await;
    fs::remove_file(disk.join("more")).unwrap();
    assert!(story.house.inside("mount -o remount,size=64m small"));
    story.everything_is_there().await;
    story.house.kill();
}

// D-08, G-10, I-05
#[tokio::test]
async fn a_server_whose_ledger_cannot_be_written_does_not_start_and_says_why() {
    let Some(house) = House::in_a_world_of_its_own(&[]) else {
        return;
    };
    let output = house
        .spawn("mount --bind . . && mount -o remount,bind,ro . && cd .")
        .wait_with_output();
    assert_eq!(output.unwrap().status.code(), Some(3));
    assert!(
        house.log().contains("oyez.db cannot be written"),
        "{}",
        house.log()
    );
}

// D-08, G-06, G-10, I-01, I-05, P-03
#[tokio::test]
async fn a_ledger_that_is_taken_away_refuses_until_it_is_put_back() {
    let mut house = House::new(&[]);
    house.start();
    let mut story = Story::begin(house).await;
    let path = |name: &str| -> PathBuf { story.house.desk().path(&format!("bank/{name}")) };
    let (here, away) = (path("oyez.db"), path("away.db"));
    fs::rename(&here, &away).unwrap();
    story.everything_is_refused().await;
    fs::rename(&away, &here).unwrap();
    story.everything_is_there().await;
    // It was the ledger, not something that only the process had.
    story.house.kill();
    story.house.start();
    let counts = story
        .house
        .colleague("viewer")
        .get("/v1/tpps/tpp-1")
        .await
        .json();
    assert_eq!(counts["counts"]["acknowledged"], story.accepted.len());
}

/// Far more events than any of these disks has room for.
const PUBLISHED_MAX: usize = 20_000;
