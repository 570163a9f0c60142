//! The campaign of kills under HTTP: the real server is published to, polled, acknowledged to and changed by several at once,
//! and is killed by SIGKILL at random moments, hundreds of times on one ledger. After each kill it is started again and
//! asked: whatever it had answered with success must be so.
//!
//! The books are kept by those who heard the answers, and know nothing of the ledger. The server is killed after a random
//! number of answers, now and then while it starts, so nothing here hopes for a certain time to pass.

mod books;
mod load;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use oyez_outbound::Method;
use oyez_testkit::colleague::Colleague;
use oyez_testkit::dice::Dice;
use oyez_testkit::scale;
use oyez_testkit::tpp::Caller;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::house::{House, SUBSCRIPTIONS};
use books::Books;
use load::Load;

/// `./test --quick` leaves these out.
mod slow {
    use super::*;

    // D-08, G-10, I-01, I-02, P-02, P-03, P-09, P-12, S-01, S-04, S-05
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_answered_with_success_is_lost_when_the_server_is_killed() {
        let mut dice = Dice::new(scale::seed("kill under HTTP"));
        let mut campaign = Campaign::begin().await;
        let rounds = u64::from(scale::rounds(200));
        for round in 0..rounds {
            campaign.live_and_die(round, &mut dice).await;
            campaign.house.start();
            campaign.repeat_what_was_not_answered().await;
            campaign.audit(&mut dice).await;
        }
        campaign.audit_all().await;
        assert_eq!(campaign.house.stop(), 0);
        campaign.tell(rounds);
    }
}

struct Campaign {
    house: House,
    tpps: Vec<Caller>,
    books: Arc<Mutex<Books>>,
    /// Events of each TPP that were audited already.
    audited: [u64; TPPS],
}

impl Campaign {
    async fn begin() -> Self {
        let mut house = House::new(&[
            ("OYEZ_POLLING__ERROR_CAP", "2"),
            ("OYEZ_POLLING__REDELIVERY_DELAY", "1s"),
        ]);
        house.start();
        let mut tpps = Vec::new();
        for tpp in 0..TPPS {
            let name = client_of(tpp);
            tpps.push(match tpp {
                CHANGING => house.tpp(&name).await,
                _ => house.subscriber(&name).await,
            });
        }
        Self {
            house,
            tpps,
            books: Arc::default(),
            audited: [0; TPPS],
        }
    }

    /// Uses the running server at full speed until it has given so many answers, and kills it; now and then it is started
    /// and killed once more before it serves.
    async fn live_and_die(&mut self, round: u64, dice: &mut Dice) {
        let answered = self.books.lock().unwrap().answers();
        let (answers, mut seen) = watch::channel(answered);
        let load = Load {
            books: Arc::clone(&self.books),
            answers,
            round,
        };
        let mut everybody = self.everybody(&load, dice);
        let enough = answered + 1 + dice.below(ANSWERS_MAX);
        let lived = tokio::select! {
            lived = timeout(SILENCE_MAX, seen.wait_for(|answers| *answers >= enough)) => lived.is_ok(),
            Some(ended) = everybody.join_next() => { ended.unwrap(); false }
        };
        assert!(
            lived,
            "the server died or hung by itself: {}",
            self.house.log()
        );
        self.house.kill();
        let ended = timeout(SILENCE_MAX, everybody.join_all());
        ended.await.expect("who has no server ends");
        if dice.below(8) == 0 {
            let mut stillborn = self.house.spawn("");
            sleep(Duration::from_millis(dice.roll() % 200)).await;
            stillborn.kill().unwrap();
            stillborn.wait().unwrap();
        }
    }

