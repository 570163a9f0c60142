//! The commands that talk to a running server.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use oyez_jose::UnixTime;
use oyez_web::internal::ITEMS_MAX;

use super::moment;

/// Which server, and who asks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArgs {
    /// The internal API; OYEZ_URL, or what the configuration says, or http://127.0.0.1:8081 if absent.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// A file with your token; OYEZ_TOKEN_FILE or OYEZ_TOKEN if absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The authority that issued the server's certificate, in PEM; OYEZ_CA_FILE, or those of the system if absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// A configuration that says where the internal API listens.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tpps {
    /// Everybody who is registered.
    List(ListTpps),
    /// Who a TPP is, what it registered, how much it got, and why it gets nothing.
    Show(ShowTpp),
    /// Why a TPP gets no events and what mends it, what waits, how its endpoint fared, and what it asked for.
    Status(ShowTpp),
    /// Let a TPP in.
    #[command(after_help = REGISTER_HELP)]
    Register(RegisterTpp),
    /// Change what is said; the rest stays.
    #[command(after_help = CHANGE_HELP)]
    Change(ChangeTpp),
    /// Refuse a TPP everywhere, and accept nothing new for it; what is outstanding waits.
    Disable(DisableTpp),
    /// Serve a TPP again.
    Enable(ShowTpp),
    /// Register TPPs from software statements, or from what a directory or an authorisation server exports.
    #[command(after_help = IMPORT_HELP)]
    Import(ImportTpps),
}

