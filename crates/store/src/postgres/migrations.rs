//! The schema's history. Each step leaves its number in the database.
//!
//! Steps are only ever added, and a step leaves the binaries that know the one before it at work: it expands. What nobody
//! needs any more goes in a later one, which says the oldest schema whose binaries may still serve: while an older one is
//! connected the step is not taken, and when it was taken an older one is refused, each time that it connects. How to write a step
//! stands in CONTRIBUTING.md.
//!
//! Nothing comes between the question who is connected and the change. Whoever connects reads the list of steps before it asks for
//! anything else, and a step that contracts keeps that list locked, from before the question until it is committed: so a binary
//! that has read it is seen, and one that reads it later sees the step.
//!
//! Any number of nodes may start at once: one migrates, the others wait for it and find it done. Who may not change the schema
//! can still open one that is up to date; each step is done in the name of whoever owns the tables. Absent: steps back; a binary that is rolled back serves on the wider schema.

use std::time::Duration;

use tokio::time::sleep;

use super::copying;
use super::options::Options;
use super::rights;
use super::server::Server;
use super::session::Session;
use super::tasks::Tasks;
use crate::Error;

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    /// What it does, for people.
    pub(super) name: &'static str,
    /// How.
    pub(super) sql: &'static str,
    /// In what manner.
    pub(super) manner: Manner,
    /// Binaries that know this schema may serve when the step is done, and all newer ones. A step that expands says what the
    /// one before it said; one that contracts says more.
    pub(super) serves_from: u32,
}

/// How the statements of a step are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// In one transaction, all of them or none. It waits for a lock of a table for a moment only, since everybody else waits
    /// behind it, and tries again.
    Whole,
    /// One by one, each on its own: what cannot stand in a transaction, such as CREATE INDEX CONCURRENTLY, or should not. After
    /// a fault it begins from its start, so each statement can be done twice. A statement ends with its line. Such a step expands:
    /// what contracts has to keep others from coming, all at once.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "no step of ours has needed it so far")
    )]
    Online,
}

/// The steps, oldest first; the number of a step is its place, from 1.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "ledger",
        sql: include_str!("../../migrations/postgres/0001_ledger.sql"),
        manner: Manner::Whole,
        serves_from: 1,
    },
    Migration {
        name: "chains",
        sql: include_str!("../../migrations/postgres/0002_chains.sql"),
        manner: Manner::Whole,
        serves_from: 1,
    },
    Migration {
        name: "overview",
        sql: include_str!("../../migrations/postgres/0003_overview.sql"),
        manner: Manner::Whole,
        serves_from: 1,
    },
];

/// Which schema a database has, and whom it serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The last step that was taken; 0 if there is no ledger.
    pub(super) version: u32,
    /// The oldest schema whose binaries may serve.
    pub(super) serves_from: u32,
}

/// The schema this binary works with.
pub(super) fn newest() -> u32 {
    number_of(MIGRATIONS)
}

/// A number for the text of all steps: databases made from another text have another one.
pub(super) fn fingerprint() -> u64 {
    let bytes = MIGRATIONS.iter().flat_map(|step| step.sql.bytes());
    bytes.fold(FNV_OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME)
    })
}

/// Refuses a session to a binary that was left behind since it began to serve.
pub(super) async fn refuse_who_was_left_behind(db: &Session) -> Result<(), Error> {
    refuse_strangers(read(db).await?, newest())
}

/// Brings a database up to date; answers which schema it had. The steps are those that the binary knows.
pub(super) async fn apply(
    steps: &[Migration],
    server: &Server,
    options: &Options,
    tasks: &Tasks,
) -> Result<u32, Error> {
    let db = Session::open(server, options, tasks).await?;
    rights::hold_to(&db).await?;
    copying::refuse_while_copied(&db).await?;
    apply_on(steps, &db).await
}

