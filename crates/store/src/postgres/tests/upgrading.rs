//! Rolling upgrades: a newer binary migrates while this one serves. The newer binary is this one with steps of its own.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::Family;
use oyez_domain::ids::{ClientId, RegistrationId};
use oyez_domain::ledger::poll::{Limits, Patience, Poll};
use oyez_domain::ledger::registering::Wish;
use oyez_domain::tpp::{DeliveryOrder, Overrides};
use oyez_domain::version::ApiVersion;
use oyez_testkit::making::{self, DAWN, Jtis, UPDATE, client, everything, notice, submission};
use oyez_testkit::postgres::{Database, runtime};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::postgres::migrations::{self, MIGRATIONS, Manner, Migration};
use crate::postgres::tasks::Tasks;
use crate::postgres::{Announcing, Ledger, Options, Server};
use crate::{Error, Store};

/// Columns that the binaries before know nothing of, on the busiest tables.
const WIDER: Migration = Migration {
    name: "wider",
    sql: "ALTER TABLE outstanding ADD COLUMN remark text;
        ALTER TABLE queues ADD COLUMN remarks bigint NOT NULL DEFAULT 0;
        ALTER TABLE events ADD COLUMN remark text;",
    manner: Manner::Whole,
    serves_from: 1,
};

const INDEXED: Migration = Migration {
    name: "indexed",
    sql: "DROP INDEX CONCURRENTLY IF EXISTS outstanding_remarks;
CREATE INDEX CONCURRENTLY outstanding_remarks ON outstanding (tpp, remark) WHERE remark IS NOT NULL;
",
    manner: Manner::Online,
    serves_from: 1,
};

/// What nobody needs any more who knows the columns that took its place.
fn narrower() -> Migration {
    Migration {
        name: "narrower",
        sql: "ALTER TABLE queues DROP COLUMN remarks;",
        manner: Manner::Whole,
        serves_from: migrations::newest() + 2,
    }
}

/// What asks for locks of the busiest tables and leaves the binaries before behind.
fn leaving() -> Migration {
    Migration {
        name: "leaving",
        sql: "ALTER TABLE queues DROP COLUMN remarks;",
        manner: Manner::Whole,
        serves_from: migrations::newest() + 1,
    }
}

fn and(more: &[Migration]) -> Vec<Migration> {
    [MIGRATIONS, more].concat()
}

fn server(database: &Database) -> Server {
    let (address, name) = database.place();
    Server::parse(&address).unwrap().database(name)
}

async fn node(database: &Database) -> Result<Ledger, Error> {
    let (server, options) = (server(database), Options::default());
    Ledger::open(server, options, making::rules(), runtime().handle()).await
}

/// A binary with these steps starts.
fn migrating(database: &Database, steps: Vec<Migration>) -> JoinHandle<Result<u32, Error>> {
    let server = server(database);
    let tasks = Tasks::on(runtime().handle());
    runtime()
        .spawn(async move { migrations::apply(&steps, &server, &Options::default(), &tasks).await })
}

async fn subscriber(ledger: &Ledger) -> ClientId {
    let tpp = client("acme");
    let profile = making::profile(Overrides::default());
    let made = ledger.register_tpp(Actor::System, tpp.clone(), profile, DAWN);
    assert!(made.await.unwrap().is_some());
    let id = RegistrationId::new("s-1").unwrap();
    let wish = Wish::Subscription(everything());
    let made = ledger.create_registration(tpp.clone(), id, wish, ApiVersion::V4_0, DAWN);
    assert!(made.await.unwrap().is_ok());
    tpp
}

/// Publishes an event, is handed it and acknowledges it.
async fn round(ledger: &Ledger, tpp: &ClientId, jtis: &Jtis) -> Result<(), Error> {
    let jti = jtis.next(DAWN);
    let notice = notice(tpp, Family::Aisp, &[UPDATE]);
    ledger.accept(vec![submission(jti, notice)], DAWN).await?;
    let poll = |acks, events_max| Poll {
        client_id: tpp.clone(),
        interaction_id: making::interaction("i-1"),
        families: Family::ALL.to_vec(),
        acks,
        errors: Vec::new(),
        events_max,
        patience: Patience::Immediate,
        limits: Limits {
            redelivery_delay: Duration::ZERO,
            error_cap: NonZeroU32::MIN,
            hand_out_cap: None,
            order: DeliveryOrder::Concurrent,
        },
    };
    let polled = ledger.poll(poll(Vec::new(), 1), DAWN).await?;
    let acks = polled.work.iter().map(|work| work.jti).collect();
    ledger.poll(poll(acks, 0), DAWN).await?;
    Ok(())
}

/// A node at work, until it is told to stop. Any fault ends it.
struct Busy {
    rounds: Arc<AtomicU64>,
    stop: CancellationToken,
    done: JoinHandle<Result<(), Error>>,
}

