//! What the ledger costs on PostgreSQL: an event's life in requests as servers make them, and what history costs it.
//!
//! `cargo bench -p oyez-store --bench postgres -- [--events N] [--settled N]` needs `OYEZ_TEST_POSTGRES`, prints a table and,
//! last, one line of JSON. Processor time is of both sides: this process, and the server's sessions. Figures of a cluster without
//! fsync mean little.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::{Family, Submission};
use oyez_domain::ids::{ClientId, Jti, NodeId, RegistrationId};
use oyez_domain::ledger::lanes::{Claim, Lease, Wanted};
use oyez_domain::ledger::poll::{Limits, Patience, Poll};
use oyez_domain::ledger::push::{Answer, Attempt, Ended, Peer, Recorded, Verdict};
use oyez_domain::ledger::registering::Wish;
use oyez_domain::ledger::sets::{Kept, Look, Purpose, SetState, Signed, Work};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{DeliveryOrder, Overrides};
use oyez_domain::version::ApiVersion;
use oyez_store::Store;
use oyez_testkit::claims::newest_claim;
use oyez_testkit::making::{
    self, DAWN, Jtis, UPDATE, client, everything, interaction, notice, pushed_to, submission,
};
use oyez_testkit::postgres::Database;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

fn main() {
    let mut events = 40_000;
    let mut settled = 200_000;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--events" => events = words.next().unwrap().parse().unwrap(),
            "--settled" => settled = words.next().unwrap().parse().unwrap(),
            // What cargo bench adds.
            "--bench" => {}
            other => panic!("unknown argument {other}"),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let figures = runtime.block_on(measure(events, settled));
    println!("{figures}");
}

async fn measure(events: u64, settled: u64) -> Value {
    println!("                                     events/s   client cpu us   server cpu us");
    let mut rows = Vec::new();
    let bank = Arc::new(Bank::new().await);
    rows.push(show(
        "accept 100 from 8 callers",
        &bank.accepts(events, 8, 100).await,
    ));
    rows.push(show(
        "accept 1 from 64 callers",
        &bank.accepts(events / 4, 64, 1).await,
    ));
    let bank = Arc::new(Bank::new().await);
    bank.accepts(events, 8, 100).await;
    rows.push(show("push 100: look, keep, record", &bank.pushes().await));
    for past in [0, settled] {
        let bank = Arc::new(Bank::new().await);
        bank.accepts(past, 8, 100).await;
        bank.polls().await;
        bank.accepts(events, 8, 100).await;
        bank.keeps().await;
        let name = format!("poll 100 and settle 100, {past} settled");
        rows.push(show(&name, &bank.polls().await));
    }
    Value::Array(rows)
}

/// What a stretch of work cost.
struct Figures {
    rate: f64,
    client_us: f64,
    server_us: f64,
}

fn show(name: &str, figures: &Figures) -> Value {
    let Figures {
        rate,
        client_us,
        server_us,
    } = figures;
    println!("{name:<34} {rate:>10.0} {client_us:>15.1} {server_us:>15.1}");
    json!({"step": name, "rate": rate, "client_cpu_us": client_us, "server_cpu_us": server_us})
}

struct Meter<'a> {
    started: Instant,
    database: &'a Database,
    client: u64,
    server: HashMap<OsString, u64>,
}

impl<'a> Meter<'a> {
    fn start(database: &'a Database) -> Self {
        Self {
            started: Instant::now(),
            database,
            client: ticks("self"),
            server: sessions(database),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "figures are rounded to three digits"
    )]
    fn stop(&self, events: u64) -> Figures {
        let us = |ticks: u64| ticks as f64 * 10_000.0 / events as f64;
        let server = sessions(self.database).into_iter();
        let server = server.map(|(process, ticks)| ticks - self.server.get(&process).unwrap_or(&0));
        Figures {
            rate: events as f64 / self.started.elapsed().as_secs_f64(),
            client_us: us(ticks("self") - self.client),
            server_us: us(server.sum()),
        }
    }
}

/// What the sessions of a database used so far. They live until the ledger is closed.
fn sessions(database: &Database) -> HashMap<OsString, u64> {
    let name = format!(" {} ", database.place().1);
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let ours = processes.filter(|it| {
        let title = fs::read_to_string(it.path().join("cmdline"));
        title.is_ok_and(|title| title.starts_with("postgres:") && title.contains(&name))
    });
    ours.map(|it| (it.file_name(), ticks(it.file_name().to_str().unwrap())))
        .collect()
}

