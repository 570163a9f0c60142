//! The one writer: takes what is queued, does it in one transaction, commits once, answers all.
//!
//! A group is whatever had queued up while the last one was committed; nobody is ever waited for, so a lone caller pays for
//! one commit and no delay. A request that fails is undone alone and told so at once. If the commit fails, everybody in
//! the group is told: that none of it happened, or, where the fault leaves that open, that nobody knows. Those who listen
//! hear of a group once it is committed, before its callers do.
//!
//! Between two groups it writes a batch of what a change of registration left to be written.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::rules::Rules;
use rusqlite::Connection;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::Instant;

use super::errors::{contradiction, in_doubt, of_commit};
use super::file::Place;
use super::queue::{Job, Message};
use super::tally::{self, Tally};
use super::threads::Writing;
use super::tpps::TppId;
use super::withdraw;
use crate::Error;
use crate::newsboard::Newsboard;

/// What a request may touch while it is done.
pub(super) struct Unit {
    /// The only connection that writes.
    pub(super) db: Connection,
    /// Where the connection's files were when it was opened.
    pub(super) place: Place,
    /// The rules that statements alone cannot follow.
    pub(super) rules: Arc<Rules>,
    /// What this request counts.
    pub(super) tally: Tally,
    /// Whom this request concerns.
    pub(super) news: Newsboard,
    /// Which TPPs are pushed to in strict order, as far as this request has asked.
    pub(super) pushed_strictly: HashMap<TppId, bool>,
    /// See [`super::Options::withdrawn_at_once_max`].
    pub(super) withdrawn_at_once_max: u32,
}

/// The bounds of one group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// See [`super::Options::group_requests_max`].
    pub(super) requests_max: usize,
    /// See [`super::Options::group_time_max`].
    pub(super) time_max: Duration,
}

/// Serves the queue until it is closed and empty; hands the connection back to be closed.
pub(super) fn serve(mut writing: Writing, bounds: Bounds) -> Connection {
    let mut goes_on = go_on(&mut writing, bounds);
    loop {
        let message = if goes_on {
            match writing.queue.try_recv() {
                Ok(message) => Some(message),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => break,
            }
        } else {
            match writing.queue.blocking_recv() {
                Some(message) => Some(message),
                None => break,
            }
        };
        match message {
            Some(Message::Job(first)) => serve_group(&mut writing, first, bounds),
            Some(Message::Close) => writing.queue.close(),
            None => {}
        }
        goes_on = go_on(&mut writing, bounds);
    }
    writing.unit.db
}

/// Does some of what was left to be written; answers whether to go on at once. What fails is tried again after the next
/// request, and what is left at the end at the next start.
fn go_on(writing: &mut Writing, bounds: Bounds) -> bool {
    // What cannot be read now cannot be done now.
    let rest = |db: &Connection| withdraw::rest(db).ok().flatten();
    let before = rest(&writing.unit.db);
    if before.is_none() {
        return false;
    }
    serve_group(writing, Box::new(Withdrawing), bounds);
    let after = rest(&writing.unit.db);
    after.is_some() && after != before
}

/// A request of the writer's own.
struct Withdrawing;

impl Job<Unit> for Withdrawing {
    fn run(&mut self, unit: &mut Unit) -> Result<(), Error> {
        withdraw::go_on(unit)
    }

    fn answer(self: Box<Self>, _: Result<(), Error>) {}

    fn is_abandoned(&self) -> bool {
        true
    }
}

/// The requests of a group that were done and wait for its commit, what they counted, and whom they concern.
#[derive(Default)]
struct Group {
    done: Vec<Box<dyn Job<Unit>>>,
    tally: Tally,
    news: Newsboard,
    care: Care,
}

/// How the requests of a group are kept apart.
#[derive(Default, PartialEq, Eq)]
enum Care {
    /// Not at all: the first that fails undoes the group, which is done again with care. Faults are rare, and for each savepoint
    /// SQLite copies every page that a request changes: a fifth of the writer's time.
    #[default]
    Bold,
    /// Each in a savepoint of its own.
    Careful,
}

impl Group {
    fn answer(self, fate: &Result<(), Error>) {
        for job in self.done {
            job.answer(fate.clone());
        }
    }
}

fn serve_group(writing: &mut Writing, first: Box<dyn Job<Unit>>, bounds: Bounds) {
    let Writing {
        unit,
        queue,
        listeners,
    } = writing;
    let started = Instant::now();
    if let Err(error) = begin(unit) {
        return first.answer(Err(error));
    }
    let mut group = Group::default();
    let mut next = Some(first);
    while let Some(job) = next {
        if let Err(error) = serve_one(unit, job, &mut group) {
            return group.answer(&Err(error));
        }
        let full = group.done.len() >= bounds.requests_max || started.elapsed() >= bounds.time_max;
        next = if full { None } else { next_job(queue) };
    }
    let fate = commit(unit, &mut group.tally);
    if fate.is_ok() {
        listeners.tell(&group.news.take());
    }
    group.answer(&fate);
}

