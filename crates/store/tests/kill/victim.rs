//! The process that is killed: it accepts, hands out, pushes, settles and changes registrations at full speed from many
//! tasks, and tells each answer to its parent before it goes on.

use std::io::Write;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::{Family, Submission};
use oyez_domain::ids::{Jti, NodeId, RegistrationId, ResourceId};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::lanes::{Lease, Wanted};
use oyez_domain::ledger::poll::{Limits, Patience, Poll, SetError};
use oyez_domain::ledger::push::{Answer, Attempt, Choice, Ended, Peer, Recorded, Verdict};
use oyez_domain::ledger::registering::{Kind, Target, Wish};
use oyez_domain::ledger::sets::{Kept, Look, Purpose, SetState, Signed, Work};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{DeliveryOrder, Overrides};
use oyez_domain::version::ApiVersion;
use oyez_store::sqlite::{Ledger, Options};
use oyez_store::{Error, Store};
use tokio::task::JoinSet;

use crate::promise::{How, Promise};
use crate::round::{CHANGING, Round, TPPS, client_of};
use oyez_testkit::claims::newest_claim;
use oyez_testkit::dice::Dice;
use oyez_testkit::making::{
    Jtis, UPDATE, everything, interaction, keyed, notice, profile, pushed_to, rules, submission,
};

/// What the tasks share.
struct Victim {
    ledger: Ledger,
    round: u64,
    jtis: Jtis,
    now_ms: AtomicI64,
    /// Distinguishes bytes, attempts, polls and registrations of one round.
    counter: AtomicU64,
    /// The highest position promised to the TPP whose subscription comes and goes.
    promised: AtomicU64,
}

