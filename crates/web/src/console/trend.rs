//! What flowed lately for all TPPs together. The ledger keeps it per TPP and minute, and adds it up when asked; a week of a
//! thousand TPPs are ten million rows. So each minute is asked for once, while it is young a few times, and kept here.

use std::collections::BTreeMap;
use std::time::Duration;

use oyez_domain::ledger::history::Minute;
use oyez_domain::time::Timestamp;
use oyez_store::{Error, Store};
use tokio::sync::Mutex;

use super::chart::WEEK;

/// The minutes of the last week, as far as somebody asked for them.
#[derive(Default)]
pub(super) struct Trend(Mutex<Known>);

#[derive(Default)]
struct Known {
    minutes: BTreeMap<Timestamp, Minute>,
    /// Everything from here …
    from: Timestamp,
    /// … to here was asked for, when it was over.
    until: Timestamp,
}

impl Trend {
    /// The minutes of the last so and so much. Whoever asks meanwhile waits for the same answer.
    pub(super) async fn minutes(
        &self,
        store: &dyn Store,
        span: Duration,
        now: Timestamp,
    ) -> Result<Vec<Minute>, Error> {
        let begin = now.minute() - span;
        let mut known = self.0.lock().await;
        if known.until < begin {
            *known = Known {
                from: begin,
                until: begin,
                ..Known::default()
            };
        }
        if begin < known.from {
            let missing = store.minutes(None, begin..known.from).await?;
            known.keep(missing);
            known.from = begin;
        }
        let open = known.until;
        let young = store.minutes(None, open..now + MINUTE).await?;
        known.minutes.split_off(&open);
        known.keep(young);
        known.until = known.until.max(now.minute() - YOUNG);
        let oldest = now.minute() - WEEK.span - MINUTE;
        known.minutes = known.minutes.split_off(&oldest);
        known.from = known.from.max(oldest);
        Ok(known.minutes.range(begin..).map(|(_, one)| *one).collect())
    }
}

impl Known {
    fn keep(&mut self, minutes: Vec<Minute>) {
        self.minutes
            .extend(minutes.into_iter().map(|one| (one.minute, one)));
    }
}

const MINUTE: Duration = Duration::from_secs(60);
/// What happened in a minute is counted by then, on every node.
const YOUNG: Duration = Duration::from_secs(180);
