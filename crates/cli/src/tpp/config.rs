//! `tpp.toml`: who the TPP is, which banks it deals with, and where events go. It is read like `oyez.toml`, but the environment
//! overrides nothing of it: one machine may run both.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oyez_domain::base_url::BaseUrl;
use oyez_domain::ids::ClientId;
use oyez_domain::version::ApiVersion;

use crate::commands::directory_of;
use crate::config::form::{Choice, File, Flag, Span, Text, parsed, whole};
use crate::config::list::List;
use crate::config::reader::Sink;
use crate::config::section::{Secret, any_number, default, optional, required, secret, section};
use crate::config::text::{HeaderText, HostName, HttpUrl, Uri};
use crate::config::{Outline, Overrides, Variables, judge, read_section, render_page};
use crate::failure::Failure;

section! {
    /// Who the TPP is, and what it remembers.
    Tpp = "tpp" {
        /// Its name in signatures: the ids of the organisation and of the software statement in the directory, with a slash
        /// between.
        signatory: HeaderText = required("\"0015800001041RHAAY/HQuZPIt3ipkh33Uxytox1E\"",
            parsed("1 to 128 printable ASCII characters"));
        /// The domain name of the trust anchor that hosts its keys: `http://openbanking.org.uk/tan` of its signatures.
        trust_anchor: HostName = default(HostName::open_banking(), parsed("a domain name"));
        /// What it signs with (OBSeal).
        signing_key: PathBuf = required("\"signing.key\"", File("a private key in PEM"));
        /// The name of that key; its thumbprint if absent.
        signing_kid: Option<HeaderText> = optional("\"2019-11\"", parsed("1 to 128 printable ASCII characters"));
        /// What it calls banks with (OBWAC), with its chain.
        certificate: PathBuf = required("\"transport.crt\"", File("certificates in PEM"));
        /// The key of that certificate.
        key: PathBuf = required("\"transport.key\"", File("a private key in PEM"));
        /// The authorities that banks' certificates are believed by; no others are.
        trust_anchors: PathBuf = required("\"anchors.pem\"", File("certificates in PEM"));
        /// Which events were seen before. `oyez listen` and `oyez poll` share it.
        state: PathBuf = default(PathBuf::from("oyez-tpp.db"), File("a file"));
        /// How long an event is remembered: longer than banks repeat it.
        remembered: Duration = default(oyez_tpp::AGE_MAX, Span(HOUR..=3_650 * DAY));
        /// The banks that it deals with.
        banks: Vec<BankAt> = any_number();
    }
}

section! {
    /// A bank, as one registered client sees it.
    BankAt = "tpp.banks" {
        /// What it is called here.
        name: HeaderText = required("\"hedgebank\"", parsed("1 to 128 printable ASCII characters"));
        /// What stands before /open-banking/… in its API.
        base_url: BaseUrl = required("\"https://api.hedgebank.example\"", parsed("an https URL"));
        /// The version that it is called in.
        version: ApiVersion = default(ApiVersion::V4_0, parsed("a path version such as \"v4.0\""));
        /// The client_id there: `aud` of its SETs.
        client_id: ClientId = required("\"7umx5nTR33811QyQfi\"", parsed("1 to 128 characters"));
        /// `iss` of its SETs.
        issuer: Uri = required("\"https://hedgebank.example\"", parsed("an absolute URI"));
        /// Its id in the directory: `http://openbanking.org.uk/iss` of its signatures.
        org_id: HeaderText = required("\"0015800000jfQ9aAAE\"", parsed("1 to 128 printable ASCII characters"));
        /// What `http://openbanking.org.uk/tan` of its signatures may say.
        trust_anchors: Vec<HostName> = default(vec![HostName::open_banking()], List(parsed("a domain name")));
        /// The issuer of its authorisation server, which says where its keys are and tokens come from (OpenID Connect
        /// Discovery).
        discovery: Option<HttpUrl> = optional("\"https://auth.hedgebank.example\"", parsed("an https URL"));
        /// Where its keys are, if not where discovery says.
        jwks: Option<HttpUrl> = optional("\"https://keys.hedgebank.example/jwks\"", parsed("an https URL"));
        /// Where tokens come from, if not from where discovery says.
        token_endpoint: Option<HttpUrl> = optional("\"https://auth.hedgebank.example/token\"", parsed("an https URL"));
        /// How the client proves who it is: "private_key_jwt" or "tls_client_auth".
        token_method: TokenMethod = default(TokenMethod::PrivateKeyJwt, Choice(&[
            ("private_key_jwt", TokenMethod::PrivateKeyJwt),
            ("tls_client_auth", TokenMethod::TlsClientAuth),
        ]));
        /// What tokens are asked for, with spaces between.
        scope: String = default("accounts".to_owned(), Text);
        /// Whether it is asked to wait for events. One that refuses is polled at the interval.
        long_poll: bool = default(true, Flag);
        /// From one poll that brought nothing to the next, if the bank did not wait as long.
        poll_interval: Duration = default(POLL_INTERVAL, Span(100 * MILLISECOND..=DAY));
        /// How many events to ask for at once; as many as the bank likes if absent.
        events_max: Option<u32> = optional("100", whole(1..=10_000));
    }
}

