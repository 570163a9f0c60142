//! The socket, plain or under TLS, as hyper sees it: it says when bytes come in, and it closes so that the last answer arrives.
//!
//! A server that closes a socket with bytes unread resets the connection, and the reset may overtake the answer: a client that
//! is still sending too large a body would never read its 413. So the end is said first, and what still comes is thrown away
//! for a moment.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;

use super::activity::Activity;

/// What is below HTTP.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

pub(super) struct Wire {
    stream: Stream,
    activity: Arc<Activity>,
    ending: Ending,
}

enum Ending {
    No,
    Saying,
    Listening {
        until: Pin<Box<Sleep>>,
        heard: usize,
    },
}

impl Wire {
    pub(super) fn new(stream: Stream, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            activity,
            ending: Ending::No,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled_before = buffer.filled().len();
        ready!(self.stream.poll_read(cx, buffer))?;
        if buffer.filled().len() > filled_before {
            self.activity.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, pieces),
            Stream::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(tcp) => tcp.is_write_vectored(),
            Stream::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.ending {
                Ending::No => this.ending = Ending::Saying,
                Ending::Saying => {
                    ready!(this.stream.poll_shutdown(cx))?;
                    this.ending = Ending::Listening {
                        until: Box::pin(sleep(LINGER)),
                        heard: 0,
                    };
                }
                Ending::Listening { until, heard } => {
                    if until.as_mut().poll(cx).is_ready() || *heard > LINGER_BYTES_MAX {
                        return Poll::Ready(Ok(()));
                    }
                    let mut waste = [0; 4096];
                    let mut buffer = ReadBuf::new(&mut waste);
                    match ready!(this.stream.poll_raw_read(cx, &mut buffer)) {
                        Ok(()) if !buffer.filled().is_empty() => *heard += buffer.filled().len(),
                        // The client has ended too, in whatever way.
                        Ok(()) | Err(_) => return Poll::Ready(Ok(())),
                    }
                }
            }
        }
    }
}

impl Stream {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }

    /// Below TLS: what is thrown away need not be deciphered.
    fn poll_raw_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Tls(tls) => Pin::new(tls.get_mut().0).poll_read(cx, buffer),
        }
    }
}

/// Enough for an answer to cross the world and for the client to close.
const LINGER: Duration = Duration::from_secs(1);

/// Whoever keeps sending more than this is not reading.
const LINGER_BYTES_MAX: usize = 4 * 1024 * 1024;
