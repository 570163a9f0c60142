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
mod doors;
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
mod mishap;
mod net;
mod newsroom;
mod open;
mod options;
mod overview;
mod partitions;
mod parts;
mod patience;
mod plans;
mod poll;
mod pool;
mod push;
mod put_back;
mod recheck;
mod registrations;
mod rehearsal;
mod replica;
mod requeue;
mod retention;
mod rights;
mod roster;
mod server;
mod session;
mod sets;
mod skew;
mod sleepers;
mod state;
mod store;
mod tally;
mod tasks;
mod tpps;
mod turns;
mod unit;
mod waiting;
mod watch;
mod withdraw;
mod work;
mod writing;

use std::pin::Pin;
use std::sync::Arc;

use oyez_domain::ids::ClientId;
use oyez_domain::rules::Rules;
use oyez_domain::time::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use self::accept::Accept;
use self::attempts::Record;
pub(crate) use self::copying::Copying;
use self::doors::{Concerns, Doors};
use self::line::Line;
use self::mishap::Mishap;
use self::newsroom::Newsroom;
pub use self::options::{Announcing, Options};
use self::partitions::Partitions;
use self::poll::Polling;
pub use self::pool::Sessions;
use self::pool::{Held, Pool};
use self::push::Due;
use self::put_back::PutBack;
pub use self::rehearsal::{Stage, Tables};
use self::replica::Replica;
pub use self::rights::Lack;
use self::roster::{Kinds, Roster};
pub use self::server::{BadAddress, Duplex, Secure, Secured, Server, Wire};
use self::session::Session;
use self::sets::Keep;
use self::tasks::{Tasks, closed};
use self::turns::Turns;
use self::unit::{Undone, Unit};
use self::waiting::Waiting;
use self::watch::Watch;
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
    /// Where lists are read, if there is one.
    replica: Option<Replica>,
    options: Options,
    rules: Arc<Rules>,
    newsroom: Arc<Newsroom>,
    tasks: Tasks,
    roster: Roster,
    kinds: Kinds,
    partitions: Partitions,
    waiting: WaitingLines,
    /// Where requests stand that may wait for locks.
    doors: Arc<Doors>,
    /// Where groups wait for each other.
    turns: Arc<Turns>,
    watch: Watch,
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
    /// Its schema; 0 if there is no ledger, or none that may be read.
    pub schema: u32,
    /// The newest schema that this binary knows; it migrates older ones when it opens them.
    pub schema_newest: u32,
    /// The oldest schema whose binaries may serve it.
    pub serves_from: u32,
    /// Bytes of the database.
    pub bytes: u64,
    /// TPPs known.
    pub tpps: u64,
    /// Events neither acknowledged nor given up.
    pub outstanding: u64,
    /// What its user may not do there, though a server has to.
    pub lacks: Vec<Lack>,
    /// What its clock says.
    pub clock: Timestamp,
}

impl Inspection {
    /// Why a server of this binary cannot use the ledger: a newer one left it behind, or it may not do all it has to.
    pub fn refusal(&self) -> Option<Error> {
        let left_behind = self.left_behind();
        left_behind.or_else(|| rights::refusal(&self.lacks))
    }

