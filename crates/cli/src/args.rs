//! The command line. What each command does is in `commands`.

mod audit;
mod bench;
mod dev;
mod remote;
mod tpp;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use oyez_jose::{KeyKind, UnixTime};

pub(crate) use audit::{Audit, ExportAudit, ListAudit, VerifyAudit};
pub(crate) use bench::{
    Accept, Bench, Common as BenchCommon, DATABASE as BENCH_DATABASE, Drain, Fill,
    Http as BenchHttp, LongPoll, Poll, Push, Receive, Receiver, Seen as BenchSeen, Steady,
    Transport as BenchTransport,
};
pub(crate) use dev::{Dev, DevSign, DevToken};
pub(crate) use remote::{
    ChangeTpp, DisableTpp, Endpoints, Events, ImportTpps, ItemArgs, ListEndpoints, ListEvents,
    ProfileArgs, Publish, PushEvents, RegisterTpp, ServerArgs, ShowEvent, Tpps,
};

pub(crate) use tpp::{ListenArgs, PollArgs, Resource, SubscriptionCommand, WishArgs};

use crate::config::Backend;

/// The UK Open Banking Event Notification API.
#[derive(Debug, Parser)]
#[command(name = "oyez", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Answer in JSON instead of tables.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A bank, two TPPs and a token endpoint on this machine, to look at and to try; gone when it ends.
    #[command(after_help = DEMO_HELP)]
    Demo(Demo),
    /// Make a directory to start from.
    #[command(after_help = INIT_HELP)]
    Init(Init),
    /// Be the TPP that `oyez init` made, by hand: for development only.
    #[command(subcommand)]
    Dev(Dev),
    /// Say everything that is wrong with a configuration, its keys and its ledger, and how to mend it.
    #[command(after_help = CHECK_HELP)]
    Check(Check),
    /// Run the server.
    #[command(after_help = SERVE_HELP)]
    Serve(Serve),
    /// The TPPs of a running server.
    #[command(subcommand)]
    Tpps(Tpps),
    /// Hand events over to a running server.
    #[command(after_help = remote::PUBLISH_HELP)]
    Publish(Publish),
    /// The events of a running server.
    #[command(subcommand)]
    Events(Events),
    /// Where a running server pushes to, and how that goes.
    #[command(subcommand)]
    Endpoints(Endpoints),
    /// Who changed what at a running server, and whether that was tampered with.
    #[command(subcommand)]
    Audit(Audit),
    /// Bring the ledger's schema up to date.
    #[command(after_help = MIGRATE_HELP)]
    Migrate(Migrate),
    /// The ledger as a whole: what is in it, and moving it to another database.
    #[command(subcommand)]
    Store(Store),
    /// The bank's own signing keys.
    #[command(subcommand)]
    Keys(Keys),
    /// A TPP's own commands.
    #[command(flatten)]
    Tpp(TppCommand),
    /// Measure how fast this machine is with oyez, and what the limit is.
    #[command(subcommand)]
    Bench(Bench),
    /// Print docs/configuration.md, for those who change oyez.
    #[command(hide = true)]
    ConfigDoc(ConfigDoc),
    /// Say what a SET says, and why it is to be believed or not.
    #[command(after_help = VERIFY_HELP)]
    Verify(Verify),
}

/// What a TPP does, with any bank.
#[derive(Debug, Subcommand)]
pub(crate) enum TppCommand {
    /// Be a TPP: receive what banks push.
    #[command(after_help = tpp::LISTEN_HELP)]
    Listen(ListenArgs),
    /// Be a TPP: poll banks for events.
    #[command(after_help = tpp::POLL_HELP)]
    Poll(PollArgs),
    /// Be a TPP: say what to be told, and where.
    #[command(subcommand)]
    Subscription(SubscriptionCommand),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigDoc {
    /// Print docs/tpp-configuration.md instead.
    #[arg(long)]
    pub(crate) tpp: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Tell the whole story once, check every step, and end.
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// A directory that does not exist yet, or is empty.
    pub(crate) directory: PathBuf,
    /// What the ledger is kept in; for PostgreSQL, the statements that make its database are written, too.
    #[arg(long, value_enum, default_value_t = Backend::Sqlite)]
    pub(crate) backend: Backend,
}

/// Which configuration.
#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// The configuration file.
    #[arg(
        short = 'c',
        long = "config",
        value_name = "FILE",
        default_value = "oyez.toml"
    )]
    pub(crate) path: PathBuf,
}

