//! A benchmark's database: made for it and dropped after, given a past (see [`crate::rehearsal`]), and asked how it is.

use std::iter;
use std::ops::Range;

use oyez_domain::ids::ClientId;
use oyez_domain::life::{Acknowledged, Outcome};
use tokio::runtime::Handle;

use super::errors::expect_rows;
use super::options::Options;
use super::partitions::{Partitions, Span};
use super::server::Server;
use super::session::Session;
use super::tasks::Tasks;
use crate::Error;
use crate::codes::outcome_code;
use crate::error::contradiction;
use crate::rehearsal::{CLIENT, Left, Outline, POLLED_AT_ONCE, Past, RESOURCE};

/// A connection of a benchmark's own, beside those of any ledger.
pub struct Stage(Session);

/// What a database says of its tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tables {
    /// All of the database.
    pub bytes: u64,
    /// Outstanding events, with their indexes.
    pub outstanding_bytes: u64,
    /// Of those, rows that are gone and that vacuum has not taken away, as far as statistics know.
    pub outstanding_dead: u64,
    /// The TPPs' rows, with their index.
    pub queues_bytes: u64,
    /// As of the outstanding.
    pub queues_dead: u64,
}

impl Stage {
    /// Connects. Its statements may take what they take.
    pub async fn open(server: &Server, runtime: &Handle) -> Result<Self, Error> {
        let db = Session::open(server, &Options::default(), &Tasks::on(runtime)).await?;
        db.take_any_time().await?;
        Ok(Self(db))
    }

    /// Whether there is a database of this name.
    pub async fn has(&self, name: &str) -> Result<bool, Error> {
        Ok(self.0.row(EXISTS, &[&name]).await?.is_some())
    }

    /// Makes an empty database; there must be none of this name.
    pub async fn make(&self, name: &str) -> Result<(), Error> {
        self.0
            .run(&format!("CREATE DATABASE {}", quoted(name)))
            .await
    }