/// Hundredths of a second that a process was on a processor.
fn ticks(process: &str) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let mut fields = after_name.split_whitespace().skip(11);
    let mut tick = || -> u64 { fields.next().unwrap().parse().unwrap() };
    tick() + tick()
}

/// A ledger and the TPPs that use it.
struct Bank {
    ledger: Arc<dyn Store>,
    tpps: Vec<ClientId>,
    jtis: Jtis,
    interactions: AtomicU64,
    database: Database,
}

impl Bank {
    async fn new() -> Self {
        let database = Database::new().await;
        let ledger: Arc<dyn Store> = Arc::new(database.ledger(making::rules()).await);
        let mut tpps = Vec::new();
        for nth in 0..TPPS {
            let id = client(&format!("tpp-{nth}"));
            let profile = making::profile(Overrides::default());
            let made = ledger.register_tpp(Actor::System, id.clone(), profile, DAWN);
            made.await.unwrap().unwrap();
            let wish = Wish::Subscription(pushed_to("tpp.example", everything()));
            let registration = RegistrationId::new(format!("s-{nth}")).unwrap();
            ledger
                .create_registration(id.clone(), registration, wish, ApiVersion::V4_0, DAWN)
                .await
                .unwrap()
                .unwrap();
            tpps.push(id);
        }
        Self {
            ledger,
            tpps,
            jtis: Jtis::from(1),
            interactions: AtomicU64::new(0),
            database,
        }
    }

