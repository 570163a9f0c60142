//! Who waits for a lock, for how long, and at whose expense (I-01).

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::ids::ClientId;
use oyez_domain::tpp::Overrides;
use oyez_testkit::making::{DAWN, client, profile};
use oyez_testkit::postgres::{Database, Holding, runtime};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::node;
use crate::postgres::changes::Changes;
use crate::postgres::doors::{Concerns, Doors};
use crate::postgres::group::{self, Known, Work};
use crate::postgres::line::{Kind, Line, Request};
use crate::postgres::session::Session;
use crate::postgres::waiting::Waiting;
use crate::postgres::{Ledger, Options, Shared};
use crate::{Error, Store};

/// A request that does nothing, under the locks of these TPPs.
struct Errand {
    of: Vec<ClientId>,
    manner: Manner,
}

enum Manner {
    Well,
    /// It is entered as the nth that was done.
    Entered(u32, Arc<Mutex<Vec<u32>>>),
    Panics,
    /// It takes so many seconds.
    Takes(f64),
}

static WAITING: LazyLock<Waiting<Errand>> = LazyLock::new(Waiting::default);

impl Kind for Errand {
    type Ask = Self;
    type Answer = ();
    const NAME: &'static str = "errands";

    fn rows(_ask: &Self) -> usize {
        1
    }

    async fn serve(shared: &Arc<Shared>, group: Vec<Request<Self>>) {
        group::serve(shared, group).await;
    }
}

impl Work for Errand {
    type Read = ();
    const READS: &'static [&'static str] = &[SLEEP];

    fn clients(ask: &Self) -> impl Iterator<Item = &ClientId> + Send {
        ask.of.iter()
    }

    async fn read(
        _shared: &Shared,
        db: &Session,
        group: &[&Self],
        _known: &Known,
    ) -> Result<(), Error> {
        for ask in group {
            if let Manner::Takes(seconds) = &ask.manner {
                db.rows(SLEEP, &[seconds]).await?;
            }
        }
        Ok(())
    }

    fn decide(
        _changes: &mut Changes,
        (_, ask): (usize, &Self),
        _known: &Known,
        (): &mut (),
    ) -> Result<(), Error> {
        match &ask.manner {
            Manner::Panics => panic!("as it was asked to"),
            Manner::Entered(nth, done) => done.lock().unwrap().push(*nth),
            Manner::Well | Manner::Takes(_) => {}
        }
        Ok(())
    }

    fn waiting(_shared: &Shared) -> &Waiting<Self> {
        &WAITING
    }
}

const SLEEP: &str = "SELECT pg_sleep($1::double precision)";

/// A node, its database, and a line for errands.
struct Scene {
    database: Database,
    ledger: Arc<Ledger>,
    line: Arc<Line<Errand>>,
}

/// TPPs have names of their own in each test: all share one set of waiting lines.
async fn scene(options: Options, tpps: &[&str]) -> Scene {
    let database = Database::new().await;
    let ledger = Arc::new(node(&database, options).await);
    for name in tpps {
        let profile = profile(Overrides::default());
        let made = ledger.register_tpp(Actor::System, client(name), profile, DAWN);
        assert!(made.await.unwrap().is_some());
    }
    let line = Arc::new(Line::new(&ledger.shared));
    Scene {
        database,
        ledger,
        line,
    }
}

type Errands = JoinHandle<Result<(), Error>>;

impl Scene {
    fn ask(&self, manner: Manner, of: &[&str]) -> Errands {
        let errand = Errand {
            of: of.iter().map(|name| client(name)).collect(),
            manner,
        };
        let line = Arc::clone(&self.line);
        runtime().spawn(async move { line.ask(errand).await })
    }

    /// Asks for a rare change.
    fn change(&self, name: &str) -> JoinHandle<Result<u64, Error>> {
        let (ledger, name) = (Arc::clone(&self.ledger), client(name));
        let nothing = Vec::new();
        runtime().spawn(async move { ledger.withdraw(Actor::System, name, nothing, DAWN).await })
    }

    /// Has a TPP's lock.
    async fn hold(&self, name: &str) -> Holding {
        let locking = LOCK_BY_NAME.replace("$1", &format!("'{name}'"));
        self.database.hold(&locking).await
    }

