//! `oyez publish`: events, handed over to a running server (I-01, I-02).
//!
//! Items are read on a thread of their own, gathered into batches, and sent with a bounded number of requests in flight.
//! Outcomes come back in the order of the items, so that "up to line N" says all there is to say when the work is cut short.
//! What the server may have seen is sent again only under an idempotency key: nothing is published twice.

mod batches;
mod input;
mod sending;
mod tally;

use std::collections::VecDeque;
use std::sync::Arc;

use oyez_outbound::{Bytes, StatusCode};
use serde_json::{Map, Value, json};
use tokio::signal::unix::{Signal, SignalKind};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::Surroundings;
use super::call::calling;
use super::events::STANDARD_TYPES;
use crate::args::{ItemArgs, Publish};
use crate::failure::Failure;
use crate::internal_client::{CallError, InternalClient};
use crate::output::{self, Progress, Reply};
use crate::signals;
use batches::Batches;
use input::{Item, Keys};
use sending::{NOT_CONFIRMED, Notice, Sent, send};
use tally::Tally;

/// Publishes what is said, or what a file or standard input holds.
pub(crate) fn run(args: &Publish, around: &Surroundings) -> Result<Reply, Failure> {
    calling(&args.server, around, async |client, tasks| {
        match &args.file {
            None if args.test_event => test(&args.item, &client).await,
            None => one(&args.item, &client).await,
            Some(path) => {
                let keys = Keys::of(args.sending.key_prefix.as_deref())?;
                let items = input::open(path, keys)?;
                let batches = Batches::new(items, args.sending.batch.get());
                Run::new(args, client, tasks)?.publish(batches).await
            }
        }
    })
}

async fn one(args: &ItemArgs, client: &InternalClient) -> Result<Reply, Failure> {
    let item = item(args)?;
    let text = Ok(Bytes::from(item.to_string()));
    let is_keyed = args.idempotency_key.is_some();
    let place = 1;
    let item = Item {
        place,
        text,
        is_keyed,
    };
    let notice = Notice::beside(Progress::none());
    let Sent { outcomes, failure } = send(client, vec![item], &notice).await;
    let mut tally = Tally::default();
    let (place, outcome) = outcomes.into_iter().next().unwrap_or_default();
    // Who failed after it was sent does not know that nothing was done.
    if let Some(failure) = failure
        && outcome["outcome"] != NOT_CONFIRMED
    {
        return Err(failure);
    }
    tally.count(place, &outcome);
    Ok(tally.of_one(outcome))
}

/// A test event: the server knows what it is about. It is not sent twice, since nothing recognises the second one.
async fn test(args: &ItemArgs, client: &InternalClient) -> Result<Reply, Failure> {
    let body = json!({ "tpp": args.tpp });
    let sent = client.post(&["v1", "test-events"], &body).await;
    let answer = sent.map_err(|error| match error {
        CallError::Refused(refusal) if refusal.status == StatusCode::CONFLICT => {
            let mend = "set it in the server's configuration, and start the server again";
            Failure::refused(refusal.to_string(), mend)
        }
        error if error.is_surely_undone() => error.into(),
        error => Failure::cut_off(
            format!(
                "nobody knows what became of the test event: {}",
                error.brief()
            ),
            "look for it with oyez events list",
        ),
    })?;
    let outcome = answer["outcomes"][0].clone();
    let mut tally = Tally::default();
    tally.count(1, &outcome);
    Ok(tally.of_one(outcome))
}

/// The item that the command line says.
fn item(args: &ItemArgs) -> Result<Value, Failure> {
    if args.reason.is_some() && args.events.len() != 1 {
        let what = "--reason says why one event happened, and there are several";
        return Err(Failure::usage(what, "write the item in a file"));
    }
    let (kind, id) = args.resource.clone().unwrap_or_default();
    let mut resource = Map::new();
    resource.insert("type".to_owned(), json!(kind));
    resource.insert("id".to_owned(), json!(id));
    if let Some(version) = &args.version {
        resource.insert("version".to_owned(), json!(version));
    }
    let events = args.events.iter().map(|name| {
        let mut event = Map::new();
        event.insert("type".to_owned(), json!(event_type(name)));
        if let Some(reason) = &args.reason {
            event.insert("reason".to_owned(), json!(reason));
        }
        Value::Object(event)
    });
    let mut item = Map::new();
    item.insert("tpp".to_owned(), json!(args.tpp));
    item.insert("resource".to_owned(), Value::Object(resource));
    item.insert("events".to_owned(), events.collect());
    if let Some(toe) = args.toe {
        item.insert("toe".to_owned(), json!(toe.seconds()));
    }
    for (name, text) in [
        ("txn", &args.txn),
        ("idempotency_key", &args.idempotency_key),
    ] {
        if let Some(text) = text {
            item.insert(name.to_owned(), json!(text));
        }
    }
    Ok(Value::Object(item))
}