/// Runs until it is killed.
pub(crate) async fn run(path: PathBuf, round: Round) {
    // So that deaths fall between the steps of a withdrawal.
    let options = Options {
        withdrawn_at_once_max: 1,
        ..Options::default()
    };
    let ledger = Ledger::open(&path, options, rules()).unwrap();
    let victim = Arc::new(Victim {
        ledger,
        round: round.number,
        jtis: Jtis::from(1),
        now_ms: AtomicI64::new(round.begins_at().unix_ms()),
        counter: AtomicU64::new(0),
        promised: AtomicU64::new(0),
    });
    victim.begin().await;
    let lease = victim.joins().await;
    let mut dice = Dice::new(round.seed);
    let mut tasks = JoinSet::new();
    for tpp in 0..TPPS {
        tasks.spawn(Arc::clone(&victim).publish(tpp, dice.split()));
        tasks.spawn(Arc::clone(&victim).poll(tpp, dice.split()));
        tasks.spawn(Arc::clone(&victim).push(tpp, lease.clone(), dice.split()));
    }
    tasks.spawn(Arc::clone(&victim).publish_across(dice.split()));
    tasks.spawn(Arc::clone(&victim).register(round.registered, dice.split()));
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

impl Victim {
    fn tell(promises: &[Promise]) {
        let lines: String = promises
            .iter()
            .map(|promise| format!("{promise}\n"))
            .collect();
        let mut pipe = std::io::stdout().lock();
        pipe.write_all(lines.as_bytes()).unwrap();
        pipe.flush().unwrap();
    }

    /// Each question has a moment of its own.
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.now_ms.fetch_add(1, Ordering::Relaxed))
    }

    fn unique(&self) -> String {
        format!(
            "{}-{}",
            self.round,
            self.counter.fetch_add(1, Ordering::Relaxed)
        )
    }

    /// The TPPs are there and, but for the one whose subscription comes and goes, subscribed.
    async fn begin(&self) {
        for tpp in 0..TPPS {
            let (actor, profile) = (Actor::System, profile(Overrides::default()));
            self.ledger
                .register_tpp(actor, client_of(tpp), profile, self.now())
                .await
                .unwrap();
            if tpp != CHANGING {
                let id = RegistrationId::new(format!("fixed-{tpp}")).unwrap();
                let wish = Wish::Subscription(pushed_to("tpp.example", everything()));
                let api = ApiVersion::V4_0;
                let made =
                    self.ledger
                        .create_registration(client_of(tpp), id, wish, api, self.now());
                made.await.unwrap().ok();
            }
        }
    }

    /// The lease of a node that was killed is over when the node joins again.
    async fn joins(&self) -> Lease {
        let node_id = NodeId::new("victim").unwrap();
        let lease = self.ledger.hold_lease(node_id, None, LEASE_TTL);
        lease.await.unwrap().unwrap()
    }

    async fn publish(self: Arc<Self>, tpp: usize, mut dice: Dice) {
        loop {
            let size = 1 + dice.below(8);
            self.accept(&vec![tpp; size]).await;
        }
    }

    /// Batches over the TPPs that always take them.
    async fn publish_across(self: Arc<Self>, mut dice: Dice) {
        loop {
            let size = 2 + dice.below(20);
            let tpps: Vec<usize> = (0..size).map(|_| dice.below(CHANGING)).collect();
            self.accept(&tpps).await;
        }
    }

    /// One batch; its size stands in its name, so that half of it would be seen.
    async fn accept(&self, tpps: &[usize]) {
        let batch = format!("b-{}-{}", self.unique(), tpps.len());
        let now = self.now();
        let items: Vec<Submission> = tpps
            .iter()
            .map(|tpp| {
                let jti = self.jtis.next(now);
                let mut notice = notice(&client_of(*tpp), Family::Aisp, &[UPDATE]);
                notice.resource.id = ResourceId::new(batch.clone()).unwrap();
                keyed(submission(jti, notice), &format!("k-{jti}"), 7)
            })
            .collect();
        let answers = self.ledger.accept(items, now).await.unwrap();
        let mut promises = Vec::new();
        for (tpp, answer) in tpps.iter().zip(answers) {
            match answer {
                Acceptance::Accepted(jti) => {
                    promises.push(Promise::Accepted {
                        tpp: *tpp,
                        jti,
                        batch: batch.clone(),
                    });
                }
                Acceptance::NoSubscription if *tpp == CHANGING => {}
                other => panic!("tpp {tpp} was told {other:?}"),
            }
        }
        Self::tell(&promises);
    }

    async fn poll(self: Arc<Self>, tpp: usize, mut dice: Dice) {
        let mut had: Vec<Jti> = Vec::new();
        loop {
            let errors = had.split_off(had.len() - had.len().min(dice.below(3)));
            let request = self.request(tpp, had.clone(), &errors, dice.below(100));
            let purpose = Purpose::HandOut {
                cap: request.limits.hand_out_cap,
                interaction_id: request.interaction_id.clone(),
            };
            let polled = self.ledger.poll(request, self.now()).await.unwrap();
            let settled = polled.settled.iter().map(|jti| {
                let failed = errors.contains(jti);
                let how = if failed {
                    How::Failed
                } else {
                    How::Acknowledged
                };
                Promise::Settled { jti: *jti, how }
            });
            Self::tell(&settled.collect::<Vec<_>>());
            if let Some(newest) = polled.work.iter().map(|work| work.position).max()
                && tpp == CHANGING
            {
                self.promised.fetch_max(newest, Ordering::Relaxed);
            }
            had = self.send(tpp, polled.work, &purpose).await;
        }
    }

    fn request(&self, tpp: usize, acks: Vec<Jti>, errors: &[Jti], events_max: usize) -> Poll {
        let error = SetError {
            err: "jwtAud".to_owned(),
            description: String::new(),
        };
        Poll {
            client_id: client_of(tpp),
            acks,
            errors: errors.iter().map(|jti| (*jti, error.clone())).collect(),
            events_max: u32::try_from(events_max).expect("a small number"),
            families: vec![Family::Aisp],
            patience: Patience::Immediate,
            limits: Limits {
                redelivery_delay: Duration::from_millis(100),
                error_cap: NonZeroU32::MIN.saturating_add(1),
                hand_out_cap: None,
                order: DeliveryOrder::Concurrent,
            },
            interaction_id: interaction(&format!("poll-{}", self.unique())),
        }
    }

    /// Signs, keeps and has sent. No two signings make the same bytes, so that it shows which were kept.
    async fn send(&self, tpp: usize, work: Vec<Work>, purpose: &Purpose) -> Vec<Jti> {
        let mut sent = Vec::new();
        let mut signed = Vec::new();
        for work in work {
            match work.set {
                SetState::Kept(set) => sent.push(Promise::Sent { jti: work.jti, set }),
                SetState::Unsigned { revision, .. } => signed.push(Signed {
                    client_id: client_of(tpp),
                    jti: work.jti,
                    revision,
                    set: format!("set-{}-{}", work.jti, self.unique()),
                    kid: "key-1".to_owned(),
                    purpose: purpose.clone(),
                }),
            }
        }
        let jtis: Vec<Jti> = signed.iter().map(|it| it.jti).collect();
        let kept = self.ledger.keep_sets(signed, self.now()).await.unwrap();
        for (jti, kept) in jtis.into_iter().zip(kept) {
            if let Kept::Send(set) = kept {
                sent.push(Promise::Sent { jti, set });
            }
        }
        Self::tell(&sent);
        sent.iter()
            .map(|promise| match promise {
                Promise::Sent { jti, .. } => *jti,
                other => unreachable!("only what is sent is pushed: {other:?}"),
            })
            .collect()
    }

    async fn push(self: Arc<Self>, tpp: usize, lease: Lease, mut dice: Dice) {
        let look = Look {
            events_max: 8,
            in_flight_for: Duration::from_millis(100),
        };
        loop {
            let claimed = self
                .ledger
                .claim_lanes(lease.clone(), Wanted::Due, 100, self.now());
            claimed.await.unwrap();
            let claim = newest_claim(&self.ledger, &lease, &client_of(tpp)).await;
            let due = self
                .ledger
                .due_for_push(claim, client_of(tpp), look, self.now());
            let Some(due) = due.await.unwrap() else {
                continue;
            };
            let in_flight_until = due.in_flight_until;
            let mut sent = self.send(tpp, due.work, &Purpose::Push).await;
            let not_tried = sent.split_off(sent.len() - sent.len().min(dice.below(3)));
            let not_tried = not_tried.into_iter().map(|jti| Choice {
                jti,
                in_flight_until,
            });
            let put_back = self
                .ledger
                .put_back(client_of(tpp), not_tried.collect(), self.now());
            put_back.await.unwrap();
            let attempts: Vec<Attempt> = sent
                .into_iter()
                .map(|jti| self.attempt(jti, &mut dice))
                .collect();
            let ended = attempts.iter().map(|attempt| Ended {
                in_flight_until,
                attempt: attempt.clone(),
            });
            let recorded = self
                .ledger
                .record_attempts(client_of(tpp), ended.collect(), self.now());
            let mut promises = Vec::new();
            for (attempt, recorded) in attempts.into_iter().zip(recorded.await.unwrap()) {
                let (jti, interaction) = (attempt.jti, attempt.interaction_id.to_string());
                promises.push(Promise::Attempted { jti, interaction });
                if attempt.verdict == Verdict::Acknowledged && recorded == Recorded::Applied {
                    promises.push(Promise::Settled {
                        jti,
                        how: How::Acknowledged,
                    });
                }
            }
            Self::tell(&promises);
        }
    }

    fn attempt(&self, jti: Jti, dice: &mut Dice) -> Attempt {
        let verdict = match dice.below(4) {
            0 => Verdict::Refused { again_at: None },
            1 => Verdict::EndpointFailed,
            _ => Verdict::Acknowledged,
        };
        Attempt {
            jti,
            started_at: self.now(),
            latency: Duration::from_millis(3),
            interaction_id: interaction(&format!("push-{}", self.unique())),
            peer: Peer::default(),
            answer: Answer::Response {
                status: 202,
                body_head: Vec::new(),
                deviation: None,
            },
            verdict,
        }
    }

    /// Puts the subscription again and again, each time with the next number, and sometimes deletes it first.
    async fn register(self: Arc<Self>, mut number: usize, mut dice: Dice) {
        let client_id = || client_of(CHANGING);
        loop {
            let found = self
                .ledger
                .registrations(client_id())
                .await
                .unwrap()
                .subscription;
            let host = format!("n{}.example", number + 1);
            let wish = Wish::Subscription(pushed_to(&host, everything()));
            let target = found.map(|it| Target {
                kind: Kind::Subscription,
                id: it.id,
                api: ApiVersion::V4_0,
            });
            match target {
                Some(target) if dice.below(8) == 0 => {
                    let position = self.promised.load(Ordering::Relaxed);
                    let deleted = self
                        .ledger
                        .delete_registration(client_id(), target, self.now())
                        .await;
                    deleted.unwrap().unwrap();
                    Self::tell(&[Promise::Deleted { position }]);
                    continue;
                }
                Some(target) => {
                    let replaced = self
                        .ledger
                        .replace_registration(client_id(), target, wish, self.now())
                        .await;
                    replaced.unwrap().unwrap();
                }
                None => {
                    let id = RegistrationId::new(format!("r-{}", self.unique())).unwrap();
                    let api = ApiVersion::V4_0;
                    let created = self
                        .ledger
                        .create_registration(client_id(), id, wish, api, self.now())
                        .await;
                    if matches!(created, Err(Error::Busy { .. })) {
                        // What the deletion withdrew is being written.
                        continue;
                    }
                    created.unwrap().unwrap();
                }
            }
            number += 1;
            Self::tell(&[Promise::Registered { number }]);
        }
    }
}

/// Longer than any round.
const LEASE_TTL: Duration = Duration::from_secs(3_600);