    /// Drops a database, whoever is connected to it.
    pub async fn drop(&self, name: &str) -> Result<(), Error> {
        let name = quoted(name);
        self.0
            .run(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .await
    }

    /// The process that serves this connection, on the server's machine.
    pub async fn process(&self) -> Result<u32, Error> {
        let process: i32 = self
            .0
            .one("SELECT pg_backend_pid()", &[])
            .await?
            .try_get(0)?;
        u32::try_from(process).map_err(|_| contradiction(format!("process {process}")))
    }

    /// Where the server keeps its data, if it tells us.
    pub async fn data_directory(&self) -> Option<String> {
        let told = self.0.one("SELECT current_setting('data_directory')", &[]);
        told.await.ok()?.try_get(0).ok()
    }

    /// How its tables are.
    pub async fn tables(&self) -> Result<Tables, Error> {
        let row = self.0.one(TABLES, &[]).await?;
        let told = |column: usize| -> Result<u64, Error> {
            let number: i64 = row.try_get(column)?;
            Ok(u64::try_from(number).unwrap_or_default())
        };
        Ok(Tables {
            bytes: told(0)?,
            outstanding_bytes: told(1)?,
            outstanding_dead: told(2)?,
            queues_bytes: told(3)?,
            queues_dead: told(4)?,
        })
    }

    /// Writes a past into the ledger of this database, which nobody works with; tells how many events each step wrote.
    pub async fn rehearse(&self, past: &Past, mut done: impl FnMut(u64)) -> Result<(), Error> {
        let (db, outline) = (&self.0, Outline::of(past));
        make_parts(db, past).await?;
        let kind = self.kind(&outline.types).await?;
        self.enter_whose(past).await?;
        for step in outline.steps() {
            db.begin().await?;
            self.step(past.left, &outline, kind, &step).await?;
            db.commit().await?;
            done(u64::try_from(step.end - step.start).unwrap_or_default());
        }
        let acknowledged = past.left != Left::Outstanding;
        db.execute(
            QUEUES,
            &[
                &outline.events,
                &outline.tpps,
                &acknowledged,
                &POLLED_AT_ONCE,
            ],
        )
        .await?;
        if past.left == Left::Outstanding {
            let until = past.over.end.unix_ms();
            db.execute(WAITING, &[&kind, &until]).await?;
        }
        db.run("DROP TABLE past; DROP TABLE whose").await
    }

    /// As vacuum would have left it long ago: a measurement must not pay for it.
    pub async fn settle_down(&self) -> Result<(), Error> {
        self.0.run("VACUUM (ANALYZE)").await?;
        // Who may not ask for it has it done sooner or later.
        self.0.run("CHECKPOINT").await.or_else(|error| match error {
            Error::ReadOnly { .. } => Ok(()),
            other => Err(other),
        })
    }

    async fn step(
        &self,
        left: Left,
        outline: &Outline,
        kind: i32,
        step: &Range<i64>,
    ) -> Result<(), Error> {
        let db = &self.0;
        let family = i16::try_from(outline.family).unwrap_or_default();
        db.run("TRUNCATE past").await?;
        db.execute(
            STEP,
            &[
                &step.start,
                &step.end,
                &outline.from_ms,
                &outline.span_ms,
                &outline.events,
                &outline.tpps,
                &outline.mark,
                &POLLED_AT_ONCE,
            ],
        )
        .await?;
        db.execute(
            EVENTS,
            &[&kind, &family, &outline.notice, &CLIENT, &RESOURCE],
        )
        .await?;
        match left {
            Left::History { set_bytes } => {
                let outcome = outcome_code(Outcome::Acknowledged(Acknowledged::Poll));
                let outcome = i16::try_from(outcome).unwrap_or_default();
                db.execute(SETS, &[&"x".repeat(set_bytes)]).await?;
                db.execute(POLLS, &[]).await?;
                db.execute(HAND_OUTS, &[]).await?;
                db.execute(SETTLEMENTS, &[&outcome]).await?;
            }
            Left::Outstanding => {
                db.execute(OUTSTANDING, &[&kind, &family]).await?;
            }
        }
        Ok(())
    }

    /// The number of the one kind that all of it is of.
    async fn kind(&self, types: &str) -> Result<i32, Error> {
        let make = "INSERT INTO kinds (types) VALUES ($1) ON CONFLICT DO NOTHING";
        self.0.execute(make, &[&types]).await?;
        let find = "SELECT kind FROM kinds WHERE types = $1";
        Ok(self.0.one(find, &[&types]).await?.try_get(0)?)
    }

    /// The TPPs, counted from 0.
    async fn enter_whose(&self, past: &Past) -> Result<(), Error> {
        self.0.run(TEMPORARY).await?;
        let names: Vec<&str> = past.whose.iter().map(ClientId::as_str).collect();
        let entered = self.0.execute(WHOSE, &[&names]).await?;
        expect_rows(entered, names.len() as u64, "entering TPPs without a past")
    }
}

async fn make_parts(db: &Session, past: &Past) -> Result<(), Error> {
    let last = Span::of(past.over.end).next();
    let spans = iter::successors(Some(Span::of(past.over.start)), |span| Some(span.next()));
    let spans = spans.take_while(|span| *span <= last);
    Partitions::default().make(db, spans).await
}

/// A name as SQL takes it, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

const EXISTS: &str = "SELECT 1 FROM pg_database WHERE datname = $1";

const TABLES: &str = "
    SELECT pg_database_size(current_database()),
        pg_total_relation_size(o.relid), o.n_dead_tup, pg_total_relation_size(q.relid), q.n_dead_tup
    FROM pg_stat_user_tables o, pg_stat_user_tables q WHERE o.relname = 'outstanding' AND q.relname = 'queues'";

const TEMPORARY: &str = "
    CREATE TEMP TABLE whose (nth bigint PRIMARY KEY, tpp bigint NOT NULL, client_id text NOT NULL);
    CREATE TEMP TABLE past (
        n bigint, tpp bigint, client_id text, position bigint, jti uuid, at bigint, poll bigint, polled_at bigint)";

const WHOSE: &str = "
    INSERT INTO whose
    SELECT a.nth - 1, t.tpp, t.client_id FROM unnest($1::text[]) WITH ORDINALITY a (client_id, nth)
    JOIN tpps t ON t.client_id = a.client_id JOIN queues q ON q.tpp = t.tpp AND q.accepted = 0";

// A poll is of so many events of one TPP, which are as far apart as there are TPPs.
const STEP: &str = "
    INSERT INTO past
    SELECT p.n, w.tpp, w.client_id, p.n / $6 + 1,
        (lpad(to_hex(p.at), 12, '0') || $7::text || '8' || lpad(to_hex(p.n), 15, '0'))::uuid, p.at,
        p.n / ($6 * $8) + 1, max(p.at) OVER (PARTITION BY p.n / ($6 * $8)) + 1
    FROM (SELECT n, $3::bigint + $4::bigint * n / $5::bigint AS at FROM generate_series($1::bigint, $2::bigint - 1) n) p
    JOIN whose w ON w.nth = p.n % $6::bigint";

const EVENTS: &str = "
    INSERT INTO events (tpp, jti, position, accepted_at, kind, family, resource_id, notice)
    SELECT tpp, jti, position, at, $1::integer, $2::smallint, 'past-' || n,
        replace(replace($3::text, $4::text, client_id), $5::text, 'past-' || n)
    FROM past";

const OUTSTANDING: &str = "
    INSERT INTO outstanding (tpp, position, jti, accepted_at, due_at, kind, family)
    SELECT tpp, position, jti, at, at, $1::integer, $2::smallint FROM past";

const SETS: &str = "
    INSERT INTO sets (tpp, jti, kept_at, kid, jws) SELECT tpp, jti, at + 1, 'past', $1::text FROM past";

const POLLS: &str = "
    INSERT INTO polls (tpp, entry, at, interaction_id, jtis)
    SELECT tpp, poll, polled_at, 'past-' || tpp || '-' || poll, array_agg(jti) FROM past GROUP BY tpp, poll, polled_at";

const HAND_OUTS: &str =
    "INSERT INTO hand_outs (tpp, jti, poll, at) SELECT tpp, jti, poll, polled_at FROM past";

const SETTLEMENTS: &str = "
    INSERT INTO settlements (tpp, jti, ends, outcome, at) SELECT tpp, jti, 0, $1::smallint, polled_at + 1000 FROM past";

const QUEUES: &str = "
    UPDATE queues q SET accepted = w.had, acknowledged = CASE WHEN $3::boolean THEN w.had ELSE 0 END,
        entries = CASE WHEN $3::boolean THEN (w.had + $4::bigint - 1) / $4::bigint ELSE 0 END
    FROM (SELECT tpp, ($1::bigint - nth + $2::bigint - 1) / $2::bigint AS had FROM whose) w WHERE w.tpp = q.tpp";

const WAITING: &str = "
    UPDATE queues q SET kinds = ARRAY[$1::integer], kinds_from = ARRAY[1::bigint], unlisted_from = 1,
        accepted_until = $2::bigint
    FROM whose w WHERE w.tpp = q.tpp";