/// A bare word is one of the standard's types.
fn event_type(name: &str) -> String {
    if name.contains([':', '.']) {
        name.to_owned()
    } else {
        format!("{STANDARD_TYPES}{}", name.to_ascii_lowercase())
    }
}

/// Many items on their way.
struct Run<'a> {
    args: &'a Publish,
    client: Arc<InternalClient>,
    tasks: TaskTracker,
    interrupts: Signal,
    in_flight: VecDeque<InFlight>,
    progress: Progress,
    notice: Notice,
    tally: Tally,
}

/// A batch that was sent.
struct InFlight {
    places: Vec<u64>,
    answer: JoinHandle<Sent>,
}

/// What comes next.
enum Next {
    Gathered(Option<Vec<Item>>),
    Answered(Sent),
    Interrupted,
}

impl<'a> Run<'a> {
    fn new(
        args: &'a Publish,
        client: Arc<InternalClient>,
        tasks: TaskTracker,
    ) -> Result<Self, Failure> {
        let interrupts = signals::on(SignalKind::interrupt())?;
        let progress = Progress::of("items");
        Ok(Self {
            args,
            client,
            tasks,
            interrupts,
            in_flight: VecDeque::new(),
            notice: Notice::beside(progress.clone()),
            progress,
            tally: Tally::default(),
        })
    }

    /// Until the input ends, or something ends it: then what is in flight is still waited for, unless a second interrupt
    /// comes.
    async fn publish(mut self, mut batches: Batches) -> Result<Reply, Failure> {
        let mut ended = false;
        while !(ended && self.in_flight.is_empty()) {
            match self.next(&mut batches, ended).await {
                Next::Gathered(None) => ended = true,
                Next::Gathered(Some(items)) => self.begin(items),
                Next::Answered(sent) => {
                    let failed = self.settle(sent)?;
                    ended |= failed;
                }
                Next::Interrupted if self.tally.is_interrupted() => {
                    self.give_up()?;
                }
                Next::Interrupted => {
                    self.tally.interrupt();
                    ended = true;
                }
            }
        }
        self.progress.finish();
        if let Some(failure) = batches.failure() {
            self.tally.fail(failure);
        }
        self.tally.reply(self.args.sending.outcomes)
    }

    async fn next(&mut self, batches: &mut Batches, ended: bool) -> Next {
        let room = self.in_flight.len() < self.args.sending.in_flight.get();
        let oldest = self.in_flight.front_mut();
        let waits = oldest.is_some();
        let answer = async {
            match oldest {
                Some(InFlight { places, answer }) => {
                    let answer = answer.await;
                    answer.unwrap_or_else(|error| Sent::unknown(places, &error.to_string()))
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupts.recv() => Next::Interrupted,
            sent = answer, if waits => Next::Answered(sent),
            items = batches.next(), if room && !ended => Next::Gathered(items),
        }
    }

    fn begin(&mut self, items: Vec<Item>) {
        let places: Vec<u64> = items.iter().map(|item| item.place).collect();
        self.tally.sent_up_to(places.last().copied());
        let (client, notice) = (Arc::clone(&self.client), self.notice.clone());
        let sending = async move { send(&client, items, &notice).await };
        self.in_flight.push_back(InFlight {
            places,
            answer: self.tasks.spawn(sending),
        });
    }

    /// Counts the answer to the oldest batch; whether it ends the work.
    fn settle(&mut self, sent: Sent) -> Result<bool, Failure> {
        self.in_flight.pop_front();
        self.tell(&sent.outcomes)?;
        let failed = sent.failure.is_some();
        if let Some(failure) = sent.failure {
            self.tally.fail(failure);
        }
        Ok(failed)
    }

    fn give_up(&mut self) -> Result<(), Failure> {
        for InFlight { places, answer } in std::mem::take(&mut self.in_flight) {
            answer.abort();
            self.tell(&Sent::unknown(&places, "interrupted").outcomes)?;
        }
        Ok(())
    }

    fn tell(&mut self, outcomes: &[(u64, Value)]) -> Result<(), Failure> {
        self.progress.advance(outcomes.len());
        for (place, outcome) in outcomes {
            self.tally.count(*place, outcome);
            if self.args.sending.outcomes {
                let line = tally::line(*place, outcome);
                output::line(&line).map_err(|error| {
                    let mend = "check where standard output goes";
                    Failure::environment("cannot write the outcomes", mend).because(&error)
                })?;
            }
        }
        Ok(())
    }
}