    fn everybody(&self, load: &Load, dice: &mut Dice) -> JoinSet<()> {
        let mut everybody = JoinSet::new();
        for name in 0..PUBLISHERS {
            let publisher = self.house.colleague("publisher");
            everybody.spawn(load.clone().publish(publisher, name, dice.split()));
        }
        for tpp in &self.tpps {
            for _ in 0..POLLS_EACH {
                everybody.spawn(load.clone().poll(tpp.clone(), dice.split()));
            }
        }
        let changing = self.tpps[CHANGING].clone();
        everybody.spawn(load.clone().change(changing, dice.split()));
        everybody
    }

    /// A publisher that heard nothing asks again with the same keys: each batch was taken whole, or not at all (I-02).
    async fn repeat_what_was_not_answered(&self) {
        let unanswered = self.books.lock().unwrap().unanswered();
        let publisher = self.house.colleague("publisher");
        for batch in unanswered {
            let answer = publisher.post("/v1/events", &load::body(&batch)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            self.books.lock().unwrap().published(&batch, &answer.json());
        }
    }
}

/// What the server says after it was started again, held against the books.
impl Campaign {
    async fn audit(&mut self, dice: &mut Dice) {
        self.audit_registration().await;
        let viewer = self.house.colleague("viewer");
        for tpp in 0..TPPS {
            let counts =
                ask(&viewer, &format!("/v1/tpps/{}", client_of(tpp))).await["counts"].take();
            let accepted = counts["accepted"].as_u64().unwrap();
            let fresh = usize::try_from(accepted - self.audited[tpp]).unwrap();
            let fresh = self
                .list(&viewer, &format!("tpp={}", client_of(tpp)), fresh)
                .await;
            let mut positions: Vec<_> = fresh
                .iter()
                .filter_map(|it| it["position"].as_u64())
                .collect();
            positions.sort_unstable();
            let expected = self.audited[tpp] + 1..=accepted;
            assert!(expected.eq(positions), "positions of TPP {tpp} have gaps");
            self.audited[tpp] = accepted;
            let ended = ["acknowledged", "failed", "expired", "withdrawn"];
            let ended: u64 = ended.iter().filter_map(|name| counts[name].as_u64()).sum();
            assert_eq!(
                counts["outstanding"].as_u64(),
                Some(accepted - ended),
                "{counts}"
            );
            let query = format!("tpp={}&state=outstanding", client_of(tpp));
            let outstanding = self.list(&viewer, &query, usize::MAX).await;
            assert_eq!(counts["outstanding"], outstanding.len(), "{counts}");
        }
        self.audit_files(&viewer, dice).await;
        self.audit_keys(dice).await;
    }

