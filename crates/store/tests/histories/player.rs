//! Plays a history against the model and a backend at once, and stops at the first answer that differs.
//!
//! Answers are compared as they print, which is all of them. What is left to a backend is taken out first: the order in which
//! one poll names what it settled, the moment by which leases go, the words of an error, the JSON of the audit trail.

use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::{Family, Submission};
use oyez_domain::ids::{ClientId, Jti, NodeId, RegistrationId};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::history::{AuditEntry, EventFilter, Page, Retention, Swept};
use oyez_domain::ledger::lanes::{LaneReport, Lease};
use oyez_domain::ledger::poll::{Limits, Patience, Poll, Polled, SetError};
use oyez_domain::ledger::push::{Answer, Attempt, Peer, Verdict};
use oyez_domain::ledger::registering::{Kind, Target, Wish};
use oyez_domain::ledger::sets::{Look, Purpose, SetState, Signed, Work};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{DeliveryOrder, Overrides, Standing};
use oyez_domain::version::ApiVersion;
use oyez_store::{Error, Store};

use crate::making::{
    DAWN, Jtis, UPDATE, callback, client, everything, interaction, keyed, notice, profile,
    pushed_to, submission,
};
use crate::step::{EventOf, Item, NODES, PollOf, Step, TPPS, VerdictOf, WishOf};

/// The two ledgers, and the names that a history's numbers stand for.
pub(crate) struct Player<'a> {
    ledgers: [&'a dyn Store; 2],
    company: Company,
    now: Timestamp,
    jtis: Jtis,
    /// Every jti given, oldest first.
    given: Vec<Jti>,
    /// Those accepted, by TPP.
    accepted: [Vec<Jti>; TPPS],
    registrations_made: u64,
    /// Chosen, unsigned and not kept yet, oldest choice first.
    chosen: Vec<(ClientId, Jti, u64)>,
    interactions: u64,
    /// Each node's lease, as each of the two ledgers granted it.
    leases: Vec<Option<[Lease; 2]>>,
}

/// Whether a history has the backend to itself. In company it keeps to its own TPPs and to what is asked of one TPP at a time:
/// then it must go as if it were alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    Alone,
    Among { nth: u64 },
}

/// An answer as it is compared.
type Said = String;

/// Asks both ledgers the same, and panics if they answer differently.
macro_rules! both {
    ($player:expr, |$ledger:ident| $ask:expr, $said:expr) => {{
        let [model, backend] = $player.ledgers;
        let first = {
            let $ledger = model;
            $ask.await
        };
        let second = {
            let $ledger = backend;
            $ask.await
        };
        let said = $said;
        agree(&said(&first), &said(&second));
        first
    }};
}

fn agree(model: &str, backend: &str) {
    assert!(
        model == backend,
        "the model says\n{model}\nand the backend\n{backend}"
    );
}

fn whole<T: std::fmt::Debug>(answer: &Result<T, Error>) -> Said {
    match answer {
        Ok(answer) => format!("{answer:#?}"),
        Err(Error::Inconsistent { .. }) => "a contradiction".to_owned(),
        Err(other) => panic!("a fault: {other}"),
    }
}

impl<'a> Player<'a> {
    pub(crate) fn new(model: &'a dyn Store, backend: &'a dyn Store, company: Company) -> Self {
        let first = match company {
            Company::Alone => 1,
            Company::Among { nth } => (nth + 1) << 32,
        };
        Self {
            company,
            ledgers: [model, backend],
            now: DAWN,
            jtis: Jtis::from(first),
            given: Vec::new(),
            accepted: Default::default(),
            registrations_made: first,
            chosen: Vec::new(),
            interactions: 0,
            leases: vec![None; NODES],
        }
    }

