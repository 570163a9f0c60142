//! Those who use the nodes while these die: publishers, TPPs that poll, and TPPs that are pushed to, each half of them. Whoever
//! lost its connection comes back.
//!
//! The endpoint of those who are pushed to keeps a book on disk: with the books of all answers it is the independent ledger
//! that everything is held against in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use oyez_domain::ids::Jti;
use oyez_testkit::dice::Dice;
use oyez_testkit::endpoint::{Behaviour, Book, Endpoint, Manner};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::PATIENCE;
use crate::house::{House, NOTIFICATIONS};
use crate::kill::load::{Errors, Habits, Load, Refusals};
use crate::kill::{Campaign, client_of, count};

/// Everybody who uses the nodes.
pub(crate) struct Crowd {
    pub(crate) campaign: Campaign,
    endpoint: Endpoint,
    polling: Vec<usize>,
}

/// Those who are at work.
pub(crate) struct Work {
    everybody: JoinSet<()>,
    stop: CancellationToken,
    answers: watch::Receiver<usize>,
}

impl Crowd {
    /// So many TPPs, known to a bank that serves.
    pub(crate) async fn gather(
        house: House,
        tpps: usize,
        refusals: Refusals,
        dice: &mut Dice,
    ) -> Self {
        let endpoint = Endpoint::start(&house.site().authority.server(&[])).await;
        endpoint.keep_book(&house.desk().path(BOOK));
        endpoint.behave_otherwise(now_and_then_late(dice.split()));
        let (mut callers, mut polling) = (BTreeMap::new(), Vec::new());
        for tpp in FIRST..FIRST + tpps {
            let name = client_of(tpp);
            let caller = if tpp % 2 == 0 {
                polling.push(tpp);
                house.subscriber(&name).await
            } else {
                let url = format!("https://{}{}", endpoint.address(), inbox_of(tpp));
                house.pushed_at(&name, &url, &json!({})).await
            };
            callers.insert(tpp, caller);
        }
        let habits = Habits {
            publishers: PUBLISHERS,
            pause: PAUSE,
            errors: Errors::None,
            refusals,
            answers_max: 0,
        };
        Self {
            campaign: Campaign::new(house, callers, &polling, habits),
            endpoint,
            polling,
        }
    }

    /// Everybody begins.
    pub(crate) fn work(&self, dice: &mut Dice) -> Work {
        let campaign = &self.campaign;
        let (sender, answers) = watch::channel(campaign.books.lock().unwrap().answers());
        let (mut everybody, stop) = (JoinSet::new(), CancellationToken::new());
        let load = campaign.load(sender, dice.roll() % 1_000_000 * LIVES_MAX);
        for name in 0..PUBLISHERS {
            let working = publish(
                load.clone(),
                campaign.house.colleague("publisher"),
                name,
                dice.split(),
            );
            let stop = stop.clone();
            everybody.spawn(async move { stop.run_until_cancelled(working).await.unwrap_or(()) });
        }
        for tpp in &self.polling {
            let working = poll(load.clone(), campaign.tpps[tpp].clone(), dice.split());
            let stop = stop.clone();
            everybody.spawn(async move { stop.run_until_cancelled(working).await.unwrap_or(()) });
        }
        Work {
            everybody,
            stop,
            answers,
        }
    }

