//! One commit for all that queued up; each request kept apart from the others; no promise before the commit.

#![expect(
    clippy::disallowed_methods,
    reason = "a test has no lifecycle whose tracker it could spawn on"
)]

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::{Home, accept, at, balance, jti, poll, tpp};
use crate::sqlite::Options;
use crate::sqlite::writer::Unit;
use crate::{Error, Listen, News, Store};

/// A writer that is held up until the test lets it go on, so that whatever comes meanwhile is one group with the hold-up.
struct HeldUp {
    go_on: mpsc::Sender<()>,
    first: JoinHandle<Result<(), Error>>,
}

/// A group that is held up by a test is not over after some milliseconds: who waits behind its first request belongs to it.
fn unhurried() -> Options {
    Options {
        group_time_max: Duration::from_secs(3_600),
        ..Options::default()
    }
}

async fn hold_up(home: &Arc<Home>, mut first: impl FnMut(&mut Unit) + Send + 'static) -> HeldUp {
    let (go_on, wait) = mpsc::channel();
    let (started, has_started) = tokio::sync::oneshot::channel();
    let held = Arc::clone(home);
    let first = tokio::task::spawn(async move {
        let mut gate = Some((started, wait));
        let work = move |unit: &mut Unit| {
            first(unit);
            if let Some((started, wait)) = gate.take() {
                started.send(()).unwrap();
                wait.recv().unwrap();
            }
            Ok(())
        };
        held.ledger.write(work).await
    });
    has_started.await.unwrap();
    HeldUp { go_on, first }
}

/// Starts a request and waits until it stands in the queue.
async fn queue<T: Send + 'static>(
    home: &Arc<Home>,
    waiting: usize,
    work: impl FnMut(&mut Unit) -> Result<T, Error> + Send + 'static,
) -> JoinHandle<Result<T, Error>> {
    let asking = Arc::clone(home);
    let task = tokio::task::spawn(async move { asking.ledger.write(work).await });
    while home.ledger.writes.waiting() < waiting {
        tokio::task::yield_now().await;
    }
    task
}

fn write_line(unit: &mut Unit, node: &str) -> Result<(), Error> {
    let sql = "INSERT INTO nodes (node_id, epoch, expires_at) VALUES (?1, 1, 0)";
    unit.db.execute(sql, [node])?;
    Ok(())
}

