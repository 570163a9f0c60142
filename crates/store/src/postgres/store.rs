//! The trait's methods: each one line, to the line of its kind, or to a transaction or a session of its own.

use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::Submission;
use oyez_domain::ids::{ClientId, Jti, NodeId, RegistrationId};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::history::{
    AuditEntry, Counts, EventFile, EventFilter, EventSummary, Minute, Page, Retention, Swept,
};
use oyez_domain::ledger::lanes::{
    Claim, Lane, LaneFilter, LaneReport, LaneStatus, LaneTotals, Lease, Reported, Wanted,
};
use oyez_domain::ledger::overview::{Backlog, HealthChange, Request};
use oyez_domain::ledger::poll::{Poll, Polled};
use oyez_domain::ledger::push::{Choice, DueForPush, Ended, Recorded};
use oyez_domain::ledger::registering::{Effect, Kind, Refusal, Target, Wish};
use oyez_domain::ledger::sets::{Kept, KeyUse, Look, Signed};
use oyez_domain::ledger::trail::Heads;
use oyez_domain::registration::Registrations;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{Profile, Standing, Tpp};
use oyez_domain::version::ApiVersion;

use super::accept::Accept;
use super::attempts::Record;
use super::poll::Polling;
use super::push::Due;
use super::put_back::PutBack;
use super::recheck::Recheck;
use super::sets::Keep;
use super::unit::Unit;
use super::{
    Ledger, audit, endpoints, event_list, history, keys, lanes, leases, overview, recheck,
    registrations, requeue, retention, tpps, withdraw,
};
use crate::{Answer, Error, Listen, Store};