impl Tpps {
    pub(crate) fn server(&self) -> &ServerArgs {
        match self {
            Self::List(args) => &args.server,
            Self::Show(args) | Self::Status(args) | Self::Enable(args) => &args.server,
            Self::Register(args) => &args.server,
            Self::Change(args) => &args.server,
            Self::Disable(args) => &args.server,
            Self::Import(args) => &args.server,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ListTpps {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ShowTpp {
    /// Its client_id.
    pub(crate) client_id: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RegisterTpp {
    /// Its client_id at your authorisation server; may stand in --from instead.
    #[arg(required_unless_present = "from")]
    pub(crate) client_id: Option<String>,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ChangeTpp {
    /// Its client_id.
    pub(crate) client_id: String,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    /// Grant whatever its tokens carry.
    #[arg(long, conflicts_with = "scopes")]
    pub(crate) all_scopes: bool,
    /// An override that goes, so that the deployment's default holds again.
    #[arg(long, value_name = "KEY")]
    pub(crate) unset: Vec<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What is said of a TPP.
#[derive(Debug, Args)]
pub(crate) struct ProfileArgs {
    /// Its name, for people.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Its id in the directory.
    #[arg(long)]
    pub(crate) org_id: Option<String>,
    /// The id of its software statement.
    #[arg(long)]
    pub(crate) software_id: Option<String>,
    /// Its public keys, kept at the bank.
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_url")]
    pub(crate) jwks: Option<PathBuf>,
    /// Where its public keys are fetched from.
    #[arg(long, value_name = "URL")]
    pub(crate) jwks_url: Option<String>,
    /// A scope that it is granted, of those that its tokens carry; all of them if none is named.
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    pub(crate) scopes: Vec<String>,
    /// An override of the deployment's defaults; the value is JSON, or else text.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
    /// A JSON file with the same members as the API has; what is said beside it counts more.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DisableTpp {
    /// Its client_id.
    pub(crate) client_id: String,
    /// Why, for the audit trail.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ImportTpps {
    /// Files to read; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The directory's public keys: a software statement that they do not verify is refused.
    #[arg(long, value_name = "FILE")]
    pub(crate) directory_jwks: Option<PathBuf>,
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Change those that are registered and differ; they stay as they are otherwise.
    #[arg(long)]
    pub(crate) update: bool,
    /// The client_id, when there is one software statement alone.
    #[arg(long)]
    pub(crate) client_id: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
#[command(override_usage = PUBLISH_USAGE)]
pub(crate) struct Publish {
    /// Items to publish: a line each, or one JSON document; `-` is standard input.
    #[arg(required_unless_present_any = ["tpp", "test_event"], conflicts_with_all = ["tpp", "test_event"])]
    pub(crate) file: Option<PathBuf>,
    /// Try the way to the TPP that --tpp names: tell it of the resource of `[test_event]` in the server's configuration. An
    /// operator's act; the ledger marks the event as a test.
    #[arg(long, requires = "tpp", conflicts_with_all = ["resource", "events", "reason", "version", "txn", "toe", "idempotency_key"])]
    pub(crate) test_event: bool,
    #[command(flatten)]
    pub(crate) item: ItemArgs,
    #[command(flatten)]
    pub(crate) sending: SendingArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// One item, said in words.
#[derive(Debug, Args)]
#[command(next_help_heading = "One item")]
pub(crate) struct ItemArgs {
    /// The client_id of the TPP.
    #[arg(long, value_name = "CLIENT_ID")]
    pub(crate) tpp: Option<String>,
    /// What it is about, such as account-access-consent/1234.
    #[arg(
        long,
        value_name = "TYPE/ID",
        value_parser = resource,
        requires = "tpp",
        required_unless_present_any = ["file", "test_event"]
    )]
    pub(crate) resource: Option<(String, String)>,
    /// The path version that the resource was made in, such as v4.0.
    #[arg(long, value_name = "VERSION", requires = "tpp")]
    pub(crate) version: Option<String>,
    /// What happened: an event type, such as consent-authorization-revoked, or a whole name of the bank's own.
    #[arg(
        long = "event",
        value_name = "TYPE",
        requires = "tpp",
        required_unless_present_any = ["file", "test_event"]
    )]
    pub(crate) events: Vec<String>,
    /// Why, as a code; with one event only.
    #[arg(long, requires = "tpp")]
    pub(crate) reason: Option<String>,
    /// The transaction that it belongs to, in the bank's words.
    #[arg(long, requires = "tpp")]
    pub(crate) txn: Option<String>,
    /// When it happened: 2026-11-30T12:00:00Z; now if absent.
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "tpp")]
    pub(crate) toe: Option<UnixTime>,
    /// By what a repeat is recognised.
    #[arg(long, value_name = "KEY", requires = "tpp")]
    pub(crate) idempotency_key: Option<String>,
}

/// How many are sent.
#[derive(Debug, Args)]
#[command(next_help_heading = "Many items")]
pub(crate) struct SendingArgs {
    /// Items in one request, at most 1000.
    #[arg(long, value_name = "ITEMS", default_value_t = BATCH, value_parser = batch)]
    pub(crate) batch: NonZeroUsize,
    /// Requests that wait for their answer at a time, at most 64.
    #[arg(long, value_name = "REQUESTS", default_value_t = IN_FLIGHT, value_parser = in_flight)]
    pub(crate) in_flight: NonZeroUsize,
    /// Give items without an idempotency key one of this and their place, so that they can be sent twice.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) key_prefix: Option<String>,
    /// Write a line of JSON for each item, as soon as its outcome is known.
    #[arg(long)]
    pub(crate) outcomes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// Find events, the latest first.
    #[command(after_help = EVENTS_HELP)]
    List(ListEvents),
    /// What happened to one event, in order, and where it stands.
    Show(ShowEvent),
    /// Push events again at once, those that were given up to polls too.
    Push(PushEvents),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Endpoints {
    /// Every endpoint that something was to be pushed to, with what holds it back.
    List(ListEndpoints),
    /// Where a TPP is pushed to, how that goes, and when it is tried again.
    Show(ShowTpp),
    /// Push nothing to a TPP until it is resumed; its events wait, and are offered to polls.
    Pause(ShowTpp),
    /// Push to a TPP again: ends a pause, and an outage that it has mended.
    Resume(ShowTpp),
}

impl Endpoints {
    pub(crate) fn server(&self) -> &ServerArgs {
        match self {
            Self::List(args) => &args.server,
            Self::Show(args) | Self::Pause(args) | Self::Resume(args) => &args.server,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ListEndpoints {
    /// In this state: responsive, failing, unresponsive or paused.
    #[arg(long)]
    pub(crate) state: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PushEvents {
    /// Their jtis.
    #[arg(required = true, value_name = "JTI")]
    pub(crate) jtis: Vec<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListEvents {
    /// Of this TPP.
    #[arg(long, value_name = "CLIENT_ID")]
    pub(crate) tpp: Option<String>,
    /// In this state: outstanding, acknowledged, failed, expired or withdrawn.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Of this type, by any of its names.
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) event_type: Option<String>,
    /// About this resource.
    #[arg(long, value_name = "ID")]
    pub(crate) resource_id: Option<String>,
    /// Of this transaction.
    #[arg(long)]
    pub(crate) txn: Option<String>,
    /// Handed out, pushed or reported under this x-fapi-interaction-id.
    #[arg(long, value_name = "ID")]
    pub(crate) interaction_id: Option<String>,
    /// Accepted at this time or later: 2026-11-30T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) accepted_from: Option<String>,
    /// Accepted before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) accepted_before: Option<String>,
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
pub(crate) struct ShowEvent {
    /// Its jti.
    pub(crate) jti: String,
    /// Print the signed SET, and nothing else.
    #[arg(long, conflicts_with = "claims")]
    pub(crate) set: bool,
    /// Print the SET's claims, and nothing else.
    #[arg(long)]
    pub(crate) claims: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is expected")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn resource(text: &str) -> Result<(String, String), String> {
    let (kind, id) = text.split_once('/').ok_or("TYPE/ID is expected")?;
    Ok((kind.to_owned(), id.to_owned()))
}

fn batch(text: &str) -> Result<NonZeroUsize, String> {
    up_to(text, ITEMS_MAX)
}

fn in_flight(text: &str) -> Result<NonZeroUsize, String> {
    up_to(text, IN_FLIGHT_MAX)
}

fn up_to(text: &str, max: usize) -> Result<NonZeroUsize, String> {
    let number: Option<NonZeroUsize> = text.parse().ok();
    let number = number.filter(|number| number.get() <= max);
    number.ok_or_else(|| format!("a whole number from 1 to {max} is expected"))
}

/// Each request is one unit of the ledger: more in one costs its neighbours little.
const BATCH: NonZeroUsize = NonZeroUsize::new(100).expect("it is not zero");
/// Enough that the ledger always has the next one before it.
const IN_FLIGHT: NonZeroUsize = NonZeroUsize::new(4).expect("it is not zero");
/// Others want to publish too.
const IN_FLIGHT_MAX: usize = 64;
/// What fits a screen or two.
const ROWS: NonZeroU32 = NonZeroU32::new(50).expect("it is not zero");

const REGISTER_HELP: &str = "\
Examples:
  oyez tpps register acme-1 --name 'Acme Budgeting' --org-id 0015800001 --software-id 4Xa7 \\
      --jwks-url https://keystore.openbanking.org.uk/0015800001/4Xa7.jwks --scope accounts
  oyez tpps register --from acme.json --set requests_per_second=50";
const CHANGE_HELP: &str = "\
Keys of --set and --unset, and what they may be:
  header_profile        openbanking, jwt or rfc8417: the JOSE header of its SETs
  retry                 an object of base, factor, ceiling, retries_max, window, as in [retry]
  delivery_order        concurrent or strict, as [push] order
  acknowledgement       standard, strict or lenient, as [push] acknowledgement
  pushes_at_once_max    a whole number, as [push] at_once_max
  redelivery_delay      a length of time such as 30s, as [polling] redelivery_delay
  error_cap             a whole number, as [polling] error_cap
  hand_out_cap          a whole number, as [polling] hand_out_cap
  requests_per_second   a whole number, as in [limits]
  signature_form        encoded or unencoded: how answers are signed where no request shows a form
  trust_anchors         certificates in PEM, believed when it is pushed to
Examples:
  oyez tpps change acme-1 --jwks acme.jwks
  oyez tpps change acme-1 --set requests_per_second=50 --set redelivery_delay=30s --unset error_cap
  oyez tpps change acme-1 --set trust_anchors=\"$(cat acme-ca.pem)\"";
const IMPORT_HELP: &str = "\
A file holds software statements of the Open Banking directory (JWTs, one a line), or JSON objects:
an array, or one a line. An object is a TPP as `oyez tpps list --json` writes it, or client metadata
(RFC 7591): client_id, client_name, jwks_uri or jwks, scope, org_id, software_id, and
software_statement, which fills in what is missing.
AISP becomes the scope accounts, PISP payments, CBPII fundsconfirmations.
Exit code 1: some could not be imported; the others were.
Examples:
  oyez tpps import clients.ndjson --directory-jwks ob.jwks --dry-run
  oyez tpps import acme.ssa --client-id acme-1 --directory-jwks ob.jwks";
/// Of `oyez publish`, which is said in two ways.
const PUBLISH_USAGE: &str = "\
oyez publish [OPTIONS] <FILE>
       oyez publish [OPTIONS] --tpp <CLIENT_ID> --resource <TYPE/ID> --event <TYPE>
       oyez publish [OPTIONS] --tpp <CLIENT_ID> --test-event";
/// Of `oyez publish`.
pub(super) const PUBLISH_HELP: &str = "\
An item is a JSON object as POST /v1/events takes it:
  {\"tpp\": \"acme-1\", \"resource\": {\"type\": \"account-access-consent\", \"id\": \"1234\"},
   \"events\": [{\"type\": \"urn:uk:org:openbanking:events:consent-authorization-revoked\"}], \"idempotency_key\": \"consent-1234-revoked\"}
Whatever the server may have seen is sent again only if it has an idempotency key: nothing is
published twice. After an interruption the same file can be published again with the same
--key-prefix.
Exit codes: 0 all accepted, known already, or wanted by nobody; 1 some were rejected; 3 nothing was
published; 4 some were not sent, or not confirmed.
Examples:
  oyez publish --tpp acme-1 --resource account-access-consent/1234 --event resource-update
  oyez publish --test-event --tpp acme-1
  oyez publish events.ndjson --key-prefix 2026-11-30 --outcomes > outcomes.ndjson
  core-system | oyez publish - --json";
const EVENTS_HELP: &str = "\
Examples:
  oyez events list --tpp acme-1 --state outstanding
  oyez events list --resource-id 1234 --json | jq -r '.events[].jti'";
