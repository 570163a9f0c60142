//! The shared ledger: any number of nodes on one PostgreSQL.
//!
//! What is here: opening and closing, and the trait's methods, each a line that sends its work where it belongs. Requests
//! that come all the time are done in groups, each kind in a line of its own; rare ones have a transaction of their own. The
//! work itself is in files by theme, with its statements beside it. Absent: caches of what the database says, and decisions:
//! those are the domain's.

mod accept;
mod anew;
mod attempts;
mod audit;
mod changes;
mod clock;
mod columns;
mod copying;
mod endpoints;
mod ends;
mod errors;
mod event_list;
mod follow;
mod group;
mod history;
mod keys;
mod lanes;
mod leases;
mod line;
mod migrations;
mod newsroom;
mod open;
mod options;
mod partitions;
mod parts;
mod patience;
mod poll;
mod pool;
mod push;
mod put_back;
mod recheck;
mod registrations;
mod requeue;
mod retention;
mod roster;
mod server;
mod session;
mod sets;
mod state;
mod store;
mod tally;
mod tasks;
mod tpps;
mod unit;
mod waiting;
mod withdraw;
mod work;
mod writing;

use std::pin::Pin;
use std::sync::Arc;

use oyez_domain::ledger::history::{Retention, Swept};
use oyez_domain::ledger::sets::Kept;
use oyez_domain::rules::Rules;
use oyez_domain::time::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use self::accept::Accept;
use self::attempts::Record;
pub(crate) use self::copying::Copying;
use self::line::Line;
use self::newsroom::Newsroom;
pub use self::options::{Announcing, Options};
use self::partitions::{Partitions, Span};
use self::poll::Polling;
use self::pool::{Held, Pool};
use self::push::Due;
use self::put_back::PutBack;
use self::recheck::Recheck;
use self::roster::{Kinds, Roster};
pub use self::server::{BadAddress, Duplex, Secure, Secured, Server, Wire};
use self::session::Session;
use self::sets::Keep;
use self::tasks::{Tasks, closed};
use self::unit::Unit;
use self::waiting::Waiting;
use crate::{Error, News};

/// An open ledger. Dropping it finishes what is queued, on its runtime; [`Ledger::close`] waits for that.
pub struct Ledger {
    shared: Arc<Shared>,
    lines: Lines,
    /// Rare requests that may be under way or wait.
    places: Arc<Semaphore>,
}

/// Where requests stand that are done in groups, each kind in its own.
struct Lines {
    accept: Line<Accept>,
    poll: Line<Polling>,
    due: Line<Due>,
    keep: Line<Keep>,
    record: Line<Record>,
    put_back: Line<PutBack>,
}

/// What everything here works with.
struct Shared {
    pool: Arc<Pool>,
    options: Options,
    rules: Arc<Rules>,
    newsroom: Arc<Newsroom>,
    tasks: Tasks,
    roster: Roster,
    kinds: Kinds,
    partitions: Partitions,
    waiting: WaitingLines,
    /// Sessions that may wait for TPPs' locks: half of them, so that the others never do.
    blocked: Semaphore,
}

/// Where requests wait whose TPP's lock somebody else has.
#[derive(Default)]
struct WaitingLines {
    accept: Waiting<Accept>,
    poll: Waiting<Polling>,
    due: Waiting<Due>,
    keep: Waiting<Keep>,
    record: Waiting<Record>,
    put_back: Waiting<PutBack>,
}

/// What a migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The schema before; 0 if there was no ledger.
    pub from: u32,
    /// The schema now.
    pub to: u32,
}

/// What can be told of a ledger without changing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The version of its server.
    pub server: String,
    /// Its schema; 0 if there is no ledger.
    pub schema: u32,
    /// The newest schema that this binary knows; it migrates older ones when it opens them.
    pub schema_newest: u32,
    /// Bytes of the database.
    pub bytes: u64,
    /// TPPs known.
    pub tpps: u64,
    /// Events neither acknowledged nor given up.
    pub outstanding: u64,
}

/// Work on a ledger, under way.
type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