    /// All servers run: what was not answered is asked again, and nothing is left in the end.
    pub(crate) async fn drain(&mut self, dice: &mut Dice) {
        let campaign = &mut self.campaign;
        campaign.repeat_what_was_not_answered().await;
        campaign.audit(dice).await;
        let (answers, _) = watch::channel(0);
        let load = campaign.load(answers, 0);
        let mut polling = JoinSet::new();
        for tpp in &self.polling {
            polling.spawn(poll(load.clone(), campaign.tpps[tpp].clone(), dice.split()));
        }
        let viewer = campaign.house.colleague("viewer");
        for tpp in campaign.tpps.keys() {
            let (mut least, mut since) = (usize::MAX, Instant::now());
            loop {
                let counts = campaign.counts(&viewer, *tpp).await;
                let outstanding = count(&counts, "outstanding");
                if outstanding == 0 {
                    break;
                }
                // How much there is depends on how long a campaign lasts; it has to become less.
                if outstanding < least {
                    (least, since) = (outstanding, Instant::now());
                }
                let log = || campaign.house.log();
                assert!(
                    since.elapsed() < PATIENCE,
                    "TPP {tpp} has {counts}: {}",
                    log()
                );
                let ended = polling.try_join_next();
                assert!(ended.is_none(), "polls ended: {ended:?}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Nothing was lost, nothing came in two forms, and nothing ended but by its acknowledgement.
    pub(crate) async fn check(&self) -> Vec<Value> {
        let campaign = &self.campaign;
        let (promised, arrived) = self.read_book();
        let events = campaign.audit_all().await;
        let books = campaign.books.lock().unwrap();
        for event in &events {
            let jti = event["jti"].as_str().unwrap();
            assert_eq!(event["state"], "acknowledged", "{event}");
            let known = match event["settlement"]["reason"].as_str() {
                Some("push") => promised.contains(jti),
                Some("poll") => books.acks().contains(jti),
                _ => false,
            };
            assert!(known, "nobody acknowledged {event}");
        }
        let all: BTreeSet<&str> = events.iter().filter_map(|it| it["jti"].as_str()).collect();
        let stranger = arrived.iter().find(|jti| !all.contains(jti.as_str()));
        assert_eq!(stranger, None, "came, and was never accepted");
        drop(books);
        events
    }

    /// How long each pushed event took from its answer to its first arrival, with the moment of the answer.
    pub(crate) fn latencies(&self) -> Vec<(Instant, Duration)> {
        let books = self.campaign.books.lock().unwrap();
        let mut latencies = Vec::new();
        for (tpp, of_tpp) in self.pushed() {
            let inbox = self.endpoint.inbox(&inbox_of(tpp));
            for (jti, event) in books.accepted().iter().filter(|(_, it)| it.tpp == tpp) {
                let jti: Jti = jti.parse().unwrap();
                let arrivals = inbox.of(&jti);
                let first = arrivals
                    .first()
                    .unwrap_or_else(|| panic!("{jti} of {of_tpp} never came"));
                let took = first.came.at.saturating_duration_since(event.answered_at);
                latencies.push((event.answered_at, took));
            }
        }
        latencies
    }

    /// When something came that the endpoint had acknowledged before: the moments of that acknowledgement and of the return.
    pub(crate) fn returns(&self) -> Vec<(Instant, Instant)> {
        let mut returns = Vec::new();
        for (tpp, _) in self.pushed() {
            let inbox = self.endpoint.inbox(&inbox_of(tpp));
            for jti in inbox.accepted() {
                let arrivals = inbox.of(jti);
                let pairs = arrivals.windows(2);
                let accepted = pairs.filter(|pair| pair[0].status == Some(202));
                returns.extend(accepted.map(|pair| (pair[0].came.at, pair[1].came.at)));
            }
        }
        returns
    }

    fn pushed(&self) -> impl Iterator<Item = (usize, String)> {
        let all = self.campaign.tpps.keys().copied();
        let pushed = all.filter(|tpp| !self.polling.contains(tpp));
        pushed.map(|tpp| (tpp, client_of(tpp)))
    }

    /// The events that came with a 202, and all that came.
    fn read_book(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut promised, mut digests) = (BTreeSet::new(), BTreeMap::new());
        for entry in Book::read(&self.campaign.house.desk().path(BOOK)) {
            let jti = entry.jti.expect("nothing but SETs is pushed").to_string();
            let first = digests.entry(jti.clone()).or_insert(entry.digest.clone());
            assert_eq!(*first, entry.digest, "{jti} came in two forms");
            if entry.status == Some(202) {
                promised.insert(jti);
            }
        }
        (promised, digests.into_keys().collect())
    }
}

impl Work {
    /// Returns when so many more answers were good.
    pub(crate) async fn until_answers(&mut self, more: usize, house: &House) {
        let enough = *self.answers.borrow() + more;
        let answered = self.answers.wait_for(|answers| *answers >= enough);
        let answered = tokio::select! {
            answered = timeout(PATIENCE, answered) => answered.is_ok(),
            Some(ended) = self.everybody.join_next() => { ended.unwrap(); false }
        };
        assert!(answered, "no more answers: {}", house.log());
    }

    /// Everybody goes home.
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.everybody.join_next().await {
            ended.unwrap();
        }
    }
}

/// Publishes, and comes back when a server died.
async fn publish(
    mut load: Load,
    publisher: oyez_testkit::colleague::Colleague,
    name: usize,
    mut dice: Dice,
) {
    loop {
        load.clone()
            .publish(publisher.clone(), name, dice.split())
            .await;
        load.round += 1;
        sleep(COMES_BACK_AFTER).await;
    }
}

/// Polls, and comes back when a server died.
async fn poll(load: Load, tpp: oyez_testkit::tpp::Caller, mut dice: Dice) {
    loop {
        load.clone().poll(tpp.clone(), dice.split()).await;
        sleep(COMES_BACK_AFTER).await;
    }
}

fn now_and_then_late(mut dice: Dice) -> Manner {
    Manner::by(move |_| match dice.below(10) {
        0 => Behaviour::accept().late(ATTEMPT_MAX / 4),
        _ => Behaviour::accept(),
    })
}

fn inbox_of(tpp: usize) -> String {
    format!("/{}{NOTIFICATIONS}", client_of(tpp))
}

/// Numbers under this have a meaning of their own in other campaigns.
pub(crate) const FIRST: usize = 10;
const PUBLISHERS: usize = 3;
/// Far less than two cores can do, so that what is late is late for a reason.
const PAUSE: Duration = Duration::from_millis(200);
/// Publishers that begin anew begin other batches.
const LIVES_MAX: u64 = 1_000_000;
const COMES_BACK_AFTER: Duration = Duration::from_millis(20);
const BOOK: &str = "book";
/// As configured: an attempt lasts no longer.
pub(crate) const ATTEMPT_MAX: Duration = Duration::from_secs(1);
