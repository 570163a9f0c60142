//! What is compared when a history is over.

use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::history::{AuditEntry, EventFilter, Page};
use oyez_domain::ledger::lanes::{Lane, Wanted};
use oyez_domain::ledger::poll::{Limits, Patience};
use oyez_domain::ledger::sets::Look;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use oyez_store::Error;

use super::{Company, Player, Said, both, whole};
use crate::step::{NODES, PollOf, TPPS, Turn};

impl Player<'_> {
    /// Compares everything that can be looked up, and then what is due now, later and much later.
    pub(crate) async fn end(&mut self) {
        for jti in &self.given {
            both!(self, |it| it.find_event(*jti), whole).unwrap();
        }
        if self.company == Company::Alone {
            self.compare_lists(None).await;
            both!(self, |it| it.list_tpps(None, 1_000), whole).unwrap();
            both!(self, |it| it.keys_in_use(), whole).unwrap();
            self.list_lanes(None, None, 1_000).await;
            self.compare_wakes().await;
        }
        for tpp in 0..TPPS {
            let counts = both!(self, |it| it.counts(self.name(tpp)), whole).unwrap();
            assert!(counts.balance(), "{counts:?}");
            both!(self, |it| it.registrations(self.name(tpp)), whole).unwrap();
            both!(self, |it| it.find_tpp(self.name(tpp)), whole).unwrap();
            both!(self, |it| it.find_lane(self.name(tpp)), health).unwrap();
            self.compare_lists(Some(self.name(tpp))).await;
        }
        for time in [0, 60, 1_000_000] {
            self.now = self.now + Duration::from_secs(time);
            for tpp in 0..TPPS {
                let look = Look {
                    events_max: 2,
                    in_flight_for: Duration::from_secs(10),
                };
                self.look(0, tpp, look).await;
                self.poll(last_poll(tpp, Patience::WaitForDue)).await;
                self.poll(last_poll(tpp, Patience::Immediate)).await;
            }
        }
    }

    /// Which lanes wait to be claimed, now and ever.
    async fn compare_wakes(&mut self) {
        for at in [self.now, Timestamp::MAX] {
            for node in 0..NODES {
                self.lane(node, Turn::Release).await;
            }
            self.lane(0, Turn::Join(Duration::from_secs(3_600))).await;
            let now = std::mem::replace(&mut self.now, at);
            let (wanted, lanes_max) = (Wanted::Due, 100);
            self.lane(0, Turn::Claim { wanted, lanes_max }).await;
            self.now = now;
        }
    }

    async fn compare_lists(&self, client_id: Option<ClientId>) {
        let always = Timestamp::from_unix_ms(0)..Timestamp::MAX;
        both!(
            self,
            |it| it.minutes(client_id.clone(), always.clone()),
            whole
        )
        .unwrap();
        if let Some(client_id) = &client_id {
            both!(self, |it| it.backlog(client_id.clone(), self.now), whole).unwrap();
            both!(
                self,
                |it| it.health_history(client_id.clone(), 1_000),
                whole
            )
            .unwrap();
        }
        let filter = EventFilter {
            client_id: client_id.clone(),
            ..EventFilter::default()
        };
        both!(
            self,
            |it| it.list_events(filter.clone(), None, 1_000),
            whole
        )
        .unwrap();
        let entries = |answer: &Result<Page<AuditEntry, u64>, Error>| {
            let mut page: Page<AuditEntry, u64> = Result::clone(answer).unwrap();
            if self.company != Company::Alone {
                for entry in &mut page.rows {
                    entry.sequence = 0;
                }
            }
            format!("{page:#?}")
        };
        both!(
            self,
            |it| it.list_audit(client_id.clone(), None, 1_000),
            entries
        )
        .unwrap();
    }
}

fn last_poll(tpp: usize, patience: Patience) -> PollOf {
    PollOf {
        tpp,
        acks: Vec::new(),
        errors: Vec::new(),
        events_max: 3,
        families: vec![Family::Aisp, Family::Pisp, Family::Cbpii, Family::Vrp],
        patience,
        limits: Limits {
            redelivery_delay: Duration::from_secs(60),
            error_cap: NonZeroU32::MIN,
            hand_out_cap: None,
            order: DeliveryOrder::Concurrent,
        },
    }
}

/// How often a lane was claimed depends on everybody who claims.
fn health(lane: &Result<Option<Lane>, Error>) -> Said {
    match lane {
        Ok(lane) => format!("{:?}", lane.as_ref().map(|lane| &lane.health)),
        Err(_) => whole(lane),
    }
}