impl Ledger {
    /// Opens a ledger, makes one where there is none, and migrates an older one. Its work runs on this runtime.
    pub async fn open(
        server: Server,
        options: Options,
        rules: Arc<Rules>,
        runtime: &Handle,
    ) -> Result<Self, Error> {
        let tasks = Tasks::on(runtime);
        migrations::apply(&server, &options, &tasks).await?;
        let newsroom = Arc::new(Newsroom::new(options.announcing));
        newsroom::open(&newsroom, &server, options, &tasks);
        let pool = Arc::new(Pool::new(server, options, tasks.clone()));
        let shared = Arc::new(Shared {
            pool,
            options,
            rules,
            newsroom,
            tasks,
            roster: Roster::default(),
            kinds: Kinds::default(),
            partitions: Partitions::default(),
            waiting: WaitingLines::default(),
            blocked: Semaphore::new((options.sessions / 2).max(1)),
        });
        Ok(Self {
            lines: Lines::new(&shared),
            places: Arc::new(Semaphore::new(options.queued_max.max(1))),
            shared,
        })
    }

    /// Makes or migrates a ledger, and leaves it closed.
    pub async fn migrate(
        server: &Server,
        options: Options,
        runtime: &Handle,
    ) -> Result<Migrated, Error> {
        let tasks = Tasks::on(runtime);
        let from = migrations::apply(server, &options, &tasks).await?;
        Ok(Migrated {
            from,
            to: migrations::newest(),
        })
    }

    /// Looks at a ledger. Nothing is changed.
    pub async fn inspect(
        server: &Server,
        options: Options,
        runtime: &Handle,
    ) -> Result<Inspection, Error> {
        let tasks = Tasks::on(runtime);
        let db = Session::open(server, &options, &tasks).await?;
        copying::refuse_unfinished(&db).await?;
        let schema = migrations::version(&db).await?;
        let row = db
            .one(
                "SELECT current_setting('server_version'), pg_database_size(current_database())",
                &[],
            )
            .await?;
        let (tpps, outstanding) = if schema == 0 {
            (0, 0)
        } else {
            let counted = db.one(COUNTED, &[]).await?;
            (counted.try_get(0)?, counted.try_get(1)?)
        };
        let natural = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok(Inspection {
            server: row.try_get(0)?,
            schema,
            schema_newest: migrations::newest(),
            bytes: natural(row.try_get(1)?),
            tpps: natural(tpps),
            outstanding: natural(outstanding),
        })
    }

    /// A number for the text of the schema's steps: who keeps a migrated database to copy from knows by it that it is stale.
    pub fn schema_fingerprint() -> u64 {
        migrations::fingerprint()
    }

    /// Finishes what is queued and lets go of the database. Requests after this are refused.
    pub async fn close(&self) -> Result<(), Error> {
        self.places.close();
        self.shared.tasks.close();
        self.shared.tasks.worked().await;
        self.shared.pool.close();
        self.shared.tasks.hung_up().await;
        Ok(())
    }

