//! Leases and lanes (D-05, D-06). `clock` is the moment that leases go by.

use std::time::Duration;

use super::Ledger;
use super::looking_back::page;
use crate::ids::{ClientId, NodeId};
use crate::ledger::history::Page;
use crate::ledger::lanes::{
    Claim, Health, HealthState, Hold, Lane, LaneFilter, LaneReport, LaneStatus, LaneTotals, Lease,
    Reported, Wanted,
};
use crate::ledger::sharing::{Company, PASSED_OVER};
use crate::time::Timestamp;

/// A node's place.
#[derive(Debug, Clone)]
pub(super) struct LeaseRow {
    epoch: u64,
    /// `None` once it was given back.
    expires_at: Option<Timestamp>,
}

/// A TPP's lane.
#[derive(Debug, Clone, Default)]
pub(super) struct LaneRow {
    pub(super) health: Health,
    owner: Option<(NodeId, u64)>,
    /// Grows with each claim.
    claim: u64,
    /// When to claim it.
    pub(super) wake_at: Option<Timestamp>,
    /// The first news since it was claimed: its owner may not have looked since.
    news_at: Option<Timestamp>,
}

impl Ledger {
    /// A node takes or renews its place. `None` if the epoch it names is over.
    pub fn hold_lease(
        &mut self,
        node_id: NodeId,
        renew: Option<u64>,
        ttl: Duration,
        clock: Timestamp,
    ) -> Option<Lease> {
        let epoch = match renew {
            Some(epoch) => self.is_live(&node_id, epoch, clock).then_some(epoch)?,
            None => self.leases.get(&node_id).map_or(0, |row| row.epoch) + 1,
        };
        let expires_at = clock + ttl;
        let name = node_id.clone();
        self.leases.insert(
            node_id.clone(),
            LeaseRow {
                epoch,
                expires_at: Some(expires_at),
            },
        );
        Some(Lease {
            surplus: self.company(clock, clock).surplus(&name),
            node_id,
            epoch,
            expires_at,
        })
    }

    /// Who shares the lanes, and those that are free and due by then.
    fn company(&self, by: Timestamp, clock: Timestamp) -> Company {
        let live = self.leases.iter();
        let live = live.filter(|(node_id, row)| self.is_live(node_id, row.epoch, clock));
        let mut company = Company {
            loads: live.map(|(node_id, _)| (node_id.clone(), 0)).collect(),
            ..Company::default()
        };
        for lane in self.lanes.values() {
            match self.owner(lane, clock) {
                Some(node_id) => *company.loads.entry(node_id.clone()).or_default() += 1,
                None => {
                    let is_due = |by| lane.wake_at.is_some_and(|wake_at| wake_at <= by);
                    company.free += u64::from(is_due(by));
                    company.passed_over += u64::from(is_due(by - PASSED_OVER));
                }
            }
        }
        company
    }