/// As [`apply`], by somebody who keeps the others away.
pub(super) async fn apply_on(steps: &[Migration], db: &Session) -> Result<u32, Error> {
    let known = number_of(steps);
    let found = found(db).await?;
    refuse_strangers(found, known)?;
    if found.version >= known {
        return Ok(found.version);
    }
    // A step may take what it takes, and so may the node that is at it while we wait.
    db.take_any_time().await?;
    alone(db).await?;
    let found = self::found(db).await?;
    refuse_strangers(found, known)?;
    let mut serves_from = 0;
    for (version, migration) in (1..).zip(steps) {
        let step = Step {
            migration,
            version,
            contracts: migration.serves_from > serves_from,
        };
        if version > found.version {
            step.apply(db).await?;
        }
        serves_from = migration.serves_from;
    }
    // The lock goes with the connection.
    Ok(found.version)
}

/// Waits until nobody else migrates. It asks now and then: a statement that waited would be a transaction that an index which is
/// built online waits for in turn.
async fn alone(db: &Session) -> Result<(), Error> {
    while !db.one(ALONE, &[&LOCK]).await?.try_get::<_, bool>(0)? {
        sleep(ASK_AGAIN_AFTER).await;
    }
    Ok(())
}

/// The schema that a database has.
pub(super) async fn found(db: &Session) -> Result<Found, Error> {
    let table = db.one("SELECT to_regclass('schema_versions') IS NOT NULL", &[]);
    if !table.await?.try_get::<_, bool>(0)? {
        return Ok(Found::default());
    }
    read(db).await
}

/// The same, where there is a ledger.
async fn read(db: &Session) -> Result<Found, Error> {
    let row = db.one(FOUND, &[]).await?;
    let number = |column| -> Result<u32, Error> {
        let number: i32 = row.try_get(column)?;
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    };
    Ok(Found {
        version: number(0)?,
        serves_from: number(1)?,
    })
}

fn number_of(steps: &[Migration]) -> u32 {
    u32::try_from(steps.len()).expect("there are few migrations")
}

/// Refuses a database that a newer binary has migrated, and that serves this one no more.
pub(super) fn refuse_strangers(found: Found, known: u32) -> Result<(), Error> {
    if found.serves_from <= known {
        return Ok(());
    }
    Err(Error::Schema {
        detail: format!(
            "it has schema {}, for binaries that know schema {} or more, and this one knows up to {known}; run the binary \
             that migrated it, or a newer one",
            found.version, found.serves_from
        ),
    })
}

/// A step that is to be taken.
#[derive(Clone, Copy)]
struct Step<'a> {
    migration: &'a Migration,
    version: u32,
    /// It leaves binaries behind that the step before did not.
    contracts: bool,
}

