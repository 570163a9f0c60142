//! Campaigns of kills at the TPP's side: a bank publishes, and the TPP's process is killed by SIGKILL at random moments, again
//! and again. In the end the application has every event; whatever it got more than once said that it might be so.
//!
//! The application outlives the process: a file, or a server that keeps what was posted before it answers.

use std::collections::BTreeMap;
use std::time::Duration;

use oyez_testkit::dice::Dice;
use oyez_testkit::endpoint::Endpoint;
use oyez_testkit::scale;
use serde_json::Value;
use tokio::time::sleep;

use super::listen::checked;
use super::{APPLICATION, Firm, Running, is_acknowledged, publish, quick_house, until_file};
use crate::house::House;

/// `./test --quick` leaves these out.
mod slow {
    use super::*;

    //
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_event_is_missing_in_a_file_when_the_poller_is_killed() {
        Campaign::of(Way::Polled, Target::File).await.run().await;
    }

    //
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_event_is_missing_at_the_application_when_the_poller_is_killed() {
        Campaign::of(Way::Polled, Target::Http).await.run().await;
    }

    //
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_event_is_missing_in_a_file_when_the_listener_is_killed() {
        Campaign::of(Way::Pushed, Target::File).await.run().await;
    }

    //
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_event_is_missing_at_the_application_when_the_listener_is_killed() {
        Campaign::of(Way::Pushed, Target::Http).await.run().await;
    }
}

#[derive(Clone, Copy)]
enum Way {
    Polled,
    Pushed,
}

#[derive(Clone, Copy)]
enum Target {
    File,
    Http,
}

struct Campaign {
    way: Way,
    house: House,
    firm: Firm,
    /// None: it is a file.
    application: Option<Endpoint>,
    published: Vec<String>,
}

impl Campaign {
    async fn of(way: Way, target: Target) -> Self {
        let house = quick_house(&[]);
        let firm = Firm::of("tpp-1", &[&house]).await;
        match way {
            Way::Polled => firm.subscribe(""),
            Way::Pushed => firm.subscribe(&format!("--callback-url {}", firm.callback_url())),
        }
        let application = match target {
            Target::File => {
                firm.hand_over(&format!("to = \"file\"\nfile = \"{FILE}\""));
                None
            }
            Target::Http => Some(firm.application().await),
        };
        Self {
            way,
            house,
            firm,
            application,
            published: Vec::new(),
        }
    }

    async fn run(mut self) {
        let mut dice = Dice::new(scale::seed("kill the TPP"));
        for _ in 0..scale::rounds(ROUNDS) {
            let process = self.start();
            let enough = self.taken().len() + dice.below(EVENTS_MAX);
            for _ in 0..1 + dice.below(EVENTS_MAX) {
                let key = format!("k-{}", self.published.len());
                self.published
                    .push(publish(&self.house, "tpp-1", &key).await);
            }
            // It may have fewer than that left to take; then it is killed while it waits.
            let some = async {
                while self.taken().len() < enough {
                    sleep(Duration::from_millis(2)).await;
                }
            };
            tokio::time::timeout(LIFE_MAX, some).await.ok();
            sleep(Duration::from_millis(dice.roll() % 20)).await;
            // SIGKILL.
            drop(process);
        }
        let process = self.start();
        for jti in &self.published {
            until_file(&self.house, jti, is_acknowledged).await;
        }
        assert_eq!(process.stop().code(), Some(0), "{}", self.firm.text("log"));
        self.check();
    }

    fn start(&self) -> Running {
        self.firm.start(match self.way {
            Way::Polled => "poll",
            Way::Pushed => "listen",
        })
    }

    /// What the application got, oldest first.
    fn taken(&self) -> Vec<Value> {
        match &self.application {
            None => self.firm.records(FILE),
            Some(application) => {
                let inbox = application.inbox(APPLICATION);
                inbox.arrivals().iter().map(|post| checked(post)).collect()
            }
        }
    }

    #[expect(clippy::print_stderr, reason = "what a campaign met is for people")]
    fn check(&self) {
        let taken = self.taken();
        let mut times: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for record in &taken {
            let jti = record["jti"].as_str().unwrap();
            times.entry(jti).or_default().push(record);
        }
        assert_eq!(times.len(), self.published.len(), "{times:#?}");
        let (events, times_taken) = (times.len(), taken.len());
        eprintln!("{events} events, taken {times_taken} times");
        for jti in &self.published {
            let records = &times[&**jti];
            for again in &records[1..] {
                assert_eq!(again["maybe_repeated"], true, "{jti}: {records:#?}");
                assert_eq!(again["set"], records[0]["set"], "{jti}");
            }
        }
    }
}

const FILE: &str = "events.ndjson";
const ROUNDS: u32 = 150;
/// Published in a round, and taken before a kill, at most.
const EVENTS_MAX: usize = 12;
/// After this somebody is killed who had nothing to do.
const LIFE_MAX: Duration = Duration::from_secs(3);