impl Busy {
    fn start(ledger: Arc<Ledger>, tpp: ClientId) -> Self {
        let (rounds, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let (counted, stopped) = (Arc::clone(&rounds), stop.clone());
        let done = runtime().spawn(async move {
            let jtis = Jtis::from(1);
            while !stopped.is_cancelled() {
                round(&ledger, &tpp, &jtis).await?;
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        Self { rounds, stop, done }
    }

    /// Waits until it has done so many rounds more.
    async fn goes_on(&self, more: u64) {
        let goal = self.rounds.load(Ordering::Relaxed) + more;
        while self.rounds.load(Ordering::Relaxed) < goal {
            assert!(!self.done.is_finished(), "it met a fault");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.done.await.unwrap().unwrap();
    }
}

// I-06
#[tokio::test]
async fn a_node_serves_on_while_newer_ones_widen_the_schema_and_may_start_again_on_it() {
    let database = Database::new().await;
    let old = Arc::new(node(&database).await.unwrap());
    let tpp = subscriber(&old).await;
    let busy = Busy::start(Arc::clone(&old), tpp.clone());
    busy.goes_on(5).await;
    // Somebody reads for long: the step cannot have its locks, and whoever comes behind it must not wait with it.
    let reading = database.hold("SELECT count(*) FROM outstanding").await;
    let newer = [(); 3].map(|()| migrating(&database, and(&[WIDER, INDEXED])));
    busy.goes_on(100).await;
    assert!(newer.iter().all(|it| !it.is_finished()));
    drop(reading);
    let mut took = Vec::new();
    for it in newer {
        took.push(it.await.unwrap().unwrap());
    }
    took.sort_unstable();
    let (first, last) = (migrations::newest(), migrations::newest() + 2);
    assert_eq!(took, [first, last, last], "one of them took all steps");
    busy.goes_on(20).await;
    busy.stop().await;
    let valid = "SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid = 'outstanding_remarks'::regclass";
    assert_eq!(database.number(valid).await, 1);

    let again = node(&database).await.unwrap();
    let jtis = Jtis::from(1_000_000);
    round(&again, &tpp, &jtis).await.unwrap();
    let (counts, books) = (again.counts(tpp.clone()).await, old.counts(tpp).await);
    assert_eq!(counts.unwrap(), books.unwrap());
}

// I-06
#[tokio::test]
async fn a_step_done_online_that_broke_off_begins_again_from_its_start() {
    let database = Database::new().await;
    let broken = Migration {
        sql: "CREATE INDEX CONCURRENTLY outstanding_remarks ON outstanding (tpp, remark);
SELECT 1 / 0;
",
        ..INDEXED
    };
    let refused = migrating(&database, and(&[WIDER, broken])).await.unwrap();
    assert!(matches!(refused, Err(Error::Schema { .. })), "{refused:?}");
    let from = migrating(&database, and(&[WIDER, INDEXED])).await.unwrap();
    assert_eq!(from.unwrap(), migrations::newest() + 1);
    let from = migrating(&database, and(&[WIDER, INDEXED])).await.unwrap();
    assert_eq!(from.unwrap(), migrations::newest() + 2);
}

// I-06
#[tokio::test]
async fn of_a_step_in_one_transaction_that_fails_nothing_stays() {
    let database = Database::new().await;
    let broken = Migration {
        sql: "ALTER TABLE queues ADD COLUMN remarks bigint; SELECT 1 / 0;",
        ..WIDER
    };
    let refused = migrating(&database, and(&[broken])).await.unwrap();
    assert!(matches!(refused, Err(Error::Schema { .. })), "{refused:?}");
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'queues' AND column_name = 'remarks'";
    assert_eq!(database.number(columns).await, 0);
    node(&database).await.unwrap();
}

// I-06
#[tokio::test]
async fn what_leaves_older_binaries_behind_is_not_done_if_one_starts_while_it_waits_for_its_locks()
{
    let database = Database::new().await;
    migrating(&database, and(&[WIDER])).await.unwrap().unwrap();
    let reading = database.hold("SELECT count(*) FROM queues").await;
    let newer = migrating(&database, and(&[WIDER, leaving()]));
    while database.number(WAITERS).await == 0 {
        assert!(!newer.is_finished(), "it has its locks");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    // It has asked who is there by now.
    let old = node(&database).await.unwrap();
    let tpp = subscriber(&old).await;
    drop(reading);
    let refused = newer.await.unwrap();
    assert!(matches!(refused, Err(Error::InUse { .. })), "{refused:?}");
    round(&old, &tpp, &Jtis::from(1)).await.unwrap();
}

// I-06
#[tokio::test]
async fn a_node_that_was_cut_off_while_it_was_left_behind_is_refused_when_it_connects_again() {
    let database = Database::new().await;
    let options = Options {
        announcing: Announcing::ToNobody,
        ..Options::default()
    };
    let old = Ledger::open(
        server(&database),
        options,
        making::rules(),
        runtime().handle(),
    );
    let old = old.await.unwrap();
    let tpp = subscriber(&old).await;
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(database.number(cut).await > 0);
    let steps = and(&[WIDER, leaving()]);
    migrating(&database, steps).await.unwrap().unwrap();
    let refused = old.counts(tpp).await;
    assert!(matches!(refused, Err(Error::Schema { .. })), "{refused:?}");
}

mod slow {
    use super::*;

    // I-06
    #[tokio::test]
    async fn what_leaves_older_binaries_behind_waits_until_none_is_connected_and_refuses_them_then()
    {
        let database = Database::new().await;
        let old = node(&database).await.unwrap();
        let tpp = subscriber(&old).await;
        let steps = || and(&[WIDER, INDEXED, narrower()]);
        let refused = migrating(&database, steps()).await.unwrap();
        let Err(Error::InUse { detail }) = refused else {
            panic!("{refused:?}");
        };
        let newest = migrations::newest();
        let less = format!("less than schema {}", newest + 2);
        assert!(detail.contains(&less), "{detail}");
        round(&old, &tpp, &Jtis::from(1)).await.unwrap();
        old.close().await.unwrap();

        let from = migrating(&database, steps()).await.unwrap().unwrap();
        assert_eq!(from, newest + 2, "what expands was done before");
        let refused = node(&database).await.map(drop);
        let Err(Error::Schema { detail }) = refused else {
            panic!("{refused:?}");
        };
        let has = format!("it has schema {}", newest + 3);
        let serves = format!("schema {} or more", newest + 2);
        assert!(
            detail.contains(&has) && detail.contains(&serves),
            "{detail}"
        );
    }
}

const WAITERS: &str = "
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

const LOOK_AGAIN: Duration = Duration::from_millis(5);
