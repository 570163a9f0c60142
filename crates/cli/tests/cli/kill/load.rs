//! Those who use the server until it dies: publishers, TPPs that poll, and one that changes its mind.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oyez_outbound::Method;
use oyez_testkit::colleague::Colleague;
use oyez_testkit::dice::Dice;
use oyez_testkit::tpp::{Caller, Response};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use super::books::{Ask, Batch, Books};
use super::client_of;
use crate::house::{self, SUBSCRIPTIONS};

/// The world of one round, as each of them knows it.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) books: Arc<Mutex<Books>>,
    pub(crate) answers: watch::Sender<usize>,
    pub(crate) round: u64,
    /// Whom events are for.
    pub(crate) tpps: Vec<usize>,
    pub(crate) habits: Habits,
}

/// How the server is used.
#[derive(Clone, Copy)]
pub(crate) struct Habits {
    pub(crate) publishers: usize,
    /// What publishers and polls wait between two requests.
    pub(crate) pause: Duration,
    pub(crate) errors: Errors,
    pub(crate) refusals: Refusals,
    /// The most answers that a server lives for.
    pub(crate) answers_max: usize,
}

/// What polls report.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errors {
    /// Of an event in eight.
    Some,
    /// Nothing but acknowledgements.
    None,
}

/// Whether the ledger may be away, so that requests are told to come back later.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusals {
    Some,
    None,
}

impl Load {
    /// Whether the ledger was away, which whoever asked is told properly.
    fn is_refused(&self, answer: &Response) -> bool {
        let is_refused = answer.status == 503 && self.habits.refusals == Refusals::Some;
        assert!(is_refused || answer.status == 200, "{answer:?}");
        assert!(
            !is_refused || answer.header("retry-after").is_some(),
            "{answer:?}"
        );
        is_refused
    }

    /// Writes down what was answered, and tells who counts answers.
    fn enter<T>(&self, entry: impl FnOnce(&mut Books) -> T) -> T {
        let mut books = self.books.lock().unwrap();
        let entered = entry(&mut books);
        self.answers.send_replace(books.answers());
        entered
    }

    async fn pause(&self) {
        if !self.habits.pause.is_zero() {
            sleep(self.habits.pause).await;
        }
    }

    /// Hands batches over.
    pub(crate) async fn publish(self, publisher: Colleague, name: usize, mut dice: Dice) {
        for number in 0.. {
            let tpps: Vec<usize> = (0..=dice.below(BATCH_MAX))
                .map(|_| self.tpps[dice.below(self.tpps.len())])
                .collect();
            let resource = format!("b-{}-{name}-{number}", self.round);
            let batch = Batch { resource, tpps };
            self.enter(|books| books.publishes(&batch));
            let body = body(&batch);
            let answer = publisher.try_send(Method::POST, "/v1/events", Some(&body));
            let Ok(answer) = answer.await else { return };
            if !self.is_refused(&answer) {
                self.enter(|books| books.published(&batch, &answer.json()));
            }
            self.pause().await;
        }
    }

    /// Polls in every way, and acknowledges some of what it gets, or reports errors.
    pub(crate) async fn poll(self, tpp: Caller, mut dice: Dice) {
        let Ok(mut connection) = tpp.keep_alive().await else {
            return;
        };
        // What is offered again while it is in hand stands there once.
        let mut in_hand: BTreeSet<String> = BTreeSet::new();
        loop {
            let mut ask = Ask::default();
            for jti in std::mem::take(&mut in_hand) {
                match dice.below(8) {
                    0 if self.habits.errors == Errors::Some => ask.errors.push(jti),
                    1 => {}
                    2 => drop(in_hand.insert(jti)),
                    _ => ask.acks.push(jti),
                }
            }
            let version = ["v3.1", "v4.0"][dice.below(2)];
            let request = request(&ask, &mut dice);
            let began = self.enter(|books| books.polls(&ask));
            let events = format!("/open-banking/{version}/events");
            let answer = tpp
                .post(&events)
                .json(&request)
                .try_send_on(&mut connection);
            let Ok(answer) = answer.await else { return };
            if !self.is_refused(&answer) {
                in_hand.extend(self.enter(|books| books.polled(began, &ask, &answer.json())));
            }
            self.pause().await;
        }
    }

    /// Subscribes, replaces its subscription with one of the next number, and sometimes deletes it.
    pub(crate) async fn change(self, tpp: Caller, mut dice: Dice) {
        let Ok(mut connection) = tpp.keep_alive().await else {
            return;
        };
        let mut next = usize::try_from(self.round).unwrap() * CHANGES_MAX;
        let mut id: Option<String> = None;
        if self.books.lock().unwrap().subscription().is_some() {
            let Ok(listed) = tpp.get(SUBSCRIPTIONS).try_send_on(&mut connection).await else {
                return;
            };
            id = listed.json()["Data"]["EventSubscription"][0]["EventSubscriptionId"]
                .as_str()
                .map(str::to_owned);
        }
        loop {
            next += 1;
            let deletes = id.is_some() && dice.below(6) == 0;
            let path = id.as_ref().map(|id| format!("{SUBSCRIPTIONS}/{id}"));
            let wish = wish(id.as_deref(), next);
            let (request, expected) = match &path {
                Some(path) if deletes => (tpp.delete(path), 204),
                Some(path) => (tpp.put(path).json(&wish), 200),
                None => (tpp.post(SUBSCRIPTIONS).json(&wish), 201),
            };
            let began = self.enter(|books| books.registers((!deletes).then_some(next)));
            let Ok(answer) = request.try_send_on(&mut connection).await else {
                return;
            };
            assert_eq!(answer.status, expected, "{answer:?}");
            self.enter(|books| books.registered(began));
            id = (!deletes).then(|| {
                let id = &answer.json()["Data"]["EventSubscriptionId"];
                id.as_str().unwrap().to_owned()
            });
        }
    }
}

/// The request that hands a batch over.
pub(crate) fn body(batch: &Batch) -> Value {
    let items = batch.tpps.iter().enumerate();
    let item = |(index, tpp): (usize, &usize)| {
        house::item(&client_of(*tpp), &batch.resource, &batch.key(index))
    };
    json!({ "items": items.map(item).collect::<Vec<_>>() })
}

/// The number of a subscription, which stands in its address.
pub(crate) fn number_of(subscription: &Value) -> Option<usize> {
    let url = subscription["CallbackUrl"].as_str()?;
    let number = url.strip_prefix("https://n")?.split('.').next()?;
    number.parse().ok()
}

fn wish(id: Option<&str>, number: usize) -> Value {
    let url = format!("https://n{number}.example/open-banking/v4.0/event-notifications");
    let mut data = json!({ "CallbackUrl": url, "Version": "4.0" });
    if let Some(id) = id {
        data["EventSubscriptionId"] = id.into();
    }
    json!({ "Data": data })
}

fn request(ask: &Ask, dice: &mut Dice) -> Value {
    let error = json!({ "err": "jwtAud", "description": "not for us" });
    let errors = ask.errors.iter().map(|jti| (jti.clone(), error.clone()));
    json!({
        "ack": ask.acks, "setErrs": errors.collect::<serde_json::Map<_, _>>(),
        "maxEvents": dice.below(40), "returnImmediately": dice.below(3) > 0,
    })
}

/// Events in one request.
const BATCH_MAX: usize = 12;
/// More changes than one round has room for.
const CHANGES_MAX: usize = 1_000_000;