section! {
    /// Where events go. The bank is told of none before it is safe there.
    HandOver = "hand_over" {
        /// "stdout": a line of JSON each. "file": the same, appended to a file. "command": run for each. "http": posted to the
        /// TPP's own application, signed as Standard Webhooks.
        to: Target = default(Target::Stdout, Choice(&[
            ("stdout", Target::Stdout),
            ("file", Target::File),
            ("command", Target::Command),
            ("http", Target::Http),
        ]));
        /// The file. It may be moved away while it is written to: the next event begins a new one.
        file: Option<PathBuf> = optional("\"events.ndjson\"", File("a file"));
        /// Run by the shell, with the event on standard input. It has the event when it exits with 0.
        command: Option<String> = optional("\"./on-event.sh\"", Text);
        /// Where to post to; https, or http on this machine.
        url: Option<HttpUrl> = optional("\"http://127.0.0.1:8000/events\"", parsed("a URL"));
        /// What posts are signed with: `whsec_` and at least 24 bytes in base64.
        secret: Option<Secret> = secret("\"whsec_…\"", "\"webhook.secret\"");
        /// How long a command or a post may take.
        timeout: Duration = default(TIMEOUT, Span(SECOND..=10 * MINUTE));
    }
}

section! {
    /// Where `oyez listen` receives what banks push.
    Listen = "listen" {
        /// Address and port.
        address: SocketAddr = default(SocketAddr::from(([127, 0, 0, 1], 8446)), parsed("an address and a port"));
        /// The certificate that banks see, with its chain, of an authority that they believe.
        certificate: Option<PathBuf> = optional("\"server.crt\"", File("certificates in PEM"));
        /// Its key.
        key: Option<PathBuf> = optional("\"server.key\"", File("a private key in PEM"));
    }
}

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenMethod {
    PrivateKeyJwt,
    TlsClientAuth,
}

/// What takes events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Stdout,
    File,
    Command,
    Http,
}

/// Everything that is configured.
#[derive(Debug, Clone)]
pub(super) struct TppConfig {
    pub(super) tpp: Tpp,
    pub(super) hand_over: HandOver,
    pub(super) listen: Listen,
}

