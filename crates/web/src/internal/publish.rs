//! Taking events in (I-01, I-02). A body is one item, or `{"items": […]}` with up to [`ITEMS_MAX`] of them; the answer has one
//! outcome per item, in order, and is always 200: that an item is refused is an outcome of the item.
//!
//! One request is one unit of the ledger, durable before the answer, and done to its end though the publisher may leave once
//! it is queued there. Nothing here is done once per item that could be done once per request.

use std::io::Write;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use oyez_domain::event::{Idempotency, Submission};
use oyez_domain::fault::Fault;
use oyez_domain::ids::Jti;
use oyez_domain::json::members::{Faults, Place};
use oyez_domain::json::{self, DEPTH_MAX};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::notice;
use oyez_domain::time::Timestamp;
use oyez_domain::trace::TraceContext;
use oyez_jose::sha256;
use oyez_telemetry::Value;
use serde_json::Value as Json;
use tokio::time::Instant;

use super::api::{Api, Call, panicked};
use super::input;
use super::leaving::Answer;
use super::problem::{Entry, Problem};
use crate::Bank;
use crate::metrics::Publication;

/// Items in one request: what a core system gathers in an instant, and one small transaction.
pub const ITEMS_MAX: usize = 1000;

/// What was read of a request.
#[derive(Default)]
pub(super) struct Batch {
    /// What is to be accepted, in order.
    pub(super) submissions: Vec<Submission>,
    /// The items that are not fit to be, by their place among all.
    pub(super) rejected: Vec<(usize, Vec<Fault>)>,
    /// Where in a trace items are accepted that do not say where they belong.
    trace: Option<Box<TraceContext>>,
}

impl Api {
    /// `POST /v1/events`.
    pub(super) async fn publish_events(&self, call: &Call, body: Body) -> Result<Answer, Problem> {
        let bytes = input::bytes(body, &call.head.headers, BODY_BYTES_MAX).await?;
        let (bank, now) = (Arc::clone(&self.bank), call.now);
        let batch = Batch::of(&bank, call);
        let batch = if bytes.len() <= INLINE_BYTES_MAX {
            read(&bank, &bytes, now, batch)?
        } else {
            let room = Arc::clone(&self.long_reads).acquire_owned().await;
            let room = room.expect("the semaphore is never closed");
            let reading = self.tasks.spawn_blocking(move || {
                let _room = room;
                read(&bank, &bytes, now, batch)
            });
            let read = reading.await;
            read.unwrap_or_else(|error| Err(Problem::Broken(panicked(error))))?
        };
        self.accept(batch, call).await
    }

    /// Makes what was read durable, and answers an outcome for each item.
    pub(super) async fn accept(&self, batch: Batch, call: &Call) -> Result<Answer, Problem> {
        let Batch {
            submissions,
            rejected,
            trace,
        } = batch;
        let acceptances = if submissions.is_empty() {
            Vec::new()
        } else {
            let (items, asked_at) = (submissions.len(), Instant::now());
            let accepted = self.bank.store.accept(submissions, call.now).await;
            if let (Some(tracer), Some(parent), Some(at)) = (&self.bank.tracer, &call.trace, trace)
            {
                let how = (asked_at.elapsed(), accepted.is_err());
                let attributes = vec![("oyez.items", Value::from(items))];
                tracer.ended("accept", (*at, parent), how, attributes);
            }
            accepted?
        };
        let body = write(&self.bank, &acceptances, &rejected);
        Ok(Answer::json(StatusCode::OK, body))
    }
}

impl Batch {
    /// Of a request.
    pub(super) fn of(bank: &Bank, call: &Call) -> Self {
        let trace = call.trace.as_ref().map(|trace| match &bank.tracer {
            Some(tracer) => tracer.below(Some(trace)),
            None => trace.clone(),
        });
        Self {
            trace: trace.map(Box::new),
            ..Self::default()
        }
    }

    /// With one item more.
    pub(super) fn add(
        &mut self,
        bank: &Bank,
        item: Result<notice::Item, Vec<Fault>>,
        now: Timestamp,
    ) {
        match item {
            Ok(mut item) => {
                if item.notice.trace.is_none() {
                    item.notice.trace.clone_from(&self.trace);
                }
                self.submissions.push(submission(bank, item, now));
            }
            Err(faults) => {
                let place = self.submissions.len() + self.rejected.len();
                self.rejected.push((place, faults));
            }
        }
    }
}

fn read(bank: &Bank, bytes: &Bytes, now: Timestamp, mut batch: Batch) -> Result<Batch, Problem> {
    let document = json::parse(bytes, DEPTH_MAX)?;
    let items = items(&document)?;
    batch.submissions.reserve_exact(items.len());
    for item in items {
        batch.add(bank, notice::read(&bank.rules, item, now), now);
    }
    Ok(batch)
}

