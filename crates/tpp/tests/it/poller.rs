//! Polling for as long as it is let. Intervals are short here, so that nothing but the bank's answers is waited for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use oyez_tpp::{
    AGE_MAX, Declined, Intake, Pace, Poller, PollerSetup, Repeat, Round, Seen, SeenInMemory, Waits,
    Yield,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::application::Application;
use crate::fake_bank::{Act, Canned};
use crate::sets::{changed, claims, signed};
use crate::world::{World, path};

/// A TPP that polls.
struct Site {
    world: World,
    application: Arc<Application>,
    seen: Arc<dyn Seen>,
    rounds: Arc<Mutex<Vec<Round>>>,
}

impl Site {
    async fn new() -> Self {
        Self {
            world: World::new().await,
            application: Application::open(),
            seen: Arc::new(SeenInMemory::new(AGE_MAX)),
            rounds: Arc::default(),
        }
    }

    /// A poller of a process that has just begun.
    fn poller(&self, pace: Pace) -> Poller {
        let application = Arc::clone(&self.application);
        let rounds = Arc::clone(&self.rounds);
        // `Round` is not `Clone`, for its errors are not.
        let copy = |round: &Round| match round {
            Round::Done(brought) => Round::Done(brought.clone()),
            Round::Failed { again_in, .. } => Round::Failed {
                error: gone(),
                again_in: *again_in,
            },
            Round::WillNotWait(_) => Round::WillNotWait(gone()),
            Round::WillNotBeTold { jti, .. } => Round::WillNotBeTold {
                jti: jti.clone(),
                error: gone(),
            },
        };
        Poller::new(PollerSetup {
            name: "bank".into(),
            bank: self.world.seen_bank(),
            intake: Intake::new(Arc::clone(&self.seen), application, self.world.clock()),
            pace,
            observer: Some(Arc::new(move |it| rounds.lock().unwrap().push(copy(it)))),
        })
    }

    fn hands_out(&self, jtis: &[&str]) {
        let sets = jtis
            .iter()
            .map(|jti| (*jti, signed(&self.world, &claims(jti))));
        let sets: serde_json::Map<String, Value> = sets
            .map(|(jti, set)| (jti.to_owned(), json!(set)))
            .collect();
        self.answers(&json!({"sets": sets, "moreAvailable": false}));
    }

    fn answers(&self, body: &Value) {
        self.world.bank.answers(Canned::new(200, body.to_string()));
    }

    fn refuses(&self, status: u16) {
        self.world.bank.answers(Canned::new(status, ""));
    }

    /// The bodies of all polls.
    fn asked(&self) -> Vec<Value> {
        let seen = self.world.bank.seen(&path("v4.0/events"));
        let bodies = seen.iter().map(|it| serde_json::from_slice(&it.body));
        bodies.collect::<Result<_, _>>().unwrap()
    }

    /// Runs a poller until it has polled so often; the last poll is held by the bank.
    async fn run(&self, poller: &mut Poller, polls: usize) {
        let before = self.asked().len();
        self.world.bank.acts(Act::Hang);
        let enough = async {
            while self.asked().len() < before + polls {
                sleep(Duration::from_millis(1)).await;
            }
            // The farewell finds the bank at its desk.
            self.answers(&json!({}));
        };
        poller.run(enough).await;
    }

    /// How long each failed round had its poller wait.
    fn waits(&self) -> Vec<Duration> {
        let rounds = self.rounds.lock().unwrap();
        let waits = rounds.iter().filter_map(|it| match it {
            Round::Failed { again_in, .. } => Some(*again_in),
            _ => None,
        });
        waits.collect()
    }
}

fn gone() -> oyez_tpp::Error {
    let why = oyez_tpp::TransportError::Url(String::new());
    oyez_tpp::Error::Transport(why)
}

fn brisk() -> Pace {
    Pace {
        interval: Duration::from_millis(1),
        backoff: Duration::from_millis(2),
        backoff_max: Duration::from_millis(20),
        ..Pace::default()
    }
}

//
#[tokio::test]
async fn what_is_safe_is_acknowledged_and_what_is_not_believed_is_reported() {
    let site = Site::new().await;
    let wrong = signed(
        &site.world,
        &changed("w", |it| it["aud"] = json!("another")),
    );
    let good = signed(&site.world, &claims("g"));
    site.answers(&json!({"sets": {"g": good, "w": wrong}, "moreAvailable": true}));
    site.run(&mut site.poller(brisk()), 2).await;
    let asked = site.asked();
    assert_eq!(asked[0], json!({"returnImmediately": false}));
    assert_eq!(asked[1]["ack"], json!(["g"]));
    assert_eq!(asked[1]["setErrs"]["w"]["err"], "invalid_audience");
    assert_eq!(site.application.got(), [("g".to_owned(), Repeat::No)]);
    // The second was not answered: nobody knows whether it was heard.
    assert_eq!(asked[2]["ack"], json!(["g"]));
    assert_eq!(asked[2]["maxEvents"], 0);
    assert_eq!(asked.len(), 3);
}

