//! Where a ledger lives that is copied.

use std::sync::Arc;

use oyez_domain::rules::Rules;
use oyez_store::copy::{self, Fault, Means, Place, Step};
use oyez_store::sqlite::Options;
use oyez_store::{Error, Store, postgres, sqlite};
use oyez_testkit::postgres::{Database, runtime, to_the_moment};
use tempfile::TempDir;
use tokio::task::block_in_place;

/// A place for a ledger of either kind.
pub(super) enum Home {
    File(TempDir),
    Database(Database),
}

/// A ledger in its home.
pub(super) enum Open {
    Sqlite(sqlite::Ledger),
    Postgres(postgres::Ledger),
}

/// A kind of home.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub(super) async fn home(self) -> Home {
        match self {
            Self::Sqlite => {
                let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
                Home::File(directory.unwrap())
            }
            Self::Postgres => Home::Database(Database::new().await),
        }
    }
}

impl Home {
    pub(super) async fn open(&self, rules: &Arc<Rules>) -> Open {
        let rules = Arc::clone(rules);
        match self {
            Self::File(directory) => {
                let path = directory.path().join("ledger.db");
                Open::Sqlite(sqlite::Ledger::open(path, Options::default(), rules).unwrap())
            }
            Self::Database(database) => Open::Postgres(database.ledger(rules).await),
        }
    }

    pub(super) fn place(&self) -> Place {
        match self {
            Self::File(directory) => Place::Sqlite(directory.path().join("ledger.db")),
            Self::Database(database) => {
                Place::Postgres(Box::new(database.server()), to_the_moment())
            }
        }
    }

    /// Whether a server would begin to work with it.
    pub(super) async fn try_open(&self, rules: &Arc<Rules>) -> Result<(), Error> {
        let rules = Arc::clone(rules);
        match self.place() {
            Place::Sqlite(path) => sqlite::Ledger::open(path, Options::default(), rules).map(drop),
            Place::Postgres(server, options) => {
                let runtime = runtime().handle();
                let opened = postgres::Ledger::open(*server, options, rules, runtime).await;
                opened?.close().await
            }
        }
    }

    /// As `oyez migrate` and `oyez check` ask it.
    pub(super) async fn try_to_look(&self) -> [Option<Error>; 2] {
        match self.place() {
            Place::Sqlite(path) => [
                sqlite::Ledger::migrate(&path).err(),
                sqlite::Ledger::inspect(&path).err(),
            ],
            Place::Postgres(server, options) => {
                let runtime = runtime().handle();
                [
                    postgres::Ledger::migrate(&server, options, runtime)
                        .await
                        .err(),
                    postgres::Ledger::inspect(&server, options, runtime)
                        .await
                        .err(),
                ]
            }
        }
    }

    /// Changes something over the head of everybody.
    pub(super) async fn tamper(&self, statements: &str) {
        match self {
            Self::File(directory) => {
                let db = rusqlite::Connection::open(directory.path().join("ledger.db")).unwrap();
                db.execute_batch(statements).unwrap();
            }
            Self::Database(database) => database.run(statements).await,
        }
    }

    /// Copies what is here to there, and hears how far that is.
    pub(super) fn try_copy(
        &self,
        there: &Self,
        id: u8,
        rules: &Arc<Rules>,
        tell: &mut dyn FnMut(Step),
    ) -> Result<copy::Copied, Fault> {
        let means = Means {
            id: [id; 16],
            rules: Arc::clone(rules),
            runtime: runtime().handle().clone(),
        };
        let places = (self.place(), there.place());
        block_in_place(|| copy::run((&places.0, &places.1), &means, tell))
    }

    /// Copies what is here to there.
    pub(super) fn copy_to(&self, there: &Self, rules: &Arc<Rules>) -> copy::Copied {
        let mut copied = 0;
        let mut tell = |step| {
            if let Step::Copied { rows, .. } = step {
                copied += rows;
            }
        };
        let done = self.try_copy(there, 7, rules, &mut tell).unwrap();
        let compared: u64 = done.tables.iter().map(|table| table.rows).sum();
        assert_eq!(copied, compared);
        done
    }
}

impl Open {
    pub(super) fn store(&self) -> &dyn Store {
        match self {
            Self::Sqlite(ledger) => ledger,
            Self::Postgres(ledger) => ledger,
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(ledger) => ledger.close().await.unwrap(),
            Self::Postgres(ledger) => ledger.close().await.unwrap(),
        }
    }
}
