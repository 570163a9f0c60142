//! One transaction of a rare request: a change by a TPP or an operator, or housekeeping.
//!
//! What it counts and whom it concerns is gathered and written, or told, at its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use oyez_domain::rules::Rules;
use tokio_postgres::Row;

use super::doors::{Doors, Leisure};
use super::mishap::Mishap;
use super::pool::Held;
use super::session::Values;
use super::tally;
use crate::newsboard::Newsboard;
use crate::tally::Tally;
use crate::{Error, News};

/// What a request may touch while it is done.
pub(super) struct Unit {
    db: Held,
    doors: Arc<Doors>,
    leisure: OnceLock<Leisure>,
    wants_leisure: AtomicBool,
    /// The rules that statements alone cannot follow.
    pub(super) rules: Arc<Rules>,
    /// What this request counts.
    pub(super) tally: Tally,
    /// Whom this request concerns.
    pub(super) news: Newsboard,
}

impl Unit {
    /// Begins.
    pub(super) async fn begin(
        db: Held,
        rules: Arc<Rules>,
        doors: Arc<Doors>,
        leisure: Option<Leisure>,
    ) -> Result<Self, Error> {
        db.begin().await?;
        Ok(Self {
            db,
            doors,
            leisure: leisure.map_or_else(OnceLock::new, OnceLock::from),
            wants_leisure: AtomicBool::new(false),
            rules,
            tally: Tally::default(),
            news: Newsboard::default(),
        })
    }

    /// The session, for statements that are asked together.
    pub(super) fn db(&self) -> &Held {
        &self.db
    }

    /// A rare statement over much: it may run for longer than others. It holds the locks of this request alone. Few requests
    /// may at once: where this one may not just now it fails, and is done again from its beginning when it may.
    pub(super) async fn take_its_time(&self) -> Result<(), Error> {
        if self.leisure.get().is_none() {
            let Some(leisure) = self.doors.leisure_now() else {
                self.wants_leisure.store(true, Ordering::Relaxed);
                return Err(Error::Busy {
                    detail: "too many requests take long".to_owned(),
                });
            };
            self.leisure.set(leisure).ok();
        }
        self.db.take_its_time(LONG).await
    }

    /// All rows.
    pub(super) async fn rows(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, Error> {
        self.db.rows(sql, values).await
    }

    /// The row, if there is one.
    pub(super) async fn row(&self, sql: &str, values: Values<'_>) -> Result<Option<Row>, Error> {
        self.db.row(sql, values).await
    }

    /// The row that must be there.
    pub(super) async fn one(&self, sql: &str, values: Values<'_>) -> Result<Row, Error> {
        self.db.one(sql, values).await
    }

    /// How many rows were changed.
    pub(super) async fn execute(&self, sql: &str, values: Values<'_>) -> Result<u64, Error> {
        self.db.execute(sql, values).await
    }

    /// Writes what was counted: the last that may be undone.
    pub(super) async fn finish(&mut self) -> Result<(), Error> {
        tally::write(&mut self.tally, &self.db).await
    }

    /// Commits; whom it concerns is to be told then.
    pub(super) async fn commit(mut self) -> Result<Vec<News>, Error> {
        self.db.commit().await?;
        Ok(self.news.take())
    }

    /// Undoes everything.
    pub(super) async fn roll_back(self) -> Undone {
        let mishap = self.db.mishap();
        self.db.roll_back().await;
        if self.wants_leisure.into_inner() {
            return Undone::WantsLeisure;
        }
        match mishap {
            Mishap::LostRace | Mishap::Stale => Undone::MayGoThrough,
            Mishap::Plain | Mishap::Locked => Undone::Failed,
        }
    }
}

/// What is to be said of a request that was undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undone {
    /// It failed.
    Failed,
    /// The same may go through at once.
    MayGoThrough,
    /// It has to take its time, and could not.
    WantsLeisure,
}

/// Some millions of events can be ended in it.
pub(super) const LONG: Duration = Duration::from_secs(600);