    /// Why this binary may not serve the schema, if a newer one left it behind.
    pub fn left_behind(&self) -> Option<Error> {
        let found = migrations::Found {
            version: self.schema,
            serves_from: self.serves_from,
        };
        migrations::refuse_strangers(found, self.schema_newest).err()
    }
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
        migrations::apply(migrations::MIGRATIONS, &server, &options, &tasks).await?;
        let newsroom = Arc::new(Newsroom::new(options.announcing));
        newsroom::open(&newsroom, &server, options, &tasks);
        let replica = Replica::of(&server, &options, &tasks);
        let pool = Arc::new(Pool::new(server, options, tasks.clone()));
        let shared = Arc::new(Shared {
            pool,
            replica,
            options,
            rules,
            newsroom,
            tasks,
            roster: Roster::default(),
            kinds: Kinds::default(),
            partitions: Partitions::default(),
            waiting: WaitingLines::default(),
            doors: Arc::new(Doors::of(options.sessions, options.wait_max)),
            turns: Arc::default(),
            watch: Watch::default(),
        });
        net::open(&shared);
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
        let from = migrations::apply(migrations::MIGRATIONS, server, &options, &tasks).await?;
        Ok(Migrated {
            from,
            // A newer binary may have been here, and this one still serve.
            to: migrations::newest().max(from),
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
        let lacks = rights::lacks(&db).await?;
        let mut found = migrations::Found::default();
        if !rights::keep_from_reading(&lacks) {
            found = migrations::found(&db).await?;
        }
        copying::refuse_unfinished(&db).await?;
        let row = db
            .one(
                "SELECT current_setting('server_version'), pg_database_size(current_database())",
                &[],
            )
            .await?;
        let is_read = (1..=migrations::newest()).contains(&found.serves_from);
        let (tpps, outstanding) = if !is_read {
            (0, 0)
        } else {
            let counted = db.one(COUNTED, &[]).await?;
            (counted.try_get(0)?, counted.try_get(1)?)
        };
        let natural = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok(Inspection {
            server: row.try_get(0)?,
            schema: found.version,
            schema_newest: migrations::newest(),
            serves_from: found.serves_from,
            bytes: natural(row.try_get(1)?),
            tpps: natural(tpps),
            outstanding: natural(outstanding),
            lacks,
            clock: leases::clock(&db).await?,
        })
    }

    /// A number for the text of the schema's steps: who keeps a migrated database to copy from knows by it that it is stale.
    pub fn schema_fingerprint() -> u64 {
        migrations::fingerprint()
    }

    /// How the sessions that requests share are used now.
    pub fn sessions(&self) -> Sessions {
        self.shared.pool.sessions()
    }

    /// Finishes what is queued and lets go of the database. Requests after this are refused.
    pub async fn close(&self) -> Result<(), Error> {
        self.places.close();
        self.shared.tasks.close();
        self.shared.tasks.worked().await;
        self.shared.pool.close();
        if let Some(replica) = &self.shared.replica {
            replica.close();
        }
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
        self.run(async move { shared.write(Concerns::Nobody, &ask, &work).await })
            .await
    }

    /// As [`Ledger::write`], under the lock of a TPP that somebody else may have, and at a moment by the database's clock.
    async fn change<A, T, F>(
        &self,
        (client_id, now): (ClientId, Timestamp),
        ask: A,
        work: F,
    ) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Unit, &'a A, Timestamp) -> Work<'a, T> + Send + Sync + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            let now = shared.skew(now).await.stored(now);
            let concerns = Concerns::One(&client_id);
            shared
                .write(concerns, &ask, &|unit, ask| work(unit, ask, now))
                .await
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
        self.run(async move { shared.read(&ask, &work).await })
            .await
    }

    /// Before every lane is claimed; it goes through though its caller is gone.
    async fn wake_sleepers(&self, now: Timestamp) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        self.run(async move { sleepers::wake(&shared, now).await })
            .await
    }

    /// A read for people, who may be shown what stood some seconds ago: at the replica, if there is one that can tell. Nothing is
    /// decided by what it answers.
    async fn list<A, T, F>(&self, ask: A, work: F) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'a> Fn(&'a Held, &'a A) -> Work<'a, T> + Send + Sync + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            if let Some(replica) = &shared.replica
                && let Some(answer) = replica.ask(&shared.pool, &ask, &work).await
            {
                return Ok(answer);
            }
            shared.read(&ask, &work).await
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

    async fn write<A, T, F>(&self, concerns: Concerns<'_>, ask: &A, work: &F) -> Result<T, Error>
    where
        A: Sync,
        F: for<'a> Fn(&'a mut Unit, &'a A) -> Work<'a, T> + Sync,
    {
        let mut leisure = None;
        let mut tries_left = TRIES_MAX;
        loop {
            tries_left -= 1;
            let door = self.doors.enter_soon(concerns).await?;
            let (rules, doors) = (Arc::clone(&self.rules), Arc::clone(&self.doors));
            let db = self.pool.take().await?;
            let mut unit = Unit::begin(db, rules, doors, leisure.take()).await?;
            let done = match work(&mut unit, ask).await {
                Ok(answer) => unit.finish().await.map(|()| answer),
                failed => failed,
            };
            let error = match done {
                Ok(answer) => {
                    let news = unit.commit().await?;
                    self.tell(&news);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            match unit.roll_back().await {
                Undone::WantsLeisure if tries_left > 0 => {
                    drop(door);
                    leisure = Some(self.doors.leisure().await?);
                }
                Undone::MayGoThrough if tries_left > 0 => {}
                _ => return Err(self.named(error)),
            }
        }
    }

    async fn read<A, T, F>(&self, ask: &A, work: &F) -> Result<T, Error>
    where
        A: Sync,
        F: for<'a> Fn(&'a Held, &'a A) -> Work<'a, T> + Sync,
    {
        let mut tries_left = TRIES_MAX;
        loop {
            let db = self.pool.take().await?;
            tries_left -= 1;
            match work(&db, ask).await {
                Ok(answer) => return Ok(answer),
                Err(_) if db.mishap() == Mishap::Stale && tries_left > 0 => {}
                Err(error) => return Err(self.named(error)),
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
