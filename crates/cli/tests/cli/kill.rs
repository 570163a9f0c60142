//! Campaigns of kills under HTTP: the real server is published to, polled, acknowledged to and changed by several at once,
//! and is killed by SIGKILL at random moments, hundreds of times on one ledger. After each kill it is started again and
//! asked: whatever it had answered with success must be so.
//!
//! The books are kept by those who heard the answers, and know nothing of the ledger. The server is killed after a random
//! number of answers, now and then while it starts, so nothing here hopes for a certain time to pass.
//!
//! `polling` has the server answer as much as it can. `pushing` has it push meanwhile, to endpoints that survive it.

pub(crate) mod books;
pub(crate) mod load;
mod polling;
mod pushing;
mod receivers;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oyez_outbound::Method;
use oyez_testkit::colleague::Colleague;
use oyez_testkit::dice::Dice;
use oyez_testkit::tpp::Caller;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::house::{House, SUBSCRIPTIONS};
use crate::nodes::PATIENCE;
use books::{Batch, Books};
use load::{Habits, Load};

/// A server that dies again and again, and those who use it.
pub(crate) struct Campaign {
    pub(crate) house: House,
    /// Whom events are for, by number.
    pub(crate) tpps: BTreeMap<usize, Caller>,
    /// Those of them who poll.
    polling: Vec<usize>,
    habits: Habits,
    pub(crate) books: Arc<Mutex<Books>>,
    /// Events of each TPP that were audited already.
    audited: BTreeMap<usize, u64>,
    pub(crate) kills: Vec<Instant>,
    /// The sessions of servers that were killed.
    of_the_dead: Vec<String>,
}

impl Campaign {
    pub(crate) fn new(
        house: House,
        tpps: BTreeMap<usize, Caller>,
        polling: &[usize],
        habits: Habits,
    ) -> Self {
        Self {
            house,
            audited: tpps.keys().map(|tpp| (*tpp, 0)).collect(),
            tpps,
            polling: polling.to_vec(),
            habits,
            books: Arc::default(),
            kills: Vec::new(),
            of_the_dead: Vec::new(),
        }
    }

    /// Uses the running server until it has given so many answers. Who uses it goes on.
    async fn live(&self, round: u64, dice: &mut Dice) -> JoinSet<()> {
        let answered = self.books.lock().unwrap().answers();
        let (answers, mut seen) = watch::channel(answered);
        let mut everybody = self.everybody(&self.load(answers, round), dice);
        let enough = answered + 1 + dice.below(self.habits.answers_max);
        let lived = tokio::select! {
            lived = timeout(SILENCE_MAX, seen.wait_for(|answers| *answers >= enough)) => lived.is_ok(),
            Some(ended) = everybody.join_next() => { ended.unwrap(); false }
        };
        assert!(
            lived,
            "the server died or hung by itself: {}",
            self.house.log()
        );
        everybody
    }

    /// The server is killed; now and then it is started and killed once more before it serves.
    async fn die(&mut self, everybody: JoinSet<()>, dice: &mut Dice) {
        self.house.kill();
        self.kills.push(Instant::now());
        let ended = timeout(SILENCE_MAX, everybody.join_all());
        ended.await.expect("who has no server ends");
        if dice.below(8) == 0 {
            let mut stillborn = self.house.spawn("");
            sleep(Duration::from_millis(dice.roll() % 200)).await;
            stillborn.kill().unwrap();
            stillborn.wait().unwrap();
            self.kills.push(Instant::now());
        }
        self.of_the_dead = self.house.sessions().await;
    }

