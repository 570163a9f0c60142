//! A client of as little as can be: HTTP/1.1 on one kept-alive connection, requests made beforehand, answers of a known length.
//! Server and client share the cores here, so what the client does not do is not measured.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::broken;
use super::site::Site;
use crate::failure::Failure;

/// How to reach a listener.
#[derive(Clone)]
pub(super) struct Dial {
    address: SocketAddr,
    tls: Option<TlsConnector>,
}

/// A kept-alive connection.
pub(super) struct Connection {
    stream: Stream,
    inbox: Vec<u8>,
    /// Of the inbox: the answer that was taken last.
    taken: usize,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Dial {
    /// In plain HTTP.
    pub(super) fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }

    /// In mutual TLS, with the certificate of the site's TPPs.
    pub(super) fn mutual(address: SocketAddr, site: &Site) -> Result<Self, Failure> {
        let key = PrivateKeyDer::from_pem_file(site.file("development/tpp.key"));
        let key = key.map_err(|error| no_tls(&error))?;
        let config = believing(site)?.with_client_auth_cert(vec![site.certificate()?], key);
        let config = config.map_err(|error| no_tls(&error))?;
        Ok(Self::over(address, config))
    }

    /// In TLS, without a certificate of its own.
    pub(super) fn tls(address: SocketAddr, site: &Site) -> Result<Self, Failure> {
        let config = believing(site)?.with_no_client_auth();
        Ok(Self::over(address, config))
    }

    fn over(address: SocketAddr, config: ClientConfig) -> Self {
        let tls = Some(TlsConnector::from(Arc::new(config)));
        Self { address, tls }
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> io::Result<Connection> {
        let tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        let stream = match &self.tls {
            None => Stream::Plain(tcp),
            Some(tls) => {
                let name = ServerName::try_from("localhost").expect("localhost is a name");
                Stream::Tls(Box::new(tls.connect(name, tcp).await?))
            }
        };
        Ok(Connection {
            stream,
            inbox: Vec::new(),
            taken: 0,
        })
    }
}

impl Connection {
    /// Sends a request and takes its answer's body; everything but 200 and 202 is an error.
    pub(super) async fn ask(&mut self, request: &[u8]) -> io::Result<&[u8]> {
        self.send(request).await?;
        self.answer().await
    }

    /// Sends a request.
    pub(super) async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(tcp) => tcp.write_all(request).await,
            Stream::Tls(tls) => {
                tls.write_all(request).await?;
                tls.flush().await
            }
        }
    }

    /// Takes the answer to the request that was sent last.
    pub(super) async fn answer(&mut self) -> io::Result<&[u8]> {
        self.inbox.drain(..self.taken);
        self.taken = 0;
        let (head_end, body_end) = loop {
            if let Some(found) = ends(&self.inbox)? {
                break found;
            }
            self.read().await?;
        };
        while self.inbox.len() < body_end {
            self.read().await?;
        }
        self.taken = body_end;
        let body = &self.inbox[head_end..body_end];
        if DONE.iter().any(|done| self.inbox.starts_with(done)) {
            Ok(body)
        } else {
            let answer = String::from_utf8_lossy(&self.inbox[..body_end]).into_owned();
            Err(io::Error::other(format!("the server answered {answer}")))
        }
    }

    async fn read(&mut self) -> io::Result<()> {
        let read = match &mut self.stream {
            Stream::Plain(tcp) => tcp.read_buf(&mut self.inbox).await,
            Stream::Tls(tls) => tls.read_buf(&mut self.inbox).await,
        };
        match read? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Who believes the site's authority.
fn believing(site: &Site) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Failure> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(site.file("development/ca.crt"));
    let added = roots.add(authority.map_err(|error| no_tls(&error))?);
    added.map_err(|error| no_tls(&error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| no_tls(&error))?;
    Ok(builder.with_root_certificates(roots))
}

fn no_tls(error: &dyn std::error::Error) -> Failure {
    broken("cannot speak TLS", error)
}

/// Where head and body of an answer end, as soon as the head is there.
fn ends(inbox: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let Some(end) = inbox.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&inbox[..end]);
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.ok_or_else(|| io::Error::other("an answer of unknown length"))?;
    Ok(Some((end + 4, end + 4 + length)))
}

/// A POST as it goes over the wire; `headers` are whole lines.
pub(super) fn post(path: &str, token: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: \
         application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A GET.
pub(super) fn get(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n")
        .into_bytes()
}

const DONE: [&[u8]; 2] = [b"HTTP/1.1 200 ", b"HTTP/1.1 202 "];
