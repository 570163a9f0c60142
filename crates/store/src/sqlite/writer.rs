//! The one writer: takes what is queued, does each request in a savepoint of one transaction, commits once, answers all.
//!
//! A group is whatever had queued up while the last one was committed; nobody is ever waited for, so a lone caller pays for
//! one commit and no delay. A request that fails is rolled back alone and told so at once. If the commit fails, everybody in
//! the group is told, and none of it happened. Those who listen hear of a group once it is committed, before its callers do.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::rules::Rules;
use rusqlite::Connection;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use super::file::Place;
use super::newsboard::Newsboard;
use super::queue::{Job, Message};
use super::tally::Tally;
use super::threads::Writing;
use super::tpps::TppId;
use crate::Error;

/// What a request may touch while its savepoint is open.
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
    while let Some(message) = writing.queue.blocking_recv() {
        match message {
            Message::Job(first) => serve_group(&mut writing, first, bounds),
            Message::Close => writing.queue.close(),
        }
    }
    writing.unit.db
}

/// The requests of a group that were done and wait for its commit, what they counted, and whom they concern.
#[derive(Default)]
struct Group {
    done: Vec<Box<dyn Job<Unit>>>,
    tally: Tally,
    news: Newsboard,
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
    let begun = unit
        .place
        .prove()
        .and_then(|()| run(&unit.db, "BEGIN IMMEDIATE"));
    if let Err(error) = begun {
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
    // Looked at once more: what went into a file that is gone by now was not kept.
    let fate = commit(unit, &mut group.tally).and_then(|()| unit.place.prove());
    if fate.is_ok() {
        listeners.tell(&group.news.take());
    }
    group.answer(&fate);
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
    unit.tally = Tally::default();
    unit.news = Newsboard::default();
    unit.pushed_strictly.clear();
    let result = run(&unit.db, "SAVEPOINT request")
        .and_then(|()| job.run(unit))
        .and_then(|()| run(&unit.db, "RELEASE request"));
    match result {
        Ok(()) => {
            group.tally.absorb(std::mem::take(&mut unit.tally));
            group.news.absorb(std::mem::take(&mut unit.news));
            group.done.push(job);
            Ok(())
        }
        Err(error) => {
            let undone = undo_request(&unit.db, &error);
            job.answer(Err(error));
            undone
        }
    }
}

/// Rolls one request back. SQLite itself ends the whole transaction at some faults, such as a full disk.
fn undo_request(db: &Connection, error: &Error) -> Result<(), Error> {
    if db.is_autocommit() {
        return Err(error.clone());
    }
    let undone = run(db, "ROLLBACK TO request").and_then(|()| run(db, "RELEASE request"));
    if undone.is_err() {
        roll_back(db);
    }
    undone
}

fn commit(unit: &Unit, tally: &mut Tally) -> Result<(), Error> {
    let committed = tally.write(&unit.db).and_then(|()| run(&unit.db, "COMMIT"));
    if committed.is_err() {
        roll_back(&unit.db);
    }
    committed
}

fn roll_back(db: &Connection) {
    if !db.is_autocommit() {
        // If even this fails the next BEGIN does, and says why.
        run(db, "ROLLBACK").ok();
    }
}

fn run(db: &Connection, statement: &str) -> Result<(), Error> {
    db.prepare_cached(statement)?.execute([])?;
    Ok(())
}
