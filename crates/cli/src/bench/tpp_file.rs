//! `tpp.toml` of a TPP that is measured, in the bank's directory: its bank is the one there, or none at all.

use std::net::SocketAddr;
use std::path::PathBuf;

use oyez_domain::ids::ClientId;

use super::site::Site;
use crate::durable::write_public;
use crate::failure::Failure;

/// What differs from one to another.
pub(super) struct TppFile<'a> {
    pub(super) client_id: &'a ClientId,
    /// The bank's API.
    pub(super) bank: SocketAddr,
    /// The bank's keys.
    pub(super) jwks: String,
    /// Where tokens come from.
    pub(super) tokens: String,
    /// Events in one poll.
    pub(super) batch: u64,
}

impl TppFile<'_> {
    /// Writes it; answers where.
    pub(super) fn write(&self, site: &Site) -> Result<PathBuf, Failure> {
        let Self {
            client_id,
            bank,
            jwks,
            tokens,
            batch,
        } = self;
        let text = format!(
            "\
[tpp]
signatory = \"DEVELOPMENT-ONLY-TPP/{client_id}\"
signing_key = \"development/tpp-signing.key\"
certificate = \"development/tpp.crt\"
key = \"development/tpp.key\"
trust_anchors = \"development/ca.crt\"

[[tpp.banks]]
name = \"bench\"
base_url = \"https://{bank}\"
client_id = \"{client_id}\"
issuer = \"{ISSUER}\"
org_id = \"{ORG_ID}\"
jwks = \"{jwks}\"
token_endpoint = \"{tokens}\"
token_method = \"tls_client_auth\"
events_max = {batch}

[listen]
address = \"127.0.0.1:0\"
certificate = \"development/server.crt\"
key = \"development/server.key\"
"
        );
        let path = site.file(&format!("{client_id}.toml"));
        write_public(&path, text.as_bytes())?;
        Ok(path)
    }
}

/// The bank's names, as `oyez init` writes them.
pub(super) const ISSUER: &str = "https://localhost:8443";
pub(super) const ORG_ID: &str = "DEVELOPMENT-ONLY-BANK";
pub(super) const TRUST_ANCHOR: &str = "openbanking.org.uk";
