//! Nodes, lanes and retention.

use std::time::Duration;

use oyez_domain::ids::NodeId;
use oyez_domain::ledger::history::{Retention, Swept};
use oyez_domain::ledger::lanes::LaneReport;

use super::{Player, agree, whole};
use crate::step::Step;

impl Player<'_> {
    pub(super) async fn lanes(&mut self, step: Step) {
        match step {
            Step::Lease { node, renew, ttl } => {
                let held = self.leases[node].clone().filter(|_| renew);
                let epochs = held.map(|leases| leases.map(|lease| lease.epoch));
                self.lease(node, epochs, ttl).await;
            }
            Step::Release(node) => {
                if let Some([model, backend]) = self.leases[node].clone() {
                    self.ledgers[0].release_lease(model).await.unwrap();
                    self.ledgers[1].release_lease(backend).await.unwrap();
                }
            }
            Step::Claim { node, lanes_max } => {
                if let Some([model, backend]) = self.leases[node].clone() {
                    let first = self.ledgers[0]
                        .claim_lanes(model, lanes_max, self.now)
                        .await;
                    let second = self.ledgers[1]
                        .claim_lanes(backend, lanes_max, self.now)
                        .await;
                    agree(&whole(&first), &whole(&second));
                }
            }
            Step::Report {
                node,
                tpp,
                health,
                hold,
            } => {
                if let Some([model, backend]) = self.leases[node].clone() {
                    let reports = vec![LaneReport {
                        client_id: self.name(tpp),
                        health,
                        hold,
                    }];
                    let first = self.ledgers[0].report_lanes(model, reports.clone()).await;
                    let second = self.ledgers[1].report_lanes(backend, reports).await;
                    agree(&whole(&first), &whole(&second));
                }
            }
            other => unreachable!("no lane's step: {other:?}"),
        }
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