impl Step<'_> {
    async fn apply(self, db: &Session) -> Result<(), Error> {
        self.wait_for_older_to_hang_up(db).await?;
        let applied = match self.migration.manner {
            Manner::Whole => self.whole(db).await,
            Manner::Online => self.online(db).await,
        };
        let Self {
            migration: Migration { name, .. },
            version,
            ..
        } = self;
        applied.map_err(|error| match error {
            fault @ (Error::DiskFull
            | Error::Busy { .. }
            | Error::InUse { .. }
            | Error::Unavailable { .. }) => fault,
            Error::ReadOnly { detail } => Error::Schema {
                detail: format!(
                    "migration {version} ({name}) is not permitted: {detail}; run `oyez migrate` once as the owner of the database"
                ),
            },
            other => Error::Schema {
                detail: format!("migration {version} ({name}) did not go through: {other}"),
            },
        })
    }

    /// Processes that the step would leave behind go on until somebody stops them. One that was stopped just now takes a moment to
    /// hang up.
    async fn wait_for_older_to_hang_up(self, db: &Session) -> Result<(), Error> {
        for _ in 1..HANGS_UP_WITHIN {
            if self.older(db).await? == 0 {
                return Ok(());
            }
            sleep(AGAIN_AFTER).await;
        }
        self.refuse_while_older_serve(db).await
    }

    async fn refuse_while_older_serve(self, db: &Session) -> Result<(), Error> {
        let older = self.older(db).await?;
        if older == 0 {
            return Ok(());
        }
        let Migration {
            name, serves_from, ..
        } = self.migration;
        Err(Error::InUse {
            detail: format!(
                "migration {} ({name}) leaves binaries behind that know less than schema {serves_from}, and {older} of their \
                 connections are open",
                self.version
            ),
        })
    }

    /// How many connections of binaries that it would leave behind are open.
    async fn older(self, db: &Session) -> Result<i64, Error> {
        let serves_from = number(self.migration.serves_from);
        Ok(db.one(OLDER, &[&serves_from]).await?.try_get(0)?)
    }

    async fn whole(self, db: &Session) -> Result<(), Error> {
        let mut tries_left = TRIES_MAX;
        loop {
            tries_left -= 1;
            match self.try_whole(db).await {
                Err(Error::Busy { .. }) if tries_left > 0 => {
                    db.roll_back().await;
                    sleep(AGAIN_AFTER).await;
                }
                tried => return tried,
            }
        }
    }

    async fn try_whole(self, db: &Session) -> Result<(), Error> {
        db.begin().await?;
        rights::act_as_owner(db).await?;
        db.run(&format!("SET LOCAL lock_timeout = {LOCK_MS_MAX}"))
            .await?;
        db.run(NUMBERS).await?;
        if self.contracts {
            db.run(KEEP_OTHERS_FROM_READING).await?;
            self.refuse_while_older_serve(db).await?;
        }
        db.run(self.migration.sql).await?;
        self.enter(db).await?;
        db.commit().await
    }

    async fn online(self, db: &Session) -> Result<(), Error> {
        rights::stay_owner(db).await?;
        for statement in self.migration.sql.split(";\n") {
            db.run(statement).await?;
        }
        self.enter(db).await
    }

    async fn enter(self, db: &Session) -> Result<(), Error> {
        let (version, serves_from) = (number(self.version), number(self.migration.serves_from));
        db.execute(ENTER, &[&version, &self.migration.name, &serves_from])
            .await?;
        Ok(())
    }
}

fn number(version: u32) -> i32 {
    i32::try_from(version).expect("there are few migrations")
}

/// Whoever comes meanwhile waits behind a step that waits for a table's lock: not for longer than they notice.
const LOCK_MS_MAX: u32 = 200;
/// A start that waits for a step takes seconds anyway.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Those who waited are done by then.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Tries: three seconds.
const HANGS_UP_WITHIN: u32 = 3;
/// Five minutes: whoever holds a lock for longer is stuck, or takes a backup by pg_dump, and somebody has to know.
const TRIES_MAX: u32 = 250;

const ALONE: &str = "SELECT pg_try_advisory_lock($1)";

const NUMBERS: &str = "
    CREATE TABLE IF NOT EXISTS schema_versions (
        version     integer PRIMARY KEY,
        name        text NOT NULL,
        serves_from integer NOT NULL,
        applied_at  timestamptz NOT NULL DEFAULT now())";

// For as long as the transaction goes on: some milliseconds, once its locks were free.
const KEEP_OTHERS_FROM_READING: &str = "LOCK TABLE schema_versions IN ACCESS EXCLUSIVE MODE";

const FOUND: &str =
    "SELECT coalesce(max(version), 0), coalesce(max(serves_from), 0) FROM schema_versions";

const ENTER: &str = "INSERT INTO schema_versions (version, name, serves_from) VALUES ($1, $2, $3)";

// Every session says which schema its binary knows (`session::application_name`).
const OLDER: &str = "
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND substring(application_name FROM '^oyez schema ([0-9]+)$')::integer < $1";

/// Whoever migrates a ledger holds this advisory lock of its database: "oyez".
const LOCK: i64 = 0x6f79_657a;

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

#[cfg(test)]
mod tests {
    use super::{MIGRATIONS, Manner};

    // I-06
    #[test]
    fn no_step_serves_binaries_that_one_before_it_left_behind_and_what_is_done_online_leaves_none()
    {
        let serves_from: Vec<u32> = MIGRATIONS.iter().map(|step| step.serves_from).collect();
        assert!(serves_from.is_sorted(), "{serves_from:?}");
        for steps in MIGRATIONS.windows(2) {
            let contracts = steps[1].serves_from > steps[0].serves_from;
            assert!(
                !contracts || steps[1].manner == Manner::Whole,
                "{}",
                steps[1].name
            );
        }
    }
}
