//! One transaction of a rare request: a change by a TPP or an operator, or housekeeping.
//!
//! What it counts and whom it concerns is gathered and written, or told, at its end.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::rules::Rules;
use tokio_postgres::Row;

use super::pool::Held;
use super::session::Values;
use super::tally;
use crate::newsboard::Newsboard;
use crate::tally::Tally;
use crate::{Error, News};

/// What a request may touch while it is done.
pub(super) struct Unit {
    db: Held,
    /// The rules that statements alone cannot follow.
    pub(super) rules: Arc<Rules>,
    /// What this request counts.
    pub(super) tally: Tally,
    /// Whom this request concerns.
    pub(super) news: Newsboard,
}

impl Unit {
    /// Begins.
    pub(super) async fn begin(db: Held, rules: Arc<Rules>) -> Result<Self, Error> {
        db.begin().await?;
        Ok(Self {
            db,
            rules,
            tally: Tally::default(),
            news: Newsboard::default(),
        })
    }

    /// The session, for statements that are asked together.
    pub(super) fn db(&self) -> &Held {
        &self.db
    }

    /// A rare statement over much: it may run for longer than others. It holds the locks of this request alone.
    pub(super) async fn take_its_time(&self) -> Result<(), Error> {
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

    /// Writes what was counted and commits; whom it concerns is to be told then.
    pub(super) async fn commit(mut self) -> Result<Vec<News>, Error> {
        tally::write(&mut self.tally, &self.db).await?;
        self.db.commit().await?;
        Ok(self.news.take())
    }

    /// Undoes everything. Answers whether it had lost a race, so that the same may go through at once.
    pub(super) async fn roll_back(self) -> bool {
        let lost_race = self.db.lost_race();
        self.db.roll_back().await;
        lost_race
    }
}

/// Some millions of events can be ended in it.
const LONG: Duration = Duration::from_secs(600);
