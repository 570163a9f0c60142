//! An outstanding event as its row stands, and what may become of it: the rules that the domain's model has in plain maps.

use oyez_domain::ids::Jti;
use oyez_domain::ledger::push::Verdict;
use oyez_domain::time::Timestamp;
use tokio_postgres::Row;

use super::columns::{jti, moment, moment_or_null};
use crate::Error;
use crate::codes::TppId;

/// One row of `outstanding`.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) tpp: TppId,
    pub(super) position: i64,
    pub(super) jti: Jti,
    pub(super) accepted_at: Timestamp,
    /// What polls go by.
    pub(super) due_at: Timestamp,
    /// What pushes go by; `None`: not pushed.
    pub(super) push_at: Option<Timestamp>,
    pub(super) polled_until: Timestamp,
    /// The choice for pushing that it is in flight by.
    pub(super) flight_until: Option<Timestamp>,
    /// How often the TPP's pushing had begun anew at that choice.
    pub(super) begun: i64,
    pub(super) refused_since: Option<Timestamp>,
    pub(super) kind: i32,
    pub(super) hand_outs: i32,
    pub(super) errors: i32,
    pub(super) ends: i32,
    pub(super) refusals: i32,
    pub(super) endpoint_failures: i32,
    pub(super) family: i16,
}

impl Open {
    /// From the columns of [`open_columns`], which begin at a column.
    pub(super) fn read(row: &Row, from: usize) -> Result<Self, Error> {
        Ok(Self {
            tpp: TppId(row.try_get(from)?),
            position: row.try_get(from + 1)?,
            jti: jti(row, from + 2)?,
            accepted_at: moment(row, from + 3)?,
            due_at: moment(row, from + 4)?,
            push_at: moment_or_null(row, from + 5)?,
            polled_until: moment(row, from + 6)?,
            flight_until: moment_or_null(row, from + 7)?,
            begun: row.try_get(from + 8)?,
            refused_since: moment_or_null(row, from + 9)?,
            kind: row.try_get(from + 10)?,
            hand_outs: row.try_get(from + 11)?,
            errors: row.try_get(from + 12)?,
            ends: row.try_get(from + 13)?,
            refusals: row.try_get(from + 14)?,
            endpoint_failures: row.try_get(from + 15)?,
            family: row.try_get(from + 16)?,
        })
    }

    /// Its place in the order of its TPP: by its acceptance, but not while a poll may still bring its acknowledgement.
    pub(super) fn turn(&self) -> Timestamp {
        self.accepted_at.max(self.polled_until)
    }

    /// When it falls due for polls.
    pub(super) fn falls_due(&self, now: Timestamp) -> Timestamp {
        self.but_for_the_clock(self.due_at, now)
    }

    /// When it may be pushed, if it is pushed at all.
    pub(super) fn pushed_from(&self, now: Timestamp) -> Option<Timestamp> {
        self.push_at
            .map(|push_at| self.but_for_the_clock(push_at, now))
    }

    /// When it falls due, of a moment that it goes by. By a clock that was set back its own acceptance may be to come: that
    /// is no reason to wait, but a poll's hand-out or a flight is. A hand-out at that very moment, without delay, is nothing
    /// else.
    fn but_for_the_clock(&self, moment: Timestamp, now: Timestamp) -> Timestamp {
        let waits_for_its_turn = moment == self.accepted_at && self.polled_until < self.accepted_at;
        if !waits_for_its_turn || self.accepted_at <= now {
            return moment;
        }
        now.max(self.polled_until).max(self.flies_until())
    }

    /// A poll was handed it: neither polls nor pushes have it again before this moment. By a clock that was set back an earlier
    /// hand-out may end later: its acknowledgement may still come, and who pushes knows no other moment.
    pub(super) fn hold_back(&mut self, until: Timestamp) {
        self.due_at = until;
        self.polled_until = self.polled_until.max(until);
        self.push_at = self.push_at.map(|push_at| push_at.max(until));
    }

    /// Nothing was handed out, so the choice does not hold the event back any more, neither from polls nor from pushes; a push in
    /// flight still does. What is used up, and so has been refused, stays so. Answers whether it was held back.
    pub(super) fn release(&mut self, now: Timestamp) -> bool {
        let held_until = self.polled_until;
        if self.due_at > held_until || self.due_at <= now {
            return false;
        }
        let free_at = now.max(self.flies_until());
        self.due_at = free_at;
        self.polled_until = now;
        if self.push_at == Some(held_until) || (self.push_at.is_none() && self.refusals == 0) {
            self.push_at = Some(free_at.max(self.accepted_at));
        }
        true
    }

    /// It was chosen for pushing.
    pub(super) fn take_off(&mut self, until: Timestamp, begun: i64) {
        self.due_at = self.due_at.max(until);
        self.push_at = Some(until);
        self.flight_until = Some(until);
        self.begun = begun;
    }

    /// It is in flight no more: polls may have it at once, unless one was handed it meanwhile.
    pub(super) fn land(&mut self, push_at: Option<Timestamp>) {
        self.due_at = self.turn();
        self.push_at = push_at;
        self.flight_until = None;
    }

    /// Counts a failed push; answers when the event is pushed again. Where pushing began anew meanwhile nothing is held against
    /// it.
    pub(super) fn charge(
        &mut self,
        failure: Verdict,
        begun: i64,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if self.begun != begun {
            return Some(self.turn());
        }
        match failure {
            Verdict::Acknowledged => None,
            Verdict::Refused { again_at } => {
                self.refusals += 1;
                self.refused_since = self.refused_since.or(Some(now));
                again_at.map(|again_at| again_at.max(self.polled_until))
            }
            Verdict::EndpointFailed => {
                self.endpoint_failures += 1;
                Some(self.turn())
            }
        }
    }

    fn flies_until(&self) -> Timestamp {
        self.flight_until.unwrap_or_default()
    }
}

/// The columns of [`Open::read`], of a table or what stands for it.
macro_rules! open_columns {
    ($of:literal) => {
        concat!(
            $of,
            ".tpp, ",
            $of,
            ".position, ",
            $of,
            ".jti, ",
            $of,
            ".accepted_at, ",
            $of,
            ".due_at, ",
            $of,
            ".push_at, ",
            $of,
            ".polled_until, ",
            $of,
            ".flight_until, ",
            $of,
            ".begun, ",
            $of,
            ".refused_since, ",
            $of,
            ".kind, ",
            $of,
            ".hand_outs, ",
            $of,
            ".errors, ",
            $of,
            ".ends, ",
            $of,
            ".refusals, ",
            $of,
            ".endpoint_failures, ",
            $of,
            ".family"
        )
    };
}
pub(super) use open_columns;

/// How many columns those are.
pub(super) const OPEN_COLUMNS: usize = 17;
