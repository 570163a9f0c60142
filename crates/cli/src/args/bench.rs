//! The command line of `oyez bench`. The defaults measure the targets.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Alg;
use crate::config::Backend;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Events that core systems publish, until they are durable.
    #[command(after_help = ACCEPT_HELP)]
    Accept(Accept),
    /// Polls for SETs that are signed already, each acknowledging what the one before was handed.
    #[command(after_help = POLL_HELP)]
    Poll(Poll),
    /// Polls that wait: what each of them holds, and how long it takes to wake all.
    #[command(after_help = LONG_POLL_HELP)]
    LongPoll(LongPoll),
    /// Events that are accepted, signed and pushed to TPPs over TLS, until all of them are acknowledged.
    #[command(after_help = PUSH_HELP)]
    Push(Push),
    /// As a TPP: receiving what a bank pushes, verifying it and handing it over.
    #[command(after_help = RECEIVE_HELP)]
    Receive(Receive),
    /// As a TPP: polling a real server until it has nothing more, verifying, handing over and acknowledging.
    #[command(after_help = DRAIN_HELP)]
    Drain(Drain),
    /// What `oyez bench receive` measures.
    #[command(hide = true)]
    Receiver(Receiver),
    /// Accepting, polling and pushing at once, for long: does it stay as fast?
    #[command(after_help = STEADY_HELP)]
    Steady(Steady),
    /// Make a ledger with a long past, for the others to measure.
    #[command(after_help = FILL_HELP)]
    Fill(Fill),
}

/// What all of them need.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Which ledger.
    #[arg(long, value_enum, default_value_t = Backend::Sqlite)]
    pub(crate) backend: Backend,
    /// Where the bank, and its ledger if that is a file, lie meanwhile; removed at the end. A disk in memory measures nothing.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) directory: PathBuf,
    /// The PostgreSQL, without a password, as a user who may create databases; OYEZ_BENCH_DATABASE if absent. The run makes
    /// databases of its own there, and drops them.
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// A file with the password of that user.
    #[arg(long, value_name = "FILE")]
    pub(crate) database_password_file: Option<PathBuf>,
    /// The authorities that the PostgreSQL's certificate is believed by, in PEM; without it, TLS is not used.
    #[arg(long, value_name = "FILE")]
    pub(crate) database_ca_file: Option<PathBuf>,
    /// The ledger with a past, which `oyez bench fill` makes and which stays: a file NAME.bench, or a database NAME_bench.
    #[arg(long, value_name = "NAME")]
    pub(crate) ledger: Option<String>,
}

/// The environment's word for where benchmarks may make databases.
pub(crate) const DATABASE: &str = "OYEZ_BENCH_DATABASE";

