//! The tables of a ledger, as both backends can tell them.
//!
//! Whoever adds a table or a column to a schema finds a test failing here until a copy takes it along, or is told why not
//! (`LEFT` in each backend's `copying`).

use super::value::{Row, Value};

/// A table: its columns, of which the first ones are its key.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// How many columns are its key.
    pub(crate) key: usize,
    pub(crate) columns: &'static [Column],
    pub(crate) growth: Growth,
}

/// Whether a copy may have more rows than its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growth {
    Fixed,
    MayGrow,
}

#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) sameness: Sameness,
}

/// What stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Int,
    Text,
    Bytes,
    Jti,
    Ints,
    Jtis,
}

/// Whether a column is the same on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sameness {
    Kept,
    /// A number that a database draws for itself: it says in which order rows came, and that stays.
    DrawnAnew,
}

impl Table {
    /// What must be the same on both sides.
    pub(super) fn compared<'a>(&'static self, row: &'a Row) -> impl Iterator<Item = &'a Value> {
        let columns = self.columns.iter().zip(row);
        columns
            .filter(|(column, _)| column.sameness == Sameness::Kept)
            .map(|(_, value)| value)
    }

    /// The part of its key that must be the same on both sides.
    pub(super) fn key_of<'a>(&'static self, row: &'a Row) -> impl Iterator<Item = &'a Value> {
        let columns = self.columns.iter().zip(row).take(self.key);
        columns
            .filter(|(column, _)| column.sameness == Sameness::Kept)
            .map(|(_, value)| value)
    }
}

const fn column(name: &'static str, form: Form) -> Column {
    Column {
        name,
        form,
        sameness: Sameness::Kept,
    }
}

const fn int(name: &'static str) -> Column {
    column(name, Form::Int)
}

const fn text(name: &'static str) -> Column {
    column(name, Form::Text)
}

const fn jti() -> Column {
    column("jti", Form::Jti)
}

/// A number that each database draws for itself.
const fn drawn(name: &'static str) -> Column {
    Column {
        name,
        form: Form::Int,
        sameness: Sameness::DrawnAnew,
    }
}

const fn table(name: &'static str, key: usize, columns: &'static [Column]) -> Table {
    Table {
        name,
        key,
        columns,
        growth: Growth::Fixed,
    }
}

/// All of them, each after those that it speaks of.
pub(crate) const TABLES: &[&Table] = &[
    &TPPS,
    &KINDS,
    &QUEUES,
    &REGISTRATIONS,
    &DISOWNED_KEYS,
    &MINUTES,
    &AUDIT,
    &AUDIT_HEADS,
    &REQUESTS,
    &HEALTH_CHANGES,
    &NODES,
    &LANES,
    &IDEMPOTENCY,
    &EVENTS,
    &SETS,
    &SUPERSEDED_SETS,
    &POLLS,
    &HAND_OUTS,
    &SET_ERRORS,
    &ATTEMPTS,
    &SETTLEMENTS,
    &OUTSTANDING,
    &FAILED,
];

static TPPS: Table = table(
    "tpps",
    1,
    &[
        int("tpp"),
        text("client_id"),
        text("profile"),
        int("own_order"),
        int("disabled_at"),
        text("disabled_reason"),
        int("registered_at"),
        int("changed_at"),
    ],
);

/// A target may need kinds that its source never listed: an old ledger has none for what was settled long ago.
static KINDS: Table = Table {
    growth: Growth::MayGrow,
    ..table("kinds", 1, &[int("kind"), text("types")])
};

/// With which kinds may be outstanding, in the order of their numbers.
static QUEUES: Table = table(
    "queues",
    1,
    &[
        int("tpp"),
        int("revision"),
        int("begun"),
        int("accepted"),
        int("acknowledged"),
        int("failed"),
        int("expired"),
        int("withdrawn"),
        int("unlisted_from"),
        int("seen_at"),
        column("kinds", Form::Ints),
        column("kinds_from", Form::Ints),
        drawn("entries"),
        drawn("accepted_until"),
    ],
);

static REGISTRATIONS: Table = table(
    "registrations",
    2,
    &[
        int("tpp"),
        int("kind"),
        text("id"),
        text("wish"),
        text("api"),
        int("created_at"),
        int("changed_at"),
    ],
);

static DISOWNED_KEYS: Table = table("disowned_keys", 1, &[text("kid"), int("disowned_at")]);

static MINUTES: Table = table(
    "minutes",
    2,
    &[
        int("tpp"),
        int("minute"),
        int("accepted"),
        int("handed_out"),
        int("pushed"),
        int("acknowledged"),
        int("failed"),
        int("expired"),
        int("withdrawn"),
    ],
);

