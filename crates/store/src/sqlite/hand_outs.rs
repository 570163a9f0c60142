//! Hand-outs: counted and recorded when kept bytes go out in a poll's answer; the last that a cap allows settles (P-12).

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;

use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, InteractionId, Jti};
use oyez_domain::life::{Acknowledged, Outcome};
use oyez_domain::time::Timestamp;
use rusqlite::params;

use super::settle::{self, End};
use super::tpps::TppId;
use super::writer::Unit;
use crate::Error;

/// The rows that one request's polls have in history, made when first needed.
#[derive(Debug, Default)]
pub(super) struct HandOuts {
    rows: HashMap<InteractionId, i64>,
    counted: HashSet<i64>,
}

/// The event that goes out.
pub(super) struct Handed<'a> {
    pub(super) tpp: TppId,
    pub(super) owner: &'a ClientId,
    pub(super) jti: Jti,
    pub(super) event: i64,
    /// How often it has gone out, this time included.
    pub(super) hand_outs: u32,
}

impl HandOuts {
    /// The row of a poll.
    pub(super) fn poll_row(
        &mut self,
        unit: &Unit,
        interaction_id: &InteractionId,
        now: Timestamp,
    ) -> Result<i64, Error> {
        if let Some(row) = self.rows.get(interaction_id) {
            return Ok(*row);
        }
        unit.db
            .prepare_cached(INSERT_POLL)?
            .execute(params![interaction_id.as_str(), now.unix_ms()])?;
        let row = unit.db.last_insert_rowid();
        self.rows.insert(interaction_id.clone(), row);
        Ok(row)
    }

    /// Records one hand-out, which the event's row has counted; settles the event if it was the last that the cap allows.
    pub(super) fn record(
        &mut self,
        unit: &mut Unit,
        handed: &Handed<'_>,
        cap: Option<NonZeroU32>,
        interaction_id: &InteractionId,
        now: Timestamp,
    ) -> Result<(), Error> {
        if !self.counted.insert(handed.event) {
            // Twice in one request: the second is a hand-out of its own.
            self.rows.remove(interaction_id);
        }
        let poll = self.poll_row(unit, interaction_id, now)?;
        unit.db
            .prepare_cached(INSERT_HAND_OUT)?
            .execute(params![handed.event, poll])?;
        unit.tally.flow(handed.tpp, now).handed_out += 1;
        if cap.is_some_and(|cap| handed.hand_outs >= cap.get()) {
            let end = End {
                tpp: handed.tpp,
                owner: handed.owner,
                outcome: Outcome::Acknowledged(Acknowledged::Assumed),
                actor: &Actor::System,
            };
            settle::settle(unit, &end, handed.jti, now)?;
        }
        Ok(())
    }
}

const INSERT_POLL: &str = "INSERT INTO polls (interaction_id, at) VALUES (?1, ?2)";

pub(super) const INSERT_HAND_OUT: &str = "INSERT INTO hand_outs (event, poll) VALUES (?1, ?2)";
