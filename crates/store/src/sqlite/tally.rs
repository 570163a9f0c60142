//! What a group of requests counts in memory and writes once.
//!
//! Totals and minutes of a busy TPP would otherwise be written once per request; nobody reads them between two requests of a
//! group. A request that is rolled back takes its counts with it.

use std::collections::HashMap;

use oyez_domain::life::Ending;
use oyez_domain::time::Timestamp;
use rusqlite::{Connection, params};

use super::errors::expect_rows;
use super::tpps::TppId;
use crate::Error;

/// Counts not yet written.
#[derive(Debug, Default)]
pub(super) struct Tally {
    flows: HashMap<(TppId, Timestamp), Flow>,
    totals: HashMap<TppId, Totals>,
}

/// What happened for a TPP in a minute.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flow {
    pub(super) accepted: u64,
    pub(super) handed_out: u64,
    pub(super) pushed: u64,
    pub(super) acknowledged: u64,
    pub(super) failed: u64,
    pub(super) expired: u64,
    pub(super) withdrawn: u64,
}

/// How a TPP's totals change; a failed event that is acknowledged later leaves one and enters another.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    acknowledged: i64,
    failed: i64,
    expired: i64,
    withdrawn: i64,
}

impl Tally {
    /// The minute of `now` for a TPP, to be added to.
    pub(super) fn flow(&mut self, tpp: TppId, now: Timestamp) -> &mut Flow {
        self.flows.entry((tpp, now.minute())).or_default()
    }

    /// Events ended so: in the flow of this minute and in the totals.
    pub(super) fn ended(&mut self, tpp: TppId, ending: Ending, events: u64, now: Timestamp) {
        let flow = self.flow(tpp, now);
        *match ending {
            Ending::Acknowledged => &mut flow.acknowledged,
            Ending::Failed => &mut flow.failed,
            Ending::Expired => &mut flow.expired,
            Ending::Withdrawn => &mut flow.withdrawn,
        } += events;
        let totals = self.totals.entry(tpp).or_default();
        *match ending {
            Ending::Acknowledged => &mut totals.acknowledged,
            Ending::Failed => &mut totals.failed,
            Ending::Expired => &mut totals.expired,
            Ending::Withdrawn => &mut totals.withdrawn,
        } += i64::try_from(events).unwrap_or(i64::MAX);
    }

    /// Events are set aside no more.
    pub(super) fn left_failed(&mut self, tpp: TppId, events: u64) {
        let totals = self.totals.entry(tpp).or_default();
        totals.failed -= i64::try_from(events).unwrap_or(i64::MAX);
    }

    /// Takes in what a request counted, once it can no longer be rolled back alone.
    pub(super) fn absorb(&mut self, request: Self) {
        for (key, flow) in request.flows {
            let sum = self.flows.entry(key).or_default();
            sum.accepted += flow.accepted;
            sum.handed_out += flow.handed_out;
            sum.pushed += flow.pushed;
            sum.acknowledged += flow.acknowledged;
            sum.failed += flow.failed;
            sum.expired += flow.expired;
            sum.withdrawn += flow.withdrawn;
        }
        for (tpp, totals) in request.totals {
            let sum = self.totals.entry(tpp).or_default();
            sum.acknowledged += totals.acknowledged;
            sum.failed += totals.failed;
            sum.expired += totals.expired;
            sum.withdrawn += totals.withdrawn;
        }
    }

    /// Writes everything and is empty again.
    pub(super) fn write(&mut self, db: &Connection) -> Result<(), Error> {
        for ((tpp, minute), flow) in self.flows.drain() {
            db.prepare_cached(ADD_FLOW)?.execute(params![
                tpp,
                minute.unix_ms(),
                flow.accepted,
                flow.handed_out,
                flow.pushed,
                flow.acknowledged,
                flow.failed,
                flow.expired,
                flow.withdrawn
            ])?;
        }
        for (tpp, totals) in self.totals.drain() {
            let changed = db.prepare_cached(ADD_TOTALS)?.execute(params![
                tpp,
                totals.acknowledged,
                totals.failed,
                totals.expired,
                totals.withdrawn
            ])?;
            expect_rows(changed, 1, "adding up a TPP's totals")?;
        }
        Ok(())
    }
}

const ADD_FLOW: &str = "
    INSERT INTO minutes (tpp, minute, accepted, handed_out, pushed, acknowledged, failed, expired, withdrawn)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (tpp, minute) DO UPDATE SET
        accepted = accepted + excluded.accepted, handed_out = handed_out + excluded.handed_out,
        pushed = pushed + excluded.pushed, acknowledged = acknowledged + excluded.acknowledged,
        failed = failed + excluded.failed, expired = expired + excluded.expired,
        withdrawn = withdrawn + excluded.withdrawn";

const ADD_TOTALS: &str = "
    UPDATE queues SET acknowledged = acknowledged + ?2, failed = failed + ?3,
        expired = expired + ?4, withdrawn = withdrawn + ?5
    WHERE tpp = ?1";