    /// Who has a lane, by a lease that holds.
    fn owner<'a>(&self, lane: &'a LaneRow, clock: Timestamp) -> Option<&'a NodeId> {
        let (node_id, epoch) = lane.owner.as_ref()?;
        self.is_live(node_id, *epoch, clock).then_some(node_id)
    }

    /// A node leaves: its lanes are free at once.
    pub fn release_lease(&mut self, lease: &Lease) {
        if let Some(row) = self.leases.get_mut(&lease.node_id)
            && row.epoch == lease.epoch
        {
            row.expires_at = None;
        }
    }

    fn is_live(&self, node_id: &NodeId, epoch: u64, clock: Timestamp) -> bool {
        self.leases.get(node_id).is_some_and(|row| {
            row.epoch == epoch && row.expires_at.is_some_and(|expires_at| clock < expires_at)
        })
    }

    /// Whether a claim's lease holds and this lane is its own.
    pub(super) fn owns(&self, claim: &Claim, client_id: &ClientId, clock: Timestamp) -> bool {
        let lease = &claim.lease;
        let lane = self.lanes.get(client_id);
        lane.is_some_and(|lane| lane.is_of(lease, claim.number))
            && self.is_live(&lease.node_id, lease.epoch, clock)
    }

    /// Claims free lanes, longest waiting first. `clock` is the moment that leases go by.
    pub fn claim_lanes(
        &mut self,
        lease: &Lease,
        wanted: Wanted,
        lanes_max: u32,
        (now, clock): (Timestamp, Timestamp),
    ) -> Vec<Lane> {
        if !self.is_live(&lease.node_id, lease.epoch, clock) {
            return Vec::new();
        }
        let (by, room) = match wanted {
            Wanted::Due => (now, u64::MAX),
            Wanted::Share => (now, self.company(now, clock).room(&lease.node_id)),
            Wanted::All => {
                self.wake_sleepers(now);
                (Timestamp::MAX, u64::MAX)
            }
        };
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let mut free: Vec<(Timestamp, ClientId)> = self
            .lanes
            .iter()
            .filter(|(_, lane)| self.owner(lane, clock).is_none())
            .filter_map(|(client_id, lane)| Some((lane.wake_at?, client_id.clone())))
            .filter(|(wake_at, _)| *wake_at <= by)
            .collect();
        free.sort();
        free.truncate(room.min(lanes_max as usize));
        free.into_iter()
            .map(|(_, client_id)| {
                let lane = self.lanes.entry(client_id.clone()).or_default();
                lane.owner = Some((lease.node_id.clone(), lease.epoch));
                lane.claim += 1;
                // Whoever takes it away wakes nobody: then it is due, though it was claimed before its time.
                lane.wake_at = earlier(lane.wake_at, Some(now));
                lane.news_at = None;
                Lane {
                    client_id,
                    claim: lane.claim,
                    health: lane.health.clone(),
                }
            })
            .collect()
    }

    /// Lanes that nothing would wake, though they have something to do.
    fn wake_sleepers(&mut self, now: Timestamp) {
        let sleepers: Vec<ClientId> = self
            .tpps
            .keys()
            .filter(|client_id| self.sleeps_for_good(client_id))
            .cloned()
            .collect();
        for client_id in sleepers {
            self.lanes.entry(client_id).or_default().wake_at = Some(now);
        }
    }

    fn sleeps_for_good(&self, client_id: &ClientId) -> bool {
        let never_claimed = LaneRow::default();
        let lane = self.lanes.get(client_id).unwrap_or(&never_claimed);
        let has_work = || self.push_address(client_id).is_some() && self.has_pushable(client_id);
        lane.wake_at.is_none()
            && match &lane.health {
                Health::Paused { .. } => false,
                Health::Unresponsive {
                    next_probe_at: None,
                    ..
                } => true,
                Health::Responsive | Health::Failing { .. } | Health::Unresponsive { .. } => {
                    has_work()
                }
            }
    }

    /// Writes back what a lane's owner learned; one outcome per report, in order.
    pub fn report_lanes(
        &mut self,
        lease: &Lease,
        reports: Vec<LaneReport>,
        (now, clock): (Timestamp, Timestamp),
    ) -> Vec<Reported> {
        let live = self.is_live(&lease.node_id, lease.epoch, clock);
        reports
            .into_iter()
            .map(|report| match self.lanes.get_mut(&report.client_id) {
                Some(lane) if live && lane.is_of(lease, report.claim) => {
                    let before = lane.health.state();
                    lane.report(&report, now);
                    self.note_health_change(&report.client_id, before, &report.health, now);
                    Reported::Written
                }
                _ => Reported::NotOwner,
            })
            .collect()
    }

    /// One lane's health; `None` if the TPP never had one.
    pub fn find_lane(&self, client_id: &ClientId) -> Option<Lane> {
        let lane = self.lanes.get(client_id)?;
        Some(Lane {
            client_id: client_id.clone(),
            claim: lane.claim,
            health: lane.health.clone(),
        })
    }

    /// Lanes by client_id, those after `after`.
    pub fn list_lanes(
        &self,
        filter: LaneFilter,
        after: Option<&ClientId>,
        rows_max: u32,
        clock: Timestamp,
    ) -> Page<LaneStatus, ClientId> {
        let wanted = |(client_id, lane): &(&ClientId, &LaneRow)| {
            after.is_none_or(|after| *client_id > after)
                && filter
                    .state
                    .is_none_or(|state| lane.health.state() == state)
        };
        let rows = self
            .lanes
            .iter()
            .filter(wanted)
            .map(|(client_id, lane)| LaneStatus {
                client_id: client_id.clone(),
                health: lane.health.clone(),
                wake_at: lane.wake_at,
                owner: self.owner(lane, clock).cloned(),
                outstanding: self.outstanding_of(client_id).len() as u64,
            });
        page(rows.collect(), rows_max, |lane| lane.client_id.clone())
    }

    /// How many lanes there are of each health.
    pub fn lane_totals(&self) -> LaneTotals {
        let mut totals = LaneTotals::default();
        for lane in self.lanes.values() {
            *totals.of(lane.health.state()) += 1;
        }
        let outstanding = self
            .events
            .values()
            .filter(|event| event.outstanding.is_some());
        totals.outstanding = outstanding.count() as u64;
        let oldest = self.tpps.keys().filter_map(|client_id| {
            let first = *self.outstanding_of(client_id).first()?;
            Some(self.events[&first].accepted_at)
        });
        totals.oldest_accepted_at = oldest.min();
        totals
    }

    /// There is something to push from a moment on. A lane that is held back sleeps until its probe for all that (D-06).
    pub(super) fn news(&mut self, client_id: &ClientId, at: Timestamp) {
        let lane = self.lanes.entry(client_id.clone()).or_default();
        lane.news_at = earlier(lane.news_at, Some(at));
        lane.wake_at = earlier(lane.wake_at, lane.health.heeds(at));
        self.news_of(client_id).pushes = true;
    }

    /// The same, if there is an address and any outstanding event is pushed at all.
    pub(super) fn news_if_pushable(&mut self, client_id: &ClientId, now: Timestamp) {
        if self.has_pushable(client_id) && self.has_address(client_id) {
            self.news(client_id, now);
        }
    }

    /// Whether any outstanding event of a TPP is pushed at all.
    fn has_pushable(&self, client_id: &ClientId) -> bool {
        self.events.values().any(|event| {
            let outstanding = event.outstanding.as_ref();
            &event.notice.client_id == client_id
                && outstanding.is_some_and(|it| it.push_at.is_some())
        })
    }

    /// The TPP put its registration anew: whatever was held against its endpoint is over (D-06), but not an operator's pause.
    pub(super) fn mend_lane(&mut self, client_id: &ClientId, now: Timestamp) {
        if let Some(lane) = self.lanes.get_mut(client_id)
            && !matches!(lane.health, Health::Paused { .. })
        {
            let before = lane.become_free(Health::Responsive).state();
            if before != HealthState::Responsive {
                self.note_health_change(client_id, before, &Health::Responsive, now);
                self.news_of(client_id).pushes = true;
            }
        }
    }

    /// Something changed that the lane's owner may have read: it has to claim again and read again.
    pub(super) fn free_lane(&mut self, client_id: &ClientId) {
        let lane = self.lanes.get_mut(client_id);
        if lane.is_some_and(|lane| lane.owner.take().is_some()) {
            self.news_of(client_id).free();
        }
    }
}

