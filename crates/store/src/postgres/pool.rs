//! The sessions that requests share: a bounded number, opened when they are needed, thrown away when they broke.
//!
//! When the database cannot be reached one request in a while finds out, at growing distances, and the others are told so at
//! once: nobody waits for what is known to be away, and nobody hammers it.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::migrations;
use super::mishap::Mishap;
use super::options::Options;
use super::server::Server;
use super::session::Session;
use super::tasks::{Tasks, closed};
use crate::Error;

/// The sessions of one ledger.
pub(super) struct Pool {
    server: Server,
    options: Options,
    tasks: Tasks,
    places: Arc<Semaphore>,
    awaited: AtomicUsize,
    state: Mutex<State>,
}

/// How the sessions of a ledger are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sessions {
    /// How many there may be.
    pub max: usize,
    /// How many somebody has.
    pub busy: usize,
    /// How many are open and nobody's.
    pub idle: usize,
    /// How many requests wait for one.
    pub awaited: usize,
}

#[derive(Default)]
struct State {
    idle: Vec<Session>,
    outage: Option<Outage>,
}

/// The database could not be reached.
struct Outage {
    failures: u32,
    again_at: Instant,
    error: Error,
}

/// A session for as long as one request needs it.
pub(super) struct Held {
    session: Option<Session>,
    pool: Arc<Pool>,
    place: Option<OwnedSemaphorePermit>,
}

impl Pool {
    pub(super) fn new(server: Server, options: Options, tasks: Tasks) -> Self {
        Self {
            server,
            options,
            tasks,
            places: Arc::new(Semaphore::new(options.sessions.max(1))),
            awaited: AtomicUsize::new(0),
            state: Mutex::default(),
        }
    }

    /// How they are used.
    pub(super) fn sessions(&self) -> Sessions {
        let max = self.options.sessions.max(1);
        Sessions {
            max,
            busy: max.saturating_sub(self.places.available_permits()),
            idle: self.state().idle.len(),
            awaited: self.awaited.load(Ordering::Relaxed),
        }
    }

    /// A session to have alone. It goes back when it is dropped, unless it broke or its transaction did not end.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Held, Error> {
        let place = timeout(
            self.options.wait_max,
            Arc::clone(&self.places).acquire_owned(),
        );
        let awaiting = Awaiting::one(&self.awaited);
        let place = place.await;
        drop(awaiting);
        let place = place.map_err(|_| Error::Busy {
            detail: format!(
                "no session was free within {} ms",
                self.options.wait_max.as_millis()
            ),
        })?;
        let place = place.map_err(|_| closed())?;
        let session = match self.idle()? {
            Some(session) => session,
            None => self.open().await?,
        };
        Ok(Held {
            session: Some(session),
            pool: Arc::clone(self),
            place: Some(place),
        })
    }

    /// Lets go of the sessions that nobody has.
    pub(super) fn close(&self) {
        self.places.close();
        self.state().idle.clear();
    }

    /// One that is open, or the news that opening one is useless just now.
    fn idle(&self) -> Result<Option<Session>, Error> {
        let mut state = self.state();
        while let Some(session) = state.idle.pop() {
            if session.is_sound() {
                return Ok(Some(session));
            }
        }
        match &mut state.outage {
            Some(outage) if Instant::now() < outage.again_at => Err(outage.error.clone()),
            Some(outage) => {
                // Who comes next need not try too, before this one knows.
                outage.again_at = Instant::now() + self.options.connect_time_max;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    async fn open(&self) -> Result<Session, Error> {
        let opened = self.connect().await;
        let mut state = self.state();
        match &opened {
            Ok(_) => state.outage = None,
            Err(error) => {
                let failures = state.outage.as_ref().map_or(0, |outage| outage.failures) + 1;
                state.outage = Some(Outage {
                    failures,
                    again_at: Instant::now() + distance(failures),
                    error: error.clone(),
                });
            }
        }
        opened
    }

    async fn connect(&self) -> Result<Session, Error> {
        let session = Session::open(&self.server, &self.options, &self.tasks).await?;
        // A newer binary may have been there while this one was cut off.
        migrations::refuse_who_was_left_behind(&session).await?;
        Ok(session)
    }

    fn put_back(&self, session: Session) {
        if session.mishap() == Mishap::Stale {
            self.state().idle.clear();
        }
        if session.is_sound() && !self.places.is_closed() {
            session.tidy();
            self.state().idle.push(session);
        }
    }

    /// Waits for the answer to a COMMIT that nobody else waits for any more.
    async fn listen_to(&self, session: Session) {
        tokio::select! {
            _ = timeout(UNHEARD_MAX, session.hear()) => {}
            () = self.tasks.closing() => {}
        }
        if session.is_unheard() {
            session.hang_up();
        }
        self.put_back(session);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for a session, counted for as long.
struct Awaiting<'a>(&'a AtomicUsize);

impl<'a> Awaiting<'a> {
    fn one(awaited: &'a AtomicUsize) -> Self {
        awaited.fetch_add(1, Ordering::Relaxed);
        Self(awaited)
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Deref for Held {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session
            .as_ref()
            .expect("it is held until it is dropped")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (Some(session), place) = (self.session.take(), self.place.take()) else {
            return;
        };
        if session.is_unheard() {
            // It keeps its place: however long the database waits for its standby, no more wait with it than have sessions.
            let pool = Arc::clone(&self.pool);
            let listening = async move {
                pool.listen_to(session).await;
                drop(place);
            };
            self.pool.tasks.connection(listening);
        } else {
            self.pool.put_back(session);
        }
    }
}

/// How long nobody tries after so many failures in a row.
fn distance(failures: u32) -> Duration {
    let doubled = AGAIN_AFTER.saturating_mul(1 << (failures - 1).min(DOUBLINGS_MAX));
    doubled.min(AGAIN_AFTER_MAX)
}

/// A standby that is away for longer is its operators' to see. A session of a primary that froze is of no use any more, and
/// others are wanted for the one that took over.
const UNHEARD_MAX: Duration = Duration::from_secs(60);
/// A restart of the database takes seconds; the first tries are for a connection that was merely cut.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// A database that is back is found within this time.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(2);
const DOUBLINGS_MAX: u32 = 8;
