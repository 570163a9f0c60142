//! What leaves the bank: callbacks, and the key sets and introspection that others answer.

use std::path::PathBuf;
use std::time::Duration;

use oyez_domain::address::Network;
use oyez_outbound::Resolution;

use super::form::{Choice, File, Span, parsed};
use super::list::List;
use super::listening::NETWORK;
use super::section::{Secret, default, optional, secret, section};
use super::text::ProxyUrl;

section! {
    /// Requests that oyez makes (D-11, D-12, D-13). The timeouts of pushes are in `[push]`.
    Outbound = "outbound" {
        /// The authorities that are believed when oyez calls somebody, in PEM; without it, those of the system. For pushes
        /// they are read again when the file changes, and on SIGHUP; for key sets and access tokens at the start alone.
        trust_anchors: Option<PathBuf> = optional("\"anchors.pem\"", File("certificates in PEM"));
        /// The way out, if there is only one; it is asked for CONNECT. Never taken from the environment.
        proxy: Option<ProxyUrl> = optional("\"http://proxy.bank.example:3128\"", parsed("an http URL of host and port"));
        /// What Proxy-Authorization says, if the proxy asks for that.
        proxy_authorization: Option<Secret> = secret("\"Basic …\"", "\"proxy.secret\"");
        /// Who resolves names when there is a proxy: "oyez", and judges the addresses; or "proxy", which must then keep names
        /// from leading inside.
        proxy_resolution: Resolution = default(Resolution::Here,
            Choice(&[("oyez", Resolution::Here), ("proxy", Resolution::AtProxy)]));
        /// Networks that a TPP's CallbackUrl and JWKS URL may lead to although they are not public; for demonstrations and
        /// tests, or TPPs on a private line (S-07, D-12).
        allowed_networks: Vec<Network> = default(vec![], List(parsed(NETWORK)));
        /// How long connecting may take, TLS included, when keys are fetched or a token is asked about.
        connect_timeout: Duration = default(CONNECT_TIMEOUT, Span(100 * MILLISECOND..=MINUTE));
        /// How long such a request may take in all.
        total_timeout: Duration = default(TOTAL_TIMEOUT, Span(SECOND..=5 * MINUTE));
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Across the world and a TLS handshake take less than one second.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A TPP waits meanwhile: less than its own patience.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);
