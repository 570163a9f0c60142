//! The schema's history. Each step is one transaction and leaves its number in the file.
//!
//! Steps are only ever added. A test puts sample data in before each step and looks for it after.

use rusqlite::{Connection, TransactionBehavior};

use crate::Error;

/// Marks a database file as a ledger of ours: "oyez".
pub(super) const APPLICATION_ID: i32 = 0x6f79_657a;

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    /// What it does, for people.
    pub(super) name: &'static str,
    /// How.
    pub(super) sql: &'static str,
}

/// The steps, oldest first; the number of a step is its place, from 1.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "ledger",
        sql: include_str!("../../migrations/sqlite/0001_ledger.sql"),
    },
    Migration {
        name: "pushing",
        sql: include_str!("../../migrations/sqlite/0002_pushing.sql"),
    },
    Migration {
        name: "bounds",
        sql: include_str!("../../migrations/sqlite/0003_bounds.sql"),
    },
    Migration {
        name: "kinds",
        sql: include_str!("../../migrations/sqlite/0004_kinds.sql"),
    },
    Migration {
        name: "claims",
        sql: include_str!("../../migrations/sqlite/0005_claims.sql"),
    },
    Migration {
        name: "chains",
        sql: include_str!("../../migrations/sqlite/0006_chains.sql"),
    },
    Migration {
        name: "overview",
        sql: include_str!("../../migrations/sqlite/0007_overview.sql"),
    },
];

/// The schema this binary works with.
pub(super) fn newest() -> u32 {
    u32::try_from(MIGRATIONS.len()).expect("there are few migrations")
}

/// The schema that a file has.
pub(super) fn version(db: &Connection) -> Result<u32, Error> {
    Ok(db.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Refuses a file that a newer binary has migrated.
pub(super) fn refuse_newer(db: &Connection) -> Result<(), Error> {
    let found = version(db)?;
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

/// Brings a file up to date.
pub(super) fn apply(db: &mut Connection) -> Result<(), Error> {
    refuse_newer(db)?;
    for step in version(db)?..newest() {
        apply_step(db, step)?;
    }
    Ok(())
}

fn apply_step(db: &mut Connection, step: u32) -> Result<(), Error> {
    let index = usize::try_from(step).expect("a step is a small number");
    let migration = MIGRATIONS[index];
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let applied = transaction
        .execute_batch(migration.sql)
        .and_then(|()| transaction.pragma_update(None, "user_version", step + 1))
        .and_then(|()| transaction.commit());
    applied.map_err(|error| match Error::from(error) {
        fault @ (Error::DiskFull | Error::ReadOnly { .. } | Error::Busy { .. }) => fault,
        other => Error::Schema {
            detail: format!(
                "migration {} ({}) was rolled back: {other}",
                step + 1,
                migration.name
            ),
        },
    })
}