async fn lines(home: &Home) -> Vec<String> {
    let read = home.ledger.read(|db| {
        let mut statement = db.prepare("SELECT node_id FROM nodes ORDER BY node_id")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    read.await.unwrap()
}

fn count_commits(unit: &mut Unit, commits: &Arc<AtomicUsize>) {
    let commits = Arc::clone(commits);
    let hook = move || {
        commits.fetch_add(1, Ordering::SeqCst);
        false
    };
    unit.db.commit_hook(Some(hook)).unwrap();
}

#[tokio::test]
async fn what_queued_up_shares_one_commit_and_a_lone_caller_has_its_own() {
    let home = Arc::new(Home::new(unhurried()));
    let commits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&commits);
    let held = hold_up(&home, move |unit| count_commits(unit, &counter)).await;
    let mut crowd = Vec::new();
    for n in 0..20 {
        crowd.push(queue(&home, n + 1, move |unit| write_line(unit, &n.to_string())).await);
    }
    held.go_on.send(()).unwrap();
    held.first.await.unwrap().unwrap();
    for task in crowd {
        task.await.unwrap().unwrap();
    }
    assert_eq!(commits.load(Ordering::SeqCst), 1);
    for n in 0..3 {
        let lone = format!("lone-{n}");
        home.ledger
            .write(move |unit| write_line(unit, &lone))
            .await
            .unwrap();
    }
    assert_eq!(commits.load(Ordering::SeqCst), 4);
    assert_eq!(lines(&home).await.len(), 23);
}

/// Writes down what is told at a time.
#[derive(Default)]
struct Notebook(Mutex<Vec<Vec<News>>>);

impl Notebook {
    fn of(home: &Home) -> Arc<Self> {
        let notebook = Arc::<Self>::default();
        home.ledger.listen(Arc::downgrade(&notebook) as _);
        notebook
    }

    fn tellings(&self) -> Vec<Vec<News>> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Listen for Notebook {
    fn heard(&self, news: &[News]) {
        self.0.lock().unwrap().push(news.to_vec());
    }
}

fn news(unit: &mut Unit, n: u64) -> Result<(), Error> {
    let notice = super::notice(&tpp(), super::Family::Aisp, &[super::UPDATE]);
    let batch = vec![super::submission(jti(n), notice)];
    crate::sqlite::accept::accept(unit, &batch, at(0)).map(drop)
}

// P-07, D-08
#[tokio::test]
async fn a_group_is_told_once_and_each_tpp_in_it_once_without_what_was_rolled_back() {
    let home = Arc::new(Home::with_tpp(unhurried(), &tpp()).await);
    let other = super::client("other");
    super::subscribe(&home.ledger, &other).await;
    let notebook = Notebook::of(&home);
    let held = hold_up(&home, |unit| news(unit, 1).unwrap()).await;
    let good = queue(&home, 1, |unit| news(unit, 2)).await;
    let bad = queue(&home, 2, move |unit| {
        let notice = super::notice(&other, super::Family::Aisp, &[super::UPDATE]);
        let batch = vec![super::submission(jti(9), notice)];
        crate::sqlite::accept::accept(unit, &batch, at(0))?;
        news(unit, 2)
    })
    .await;
    let last = queue(&home, 3, |unit| news(unit, 3)).await;
    held.go_on.send(()).unwrap();
    assert!(good.await.unwrap().is_ok());
    assert!(bad.await.unwrap().is_err());
    assert!(last.await.unwrap().is_ok());
    let mut told = News::of(tpp());
    told.polls = true;
    assert_eq!(notebook.tellings(), [[told]]);
}

// P-07, D-08
#[tokio::test]
async fn of_a_group_whose_commit_fails_nothing_is_told() {
    let home = Arc::new(Home::with_tpp(unhurried(), &tpp()).await);
    let notebook = Notebook::of(&home);
    let held = hold_up(&home, |unit| unit.db.commit_hook(Some(|| true)).unwrap()).await;
    let lost = queue(&home, 1, |unit| news(unit, 1)).await;
    held.go_on.send(()).unwrap();
    assert!(lost.await.unwrap().is_err());
    let mended = home
        .ledger
        .write(|unit| Ok(unit.db.commit_hook(None::<fn() -> bool>)?));
    mended.await.unwrap();
    assert_eq!(notebook.tellings(), Vec::<Vec<News>>::new());
    home.ledger.write(|unit| news(unit, 1)).await.unwrap();
    assert_eq!(notebook.tellings().len(), 1);
}

#[tokio::test]
async fn a_group_takes_no_more_requests_than_its_bound() {
    let options = Options {
        group_requests_max: 4,
        ..unhurried()
    };
    let home = Arc::new(Home::new(options));
    let commits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&commits);
    let held = hold_up(&home, move |unit| count_commits(unit, &counter)).await;
    let mut crowd = Vec::new();
    for n in 0..7 {
        crowd.push(queue(&home, n + 1, move |unit| write_line(unit, &n.to_string())).await);
    }
    held.go_on.send(()).unwrap();
    for task in crowd {
        task.await.unwrap().unwrap();
    }
    assert_eq!(commits.load(Ordering::SeqCst), 2);
}

// D-08
#[tokio::test]
async fn a_request_that_fails_by_itself_is_done_once_and_a_group_at_most_twice() {
    let home = Arc::new(Home::new(unhurried()));
    let runs = Arc::new([const { AtomicUsize::new(0) }; 3]);
    let work = |which: usize, fails: bool| {
        let runs = Arc::clone(&runs);
        move |unit: &mut Unit| {
            runs[which].fetch_add(1, Ordering::SeqCst);
            write_line(unit, &which.to_string())?;
            if fails {
                write_line(unit, &which.to_string())?;
            }
            Ok(())
        }
    };
    let counts = || [0, 1, 2].map(|which| runs[which].load(Ordering::SeqCst));
    assert!(home.ledger.write(work(0, true)).await.is_err());
    assert_eq!(counts(), [1, 0, 0]);
    let held = hold_up(&home, |_| ()).await;
    let good = queue(&home, 1, work(1, false)).await;
    let bad = queue(&home, 2, work(2, true)).await;
    let again = queue(&home, 3, work(2, true)).await;
    held.go_on.send(()).unwrap();
    good.await.unwrap().unwrap();
    assert!(bad.await.unwrap().is_err());
    assert!(again.await.unwrap().is_err());
    assert_eq!(counts(), [1, 2, 3], "with care the second costs nobody");
    assert_eq!(lines(&home).await, ["1"]);
}

// D-08
#[tokio::test]
async fn a_request_that_fails_or_panics_is_rolled_back_alone() {
    let home = Arc::new(Home::new(unhurried()));
    let held = hold_up(&home, |unit| write_line(unit, "first").unwrap()).await;
    let good = queue(&home, 1, |unit| write_line(unit, "good")).await;
    let twice = queue(&home, 2, |unit| {
        write_line(unit, "half")?;
        write_line(unit, "good")
    })
    .await;
    let panics = queue(&home, 3, |unit| -> Result<(), Error> {
        write_line(unit, "gone")?;
        panic!("a bug")
    })
    .await;
    let last = queue(&home, 4, |unit| write_line(unit, "last")).await;
    held.go_on.send(()).unwrap();
    assert!(good.await.unwrap().is_ok());
    assert!(matches!(
        twice.await.unwrap(),
        Err(Error::Inconsistent { .. })
    ));
    assert!(matches!(
        panics.await.unwrap(),
        Err(Error::Inconsistent { .. })
    ));
    assert!(last.await.unwrap().is_ok());
    assert_eq!(lines(&home).await, ["first", "good", "last"]);
}

// D-08
#[tokio::test]
async fn a_request_that_ends_the_transaction_of_its_group_fails_it_and_nothing_happened() {
    let home = Arc::new(Home::new(unhurried()));
    let held = hold_up(&home, |_| ()).await;
    let before = queue(&home, 1, |unit| write_line(unit, "before")).await;
    let ends = queue(&home, 2, |unit| Ok(unit.db.execute_batch("ROLLBACK")?)).await;
    held.go_on.send(()).unwrap();
    for task in [held.first, before, ends] {
        assert!(task.await.unwrap().is_err());
    }
    home.ledger
        .write(|unit| write_line(unit, "later"))
        .await
        .unwrap();
    assert_eq!(lines(&home).await, ["later"]);
}

// D-08, P-03
#[tokio::test]
async fn a_commit_that_fails_fails_everybody_in_the_group_and_nothing_happened() {
    let home = Arc::new(Home::new(unhurried()));
    let held = hold_up(&home, |unit| unit.db.commit_hook(Some(|| true)).unwrap()).await;
    let one = queue(&home, 1, |unit| write_line(unit, "one")).await;
    let other = queue(&home, 2, |unit| write_line(unit, "other")).await;
    held.go_on.send(()).unwrap();
    for task in [held.first, one, other] {
        assert!(task.await.unwrap().is_err());
    }
    assert_eq!(lines(&home).await, [""; 0]);
    let mended = home
        .ledger
        .write(|unit| Ok(unit.db.commit_hook(None::<fn() -> bool>)?));
    mended.await.unwrap();
    home.ledger
        .write(|unit| write_line(unit, "later"))
        .await
        .unwrap();
    assert_eq!(lines(&home).await, ["later"]);
}

// D-08
#[tokio::test]
async fn a_request_whose_caller_went_away_is_still_done() {
    let home = Arc::new(Home::new(unhurried()));
    let held = hold_up(&home, |_| ()).await;
    let gone = queue(&home, 1, |unit| write_line(unit, "kept")).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    held.go_on.send(()).unwrap();
    held.first.await.unwrap().unwrap();
    home.ledger.close().await.unwrap();
    let reopened = super::open(&home.directory.path().join("ledger.db"), Options::default());
    let kept: i64 = reopened
        .read(|db| Ok(db.query_row("SELECT count(*) FROM nodes", [], |row| row.get(0))?))
        .await
        .unwrap();
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn callers_wait_for_a_place_and_are_told_when_there_is_none() {
    let options = Options {
        writes_queued_max: 1,
        wait_max: Duration::from_millis(20),
        ..unhurried()
    };
    let home = Arc::new(Home::new(options));
    let held = hold_up(&home, |_| ()).await;
    let queued = queue(&home, 1, |unit| write_line(unit, "queued")).await;
    let refused = home.ledger.write(|unit| write_line(unit, "refused")).await;
    assert!(matches!(refused, Err(Error::Busy { .. })), "{refused:?}");
    held.go_on.send(()).unwrap();
    queued.await.unwrap().unwrap();
    home.ledger
        .write(|unit| write_line(unit, "served"))
        .await
        .unwrap();
    assert_eq!(lines(&home).await, ["queued", "served"]);
}

// D-08
#[tokio::test]
async fn closing_finishes_what_is_queued_and_refuses_what_comes_after() {
    let home = Arc::new(Home::new(unhurried()));
    let held = hold_up(&home, |_| ()).await;
    let queued = queue(&home, 1, |unit| write_line(unit, "queued")).await;
    let closing = Arc::clone(&home);
    let closed = tokio::task::spawn(async move { closing.ledger.close().await });
    while home.ledger.writes.waiting() < 2 {
        tokio::task::yield_now().await;
    }
    held.go_on.send(()).unwrap();
    queued.await.unwrap().unwrap();
    closed.await.unwrap().unwrap();
    let late = home.ledger.write(|unit| write_line(unit, "late")).await;
    assert!(matches!(late, Err(Error::Unavailable { .. })), "{late:?}");
    let log = home.directory.path().join("ledger.db-wal");
    assert!(!log.exists(), "the log is in the file");
}

/// Lets the file grow no further than a few pages beyond what it has.
async fn fill_up(home: &Home, pages_left: i64) {
    let limit = move |unit: &mut Unit| {
        let pages: i64 = unit
            .db
            .query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let sql = format!("PRAGMA max_page_count = {}", pages + pages_left);
        Ok(unit.db.query_row(&sql, [], |_| Ok(()))?)
    };
    home.ledger.write(limit).await.unwrap();
}

// D-08
#[tokio::test]
async fn a_full_disk_fails_what_does_not_fit_and_loses_nothing() {
    let home = Home::with_tpp(unhurried(), &tpp()).await;
    accept(&home.ledger, &tpp(), 0..10).await;
    fill_up(&home, 3).await;
    let batch = (10..1000).map(|n| {
        let notice = super::notice(&tpp(), super::Family::Aisp, &[super::UPDATE]);
        super::submission(jti(n), notice)
    });
    let refused = home.ledger.accept(batch.collect(), at(1)).await;
    assert!(matches!(refused, Err(Error::DiskFull)), "{refused:?}");
    assert_eq!(home.ledger.counts(tpp()).await.unwrap().accepted, 10);
    assert_eq!(home.ledger.find_event(jti(10)).await.unwrap(), None);
    balance(&home.ledger).await;
    fill_up(&home, 100_000).await;
    accept(&home.ledger, &tpp(), 10..1000).await;
    let acked = home
        .ledger
        .poll(poll(&tpp(), vec![jti(3), jti(999)], 0), at(2));
    assert_eq!(acked.await.unwrap().settled, [jti(3), jti(999)]);
    balance(&home.ledger).await;
}

#[tokio::test]
async fn a_write_that_is_not_allowed_is_named_and_the_next_one_works() {
    let home = Arc::new(Home::new(unhurried()));
    let pragma = |value: &'static str| {
        move |unit: &mut Unit| unit.db.pragma_update(None, "query_only", value).unwrap()
    };
    let held = hold_up(&home, |_| ()).await;
    let refused = queue(&home, 1, move |unit| {
        pragma("on")(unit);
        let refused = write_line(unit, "refused");
        pragma("off")(unit);
        refused
    })
    .await;
    let allowed = queue(&home, 2, |unit| write_line(unit, "allowed")).await;
    held.go_on.send(()).unwrap();
    let refused = refused.await.unwrap();
    assert!(
        matches!(refused, Err(Error::ReadOnly { .. })),
        "{refused:?}"
    );
    allowed.await.unwrap().unwrap();
    assert_eq!(lines(&home).await, ["allowed"]);
}

#[tokio::test]
async fn a_ledger_says_whether_it_can_be_written_to() {
    let home = Home::new(unhurried());
    home.ledger.prove_writable().await.unwrap();
    let read_only = |unit: &mut Unit| Ok(unit.db.pragma_update(None, "query_only", "on")?);
    home.ledger.write(read_only).await.unwrap();
    let refused = home.ledger.prove_writable().await;
    assert!(
        matches!(refused, Err(Error::ReadOnly { .. })),
        "{refused:?}"
    );
}

// D-08, I-01
#[tokio::test]
async fn a_ledger_that_was_moved_or_replaced_takes_nothing_until_it_is_back() {
    for file in ["ledger.db", "ledger.db-wal"] {
        let home = Home::new(unhurried());
        let (here, away) = (
            home.directory.path().join(file),
            home.directory.path().join("away"),
        );
        home.ledger
            .write(|unit| write_line(unit, "before"))
            .await
            .unwrap();
        fs::rename(&here, &away).unwrap();
        let gone = home.ledger.write(|unit| write_line(unit, "gone")).await;
        assert!(matches!(gone, Err(Error::Unavailable { .. })), "{gone:?}");
        fs::copy(&away, &here).unwrap();
        let other = home.ledger.write(|unit| write_line(unit, "other")).await;
        assert!(matches!(other, Err(Error::Unavailable { .. })), "{other:?}");
        fs::rename(&away, &here).unwrap();
        home.ledger
            .write(|unit| write_line(unit, "back"))
            .await
            .unwrap();
        assert_eq!(lines(&home).await, ["back", "before"]);
    }
}

// D-08, I-01
#[tokio::test]
async fn what_was_written_to_a_file_that_went_away_meanwhile_is_not_promised() {
    let home = Home::new(unhurried());
    let path = home.directory.path().join("ledger.db");
    let lost = move |unit: &mut Unit| {
        write_line(unit, "lost")?;
        fs::remove_file(&path).unwrap();
        Ok(())
    };
    let lost = home.ledger.write(lost).await;
    assert!(matches!(lost, Err(Error::InDoubt { .. })), "{lost:?}");
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_ended_and_the_reader_lives() {
    let options = Options {
        readers: 1,
        read_time_max: Duration::from_millis(30),
        ..unhurried()
    };
    let home = Home::new(options);
    let endless = home.ledger.read(|db| {
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        Ok(db.query_row(sql, [], |row| row.get::<_, i64>(0))?)
    });
    let ended = endless.await;
    assert!(
        matches!(ended, Err(Error::TimedOut { limit_ms: 30 })),
        "{ended:?}"
    );
    let panics = home
        .ledger
        .read(|_| -> Result<(), Error> { panic!("a bug") });
    assert!(matches!(panics.await, Err(Error::Inconsistent { .. })));
    assert_eq!(home.ledger.find_tpp(tpp()).await.unwrap(), None);
}
