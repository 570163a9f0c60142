//! What a group of requests counts in memory and writes once.
//!
//! Totals and minutes of a busy TPP would otherwise be written once per request; nobody reads them between two requests of a
//! group. A request that is rolled back takes its counts with it.

use std::collections::HashMap;

use oyez_domain::life::Ending;
use oyez_domain::time::Timestamp;

use crate::codes::TppId;

/// Counts not yet written.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    flows: HashMap<(TppId, Timestamp), Flow>,
    totals: HashMap<TppId, Totals>,
}

/// What happened for a TPP in a minute.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flow {
    pub(crate) accepted: u64,
    pub(crate) handed_out: u64,
    pub(crate) pushed: u64,
    pub(crate) acknowledged: u64,
    pub(crate) failed: u64,
    pub(crate) expired: u64,
    pub(crate) withdrawn: u64,
}

/// How a TPP's totals change; a failed event that is acknowledged later leaves one and enters another.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) acknowledged: i64,
    pub(crate) failed: i64,
    pub(crate) expired: i64,
    pub(crate) withdrawn: i64,
}

impl Tally {
    /// The minute of `now` for a TPP, to be added to.
    pub(crate) fn flow(&mut self, tpp: TppId, now: Timestamp) -> &mut Flow {
        self.flows.entry((tpp, now.minute())).or_default()
    }

    /// Events ended so: in the flow of this minute and in the totals.
    pub(crate) fn ended(&mut self, tpp: TppId, ending: Ending, events: u64, now: Timestamp) {
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
    pub(crate) fn left_failed(&mut self, tpp: TppId, events: u64) {
        let totals = self.totals.entry(tpp).or_default();
        totals.failed -= i64::try_from(events).unwrap_or(i64::MAX);
    }

    /// Takes in what a request counted, once it can no longer be rolled back alone.
    pub(crate) fn absorb(&mut self, request: Self) {
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

    /// Everything that is counted by the minute, and holds none of it any more.
    pub(crate) fn take_flows(&mut self) -> impl Iterator<Item = ((TppId, Timestamp), Flow)> {
        self.flows.drain()
    }

    /// How totals change, and holds none of it any more.
    pub(crate) fn take_totals(&mut self) -> impl Iterator<Item = (TppId, Totals)> {
        self.totals.drain()
    }
}
