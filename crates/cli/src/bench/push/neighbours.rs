//! Endpoints that a bank must bear, one TPP each: nobody else may feel them (D-09).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::task::TaskTracker;

use crate::bench::door::{Door, Locked};
use crate::failure::Failure;

/// All of them.
pub(super) struct Neighbours {
    dead: Locked,
    others: Vec<(Manner, Door)>,
}

/// How a connection is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It is taken, and nothing is said: the handshake never ends.
    Mute,
    /// It acknowledges, and takes its time: it is never down, and as much as may be is in flight at it.
    Slow,
    /// A good head, and a body without end.
    Endless,
    /// Half an answer, and a reset.
    Reset,
}

impl Neighbours {
    pub(super) fn bind() -> Result<Self, Failure> {
        let bound = MANNERS
            .into_iter()
            .map(|manner| Ok((manner, Door::bind()?)));
        Ok(Self {
            dead: Locked::bind()?,
            others: bound.collect::<Result<_, Failure>>()?,
        })
    }

    /// Where they are: as many as [`COUNT`].
    pub(super) fn urls(&self) -> impl Iterator<Item = String> {
        let others = self.others.iter().map(|(_, door)| door.url(""));
        std::iter::once(self.dead.url()).chain(others)
    }

    /// They behave badly from now on, for as long as the runtime lives. What is returned is the dead one.
    pub(super) fn open(self, tls: &TlsAcceptor) -> Result<Locked, Failure> {
        for (manner, door) in self.others {
            open(manner, door, tls.clone())?;
        }
        Ok(self.dead)
    }
}

fn open(manner: Manner, door: Door, tls: TlsAcceptor) -> Result<(), Failure> {
    let listener = door.open()?;
    let tracker = TaskTracker::new();
    drop(tracker.clone().spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let tls = tls.clone();
            drop(tracker.spawn(async move { treat(manner, tcp, tls).await.ok() }));
        }
    }));
    Ok(())
}

/// Until the other side has had enough.
async fn treat(manner: Manner, mut tcp: TcpStream, tls: TlsAcceptor) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    if manner == Manner::Mute {
        while tcp.read(&mut [0; 1024]).await? > 0 {}
        return Ok(());
    }
    let mut stream = tls.accept(tcp).await?;
    read_head(&mut stream).await?;
    match manner {
        Manner::Mute => Ok(()),
        Manner::Slow => {
            sleep(SLOW_BY).await;
            say(
                &mut stream,
                b"HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            )
            .await?;
            stream.shutdown().await
        }
        Manner::Endless => {
            say(
                &mut stream,
                b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n",
            )
            .await?;
            let chunk = [b"1000\r\n", [b' '; 0x1000].as_slice(), b"\r\n"].concat();
            loop {
                say(&mut stream, &chunk).await?;
            }
        }
        Manner::Reset => {
            say(
                &mut stream,
                b"HTTP/1.1 202 Accepted\r\ncontent-length: 100\r\n\r\nhalf",
            )
            .await?;
            stream.get_ref().0.set_zero_linger()
        }
    }
}

async fn read_head(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if head.len() > HEAD_BYTES_MAX || stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

async fn say(stream: &mut TlsStream<TcpStream>, words: &[u8]) -> io::Result<()> {
    stream.write_all(words).await?;
    stream.flush().await
}

const MANNERS: [Manner; 4] = [Manner::Mute, Manner::Slow, Manner::Endless, Manner::Reset];

/// The dead one too.
pub(super) const COUNT: u64 = 5;

/// Half of what an attempt may take.
const SLOW_BY: Duration = Duration::from_secs(5);

/// Head and SET have 2 KB.
const HEAD_BYTES_MAX: usize = 64 * 1024;