    /// Waits until nothing that a dead server had sent is still to be done: a shared ledger learns of its death by and by, and
    /// then no more becomes true of what was not answered.
    async fn bury(&self) {
        let begun = Instant::now();
        while !self.of_the_dead.is_empty() {
            let there = self.house.sessions().await;
            if !self.of_the_dead.iter().any(|dead| there.contains(dead)) {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "a dead server's session goes on"
            );
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn load(&self, answers: watch::Sender<usize>, round: u64) -> Load {
        Load {
            books: Arc::clone(&self.books),
            answers,
            round,
            tpps: self.tpps.keys().copied().collect(),
            habits: self.habits,
        }
    }

    fn everybody(&self, load: &Load, dice: &mut Dice) -> JoinSet<()> {
        let mut everybody = JoinSet::new();
        for name in 0..self.habits.publishers {
            let publisher = self.house.colleague("publisher");
            everybody.spawn(load.clone().publish(publisher, name, dice.split()));
        }
        for tpp in &self.polling {
            for _ in 0..POLLS_EACH {
                everybody.spawn(load.clone().poll(self.tpps[tpp].clone(), dice.split()));
            }
        }
        if let Some(changing) = self.tpps.get(&CHANGING) {
            everybody.spawn(load.clone().change(changing.clone(), dice.split()));
        }
        everybody
    }

    /// A publisher that heard nothing asks again with the same keys: each batch was taken whole, or not at all (I-02).
    pub(crate) async fn repeat_what_was_not_answered(&self) {
        let unanswered = self.books.lock().unwrap().unanswered();
        for batch in unanswered {
            self.publish(&batch).await;
        }
    }

    /// Hands a batch over, and enters what became of it.
    pub(crate) async fn publish(&self, batch: &Batch) -> Value {
        self.books.lock().unwrap().publishes(batch);
        let publisher = self.house.colleague("publisher");
        let (body, begun) = (load::body(batch), Instant::now());
        let mut answer = publisher.post("/v1/events", &body).await;
        // A ledger that was away a moment ago may say so once more.
        while answer.status == 503 && begun.elapsed() < PATIENCE {
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            sleep(Duration::from_millis(100)).await;
            answer = publisher.post("/v1/events", &body).await;
        }
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        self.books.lock().unwrap().published(batch, &answer);
        answer
    }
}

/// What the server says after it was started again, held against the books.
impl Campaign {
    pub(crate) async fn audit(&mut self, dice: &mut Dice) {
        self.bury().await;
        self.audit_registration().await;
        let viewer = self.house.colleague("viewer");
        for (tpp, audited) in self.audited.clone() {
            let counts = self.counts(&viewer, tpp).await;
            let accepted = counts["accepted"].as_u64().unwrap();
            let fresh = usize::try_from(accepted - audited).unwrap();
            let fresh = self
                .list(&viewer, &format!("tpp={}", client_of(tpp)), fresh)
                .await;
            let mut positions: Vec<_> = fresh
                .iter()
                .filter_map(|it| it["position"].as_u64())
                .collect();
            positions.sort_unstable();
            let expected = audited + 1..=accepted;
            assert!(expected.eq(positions), "positions of TPP {tpp} have gaps");
            self.audited.insert(tpp, accepted);
            let query = format!("tpp={}&state=outstanding", client_of(tpp));
            let outstanding = self.list(&viewer, &query, usize::MAX).await.len();
            // Pushes go on meanwhile.
            let later = self.counts(&viewer, tpp).await;
            let listed = count(&later, "outstanding")..=count(&counts, "outstanding");
            assert!(listed.contains(&outstanding), "{outstanding} of {counts}");
        }
        self.audit_files(&viewer, dice).await;
        self.audit_keys(dice).await;
    }

    /// What the ledger counts for a TPP, which adds up.
    pub(crate) async fn counts(&self, viewer: &Colleague, tpp: usize) -> Value {
        let path = format!("/v1/tpps/{}", client_of(tpp));
        let counts = ask(viewer, &path).await["counts"].take();
        let ended = ["acknowledged", "failed", "expired", "withdrawn"];
        let ended: usize = ended.iter().map(|name| count(&counts, name)).sum();
        let (accepted, outstanding) = (count(&counts, "accepted"), count(&counts, "outstanding"));
        assert_eq!(outstanding, accepted - ended, "{counts}");
        counts
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
        let Some(changing) = self.tpps.get(&CHANGING) else {
            return;
        };
        let listed = changing.get(SUBSCRIPTIONS).send().await;
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
    pub(crate) async fn audit_all(&self) -> Vec<Value> {
        let viewer = self.house.colleague("viewer");
        let all = self.list(&viewer, "", usize::MAX).await;
        let listed: std::collections::BTreeSet<&str> = all
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
        drop(books);
        all
    }
}

/// The newest of what is in the order of time, and some of the rest.
fn some<'a, T>(
    all: &'a BTreeMap<String, T>,
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

pub(crate) fn count(counts: &Value, name: &str) -> usize {
    usize::try_from(counts[name].as_u64().unwrap()).unwrap()
}

pub(crate) fn client_of(tpp: usize) -> String {
    format!("tpp-{tpp}")
}

/// The TPP whose subscription comes and goes, where it takes part.
const CHANGING: usize = 2;
/// As configured: so many errors set an event aside.
const ERROR_CAP: usize = 2;
const POLLS_EACH: usize = 2;
/// Events that are looked at one by one in a round.
const LOOKED_AT: usize = 15;
/// No answer takes so long; a server that is silent for it has hung.
const SILENCE_MAX: Duration = Duration::from_secs(60);