#[derive(Debug, Args)]
pub(crate) struct Accept {
    /// How many events in all.
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = whole(1, 10_000_000))]
    pub(crate) events: u64,
    /// Events in one request.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = whole(1, 1_000))]
    pub(crate) batch: u64,
    /// Kept-alive connections, each with one request at a time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = whole(1, 1_000))]
    pub(crate) connections: u64,
    /// TPPs that the events are for, in turn.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = whole(1, 10_000))]
    pub(crate) tpps: u64,
    /// Each event has an idempotency key.
    #[arg(long)]
    pub(crate) keyed: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Poll {
    /// How many events in all.
    #[arg(long, value_name = "N", default_value_t = 64_000, value_parser = whole(1, 10_000_000))]
    pub(crate) events: u64,
    /// Events that one poll asks for.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = whole(1, 100))]
    pub(crate) batch: u64,
    /// TPPs, each with a kept-alive connection and one poll at a time.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = whole(1, 1_000))]
    pub(crate) tpps: u64,
    /// What the SETs are signed with, before the measurement.
    #[arg(long, value_enum, default_value_t = Alg::Ps256)]
    pub(crate) alg: Alg,
    /// How TPPs are connected.
    #[arg(long, value_enum, default_value_t = Transport::Tls)]
    pub(crate) transport: Transport,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct LongPoll {
    /// Polls that wait at once, each on a connection of its own.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = whole(1, 16_384))]
    pub(crate) waiters: u64,
    /// TPPs that they belong to.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = whole(1, 10_000))]
    pub(crate) tpps: u64,
    /// What the SETs that wake them are signed with.
    #[arg(long, value_enum, default_value_t = Alg::Ps256)]
    pub(crate) alg: Alg,
    /// How TPPs are connected.
    #[arg(long, value_enum, default_value_t = Transport::Tls)]
    pub(crate) transport: Transport,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Push {
    /// How many events in all, for each stretch of load.
    #[arg(long, value_name = "N", default_value_t = 40_000, value_parser = whole(1, 10_000_000))]
    pub(crate) events: u64,
    /// For so many minutes instead, with the rate of the last quarter beside that of the first.
    #[arg(long, value_name = "N", conflicts_with = "events", value_parser = whole(1, 600))]
    pub(crate) minutes: Option<u64>,
    /// TPPs that the events are for, in turn.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = whole(1, 1_000))]
    pub(crate) tpps: u64,
    /// What the SETs are signed with.
    #[arg(long, value_enum, default_value_t = Alg::Ps256)]
    pub(crate) alg: Alg,
    /// What the TPPs' endpoints speak.
    #[arg(long, value_enum, default_value_t = Http::One)]
    pub(crate) http: Http,
    /// Events in one request of the publisher, at most.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = whole(1, 1_000))]
    pub(crate) batch: u64,
    /// Kept-alive connections of the publisher, each with one request at a time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = whole(1, 100))]
    pub(crate) connections: u64,
    /// The publisher is so many events ahead of the acknowledgements, and then waits for them.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = whole(1_000, 10_000_000))]
    pub(crate) ahead: u64,
    /// Publish so many events a second, not as many as are acknowledged.
    #[arg(long, value_name = "N", value_parser = whole(1, 100_000))]
    pub(crate) rate: Option<u64>,
    /// A second stretch, at half the rate that the first one had.
    #[arg(long, conflicts_with = "rate")]
    pub(crate) at_half: bool,
    /// A stretch more, at the rate of the one before, beside endpoints that are dead, mute, slow and hostile.
    #[arg(long)]
    pub(crate) bad_neighbours: bool,
    /// So many events are outstanding from before, of as many TPPs whose endpoints are dead.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole(0, 10_000_000))]
    #[arg(conflicts_with = "ledger")]
    pub(crate) outstanding: u64,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Receive {
    /// How many SETs in all.
    #[arg(long, value_name = "N", default_value_t = 60_000, value_parser = whole(1, 10_000_000))]
    pub(crate) events: u64,
    /// Kept-alive connections, each with one request at a time.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = whole(1, 1_000))]
    pub(crate) connections: u64,
    /// What the SETs are signed with, before the measurement.
    #[arg(long, value_enum, default_value_t = Alg::Ps256)]
    pub(crate) alg: Alg,
    /// What the receiver remembers them in.
    #[arg(long, value_enum, default_value_t = Seen::Sqlite)]
    pub(crate) seen: Seen,
    /// Where the receiver's files lie meanwhile; removed at the end. A disk in memory measures nothing.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) directory: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Receiver {
    /// The TPP's configuration.
    #[arg(long)]
    pub(crate) config: PathBuf,
    /// What it remembers SETs in.
    #[arg(long, value_enum)]
    pub(crate) seen: Seen,
}

#[derive(Debug, Args)]
pub(crate) struct Drain {
    /// How many events in all.
    #[arg(long, value_name = "N", default_value_t = 60_000, value_parser = whole(1, 10_000_000))]
    pub(crate) events: u64,
    /// Pollers, each of a TPP of its own.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole(1, 1_000))]
    pub(crate) pollers: u64,
    /// Events that one poll asks for.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = whole(1, 100))]
    pub(crate) batch: u64,
    /// What the SETs are signed with, before the measurement.
    #[arg(long, value_enum, default_value_t = Alg::Ps256)]
    pub(crate) alg: Alg,
    /// What the pollers remember them in.
    #[arg(long, value_enum, default_value_t = Seen::Sqlite)]
    pub(crate) seen: Seen,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What a TPP remembers events in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Seen {
    /// A file, which outlives the process.
    Sqlite,
    /// Memory: for applications that find repeats out by themselves.
    Memory,
}

#[derive(Debug, Args)]
pub(crate) struct Steady {
    /// How many events in all.
    #[arg(long, value_name = "N", default_value_t = 400_000, value_parser = whole(400, 100_000_000))]
    pub(crate) events: u64,
    /// TPPs that the events are for, in turn: one half is pushed to, the other polls.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = whole(2, 1_000))]
    pub(crate) tpps: u64,
    /// What the SETs are signed with.
    #[arg(long, value_enum, default_value_t = Alg::Es256)]
    pub(crate) alg: Alg,
    /// Events in one request of the publisher, at most, and in one answer to a poll.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = whole(1, 100))]
    pub(crate) batch: u64,
    /// Kept-alive connections of the publisher, each with one request at a time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = whole(1, 100))]
    pub(crate) connections: u64,
    /// The publisher is so many events ahead of the acknowledgements, and then waits for them.
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = whole(1_000, 10_000_000))]
    pub(crate) ahead: u64,
    /// Publish so many events a second, not as many as are acknowledged.
    #[arg(long, value_name = "N", value_parser = whole(1, 100_000))]
    pub(crate) rate: Option<u64>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Fill {
    /// Events that were handed out and acknowledged in the last twelve weeks, of the TPPs that the others measure.
    #[arg(long, value_name = "N", default_value_t = 10_000_000, value_parser = whole(0, 100_000_000))]
    pub(crate) settled: u64,
    /// Events of the last day that wait, of as many TPPs more, who poll and do not come.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole(0, 100_000_000))]
    pub(crate) outstanding: u64,
    /// TPPs of each sort.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = whole(1, 1_000))]
    pub(crate) tpps: u64,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What an endpoint speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Http {
    /// HTTP/1.1, kept alive.
    #[value(name = "1.1")]
    One,
    /// HTTP/2.
    #[value(name = "2")]
    Two,
}

impl Http {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::One => "1.1",
            Self::Two => "2",
        }
    }
}

/// How TPPs are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// Plain HTTP from a trusted gateway, which names the client's certificate in a header.
    Plain,
    /// Mutual TLS.
    Tls,
}

impl Transport {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
        }
    }
}

