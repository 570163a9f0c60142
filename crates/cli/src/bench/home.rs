//! The ledger that is measured: one of the run's own, or one that `oyez bench fill` made; in a file, or on PostgreSQL.
//!
//! The server and this process open it the same way, by what a configuration would say. A ledger that is not ours is never
//! opened: one that was filled bears a name that no bank's would.

use std::ffi::OsString;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use oyez_domain::rules::Rules;
use oyez_store::postgres::{Stage, Tables};
use oyez_store::rehearsal::Past;
use oyez_store::sqlite;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::postgres::Postgres;
use super::process::Cluster;
use super::{broken, drive_alone};
use crate::args::BenchCommon;
use crate::commands::Surroundings;
use crate::config::{Backend, Config, Variables};
use crate::failure::Failure;
use crate::ledger::{Ledger, failure};

/// What a configuration says, as variables.
pub(super) type Settings = Vec<(&'static str, OsString)>;

/// One of a run's ledgers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// That the server has.
    Measured,
    /// That only this process has, when there is no server.
    Alone,
}

/// Where the ledgers are. Dropped, those that the run made go.
pub(super) enum Home {
    /// Files. Those of a run lie in the bank's directory and go with it; one that is being filled goes unless it is kept.
    Files {
        measured: PathBuf,
        alone: PathBuf,
        remove: Option<PathBuf>,
    },
    /// Databases.
    Databases {
        postgres: Box<Postgres>,
        measured: String,
        alone: String,
    },
}

/// How large a ledger is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Size {
    pub(super) bytes: u64,
    /// What PostgreSQL tells of its tables.
    pub(super) tables: Option<Tables>,
}

/// Looks at a ledger that others work with.
pub(super) enum Watch {
    File(PathBuf),
    Database(Box<Stage>),
}

impl Home {
    /// Of a run: its own, or one that was filled before.
    pub(super) fn of(
        common: &BenchCommon,
        bank: &Path,
        mark: &str,
        around: &Surroundings,
    ) -> Result<Self, Failure> {
        match (common.backend, &common.ledger) {
            (Backend::Sqlite, None) => Ok(Self::Files {
                measured: absolute(&bank.join("oyez.db"))?,
                alone: absolute(&bank.join("alone.db"))?,
                remove: None,
            }),
            (Backend::Sqlite, Some(name)) => {
                let path = filled_file(name)?;
                if !path.exists() {
                    return Err(nothing_filled(name));
                }
                Ok(Self::Files {
                    measured: path.clone(),
                    alone: path,
                    remove: None,
                })
            }
            (Backend::Postgres, None) => {
                let mut postgres = Postgres::named(common, bank, around)?;
                let (measured, alone) = (
                    format!("oyez_{mark}_bench"),
                    format!("oyez_{mark}_alone_bench"),
                );
                for name in [&measured, &alone] {
                    postgres.make(name)?;
                }
                Ok(Self::Databases {
                    postgres: Box::new(postgres),
                    measured,
                    alone,
                })
            }
            (Backend::Postgres, Some(name)) => {
                let name = filled_database(name)?;
                let postgres = Postgres::named(common, bank, around)?;
                if !postgres.has(&name)? {
                    return Err(nothing_filled(&name));
                }
                Ok(Self::Databases {
                    postgres: Box::new(postgres),
                    measured: name.clone(),
                    alone: name,
                })
            }
        }
    }

    /// Of a ledger that is to be filled: made anew, and gone again unless it is kept.
    pub(super) fn to_fill(
        common: &BenchCommon,
        bank: &Path,
        around: &Surroundings,
    ) -> Result<Self, Failure> {
        let name = common.ledger.as_deref().ok_or_else(|| {
            let mend =
                "name it: --ledger past.bench, or with --backend postgres --ledger past_bench";
            Failure::usage("the ledger that is to be made has no name", mend)
        })?;
        match common.backend {
            Backend::Sqlite => {
                let path = filled_file(name)?;
                if path.exists() {
                    return Err(there_already(name));
                }
                Ok(Self::Files {
                    measured: path.clone(),
                    alone: path.clone(),
                    remove: Some(path),
                })
            }
            Backend::Postgres => {
                let name = filled_database(name)?;
                let mut postgres = Postgres::named(common, bank, around)?;
                if postgres.has(&name)? {
                    return Err(there_already(&name));
                }
                postgres.make(&name)?;
                Ok(Self::Databases {
                    postgres: Box::new(postgres),
                    measured: name.clone(),
                    alone: name,
                })
            }
        }
    }

    /// It stays.
    pub(super) fn keep(&mut self) {
        match self {
            Self::Files { remove, .. } => *remove = None,
            Self::Databases { postgres, .. } => postgres.keep(),
        }
    }

    /// What a configuration must say of it.
    pub(super) fn settings(&self, which: Which) -> Settings {
        match self {
            Self::Files {
                measured, alone, ..
            } => {
                let path = match which {
                    Which::Measured => measured,
                    Which::Alone => alone,
                };
                vec![("OYEZ_STORE__PATH", path.into())]
            }
            Self::Databases {
                postgres,
                measured,
                alone,
            } => postgres.settings(match which {
                Which::Measured => measured,
                Which::Alone => alone,
            }),
        }
    }

    /// Opens it as a server would, with the configuration of this bank.
    pub(super) async fn open(&self, bank: &Path, which: Which) -> Result<Ledger, Failure> {
        let config = configured(bank, self.settings(which))?;
        Ledger::open(
            &config.store,
            Arc::new(Rules::default()),
            &Handle::current(),
        )
        .await
    }