    /// A rare change, in a transaction of its own; done again where it lost a race. It goes through though its caller is gone.
    async fn write<A, T, F>(&self, ask: A, work: F) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Unit, &'a A) -> Work<'a, T> + Send + Sync + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.run(async move { shared.write(&ask, &work).await })
            .await
    }

    /// As [`Ledger::write`], under the lock of a TPP that somebody else may have: such requests take half of the sessions at most,
    /// so that the others are never all waiting.
    async fn change<A, T, F>(&self, ask: A, work: F) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Unit, &'a A) -> Work<'a, T> + Send + Sync + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            let wait_max = shared.options.wait_max;
            let place = tokio::time::timeout(wait_max, shared.blocked.acquire()).await;
            // Nobody closes it.
            let _place = place.map_err(|_| Error::Busy {
                detail: "too many requests wait for locks".to_owned(),
            })?;
            shared.write(&ask, &work).await
        })
        .await
    }

    /// See [`crate::Store::sweep`]. Parts of history that will be needed are made here, before anybody waits for them.
    async fn sweep_parts(&self, retention: Retention, now: Timestamp) -> Result<Swept, Error> {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            let span = Span::of(now);
            let db = shared.pool.take().await?;
            shared.partitions.make(&db, [span, span.next()]).await?;
            drop(db);
            let ask = retention::Sweep {
                retention,
                late_max: shared.options.kept_longer_max,
                now,
            };
            let gone = shared.write(&ask, &retention::sweep).await?;
            if gone.a_part {
                shared.partitions.forget();
            }
            Ok(gone.swept)
        })
        .await
    }

    /// A read, on a session of its own.
    async fn read<A, T, F>(&self, ask: A, work: F) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'a> Fn(&'a Held, &'a A) -> Work<'a, T> + Send + Sync + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            let db = shared.pool.take().await?;
            work(&db, &ask).await.map_err(|error| shared.named(error))
        })
        .await
    }

    /// See [`crate::Store::recheck`].
    async fn recheck_now(&self, ask: Recheck) -> Result<Option<Vec<Kept>>, Error> {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            let db = shared.pool.take().await?;
            let kept = recheck::recheck(&shared, &db, &ask).await;
            kept.map_err(|error| shared.named(error))
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(TryAcquireError::Closed) => return Err(closed()),
            Err(TryAcquireError::NoPermits) => self.place().await?,
        };
        let done = self.shared.tasks.work(async move {
            let done = work.await;
            drop(place);
            done
        });
        done.await.unwrap_or_else(|_| {
            Err(Error::Inconsistent {
                detail: "the request panicked; it was rolled back".to_owned(),
            })
        })
    }
}

impl Lines {
    fn new(shared: &Arc<Shared>) -> Self {
        Self {
            accept: Line::new(shared),
            poll: Line::new(shared),
            due: Line::new(shared),
            keep: Line::new(shared),
            record: Line::new(shared),
            put_back: Line::new(shared),
        }
    }
}

impl Ledger {
    async fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        let place = Arc::clone(&self.places).acquire_owned();
        let place = tokio::time::timeout(self.shared.options.wait_max, place).await;
        let place = place.map_err(|_| Error::Busy {
            detail: "too many requests wait".to_owned(),
        })?;
        place.map_err(|_| closed())
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.shared.tasks.close();
        // What is under way has a session already; what is queued takes one before the pool goes with the last of it.
    }
}

impl Shared {
    /// Tells those who listen on this node, and then the other nodes.
    fn tell(&self, news: &[News]) {
        self.newsroom.tell(news);
    }

    async fn write<A, T, F>(&self, ask: &A, work: &F) -> Result<T, Error>
    where
        A: Sync,
        F: for<'a> Fn(&'a mut Unit, &'a A) -> Work<'a, T> + Sync,
    {
        let mut tries_left = TRIES_MAX;
        loop {
            let mut unit = Unit::begin(self.pool.take().await?, Arc::clone(&self.rules)).await?;
            tries_left -= 1;
            match work(&mut unit, ask).await {
                Ok(answer) => {
                    let news = unit.commit().await?;
                    self.tell(&news);
                    return Ok(answer);
                }
                Err(error) => {
                    let may_try_again = unit.roll_back().await && tries_left > 0;
                    if !may_try_again {
                        return Err(self.named(error));
                    }
                }
            }
        }
    }

    /// A fault that names the bound it met.
    fn named(&self, error: Error) -> Error {
        match error {
            Error::TimedOut { .. } => {
                let limit_ms = self.options.statement_time_max.as_millis();
                Error::TimedOut {
                    limit_ms: u64::try_from(limit_ms).unwrap_or(u64::MAX),
                }
            }
            other => other,
        }
    }
}

/// A transaction that lost a race this often meets something else than chance.
const TRIES_MAX: u32 = 4;

const COUNTED: &str = "
    SELECT (SELECT count(*) FROM tpps), coalesce(sum(accepted - acknowledged - failed - expired - withdrawn), 0)::bigint
    FROM queues";

#[cfg(test)]
mod tests;
