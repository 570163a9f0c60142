//! Requests whose TPP's lock somebody else has: they wait in a line of that TPP, one transaction of which waits for the lock.
//!
//! However many requests a TPP has, they cost the others one session at most for each kind of request, and half of the sessions
//! never wait for a lock at all.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oyez_domain::ids::ClientId;

use super::Shared;
use super::group::{self, Work};
use super::line::Request;
use super::state::Locking;
use crate::Error;

/// The lines of one kind of request. A TPP has one as long as somebody is seeing to it.
pub(super) struct Waiting<K: Work> {
    lines: Mutex<HashMap<ClientId, VecDeque<Request<K>>>>,
}

impl<K: Work> Default for Waiting<K> {
    fn default() -> Self {
        Self {
            lines: Mutex::default(),
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
                .find(|it| self.lines().contains_key(*it) || seen.contains(it))
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
    pub(super) fn wait(&self, shared: &Arc<Shared>, client_id: ClientId, request: Request<K>) {
        let mut lines = self.lines();
        let is_new = !lines.contains_key(&client_id);
        let line = lines.entry(client_id.clone()).or_default();
        if line.len() >= shared.options.queued_max.max(1) {
            drop(lines);
            return request.answer(Err(Error::Busy {
                detail: format!("too many requests of {client_id} wait for its lock"),
            }));
        }
        line.push_back(request);
        drop(lines);
        if is_new {
            let seen_to = Arc::clone(shared);
            drop(shared.tasks.work(async move {
                see_to::<K>(&seen_to, &client_id).await;
            }));
        }
    }

    /// The next group of a TPP's line. An empty line is closed.
    fn next(&self, shared: &Shared, client_id: &ClientId) -> Vec<Request<K>> {
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(client_id) else {
            return Vec::new();
        };
        let requests_max = if K::SHARES_TPPS {
            shared.options.group_requests_max.max(1)
        } else {
            1
        };
        let mut group = Vec::new();
        let mut rows = 0;
        while group.len() < requests_max
            && (group.is_empty() || rows < shared.options.group_rows_max)
            && let Some(request) = line.pop_front()
        {
            rows += K::rows(&request.ask);
            group.push(request);
        }
        if group.is_empty() {
            lines.remove(client_id);
        }
        group
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<ClientId, VecDeque<Request<K>>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does what stands in a TPP's line, until it is empty.
async fn see_to<K: Work>(shared: &Arc<Shared>, client_id: &ClientId) {
    loop {
        // Nobody closes it.
        let _place = shared.blocked.acquire().await.ok();
        let group = K::waiting(shared).next(shared, client_id);
        if group.is_empty() {
            return;
        }
        group::serve_with(shared, group, Locking::Wait).await;
    }
}
