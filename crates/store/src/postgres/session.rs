//! One connection, its prepared statements, and what is known of its state.
//!
//! Statements that are asked for without waiting in between are sent together, in their order: that is the driver's
//! pipelining. Each is a unit of its own to the server, so after a fault those behind it fail too, and a COMMIT among them
//! commits nothing: a transaction went through only if every answer in it is good.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Connection, Row, Socket, Statement};
use tokio_util::sync::CancellationToken;

use super::errors::{contradiction, fault, is_cut, spoils};
use super::migrations;
use super::mishap::{LastMishap, Mishap};
use super::options::Options;
use super::patience::Patience;
use super::server::{Handshake, Private, Server};
use super::tasks::Tasks;
use super::writing::Write;
use crate::Error;

/// What a statement is given.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection to the database.
pub(super) struct Session {
    client: Client,
    statements: Mutex<HashMap<String, Statement>>,
    /// A transaction was begun and its end not heard.
    is_open: AtomicBool,
    /// It is of no use any more.
    is_spoilt: AtomicBool,
    /// COMMIT was sent, and nothing was heard of it so far.
    is_unheard: AtomicBool,
    /// What its last fault was.
    mishap: LastMishap,
    patience: Patience,
    /// Cancelled, the connection ends, whatever is on its way.
    hang_up: CancellationToken,
}

impl Session {
    /// Connects, and sets what all statements go by.
    pub(super) async fn open(
        server: &Server,
        options: &Options,
        tasks: &Tasks,
    ) -> Result<Self, Error> {
        let (client, connection) = connect(server, options).await?;
        let hang_up = CancellationToken::new();
        let hung_up = hang_up.clone();
        tasks.connection(async move {
            // Whoever asks on it hears that it ended, and why.
            hung_up.run_until_cancelled(connection).await;
        });
        let session = Self {
            client,
            statements: Mutex::default(),
            is_open: AtomicBool::new(false),
            is_spoilt: AtomicBool::new(false),
            is_unheard: AtomicBool::new(false),
            mishap: LastMishap::default(),
            patience: Patience::of(options),
            hang_up,
        };
        session.run(&settings(options)).await?;
        Ok(session)
    }

    /// Whether another request may use it.
    pub(super) fn is_sound(&self) -> bool {
        !(self.client.is_closed()
            || self.is_open.load(Ordering::Relaxed)
            || self.is_spoilt.load(Ordering::Relaxed))
    }

    /// Whether a transaction was begun that may still be rolled back.
    pub(super) fn is_in_transaction(&self) -> bool {
        self.is_open.load(Ordering::Relaxed) && !self.is_unheard() && !self.client.is_closed()
    }

    /// Whether COMMIT was sent and nothing heard of it: the database may be waiting for its standby.
    pub(super) fn is_unheard(&self) -> bool {
        self.is_unheard.load(Ordering::Relaxed)
    }

    /// Waits until what was sent is answered, and says whether the session can go on.
    pub(super) async fn hear(&self) -> bool {
        let heard = self.client.batch_execute("ROLLBACK").await.is_ok();
        self.is_unheard.store(!heard, Ordering::Relaxed);
        self.is_open.store(!heard, Ordering::Relaxed);
        heard
    }

    /// Ends the connection, whatever is on its way.
    pub(super) fn hang_up(&self) {
        self.is_spoilt.store(true, Ordering::Relaxed);
        self.hang_up.cancel();
    }

    /// The statements of this transaction may run for so long.
    pub(super) async fn take_its_time(&self, time_max: Duration) -> Result<(), Error> {
        self.patience.grow(time_max);
        self.run(&format!(
            "SET LOCAL statement_timeout = {}",
            time_max.as_millis()
        ))
        .await
    }

    /// All statements may take what they take, and wait for what they wait for.
    pub(super) async fn take_any_time(&self) -> Result<(), Error> {
        self.patience.never_end();
        self.run("SET statement_timeout = 0; SET lock_timeout = 0")
            .await
    }

    /// What its last fault was, since its last transaction began.
    pub(super) fn mishap(&self) -> Mishap {
        self.mishap.read()
    }

    /// Lets go of statements if they are many. Not while somebody works with them: what was prepared to be sent together must
    /// still be there when it is.
    pub(super) fn tidy(&self) {
        let mut prepared = self.prepared();
        if prepared.len() > STATEMENTS_MAX {
            prepared.clear();
        }
    }

