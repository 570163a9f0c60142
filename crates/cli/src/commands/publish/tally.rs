//! How many items came to what end, and which came to none that was wanted.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::sending::{NOT_CONFIRMED, NOT_SENT, REJECTED};
use crate::commands::events::text;
use crate::failure::Failure;
use crate::output::{Reply, Table, Verdict};

/// The count of a publication.
#[derive(Default)]
pub(super) struct Tally {
    counts: BTreeMap<String, u64>,
    /// The first that were rejected, with why.
    rejected: Vec<(u64, String)>,
    sent_up_to: Option<u64>,
    first_not_sent: Option<u64>,
    answered_up_to: Option<u64>,
    interrupted: bool,
    failure: Option<Failure>,
}

impl Tally {
    pub(super) fn count(&mut self, place: u64, outcome: &Value) {
        let word = text(&outcome["outcome"]);
        if word == REJECTED && self.rejected.len() < REJECTED_SHOWN {
            self.rejected.push((place, why(outcome)));
        }
        if word == NOT_SENT {
            self.first_not_sent.get_or_insert(place);
        }
        if word != NOT_SENT && word != NOT_CONFIRMED {
            self.answered_up_to = Some(place);
        }
        *self.counts.entry(word).or_default() += 1;
    }

    pub(super) fn sent_up_to(&mut self, place: Option<u64>) {
        self.sent_up_to = place.or(self.sent_up_to);
    }

    pub(super) fn interrupt(&mut self) {
        self.interrupted = true;
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// The first failure is the cause of the others.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// The answer for one item that the command line said.
    pub(super) fn of_one(&self, outcome: Value) -> Reply {
        let said = match outcome["jti"].as_str() {
            Some(jti) => format!("{} {jti}", text(&outcome["outcome"])),
            None if self.rejected.is_empty() => text(&outcome["outcome"]),
            None => format!("{REJECTED}: {}", why(&outcome)),
        };
        Reply::new(said, outcome).verdict(self.verdict())
    }

    /// The answer for many. When not one item had an outcome, what failed is all there is to say.
    pub(super) fn reply(mut self, lines_are_written: bool) -> Result<Reply, Failure> {
        let nothing_done =
            self.answered_up_to.is_none() && !self.counts.contains_key(NOT_CONFIRMED);
        if let Some(failure) = self.failure.take_if(|_| nothing_done) {
            return Err(failure);
        }
        let (words, json) = (self.words(), self.json());
        let mut reply = if lines_are_written {
            Reply::written().remark(words.trim_end())
        } else {
            Reply::new(words, json)
        };
        if self.interrupted {
            reply = reply.remark("Interrupted.");
        }
        if let Some(failure) = &self.failure {
            reply = reply.remark(format!("error: {failure}"));
        }
        if self.is_cut_short() {
            reply = reply.remark(self.how_far());
        }
        Ok(reply.verdict(self.verdict()))
    }

    fn is_cut_short(&self) -> bool {
        self.interrupted || self.failure.is_some()
    }

    fn verdict(&self) -> Verdict {
        let has = |word: &str| self.counts.contains_key(word);
        if self.is_cut_short() || has(NOT_SENT) || has(NOT_CONFIRMED) {
            Verdict::Unfinished
        } else if has(REJECTED) {
            Verdict::No
        } else {
            Verdict::Yes
        }
    }

    fn words(&self) -> String {
        let mut table = Table::new(&["OUTCOME", "ITEMS", ""]);
        for (word, count) in &self.counts {
            let meaning = meaning(word).to_owned();
            table.row(vec![word.clone(), count.to_string(), meaning]);
        }
        let mut text = table.render();
        for (place, why) in &self.rejected {
            text.push_str(&format!("item {place} is rejected: {why}\n"));
        }
        let shown = self.rejected.len() as u64;
        let rejected = self.counts.get(REJECTED).copied().unwrap_or(0);
        if rejected > shown {
            let more = rejected - shown;
            text.push_str(&format!("and {more} more: --outcomes names all\n"));
        }
        text
    }

    fn json(&self) -> Value {
        let rejected = self.rejected.iter();
        let rejected: Vec<_> = rejected
            .map(|(place, why)| json!({"item": place, "why": why}))
            .collect();
        json!({
            "outcomes": self.counts,
            "rejected": rejected,
            "interrupted": self.interrupted,
            "answered_up_to": self.answered_up_to,
        })
    }

    fn how_far(&self) -> String {
        let after = self.sent_up_to.map_or(1, |place| place + 1);
        let from = self.first_not_sent.unwrap_or(after);
        format!(
            "Nothing from item {from} on was sent. Items with idempotency keys can be published again from the start, \
             others from there."
        )
    }
}

/// The line of an item.
pub(super) fn line(place: u64, outcome: &Value) -> Value {
    let mut line = Map::new();
    line.insert("item".to_owned(), json!(place));
    line.extend(outcome.as_object().cloned().unwrap_or_default());
    Value::Object(line)
}

fn why(outcome: &Value) -> String {
    let errors = outcome["errors"].as_array().into_iter().flatten();
    let errors = errors.map(|error| match error["path"].as_str() {
        Some(path) if !path.is_empty() => format!("{path}: {}", text(&error["detail"])),
        _ => text(&error["detail"]),
    });
    errors.collect::<Vec<_>>().join("; ")
}

fn meaning(word: &str) -> &'static str {
    match word {
        "accepted" => "kept, and on their way",
        "duplicate" => "known already by their idempotency keys",
        "no-subscription" => "not kept: the TPP has registered nothing",
        "not-subscribed-to-type" => "not kept: the TPP does not want this type",
        "disabled" => "not kept: the TPP is disabled",
        REJECTED => "not kept: something is wrong with them",
        NOT_CONFIRMED => "sent, and nobody knows what became of them",
        NOT_SENT => "not sent",
        _ => "",
    }
}

/// What fits a screen.
const REJECTED_SHOWN: usize = 20;
