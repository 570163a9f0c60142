//! Connections that are kept for the next request to the same origin (D-11): a new one costs more than fifty requests on it.
//!
//! Bounded per origin, in all, and in time. There is no timer: what has been idle for too long is let go when the client is
//! next used, and the other side may close it earlier. A connection of HTTP/2 stays here while it is in use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::client::Limits;
use crate::connection::{Connection, Sender};

/// The kept connections of a client.
#[derive(Default)]
pub(crate) struct Pool(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// The latest used last. No list is empty.
    by_origin: HashMap<Arc<str>, Vec<Connection>>,
    count: usize,
    swept_at: Option<Instant>,
    opened: u64,
}

impl Pool {
    /// The connection to an origin that was used last, if one is still good: the older ones may then run out.
    pub(crate) fn take(&self, origin: &str, limits: &Limits) -> Option<Connection> {
        let now = Instant::now();
        let mut kept = self.lock();
        kept.sweep(limits.idle, now);
        let connections = kept.by_origin.get_mut(origin)?;
        let last = connections.last_mut()?;
        if last.is_good(limits.idle, now)
            && let Some(shared) = last.shared()
        {
            last.used_at = now;
            return Some(shared);
        }
        let before = connections.len();
        connections.retain(|connection| connection.is_good(limits.idle, now));
        let taken = connections.pop();
        let gone = before - connections.len();
        if connections.is_empty() {
            kept.by_origin.remove(origin);
        }
        kept.count -= gone;
        taken
    }

    /// Keeps a connection that has done its work, or shares one that has begun it.
    pub(crate) fn keep(&self, origin: &Arc<str>, connection: Connection, limits: &Limits) {
        let mut kept = self.lock();
        if kept.count >= limits.kept_max {
            kept.drop_oldest();
        }
        if kept.count >= limits.kept_max {
            return;
        }
        let connections = kept.by_origin.entry(Arc::clone(origin)).or_default();
        let is_shared = |connection: &Connection| matches!(connection.sender, Sender::Http2(_));
        let twice = is_shared(&connection) && connections.iter().any(is_shared);
        if connections.len() < limits.kept_per_origin_max && !twice {
            connections.push(connection);
            kept.count += 1;
        } else if connections.is_empty() {
            kept.by_origin.remove(origin);
        }
    }

    /// Lets a shared connection go that has failed somebody.
    pub(crate) fn forget(&self, origin: &str, number: u64) {
        let mut kept = self.lock();
        let Some(connections) = kept.by_origin.get_mut(origin) else {
            return;
        };
        let before = connections.len();
        connections.retain(|connection| connection.number != number);
        let gone = before - connections.len();
        if connections.is_empty() {
            kept.by_origin.remove(origin);
        }
        kept.count -= gone;
    }

    /// A number for a new connection.
    pub(crate) fn number(&self) -> u64 {
        let mut kept = self.lock();
        kept.opened += 1;
        kept.opened
    }

    /// Each change leaves the lists whole, so a panic elsewhere is no reason to stop.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Now and then, over all origins: those that are never asked for again would stay otherwise.
    fn sweep(&mut self, idle: Duration, now: Instant) {
        let swept_at = *self.swept_at.get_or_insert(now);
        if now.duration_since(swept_at) < idle {
            return;
        }
        self.swept_at = Some(now);
        self.by_origin.retain(|_, connections| {
            connections.retain(|connection| connection.is_good(idle, now));
            !connections.is_empty()
        });
        self.count = self.by_origin.values().map(Vec::len).sum();
    }

    fn drop_oldest(&mut self) {
        let oldest = self
            .by_origin
            .iter()
            .filter_map(|(origin, connections)| Some((connections.first()?.used_at, origin)))
            .min_by_key(|(used_at, _)| *used_at)
            .map(|(_, origin)| Arc::clone(origin));
        let Some(origin) = oldest else {
            return;
        };
        let Some(connections) = self.by_origin.get_mut(&origin) else {
            return;
        };
        drop(connections.remove(0));
        if connections.is_empty() {
            self.by_origin.remove(&origin);
        }
        self.count -= 1;
    }
}

impl Connection {
    /// The same connection once more, if it can be shared.
    pub(crate) fn shared(&self) -> Option<Self> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(sender) => Some(Self {
                number: self.number,
                sender: Sender::Http2(sender.clone()),
                peer: self.peer.clone(),
                used_at: self.used_at,
            }),
        }
    }

    fn is_good(&self, idle: Duration, now: Instant) -> bool {
        !self.sender.is_closed() && now.duration_since(self.used_at) < idle
    }
}
