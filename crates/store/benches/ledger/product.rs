//! The ledger as its callers use it: through the trait.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::{Family, Submission};
use oyez_domain::ids::{Jti, RegistrationId};
use oyez_domain::ledger::poll::{Limits, Patience, Poll, Polled};
use oyez_domain::ledger::registering::Wish;
use oyez_domain::ledger::sets::{Kept, Purpose, Signed};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{DeliveryOrder, Overrides};
use oyez_domain::version::ApiVersion;
use oyez_store::Store;
use oyez_store::sqlite::{Ledger, Options};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::meter::{Figures, Meter};
use oyez_testkit::making::{
    self, DAWN, UPDATE, client, everything, interaction, notice, submission,
};

/// What each step of an event's life cost.
pub(crate) struct Steps {
    pub(crate) accept: Figures,
    pub(crate) keep: Figures,
    pub(crate) hand_out: Figures,
    pub(crate) settle: Figures,
}

/// The interaction id of every poll.
pub(crate) const POLL: &str = "93bac548-d2de-4546-b106-880a5018460d";

/// A ledger with one TPP, in a directory of its own.
pub(crate) struct Home {
    pub(crate) directory: TempDir,
    pub(crate) ledger: Arc<Ledger>,
}

impl Home {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ledger = open(&directory);
        let profile = making::profile(Overrides::default());
        ledger
            .register_tpp(Actor::System, client("tpp"), profile, DAWN)
            .await
            .unwrap()
            .unwrap();
        let wish = Wish::Subscription(everything());
        let id = RegistrationId::new("s-1").unwrap();
        ledger
            .create_registration(client("tpp"), id, wish, ApiVersion::V4_0, DAWN)
            .await
            .unwrap()
            .unwrap();
        Self { directory, ledger }
    }
}

pub(crate) fn open(directory: &TempDir) -> Arc<Ledger> {
    let path = directory.path().join("ledger.db");
    Arc::new(Ledger::open(path, Options::default(), making::rules()).unwrap())
}

/// The n-th jti.
pub(crate) fn jti(n: u64) -> Jti {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    let ms = DAWN.unix_ms() + i64::try_from(n / 8).unwrap();
    Jti::new(Timestamp::from_unix_ms(ms), random)
}

/// The size of a SET of the standard.
pub(crate) fn set() -> String {
    "x".repeat(1300)
}

pub(crate) fn submissions(range: std::ops::Range<u64>) -> Vec<Submission> {
    let notice = notice(&client("tpp"), Family::Aisp, &[UPDATE]);
    range.map(|n| submission(jti(n), notice.clone())).collect()
}

pub(crate) fn sets(jtis: impl Iterator<Item = Jti>, purpose: &Purpose) -> Vec<Signed> {
    jtis.map(|jti| Signed {
        client_id: client("tpp"),
        jti,
        revision: 1,
        set: set(),
        kid: "k-1".to_owned(),
        purpose: purpose.clone(),
    })
    .collect()
}

pub(crate) async fn poll(ledger: &Ledger, acks: Vec<Jti>, events_max: u64) -> Polled {
    let poll = Poll {
        client_id: client("tpp"),
        acks,
        errors: Vec::new(),
        events_max: u32::try_from(events_max).unwrap(),
        families: vec![Family::Aisp],
        patience: Patience::WaitForDue,
        limits: Limits {
            redelivery_delay: Duration::from_secs(60),
            error_cap: NonZeroU32::new(10).unwrap(),
            hand_out_cap: None,
            order: DeliveryOrder::Concurrent,
        },
        interaction_id: interaction(POLL),
    };
    ledger.poll(poll, DAWN).await.unwrap()
}

pub(crate) async fn in_groups(events: u64, group: u64) -> Steps {
    let home = Home::new().await;
    let ledger = &home.ledger;
    let ranges = || {
        (0..events)
            .step_by(usize::try_from(group).unwrap())
            .map(|n| n..(n + group).min(events))
    };
    let batches: Vec<_> = ranges().map(submissions).collect();
    let meter = Meter::start();
    for batch in batches {
        ledger.accept(batch, DAWN).await.unwrap();
    }
    let accept = meter.stop(events);
    let batches: Vec<_> = ranges()
        .map(|range| sets(range.map(jti), &Purpose::Push))
        .collect();
    let meter = Meter::start();
    for batch in batches {
        let kept = ledger.keep_sets(batch, DAWN).await.unwrap();
        assert!(kept.iter().all(|kept| matches!(kept, Kept::Send(_))));
    }
    let keep = meter.stop(events);
    let meter = Meter::start();
    for range in ranges() {
        let polled = poll(ledger, Vec::new(), group).await;
        assert_eq!(polled.work.len() as u64, range.end - range.start);
    }
    let hand_out = meter.stop(events);
    let meter = Meter::start();
    for range in ranges() {
        let acks: Vec<_> = range.map(jti).collect();
        let count = acks.len();
        assert_eq!(poll(ledger, acks, 0).await.settled.len(), count);
    }
    let settle = meter.stop(events);
    Steps {
        accept,
        keep,
        hand_out,
        settle,
    }
}

/// Events accepted one by one by so many callers at once: figures, median and 99th percentile in ms.
pub(crate) async fn single_events(events: u64, callers: u64) -> (Figures, f64, f64) {
    let home = Home::new().await;
    let next = Arc::new(AtomicU64::new(0));
    let meter = Meter::start();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (ledger, next) = (Arc::clone(&home.ledger), Arc::clone(&next));
            tokio::spawn(async move {
                let mut waited = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= events {
                        return waited;
                    }
                    let started = Instant::now();
                    ledger.accept(submissions(n..n + 1), DAWN).await.unwrap();
                    waited.push(started.elapsed().as_secs_f64() * 1000.0);
                }
            })
        })
        .collect();
    let mut waited = Vec::new();
    for task in tasks {
        waited.extend(task.await.unwrap());
    }
    let figures = meter.stop(events);
    waited.sort_by(f64::total_cmp);
    let (p50, p99) = (waited[waited.len() / 2], waited[waited.len() * 99 / 100]);
    (figures, p50, p99)
}
