//! Requests whose TPP's lock somebody else has: they wait in a line of that TPP, one transaction of which waits for the lock.
//!
//! However many requests a TPP has, and of however many kinds, they cost the others one session at most ([`super::doors`]).
//! Nobody waits for ever: each request has a moment after which it is told that the ledger is busy, and there is a bound to
//! how many wait.

use std::collections::{HashMap, VecDeque};
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oyez_domain::ids::ClientId;
use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::group::{self, Passed, Work};
use super::line::Request;
use super::options::Options;
use super::state::Locking;
use crate::Error;

/// The lines of one kind of request. A TPP has one as long as somebody is seeing to it.
pub(super) struct Waiting<K: Work> {
    lines: Mutex<Lines<K>>,
}

struct Lines<K: Work> {
    of: HashMap<ClientId, VecDeque<Request<K>>>,
    /// In all of them.
    requests: usize,
}

impl<K: Work> Default for Waiting<K> {
    fn default() -> Self {
        let lines = Lines {
            of: HashMap::new(),
            requests: 0,
        };
        Self {
            lines: Mutex::new(lines),
        }
    }
}

impl<K: Work> Waiting<K> {
    /// Puts requests where their TPPs' earlier ones wait, and answers the others: those that may go now, together.
    pub(super) fn let_join(&self, shared: &Arc<Shared>, group: Vec<Request<K>>) -> Vec<Request<K>> {
        let mut seen: Vec<ClientId> = Vec::new();
        let mut now = Vec::with_capacity(group.len());
        for request in group {
            let behind = K::clients(&request.ask)
                .find(|it| self.lines().of.contains_key(*it) || seen.contains(it))
                .cloned();
            if let Some(client_id) = behind {
                self.wait(shared, client_id, request);
                continue;
            }
            if !K::SHARES_TPPS {
                seen.extend(K::clients(&request.ask).cloned());
            }
            now.push(request);
        }
        now
    }

    /// Puts a request into the line of a TPP.
    pub(super) fn wait(&self, shared: &Arc<Shared>, client_id: ClientId, mut request: Request<K>) {
        request.moves_left = request.moves_left.saturating_sub(1);
        let mut lines = self.lines();
        if let Err(full) = lines.has_room(&client_id, &shared.options) {
            drop(lines);
            return request.answer(Err(full));
        }
        let is_new = !lines.of.contains_key(&client_id);
        lines.requests += 1;
        let line = lines.of.entry(client_id.clone()).or_default();
        line.push_back(request);
        drop(lines);
        if is_new {
            SeenTo::<K>::begin(shared, client_id);
        }
    }

    /// Puts a group back that could not have the lock, before those who came later. Who is late goes without.
    pub(super) fn go_on_waiting(&self, client_id: &ClientId, group: Vec<Request<K>>) {
        for request in group.into_iter().rev() {
            if request.is_late() {
                request.give_up();
                continue;
            }
            let mut lines = self.lines();
            lines.requests += 1;
            let line = lines.of.entry(client_id.clone()).or_default();
            line.push_front(request);
        }
    }
}

impl<K: Work> Waiting<K> {
    /// The next group of a TPP's line. An empty line is closed.
    fn next(&self, options: &Options, client_id: &ClientId) -> Vec<Request<K>> {
        self.give_up_late(client_id);
        let mut lines = self.lines();
        let Some(line) = lines.of.get_mut(client_id) else {
            return Vec::new();
        };
        let requests_max = if K::SHARES_TPPS {
            options.group_requests_max.max(1)
        } else {
            1
        };
        let mut group = Vec::new();
        let mut rows = 0;
        while group.len() < requests_max
            && (group.is_empty() || rows < options.group_rows_max)
            && let Some(request) = line.pop_front()
        {
            rows += K::rows(&request.ask);
            group.push(request);
        }
        lines.requests -= group.len();
        if group.is_empty() {
            lines.of.remove(client_id);
        }
        group
    }

