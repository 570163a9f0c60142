//! Requests of one kind, done in groups: whatever stands in line when a group may begin goes together.
//!
//! Nobody is ever waited for, so a lone caller pays for one transaction and no delay; while as many groups as may be are
//! under way, those who come form the next one. Callers wait for a place: that is the back-pressure. Who goes away after
//! having been queued cancels nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::Shared;
use super::options::Options;
use super::tasks::closed;
use crate::Error;

/// One kind of request that is done in groups.
pub(super) trait Kind: Send + 'static {
    /// What is asked.
    type Ask: Send + Sync + 'static;
    /// What is answered.
    type Answer: Send + 'static;
    /// For people.
    const NAME: &'static str;

    /// How many rows a request names, at least 1: what a group is bounded by.
    fn rows(ask: &Self::Ask) -> usize;

    /// Does a group, and answers each of its requests.
    fn serve(shared: &Arc<Shared>, group: Vec<Request<Self>>) -> impl Future<Output = ()> + Send
    where
        Self: Sized;
}

/// One request that waits for its answer. Dropped without one, it is told that the request came to nothing known.
pub(super) struct Request<K: Kind> {
    pub(super) ask: K::Ask,
    /// Until then it may wait for locks.
    pub(super) until: Instant,
    /// How often it may still change to the line of another TPP whose lock it needs as well, before it waits for all at once.
    pub(super) moves_left: u32,
    reply: oneshot::Sender<Result<K::Answer, Error>>,
}

impl<K: Kind> Request<K> {
    /// Answers. A caller that is gone needs none.
    pub(super) fn answer(self, answer: Result<K::Answer, Error>) {
        self.reply.send(answer).ok();
    }

    /// Answers that it waited in vain.
    pub(super) fn give_up(self) {
        self.answer(Err(Error::Busy {
            detail: format!("{} waited for a lock for too long", K::NAME),
        }));
    }

    /// Whether it has waited for as long as it may.
    pub(super) fn is_late(&self) -> bool {
        self.until <= Instant::now()
    }
}

/// Where callers stand in line.
pub(super) struct Line<K: Kind> {
    sender: mpsc::Sender<Request<K>>,
    wait_max: Duration,
}

impl<K: Kind> Line<K> {
    /// A line of its own, and the task that forms its groups.
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let options = shared.options;
        let (sender, receiver) = mpsc::channel(options.queued_max.max(1));
        drop(shared.tasks.work(dispatch(Arc::clone(shared), receiver)));
        Self {
            sender,
            wait_max: options.wait_max,
        }
    }

    /// Has a request done.
    pub(super) async fn ask(&self, ask: K::Ask) -> Result<K::Answer, Error> {
        let (reply, answer) = oneshot::channel();
        let place = match self.sender.try_reserve() {
            Ok(place) => place,
            Err(TrySendError::Closed(())) => return Err(closed()),
            Err(TrySendError::Full(())) => self.place().await?,
        };
        place.send(Request {
            ask,
            until: Instant::now() + self.wait_max,
            moves_left: MOVES_MAX,
            reply,
        });
        answer.await.map_err(|_| Error::Inconsistent {
            detail: format!("a group of {} panicked", K::NAME),
        })?
    }
}

impl<K: Kind> Line<K> {
    async fn place(&self) -> Result<mpsc::Permit<'_, Request<K>>, Error> {
        let place = tokio::time::timeout(self.wait_max, self.sender.reserve());
        let place = place.await.map_err(|_| Error::Busy {
            detail: format!(
                "no place in the line of {} within {} ms",
                K::NAME,
                self.wait_max.as_millis()
            ),
        })?;
        place.map_err(|_| closed())
    }
}

/// Forms groups until the line is closed and empty.
async fn dispatch<K: Kind>(shared: Arc<Shared>, mut line: mpsc::Receiver<Request<K>>) {
    let at_once = Arc::new(Semaphore::new(shared.options.groups_at_once.max(1)));
    loop {
        let place = Arc::clone(&at_once).acquire_owned().await;
        let first = tokio::select! {
            biased;
            first = line.recv() => first,
            () = shared.tasks.closing(), if !line.is_closed() => {
                line.close();
                continue;
            }
        };
        let Some(first) = first else { return };
        let group = gather(first, &mut line, &shared.options);
        let serving = Arc::clone(&shared);
        drop(shared.tasks.work(async move {
            K::serve(&serving, group).await;
            drop(place);
        }));
    }
}

/// The first, and whoever stands in line with it.
fn gather<K: Kind>(
    first: Request<K>,
    line: &mut mpsc::Receiver<Request<K>>,
    options: &Options,
) -> Vec<Request<K>> {
    let mut rows = K::rows(&first.ask);
    let mut group = vec![first];
    while group.len() < options.group_requests_max && rows < options.group_rows_max {
        let Ok(next) = line.try_recv() else { break };
        rows += K::rows(&next.ask);
        group.push(next);
    }
    group
}

/// A batch for several TPPs, one of whose locks somebody else has each time it is tried, waits for all of them in the end.
const MOVES_MAX: u32 = 8;
