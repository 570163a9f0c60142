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
    not_confirmed: Ranges,
    not_sent: Ranges,
    sent_up_to: Option<u64>,
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
        for (ends_so, ranges) in [
            (NOT_CONFIRMED, &mut self.not_confirmed),
            (NOT_SENT, &mut self.not_sent),
        ] {
            if word == ends_so {
                ranges.add(place);
            } else {
                ranges.is_open = false;
            }
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
        let in_doubt = self.not_confirmed.words(|_| true);
        if !in_doubt.is_empty() {
            text.push_str(&format!("not confirmed: {in_doubt}\n"));
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
            "not_confirmed": self.not_confirmed.json(),
            "not_sent": self.not_sent.json(),
            "nothing_sent_from": self.is_cut_short().then(|| self.nothing_sent_from()),
        })
    }

    /// From here on not one item was sent, now that the work was cut short.
    fn nothing_sent_from(&self) -> u64 {
        let after = self.sent_up_to.map_or(1, |place| place + 1);
        self.not_sent.last_if_open().unwrap_or(after)
    }

    fn how_far(&self) -> String {
        let from = self.nothing_sent_from();
        let mut text = format!("Nothing from item {from} on was sent.");
        let before = self.not_sent.words(|(first, _)| *first < from);
        if !before.is_empty() {
            text.push_str(&format!(" Nor were {before}."));
        }
        text.push_str(
            " Items with idempotency keys can be published again from the start, others if they were not sent.",
        );
        text
    }
}

/// Which items share an end: those next to each other as one range.
#[derive(Default)]
struct Ranges {
    ranges: Vec<(u64, u64)>,
    more: bool,
    /// The item counted last belongs to the last range.
    is_open: bool,
}

impl Ranges {
    fn add(&mut self, place: u64) {
        let is_full = self.ranges.len() == RANGES_MAX;
        match self.ranges.last_mut() {
            Some((_, last)) if self.is_open => *last = place,
            _ if is_full => self.more = true,
            _ => {
                self.ranges.push((place, place));
                self.is_open = true;
            }
        }
    }

    fn last_if_open(&self) -> Option<u64> {
        let (first, _) = self.ranges.last().filter(|_| self.is_open)?;
        Some(*first)
    }

    fn words(&self, is_meant: impl Fn(&(u64, u64)) -> bool) -> String {
        let meant = self.ranges.iter().filter(|range| is_meant(range));
        let words = meant.map(|(first, last)| {
            if first == last {
                format!("item {first}")
            } else {
                format!("items {first} to {last}")
            }
        });
        let mut words: Vec<_> = words.collect();
        if self.more {
            words.push("more, which --outcomes names".to_owned());
        }
        words.join(", ")
    }

    fn json(&self) -> Value {
        let ranges = self.ranges.iter();
        ranges
            .map(|(first, last)| json!({"from": first, "to": last}))
            .collect()
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

/// What fits a sentence; there are as many as batches in flight, or as items when those with and without keys take turns.
const RANGES_MAX: usize = 20;
/// What fits a screen.
const REJECTED_SHOWN: usize = 20;
