//! Time passes: what nobody acknowledged expires, and what has been kept long enough goes (I-06).

use super::Ledger;
use crate::actor::Actor;
use crate::ids::Jti;
use crate::ledger::history::{Counts, Retention, Swept};
use crate::life::{Ending, Occurrence};
use crate::time::Timestamp;

impl Ledger {
    /// Expires outstanding events accepted before a moment, the oldest first; answers how many.
    pub fn expire(&mut self, accepted_before: Timestamp, events_max: u32, now: Timestamp) -> u64 {
        let mut old: Vec<(Timestamp, Jti)> = self
            .events
            .iter()
            .filter(|(_, event)| event.outstanding.is_some())
            .map(|(jti, event)| (event.accepted_at, *jti))
            .filter(|(accepted_at, _)| *accepted_at < accepted_before)
            .collect();
        old.sort_unstable();
        old.truncate(events_max as usize);
        for (_, jti) in &old {
            self.settle(*jti, Occurrence::TimeIsOver, Actor::System, now);
        }
        old.len() as u64
    }

    /// Removes what has been kept long enough, one batch.
    pub fn sweep(&mut self, retention: Retention, now: Timestamp) -> Swept {
        let batch_max = retention.batch_max as usize;
        let mut settled: Vec<(Timestamp, u64, Jti)> = self
            .events
            .iter()
            .filter(|(_, event)| event.outstanding.is_none())
            .filter_map(|(jti, event)| Some((event.settlements.last()?.at, event.number, *jti)))
            .filter(|(at, ..)| *at + retention.settled_for < now)
            .collect();
        settled.sort_unstable();
        settled.truncate(batch_max);
        for (.., jti) in &settled {
            self.forget(*jti);
        }
        let keys = self.remembered.len();
        let mut left = batch_max;
        self.remembered
            .retain(|_, first| stays(first.at + retention.keys_for < now, &mut left));
        let minutes = self.minutes.len();
        left = batch_max;
        self.minutes
            .retain(|(_, minute), _| stays(*minute + retention.minutes_for < now, &mut left));
        let changes = self.health_changes.len();
        left = batch_max;
        self.health_changes
            .retain(|(_, at, _), _| stays(*at + retention.settled_for < now, &mut left));
        Swept {
            health_changes: (changes - self.health_changes.len()) as u64,
            events: settled.len() as u64,
            keys: (keys - self.remembered.len()) as u64,
            minutes: (minutes - self.minutes.len()) as u64,
        }
    }

    /// Drops an event whole; its TPP's counts keep it.
    fn forget(&mut self, jti: Jti) {
        let event = self.events.remove(&jti).expect("it was found just now");
        let last = event.settlements.last().expect("it is settled");
        let row = self
            .tpps
            .get_mut(&event.notice.client_id)
            .expect("TPPs are never removed");
        count_ending(&mut row.swept, last.outcome.ending());
    }
}

pub(super) const fn count_ending(counts: &mut Counts, ending: Ending) {
    match ending {
        Ending::Acknowledged => counts.acknowledged += 1,
        Ending::Failed => counts.failed += 1,
        Ending::Expired => counts.expired += 1,
        Ending::Withdrawn => counts.withdrawn += 1,
    }
}

/// Whether a row stays: it is not old, or the batch is full.
const fn stays(old: bool, left: &mut usize) -> bool {
    if old && *left > 0 {
        *left -= 1;
        return false;
    }
    true
}
