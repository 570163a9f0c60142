//! The parts that history is kept in, by time: four weeks each, so that the retention of some months drops a part now and then,
//! and a question that concerns all parts asks a handful.
//!
//! Parts are made before they are needed; who comes with a time that has none makes it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use oyez_domain::ids::Jti;
use oyez_domain::time::Timestamp;
use uuid::Uuid;

use super::rights;
use super::session::Session;
use crate::Error;

/// The parts that this node knows to be there.
#[derive(Default)]
pub(super) struct Partitions(Mutex<BTreeSet<Span>>);

/// Four weeks, counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span(i64);

impl Span {
    /// The span of a moment.
    pub(super) fn of(at: Timestamp) -> Self {
        Self(at.unix_ms().clamp(0, LAST_MS) / SPAN_MS)
    }

    /// The span of a jti: its first 48 bits are its moment.
    pub(super) fn of_jti(jti: Jti) -> Self {
        let mut ms = [0; 8];
        ms[2..].copy_from_slice(&jti.as_bytes()[..6]);
        Self::of(Timestamp::from_unix_ms(i64::from_be_bytes(ms)))
    }

    /// The next one.
    pub(super) const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// When it begins.
    pub(super) const fn start(self) -> Timestamp {
        Timestamp::from_unix_ms(self.0 * SPAN_MS)
    }

    /// The name of a table's part: `events_20261105`.
    pub(super) fn part_of(self, table: &str) -> String {
        let day: String = self.start().to_string();
        let day = day.split('T').next().unwrap_or_default();
        let day: String = day.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("{table}_{day}")
    }

    /// The span that a table's part is for.
    pub(super) fn of_part(table: &str, part: &str) -> Option<Self> {
        let day = part.strip_prefix(table)?.strip_prefix('_')?;
        let (year, rest) = day.split_at_checked(4)?;
        let (month, day) = rest.split_at_checked(2)?;
        let start = format!("{year}-{month}-{day}T00:00:00Z").parse().ok()?;
        Some(Self::of(start))
    }

    /// From where and to where, as SQL says it.
    fn bounds(self, key: Of) -> (String, String) {
        let is_last = self.next().start().unix_ms() > LAST_MS;
        let at = |span: Self| match key {
            Of::Jti => format!("'{}'", span.first_jti()),
            Of::Moment => span.start().unix_ms().to_string(),
        };
        let to = if is_last {
            "MAXVALUE".to_owned()
        } else {
            at(self.next())
        };
        (at(self), to)
    }

    /// The statements that make a table's part.
    pub(super) fn making(self, table: &str, key: Of) -> String {
        let (part, (from, to)) = (self.part_of(table), self.bounds(key));
        format!(
            "CREATE TABLE {part} (LIKE {table} INCLUDING DEFAULTS INCLUDING STORAGE)
                WITH (toast_tuple_target = {WHOLE_ROW_BYTES});
            ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES FROM ({from}) TO ({to});"
        )
    }

    /// The least jti that it can have; of the version's bits too, so that nothing lies between two spans.
    pub(super) fn first_jti(self) -> Uuid {
        let ms = self.start().unix_ms().to_be_bytes();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&ms[2..]);
        Uuid::from_bytes(bytes)
    }
}

impl Partitions {
    /// Sees to it that these spans have their parts.
    pub(super) async fn make(
        &self,
        db: &Session,
        spans: impl IntoIterator<Item = Span>,
    ) -> Result<(), Error> {
        let missing: BTreeSet<Span> = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let spans = spans.into_iter();
            spans.filter(|span| !known.contains(span)).collect()
        };
        for span in missing {
            make(db, span).await?;
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(span);
        }
        Ok(())
    }

    /// Somebody may have dropped parts: none is taken for granted any more.
    pub(super) fn forget(&self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.clear();
    }
}

/// Makes the parts of a span where they are missing. A part is made whole and then attached, which waits for nobody who reads
/// or writes the others.
async fn make(db: &Session, span: Span) -> Result<(), Error> {
    db.begin().await?;
    let made = make_missing(db, span).await;
    match made {
        Ok(()) => db.commit().await,
        Err(error) => {
            db.roll_back().await;
            Err(error)
        }
    }
}

async fn make_missing(db: &Session, span: Span) -> Result<(), Error> {
    db.rows(ALONE, &[&MAKING]).await?;
    rights::act_as_owner(db).await?;
    for (table, key) in TABLES {
        let part = span.part_of(table);
        if db.row(EXISTS, &[&part]).await?.is_some() {
            continue;
        }
        db.run(&span.making(table, key)).await?;
    }
    Ok(())
}

/// What a table of history is partitioned by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Jti,
    Moment,
}

/// The tables of history.
pub(super) const TABLES: [(&str, Of); 8] = [
    ("events", Of::Jti),
    ("sets", Of::Jti),
    ("superseded_sets", Of::Jti),
    ("hand_outs", Of::Jti),
    ("set_errors", Of::Jti),
    ("attempts", Of::Jti),
    ("settlements", Of::Jti),
    ("polls", Of::Moment),
];

const SPAN_MS: i64 = 28 * 24 * 3_600 * 1_000;

/// What the 48 bits of a jti can say.
const LAST_MS: i64 = (1 << 48) - 1;

/// The advisory lock of whoever makes parts or drops them: any number that is nobody else's.
pub(super) const MAKING: i64 = 0x6f79_657a_7061_7274;

/// A SET stays in its row, where it is found with one look; it would go elsewhere in pieces from 2 KB on.
const WHOLE_ROW_BYTES: u32 = 8_160;

const ALONE: &str = "SELECT pg_advisory_xact_lock($1)";

const EXISTS: &str = "
    SELECT 1 FROM pg_class WHERE relname = $1::text AND relnamespace = current_schema()::regnamespace";