impl Health {
    /// When a lane wakes that hears of something to push at a moment: never before its probe, if it is held back.
    fn heeds(&self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Responsive => Some(at),
            Self::Failing { .. } | Self::Unresponsive { .. } => {
                self.next_probe_at().map(|probe_at| probe_at.max(at))
            }
            Self::Paused { .. } => None,
        }
    }
}

impl LaneRow {
    fn is_of(&self, lease: &Lease, claim: u64) -> bool {
        let owner = self.owner.as_ref();
        let is_owner = owner
            .is_some_and(|(node_id, epoch)| (node_id, *epoch) == (&lease.node_id, lease.epoch));
        is_owner && self.claim == claim
    }

    /// A lane that is let go has waited for nobody yet: others have their turn at it first, whose share it is in.
    fn report(&mut self, report: &LaneReport, now: Timestamp) {
        self.health = report.health.clone();
        if let Hold::LetGo { wake_at } = report.hold {
            let heard = self.news_at.and_then(|news_at| self.health.heeds(news_at));
            self.wake_at = earlier(wake_at, heard).map(|at| at.max(now));
            self.owner = None;
            self.news_at = None;
        }
    }

    /// Health was changed over its owner's head: the owner's next report must not undo it. Answers what it was.
    pub(super) fn become_free(&mut self, health: Health) -> Health {
        self.owner = None;
        std::mem::replace(&mut self.health, health)
    }
}

/// The earlier of two moments, where `None` is never.
fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}