/// As of when.
#[derive(Debug, Args)]
pub(crate) struct AsOf {
    /// Answer as if it were this moment: 2026-11-30T12:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) at: Option<UnixTime>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    #[command(flatten)]
    pub(crate) as_of: AsOf,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Which parts this process is; all that there are, if absent.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ROLE,…")]
    pub(crate) roles: Vec<Role>,
}

/// A part of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// The API that TPPs call.
    TppApi,
    /// The API for the bank's own systems.
    Internal,
    /// Pushes to TPPs.
    Delivery,
}

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Move the ledger of a configuration to where another says, of either backend, and compare both row by row.
    #[command(after_help = COPY_HELP)]
    Copy(CopyStore),
    /// How many rows each table of the ledger has.
    Show(ConfigFile),
}

#[derive(Debug, Args)]
pub(crate) struct CopyStore {
    /// The configuration whose `[store]` is read. It must not be served meanwhile.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: PathBuf,
    /// The configuration whose `[store]` is written: empty, or the copy that was begun. Its other sections are not looked at.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key that signs as soon as it has been published long enough; older ones stay as spares.
    #[command(after_help = NEW_HELP)]
    New(NewKey),
    /// Say what each key is doing.
    List(ListKeys),
    /// Make a key that takes over from all others as soon as it has been published long enough.
    #[command(after_help = ROTATE_HELP)]
    Rotate(Rotate),
    /// The public key set as it is to be served.
    Jwks(ListKeys),
}

#[derive(Debug, Args)]
pub(crate) struct ListKeys {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    #[command(flatten)]
    pub(crate) as_of: AsOf,
}

#[derive(Debug, Args)]
pub(crate) struct NewKey {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    #[command(flatten)]
    pub(crate) shape: KeyShape,
}

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// A key that somebody else may have: from now on it neither signs nor is published.
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    pub(crate) compromised: Option<String>,
    #[command(flatten)]
    pub(crate) shape: KeyShape,
}

/// What key to make.
#[derive(Debug, Args)]
pub(crate) struct KeyShape {
    /// The algorithm it is for; the standard asks for PS256.
    #[arg(long, value_enum, default_value_t = Alg::Ps256)]
    alg: Alg,
    /// Size of an RSA key; signing costs three times as much with 3072, six times with 4096.
    #[arg(long, value_enum)]
    bits: Option<Bits>,
    /// Its name in headers; the key's thumbprint (RFC 7638) if absent.
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) kid: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Alg {
    #[value(name = "PS256")]
    Ps256,
    #[value(name = "ES256")]
    Es256,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Bits {
    #[value(name = "2048")]
    B2048,
    #[value(name = "3072")]
    B3072,
    #[value(name = "4096")]
    B4096,
}

impl Alg {
    /// The kind of key that a bank has for it if nobody chose another.
    pub(crate) fn kind(self) -> KeyKind {
        match self {
            Self::Ps256 => KeyKind::Rsa2048,
            Self::Es256 => KeyKind::P256,
        }
    }

    /// As JOSE calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
        }
    }
}

