//! Bytes over TLS, without HTTP: garbage, slow writers, half-closed connections.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connection after its handshake.
pub struct Socket(TlsStream<TcpStream>);

impl Socket {
    pub(super) fn new(stream: TlsStream<TcpStream>) -> Self {
        Self(stream)
    }

    /// Says this.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await?;
        self.0.flush().await
    }

    /// Says this a byte at a time, with a pause after each.
    pub async fn trickle(&mut self, bytes: &[u8], pause: Duration) -> io::Result<()> {
        for byte in bytes {
            self.write(std::slice::from_ref(byte)).await?;
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    /// Says no more, and goes on listening.
    pub async fn half_close(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }

    /// All that comes until the other side ends; an end without farewell is an end.
    pub async fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes).await {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            _ => Ok(bytes),
        }
    }

    /// What comes next; empty at the end.
    pub async fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.read_buf(&mut bytes).await?;
        Ok(bytes)
    }
}
