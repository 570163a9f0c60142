//! Where a bank's ledger lives: in a file, or in PostgreSQL if `OYEZ_TEST_BACKEND` says so. `./test` runs the tests of banks on
//! both.

use std::sync::Arc;

use oyez_domain::rules::Rules;
use oyez_store::{Store, postgres, sqlite};
use tempfile::TempDir;

use crate::postgres::Database;

/// Outlives each life of its bank.
pub(super) enum Home {
    Directory(TempDir),
    Database(Database),
}

/// A ledger that is open.
pub(super) enum Ledger {
    Sqlite(Arc<sqlite::Ledger>),
    Postgres(Arc<postgres::Ledger>),
}

impl Home {
    pub(super) async fn new() -> Self {
        match backend().as_deref() {
            None | Some("sqlite") => Self::Directory(tempfile::tempdir().unwrap()),
            Some("postgres") => Self::Database(Database::new().await),
            Some(other) => panic!("{VARIABLE} is sqlite or postgres, not {other}"),
        }
    }

    pub(super) async fn open(&self, rules: Arc<Rules>) -> Ledger {
        match self {
            Self::Directory(directory) => {
                let path = directory.path().join("ledger.db");
                let opened = sqlite::Ledger::open(path, sqlite::Options::default(), rules);
                Ledger::Sqlite(Arc::new(opened.unwrap()))
            }
            Self::Database(database) => Ledger::Postgres(Arc::new(database.ledger(rules).await)),
        }
    }
}

impl Ledger {
    pub(super) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(ledger) => Arc::clone(ledger) as _,
            Self::Postgres(ledger) => Arc::clone(ledger) as _,
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(ledger) => ledger.close().await.unwrap(),
            Self::Postgres(ledger) => ledger.close().await.unwrap(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "which backend a test run is about is not configuration of the product"
)]
fn backend() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

const VARIABLE: &str = "OYEZ_TEST_BACKEND";
