//! Bodies under watch: requests that must arrive, answers that must be taken.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::activity::Ticket;
use super::bounds::Pace;

/// Why a request's body ended early. A handler finds it among the causes of the error it is given, and answers 408.
#[derive(Debug, thiserror::Error)]
#[error("the body came too slowly")]
pub struct BodyTooSlow;

impl BodyTooSlow {
    /// Whether this is at the bottom of an error that a handler was given.
    pub(crate) fn caused(error: &(dyn Error + 'static)) -> bool {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if error.is::<Self>() {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

type AnyError = Box<dyn Error + Send + Sync>;

/// A request's body, which fails when it falls behind its pace, and what nobody reads of it. Time counts from the first wait
/// for it.
pub(super) fn arriving(body: Incoming, pace: Pace) -> (Body, Option<Unread>) {
    if body.is_end_stream() {
        return (Body::empty(), None);
    }
    let (let_go, unread) = oneshot::channel();
    let body = Body::new(Arriving {
        inner: Some(body),
        let_go: Some(let_go),
        pace,
        received: 0,
        waiting: None,
    });
    (body, Some(Unread(unread)))
}

/// What a handler did not read of a body.
///
/// On HTTP/2, an answer to a request that is still being sent is followed by a reset of its stream, and some clients lose the
/// answer over that, though they must not (RFC 9113, 8.1): a 401 becomes an error without a name. So what little is under way
/// is taken in first. HTTP/1 knows `Expect: 100-continue`, which reading would answer; there hyper does what can be done.
pub(super) struct Unread(oneshot::Receiver<Incoming>);

impl Unread {
    /// Reads to the end, if that is near.
    pub(super) async fn discard(mut self) {
        let Ok(mut body) = self.0.try_recv() else {
            return;
        };
        if body.size_hint().lower() > DISCARDED_BYTES_MAX {
            return;
        }
        let to_the_end = async {
            let mut bytes = 0;
            while let Some(Ok(frame)) = body.frame().await {
                bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
                if bytes > DISCARDED_BYTES_MAX {
                    return;
                }
            }
        };
        // Whoever is slower is told to stop.
        drop(timeout(DISCARDING_MAX, to_the_end).await);
    }
}

struct Arriving {
    /// Until this is dropped.
    inner: Option<Incoming>,
    let_go: Option<oneshot::Sender<Incoming>>,
    pace: Pace,
    received: u64,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = AnyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnyError>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = Pin::new(inner).poll_frame(cx) {
            if let Some(Ok(frame)) = &frame {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                this.received += u64::try_from(bytes).unwrap_or(u64::MAX);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let allowed = this.pace.allows(this.received);
        let (began, sleep) = this.waiting.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + allowed)))
        });
        if sleep.deadline() != *began + allowed {
            sleep.as_mut().reset(*began + allowed);
        }
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Some(Err(BodyTooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.inner.as_ref().map(Incoming::size_hint);
        hint.unwrap_or(SizeHint::with_exact(0))
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let unread = self.inner.take().filter(|body| !body.is_end_stream());
        if let Some((body, let_go)) = unread.zip(self.let_go.take()) {
            // Nobody takes it where the connection went first.
            drop(let_go.send(body));
        }
    }
}

/// An answer's body. It and each piece taken from it hold a ticket until the last byte has left for the client.
pub(super) struct Answer {
    inner: Body,
    ticket: Ticket,
}

impl Answer {
    pub(super) fn new(inner: Body, mut ticket: Ticket) -> Self {
        ticket.owe(0);
        Self { inner, ticket }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            this.ticket.forgive();
            return Poll::Pending;
        };
        let Some(Ok(frame)) = frame else {
            return Poll::Ready(frame);
        };
        let frame = frame.map_data(|bytes| {
            // What comes after this piece may be asked for only when the piece has gone.
            this.ticket.owe(bytes.len());
            let ticket = this.ticket.piece(bytes.len());
            Bytes::from_owner(Piece {
                bytes,
                _ticket: ticket,
            })
        });
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Bytes in a buffer of the connection. They are dropped when they are written.
struct Piece {
    bytes: Bytes,
    _ticket: Ticket,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The standard's requests are mostly shorter; it is what a stream may send without asking.
const DISCARDED_BYTES_MAX: u64 = 64 * 1024;

/// What left together with the head has come by then.
const DISCARDING_MAX: Duration = Duration::from_millis(500);