    /// Nodes with leases and two TPPs that subscribed, so that short histories say something; a third that is unknown.
    pub(crate) async fn begin(&mut self) {
        let nodes = if self.company == Company::Alone {
            NODES
        } else {
            0
        };
        for node in 0..nodes {
            self.lease(node, None, Duration::from_secs(3_600)).await;
        }
        for tpp in 0..TPPS - 1 {
            self.play(Step::Register(tpp)).await;
            let wish = WishOf::Subscription {
                pushed: tpp == 0,
                types: None,
                version: "4.0",
            };
            self.play(Step::Create {
                tpp,
                wish,
                api: ApiVersion::V4_0,
            })
            .await;
        }
    }

    pub(crate) async fn play(&mut self, step: Step) {
        match step {
            Step::Expire { .. } | Step::Sweep { .. } if self.company != Company::Alone => {}
            Step::Pass(time) => self.now = self.now + time,
            Step::Register(_)
            | Step::ChangeTpp(..)
            | Step::Disable(_)
            | Step::Enable(_)
            | Step::Withdraw(..)
            | Step::RetryPushes(..)
            | Step::Requeue { .. }
            | Step::Pause(_)
            | Step::Resume(_) => self.operate(step).await,
            Step::Create { .. } | Step::Replace { .. } | Step::Delete { .. } | Step::Remove(..) => {
                self.register(step).await;
            }
            Step::Accept(items) => self.accept(items).await,
            Step::AcceptAgain(items, tpp) => self.accept_again(items, tpp).await,
            Step::Poll(poll) => self.poll(*poll).await,
            Step::Keep {
                newest,
                first_bytes,
                handed_out,
            } => {
                let purpose = handed_out.map_or(Purpose::Push, |cap| Purpose::HandOut {
                    cap,
                    interaction_id: interaction("kept"),
                });
                self.keep(newest, first_bytes, &purpose).await;
            }
            Step::Recheck(tpp, events) => {
                let (id, jtis, now) = (self.name(tpp), self.named(tpp, &events), self.now);
                both!(
                    self,
                    |it| it.recheck(id.clone(), jtis.clone(), Purpose::Push, now),
                    whole
                )
                .ok();
            }
            Step::Look {
                tpp,
                events_max,
                in_flight_for,
            } => {
                self.look(
                    tpp,
                    Look {
                        events_max,
                        in_flight_for,
                    },
                )
                .await;
            }
            Step::Attempt {
                tpp,
                event,
                verdict,
            } => self.attempt(tpp, event, &verdict).await,
            Step::Lease { .. } | Step::Release(_) | Step::Claim { .. } | Step::Report { .. } => {
                self.lanes(step).await;
            }
            Step::Expire {
                accepted_ago,
                events_max,
            } => {
                let (before, now) = (self.now - accepted_ago, self.now);
                both!(self, |it| it.expire(before, events_max, now), whole).unwrap();
            }
            Step::Sweep {
                settled_for,
                keys_for,
                minutes_for,
            } => {
                self.sweep(Retention {
                    settled_for,
                    keys_for,
                    minutes_for,
                    batch_max: 2,
                })
                .await;
            }
        }
    }

