//! The schema's history. Each step is one transaction and leaves its number in the database.
//!
//! Steps are only ever added, and a step leaves the binaries that know the one before it at work: it expands; what nobody
//! needs any more goes in a later one. Any number of nodes may start at once: one migrates, the others wait for it and find
//! it done. Who may not change the schema can still open one that is up to date.

use super::copying;
use super::options::Options;
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
}

/// The steps, oldest first; the number of a step is its place, from 1.
pub(super) const MIGRATIONS: &[Migration] = &[Migration {
    name: "ledger",
    sql: include_str!("../../migrations/postgres/0001_ledger.sql"),
}];

/// The schema this binary works with.
pub(super) fn newest() -> u32 {
    u32::try_from(MIGRATIONS.len()).expect("there are few migrations")
}

/// A number for the text of all steps: databases made from another text have another one.
pub(super) fn fingerprint() -> u64 {
    let bytes = MIGRATIONS.iter().flat_map(|step| step.sql.bytes());
    bytes.fold(FNV_OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME)
    })
}

/// Brings a database up to date; answers which schema it had.
pub(super) async fn apply(server: &Server, options: &Options, tasks: &Tasks) -> Result<u32, Error> {
    let db = Session::open(server, options, tasks).await?;
    copying::refuse_while_copied(&db).await?;
    apply_on(&db).await
}

/// As [`apply`], by somebody who keeps the others away.
pub(super) async fn apply_on(db: &Session) -> Result<u32, Error> {
    let found = version(db).await?;
    refuse_newer(found)?;
    if found == newest() {
        return Ok(found);
    }
    // A step may take what it takes, and so may the node that is at it while we wait.
    db.take_any_time().await?;
    db.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await?;
    let found = version(db).await?;
    refuse_newer(found)?;
    for step in found..newest() {
        apply_step(db, step).await?;
    }
    // The lock goes with the connection.
    Ok(found)
}

/// The schema that a database has; 0 if there is no ledger in it.
pub(super) async fn version(db: &Session) -> Result<u32, Error> {
    let table = db.one("SELECT to_regclass('schema_versions') IS NOT NULL", &[]);
    if !table.await?.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let row = db.one("SELECT coalesce(max(version), 0) FROM schema_versions", &[]);
    let version: i32 = row.await?.try_get(0)?;
    Ok(u32::try_from(version).unwrap_or(u32::MAX))
}

/// Refuses a database that a newer binary has migrated.
pub(super) fn refuse_newer(found: u32) -> Result<(), Error> {
    if found <= newest() {
        return Ok(());
    }
    Err(Error::Schema {
        detail: format!(
            "it has schema {found} and this binary knows up to {}; run the binary that migrated it, or a newer one",
            newest()
        ),
    })
}

async fn apply_step(db: &Session, step: u32) -> Result<(), Error> {
    let index = usize::try_from(step).expect("a step is a small number");
    let migration = MIGRATIONS[index];
    let version = i32::try_from(step + 1).expect("a step is a small number");
    let applied = async {
        db.begin().await?;
        db.run(NUMBERS).await?;
        db.run(migration.sql).await?;
        db.execute(
            "INSERT INTO schema_versions (version, name) VALUES ($1, $2)",
            &[&version, &migration.name],
        )
        .await?;
        db.commit().await
    };
    applied.await.map_err(|error| match error {
        fault @ (Error::DiskFull | Error::Busy { .. } | Error::Unavailable { .. }) => fault,
        Error::ReadOnly { detail } => Error::Schema {
            detail: format!(
                "migration {version} ({}) is not permitted: {detail}; run `oyez migrate` once as the owner of the database",
                migration.name
            ),
        },
        other => Error::Schema {
            detail: format!(
                "migration {version} ({}) was rolled back: {other}",
                migration.name
            ),
        },
    })
}

const NUMBERS: &str = "
    CREATE TABLE IF NOT EXISTS schema_versions (
        version    integer PRIMARY KEY,
        name       text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now())";

/// Whoever migrates a ledger holds this advisory lock of its database: "oyez".
const LOCK: i64 = 0x6f79_657a;

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;
