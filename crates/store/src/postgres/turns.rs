//! Groups of one process that concern the same TPP take turns here, instead of meeting at its lock in the database.
//!
//! Without it, of two groups that begin within a few milliseconds the later one finds most locks taken, and falls apart into one
//! transaction for each TPP: several times the work, and the more of it the more there is to do. With it the later one waits for
//! a moment, and what comes meanwhile stands in line for a wider group.
//!
//! It is an economy and no lock: nothing relies on a turn, and who has waited for [`PATIENCE`] goes without one. So a
//! transaction that takes long holds others up that little. Turns are had in the order of asking, all that a group needs at
//! once: nobody is overtaken by somebody whom he would have to wait for, and nobody waits in a circle.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oyez_domain::ids::ClientId;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Of one ledger.
#[derive(Default)]
pub(super) struct Turns {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: HashSet<ClientId>,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    wanted: HashSet<ClientId>,
    reply: oneshot::Sender<Turn>,
}

/// A turn at these TPPs, until it is dropped.
pub(super) struct Turn {
    at: Arc<Turns>,
    taken: HashSet<ClientId>,
}

impl Turns {
    /// Waits for a turn at all of these, for a moment.
    pub(super) async fn take(self: &Arc<Self>, wanted: HashSet<ClientId>) -> Option<Turn> {
        let (reply, turn) = oneshot::channel();
        self.state().waiting.push_back(Waiting { wanted, reply });
        self.go_on();
        if let Ok(turn) = timeout(PATIENCE, turn).await {
            return turn.ok();
        }
        // Who stood behind this one, and behind nobody else.
        self.go_on();
        None
    }

    /// Gives turns to all who may go.
    fn go_on(self: &Arc<Self>) {
        let freed = self.state().next();
        for Waiting { wanted, reply } in freed {
            let turn = Turn {
                at: Arc::clone(self),
                taken: wanted,
            };
            // Who went without it meanwhile gives it back by this.
            drop(reply.send(turn));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Those whose turn it is, which they have from now on.
    fn next(&mut self) -> Vec<Waiting> {
        let mut awaited = HashSet::new();
        let mut next = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            if waiting.reply.is_closed() {
                continue;
            }
            let wanted = &waiting.wanted;
            if wanted.is_disjoint(&self.taken) && wanted.is_disjoint(&awaited) {
                self.taken.extend(wanted.iter().cloned());
                next.push(waiting);
            } else {
                awaited.extend(wanted.iter().cloned());
                self.waiting.push_back(waiting);
            }
        }
        next
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.at.state();
        for client_id in &self.taken {
            state.taken.remove(client_id);
        }
        drop(state);
        self.at.go_on();
    }
}

/// Several times what a transaction takes that goes well.
const PATIENCE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;
    use oyez_testkit::making::client;

    use super::*;

    fn of<const N: usize>(names: [&str; N]) -> HashSet<ClientId> {
        names.into_iter().map(client).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn groups_of_the_same_tpps_take_turns_in_the_order_of_asking_and_others_do_not_wait() {
        let turns = Arc::new(Turns::default());
        let first = turns.take(of(["a", "b"])).await.unwrap();
        let mut second = pin!(turns.take(of(["b", "c"])));
        assert!(second.as_mut().now_or_never().is_none());
        let other = turns.take(of(["d"])).await.unwrap();
        // `c` is free, but somebody waits for it who was here before.
        let mut third = pin!(turns.take(of(["c"])));
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        let second = second.await.unwrap();
        assert!(third.as_mut().now_or_never().is_none());
        drop((second, other));
        assert!(third.await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waited_in_vain_goes_without_and_is_in_nobodys_way() {
        let turns = Arc::new(Turns::default());
        let slow = turns.take(of(["a"])).await.unwrap();
        let mut vain = pin!(turns.take(of(["a", "b"])));
        assert!(vain.as_mut().now_or_never().is_none());
        tokio::time::advance(PATIENCE / 2).await;
        let mut behind = pin!(turns.take(of(["b"])));
        assert!(behind.as_mut().now_or_never().is_none());
        assert!(vain.await.is_none());
        assert!(behind.now_or_never().flatten().is_some());
        drop(slow);
        assert!(turns.take(of(["a", "b"])).await.is_some());
        let state = turns.state();
        assert!(state.taken.is_empty() && state.waiting.is_empty());
    }
}