    async fn operate(&mut self, step: Step) {
        let (by, now) = (Actor::Operator("ada".to_owned()), self.now);
        match step {
            Step::Register(tpp) => {
                let (id, profile) = (self.name(tpp), profile(Overrides::default()));
                both!(
                    self,
                    |it| it.register_tpp(by.clone(), id.clone(), profile.clone(), now),
                    whole
                )
                .unwrap();
            }
            Step::ChangeTpp(tpp, order) => {
                let overrides = Overrides {
                    delivery_order: Some(order),
                    ..Overrides::default()
                };
                let (id, profile) = (self.name(tpp), profile(overrides));
                both!(
                    self,
                    |it| it.change_tpp(by.clone(), id.clone(), profile.clone(), now),
                    whole
                )
                .unwrap();
            }
            Step::Disable(tpp) => {
                let standing = Standing::Disabled {
                    at: now,
                    reason: "by a test".to_owned(),
                };
                both!(
                    self,
                    |it| it.set_standing(by.clone(), self.name(tpp), standing.clone(), now),
                    whole
                )
                .unwrap();
            }
            Step::Enable(tpp) => {
                both!(
                    self,
                    |it| it.set_standing(by.clone(), self.name(tpp), Standing::Active, now),
                    whole
                )
                .unwrap();
            }
            Step::Withdraw(tpp, events) => {
                let jtis = self.named(tpp, &events);
                both!(
                    self,
                    |it| it.withdraw(by.clone(), self.name(tpp), jtis.clone(), now),
                    whole
                )
                .unwrap();
            }
            Step::RetryPushes(tpp, events) => {
                let jtis = self.named(tpp, &events);
                both!(
                    self,
                    |it| it.retry_pushes(by.clone(), self.name(tpp), jtis.clone(), now),
                    whole
                )
                .unwrap();
            }
            Step::Requeue {
                tpp,
                accepted_ago,
                events_max,
            } => {
                let range = now - accepted_ago..now;
                both!(
                    self,
                    |it| it.requeue_failed(
                        by.clone(),
                        self.name(tpp),
                        range.clone(),
                        events_max,
                        now
                    ),
                    whole
                )
                .unwrap();
            }
            Step::Pause(tpp) => {
                both!(
                    self,
                    |it| it.pause_endpoint(by.clone(), self.name(tpp), now),
                    whole
                )
                .unwrap();
            }
            Step::Resume(tpp) => {
                both!(
                    self,
                    |it| it.resume_endpoint(by.clone(), self.name(tpp), now),
                    whole
                )
                .unwrap();
            }
            other => unreachable!("no operator's step: {other:?}"),
        }
    }

