//! The command line of `oyez bench`. The defaults measure the targets.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Alg;

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
}

/// What all of them need.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Which ledger.
    #[arg(long, value_enum, default_value_t = Ledger::Sqlite)]
    pub(crate) backend: Ledger,
    /// Where the ledger lies meanwhile, in a directory that is removed at the end. A disk in memory measures nothing.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) directory: PathBuf,
}

/// A ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ledger {
    /// The embedded one.
    Sqlite,
}

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

impl Ledger {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
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
  oyez bench accept --batch 1 --connections 64 --events 50000";
const POLL_HELP: &str = "\
The limit is the ledger alone, in this process: SETs of the same size, handed out and settled in the same groups.
Example:
  oyez bench poll --json";
const LONG_POLL_HELP: &str = "\
The limit is signing alone, in this process, on all cores.
Examples:
  oyez bench long-poll --json
  oyez bench long-poll --transport plain --alg ES256";
