//! `oyez audit`: the trail of who changed what, and the proof that it is whole.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ServerArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Who changed what, the latest first.
    List(ListAudit),
    /// Prove that no entry was edited, removed, put in or moved.
    #[command(after_help = VERIFY_HELP)]
    Verify(VerifyAudit),
    /// Write the trail, a line of JSON for each entry, chain by chain.
    #[command(after_help = EXPORT_HELP)]
    Export(ExportAudit),
}

impl Audit {
    pub(crate) fn server(&self) -> &ServerArgs {
        match self {
            Self::List(args) => &args.server,
            Self::Verify(args) => &args.server,
            Self::Export(args) => &args.server,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ListAudit {
    /// What concerns this TPP.
    #[arg(long, value_name = "CLIENT_ID")]
    pub(crate) tpp: Option<String>,
    /// How many, at most 1000.
    #[arg(long, default_value_t = ROWS)]
    pub(crate) limit: NonZeroU32,
    /// Where the last list ended.
    #[arg(long)]
    pub(crate) cursor: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyAudit {
    /// An earlier export: what it says must still be so.
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: Option<PathBuf>,
    /// Entries up to this sequence may stand outside of the chains: binaries without them wrote until then.
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    pub(crate) unchained_until: u64,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExportAudit {
    /// An earlier export: go on behind it.
    #[arg(long, value_name = "FILE")]
    pub(crate) after: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What fits a screen or two.
const ROWS: NonZeroU32 = NonZeroU32::new(50).expect("it is not zero");

const VERIFY_HELP: &str = "\
Every entry carries the hash of the one before it: of its TPP, or of what concerns none. They are
computed here, from what the server shows; it is not asked whether it thinks them right.
Whoever can write to the ledger can write a chain anew from some entry on. Only what was exported
before shows that: keep exports where nobody can change them, and say --expect.
Exit code 1: a chain is broken; the first break of each is named.
Examples:
  oyez audit verify
  oyez audit verify --expect audit-2026-10.ndjson";
const EXPORT_HELP: &str = "\
Examples:
  oyez audit export > audit.ndjson
  oyez audit export --after audit.ndjson > more.ndjson && cat more.ndjson >> audit.ndjson";
