//! A PostgreSQL that a benchmark may make databases in.

use std::path::{Path, PathBuf};

use oyez_store::postgres::{Server, Stage};
use tokio::runtime::Handle;

use super::drive_alone;
use super::home::{Settings, absolute, configured};
use super::process::Cluster;
use crate::args::{BENCH_DATABASE, BenchCommon};
use crate::commands::Surroundings;
use crate::database::Database;
use crate::failure::Failure;
use crate::ledger::Place;

/// The server, and what the run made there. Dropped, that is dropped.
pub(super) struct Postgres {
    url: String,
    /// What a configuration must say beside the URL.
    more: Settings,
    server: Server,
    made: Vec<String>,
    cluster: Option<Cluster>,
    data_directory: Option<PathBuf>,
}

impl Postgres {
    /// As the command line or the environment names it. The bank's configuration says everything else.
    pub(super) fn named(
        common: &BenchCommon,
        bank: &Path,
        around: &Surroundings,
    ) -> Result<Self, Failure> {
        let url = common.database.as_ref().or(around.bench_database.as_ref());
        let url = url.cloned().ok_or_else(|| {
            let mend = format!(
                "name one that the run may make databases in: --database URL, or {BENCH_DATABASE}"
            );
            Failure::usage("no PostgreSQL is named", mend)
        })?;
        let mut more: Settings = vec![("OYEZ_STORE__BACKEND", "postgres".into())];
        match &common.database_ca_file {
            Some(path) => more.push(("OYEZ_STORE__TRUST_ANCHORS", absolute(path)?.into())),
            None => more.push(("OYEZ_STORE__TLS", "off".into())),
        }
        if let Some(path) = &common.database_password_file {
            more.push(("OYEZ_STORE__PASSWORD_FILE", absolute(path)?.into()));
        }
        let mut settings = more.clone();
        settings.push(("OYEZ_STORE__URL", url.clone().into()));
        let mut postgres = Self {
            url,
            more,
            server: Database::of(&configured(bank, settings)?.store)?.server,
            made: Vec::new(),
            cluster: None,
            data_directory: None,
        };
        // The process is looked at while it lives: that is as long as this connection.
        let cluster = async |stage: &Stage| Ok(Cluster::around(stage.process().await?));
        postgres.cluster = postgres.ask(cluster)?;
        if postgres.cluster.is_some() {
            let told = postgres.ask(async |stage| Ok(stage.data_directory().await))?;
            postgres.data_directory = told.map(PathBuf::from);
        }
        Ok(postgres)
    }

    /// Whether there is a database of this name.
    pub(super) fn has(&self, name: &str) -> Result<bool, Failure> {
        self.ask(async |stage| stage.has(name).await)
    }

    /// Makes a database, which goes with this.
    pub(super) fn make(&mut self, name: &str) -> Result<(), Failure> {
        self.ask(async |stage| stage.make(name).await)?;
        self.made.push(name.to_owned());
        Ok(())
    }

    /// What was made stays.
    pub(super) fn keep(&mut self) {
        self.made.clear();
    }

    /// What a configuration must say of a database.
    pub(super) fn settings(&self, name: &str) -> Settings {
        let mut settings = self.more.clone();
        settings.push(("OYEZ_STORE__URL", at(&self.url, name).into()));
        settings
    }

    /// A connection to a database, for as long as this runtime lives.
    pub(super) async fn stage(&self, name: &str) -> Result<Stage, Failure> {
        let server = self.server.clone().database(name);
        let stage = Stage::open(&server, &Handle::current()).await;
        stage.map_err(|error| Place::Database(server.shown()).failure(&error))
    }

    /// Works on a database.
    pub(super) fn on<T>(
        &self,
        name: &str,
        work: impl AsyncFnOnce(&Stage) -> Result<T, oyez_store::Error>,
    ) -> Result<T, Failure> {
        drive_alone(async {
            let done = work(&self.stage(name).await?).await;
            let place = Place::Database(self.server.clone().database(name).shown());
            done.map_err(|error| place.failure(&error))
        })
    }

    pub(super) fn cluster(&self) -> Option<Cluster> {
        self.cluster.clone()
    }

    /// Where it keeps its data, if that is on this machine and we may know.
    pub(super) fn data_directory(&self) -> Option<PathBuf> {
        self.data_directory.clone()
    }

    /// Asks the server, in the database that was named.
    fn ask<T>(
        &self,
        work: impl AsyncFnOnce(&Stage) -> Result<T, oyez_store::Error>,
    ) -> Result<T, Failure> {
        drive_alone(async {
            let answered = async {
                let stage = Stage::open(&self.server, &Handle::current()).await?;
                work(&stage).await
            };
            answered.await.map_err(|error| {
                let what = format!("the PostgreSQL {} cannot be used", self.server.shown());
                let mend = "name one that runs, as a user who may create databases";
                Failure::environment(what, mend).because(&error)
            })
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let made = std::mem::take(&mut self.made);
        for name in made {
            // Nothing better can be done than to say so.
            if let Err(failure) = self.ask(async |stage| stage.drop(&name).await) {
                crate::output::aside(format_args!(
                    "the database {name} was not dropped: {failure}"
                ));
            }
        }
    }
}

/// The same server's address with another database.
fn at(url: &str, name: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        // In words, the last counts.
        return format!("{url} dbname={name}");
    };
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, format!("?{query}")),
        None => (rest, String::new()),
    };
    let hosts = place.split('/').next().unwrap_or_default();
    format!("{scheme}://{hosts}/{name}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_turned_to_another_database_of_the_same_server() {
        for (url, expected) in [
            (
                "postgresql://me@db:5432/postgres",
                "postgresql://me@db:5432/other_bench",
            ),
            (
                "postgresql://me@%2Ftmp:5432",
                "postgresql://me@%2Ftmp:5432/other_bench",
            ),
            (
                "postgresql://a,b/one?connect_timeout=3",
                "postgresql://a,b/other_bench?connect_timeout=3",
            ),
            (
                "host=db user=me dbname=one",
                "host=db user=me dbname=one dbname=other_bench",
            ),
        ] {
            let turned = at(url, "other_bench");
            assert_eq!(turned, expected);
            assert!(
                Server::parse(&turned)
                    .unwrap()
                    .shown()
                    .ends_with("/other_bench")
            );
        }
    }
}
