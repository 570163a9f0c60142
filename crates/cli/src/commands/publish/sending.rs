//! One batch, sent until each of its items has an outcome.
//!
//! A batch that the server refuses as a whole is sent in halves, down to the item that it is refused for. One that got no
//! answer is sent again after a while: all of it if the server surely did nothing, else the items that have an idempotency
//! key; what became of the others cannot be known, and is said to be so.
//!
//! A batch is not over before the server answers again: while something before the server swallows requests, no more are
//! thrown after them than are in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use oyez_outbound::{Bytes, StatusCode};
use serde_json::{Value, json};

use super::input::Item;
use crate::failure::Failure;
use crate::internal_client::{CallError, InternalClient, Repeats};
use crate::output::Progress;

/// What became of a batch.
pub(super) struct Sent {
    /// Of each item, by its place, in order.
    pub(super) outcomes: Vec<(u64, Value)>,
    /// Why nothing more can be sent.
    pub(super) failure: Option<Failure>,
}

impl Sent {
    /// When nobody knows.
    pub(super) fn unknown(places: &[u64], why: &str) -> Self {
        let outcomes = places.iter().map(|place| (*place, not_confirmed(why)));
        Self {
            outcomes: outcomes.collect(),
            failure: None,
        }
    }
}

/// Tells, once, that the server is waited for. Clones are the same.
#[derive(Clone)]
pub(super) struct Notice {
    progress: Progress,
    is_told: Arc<AtomicBool>,
}

impl Notice {
    /// Beside this.
    pub(super) fn beside(progress: Progress) -> Self {
        Self {
            progress,
            is_told: Arc::default(),
        }
    }

    fn tell(&self, error: &CallError) {
        if !self.is_told.swap(true, Ordering::Relaxed) {
            let seconds = PAUSES.iter().sum::<Duration>().as_secs();
            let why = error.brief();
            self.progress
                .aside(format_args!("Trying again, for about {seconds} s: {why}"));
        }
    }
}

/// Sends a batch.
pub(super) async fn send(client: &InternalClient, items: Vec<Item>, notice: &Notice) -> Sent {
    let mut batch = Batch::new(&items);
    let failure = batch.send(client, notice).await;
    let outcomes = batch.outcomes.into_iter();
    let outcomes = outcomes.map(|outcome| outcome.unwrap_or_else(|| json!({"outcome": NOT_SENT})));
    Sent {
        outcomes: items.iter().map(|item| item.place).zip(outcomes).collect(),
        failure,
    }
}

struct Batch<'a> {
    items: &'a [Item],
    outcomes: Vec<Option<Value>>,
}

impl<'a> Batch<'a> {
    fn new(items: &'a [Item]) -> Self {
        let unreadable = |item: &Item| {
            let what = item.text.as_ref().err()?;
            Some(rejected("unreadable", what))
        };
        Self {
            items,
            outcomes: items.iter().map(unreadable).collect(),
        }
    }

    async fn send(&mut self, client: &InternalClient, notice: &Notice) -> Option<Failure> {
        let sendable = (0..self.items.len()).filter(|index| self.outcomes[*index].is_none());
        let sendable: Vec<usize> = sendable.collect();
        let mut parts: Vec<Vec<usize>> = Vec::new();
        if !sendable.is_empty() {
            parts.push(sendable);
        }
        let mut pauses = PAUSES.iter();
        while let Some(mut part) = parts.pop() {
            let error = match self.attempt(client, &part).await {
                Ok(()) => continue,
                Err(error) => error,
            };
            if let CallError::Refused(refusal) = &error
                && is_of_content(refusal.status)
            {
                if let &[index] = part.as_slice() {
                    self.outcomes[index] = Some(rejected("refused", &refusal.details()));
                } else {
                    parts.push(part.split_off(part.len() / 2));
                    parts.push(part);
                }
                continue;
            }
            let pause = pauses.next().filter(|_| error.may_pass());
            if !error.is_surely_undone() {
                let why = why(&error);
                // Until an answer says more: those that are sent again may never get one.
                for index in &part {
                    self.outcomes[*index] = Some(not_confirmed(&why));
                }
                part.retain(|index| self.items[*index].is_keyed);
            }
            let Some(pause) = pause else {
                return Some(error.into());
            };
            notice.tell(&error);
            tokio::time::sleep(*pause).await;
            parts.push(part);
        }
        None
    }

    /// Sends a part. One of which nothing is left to send only finds out whether the server is there.
    async fn attempt(&mut self, client: &InternalClient, part: &[usize]) -> Result<(), CallError> {
        if part.is_empty() {
            return client.get(&["health", "live"], &[]).await.map(|_| ());
        }
        let all_keyed = part.iter().all(|index| self.items[*index].is_keyed);
        let repeats = if all_keyed {
            Repeats::Harmless
        } else {
            Repeats::Duplicate
        };
        let answer = client.publish(self.body(part), repeats).await?;
        let outcomes = answer["outcomes"].as_array().into_iter().flatten();
        for (index, outcome) in part.iter().zip(outcomes) {
            self.outcomes[*index] = Some(outcome.clone());
        }
        for index in part {
            self.outcomes[*index]
                .get_or_insert_with(|| not_confirmed("the server gave no outcome"));
        }
        Ok(())
    }

    fn body(&self, part: &[usize]) -> Bytes {
        let mut body = b"{\"items\":[".to_vec();
        let texts = part.iter().flat_map(|index| &self.items[*index].text);
        for (number, text) in texts.enumerate() {
            if number > 0 {
                body.push(b',');
            }
            body.extend_from_slice(text);
        }
        body.extend_from_slice(b"]}");
        body.into()
    }
}

/// Whether the server refused what was sent, not who sent it.
fn is_of_content(status: StatusCode) -> bool {
    status == StatusCode::BAD_REQUEST || status == StatusCode::PAYLOAD_TOO_LARGE
}

/// Why nobody knows. What a 503 says of the request is not repeated: it may come from something before the server.
fn why(error: &CallError) -> String {
    match error {
        CallError::Refused(refusal) => format!("the server answered {}", refusal.status),
        other => other.brief(),
    }
}

fn rejected(code: &str, detail: &str) -> Value {
    json!({"outcome": REJECTED, "errors": [{"code": code, "detail": detail}]})
}

fn not_confirmed(why: &str) -> Value {
    json!({"outcome": NOT_CONFIRMED, "detail": why})
}

/// As the server calls it.
pub(super) const REJECTED: &str = "rejected";
/// It may be accepted, or not.
pub(super) const NOT_CONFIRMED: &str = "not-confirmed";
/// The server surely has not got it.
pub(super) const NOT_SENT: &str = "not-sent";
/// A restart of the server takes some seconds.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];