    /// Closes a line; answers who stood in it.
    fn close(&self, client_id: &ClientId) -> Vec<Request<K>> {
        let mut lines = self.lines();
        let line = lines.of.remove(client_id).unwrap_or_default();
        lines.requests -= line.len();
        line.into()
    }

    /// Waits for this, and tells those in line whose time is over meanwhile.
    async fn meanwhile<T>(
        &self,
        (options, client_id): (&Options, &ClientId),
        done: impl Future<Output = T>,
    ) -> T {
        let mut done = pin!(done);
        loop {
            // Whoever joins meanwhile has about as much time left.
            let first = self.first_late(client_id);
            let first = first.unwrap_or_else(|| Instant::now() + options.wait_max);
            tokio::select! {
                biased;
                done = &mut done => return done,
                () = sleep_until(first) => self.give_up_late(client_id),
            }
        }
    }

    /// When the first of a line has waited for as long as it may.
    fn first_late(&self, client_id: &ClientId) -> Option<Instant> {
        let lines = self.lines();
        let line = lines.of.get(client_id)?.iter();
        line.map(|request| request.until).min()
    }

    fn give_up_late(&self, client_id: &ClientId) {
        let mut lines = self.lines();
        let Some(line) = lines.of.get_mut(client_id) else {
            return;
        };
        let (late, left): (VecDeque<_>, _) =
            std::mem::take(line).into_iter().partition(Request::is_late);
        *line = left;
        lines.requests -= late.len();
        drop(lines);
        late.into_iter().for_each(Request::give_up);
    }

    fn lines(&self) -> MutexGuard<'_, Lines<K>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Work> Lines<K> {
    fn has_room(&self, client_id: &ClientId, options: &Options) -> Result<(), Error> {
        let all_max = options.queued_max.max(1);
        let of_one = self.of.get(client_id).map_or(0, VecDeque::len);
        if self.requests < all_max && of_one < all_max.div_ceil(SHARE) {
            return Ok(());
        }
        Err(Error::Busy {
            detail: format!("too many {} wait for locks", K::NAME),
        })
    }
}

/// A line that somebody sees to. Whatever ends that before the line is closed, somebody else goes on.
struct SeenTo<K: Work> {
    shared: Arc<Shared>,
    client_id: ClientId,
    is_over: bool,
    kind: PhantomData<fn(K)>,
}

impl<K: Work> SeenTo<K> {
    fn begin(shared: &Arc<Shared>, client_id: ClientId) {
        let seen_to = Self {
            shared: Arc::clone(shared),
            client_id,
            is_over: false,
            kind: PhantomData,
        };
        drop(shared.tasks.work(seen_to.see_to()));
    }

    /// Does what stands in the line until the lock was had.
    async fn see_to(mut self) {
        let (shared, client_id) = (&self.shared, &self.client_id);
        let waiting = K::waiting(shared);
        let of = (&shared.options, client_id);
        loop {
            let door = waiting.meanwhile(of, shared.doors.enter(client_id)).await;
            let group = waiting.next(&shared.options, client_id);
            if group.is_empty() {
                break;
            }
            let locking = if group.iter().any(|request| request.moves_left == 0) {
                Locking::WaitForAll(client_id)
            } else {
                Locking::WaitFor(client_id)
            };
            let done = group::serve_with(shared, group, locking);
            if waiting.meanwhile(of, done).await == Passed::HeldUp {
                continue;
            }
            // Nobody is in the way any more: those who came meanwhile go with other TPPs' again, and all who come later.
            let rest = waiting.close(client_id);
            drop(door);
            if !rest.is_empty() {
                group::serve(shared, rest).await;
            }
            break;
        }
        self.is_over = true;
    }
}

impl<K: Work> Drop for SeenTo<K> {
    fn drop(&mut self) {
        // A panic: the group it concerned is told so, and those behind it are not to wait for nobody. On a runtime that ends
        // nobody goes on.
        if !self.is_over && std::thread::panicking() {
            Self::begin(&self.shared, self.client_id.clone());
        }
    }
}

/// One TPP has this part of the places at most.
const SHARE: usize = 4;