/// Begins a transaction. What is left of another goes first: its rollback failed, or is due now.
fn begin(unit: &Unit) -> Result<(), Error> {
    roll_back(&unit.db)?;
    unit.place.prove()?;
    run(&unit.db, "BEGIN IMMEDIATE")
}

/// The next request that is there already. A wish to close closes the queue; what was queued before is still served.
fn next_job(queue: &mut Receiver<Message<Unit>>) -> Option<Box<dyn Job<Unit>>> {
    loop {
        match queue.try_recv() {
            Ok(Message::Job(job)) => return Some(job),
            Ok(Message::Close) => queue.close(),
            Err(_) => return None,
        }
    }
}

/// Does one request. The error is the group's: its transaction is gone.
fn serve_one(unit: &mut Unit, mut job: Box<dyn Job<Unit>>, group: &mut Group) -> Result<(), Error> {
    let result = match group.care {
        Care::Bold => attempt(unit, &mut *job),
        Care::Careful => run(&unit.db, "SAVEPOINT request")
            .and_then(|()| attempt(unit, &mut *job))
            .and_then(|()| run(&unit.db, "RELEASE request")),
    };
    match (result, &group.care) {
        // Nothing would be left to commit, and what follows would not be undone.
        (Ok(()), _) if unit.db.is_autocommit() => {
            let error = contradiction("a request ended the transaction of its group".to_owned());
            job.answer(Err(error.clone()));
            Err(error)
        }
        (Ok(()), _) => {
            group.tally.absorb(std::mem::take(&mut unit.tally));
            group.news.absorb(std::mem::take(&mut unit.news));
            group.done.push(job);
            Ok(())
        }
        (Err(error), Care::Bold) if group.done.is_empty() => {
            job.answer(Err(error));
            begin(unit)
        }
        (Err(_), Care::Bold) => {
            let mut jobs = std::mem::take(&mut group.done);
            jobs.push(job);
            serve_again(unit, jobs, group)
        }
        (Err(error), Care::Careful) => {
            let undone = undo_request(&unit.db, &error);
            job.answer(Err(error));
            undone
        }
    }
}

fn attempt(unit: &mut Unit, job: &mut dyn Job<Unit>) -> Result<(), Error> {
    unit.tally = Tally::default();
    unit.news = Newsboard::default();
    unit.pushed_strictly.clear();
    job.run(unit)
}

/// Undoes a group, and does its requests again with care. What is not done when that fails is told so with the others.
fn serve_again(
    unit: &mut Unit,
    jobs: Vec<Box<dyn Job<Unit>>>,
    group: &mut Group,
) -> Result<(), Error> {
    *group = Group {
        care: Care::Careful,
        ..Group::default()
    };
    let mut fate = begin(unit);
    for job in jobs {
        match fate {
            Ok(()) => fate = serve_one(unit, job, group),
            Err(_) => group.done.push(job),
        }
    }
    fate
}

/// Rolls one request back. SQLite itself ends the whole transaction at some faults, such as a full disk.
fn undo_request(db: &Connection, error: &Error) -> Result<(), Error> {
    if db.is_autocommit() {
        return Err(error.clone());
    }
    let undone = run(db, "ROLLBACK TO request").and_then(|()| run(db, "RELEASE request"));
    if undone.is_err() {
        // If even this fails the next group begins with it.
        roll_back(db).ok();
    }
    undone
}

/// Commits, and looks for the file once more: what went into one that is gone by now may never be found again.
fn commit(unit: &Unit, tally: &mut Tally) -> Result<(), Error> {
    let committed = tally::write(tally, &unit.db).and_then(|()| {
        let mut commit = unit.db.prepare_cached("COMMIT")?;
        commit.execute([]).map_err(of_commit)?;
        unit.place.prove().map_err(|error| in_doubt(&error))
    });
    if committed.is_err() {
        // If even this fails the next group begins with it.
        roll_back(&unit.db).ok();
    }
    committed
}

fn roll_back(db: &Connection) -> Result<(), Error> {
    if db.is_autocommit() {
        return Ok(());
    }
    run(db, "ROLLBACK")
}

fn run(db: &Connection, statement: &str) -> Result<(), Error> {
    db.prepare_cached(statement)?.execute([])?;
    Ok(())
}
