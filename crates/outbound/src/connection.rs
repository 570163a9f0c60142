//! A connection that speaks HTTP: 1.1, or 2 when both sides offer it in the TLS handshake.
//!
//! Each has a task that moves its bytes, spawned on the caller's tracker. The task ends when nobody holds the connection any
//! more, or when the other side closes it.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::http::Version;
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use oyez_domain::ledger::push::Peer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use crate::error::{Class, Fault};
use crate::exchange::{Message, Request};

/// Open, and with whom.
pub(crate) struct Connection {
    /// Tells shared connections apart.
    pub(crate) number: u64,
    pub(crate) sender: Sender,
    pub(crate) peer: Peer,
    /// When it was last of use.
    pub(crate) used_at: Instant,
}

/// How requests are put on it.
pub(crate) enum Sender {
    /// One at a time: it belongs to one request.
    Http1(http1::SendRequest<Full<Bytes>>),
    /// Many at once: it is shared by cloning.
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Why a request got no answer on a connection.
pub(crate) enum Unanswered {
    /// The connection was closed before any of it was sent.
    Unsent(hyper::Error),
    /// It broke off after some of it may have been sent.
    Broken(hyper::Error),
}

/// Which HTTP the handshake chose.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Sender {
    pub(crate) async fn open<S>(
        stream: S,
        protocol: Protocol,
        tracker: &TaskTracker,
    ) -> Result<Self, Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(stream);
        let opened = match protocol {
            Protocol::Http1 => {
                let mut builder = http1::Builder::new();
                builder.max_buf_size(HEAD_BYTES_MAX);
                builder.handshake(io).await.map(|(sender, connection)| {
                    tracker.spawn(async { drop(connection.await) });
                    Self::Http1(sender)
                })
            }
            Protocol::Http2 => {
                let mut builder = http2::Builder::new(Tasks(tracker.clone()));
                builder
                    .max_header_list_size(HEADERS_BYTES_MAX)
                    .initial_stream_window_size(STREAM_WINDOW_BYTES)
                    .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
                builder.handshake(io).await.map(|(sender, connection)| {
                    tracker.spawn(async { drop(connection.await) });
                    Self::Http2(sender)
                })
            }
        };
        opened.map_err(|error| Fault::new(Class::Protocol, error))
    }

    /// Sends one request and waits for the head of its answer.
    pub(crate) async fn send(
        &mut self,
        request: &Request,
    ) -> Result<hyper::Response<Incoming>, Unanswered> {
        let answer = match self {
            Self::Http1(sender) => {
                let message = request.message(Version::HTTP_11);
                sender.try_send_request(message).await
            }
            Self::Http2(sender) => {
                let message = request.message(Version::HTTP_2);
                sender.try_send_request(message).await
            }
        };
        answer.map_err(
            |mut error: TrySendError<Message>| match error.take_message() {
                Some(_) => Unanswered::Unsent(error.into_error()),
                None => Unanswered::Broken(error.into_error()),
            },
        )
    }

    /// Whether it can take a request. A connection that has just answered may need a moment to notice it.
    pub(crate) async fn is_ready(&mut self) -> bool {
        let ready = match self {
            Self::Http1(sender) => timeout(READY_WAIT, sender.ready()).await,
            Self::Http2(sender) => timeout(READY_WAIT, sender.ready()).await,
        };
        matches!(ready, Ok(Ok(())))
    }

    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }
}

/// Lets hyper spawn on our tracker.
#[derive(Clone)]
struct Tasks(TaskTracker);

impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        drop(self.0.spawn(task));
    }
}

/// The head of an answer, and what is buffered per connection: real heads are under 4 KiB.
const HEAD_BYTES_MAX: usize = 32 * 1_024;
/// The same for HTTP/2, which counts headers after decompression.
const HEADERS_BYTES_MAX: u32 = 32 * 1_024;
/// What the other side may send of one answer before we read it: more than we keep of most.
const STREAM_WINDOW_BYTES: u32 = 64 * 1_024;
/// The same for all answers on a connection.
const CONNECTION_WINDOW_BYTES: u32 = 1_024 * 1_024;
/// A connection that is not ready by then never will be.
const READY_WAIT: std::time::Duration = std::time::Duration::from_millis(50);
