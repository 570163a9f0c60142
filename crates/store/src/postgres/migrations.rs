//! The schema's history. Each step leaves its number in the database.
//!
//! Steps are only ever added, and a step leaves the binaries that know the one before it at work: it expands. What nobody
//! needs any more goes in a later one, which says the oldest schema whose binaries may still serve: an older binary is refused
//! when it starts, and while one is connected the step is not taken. How to write a step stands in CONTRIBUTING.md.
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
    /// a fault it begins from its start, so each statement can be done twice. A statement ends with its line.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "no step of ours has needed it so far")
    )]
    Online,
}

/// The steps, oldest first; the number of a step is its place, from 1.
pub(super) const MIGRATIONS: &[Migration] = &[Migration {
    name: "ledger",
    sql: include_str!("../../migrations/postgres/0001_ledger.sql"),
    manner: Manner::Whole,
    serves_from: 1,
}];

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
    for (version, migration) in (1..).zip(steps) {
        if version > found.version {
            apply_step(db, migration, version).await?;
        }
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

async fn apply_step(db: &Session, migration: &Migration, version: u32) -> Result<(), Error> {
    refuse_while_older_serve(db, migration, version).await?;
    let applied = match migration.manner {
        Manner::Whole => whole(db, migration, version).await,
        Manner::Online => online(db, migration, version).await,
    };
    applied.map_err(|error| match error {
        fault @ (Error::DiskFull | Error::Busy { .. } | Error::Unavailable { .. }) => fault,
        Error::ReadOnly { detail } => Error::Schema {
            detail: format!(
                "migration {version} ({}) is not permitted: {detail}; run `oyez migrate` once as the owner of the database",
                migration.name
            ),
        },
        other => Error::Schema {
            detail: format!(
                "migration {version} ({}) did not go through: {other}",
                migration.name
            ),
        },
    })
}

/// Processes that the step would leave behind go on until somebody stops them. One that was stopped just now takes a moment to
/// hang up.
async fn refuse_while_older_serve(
    db: &Session,
    migration: &Migration,
    version: u32,
) -> Result<(), Error> {
    let serves_from = number(migration.serves_from);
    let mut older: i64 = 0;
    for _ in 0..HANGS_UP_WITHIN {
        older = db.one(OLDER, &[&serves_from]).await?.try_get(0)?;
        if older == 0 {
            return Ok(());
        }
        sleep(AGAIN_AFTER).await;
    }
    Err(Error::InUse {
        detail: format!(
            "migration {version} ({}) leaves binaries behind that know less than schema {serves_from}, and {older} of their \
             connections are open",
            migration.name
        ),
    })
}

async fn whole(db: &Session, migration: &Migration, version: u32) -> Result<(), Error> {
    let mut tries_left = TRIES_MAX;
    loop {
        tries_left -= 1;
        match try_whole(db, migration, version).await {
            Err(Error::Busy { .. }) if tries_left > 0 => {
                db.roll_back().await;
                sleep(AGAIN_AFTER).await;
            }
            tried => return tried,
        }
    }
}

async fn try_whole(db: &Session, migration: &Migration, version: u32) -> Result<(), Error> {
    db.begin().await?;
    rights::act_as_owner(db).await?;
    db.run(&format!("SET LOCAL lock_timeout = {LOCK_MS_MAX}"))
        .await?;
    db.run(NUMBERS).await?;
    db.run(migration.sql).await?;
    enter(db, migration, version).await?;
    db.commit().await
}

async fn online(db: &Session, migration: &Migration, version: u32) -> Result<(), Error> {
    rights::stay_owner(db).await?;
    for statement in migration.sql.split(";\n") {
        db.run(statement).await?;
    }
    enter(db, migration, version).await
}

async fn enter(db: &Session, migration: &Migration, version: u32) -> Result<(), Error> {
    let serves_from = number(migration.serves_from);
    db.execute(ENTER, &[&number(version), &migration.name, &serves_from])
        .await?;
    Ok(())
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
