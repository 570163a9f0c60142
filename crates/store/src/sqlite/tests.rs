//! What only this backend promises: groups, limits, the file, the schema, and what its statements cost.

mod bounds;
mod files;
mod groups;
mod plans;
mod reads;
mod restart;
mod schema;
mod withdrawals;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oyez_domain::actor::Actor;
use oyez_domain::event::Family;
use oyez_domain::ids::{ClientId, Jti, RegistrationId};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::poll::{Limits, Patience, Poll};
use oyez_domain::ledger::registering::Wish;
use oyez_domain::ledger::sets::{Purpose, Signed};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{DeliveryOrder, Overrides};
use oyez_domain::version::ApiVersion;
use tempfile::TempDir;

use super::writer::Unit;
use super::{Ledger, Options};
use crate::{Error, Store};
use oyez_testkit::making::{
    self, DAWN, UPDATE, client, everything, interaction, notice, profile, submission,
};

/// A ledger in a directory of its own.
struct Home {
    directory: TempDir,
    ledger: Ledger,
}

impl Home {
    fn new(options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ledger = open(&directory.path().join("ledger.db"), options);
        Self { directory, ledger }
    }

    async fn with_tpp(options: Options, client_id: &ClientId) -> Self {
        let home = Self::new(options);
        subscribe(&home.ledger, client_id).await;
        home
    }
}

fn open(path: &Path, options: Options) -> Ledger {
    Ledger::open(path, options, making::rules()).unwrap()
}

/// Makes a TPP known and subscribed to everything.
async fn subscribe(ledger: &Ledger, client_id: &ClientId) {
    let profile = profile(Overrides::default());
    let operator = Actor::Operator("ops".to_owned());
    let known = ledger.register_tpp(operator, client_id.clone(), profile, DAWN);
    assert!(known.await.unwrap().is_some());
    let id = RegistrationId::new(format!("s-{client_id}")).unwrap();
    let wish = Wish::Subscription(everything());
    let made = ledger.create_registration(client_id.clone(), id, wish, ApiVersion::V4_0, DAWN);
    assert!(made.await.unwrap().is_ok());
}

/// The n-th jti of a test.
fn jti(n: u64) -> Jti {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    Jti::new(at(i64::try_from(n).unwrap()), random)
}

/// So many milliseconds after the beginning.
fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(DAWN.unix_ms() + ms)
}

async fn accept(ledger: &Ledger, client_id: &ClientId, jtis: std::ops::Range<u64>) {
    let batch = jtis.clone().map(|n| {
        let notice = notice(client_id, Family::Aisp, &[UPDATE]);
        submission(jti(n), notice)
    });
    let accepted = ledger.accept(batch.collect(), DAWN).await.unwrap();
    let expected: Vec<_> = jtis.map(|n| Acceptance::Accepted(jti(n))).collect();
    assert_eq!(accepted, expected);
}

fn poll(client_id: &ClientId, acks: Vec<Jti>, events_max: u32) -> Poll {
    Poll {
        client_id: client_id.clone(),
        acks,
        errors: Vec::new(),
        events_max,
        families: vec![Family::Aisp],
        patience: Patience::Immediate,
        limits: Limits {
            redelivery_delay: std::time::Duration::from_secs(60),
            error_cap: std::num::NonZeroU32::new(10).unwrap(),
            hand_out_cap: None,
            order: DeliveryOrder::Concurrent,
        },
        interaction_id: interaction("a-poll"),
    }
}

fn signed(client_id: &ClientId, jti: Jti) -> Signed {
    Signed {
        client_id: client_id.clone(),
        jti,
        revision: 1,
        set: "x".repeat(40),
        kid: "k-1".to_owned(),
        purpose: Purpose::HandOut {
            cap: None,
            interaction_id: interaction("a-poll"),
        },
    }
}

async fn balance(ledger: &Ledger) {
    let (derived, counted): (i64, i64) = ledger
        .read(|db| {
            let sql = "SELECT (SELECT sum(accepted - acknowledged - failed - expired - withdrawn) FROM queues),
                (SELECT count(*) FROM outstanding)";
            Ok(db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
        })
        .await
        .unwrap();
    assert_eq!(derived, counted, "what is outstanding, derived and counted");
}

fn tpp() -> ClientId {
    client("tpp")
}

/// Steps of SQLite's machine that some work takes.
async fn steps_of<T: Send + 'static>(
    ledger: &Ledger,
    mut work: impl FnMut(&mut Unit) -> Result<T, Error> + Send + 'static,
) -> u64 {
    let steps = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&steps);
    let count = ledger.write(move |unit| {
        let counter = Arc::clone(&counter);
        let count = move || {
            counter.fetch_add(1, Ordering::Relaxed);
            false
        };
        unit.db.progress_handler(1, Some(count))?;
        let done = work(unit);
        unit.db.progress_handler(0, None::<fn() -> bool>)?;
        done
    });
    count.await.unwrap();
    steps.load(Ordering::Relaxed)
}