impl KeyShape {
    /// The kind of key; `None` for a size that goes with no such key.
    pub(crate) fn kind(&self) -> Option<KeyKind> {
        match (self.alg, self.bits) {
            (Alg::Ps256, None | Some(Bits::B2048)) => Some(KeyKind::Rsa2048),
            (Alg::Ps256, Some(Bits::B3072)) => Some(KeyKind::Rsa3072),
            (Alg::Ps256, Some(Bits::B4096)) => Some(KeyKind::Rsa4096),
            (Alg::Es256, None) => Some(KeyKind::P256),
            (Alg::Es256, Some(_)) => None,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The file with the SET; standard input if absent or `-`.
    pub(crate) token: Option<PathBuf>,
    /// The key set of the bank.
    #[arg(long, value_name = "FILE", required_unless_present = "bank")]
    pub(crate) jwks: Option<PathBuf>,
    /// The bank of this name in the TPP's configuration: its keys are fetched, and `iss`, `aud` and who signed must be as
    /// configured.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["jwks", "issuer", "audience"])]
    pub(crate) bank: Option<String>,
    #[command(flatten)]
    pub(crate) config: tpp::TppFile,
    /// What `iss` must be.
    #[arg(long, value_name = "URI")]
    pub(crate) issuer: Option<String>,
    /// What `aud` must be: your client_id.
    #[arg(long, value_name = "CLIENT_ID")]
    pub(crate) audience: Option<String>,
    #[command(flatten)]
    pub(crate) as_of: AsOf,
}

fn moment(text: &str) -> Result<UnixTime, String> {
    let at: jiff::Timestamp = text
        .parse()
        .map_err(|_| "a moment is written as 2026-11-30T12:00:00Z".to_owned())?;
    Ok(UnixTime::from_seconds(at.as_second()))
}

const EXIT_CODES: &str = "\
Standard output is data, standard error the rest. Exit codes:
  0  done, or the answer is yes
  1  the answer is no: the token does not verify, the configuration has faults, the server refuses
  2  the command line makes no sense
  3  files, configuration, ledger or system did not let it; nothing is left half done
  4  cut off half-way: a command, which says how far it came; a server that died or ran out of time";
const DEMO_HELP: &str = "\
Everything listens on 127.0.0.1 and lives in a directory of its own, which is removed at the end.
Examples:
  oyez demo              stays until Ctrl-C, and says what to type beside it
  oyez demo --once       a story in some forty steps; exits with 1 at the first that fails
  oyez demo --once --json | jq -r 'select(.ok == false)'";
const INIT_HELP: &str = "Example:\n  oyez init bank && oyez check -c bank/oyez.toml";
const CHECK_HELP: &str = "\
Examples:
  oyez check -c bank/oyez.toml
  oyez check -c bank/oyez.toml --at 2027-01-01T00:00:00Z     will a key sign then?
  oyez check -c bank/oyez.toml --json | jq '.findings[] | select(.level == \"error\")'";
const SERVE_HELP: &str = "\
Standard output is one line, once it listens: {\"internal\":\"http://127.0.0.1:8081\",\"tpp\":\"https://127.0.0.1:8443\"}
The log goes to standard error.
Signals: SIGTERM and SIGINT stop it in good order, a second one at once. SIGHUP has it read certificates, keys and
lists again, which it also does by itself when they change.
Examples:
  oyez serve -c bank/oyez.toml
  OYEZ_LISTENER__ADDRESS=127.0.0.1:0 oyez serve -c bank/oyez.toml --roles tpp-api,internal";
const MIGRATE_HELP: &str = "Stop the server first, and keep a copy of the ledger's file. Example:\n  \
  oyez migrate -c bank/oyez.toml --dry-run";
const COPY_HELP: &str = "\
Stop every server of the source first. The target is a ledger only when both are found to be the
same: until then nobody serves it. Cut off, the same command goes on where it stopped, unless the source
was used in between. Example:
  oyez store copy --from bank/oyez.toml --to bank/oyez-postgres.toml";
const NEW_HELP: &str = "\
A key is published for twice [signing] jwks_max_age before it signs (the very first excepted).
Keep a spare one: it takes over at once when the signing key is compromised.";
const ROTATE_HELP: &str = "\
Examples:
  oyez keys rotate -c bank/oyez.toml
  oyez keys rotate -c bank/oyez.toml --compromised KID && oyez keys jwks -c bank/oyez.toml";
const VERIFY_HELP: &str = "\
Examples:
  oyez verify set.jwt --jwks bank.jwks --issuer https://bank.example --audience my-client-id
  oyez verify --jwks bank.jwks --json < set.jwt
  oyez verify --bank hedgebank -c tpp.toml < set.jwt";