    /// So many lines of the list of events, each held to what is known of it; fewer if there are not so many.
    async fn list(&self, viewer: &Colleague, query: &str, lines: usize) -> Vec<Value> {
        let (mut events, mut cursor) = (Vec::new(), String::new());
        while events.len() < lines {
            let rows = (lines - events.len()).min(1_000);
            let mut page = ask(viewer, &format!("/v1/events?{query}&limit={rows}{cursor}")).await;
            events.append(page["events"].as_array_mut().unwrap());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let books = self.books.lock().unwrap();
        for event in &events {
            books.check(event);
        }
        events
    }

    async fn audit_registration(&self) {
        let listed = self.tpps[CHANGING].get(SUBSCRIPTIONS).send().await;
        assert_eq!(listed.status, 200, "{listed:?}");
        let subscription = &listed.json()["Data"]["EventSubscription"][0];
        let mut books = self.books.lock().unwrap();
        books.found_registered(load::number_of(subscription));
    }

    /// Some events whole: the bytes that were handed out are those that are kept, and errors that were reported are there.
    async fn audit_files(&self, viewer: &Colleague, dice: &mut Dice) {
        let some: Vec<(String, String, usize)> = {
            let books = self.books.lock().unwrap();
            let sets = some(books.handed_out(), dice);
            let sets = sets.map(|(jti, set)| (jti.clone(), set.clone(), books.errors_of(jti)));
            sets.collect()
        };
        for (jti, set, errors) in some {
            let file = ask(viewer, &format!("/v1/events/{jti}")).await;
            let kept: Vec<_> = file["sets"]
                .as_array()
                .unwrap()
                .iter()
                .map(|kept| &kept["set"])
                .collect();
            assert_eq!(
                kept,
                [&Value::String(set)],
                "{jti} has other bytes than went out"
            );
            // What came after an event had ended otherwise is not written down.
            let counts = matches!(
                file["event"]["state"].as_str(),
                Some("outstanding" | "failed")
            );
            let reported = file["errors"].as_array().unwrap().len();
            let expected = if counts { errors.min(ERROR_CAP) } else { 0 };
            assert!(
                reported >= expected,
                "{jti}: {errors} errors were reported, {reported} are there"
            );
        }
    }

    /// A publisher that repeats what was accepted is told so (I-02).
    async fn audit_keys(&self, dice: &mut Dice) {
        let some: Vec<(String, Value)> = {
            let books = self.books.lock().unwrap();
            let item = |(jti, known): (&String, &books::Accepted)| {
                let item = crate::house::item(&client_of(known.tpp), &known.resource, &known.key);
                (jti.clone(), item)
            };
            some(books.accepted(), dice).map(item).collect()
        };
        let publisher = self.house.colleague("publisher");
        for (jti, item) in some {
            let answer = publisher.post("/v1/events", &item).await.json();
            let outcome = &answer["outcomes"][0];
            assert_eq!(
                (&outcome["outcome"], &outcome["jti"]),
                (&"duplicate".into(), &jti.into())
            );
        }
    }

    /// Everything that was ever accepted is listed.
    async fn audit_all(&self) {
        let viewer = self.house.colleague("viewer");
        let listed = self.list(&viewer, "", usize::MAX).await;
        let listed: std::collections::BTreeSet<&str> = listed
            .iter()
            .filter_map(|event| event["jti"].as_str())
            .collect();
        let books = self.books.lock().unwrap();
        for jti in books.accepted().keys() {
            assert!(listed.contains(&**jti), "{jti} was accepted and is gone");
        }
        assert_eq!(
            listed.len(),
            books.accepted().len(),
            "there are events that nobody was told of"
        );
    }

    #[expect(clippy::print_stderr, reason = "what a campaign did is for people")]
    fn tell(&self, rounds: u64) {
        let books = self.books.lock().unwrap();
        let (accepted, sent) = (books.accepted().len(), books.handed_out().len());
        eprintln!(
            "{rounds} kills, {} answers: {accepted} events accepted, {sent} handed out, {} settled",
            books.answers(),
            books.settled()
        );
    }
}

/// The newest of what is in the order of time, and some of the rest.
fn some<'a, T>(
    all: &'a std::collections::BTreeMap<String, T>,
    dice: &mut Dice,
) -> impl Iterator<Item = (&'a String, &'a T)> {
    let step = 1 + dice.below(1 + all.len() / LOOKED_AT);
    let newest = all.iter().rev().take(LOOKED_AT);
    newest.chain(all.iter().step_by(step).take(LOOKED_AT))
}

async fn ask(colleague: &Colleague, path: &str) -> Value {
    let answer = colleague.send(Method::GET, path, None).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

fn client_of(tpp: usize) -> String {
    format!("tpp-{tpp}")
}

/// TPPs by number; the last one's subscription comes and goes.
const TPPS: usize = 3;
const CHANGING: usize = TPPS - 1;
/// As configured: so many errors set an event aside.
const ERROR_CAP: usize = 2;
const PUBLISHERS: usize = 3;
const POLLS_EACH: usize = 2;
/// The most answers that a server lives for.
const ANSWERS_MAX: usize = 300;
/// Events that are looked at one by one in a round.
const LOOKED_AT: usize = 15;
/// No answer takes so long; a server that is silent for it has hung.
const SILENCE_MAX: Duration = Duration::from_secs(60);