static AUDIT: Table = table(
    "audit",
    1,
    &[
        int("sequence"),
        int("at"),
        text("actor"),
        text("action"),
        int("tpp"),
        text("before"),
        text("after"),
        int("number"),
        column("hash", Form::Bytes),
    ],
);

static AUDIT_HEADS: Table = table(
    "audit_heads",
    1,
    &[int("chain"), int("number"), column("hash", Form::Bytes)],
);

static REQUESTS: Table = table(
    "requests",
    3,
    &[
        int("tpp"),
        int("at"),
        text("interaction_id"),
        text("operation"),
        int("status"),
        text("error_code"),
        int("took_ms"),
    ],
);

static HEALTH_CHANGES: Table = table(
    "health_changes",
    3,
    &[
        int("tpp"),
        int("at"),
        int("health"),
        int("failures"),
        text("reason"),
    ],
);

/// Without their leases, which end: nobody works with a ledger that is copied. A node that comes back under its name goes on
/// counting.
static NODES: Table = table(
    "nodes",
    1,
    &[text("node_id"), int("epoch"), int("expires_at")],
);

static LANES: Table = table(
    "lanes",
    1,
    &[
        int("tpp"),
        int("claim"),
        int("since"),
        int("declared_at"),
        int("next_probe_at"),
        int("wake_at"),
        int("news_at"),
        int("epoch"),
        int("failures"),
        int("health"),
        text("owner"),
        text("reason"),
    ],
);

static IDEMPOTENCY: Table = table(
    "idempotency",
    2,
    &[
        int("tpp"),
        text("key"),
        column("fingerprint", Form::Bytes),
        jti(),
        int("accepted_at"),
    ],
);

/// With the family and the types, which one of the backends reads from the notice.
static EVENTS: Table = table(
    "events",
    2,
    &[
        int("tpp"),
        jti(),
        int("position"),
        int("accepted_at"),
        int("family"),
        text("types"),
        text("resource_id"),
        text("txn"),
        text("notice"),
    ],
);

static SETS: Table = table(
    "sets",
    2,
    &[int("tpp"), jti(), int("kept_at"), text("kid"), text("jws")],
);

static SUPERSEDED_SETS: Table = table(
    "superseded_sets",
    3,
    &[
        int("tpp"),
        jti(),
        int("nth"),
        int("kept_at"),
        text("kid"),
        text("jws"),
    ],
);

/// With the events that a poll handed out or reported against. Those that are gone are not named.
static POLLS: Table = table(
    "polls",
    2,
    &[
        int("tpp"),
        drawn("entry"),
        int("at"),
        text("interaction_id"),
        column("jtis", Form::Jtis),
    ],
);

/// With what the poll says, so that a row that leads to another poll is not the same.
static HAND_OUTS: Table = table(
    "hand_outs",
    3,
    &[
        int("tpp"),
        jti(),
        drawn("poll"),
        int("at"),
        text("interaction_id"),
    ],
);

static SET_ERRORS: Table = table(
    "set_errors",
    3,
    &[
        int("tpp"),
        jti(),
        drawn("entry"),
        drawn("poll"),
        int("at"),
        text("interaction_id"),
        text("err"),
        text("description"),
    ],
);

static ATTEMPTS: Table = table(
    "attempts",
    3,
    &[
        int("tpp"),
        jti(),
        drawn("entry"),
        int("started_at"),
        int("latency_ns"),
        int("again_at"),
        int("status"),
        int("verdict"),
        text("interaction_id"),
        text("address"),
        text("tls_version"),
        text("thumbprint"),
        column("body_head", Form::Bytes),
        text("deviation"),
        text("error_class"),
        text("error_detail"),
    ],
);

static SETTLEMENTS: Table = table(
    "settlements",
    3,
    &[
        int("tpp"),
        jti(),
        int("ends"),
        int("outcome"),
        int("superseded"),
        int("at"),
        text("actor"),
    ],
);

static OUTSTANDING: Table = table(
    "outstanding",
    2,
    &[
        int("tpp"),
        int("position"),
        jti(),
        int("accepted_at"),
        int("due_at"),
        int("push_at"),
        int("polled_until"),
        int("flight_until"),
        int("begun"),
        int("refused_since"),
        int("kind"),
        int("hand_outs"),
        int("errors"),
        int("ends"),
        int("refusals"),
        int("endpoint_failures"),
        int("family"),
    ],
);

static FAILED: Table = table(
    "failed",
    2,
    &[
        int("tpp"),
        int("position"),
        jti(),
        int("accepted_at"),
        int("kind"),
        int("ends"),
        int("family"),
    ],
);