//
#[tokio::test]
async fn after_a_crash_events_come_again_and_are_handed_over_no_more_than_once() {
    let site = Site::new().await;
    site.hands_out(&["1", "2"]);
    {
        // It dies before it has acknowledged.
        let mut poller = site.poller(brisk());
        let mut running = std::pin::pin!(site.run(&mut poller, 2));
        while site.application.got().len() < 2 {
            tokio::select! {
                biased;
                () = &mut running => unreachable!("the bank holds the second poll"),
                () = sleep(Duration::from_millis(1)) => {}
            }
        }
    }
    let before = site.asked().len();
    site.world.bank.forgets_answers();
    site.hands_out(&["1", "2", "3"]);
    site.run(&mut site.poller(brisk()), 2).await;
    let acks = site.asked()[before + 1]["ack"].clone();
    assert_eq!(acks, json!(["1", "2", "3"]));
    let got: Vec<String> = site.application.got().into_iter().map(|it| it.0).collect();
    assert_eq!(got, ["1", "2", "3"]);
}

//
#[tokio::test]
async fn what_the_application_declines_is_not_acknowledged_and_comes_again() {
    let site = Site::new().await;
    site.application.declines(Declined::Later("full".into()));
    site.hands_out(&["1"]);
    site.hands_out(&["1"]);
    site.run(&mut site.poller(brisk()), 3).await;
    let asked = site.asked();
    assert_eq!(asked[1].get("ack"), None);
    assert_eq!(asked[2]["ack"], json!(["1"]));
    let repeats: Vec<Repeat> = site.application.got().iter().map(|it| it.1).collect();
    assert_eq!(repeats, [Repeat::No, Repeat::Possible]);
    let first = Round::Done(Yield {
        not_now: vec![(
            "1".to_owned(),
            "the application cannot take it now: full".to_owned(),
        )],
        ..Yield::default()
    });
    let told = format!("{:?}", site.rounds.lock().unwrap()[0]);
    assert_eq!(told, format!("{first:?}"));
}

//
#[tokio::test]
async fn trouble_makes_it_wait_longer_each_time_and_as_long_as_the_bank_says() {
    let site = Site::new().await;
    for _ in 0..6 {
        site.refuses(500);
    }
    let busy = Canned::new(429, "").with("retry-after", "1");
    site.world.bank.answers(busy);
    site.hands_out(&[]);
    site.refuses(500);
    let pace = Pace {
        backoff_max: Duration::from_millis(1_200),
        ..brisk()
    };
    site.run(&mut site.poller(pace), 10).await;
    let waits = site.waits();
    assert_eq!(waits.len(), 8);
    for (nth, wait) in waits[..6].iter().enumerate() {
        let step = Duration::from_millis(2 << nth);
        assert!(step / 2 <= *wait && *wait <= step, "{nth}: {wait:?}");
    }
    assert_eq!(waits[6], Duration::from_secs(1));
    assert!(waits[7] <= Duration::from_millis(2), "it began anew");
}

//
#[tokio::test]
async fn no_wait_is_longer_than_allowed_whatever_the_bank_says() {
    let site = Site::new().await;
    let away = Canned::new(503, "").with("retry-after", "86400");
    site.world.bank.answers(away);
    site.run(&mut site.poller(brisk()), 2).await;
    assert_eq!(site.waits(), [Duration::from_millis(20)]);
}

//
#[tokio::test]
async fn one_report_that_a_bank_refuses_does_not_hold_up_the_others() {
    let site = Site::new().await;
    site.hands_out(&["1", "2", "3", "4"]);
    // All four, then two, then one: `1` is what it does not like.
    for _ in 0..3 {
        site.refuses(400);
    }
    site.run(&mut site.poller(brisk()), 5).await;
    let acks: Vec<Value> = site.asked().iter().map(|it| it["ack"].clone()).collect();
    assert_eq!(
        acks[..5],
        [
            json!(null),
            json!(["1", "2", "3", "4"]),
            json!(["1", "2"]),
            json!(["1"]),
            json!(["2", "3", "4"]),
        ]
    );
    let rounds = site.rounds.lock().unwrap();
    let dropped = rounds
        .iter()
        .any(|it| matches!(it, Round::WillNotBeTold { jti, .. } if jti == "1"));
    assert!(dropped, "{rounds:?}");
}

//
#[tokio::test]
async fn a_bank_that_will_not_be_asked_to_wait_is_not_asked_again() {
    let site = Site::new().await;
    site.refuses(400);
    site.run(&mut site.poller(brisk()), 2).await;
    let asked = site.asked();
    assert_eq!(asked[0]["returnImmediately"], false);
    assert_eq!(asked[1]["returnImmediately"], true);
    assert!(matches!(
        site.rounds.lock().unwrap()[0],
        Round::WillNotWait(_)
    ));
}

//
#[tokio::test]
async fn a_bank_that_does_not_wait_is_polled_at_an_interval() {
    let site = Site::new().await;
    for _ in 0..3 {
        site.hands_out(&[]);
    }
    let pace = Pace {
        interval: Duration::from_millis(100),
        ..brisk()
    };
    let begun = tokio::time::Instant::now();
    site.run(&mut site.poller(pace), 4).await;
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let rounds = site.rounds.lock().unwrap();
    assert!(
        rounds
            .iter()
            .all(|it| matches!(it, Round::Done(brought) if brought.is_empty()))
    );
}

//
#[tokio::test]
async fn it_can_take_what_there_is_and_leave() {
    let site = Site::new().await;
    site.hands_out(&["1"]);
    site.hands_out(&["2"]);
    site.hands_out(&[]);
    let pace = Pace {
        waits: Waits::Asked,
        events_max: Some(1),
        ..brisk()
    };
    let brought = site.poller(pace).drain().await.unwrap();
    assert_eq!((brought.handed_over, brought.had), (2, 0));
    let asked = site.asked();
    let expected = json!({"maxEvents": 1, "returnImmediately": true, "ack": ["2"]});
    assert_eq!((asked.len(), &asked[2]), (3, &expected));
}