impl TppConfig {
    /// Reads a file; or says everything that is wrong.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let mend = "name the TPP's configuration: -c FILE; `oyez demo` makes one to try";
            Failure::environment(format!("cannot read {}", path.display()), mend).because(&error)
        })?;
        let none = Variables::default();
        let sink = Sink::new(&text, directory_of(path), outlines());
        let (draft, faults) = judge(sink, &text, &none, |file, sink| {
            let tpp: Option<Tpp> = read_section(file, &none, sink);
            let hand_over: Option<HandOver> = read_section(file, &none, sink);
            let listen = read_section(file, &none, sink);
            contradictions(tpp.as_ref(), hand_over.as_ref(), sink);
            Some(Self {
                tpp: tpp?,
                hand_over: hand_over?,
                listen: listen?,
            })
        });
        match draft {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(Failure::Configuration {
                file: path.display().to_string(),
                faults,
            }),
        }
    }
}

/// `docs/tpp-configuration.md`: every key on one page.
pub(super) fn page() -> String {
    render_page(PAGE_HEAD, &outlines(), Overrides::None)
}

/// The sections of the file.
fn outlines() -> Vec<Outline> {
    vec![
        Outline::of::<Tpp>(),
        Outline::of::<HandOver>(),
        Outline::of::<Listen>(),
    ]
}

/// What is wrong with keys together.
fn contradictions(tpp: Option<&Tpp>, hand_over: Option<&HandOver>, sink: &mut Sink<'_>) {
    for (index, bank) in tpp.into_iter().flat_map(|tpp| tpp.banks.iter().enumerate()) {
        let others = tpp.into_iter().flat_map(|tpp| &tpp.banks).take(index);
        let key = format!("tpp.banks[{index}]");
        for other in others {
            if other.name == bank.name {
                let mend = "give each bank a name of its own";
                sink.fault("tpp.banks", format!("two are called `{}`", bank.name), mend);
            } else if other.issuer == bank.issuer && other.client_id != bank.client_id {
                let what = format!("`{}` has the issuer of another bank", bank.name);
                let mend = "use a file for each client: `iss` says which bank an event is of";
                sink.fault("tpp.banks", what, mend);
            }
        }
        let urls = [&bank.discovery, &bank.jwks, &bank.token_endpoint];
        let urls = urls.into_iter().flatten().map(AsRef::as_ref);
        for url in urls.chain([bank.base_url.as_str()]) {
            if !url.starts_with("https://") {
                let what = format!("`{}` cannot be called at {url}", bank.name);
                sink.fault("tpp.banks", what, "use https: banks speak TLS alone");
            }
        }
        if bank.discovery.is_none() && bank.jwks.is_none() {
            let what = format!("nothing says where the keys of `{}` are ({key})", bank.name);
            sink.fault("tpp.banks", what, "set `discovery` or `jwks`");
        }
    }
    if tpp.is_some_and(|tpp| tpp.banks.is_empty()) {
        let mend = "add one under [[tpp.banks]]";
        sink.fault("tpp.banks", "there is no bank", mend);
    }
    let Some(to) = hand_over else { return };
    let (needed, is_there) = match to.to {
        Target::Stdout => return,
        Target::File => ("file", to.file.is_some()),
        Target::Command => ("command", to.command.is_some()),
        Target::Http => ("url", to.url.is_some()),
    };
    if !is_there {
        let mend = format!("set `{needed}` of [hand_over]");
        sink.fault("hand_over.to", format!("needs `{needed}`"), mend);
    }
    if to.to == Target::Http && to.secret.is_none() {
        let mend = "set `secret_file` of [hand_over]: the application must know who posts";
        sink.fault("hand_over.to", "needs `secret`", mend);
    }
}

const PAGE_HEAD: &str = "\
# Configuration of a TPP

`tpp.toml`, for `oyez listen`, `oyez poll`, `oyez subscription` and `oyez verify --bank`. Relative paths start at the file's
directory. Whoever reads it is told everything that is wrong with it at once. No variable of the environment replaces a key.
[Being a TPP](tpp.md) says what the commands do with it.

This page is made from the code: `cargo run -p oyez-cli -- config-doc --tpp > docs/tpp-configuration.md`";
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// What banks that do not wait expect, roughly.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// The bank waits meanwhile, ten seconds at most.
const TIMEOUT: Duration = Duration::from_secs(8);
