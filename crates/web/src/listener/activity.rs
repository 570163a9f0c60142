//! What one connection is doing, and by when something must have happened.
//!
//! A [`Ticket`] stands for whatever of a request still holds memory: its handler, its answer, each piece of the answer that
//! lies in a buffer. While there are tickets the connection is not idle; a ticket with a deadline is owed by the *client*, which
//! must read. The watcher of the connection asks for the earliest moment that matters.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::bounds::Bounds;

/// One connection's.
pub(super) struct Activity {
    bounds: Arc<Bounds>,
    born: Instant,
    protocol: Protocol,
    state: Mutex<State>,
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// What the watcher does when the moment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing yet: it looks again.
    Look,
    /// The connection takes no further request.
    Leave,
    /// The connection is cut.
    Cut(Reason),
}

/// Why a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    HeadTooSlow,
    AnswerNotRead,
    DoesNotClose,
}

/// Something of a request is still here.
pub(super) struct Ticket {
    activity: Arc<Activity>,
    deadline: Option<(Instant, u64)>,
}

struct State {
    tickets: usize,
    /// The last ticket was given back, or the connection began.
    quiet_since: Instant,
    /// The first byte after that arrived.
    head_since: Option<Instant>,
    has_asked: bool,
    /// The listener closed before anything was asked.
    hurried_since: Option<Instant>,
    leaving_since: Option<Instant>,
    owed: BTreeSet<(Instant, u64)>,
    numbers: u64,
}

