//! Nodes, lanes and retention.

use std::time::Duration;

use oyez_domain::ids::NodeId;
use oyez_domain::ledger::history::{Retention, Swept};
use oyez_domain::ledger::lanes::{HealthState, LaneFilter, LaneReport};

use super::{Player, agree, both, whole};
use crate::step::Turn;
use oyez_testkit::claims::newest_claim;

impl Player<'_> {
    pub(super) async fn lane(&mut self, node: usize, turn: Turn) {
        let held = self.leases[node].clone();
        let [model, backend] = self.ledgers;
        match (turn, held) {
            (Turn::Join(ttl), _) | (Turn::Renew(ttl), None) => self.lease(node, None, ttl).await,
            (Turn::Renew(ttl), Some(held)) => {
                self.lease(node, Some(held.map(|lease| lease.epoch)), ttl)
                    .await;
            }
            (Turn::Release | Turn::Claim { .. } | Turn::Report { .. }, None) => {}
            (Turn::Release, Some([first, second])) => {
                model.release_lease(first).await.unwrap();
                backend.release_lease(second).await.unwrap();
            }
            (Turn::Claim { wanted, lanes_max }, Some([first, second])) => {
                let first = model.claim_lanes(first, wanted, lanes_max, self.now);
                let second = backend.claim_lanes(second, wanted, lanes_max, self.now);
                let (first, second) = (first.await, second.await);
                agree(&whole(&first), &whole(&second));
            }
            (
                Turn::Report {
                    tpp,
                    age,
                    health,
                    hold,
                },
                Some([first, second]),
            ) => {
                let newest = newest_claim(model, &first, &self.name(tpp)).await;
                let reports = vec![LaneReport {
                    client_id: self.name(tpp),
                    claim: newest.number.saturating_sub(age),
                    health,
                    hold,
                }];
                let first = model.report_lanes(first, reports.clone(), self.now).await;
                let second = backend.report_lanes(second, reports, self.now).await;
                agree(&whole(&first), &whole(&second));
            }
        }
    }

    pub(super) async fn list_lanes(
        &self,
        state: Option<HealthState>,
        after: Option<usize>,
        rows_max: u32,
    ) {
        let (filter, after) = (LaneFilter { state }, after.map(|tpp| self.name(tpp)));
        both!(
            self,
            |it| it.list_lanes(filter, after.clone(), rows_max),
            whole
        )
        .unwrap();
        both!(self, |it| it.lane_totals(), whole).unwrap();
    }

    /// Renews the epochs that are named, or joins anew.
    pub(super) async fn lease(&mut self, node: usize, renew: Option<[u64; 2]>, ttl: Duration) {
        let node_id = || NodeId::new(format!("node-{node}")).unwrap();
        let [model, backend] = self.ledgers;
        let first = model
            .hold_lease(node_id(), renew.map(|it| it[0]), ttl)
            .await
            .unwrap();
        let second = backend
            .hold_lease(node_id(), renew.map(|it| it[1]), ttl)
            .await
            .unwrap();
        assert_eq!(
            first.is_some(),
            second.is_some(),
            "one renews what the other refuses"
        );
        if let (Some(first), Some(second)) = (first, second) {
            self.leases[node] = Some([first, second]);
        }
    }

    /// Batches differ in which of two that settled together goes first; what has gone at the end does not.
    pub(super) async fn sweep(&self, retention: Retention) {
        let mut totals = Vec::new();
        for ledger in self.ledgers {
            let mut total = Swept::default();
            loop {
                let swept = ledger.sweep(retention, self.now).await.unwrap();
                if swept == Swept::default() {
                    break;
                }
                total.events += swept.events;
                total.keys += swept.keys;
                total.minutes += swept.minutes;
            }
            totals.push(total);
        }
        assert_eq!(totals[0], totals[1], "the model and the backend swept");
    }
}
