//! What a benchmark needs of a ledger and no server does: a past, made in bulk.
//!
//! A past is written straight into the tables, by the backend itself, since ten million events would take hours the ordinary
//! way. Its rows are those that service would have left; only the minutes' counts are absent, which nothing looks back at.

use std::ops::Range;

use oyez_domain::event::Notice;
use oyez_domain::ids::{ClientId, ResourceId};
use oyez_domain::time::Timestamp;

use crate::codes::{family_code, to_json};

/// Events that never were.
#[derive(Debug, Clone)]
pub struct Past {
    /// Whose they are, in turn. The ledger knows them all, and none of them has an event.
    pub whose: Vec<ClientId>,
    /// How many, of all together.
    pub events: u64,
    /// When they were accepted: evenly over this time.
    pub over: Range<Timestamp>,
    /// What each of them says, but for whose it is and the id of its resource.
    pub notice: Notice,
    /// What became of them.
    pub left: Left,
}

/// What is left of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It was signed, handed to a poll with others, and acknowledged.
    History {
        /// Of a SET.
        set_bytes: usize,
    },
    /// It waits, unsigned, and nobody was handed it.
    Outstanding,
}

/// A past in the terms of statements.
pub(crate) struct Outline {
    /// JSON of a notice, with [`CLIENT`] and [`RESOURCE`] where they differ.
    pub(crate) notice: String,
    /// What routing goes by.
    pub(crate) types: String,
    pub(crate) family: i64,
    pub(crate) from_ms: i64,
    pub(crate) span_ms: i64,
    pub(crate) events: i64,
    /// How many TPPs.
    pub(crate) tpps: i64,
    /// The first half of what would be random in a jti: pasts of different ends share none.
    pub(crate) mark: &'static str,
}

impl Outline {
    pub(crate) fn of(past: &Past) -> Self {
        let mut notice = past.notice.clone();
        notice.client_id = ClientId::new(CLIENT).expect("a word is a client_id");
        notice.resource.id = ResourceId::new(RESOURCE).expect("a word is an id");
        let from_ms = past.over.start.unix_ms();
        Self {
            types: to_json(&notice.types()),
            family: family_code(notice.resource.family),
            notice: to_json(&notice),
            from_ms,
            span_ms: past.over.end.unix_ms() - from_ms,
            events: number(past.events),
            tpps: number(past.whose.len()),
            mark: match past.left {
                Left::History { .. } => "7aaa",
                Left::Outstanding => "7bbb",
            },
        }
    }

    /// The events that are written at once, from and before: whole polls of all TPPs.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Range<i64>> {
        let round = self.tpps.max(1) * POLLED_AT_ONCE;
        let step = (STEP / round).max(1) * round;
        let (mut first, events) = (0, self.events);
        std::iter::from_fn(move || {
            let range = first..(first + step).min(events);
            first = range.end;
            (!range.is_empty()).then_some(range)
        })
    }
}

/// As statements count.
pub(crate) fn number(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// In a notice's outline: whose it is.
pub(crate) const CLIENT: &str = "client-of-the-past";
/// In a notice's outline: the id of its resource.
pub(crate) const RESOURCE: &str = "resource-of-the-past";

/// Events of a TPP that one poll was handed.
pub(crate) const POLLED_AT_ONCE: i64 = 100;

/// Events in one transaction, about: what it sorts and keeps stays in memory.
const STEP: i64 = 50_000;