impl Seen {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Memory => "memory",
        }
    }
}

/// A number within bounds: a load is never without end.
fn whole(least: u64, most: u64) -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(least..=most)
}

const ACCEPT_HELP: &str = "\
The limit is the ledger alone, in this process: the same events in the same groups from as many callers.
Examples:
  oyez bench accept --json
  oyez bench accept --batch 1 --connections 64 --events 50000
  oyez bench accept --backend postgres --database postgresql://postgres@localhost/postgres";
const POLL_HELP: &str = "\
The limit is the ledger alone, in this process: SETs of the same size, handed out and settled in the same groups.
Example:
  oyez bench poll --json";
const LONG_POLL_HELP: &str = "\
The limit is signing alone, in this process, on all cores.
Examples:
  oyez bench long-poll --json
  oyez bench long-poll --transport plain --alg ES256";
const PUSH_HELP: &str = "\
The limit is signing alone, in this process, on all cores. That each event arrived, and was recorded, is checked.
Examples:
  oyez bench push --json
  oyez bench push --alg ES256 --at-half --bad-neighbours
  oyez bench push --outstanding 1000000 --json | jq .rss_peak_mib
  oyez bench push --alg ES256 --minutes 10";
const RECEIVE_HELP: &str = "\
The receiver is `oyez listen`, over TLS, with an application in its process that counts. The limit
is verifying alone, on all cores. That each SET was handed over once is checked.
Examples:
  oyez bench receive --json
  oyez bench receive --seen memory --alg ES256";
const DRAIN_HELP: &str = "\
The poller is `oyez poll --once`, with an application in its process that counts; the server is
another process. The limit is verifying alone, on all cores. That each event was handed over once,
and acknowledged, is checked.
Examples:
  oyez bench drain --json
  oyez bench drain --pollers 4 --seen memory";
const STEADY_HELP: &str = "\
The figures of each quarter stand beside each other. The exit code is 1 if the rate of the last quarter is under 0.9 of that of
the first.
Examples:
  oyez bench steady --json
  oyez bench steady --backend postgres --events 10000000 --json";
const FILL_HELP: &str = "\
Refused where the disk has not twice the room that it takes. To be rid of it, remove the file, or drop the database.
Examples:
  oyez bench fill --ledger past.bench
  oyez bench poll --ledger past.bench
  oyez bench fill --backend postgres --ledger past_bench --settled 10000000 --outstanding 1000000
  oyez bench poll --backend postgres --ledger past_bench";
