//! Connections that come in: how they are taken, secured, bounded, watched and brought to an end.
//!
//! Both listeners are this one. The TPPs' speaks TLS and asks for a client certificate; the bank's own may be plain. hyper
//! speaks HTTP; every connection belongs to us from accept to close, because the bounds that matter stand there:
//!
//! - **how many**: in all and per address, refused at the door ([`Bounds`]);
//! - **how long**: a handshake, a request's head, its body, an answer being read, idleness, and a connection's whole life each
//!   have a deadline. One watcher per connection holds them all, so a waiting poll costs no timer of its own kind;
//! - **how much**: heads, header fields, streams and windows.
//!
//! **A client that is gone holds nothing** (P-07). On HTTP/1 the end of its sending is the end of the client: whoever shuts
//! down one half of a connection while an answer is outstanding is cut off, though HTTP allows it. The two cannot be told apart
//! by a server that waits, clients that half-close are all but extinct, and ten thousand forgotten polls are not. On HTTP/2 the
//! reset of a stream says it. In both cases the handler's future is dropped where it waits.
//!
//! **Certificates outlast handshakes.** Dates are checked when a handshake is made, not when a session is resumed, nor while a
//! connection stays open, nor by us when a gateway vouches. So [`ClientCertificate::is_valid_at`] is there to be asked with each
//! request, and no connection lives for longer than [`Bounds::age_max`]. Sessions are resumed only within the configuration
//! that began them: an authority taken off the list is gone for all new connections.
//!
//! **Reload** is a new value in a channel: the next handshake uses it, connections that stand keep what they have.
//!
//! Absent: HTTP/2 without TLS (a gateway that wants it can speak TLS), protocol upgrades, the PROXY protocol (a gateway's
//! address is the client's address), revocation lists, and files: all bytes come in.

mod activity;
mod body;
mod bounds;
mod certificate;
mod connection;
mod crowd;
mod door;
mod gateway;
mod tls;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

pub use body::BodyTooSlow;
pub use bounds::{Bounds, Pace};
pub use certificate::{CertificateError, ClientCertificate};
pub use door::Listener;
pub use gateway::{Gateway, HeaderForm};
pub use tls::{Tls, TlsError};

/// Who is at the other end of a connection. Every request carries it as an extension.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Where the connection comes from: a gateway's own address, if one stands between. Never IPv4 in the clothes of IPv6.
    pub address: SocketAddr,
    /// The certificate it proved to have, by our own handshake or in the words of a trusted gateway.
    pub certificate: Option<Arc<ClientCertificate>>,
}
