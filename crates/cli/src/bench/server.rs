//! The server that is measured.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::process::{Cluster, Process};
use super::site::Site;
use super::{broken, unexpected};
use crate::args::BenchTransport;
use crate::failure::Failure;
use crate::output;

/// A running `oyez serve`. Dropped, it is killed.
pub(super) struct Server {
    child: Child,
    pub(super) process: Process,
    /// Its database, if that is on this machine and other than the server itself.
    pub(super) database: Option<Cluster>,
    pub(super) tpp: SocketAddr,
    pub(super) internal: SocketAddr,
}

impl Server {
    /// Starts it with the limits out of the way that stand before one client: requests per second, connections per address.
    pub(super) fn start(site: &Site, transport: BenchTransport) -> Result<Self, Failure> {
        let cannot = |error: io::Error| broken("cannot start the server", &error);
        let configuration = match transport {
            BenchTransport::Tls => "oyez.toml",
            BenchTransport::Plain => behind_a_gateway(site)?,
        };
        let log = File::create(site.file(LOG)).map_err(cannot)?;
        let mut command = Command::new(std::env::current_exe().map_err(cannot)?);
        command
            .args(["serve", "-c", configuration])
            .current_dir(site.bank())
            .env_clear()
            .envs(OVERRIDES)
            .envs(site.settings())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        if transport == BenchTransport::Plain {
            command.envs(BEHIND_A_GATEWAY);
        }
        let mut child = command.spawn().map_err(cannot)?;
        let stdout = child.stdout.take();
        // From here on it is killed whatever happens.
        let mut server = Self {
            process: Process::of(&child),
            database: site.cluster(),
            child,
            tpp: SocketAddr::from(([127, 0, 0, 1], 0)),
            internal: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let mut line = String::new();
        if let Some(stdout) = stdout {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(cannot)?;
        }
        let said: Value = serde_json::from_str(&line).unwrap_or_default();
        let address = |name: &str| {
            let url = said[name].as_str()?;
            url.split_once("://")?.1.parse().ok()
        };
        let (Some(tpp), Some(internal)) = (address("tpp"), address("internal")) else {
            let log = last_words(site);
            return Err(unexpected(format!("the server did not start:\n{log}")));
        };
        (server.tpp, server.internal) = (tpp, internal);
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What came of a load; where that is a failure, what the server complained about is said beside it.
pub(super) fn explained<T>(ran: Result<T, Failure>, site: &Site) -> Result<T, Failure> {
    ran.inspect_err(|_| {
        let words = last_words(site);
        output::aside(format_args!("the server said at last:\n{words}"));
    })
}

/// The last lines of its log: what it may have complained about.
fn last_words(site: &Site) -> String {
    let log = fs::read_to_string(site.file(LOG)).unwrap_or_default();
    let lines: Vec<_> = log.lines().collect();
    let last = lines.len().saturating_sub(LINES_SHOWN);
    lines[last..].join("\n")
}

/// The configuration without the certificate: whoever has none speaks plain HTTP.
fn behind_a_gateway(site: &Site) -> Result<&'static str, Failure> {
    let name = "gateway.toml";
    let (from, to) = (site.file("oyez.toml"), site.file(name));
    let changed = fs::read_to_string(&from).and_then(|text| {
        let of_tls = [
            "certificate = \"dev",
            "key = \"dev",
            "client_anchors = \"dev",
        ];
        let kept = text
            .lines()
            .filter(|line| !of_tls.iter().any(|key| line.starts_with(key)));
        fs::write(&to, kept.collect::<Vec<_>>().join("\n"))
    });
    changed.map_err(|error| Failure::file("write", &to, &error))?;
    Ok(name)
}

/// Its log, in the bank's directory.
const LOG: &str = "server.log";

/// As many as a terminal shows beside the failure.
const LINES_SHOWN: usize = 20;

const OVERRIDES: [(&str, &str); 10] = [
    ("OYEZ_LISTENER__ADDRESS", "127.0.0.1:0"),
    ("OYEZ_INTERNAL__ADDRESS", "127.0.0.1:0"),
    ("OYEZ_LIMITS__REQUESTS_PER_SECOND", "100000"),
    ("OYEZ_LIMITS__WAITING_PER_TPP_MAX", "16384"),
    ("OYEZ_LISTENER__CONNECTIONS_PER_ADDRESS_MAX", "off"),
    ("OYEZ_LISTENER__CONNECTIONS_MAX", "17000"),
    // What was handed out when it was signed is not offered again by itself, and who waits waits long enough.
    ("OYEZ_POLLING__REDELIVERY_DELAY", "1d"),
    ("OYEZ_POLLING__LONG_POLL", "5m"),
    // Endpoints of TPPs are on this machine, with its own certificate.
    ("OYEZ_OUTBOUND__ALLOWED_NETWORKS", "127.0.0.0/8"),
    ("OYEZ_OUTBOUND__TRUST_ANCHORS", "development/ca.crt"),
];

const BEHIND_A_GATEWAY: [(&str, &str); 3] = [
    ("OYEZ_GATEWAY__NETWORKS", "127.0.0.0/8"),
    ("OYEZ_GATEWAY__CERTIFICATE_HEADER", "client-cert"),
    ("OYEZ_GATEWAY__CERTIFICATE_FORM", "rfc9440"),
];