    async fn register(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Create { tpp, wish, api } => {
                self.registrations_made += 1;
                let id = RegistrationId::new(format!("r-{}", self.registrations_made)).unwrap();
                let (_, wish) = wish_of(tpp, &wish);
                both!(
                    self,
                    |it| it.create_registration(self.name(tpp), id.clone(), wish.clone(), api, now),
                    whole
                )
                .unwrap()
                .ok();
            }
            Step::Replace {
                tpp,
                owner,
                wish,
                api,
            } => {
                let (kind, wish) = wish_of(tpp, &wish);
                let target = self.target(owner, kind, api).await;
                both!(
                    self,
                    |it| it.replace_registration(self.name(tpp), target.clone(), wish.clone(), now),
                    whole
                )
                .unwrap()
                .ok();
            }
            Step::Delete {
                tpp,
                owner,
                kind,
                api,
            } => {
                let target = self.target(owner, kind, api).await;
                both!(
                    self,
                    |it| it.delete_registration(self.name(tpp), target.clone(), now),
                    whole
                )
                .unwrap()
                .ok();
            }
            Step::Remove(tpp, kind) => {
                let by = Actor::Operator("ada".to_owned());
                both!(
                    self,
                    |it| it.remove_registration(by.clone(), self.name(tpp), kind, now),
                    whole
                )
                .unwrap()
                .ok();
            }
            other => unreachable!("no registration's step: {other:?}"),
        }
    }

    /// A TPP's registration by its id, or an id that nobody has.
    async fn target(&self, owner: usize, kind: Kind, api: ApiVersion) -> Target {
        let known = both!(self, |it| it.registrations(self.name(owner)), whole).unwrap();
        let id = match kind {
            Kind::Subscription => known.subscription.map(|it| it.id),
            Kind::CallbackUrl => known.callback_url.map(|it| it.id),
        };
        let id = id.unwrap_or_else(|| RegistrationId::new("nobody's").unwrap());
        Target { kind, id, api }
    }

    async fn accept(&mut self, items: Vec<Item>) {
        let tpps: Vec<usize> = items.iter().map(|item| item.tpp).collect();
        let batch: Vec<Submission> = items
            .into_iter()
            .map(|item| self.submission(item))
            .collect();
        let now = self.now;
        self.given.extend(batch.iter().map(|item| item.jti));
        let answers = both!(self, |it| it.accept(batch.clone(), now), whole).unwrap();
        for (tpp, answer) in tpps.into_iter().zip(answers) {
            if let Acceptance::Accepted(jti) = answer {
                self.accepted[tpp].push(jti);
            }
        }
    }

    /// Nothing of a batch that contradicts the ledger happens, whoever else is in the same commit.
    async fn accept_again(&self, items: Vec<Item>, tpp: usize) {
        let mut batch: Vec<Submission> = items
            .into_iter()
            .map(|item| self.submission(item))
            .collect();
        let Some(used) = self.accepted[tpp].last() else {
            return;
        };
        let notice = notice(&self.name(tpp), Family::Aisp, &[UPDATE]);
        batch.push(submission(*used, notice));
        let now = self.now;
        both!(self, |it| it.accept(batch.clone(), now), whole).ok();
    }

    fn submission(&self, item: Item) -> Submission {
        let notice = notice(&self.name(item.tpp), item.family, &item.types);
        let submission = submission(self.jtis.next(self.now), notice);
        match item.key {
            Some((key, content)) => keyed(submission, &format!("k-{key}"), content),
            None => submission,
        }
    }

    async fn poll(&mut self, poll: PollOf) {
        self.interactions += 1;
        let error = |err: &str| SetError {
            err: err.to_owned(),
            description: String::new(),
        };
        let named = |event: EventOf| self.named(poll.tpp, &[event])[0];
        let poll = Poll {
            client_id: self.name(poll.tpp),
            acks: self.named(poll.tpp, &poll.acks),
            errors: poll
                .errors
                .iter()
                .map(|(event, err)| (named(*event), error(err)))
                .collect(),
            events_max: poll.events_max,
            families: poll.families,
            patience: poll.patience,
            limits: poll.limits,
            interaction_id: interaction(&format!("poll-{}", self.interactions)),
        };
        let now = self.now;
        let polled = both!(self, |it| it.poll(poll.clone(), now), |answer: &Result<
            _,
            _,
        >| {
            let mut answer: Polled = Result::clone(answer).unwrap();
            answer.settled.sort_unstable();
            format!("{answer:#?}")
        });
        self.remember(&poll.client_id, polled.unwrap().work);
    }

    fn remember(&mut self, client_id: &ClientId, work: Vec<Work>) {
        for work in work {
            if let SetState::Unsigned { revision, .. } = work.set {
                self.chosen.push((client_id.clone(), work.jti, revision));
            }
        }
    }

    async fn keep(&mut self, newest: usize, first_bytes: bool, purpose: &Purpose) {
        let from = self.chosen.len().saturating_sub(newest);
        let bytes = if first_bytes { "one" } else { "other" };
        let signed: Vec<Signed> = self.chosen[from..]
            .iter()
            .map(|(client_id, jti, revision)| Signed {
                client_id: client_id.clone(),
                jti: *jti,
                revision: *revision,
                set: format!("{bytes}-set-of-{jti}"),
                kid: "key-1".to_owned(),
                purpose: purpose.clone(),
            })
            .collect();
        let now = self.now;
        both!(self, |it| it.keep_sets(signed.clone(), now), whole).unwrap();
    }

    async fn look(&mut self, tpp: usize, look: Look) {
        let now = self.now;
        let due = both!(self, |it| it.due_for_push(self.name(tpp), look, now), whole).unwrap();
        let spins = due.next_at.is_some_and(|next_at| next_at <= now);
        assert!(
            look.events_max == 0 || !due.work.is_empty() || !spins,
            "looks again at once"
        );
        self.remember(&self.name(tpp), due.work);
    }

    async fn attempt(&mut self, tpp: usize, event: EventOf, verdict: &VerdictOf) {
        self.interactions += 1;
        let verdict = match verdict {
            VerdictOf::Acknowledged => Verdict::Acknowledged,
            VerdictOf::RefusedFor(time) => Verdict::Refused {
                again_at: Some(self.now + *time),
            },
            VerdictOf::RefusedForGood => Verdict::Refused { again_at: None },
            VerdictOf::EndpointFailed => Verdict::EndpointFailed,
        };
        let attempt = Attempt {
            jti: self.named(tpp, &[event])[0],
            started_at: self.now,
            latency: Duration::from_millis(self.interactions),
            interaction_id: interaction(&format!("push-{}", self.interactions)),
            peer: Peer {
                address: Some(([192, 0, 2, 1], 443).into()),
                tls_version: Some("TLSv1.3".to_owned()),
                certificate_thumbprint: None,
            },
            answer: Answer::Error {
                class: "timeout".to_owned(),
                detail: "no head".to_owned(),
            },
            verdict,
        };
        let now = self.now;
        both!(
            self,
            |it| it.record_attempts(self.name(tpp), vec![attempt.clone()], now),
            whole
        )
        .unwrap();
    }

    async fn lanes(&mut self, step: Step) {
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
    async fn lease(&mut self, node: usize, renew: Option<[u64; 2]>, ttl: Duration) {
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
    async fn sweep(&self, retention: Retention) {
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

    /// Compares everything that can be looked up, and then what is due now, later and much later.
    pub(crate) async fn end(&mut self) {
        for jti in &self.given {
            both!(self, |it| it.find_event(*jti), whole).unwrap();
        }
        if self.company == Company::Alone {
            self.compare_lists(None).await;
            both!(self, |it| it.list_tpps(None, 1_000), whole).unwrap();
        }
        for tpp in 0..TPPS {
            let counts = both!(self, |it| it.counts(self.name(tpp)), whole).unwrap();
            assert!(counts.balance(), "{counts:?}");
            both!(self, |it| it.registrations(self.name(tpp)), whole).unwrap();
            both!(self, |it| it.find_tpp(self.name(tpp)), whole).unwrap();
            both!(self, |it| it.find_lane(self.name(tpp)), whole).unwrap();
            self.compare_lists(Some(self.name(tpp))).await;
        }
        for time in [0, 60, 1_000_000] {
            self.now = self.now + Duration::from_secs(time);
            for tpp in 0..TPPS {
                let look = Look {
                    events_max: 2,
                    in_flight_for: Duration::from_secs(10),
                };
                self.look(tpp, look).await;
                self.poll(last_poll(tpp, Patience::WaitForDue)).await;
                self.poll(last_poll(tpp, Patience::Immediate)).await;
            }
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
            for entry in &mut page.rows {
                (entry.before, entry.after) = (None, None);
                if self.company != Company::Alone {
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

    fn name(&self, tpp: usize) -> ClientId {
        match self.company {
            Company::Alone => client(&format!("tpp-{tpp}")),
            Company::Among { nth } => client(&format!("of-{nth}-tpp-{tpp}")),
        }
    }

    /// Events by their numbers; one beyond them all is a jti that nobody has.
    fn named(&self, tpp: usize, events: &[EventOf]) -> Vec<Jti> {
        let unknown = Jti::from_bytes([0xff; 16]);
        let jti = |event: &EventOf| match event {
            EventOf::Own(back) => self.accepted[tpp].iter().rev().nth(*back),
            EventOf::Any(back) => self.given.iter().rev().nth(*back),
        };
        events
            .iter()
            .map(|event| *jti(event).unwrap_or(&unknown))
            .collect()
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
            error_cap: std::num::NonZeroU32::MIN,
            hand_out_cap: None,
            order: DeliveryOrder::Concurrent,
        },
    }
}

fn wish_of(tpp: usize, wish: &WishOf) -> (Kind, Wish) {
    let host = format!("tpp-{tpp}.example");
    match wish {
        WishOf::Subscription {
            pushed,
            types,
            version,
        } => {
            let mut wish = everything();
            wish.version = version.parse().unwrap();
            wish.event_types = types
                .as_ref()
                .map(|types| types.iter().map(|it| (*it).to_owned()).collect());
            let wish = if *pushed {
                pushed_to(&host, wish)
            } else {
                wish
            };
            (Kind::Subscription, Wish::Subscription(wish))
        }
        WishOf::CallbackUrl => (Kind::CallbackUrl, Wish::CallbackUrl(callback(&host))),
    }
}
