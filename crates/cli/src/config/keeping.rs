//! What is kept, where and for how long: the bank's keys and the ledger.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use oyez_domain::ids::NodeId;
use oyez_domain::tpp::HeaderProfile;

use super::form::{Choice, File, Span, parsed, whole};
use super::section::{Secret, default, optional, secret, section};
use super::text::DatabaseUrl;

section! {
    /// The bank's own signing keys and the tokens that they sign (M-06, T-07).
    Signing = "signing" {
        /// The directory of key files and their manifest; `oyez keys` writes it.
        keys: PathBuf = default(PathBuf::from("keys"), File("a directory"));
        /// The JOSE header of SETs: "openbanking" as the standard says; "jwt" or "rfc8417" for libraries that cannot read
        /// it. Can be overridden per TPP (T-07).
        header_profile: HeaderProfile = default(HeaderProfile::OpenBanking, Choice(&[
            ("openbanking", HeaderProfile::OpenBanking),
            ("jwt", HeaderProfile::Jwt),
            ("rfc8417", HeaderProfile::Rfc8417),
        ]));
        /// For how long TPPs may keep a copy of the key set. A new key is published twice as long before it signs.
        jwks_max_age: Duration = default(JWKS_MAX_AGE, Span(MINUTE..=7 * DAY));
        /// For how long a retired key stays published after nothing that it signed can be outstanding any more (M-06).
        retirement_margin: Duration = default(RETIREMENT_MARGIN, Span(HOUR..=400 * DAY));
    }
}

section! {
    /// The ledger: what must not be lost.
    Store = "store" {
        /// "sqlite" is embedded and needs nothing installed; one process uses it at a time. "postgres" is for any number of
        /// processes on one PostgreSQL, 14 or newer.
        backend: Backend = default(Backend::Sqlite,
            Choice(&[("sqlite", Backend::Sqlite), ("postgres", Backend::Postgres)]));
        /// SQLite: the file of the ledger.
        path: PathBuf = default(PathBuf::from("oyez.db"), File("a file"));
        /// PostgreSQL: where it is, without a password. Of several hosts the one that takes writes is used.
        url: Option<DatabaseUrl> = optional("\"postgresql://oyez@db1.bank.example,db2.bank.example/oyez\"", parsed(DATABASE));
        /// PostgreSQL: the password of the user that the URL names.
        password: Option<Secret> = secret("\"…\"", "\"store.password\"");
        /// PostgreSQL: "verify-full" asks for TLS and a certificate of the host's name; "off" speaks without TLS, for a network
        /// that nobody else is on. Sockets of this machine are used as they are.
        tls: DatabaseTls = default(DatabaseTls::VerifyFull,
            Choice(&[("verify-full", DatabaseTls::VerifyFull), ("off", DatabaseTls::Off)]));
        /// PostgreSQL: the authorities that its certificate is believed by, in PEM; without it, those of the system.
        trust_anchors: Option<PathBuf> = optional("\"database-ca.pem\"", File("certificates in PEM"));
        /// PostgreSQL: a client certificate with its chain, if it asks for one.
        certificate: Option<PathBuf> = optional("\"database-client.crt\"", File("certificates in PEM"));
        /// PostgreSQL: the key of the client certificate.
        key: Option<PathBuf> = optional("\"database-client.key\"", File("a private key in PEM"));
        /// PostgreSQL: connections of this process that requests share. Two more carry the news between processes.
        sessions: u32 = default(SESSIONS, whole(1..=512));
        /// PostgreSQL: how long one statement may run.
        statement_timeout: Duration = default(STATEMENT_TIMEOUT, Span(SECOND..=10 * MINUTE));
        /// PostgreSQL: the name of this process, which no other that shares the ledger has. One that keeps its name over a restart
        /// goes on with its pushes at once; without a name, others take them over when its lease is over.
        node: Option<NodeId> = optional("\"node-1\"", parsed("a name of 1 to 128 characters"));
        /// PostgreSQL: what a process that dies was pushing is taken over by another within about this time.
        takeover: Duration = default(TAKEOVER, Span(SECOND..=5 * MINUTE));
        /// PostgreSQL: settled events may be kept for so much longer than the retention says, so that four weeks of them can go
        /// at once; "0s" removes each at its time, row by row, which costs the database far more.
        retention_slack: Duration = default(RETENTION_SLACK, Span(Duration::ZERO..=400 * DAY));
        /// PostgreSQL: where processes listen to each other's news, if the URL leads to a pooler that does not carry it; with
        /// the same user and password.
        listen_url: Option<DatabaseUrl> = optional("\"postgresql://oyez@db1.bank.example:5432/oyez\"", parsed(DATABASE));
        /// PostgreSQL: a standby that lists of events, endpoints, minutes and the audit trail are read from, as long as it lags
        /// by 10 seconds at most; with the same user, password and TLS.
        replica_url: Option<DatabaseUrl> = optional("\"postgresql://oyez@db2.bank.example/oyez\"", parsed(DATABASE));
    }
}

section! {
    /// How long things are kept (I-02, I-06).
    Retention = "retention" {
        /// Events that nobody acknowledged expire after this, and are shown as expired. Under 30 days `oyez check` warns.
        unacknowledged: Duration = default(UNACKNOWLEDGED, Span(DAY..=3650 * DAY));
        /// Settled events with their attempts are deleted after this.
        settled: Duration = default(SETTLED, Span(DAY..=3650 * DAY));
        /// Idempotency keys of publishers are remembered for this long; at least a day.
        idempotency_keys: Duration = default(IDEMPOTENCY_KEYS, Span(DAY..=90 * DAY));
        /// Counts of events per minute and TPP are deleted after this.
        minutes: Duration = default(MINUTES, Span(DAY..=3650 * DAY));
    }
}

/// See [`Store::backend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// Embedded, in a file.
    Sqlite,
    /// Shared by any number of processes.
    Postgres,
}

impl Backend {
    /// As in the file and on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// See [`Store::tls`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DatabaseTls {
    VerifyFull,
    Off,
}

/// What a database's address looks like, to follow "expected".
const DATABASE: &str = "a postgresql URL without a password";

/// More only make requests wait in the database instead of here.
const SESSIONS: u32 = 8;
/// A node that is merely slow for some seconds keeps its lanes.
const TAKEOVER: Duration = Duration::from_secs(10);
/// Four weeks, and one in which the last of them are settled.
const RETENTION_SLACK: Duration = Duration::from_secs(35 * 24 * 60 * 60);
/// What takes longer holds locks that others wait for.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Short enough that a compromised key is gone within the hour, long enough to be fetched seldom.
const JWKS_MAX_AGE: Duration = HOUR;
/// A TPP that stores SETs and verifies them overnight still finds the key.
const RETIREMENT_MARGIN: Duration = Duration::from_secs(24 * 60 * 60);
/// A quarter: a TPP that was away comes back to its news.
const UNACKNOWLEDGED: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Disputes about deliveries come within a quarter.
const SETTLED: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Twice the day that is promised.
const IDEMPOTENCY_KEYS: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// As long as the events that they count.
const MINUTES: Duration = SETTLED;