    /// Gives it a past, while nobody has it open; tells how many events each step wrote.
    pub(super) fn rehearse(
        &self,
        past: &Past,
        done: impl FnMut(u64) + Send,
    ) -> Result<(), Failure> {
        match self {
            Self::Files { measured, .. } => rehearse_file(measured, past, done),
            Self::Databases {
                postgres, measured, ..
            } => postgres.on(measured, async |stage| stage.rehearse(past, done).await),
        }
    }

    /// Leaves nothing to be done later.
    pub(super) fn settle_down(&self) -> Result<(), Failure> {
        match self {
            Self::Files { .. } => Ok(()),
            Self::Databases {
                postgres, measured, ..
            } => postgres.on(measured, async |stage| stage.settle_down().await),
        }
    }

    /// Somebody who looks at it while others work with it. To be called on the runtime that it lives on.
    pub(super) async fn watch(&self) -> Result<Watch, Failure> {
        match self {
            Self::Files { measured, .. } => Ok(Watch::File(measured.clone())),
            Self::Databases {
                postgres, measured, ..
            } => Ok(Watch::Database(Box::new(postgres.stage(measured).await?))),
        }
    }

    /// How large it is now.
    pub(super) fn size(&self) -> Result<Size, Failure> {
        drive_alone(async { self.watch().await?.look().await })
    }

    /// The database's processes, where they are seen.
    pub(super) fn cluster(&self) -> Option<Cluster> {
        match self {
            Self::Files { .. } => None,
            Self::Databases { postgres, .. } => postgres.cluster(),
        }
    }

    /// How many bytes are free where its data lies, if that is seen.
    pub(super) fn room(&self) -> Option<u64> {
        let directory = match self {
            Self::Files { measured, .. } => measured.parent()?.to_owned(),
            Self::Databases { postgres, .. } => postgres.data_directory()?,
        };
        let disk = rustix::fs::statvfs(&directory).ok()?;
        Some(disk.f_bavail * disk.f_frsize)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Self::Files {
            remove: Some(path), ..
        } = self
        {
            for suffix in ["", "-wal", "-shm", ".lock"] {
                fs::remove_file(beside(path, suffix)).ok();
            }
        }
    }
}

impl Watch {
    /// How large it is now.
    pub(super) async fn look(&self) -> Result<Size, Failure> {
        match self {
            Self::File(path) => {
                let bytes = |suffix| fs::metadata(beside(path, suffix)).map_or(0, |it| it.len());
                Ok(Size {
                    bytes: bytes("") + bytes("-wal"),
                    tables: None,
                })
            }
            Self::Database(stage) => {
                let tables = stage.tables().await;
                let tables =
                    tables.map_err(|error| broken("cannot look at the database", &error))?;
                Ok(Size {
                    bytes: tables.bytes,
                    tables: Some(tables),
                })
            }
        }
    }
}

/// On a thread of its own, so that it can be interrupted between two steps.
fn rehearse_file(
    path: &Path,
    past: &Past,
    mut done: impl FnMut(u64) + Send,
) -> Result<(), Failure> {
    let is_interrupted = AtomicBool::new(false);
    thread::scope(|scope| {
        let (ended, end) = oneshot::channel::<()>();
        let is_interrupted = &is_interrupted;
        let writer = scope.spawn(move || {
            // Dropped, it says that this has ended.
            let _ended = ended;
            sqlite::rehearse(path, past, |events| {
                done(events);
                if is_interrupted.load(Ordering::Relaxed) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
        });
        let waited = drive_alone(async {
            end.await.ok();
            Ok(())
        });
        is_interrupted.store(waited.is_err(), Ordering::Relaxed);
        let written = writer.join().expect("statements do not panic");
        waited?;
        written.map_err(|error| failure(path, &error))
    })
}

/// A bank's configuration, with these settings.
pub(super) fn configured(bank: &Path, settings: Settings) -> Result<Config, Failure> {
    let path = bank.join("oyez.toml");
    let text = fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
    let settings = settings
        .into_iter()
        .map(|(name, value)| (name.into(), value));
    Config::read(&text, bank, &Variables::pick(settings)).map_err(|faults| Failure::Configuration {
        file: path.display().to_string(),
        faults,
    })
}

/// A file whose name says that it is a benchmark's.
fn filled_file(name: &str) -> Result<PathBuf, Failure> {
    let path = absolute(Path::new(name))?;
    if path.extension().is_some_and(|end| end == "bench") {
        return Ok(path);
    }
    let mend = "give it a name such as past.bench: no ledger of a bank's is called so";
    Err(Failure::usage(
        format!("{name} is no benchmark's ledger"),
        mend,
    ))
}

/// A database whose name says that it is a benchmark's.
fn filled_database(name: &str) -> Result<String, Failure> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.ends_with("_bench") && name.len() <= NAME_MAX && name.chars().all(plain) {
        return Ok(name.to_owned());
    }
    let mend = "give it a name such as past_bench: no ledger of a bank's is called so";
    Err(Failure::usage(
        format!("{name} is no benchmark's database"),
        mend,
    ))
}

fn nothing_filled(name: &str) -> Failure {
    let mend = "make it with `oyez bench fill`, or check its name and --backend";
    Failure::environment(format!("there is no {name}"), mend)
}

fn there_already(name: &str) -> Failure {
    let mend = "remove it, or name another";
    Failure::environment(format!("there is a {name} already"), mend)
}

pub(super) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::file("find", path, &error))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// What PostgreSQL keeps of a name.
const NAME_MAX: usize = 63;