    /// Waits until so many sessions wait for a lock.
    async fn until_waiting(&self, sessions: i64) {
        let waiting = async {
            while self.database.number(WAITERS).await < sessions {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, waiting).await.unwrap();
    }
}

const LOCK_BY_NAME: &str = "
    SELECT 1 FROM queues q JOIN tpps t USING (tpp) WHERE t.client_id = $1 FOR UPDATE OF q";

const WAITERS: &str = "
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

async fn answer<T>(asked: JoinHandle<Result<T, Error>>) -> Result<T, Error> {
    timeout(PATIENCE, asked)
        .await
        .expect("it is answered")
        .unwrap()
}

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn is_busy(answered: &Result<(), Error>) -> bool {
    matches!(answered, Err(Error::Busy { .. }))
}

// I-01
#[tokio::test]
async fn who_waits_for_a_lock_waits_until_his_own_time_is_over_and_no_longer() {
    let impatient = Options {
        lock_time_max: Duration::from_millis(50),
        wait_max: Duration::from_secs(1),
        ..Options::default()
    };
    let scene = scene(impatient, &["own-time"]).await;
    let holding = scene.hold("own-time").await;
    let began = Instant::now();
    let (first, second) = (
        scene.ask(Manner::Well, &["own-time"]),
        scene.ask(Manner::Well, &["own-time"]),
    );
    for refused in [answer(first).await, answer(second).await] {
        assert!(is_busy(&refused), "{refused:?}");
    }
    assert!(began.elapsed() >= impatient.wait_max);
    let later = scene.ask(Manner::Well, &["own-time"]);
    // Longer than one statement waits for the lock.
    sleep(Duration::from_millis(150)).await;
    drop(holding);
    answer(later).await.unwrap();
}

// I-01
#[tokio::test]
async fn there_is_a_bound_to_how_many_wait_whosever_locks_they_wait_for() {
    let narrow = Options {
        sessions: 2,
        queued_max: 2,
        ..Options::default()
    };
    let names = ["bound-a", "bound-b", "bound-c", "bound-d"];
    let scene = scene(narrow, &names).await;
    let mut held = Vec::new();
    for name in names {
        held.push(scene.hold(name).await);
    }
    let first = scene.ask(Manner::Well, &[names[0]]);
    scene.until_waiting(1).await;
    let mut others = Vec::new();
    for name in &names[1..] {
        others.push(scene.ask(Manner::Well, &[name]));
    }
    let refused = async {
        while !others.iter().any(Errands::is_finished) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    // Long before their own time is over.
    timeout(Duration::from_secs(3), refused).await.unwrap();
    drop(held);
    answer(first).await.unwrap();
    let mut busy = 0;
    for other in others {
        busy += usize::from(is_busy(&answer(other).await));
    }
    assert_eq!(busy, 1);
}

// I-01
#[tokio::test]
async fn a_batch_for_several_tpps_holds_none_while_it_waits_for_one() {
    let scene = scene(Options::default(), &["batch-a", "batch-b"]).await;
    let holding = scene.hold("batch-b").await;
    let batch = scene.ask(Manner::Well, &["batch-a", "batch-b"]);
    scene.until_waiting(1).await;
    let of_a = scene.hold("batch-a").await;
    drop(holding);
    // It had the lock that it waited for, and waits for the other now.
    let of_b = scene.ask(Manner::Well, &["batch-b"]);
    answer(of_b).await.unwrap();
    scene.until_waiting(1).await;
    assert!(!batch.is_finished());
    drop(of_a);
    answer(batch).await.unwrap();
}

// I-01
#[tokio::test]
async fn a_request_that_panics_leaves_nobody_waiting_behind_it() {
    let scene = scene(Options::default(), &["panic"]).await;
    let holding = scene.hold("panic").await;
    let panics = scene.ask(Manner::Panics, &["panic"]);
    scene.until_waiting(1).await;
    let behind = scene.ask(Manner::Well, &["panic"]);
    drop(holding);
    let told = answer(panics).await;
    assert!(matches!(told, Err(Error::Inconsistent { .. })), "{told:?}");
    answer(behind).await.unwrap();
    answer(scene.ask(Manner::Well, &["panic"])).await.unwrap();
}

// I-01
#[tokio::test]
async fn all_that_waits_for_one_tpps_lock_takes_one_place_of_those_who_may_wait() {
    let small = Options {
        sessions: 4,
        ..Options::default()
    };
    let scene = scene(small, &["much", "little"]).await;
    let (of_much, of_little) = (scene.hold("much").await, scene.hold("little").await);
    let mut much = vec![scene.change("much"), scene.change("much")];
    let errand_of_much = scene.ask(Manner::Well, &["much"]);
    scene.until_waiting(1).await;
    much.push(scene.change("much"));
    // Time for all of them to get as far as they do: what takes places would have them by then.
    sleep(Duration::from_millis(200)).await;
    let little = scene.ask(Manner::Well, &["little"]);
    scene.until_waiting(2).await;
    drop(of_little);
    // Long before anybody waits in vain.
    let little = timeout(Duration::from_secs(3), answer(little)).await;
    little.unwrap().unwrap();
    assert!(!errand_of_much.is_finished());
    drop(of_much);
    answer(errand_of_much).await.unwrap();
    for waited in much {
        assert_eq!(answer(waited).await.unwrap(), 0);
    }
}

// I-01
#[tokio::test]
async fn one_request_of_a_group_that_takes_too_long_fails_alone() {
    let brisk = Options {
        statement_time_max: Duration::from_secs(1),
        groups_at_once: 1,
        ..Options::default()
    };
    let scene = scene(brisk, &["slow-a", "slow-b", "slow-c"]).await;
    // What comes while it is done goes together.
    let before = scene.ask(Manner::Takes(0.3), &["slow-c"]);
    sleep(Duration::from_millis(100)).await;
    let well = scene.ask(Manner::Well, &["slow-a"]);
    let slow = scene.ask(Manner::Takes(4.0), &["slow-b"]);
    let too_slow = answer(slow).await;
    assert!(
        matches!(too_slow, Err(Error::TimedOut { .. })),
        "{too_slow:?}"
    );
    answer(well).await.unwrap();
    answer(before).await.unwrap();
}

// I-01
#[tokio::test]
async fn members_of_a_group_that_took_too_long_keep_their_order_though_the_lock_was_lost_meanwhile()
{
    let brisk = Options {
        statement_time_max: Duration::from_secs(1),
        lock_time_max: Duration::from_millis(100),
        wait_max: PATIENCE,
        ..Options::default()
    };
    let scene = scene(brisk, &["order"]).await;
    let before = scene.hold("order").await;
    let done = Arc::default();
    let mut asked = Vec::new();
    for nth in 0..3 {
        asked.push(scene.ask(Manner::Entered(nth, Arc::clone(&done)), &["order"]));
        scene.until_waiting(1).await;
    }
    let slow = scene.ask(Manner::Takes(3.0), &["order"]);
    // Once the first has waited in vain, all wait together.
    sleep(brisk.lock_time_max * 3).await;
    drop(before);
    let working = async {
        while scene.database.number(SLEEPERS).await == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, working).await.unwrap();
    // Who is next in line has it when their time is over.
    let other = scene.hold("order").await;
    sleep(brisk.lock_time_max * 8).await;
    drop(other);
    for it in asked {
        answer(it).await.unwrap();
    }
    assert_eq!(*done.lock().unwrap(), [0, 1, 2]);
    let too_slow = answer(slow).await;
    assert!(
        matches!(too_slow, Err(Error::TimedOut { .. })),
        "{too_slow:?}"
    );
}

const SLEEPERS: &str = "
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event = 'PgSleep'";

// I-01
#[tokio::test]
async fn few_may_take_long_at_once_and_the_others_are_told_soon() {
    let doors = Arc::new(Doors::of(8, Duration::from_millis(20)));
    let some = [doors.leisure_now().unwrap(), doors.leisure_now().unwrap()];
    assert!(doors.leisure_now().is_none());
    assert!(matches!(doors.leisure().await, Err(Error::Busy { .. })));
    // Those who wait for a moment only have places left.
    let (one, two) = (client("door-a"), client("door-b"));
    let _doors = [doors.enter(&one).await, doors.enter(&two).await];
    let again = doors.enter_soon(Concerns::One(&one)).await;
    assert!(matches!(again, Err(Error::Busy { .. })));
    drop(some);
    assert!(doors.leisure().await.is_ok());
}

// I-01
#[tokio::test]
async fn what_takes_long_waits_for_leave_without_any_lock_and_is_done_then() {
    let scene = scene(Options::default(), &["leave"]).await;
    let doors = &scene.ledger.shared.doors;
    let others = [doors.leisure_now().unwrap(), doors.leisure_now().unwrap()];
    let ledger = Arc::clone(&scene.ledger);
    let long = runtime().spawn(async move {
        let work = ledger.change((client("leave"), DAWN), (), |unit, (), _| {
            Box::pin(async {
                unit.rows(LOCK_BY_NAME, &[&"leave"]).await?;
                unit.take_its_time().await
            })
        });
        work.await
    });
    // Whether it has tried by now or not, it is in nobody's way.
    answer(scene.ask(Manner::Well, &["leave"])).await.unwrap();
    assert!(!long.is_finished());
    drop(others);
    answer(long).await.unwrap();
}
