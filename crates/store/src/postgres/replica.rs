//! A standby that people's lists are read from, so that who looks far back does not slow down who publishes.
//!
//! It is asked as long as what it shows is young enough. How far it lags is told by the primary, which says where its log ends
//! and what time it is: a standby that has applied all of that is in step, however long nothing happened; any other is as old as
//! the last commit that it has applied. Its own word of what it received would not do: a standby whose connection was cut has
//! applied everything that it received.
//!
//! Ends of logs can be compared on one timeline only: a standby that stayed behind when another one was promoted may have applied
//! more than the new primary has written, of a history that is over. So it must be on the primary's timeline, by what it receives
//! or by its last checkpoint. A user that may not see what is received (`pg_read_all_stats`) waits for that checkpoint, some
//! minutes after a failover.
//!
//! Whatever goes wrong here sends the question to the primary: the standby is away, lags, was promoted, or cancelled the
//! question because it was in the way of what it has to apply. When that begins and ends is a line in the log. Absent: single
//! look-ups, which cost little and are made by people who have just changed something, and everything that decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use oyez_domain::time::Timestamp;

use super::Work;
use super::columns::{moment, moment_or_null};
use super::options::Options;
use super::pool::{Held, Pool};
use super::server::Server;
use super::session::Session;
use super::tasks::Tasks;
use crate::Error;

/// The standby of a ledger's database.
pub(super) struct Replica {
    pool: Arc<Pool>,
    shown: String,
    lag_max: Duration,
    /// The log says so.
    is_passed_over: AtomicBool,
}

/// Where the primary is.
struct End {
    of_log: String,
    /// It begins anew with each promotion.
    timeline: i32,
    /// By its own clock, as all moments of commits are.
    at: Timestamp,
}

impl Replica {
    /// If the server has one.
    pub(super) fn of(server: &Server, options: &Options, tasks: &Tasks) -> Option<Self> {
        let server = (**server.replica.as_ref()?).clone();
        let shown = server.shown();
        let options = Options {
            sessions: SESSIONS,
            wait_max: WAIT_MAX,
            connect_time_max: CONNECT_TIME_MAX,
            statement_time_max: options.statement_time_max.min(STATEMENT_TIME_MAX),
            ..*options
        };
        Some(Self {
            pool: Arc::new(Pool::new(server, options, tasks.clone())),
            shown,
            lag_max: options.replica_lag_max,
            is_passed_over: AtomicBool::new(false),
        })
    }

    /// Asks it; `None`: the primary is to be asked.
    pub(super) async fn ask<A, T, F>(&self, primary: &Arc<Pool>, ask: &A, work: &F) -> Option<T>
    where
        F: for<'a> Fn(&'a Held, &'a A) -> Work<'a, T>,
    {
        let end = End::of_log(primary).await.ok()?;
        let asked = async {
            let db = self.pool.take().await?;
            self.judge(&end, &db).await?;
            work(&db, ask).await
        };
        match asked.await {
            Ok(answer) => {
                if self.is_passed_over.swap(false, Ordering::Relaxed) {
                    tracing::info!(replica = %self.shown, "lists are read from the replica again");
                }
                Some(answer)
            }
            // All its few sessions are at work: that says nothing against it.
            Err(Error::Busy { .. }) => None,
            Err(error) => {
                if !self.is_passed_over.swap(true, Ordering::Relaxed) {
                    tracing::warn!(replica = %self.shown, error = %error, "lists are read from the primary");
                }
                None
            }
        }
    }

    /// Lets go of the sessions that nobody has.
    pub(super) fn close(&self) {
        self.pool.close();
    }

    /// Holds it to what it must be.
    async fn judge(&self, end: &End, replica: &Session) -> Result<(), Error> {
        let useless = |detail: String| Err(Error::Unavailable { detail });
        let applied = replica.one(APPLIED, &[&end.of_log, &end.timeline]).await?;
        if !applied.try_get::<_, bool>(0)? {
            return useless("it is no standby".to_owned());
        }
        if !applied.try_get::<_, bool>(4)? {
            return useless(format!(
                "it is not known to follow the primary on timeline {}",
                end.timeline
            ));
        }
        let is_in_step: Option<bool> = applied.try_get(1)?;
        match moment_or_null(&applied, 2)? {
            _ if is_in_step == Some(true) => Ok(()),
            Some(last) if end.at - self.lag_max <= last => Ok(()),
            Some(last) => useless(format!("it shows what stood at {last}")),
            None => useless("it has applied nothing so far".to_owned()),
        }
    }
}

impl End {
    async fn of_log(primary: &Arc<Pool>) -> Result<Self, Error> {
        let row = primary.take().await?.one(END_OF_LOG, &[]).await?;
        Ok(Self {
            of_log: row.try_get(0)?,
            at: moment(&row, 1)?,
            timeline: row.try_get(2)?,
        })
    }
}

/// People who look at lists at the same time.
const SESSIONS: usize = 4;
/// Who has to wait for longer is answered sooner by the primary.
const WAIT_MAX: Duration = Duration::from_millis(500);
const CONNECT_TIME_MAX: Duration = Duration::from_secs(1);
/// A page of a list takes some tens of milliseconds; a standby that is silent for longer is no help.
const STATEMENT_TIME_MAX: Duration = Duration::from_secs(5);

const END_OF_LOG: &str = "
    SELECT pg_current_wal_lsn()::text, (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
        ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer";

// A session that was promoted under our hands writes nothing either.
const APPLIED: &str = "
    SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn() >= $1::text::pg_lsn,
        (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000)::bigint,
        set_config('default_transaction_read_only', 'on', false),
        $2::integer IN (
            SELECT timeline_id FROM pg_control_checkpoint()
            UNION ALL SELECT received_tli FROM pg_stat_wal_receiver WHERE received_tli IS NOT NULL)";
