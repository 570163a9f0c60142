//! PostgreSQL for tests: a throw-away cluster for a whole run, and in it a database for each test.
//!
//! `./test` starts one cluster and says where it is in `OYEZ_TEST_POSTGRES`; by hand `cargo xtask postgres` does. A test takes a
//! [`Database`] there: a copy of one that was migrated once, dropped when the test ends. What must be killed, promoted or
//! filled to the brim is a [`Cluster`] of the test's own.

mod cluster;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use oyez_domain::rules::Rules;
use oyez_store::postgres::{Ledger, Options, Server};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{NoTls, SimpleQueryMessage};

pub use cluster::{Cluster, Disk, Durability, PASSWORD, Stored};

/// A database of one test: empty and migrated.
pub struct Database {
    name: String,
}

impl Database {
    /// A fresh one in the run's cluster.
    pub async fn new() -> Self {
        let name = fresh_name();
        let copy = name.clone();
        on_runtime(async move {
            let template = template().await;
            let copied = format!("CREATE DATABASE {copy} TEMPLATE {template}");
            admin().await.batch_execute(&copied).await.unwrap();
        })
        .await;
        Self { name }
    }

    /// One without a schema.
    pub async fn empty() -> Self {
        let name = fresh_name();
        let made = format!("CREATE DATABASE {name}");
        on_runtime(async move { admin().await.batch_execute(&made).await.unwrap() }).await;
        Self { name }
    }

    /// Its name in the cluster.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is reached.
    pub fn server(&self) -> Server {
        server().database(&self.name)
    }

    /// The same as a configuration names it.
    pub fn url(&self) -> String {
        let address = address();
        let (place, _) = address
            .rsplit_once('/')
            .expect("an address ends in its database");
        format!("{place}/{}", self.name)
    }

    /// A ledger on it. Any number may be open at once, each a node.
    pub async fn ledger(&self, rules: Arc<Rules>) -> Ledger {
        let server = self.server();
        on_runtime(async move {
            Ledger::open(server, to_the_moment(), rules, RUNTIME.handle())
                .await
                .unwrap()
        })
        .await
    }

    /// Runs statements on it, over the head of whatever ledger is open.
    pub async fn run(&self, statements: &str) {
        let (name, statements) = (self.name.clone(), statements.to_owned());
        on_runtime(async move {
            let client = connect(Some(&name)).await;
            client.batch_execute(&statements).await.unwrap();
        })
        .await;
    }
}

impl Database {
    /// Begins a transaction with these statements, and holds what they lock for as long as the answer lives.
    pub async fn hold(&self, statements: &str) -> Holding {
        let (name, statements) = (self.name.clone(), format!("BEGIN; {statements}"));
        let client = on_runtime(async move {
            let client = connect(Some(&name)).await;
            client.batch_execute(&statements).await.unwrap();
            client
        });
        Holding {
            _client: client.await,
        }
    }

    /// What a question with one number for an answer is answered.
    pub async fn number(&self, question: &str) -> i64 {
        let (name, question) = (self.name.clone(), question.to_owned());
        on_runtime(async move {
            let client = connect(Some(&name)).await;
            client.query_one(&question, &[]).await.unwrap().get(0)
        })
        .await
    }

    /// How many are connected to it.
    pub async fn connections(&self) -> i64 {
        let name = self.name.clone();
        on_runtime(async move {
            let question = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
            let row = admin().await.query_one(question, &[&name]).await.unwrap();
            row.get(0)
        })
        .await
    }

    /// Where it is, in words that any build of the ledger understands: the cluster's address, and its own name there.
    pub fn place(&self) -> (String, &str) {
        (address(), &self.name)
    }

    /// The first column of all rows that these statements answer, as text.
    pub async fn ask(&self, statements: &str) -> Vec<String> {
        let (name, statements) = (self.name.clone(), statements.to_owned());
        on_runtime(async move {
            let client = connect(Some(&name)).await;
            let answered = client.simple_query(&statements).await.unwrap();
            let rows = answered.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            });
            rows.collect()
        })
        .await
    }
}

/// A transaction that goes on.
pub struct Holding {
    _client: tokio_postgres::Client,
}

fn fresh_name() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let nth = MADE.fetch_add(1, Ordering::Relaxed);
    format!("test_{}_{nth}", std::process::id())
}

impl Drop for Database {
    fn drop(&mut self) {
        let dropped = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let (done, ended) = std::sync::mpsc::channel();
        drop(RUNTIME.spawn(async move {
            // The cluster goes at the end of the run, and everything in it.
            admin().await.batch_execute(&dropped).await.ok();
            done.send(()).ok();
        }));
        ended.recv_timeout(PATIENCE).ok();
    }
}

/// As every other ledger, to the row: settled events go at their time.
pub fn to_the_moment() -> Options {
    Options {
        kept_longer_max: Duration::ZERO,
        ..Options::default()
    }
}

/// The runtime that tests' ledgers work on: it goes on though a test's own stands still or pauses its clock.
pub fn runtime() -> &'static Runtime {
    &RUNTIME
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("postgres")
        .enable_all()
        .build()
        .unwrap()
});

async fn on_runtime<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    RUNTIME.spawn(work).await.unwrap()
}

/// The migrated database that all are copied from; made by whoever comes first.
async fn template() -> String {
    let name = format!("template_{:x}", Ledger::schema_fingerprint());
    let admin = admin().await;
    let run = |statement: String| {
        let admin = &admin;
        async move { admin.batch_execute(&statement).await.unwrap() }
    };
    run(format!("SELECT pg_advisory_lock({LOCK})")).await;
    let exists = admin
        .query_one(
            "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)",
            &[&name],
        )
        .await
        .unwrap();
    if !exists.get::<_, bool>(0) {
        // Not under its name before it is whole.
        let making = format!("{name}_in_the_making");
        run(format!("DROP DATABASE IF EXISTS {making} WITH (FORCE)")).await;
        run(format!("CREATE DATABASE {making}")).await;
        let empty = server().database(&making);
        Ledger::migrate(&empty, Options::default(), RUNTIME.handle())
            .await
            .unwrap();
        run(format!("ALTER DATABASE {making} RENAME TO {name}")).await;
    }
    run(format!("SELECT pg_advisory_unlock({LOCK})")).await;
    name
}

async fn admin() -> tokio_postgres::Client {
    connect(None).await
}

async fn connect(database: Option<&str>) -> tokio_postgres::Client {
    let mut config: tokio_postgres::Config = address().parse().unwrap();
    if let Some(database) = database {
        config.dbname(database);
    }
    let (client, connection) = config.connect(NoTls).await.unwrap();
    drop(RUNTIME.spawn(connection));
    client
}

fn server() -> Server {
    Server::parse(&address()).unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "where a test run has its database is not configuration of the product"
)]
fn address() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| {
        panic!(
            "{VARIABLE} is not set: this test needs PostgreSQL. `./test` starts one; by hand: \
             `cargo xtask postgres`, and set what it prints"
        )
    })
}

/// Where the run's cluster is.
pub const VARIABLE: &str = "OYEZ_TEST_POSTGRES";

/// Whoever makes the template holds this advisory lock.
const LOCK: u32 = 7_777;

const PATIENCE: Duration = Duration::from_secs(10);