    /// All rows.
    pub(super) async fn rows(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.statement(sql).await?;
        let rows = Box::pin(self.client.query(&statement, values));
        self.answered(rows).await
    }

    /// The row, if there is one.
    pub(super) async fn row(&self, sql: &str, values: Values<'_>) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// The row that must be there.
    pub(super) async fn one(&self, sql: &str, values: Values<'_>) -> Result<Row, Error> {
        let row = self.row(sql, values).await?;
        row.ok_or_else(|| contradiction(format!("a row is missing: {}", sql.trim())))
    }

    /// How many rows were changed.
    pub(super) async fn execute(&self, sql: &str, values: Values<'_>) -> Result<u64, Error> {
        let statement = self.statement(sql).await?;
        let changed = Box::pin(self.client.execute(&statement, values));
        self.answered(changed).await
    }

    /// Statements without values or answers, prepared nowhere.
    pub(super) async fn run(&self, sql: &str) -> Result<(), Error> {
        self.answered(Box::pin(self.client.batch_execute(sql)))
            .await
    }

    /// Fills a table: a statement `COPY … FROM STDIN (FORMAT binary)`, and rows of these types.
    pub(super) async fn load(
        &self,
        sql: &str,
        types: &[Type],
        rows: &[Vec<Box<dyn ToSql + Sync + Send>>],
    ) -> Result<u64, Error> {
        let loaded = async {
            let sink = self.client.copy_in(sql).await?;
            let mut writer = pin!(BinaryCopyInWriter::new(sink, types));
            for row in rows {
                let values: Vec<&(dyn ToSql + Sync)> =
                    row.iter().map(|value| &**value as _).collect();
                writer.as_mut().write(&values).await?;
            }
            writer.finish().await
        };
        self.answered(Box::pin(loaded)).await
    }

    /// Begins a transaction; may be asked together with the first statements in it.
    pub(super) async fn begin(&self) -> Result<(), Error> {
        self.patience.begin_anew();
        self.mishap.note(Mishap::Plain);
        self.is_open.store(true, Ordering::Relaxed);
        self.run("BEGIN").await
    }

    /// Begins to read what stands at this moment, whatever others write meanwhile.
    pub(super) async fn begin_snapshot(&self) -> Result<(), Error> {
        self.patience.begin_anew();
        self.mishap.note(Mishap::Plain);
        self.is_open.store(true, Ordering::Relaxed);
        self.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
    }

    /// Ends it. What went before must have gone well: the server would roll it back without a word.
    pub(super) async fn commit(&self) -> Result<(), Error> {
        self.committed(self.client.batch_execute("COMMIT")).await
    }

    /// Sends all of these and COMMIT in one message. Whatever fails, nothing is committed; where the connection breaks, nobody
    /// knows.
    pub(super) async fn commit_with(&self, writes: &[Write]) -> Result<(), Error> {
        let mut flight: Vec<Sent<'_>> = Vec::with_capacity(writes.len() + 1);
        for write in writes {
            let statement = self.statement(write.sql).await?;
            flight.push(Box::pin(async move {
                let done = self.client.execute(&statement, &write.values()).await;
                done.map(drop)
            }));
        }
        flight.push(Box::pin(self.client.batch_execute("COMMIT")));
        // So few futures are asked in their order, which is the order they are sent in.
        self.committed(futures_util::future::try_join_all(flight))
            .await
    }

    /// Prepares statements that are to be sent together: one that was not would be overtaken by those that are.
    pub(super) async fn prepare(&self, statements: &[&str]) -> Result<(), Error> {
        for sql in statements {
            self.statement(sql).await?;
        }
        Ok(())
    }

    /// Ends it as if it had not been. Where that fails the connection goes, and the transaction with it.
    pub(super) async fn roll_back(&self) {
        if self.is_in_transaction() && self.run("ROLLBACK").await.is_ok() {
            self.is_open.store(false, Ordering::Relaxed);
        }
    }

    /// Prepares a statement, or finds it prepared.
    pub(super) async fn statement(&self, sql: &str) -> Result<Statement, Error> {
        if let Some(statement) = self.prepared().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.answered(Box::pin(self.client.prepare(sql))).await?;
        self.prepared().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Whether a statement is prepared.
    #[cfg(test)]
    pub(super) fn has_prepared(&self, sql: &str) -> bool {
        self.prepared().contains_key(sql)
    }

    fn prepared(&self) -> std::sync::MutexGuard<'_, HashMap<String, Statement>> {
        self.statements
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What was asked, answered in time.
    async fn answered<T>(
        &self,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        match self.patience.wait(asked).await {
            Ok(answer) => answer.map_err(|error| self.fault(&error)),
            Err(silence) => {
                self.hang_up();
                Err(Error::Unavailable {
                    detail: silence.to_string(),
                })
            }
        }
    }

    /// What ends with COMMIT. No bound of the database's ends its wait for a standby that is away, and none should. Whoever
    /// waits for too long is told that nobody knows; the session goes on waiting ([`Session::hear`]).
    async fn committed<T>(
        &self,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<(), Error> {
        match self.patience.wait(asked).await {
            Ok(Ok(_)) => {
                self.is_open.store(false, Ordering::Relaxed);
                Ok(())
            }
            Ok(Err(error)) => Err(self.commit_fault(&error)),
            Err(silence) => {
                self.is_unheard.store(true, Ordering::Relaxed);
                Err(Error::InDoubt {
                    detail: silence.to_string(),
                })
            }
        }
    }

    fn commit_fault(&self, error: &tokio_postgres::Error) -> Error {
        let is_cut = is_cut(error);
        let fault = self.fault(error);
        if is_cut { in_doubt(&fault) } else { fault }
    }

    fn fault(&self, error: &tokio_postgres::Error) -> Error {
        let mishap = Mishap::of(error);
        self.mishap.note(mishap);
        if mishap == Mishap::Stale || spoils(error) {
            self.is_spoilt.store(true, Ordering::Relaxed);
        }
        fault(error)
    }
}

/// Connects: whoever gets this drives the connection.
pub(super) async fn connect(
    server: &Server,
    options: &Options,
) -> Result<(Client, Connection<Socket, Private>), Error> {
    let mut config = server.config.clone();
    config.connect_timeout(options.connect_time_max);
    config.application_name(application_name());
    let hosts = u32::try_from(config.get_hosts().len()).unwrap_or(u32::MAX);
    // The driver bounds each host's connect, but not what the host then says.
    let time_max = options.connect_time_max.saturating_mul(hosts + 1);
    let connected = timeout(time_max, config.connect(Handshake(server.secure.clone()))).await;
    let connected = connected.map_err(|_| Error::Unavailable {
        detail: format!("no host answered within {} ms", time_max.as_millis()),
    })?;
    connected.map_err(|error| fault(&error))
}

/// A statement on its way.
type Sent<'a> = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send + 'a>>;

/// The connection broke while the database was committing.
fn in_doubt(fault: &Error) -> Error {
    Error::InDoubt {
        detail: fault.to_string(),
    }
}

/// Every statement is written for the walks along indexes that it makes, so it is planned once and without regard to what its
/// values are or how large a table was when somebody last looked: a queue that was empty at night has the same plans at noon.
/// How they are written for it: [`super::plans`]. What is switched off counts as immensely dear, and would be shared by workers
/// that take fifteen milliseconds to start: none are.
pub(super) fn settings(options: &Options) -> String {
    let ms = |time: Duration| time.as_millis().max(1);
    format!(
        "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {};
         SET default_transaction_isolation = 'read committed'; SET client_min_messages = warning; SET jit = off;
         SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off;
         SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off;
         SET enable_sort = off; SET enable_incremental_sort = off; SET max_parallel_workers_per_gather = 0;
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')",
        ms(options.statement_time_max),
        ms(options.lock_time_max),
        ms(IDLE_IN_TRANSACTION_MAX),
    )
}

/// What the database's own views call us. A step of the schema that would leave older binaries behind looks for theirs.
fn application_name() -> String {
    format!("oyez schema {}", migrations::newest())
}

/// We never pause in a transaction: a node that stops in one is dead or frozen, and must not hold a TPP's lock for long.
const IDLE_IN_TRANSACTION_MAX: Duration = Duration::from_secs(10);

/// More than we have, counting each way to list events; a bound for what is put together from pieces.
pub(super) const STATEMENTS_MAX: usize = 512;