impl Store for Ledger {
    fn register_tpp(
        &self,
        actor: Actor,
        client_id: ClientId,
        profile: Profile,
        now: Timestamp,
    ) -> Answer<'_, Option<Tpp>> {
        Box::pin(async move {
            let now = self.shared.skew(now).await.stored(now);
            let ask = (actor, client_id, profile);
            self.write(ask, move |unit, (actor, client_id, profile)| {
                Box::pin(tpps::register(unit, actor, client_id, profile, now))
            })
            .await
        })
    }

    fn change_tpp(
        &self,
        actor: Actor,
        client_id: ClientId,
        profile: Profile,
        now: Timestamp,
    ) -> Answer<'_, Option<Tpp>> {
        Box::pin(self.change(
            (client_id.clone(), now),
            (actor, client_id, profile),
            move |unit, (actor, client_id, profile), now| {
                Box::pin(tpps::change(unit, actor, client_id, profile, now))
            },
        ))
    }

    fn set_standing(
        &self,
        actor: Actor,
        client_id: ClientId,
        standing: Standing,
        now: Timestamp,
    ) -> Answer<'_, Option<Tpp>> {
        Box::pin(self.change(
            (client_id.clone(), now),
            (actor, client_id, standing),
            move |unit, (actor, client_id, standing), now| {
                Box::pin(tpps::set_standing(unit, actor, client_id, standing, now))
            },
        ))
    }

    fn find_tpp(&self, client_id: ClientId) -> Answer<'_, Option<Tpp>> {
        Box::pin(self.read(client_id, move |db, client_id| {
            Box::pin(tpps::find(db, client_id))
        }))
    }

    fn list_tpps(&self, after: Option<ClientId>, rows_max: u32) -> Answer<'_, Page<Tpp, ClientId>> {
        Box::pin(self.read(after, move |db, after| {
            Box::pin(tpps::list(db, after.as_ref(), rows_max))
        }))
    }

    fn registrations(&self, client_id: ClientId) -> Answer<'_, Registrations> {
        Box::pin(self.read(client_id, move |db, client_id| {
            Box::pin(registrations::find(db, client_id))
        }))
    }

    fn create_registration(
        &self,
        client_id: ClientId,
        id: RegistrationId,
        wish: Wish,
        api: ApiVersion,
        now: Timestamp,
    ) -> Answer<'_, Result<Registrations, Refusal>> {
        Box::pin(self.change(
            (client_id.clone(), now),
            (client_id, id, wish),
            move |unit, (client_id, id, wish), now| {
                Box::pin(registrations::create(unit, client_id, id, wish, api, now))
            },
        ))
    }

    fn replace_registration(
        &self,
        client_id: ClientId,
        target: Target,
        wish: Wish,
        now: Timestamp,
    ) -> Answer<'_, Result<(Registrations, Effect), Refusal>> {
        Box::pin(self.change(
            (client_id.clone(), now),
            (client_id, target, wish),
            move |unit, (client_id, target, wish), now| {
                Box::pin(registrations::replace(unit, client_id, target, wish, now))
            },
        ))
    }

    fn delete_registration(
        &self,
        client_id: ClientId,
        target: Target,
        now: Timestamp,
    ) -> Answer<'_, Result<Effect, Refusal>> {
        Box::pin(self.change(
            (client_id.clone(), now),
            (client_id, target),
            move |unit, (client_id, target), now| {
                Box::pin(registrations::delete(unit, client_id, target, now))
            },
        ))
    }

    fn remove_registration(
        &self,
        actor: Actor,
        client_id: ClientId,
        kind: Kind,
        now: Timestamp,
    ) -> Answer<'_, Result<Effect, Refusal>> {
        Box::pin(self.change(
            (client_id.clone(), now),
            (actor, client_id),
            move |unit, (actor, client_id), now| {
                Box::pin(registrations::remove(unit, actor, client_id, kind, now))
            },
        ))
    }

    fn accept(&self, batch: Vec<Submission>, now: Timestamp) -> Answer<'_, Vec<Acceptance>> {
        Box::pin(async move {
            let now = self.shared.skew(now).await.stored(now);
            self.lines.accept.ask(Accept { batch, now }).await
        })
    }

    fn poll(&self, poll: Poll, now: Timestamp) -> Answer<'_, Polled> {
        Box::pin(async move {
            let skew = self.shared.skew(now).await;
            let now = skew.stored(now);
            let polled = self.lines.poll.ask(Polling { poll, now }).await?;
            Ok(skew.told_poll(polled))
        })
    }

    fn due_for_push(
        &self,
        claim: Claim,
        client_id: ClientId,
        look: Look,
        now: Timestamp,
    ) -> Answer<'_, Option<DueForPush>> {
        Box::pin(async move {
            let skew = self.shared.skew(now).await;
            let due = self.lines.due.ask(Due {
                claim,
                client_id,
                look,
                now: skew.stored(now),
            });
            Ok(due.await?.map(|due| skew.told_due(due)))
        })
    }

    fn keep_sets(&self, signed: Vec<Signed>, now: Timestamp) -> Answer<'_, Vec<Kept>> {
        Box::pin(async move {
            let now = self.shared.skew(now).await.stored(now);
            self.lines.keep.ask(Keep { signed, now }).await
        })
    }

    fn recheck(
        &self,
        claim: Option<Claim>,
        client_id: ClientId,
        jtis: Vec<Jti>,
    ) -> Answer<'_, Option<Vec<Kept>>> {
        let ask = Recheck {
            claim,
            client_id,
            jtis,
        };
        Box::pin(
            self.read((Arc::clone(&self.shared), ask), |db, (shared, ask)| {
                Box::pin(recheck::recheck(shared, db, ask))
            }),
        )
    }

    fn record_attempts(
        &self,
        client_id: ClientId,
        attempts: Vec<Ended>,
        now: Timestamp,
    ) -> Answer<'_, Vec<Recorded>> {
        Box::pin(async move {
            let skew = self.shared.skew(now).await;
            let attempts = attempts.into_iter().map(|it| skew.stored_end(it));
            let record = self.lines.record.ask(Record {
                client_id,
                attempts: attempts.collect(),
                now: skew.stored(now),
            });
            record.await
        })
    }

    fn put_back(
        &self,
        client_id: ClientId,
        choices: Vec<Choice>,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        Box::pin(async move {
            let skew = self.shared.skew(now).await;
            let choices = choices.into_iter().map(|it| skew.stored_choice(it));
            let put_back = self.lines.put_back.ask(PutBack {
                client_id,
                choices: choices.collect(),
                now: skew.stored(now),
            });
            put_back.await
        })
    }

    fn withdraw(
        &self,
        actor: Actor,
        client_id: ClientId,
        jtis: Vec<Jti>,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        Box::pin(self.change(
            (client_id.clone(), now),
            (actor, client_id, jtis),
            move |unit, (actor, client_id, jtis), now| {
                Box::pin(withdraw::named(unit, actor, client_id, jtis, now))
            },
        ))
    }

    fn retry_pushes(
        &self,
        actor: Actor,
        client_id: ClientId,
        jtis: Vec<Jti>,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        Box::pin(self.change(
            (client_id.clone(), now),
            (actor, client_id, jtis),
            move |unit, (actor, client_id, jtis), now| {
                Box::pin(requeue::retry_pushes(unit, actor, client_id, jtis, now))
            },
        ))
    }

    fn requeue_failed(
        &self,
        actor: Actor,
        client_id: ClientId,
        accepted: Range<Timestamp>,
        events_max: u32,
        now: Timestamp,
    ) -> Answer<'_, Vec<Jti>> {
        Box::pin(self.change(
            (client_id.clone(), now),
            (actor, client_id, accepted),
            move |unit, (actor, client_id, accepted), now| {
                Box::pin(requeue::requeue_failed(
                    unit, actor, client_id, accepted, events_max, now,
                ))
            },
        ))
    }

    fn disown_key(&self, actor: Actor, kid: String, now: Timestamp) -> Answer<'_, u64> {
        let shared = Arc::clone(&self.shared);
        Box::pin(self.run(async move {
            let now = shared.skew(now).await.stored(now);
            keys::disown(&shared, actor, kid, now).await
        }))
    }

    fn keys_in_use(&self) -> Answer<'_, Vec<KeyUse>> {
        Box::pin(self.read((), move |db, _| Box::pin(keys::in_use(db))))
    }

    fn hold_lease(
        &self,
        node_id: NodeId,
        renew: Option<u64>,
        ttl: Duration,
    ) -> Answer<'_, Option<Lease>> {
        Box::pin(self.write(node_id, move |unit, node_id| {
            Box::pin(leases::hold(unit, node_id, renew, ttl))
        }))
    }

    fn release_lease(&self, lease: Lease) -> Answer<'_, ()> {
        Box::pin(self.write(lease, move |unit, lease| {
            Box::pin(leases::release(unit, lease))
        }))
    }

    fn attend(&self, node_id: NodeId, ttl: Duration) -> Answer<'_, NonZeroU32> {
        Box::pin(self.write(node_id, move |unit, node_id| {
            Box::pin(leases::attend(unit, node_id, ttl))
        }))
    }

    fn claim_lanes(
        &self,
        lease: Lease,
        wanted: Wanted,
        lanes_max: u32,
        now: Timestamp,
    ) -> Answer<'_, Vec<Lane>> {
        Box::pin(async move {
            if wanted == Wanted::All {
                self.wake_sleepers(now).await?;
            }
            self.write(lease, move |unit, lease| {
                Box::pin(lanes::claim(unit, lease, wanted, lanes_max, now))
            })
            .await
        })
    }

    fn report_lanes(
        &self,
        lease: Lease,
        reports: Vec<LaneReport>,
        now: Timestamp,
    ) -> Answer<'_, Vec<Reported>> {
        Box::pin(self.write((lease, reports), move |unit, (lease, reports)| {
            Box::pin(lanes::report(unit, lease, reports, now))
        }))
    }

    fn find_lane(&self, client_id: ClientId) -> Answer<'_, Option<Lane>> {
        let skew = self.shared.watch.known();
        Box::pin(self.read(client_id, move |db, client_id| {
            Box::pin(lanes::find(db, client_id, skew))
        }))
    }

    fn list_lanes(
        &self,
        filter: LaneFilter,
        after: Option<ClientId>,
        rows_max: u32,
    ) -> Answer<'_, Page<LaneStatus, ClientId>> {
        Box::pin(self.list(after, move |db, after| {
            Box::pin(lanes::list(db, filter, after.as_ref(), rows_max))
        }))
    }

    fn lane_totals(&self) -> Answer<'_, LaneTotals> {
        Box::pin(self.list((), move |db, _| Box::pin(lanes::totals(db))))
    }

    fn pause_endpoint(
        &self,
        actor: Actor,
        client_id: ClientId,
        now: Timestamp,
    ) -> Answer<'_, bool> {
        Box::pin(self.change(
            (client_id.clone(), now),
            (actor, client_id),
            move |unit, (actor, client_id), now| {
                Box::pin(endpoints::pause(unit, actor, client_id, now))
            },
        ))
    }

    fn resume_endpoint(
        &self,
        actor: Actor,
        client_id: ClientId,
        now: Timestamp,
    ) -> Answer<'_, bool> {
        Box::pin(self.change(
            (client_id.clone(), now),
            (actor, client_id),
            move |unit, (actor, client_id), now| {
                Box::pin(endpoints::resume(unit, actor, client_id, now))
            },
        ))
    }

    fn listen(&self, listener: Weak<dyn Listen>) {
        self.shared.newsroom.listeners.add(listener);
    }

    fn find_event(&self, jti: Jti) -> Answer<'_, Option<EventFile>> {
        Box::pin(self.read((), move |db, _| Box::pin(history::find_event(db, jti))))
    }

    fn list_events(
        &self,
        filter: EventFilter,
        before: Option<Jti>,
        rows_max: u32,
    ) -> Answer<'_, Page<EventSummary, Jti>> {
        Box::pin(self.list(filter, move |db, filter| {
            Box::pin(event_list::list(db, filter, before, rows_max))
        }))
    }

    fn counts(&self, client_id: ClientId) -> Answer<'_, Counts> {
        Box::pin(self.read(client_id, move |db, client_id| {
            Box::pin(history::counts(db, client_id))
        }))
    }

    fn minutes(
        &self,
        client_id: Option<ClientId>,
        range: Range<Timestamp>,
    ) -> Answer<'_, Vec<Minute>> {
        Box::pin(
            self.list((client_id, range), move |db, (client_id, range)| {
                Box::pin(history::minutes(db, client_id.as_ref(), range))
            }),
        )
    }

    fn note_requests(&self, requests: Vec<Request>) -> Answer<'_, ()> {
        Box::pin(self.write(requests, move |unit, requests| {
            Box::pin(overview::note_requests(unit, requests))
        }))
    }

    fn list_requests(&self, client_id: ClientId, rows_max: u32) -> Answer<'_, Vec<Request>> {
        Box::pin(self.read(client_id, move |db, client_id| {
            Box::pin(overview::requests(db, client_id, rows_max))
        }))
    }

    fn health_history(&self, client_id: ClientId, rows_max: u32) -> Answer<'_, Vec<HealthChange>> {
        Box::pin(self.read(client_id, move |db, client_id| {
            Box::pin(overview::health_history(db, client_id, rows_max))
        }))
    }

    fn backlog(&self, client_id: ClientId, now: Timestamp) -> Answer<'_, Backlog> {
        Box::pin(self.read(client_id, move |db, client_id| {
            Box::pin(overview::backlog(db, client_id, now))
        }))
    }

    fn list_audit(
        &self,
        client_id: Option<ClientId>,
        before: Option<u64>,
        rows_max: u32,
    ) -> Answer<'_, Page<AuditEntry, u64>> {
        Box::pin(self.list(client_id, move |db, client_id| {
            Box::pin(audit::list(db, client_id.as_ref(), before, rows_max))
        }))
    }

    fn read_chain(
        &self,
        client_id: Option<ClientId>,
        after: u64,
        rows_max: u32,
    ) -> Answer<'_, Page<AuditEntry, u64>> {
        Box::pin(self.read(client_id, move |db, client_id| {
            Box::pin(audit::chain(db, client_id.as_ref(), after, rows_max))
        }))
    }

    fn chain_heads(&self, after: Option<ClientId>, rows_max: u32) -> Answer<'_, Heads> {
        Box::pin(self.read(after, move |db, after| {
            Box::pin(audit::heads(db, after.as_ref(), rows_max))
        }))
    }

    fn prove_writable(&self) -> Answer<'_, ()> {
        Box::pin(self.write((), move |unit, _| Box::pin(prove_writable(unit))))
    }

    fn shared_clock(&self) -> Answer<'_, Option<Timestamp>> {
        Box::pin(self.read((), move |db, _| {
            Box::pin(async { leases::clock(db).await.map(Some) })
        }))
    }

    fn expire(
        &self,
        accepted_before: Timestamp,
        events_max: u32,
        now: Timestamp,
    ) -> Answer<'_, u64> {
        let shared = Arc::clone(&self.shared);
        Box::pin(
            self.run(
                async move { retention::expire(&shared, accepted_before, events_max, now).await },
            ),
        )
    }

    fn sweep(&self, retention: Retention, now: Timestamp) -> Answer<'_, Swept> {
        let shared = Arc::clone(&self.shared);
        Box::pin(self.run(async move { retention::sweep(&shared, retention, now).await }))
    }
}

/// As any other write: logged, and forced to the disk by the commit.
async fn prove_writable(unit: &Unit) -> Result<(), Error> {
    unit.execute(PROVE_WRITABLE, &[]).await?;
    Ok(())
}

const PROVE_WRITABLE: &str = "UPDATE schema_versions SET name = name WHERE version = 1";