/// The items of a body. What has `items` is a batch, everything else is an item itself.
fn items(document: &Json) -> Result<&[Json], Problem> {
    if document.get(ITEMS).is_none() {
        return Ok(std::slice::from_ref(document));
    }
    let mut faults = Faults::default();
    let members = Place::document(document).members(&mut faults);
    let items = members.and_then(|members| {
        members.only(&[ITEMS], &mut faults);
        let place = members.required(ITEMS, &mut faults)?;
        let count = place.elements(&mut faults)?.len();
        if !(1..=ITEMS_MAX).contains(&count) {
            faults.invalid(&place.path, format!("1 to {ITEMS_MAX} items are expected"));
        }
        place.value.as_array().map(Vec::as_slice)
    });
    Ok(faults.into_result(items)?)
}

fn submission(bank: &Bank, item: notice::Item, now: Timestamp) -> Submission {
    let idempotency = item.idempotency_key.map(|key| Idempotency {
        key,
        fingerprint: sha256(&item.content),
    });
    let [random @ .., _, _, _, _, _, _] = bank.random.bytes();
    Submission {
        jti: Jti::new(now, random),
        notice: item.notice,
        idempotency,
    }
}

/// Writes the outcomes in the order of the items, and counts them.
fn write(bank: &Bank, acceptances: &[Acceptance], rejected: &[(usize, Vec<Fault>)]) -> Vec<u8> {
    let count = acceptances.len() + rejected.len();
    let mut body = Vec::with_capacity(OUTCOME_BYTES * (count + 1));
    let mut counts = [0_u64; PUBLICATIONS.len()];
    let (mut acceptances, mut rejected) = (acceptances.iter(), rejected.iter().peekable());
    body.extend_from_slice(b"{\"outcomes\":[");
    for index in 0..count {
        if index > 0 {
            body.push(b',');
        }
        let publication = match rejected.next_if(|(place, _)| *place == index) {
            Some((_, faults)) => {
                let entries: Vec<Entry<'_>> = faults.iter().map(Entry::from).collect();
                write_rejection(&mut body, &entries)
            }
            None => {
                let acceptance = acceptances.next();
                write_acceptance(
                    &mut body,
                    *acceptance.expect("both lists make up the count"),
                )
            }
        };
        let place = PUBLICATIONS.iter().position(|each| *each == publication);
        counts[place.expect("the list has every outcome")] += 1;
    }
    body.extend_from_slice(b"]}");
    for (publication, items) in PUBLICATIONS.into_iter().zip(counts) {
        if items > 0 {
            bank.metrics.published(publication, items);
        }
    }
    body
}

fn write_acceptance(body: &mut Vec<u8>, acceptance: Acceptance) -> Publication {
    let (publication, jti) = match acceptance {
        Acceptance::Accepted(jti) => (Publication::Accepted, Some(jti)),
        Acceptance::Duplicate(jti) => (Publication::Duplicate, Some(jti)),
        Acceptance::Disabled => (Publication::Disabled, None),
        Acceptance::NoSubscription => (Publication::NoSubscription, None),
        Acceptance::NotSubscribed => (Publication::NotSubscribed, None),
        Acceptance::UnknownTpp => {
            let detail = "no TPP has this client_id";
            return write_rejection(body, &[Entry::of_ledger("unknown_tpp", "tpp", detail)]);
        }
        Acceptance::IdempotencyConflict => {
            let detail = "this key was used before, for other content";
            let entry = Entry::of_ledger("idempotency_conflict", "idempotency_key", detail);
            return write_rejection(body, &[entry]);
        }
    };
    let name = publication.name();
    let written = match jti {
        Some(jti) => write!(body, "{{\"outcome\":\"{name}\",\"jti\":\"{jti}\"}}"),
        None => write!(body, "{{\"outcome\":\"{name}\"}}"),
    };
    written.expect("a vector takes whatever is written");
    publication
}

fn write_rejection(body: &mut Vec<u8>, errors: &[Entry<'_>]) -> Publication {
    body.extend_from_slice(b"{\"outcome\":\"rejected\",\"errors\":");
    serde_json::to_writer(&mut *body, errors).expect("a vector takes whatever is written");
    body.push(b'}');
    Publication::Rejected
}

const PUBLICATIONS: [Publication; 6] = [
    Publication::Accepted,
    Publication::Duplicate,
    Publication::NoSubscription,
    Publication::NotSubscribed,
    Publication::Disabled,
    Publication::Rejected,
];
const ITEMS: &str = "items";
/// An item has some hundred bytes to two kilobytes: this is four times the longest usual batch. A single item may be 64 KiB;
/// who has many of those sends them in several requests. As values in memory a body is several times as long.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// So many long bodies are read at once: as values the worst 8 MiB are 100, and a machine has no more cores for this.
pub(super) const LONG_READS_MAX: usize = 4;
/// What is read within a millisecond may hold up a thread that serves others; longer bodies are read beside them.
const INLINE_BYTES_MAX: usize = 128 * 1024;
/// One outcome with its jti.
const OUTCOME_BYTES: usize = 80;
