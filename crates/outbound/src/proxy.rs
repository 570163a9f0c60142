//! An egress proxy, named in configuration and never found in the environment (D-12).
//!
//! It is spoken to in plain HTTP and only asked for CONNECT: TLS is between us and the target. Its own address is the
//! operator's word and is not judged. With [`Resolution::Here`] the target is resolved and judged as without a proxy, and the
//! proxy is asked for the first address judged good; with [`Resolution::AtProxy`] it is asked for the name, literal addresses are still
//! judged, and to keep names from leading inside is the proxy's business.

use std::io;

use hyper::http::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::{Class, Fault};

/// How to reach it. It has no `Debug`: it may hold a password.
#[derive(Clone)]
pub struct Proxy {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What `Proxy-Authorization` says, if it asks for that.
    pub authorization: Option<HeaderValue>,
    /// Who resolves the names of targets.
    pub resolution: Resolution,
}

/// Who resolves the names of targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// We do, and judge the answers.
    Here,
    /// The proxy: for networks whose inside cannot resolve names of the outside.
    AtProxy,
}

/// Why a proxy does not let us through.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("it broke off")]
    Broken(#[from] io::Error),
    #[error("its answer is no HTTP, or has no end")]
    Garbled,
    #[error("it answered {0}")]
    Status(u16),
}

/// Makes a connection to the proxy one to the target.
pub(crate) async fn connect(
    stream: &mut TcpStream,
    target: &str,
    authorization: Option<&HeaderValue>,
) -> Result<(), Fault> {
    exchange(stream, target, authorization)
        .await
        .map_err(|refusal| Fault::new(Class::Proxy, refusal))
}

async fn exchange(
    stream: &mut TcpStream,
    target: &str,
    authorization: Option<&HeaderValue>,
) -> Result<(), Refusal> {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(authorization) = authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await?;
    let answer = head(stream).await?;
    match status(&answer).ok_or(Refusal::Garbled)? {
        // Whoever is behind the proxy speaks second, so nothing may follow.
        200..=299 if answer.ends_with(END) => Ok(()),
        200..=299 => Err(Refusal::Garbled),
        status => Err(Refusal::Status(status)),
    }
}

/// Reads as far as the empty line, and what came with it.
async fn head(stream: &mut TcpStream) -> Result<Vec<u8>, Refusal> {
    let mut head = Vec::new();
    while head.len() < HEAD_BYTES_MAX {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if head.windows(END.len()).any(|window| window == END) {
            return Ok(head);
        }
    }
    Err(Refusal::Garbled)
}

fn status(head: &[u8]) -> Option<u16> {
    let line = head.strip_prefix(b"HTTP/1.")?.get(1..5)?;
    let status = std::str::from_utf8(line.strip_prefix(b" ")?).ok()?;
    status.parse().ok()
}

/// The empty line, and the end of the line before it.
const END: &[u8] = b"\r\n\r\n";

/// Proxies answer CONNECT with a line or two; error pages come after the head.
const HEAD_BYTES_MAX: usize = 8 * 1_024;