    /// So many callers hand over batches of this size, each for one TPP after another.
    async fn accepts(self: &Arc<Self>, events: u64, callers: usize, size: u64) -> Figures {
        let left = Arc::new(AtomicU64::new(events / size));
        let meter = Meter::start(&self.database);
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            let (bank, left) = (Arc::clone(self), Arc::clone(&left));
            tasks.spawn(async move {
                let mut tpps = bank.tpps.iter().cycle().skip(caller);
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |it| it.checked_sub(1))
                    .is_ok()
                {
                    let tpp = tpps.next().unwrap();
                    let item = || bank.submission(tpp);
                    let batch: Vec<Submission> = (0..size).map(|_| item()).collect();
                    bank.ledger.accept(batch, DAWN).await.unwrap();
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        meter.stop(events.max(1))
    }

    fn submission(&self, tpp: &ClientId) -> Submission {
        submission(self.jtis.next(DAWN), notice(tpp, Family::Aisp, &[UPDATE]))
    }

    /// Keeps the SETs of everything, as if it had been pushed once in vain.
    async fn keeps(self: &Arc<Self>) {
        let lease = self.joins().await;
        self.each(|bank, tpp| {
            let lease = lease.clone();
            async move {
                let claim = newest_claim(&*bank.ledger, &lease, &tpp).await;
                let mut now = DAWN;
                loop {
                    let work = bank.look(&claim, &tpp, now).await;
                    if work.is_empty() {
                        return 0;
                    }
                    bank.keep(&tpp, &work).await;
                    now = DAWN + Duration::from_millis(1);
                }
            }
        })
        .await;
    }

    /// Each TPP's lane takes a hundred, keeps their SETs and records that they were acknowledged, until nothing is left.
    async fn pushes(self: &Arc<Self>) -> Figures {
        let lease = self.joins().await;
        let meter = Meter::start(&self.database);
        let pushed = self.each(|bank, tpp| {
            let lease = lease.clone();
            async move {
                let claim = newest_claim(&*bank.ledger, &lease, &tpp).await;
                let mut pushed = 0;
                loop {
                    let work = bank.look(&claim, &tpp, DAWN).await;
                    if work.is_empty() {
                        return pushed;
                    }
                    bank.keep(&tpp, &work).await;
                    let ended: Vec<Ended> =
                        work.iter().map(|work| bank.acknowledged(work)).collect();
                    let recorded = bank.ledger.record_attempts(tpp.clone(), ended, DAWN);
                    let recorded = recorded.await.unwrap();
                    assert!(recorded.iter().all(|it| *it == Recorded::Applied));
                    pushed += work.len() as u64;
                }
            }
        });
        let pushed = pushed.await;
        meter.stop(pushed.max(1))
    }

    /// Each TPP polls a hundred and acknowledges the hundred before, until nothing is left.
    async fn polls(self: &Arc<Self>) -> Figures {
        let meter = Meter::start(&self.database);
        let polled = self.each(|bank, tpp| async move {
            let (mut acks, mut polled) = (Vec::new(), 0);
            loop {
                let answer = bank.poll(&tpp, acks).await;
                acks = answer;
                if acks.is_empty() {
                    return polled;
                }
                polled += acks.len() as u64;
            }
        });
        let polled = polled.await;
        meter.stop(polled.max(1))
    }

    async fn poll(&self, tpp: &ClientId, acks: Vec<Jti>) -> Vec<Jti> {
        let nth = self.interactions.fetch_add(1, Ordering::Relaxed);
        let poll = Poll {
            client_id: tpp.clone(),
            acks,
            errors: Vec::new(),
            events_max: 100,
            families: vec![Family::Aisp],
            patience: Patience::WaitForDue,
            limits: Limits {
                redelivery_delay: Duration::from_secs(60),
                error_cap: NonZeroU32::new(10).unwrap(),
                hand_out_cap: None,
                order: DeliveryOrder::Concurrent,
            },
            interaction_id: interaction(&format!("93bac548-d2de-4546-b106-{nth:012}")),
        };
        // Later than what was in flight.
        let now = DAWN + Duration::from_secs(3_600);
        let polled = self.ledger.poll(poll, now).await.unwrap();
        polled.work.into_iter().map(|work| work.jti).collect()
    }

    async fn look(&self, claim: &Claim, tpp: &ClientId, now: Timestamp) -> Vec<Work> {
        let look = Look {
            events_max: 100,
            in_flight_for: Duration::from_secs(12),
        };
        let due = self
            .ledger
            .due_for_push(claim.clone(), tpp.clone(), look, now);
        due.await.unwrap().unwrap().work
    }

    async fn keep(&self, tpp: &ClientId, work: &[Work]) {
        let signed = work.iter().filter_map(|work| match &work.set {
            SetState::Kept(_) => None,
            SetState::Unsigned { revision, .. } => Some(Signed {
                client_id: tpp.clone(),
                jti: work.jti,
                revision: *revision,
                set: "x".repeat(1300),
                kid: "k-1".to_owned(),
                purpose: Purpose::Push,
            }),
        });
        let kept = self.ledger.keep_sets(signed.collect(), DAWN).await.unwrap();
        assert!(kept.iter().all(|kept| matches!(kept, Kept::Send(_))));
    }

    fn acknowledged(&self, work: &Work) -> Ended {
        let nth = self.interactions.fetch_add(1, Ordering::Relaxed);
        Ended {
            in_flight_until: DAWN + Duration::from_secs(12),
            attempt: Attempt {
                jti: work.jti,
                started_at: DAWN,
                latency: Duration::from_millis(7),
                interaction_id: interaction(&format!("93bac548-d2de-4546-b106-{nth:012}")),
                peer: Peer {
                    address: Some("203.0.113.7:443".parse().unwrap()),
                    tls_version: Some("TLSv1.3".to_owned()),
                    certificate_thumbprint: Some("ab".repeat(32)),
                },
                answer: Answer::Response {
                    status: 202,
                    body_head: Vec::new(),
                    deviation: None,
                },
                verdict: Verdict::Acknowledged,
            },
        }
    }

    /// One node takes all lanes.
    async fn joins(&self) -> Lease {
        let (node_id, ttl) = (NodeId::new("pusher").unwrap(), Duration::from_secs(3_600));
        let lease = self.ledger.hold_lease(node_id, None, ttl).await;
        let lease = lease.unwrap().unwrap();
        let lanes = self
            .ledger
            .claim_lanes(lease.clone(), Wanted::All, 1_000, DAWN);
        assert_eq!(lanes.await.unwrap().len(), self.tpps.len());
        lease
    }

    /// Does the same for all TPPs at once; answers the sum.
    async fn each<F: Future<Output = u64> + Send + 'static>(
        self: &Arc<Self>,
        work: impl Fn(Arc<Self>, ClientId) -> F,
    ) -> u64 {
        let mut tasks = JoinSet::new();
        for tpp in &self.tpps {
            tasks.spawn(work(Arc::clone(self), tpp.clone()));
        }
        let mut sum = 0;
        while let Some(done) = tasks.join_next().await {
            sum += done.unwrap();
        }
        sum
    }
}

/// As many as keep all sessions busy.
const TPPS: usize = 8;