impl Activity {
    pub(super) fn new(bounds: Arc<Bounds>, protocol: Protocol, now: Instant) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            born: now,
            protocol,
            state: Mutex::new(State {
                tickets: 0,
                quiet_since: now,
                head_since: None,
                has_asked: false,
                hurried_since: None,
                leaving_since: None,
                owed: BTreeSet::new(),
                numbers: 0,
            }),
        })
    }

    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>) -> Ticket {
        let mut state = self.lock();
        state.tickets += 1;
        state.head_since = None;
        state.has_asked = true;
        drop(state);
        Ticket {
            activity: Arc::clone(self),
            deadline: None,
        }
    }

    /// Bytes came in. Between HTTP/1 requests that is the beginning of a head; HTTP/2 has frames that begin nothing.
    pub(super) fn heard(&self) {
        if self.protocol == Protocol::Http2 {
            return;
        }
        let mut state = self.lock();
        if state.tickets == 0 && state.head_since.is_none() {
            state.head_since = Some(Instant::now());
        }
    }

    /// The listener closes. Whether this connection may end with what it has: one that has asked nothing yet may have its first
    /// request on the way, and gets a moment for it.
    pub(super) fn may_end(&self) -> bool {
        let mut state = self.lock();
        if !state.has_asked {
            state.hurried_since.get_or_insert_with(Instant::now);
        }
        state.has_asked
    }

    /// No further request is taken.
    pub(super) fn leave(&self) {
        self.lock().leaving_since = Some(Instant::now());
    }

    /// When to look, and what is due by then.
    pub(super) fn due(&self) -> (Instant, Due) {
        let state = self.lock();
        let bounds = &self.bounds;
        let idle = state.tickets == 0;
        if let Some(left) = state.leaving_since
            && idle
        {
            let since = left.max(state.quiet_since);
            return (since + CLOSING_TIMEOUT, Due::Cut(Reason::DoesNotClose));
        }
        if let (Some(hurried), None, false) =
            (state.hurried_since, state.leaving_since, state.has_asked)
        {
            return (hurried + FIRST_REQUEST_WAIT, Due::Leave);
        }
        let aged = match state.leaving_since {
            None => (self.born + bounds.age_max, Due::Leave),
            Some(left) => (left + bounds.age_max, Due::Look),
        };
        let pressing = match (idle, state.head_since, state.owed.first()) {
            (true, Some(head), _) => (head + bounds.head_timeout, Due::Cut(Reason::HeadTooSlow)),
            (true, None, _) => (state.quiet_since + bounds.idle_timeout, Due::Leave),
            (false, _, Some((by, _))) => (*by, Due::Cut(Reason::AnswerNotRead)),
            // Tickets can come back on another task, which does not wake the watcher.
            (false, _, None) => (Instant::now() + bounds.idle_timeout, Due::Look),
        };
        if pressing.0 <= aged.0 { pressing } else { aged }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Another piece of the same request, which the client must have taken when its bytes are allowed no more time.
    pub(super) fn piece(&self, bytes: usize) -> Self {
        let mut piece = self.activity.begin();
        piece.owe(bytes);
        piece
    }

    /// From now on the client is waited for, as long as so many bytes may take.
    pub(super) fn owe(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let by = Instant::now() + self.activity.bounds.answer_pace.allows(bytes);
        let mut state = self.activity.lock();
        if let Some(before) = self.deadline.take() {
            state.owed.remove(&before);
        }
        state.numbers += 1;
        let deadline = (by, state.numbers);
        state.owed.insert(deadline);
        drop(state);
        self.deadline = Some(deadline);
    }

    /// The client is not what is waited for.
    pub(super) fn forgive(&mut self) {
        if let Some(deadline) = self.deadline.take() {
            self.activity.lock().owed.remove(&deadline);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.forgive();
        let mut state = self.activity.lock();
        state.tickets -= 1;
        if state.tickets == 0 {
            state.quiet_since = Instant::now();
            state.head_since = None;
        }
    }
}

/// Who has connected when the listener closes asks within this. Clients send at once; this is for slow networks.
pub(super) const FIRST_REQUEST_WAIT: Duration = Duration::from_secs(1);

/// After its last answer a connection that is leaving has this long to end.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn activity(protocol: Protocol) -> Arc<Activity> {
        Activity::new(Arc::new(Bounds::default()), protocol, Instant::now())
    }

    /// In how many seconds what is due.
    fn due(activity: &Activity) -> (u64, Due) {
        let (by, due) = activity.due();
        (by.duration_since(Instant::now()).as_secs(), due)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn drips_do_not_move_the_end_of_a_head() {
        let activity = activity(Protocol::Http1);
        assert_eq!(due(&activity), (75, Due::Leave));
        advance(SECOND).await;
        activity.heard();
        advance(SECOND).await;
        activity.heard();
        assert_eq!(due(&activity), (9, Due::Cut(Reason::HeadTooSlow)));
        drop(activity.begin());
        assert_eq!(due(&activity), (75, Due::Leave));
    }

    #[tokio::test(start_paused = true)]
    async fn frames_of_http_2_begin_no_head() {
        let activity = activity(Protocol::Http2);
        activity.heard();
        assert_eq!(due(&activity), (75, Due::Leave));
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_has_its_time_and_a_reader_has_not() {
        let activity = activity(Protocol::Http2);
        let _waiting = activity.begin();
        let mut answered = activity.begin();
        assert_eq!(due(&activity), (75, Due::Look));
        answered.owe(4 * 1024 * 10);
        let piece = answered.piece(0);
        assert_eq!(due(&activity), (20, Due::Cut(Reason::AnswerNotRead)));
        drop(piece);
        assert_eq!(due(&activity), (30, Due::Cut(Reason::AnswerNotRead)));
        answered.forgive();
        assert_eq!(due(&activity), (75, Due::Look));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_just_come_may_ask_once() {
        let activity = activity(Protocol::Http1);
        assert!(!activity.may_end());
        advance(SECOND / 2).await;
        assert!(!activity.may_end());
        let left = activity.due().0 - Instant::now();
        assert_eq!((left, activity.due().1), (SECOND / 2, Due::Leave));
        let _asked = activity.begin();
        assert!(activity.may_end());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_leaves_finishes_first() {
        let activity = activity(Protocol::Http1);
        let last = activity.begin();
        activity.leave();
        assert_eq!(due(&activity), (75, Due::Look));
        advance(30 * SECOND).await;
        drop(last);
        assert_eq!(due(&activity), (5, Due::Cut(Reason::DoesNotClose)));
    }
}
