//! The limits: what lies under the measured thing, alone, in this process, while the server is gone or at rest.
//!
//! That is the ledger, called as the server calls it, on as many threads: the same groups, on the same disk. (What the ledger
//! costs over SQLite itself, its own benchmark says.) Where signing is the limit, that is measured in [`super::primitive`].

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::event::{EventType, Family, Happening, Notice, Resource, Submission};
use oyez_domain::ids::{InteractionId, Jti, ResourceId, TransactionId};
use oyez_domain::ledger::poll::{Limits, Patience, Poll};
use oyez_domain::ledger::sets::{Purpose, Signed};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use oyez_domain::version::ApiVersion;
use oyez_store::Store;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::broken;
use super::figures::rate;
use super::home::Which;
use super::site::{Mark, Site, client_id, register};
use crate::failure::Failure;
use crate::ledger::Ledger;

/// A ledger that only this benchmark uses.
pub(super) struct Ledgers {
    open: Ledger,
    ledger: Arc<dyn Store>,
    tpps: u64,
    mark: Mark,
    now: Timestamp,
}

impl Ledgers {
    pub(super) async fn open(site: &Site, tpps: u64) -> Result<Self, Failure> {
        let open = site.open(Which::Alone).await?;
        let ledger = open.store();
        let pollers = (0..tpps).map(|tpp| (client_id(tpp), None));
        let registered = register(&*ledger, pollers, site.timestamp()).await;
        registered.map_err(|error| open.place().failure(&error))?;
        Ok(Self {
            open,
            ledger,
            tpps,
            mark: site.mark(),
            now: site.timestamp(),
        })
    }

    /// Lets go of it, with all that was asked of it done.
    pub(super) async fn close(self) -> Result<(), Failure> {
        self.open.close().await
    }

    /// Events per second that are accepted in such groups from twice so many callers: the ledger always has the next group.
    pub(super) async fn accept(
        &self,
        events: u64,
        batch: u64,
        connections: u64,
    ) -> Result<f64, Failure> {
        let callers = connections * 2;
        let mut hands = vec![Vec::new(); usize::try_from(callers).unwrap_or(1)];
        let places = hands.len();
        for (turn, first) in (0..places).cycle().zip((0..events).step_by(step(batch))) {
            let group = first..(first + batch).min(events);
            let group: Vec<_> = group
                .map(|event| submission(self.mark, event, event % self.tpps, self.now))
                .collect();
            hands[turn].push(group);
        }
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for groups in hands {
            let (ledger, now) = (Arc::clone(&self.ledger), self.now);
            tasks.spawn(async move {
                for group in groups {
                    ledger.accept(group, now).await?;
                }
                Ok(())
            });
        }
        all(tasks).await?;
        Ok(rate(events, started.elapsed()))
    }

    /// Events per second that are handed out and settled by so many TPPs in such groups, `each` of them having so many SETs
    /// of this size.
    pub(super) async fn poll(
        &self,
        each: u64,
        batch: u64,
        tpps: u64,
        set_bytes: usize,
    ) -> Result<f64, Failure> {
        let events = each * tpps;
        for first in (0..events).step_by(step(FILLING_GROUP)) {
            let group = first..(first + FILLING_GROUP).min(events);
            let group: Vec<_> = group
                .map(|event| submission(self.mark, event, event % self.tpps, self.now))
                .collect();
            let signed = group.iter().map(|one| signed(one, set_bytes)).collect();
            let kept = async {
                self.ledger.accept(group, self.now).await?;
                self.ledger.keep_sets(signed, self.now).await
            };
            kept.await
                .map_err(|error| broken("a ledger alone failed", &error))?;
        }
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for tpp in 0..tpps {
            let (ledger, now) = (Arc::clone(&self.ledger), self.now);
            tasks.spawn(async move {
                let mut acks = Vec::new();
                for wanted in (0..each)
                    .step_by(step(batch))
                    .map(|first| batch.min(each - first))
                    .chain([0])
                {
                    let polled = ledger.poll(poll(tpp, acks, wanted), now).await?;
                    acks = polled.work.into_iter().map(|work| work.jti).collect();
                }
                Ok(())
            });
        }
        all(tasks).await?;
        Ok(rate(events, started.elapsed()))
    }
}

/// An event of one of the TPPs: what a bank says of a consent that a customer withdrew. Its jti is no other run's in the same
/// ledger, be it within the same second.
pub(super) fn submission(mark: Mark, event: u64, tpp: u64, now: Timestamp) -> Submission {
    let mut random = [0; 10];
    random[..4].copy_from_slice(&mark);
    random[4..].copy_from_slice(&event.to_be_bytes()[2..]);
    Submission {
        jti: Jti::new(now, random),
        notice: Notice {
            client_id: client_id(tpp),
            resource: Resource {
                kind: "account-access-consent".to_owned(),
                id: ResourceId::new(format!("aac-{event:010}")).expect("a short id"),
                version: Some(ApiVersion::V4_0),
                family: Family::Aisp,
            },
            happenings: vec![Happening {
                event_type: EventType(
                    "urn:uk:org:openbanking:events:consent-authorization-revoked".to_owned(),
                ),
                reason: None,
                subject: None,
                payload: None,
            }],
            toe: now,
            txn: TransactionId::new("dfc51628-3479-4b81-ad60-210b43d02306").ok(),
            test: false,
            trace: None,
        },
        idempotency: None,
    }
}

async fn all(tasks: JoinSet<Result<(), oyez_store::Error>>) -> Result<(), Failure> {
    let done: Result<Vec<()>, _> = tasks.join_all().await.into_iter().collect();
    done.map(drop)
        .map_err(|error| broken("a ledger alone failed", &error))
}

fn signed(submission: &Submission, set_bytes: usize) -> Signed {
    Signed {
        client_id: submission.notice.client_id.clone(),
        jti: submission.jti,
        revision: 1,
        set: "x".repeat(set_bytes),
        kid: "alone".to_owned(),
        purpose: Purpose::Push,
    }
}

fn poll(tpp: u64, acks: Vec<Jti>, wanted: u64) -> Poll {
    Poll {
        client_id: client_id(tpp),
        acks,
        errors: Vec::new(),
        events_max: u32::try_from(wanted).unwrap_or(u32::MAX),
        families: vec![Family::Aisp, Family::Pisp, Family::Cbpii],
        patience: Patience::Immediate,
        limits: Limits {
            redelivery_delay: Duration::from_secs(24 * 60 * 60),
            error_cap: NonZeroU32::MAX,
            hand_out_cap: None,
            order: DeliveryOrder::Concurrent,
        },
        interaction_id: InteractionId::new("alone").expect("letters are an id"),
    }
}

fn step(batch: u64) -> usize {
    usize::try_from(batch).unwrap_or(usize::MAX)
}

const FILLING_GROUP: u64 = 500;
