//! Connections that come in.

use std::net::SocketAddr;
use std::sync::Arc;

/// Who is at the other end of a connection. Every request carries it as an extension.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Where the connection comes from.
    pub address: SocketAddr,
    /// The certificate it proved to have, by our own handshake or in the words of a trusted gateway.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// A client certificate that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// As it came.
    pub der: Vec<u8>,
    /// SHA-256 of it, in base64url: what `cnf.x5t#S256` names.
    pub thumbprint: String,
}
