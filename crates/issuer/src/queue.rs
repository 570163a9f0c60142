//! What waits for a signature, in a line for each TPP.
//!
//! The lines are served in turn, so that a TPP with one event waits for one of each other TPP and not for all of theirs.
//! Urgent work has lines of its own and goes first, but not for ever: between runs of it the rest gets a turn.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use oyez_domain::ids::ClientId;

use crate::Urgency;

/// The lines. Threads wait at one end; whoever stands in line at the other does not block. It is as long as the places
/// that are given out to those who join it.
pub(crate) struct Queue<T> {
    lines: Mutex<Lines<T>>,
    news: Condvar,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self {
            lines: Mutex::new(Lines {
                first: Turns::new(),
                rest: Turns::new(),
                first_in_a_row: 0,
                closed: false,
            }),
            news: Condvar::new(),
        }
    }

    /// Joins the TPP's line. A closed queue hands the item back.
    pub(crate) fn push(&self, owner: &ClientId, urgency: Urgency, item: T) -> Result<(), T> {
        let mut lines = self.lines();
        if lines.closed {
            return Err(item);
        }
        match urgency {
            Urgency::First => lines.first.push(owner, item),
            Urgency::Rest => lines.rest.push(owner, item),
        }
        drop(lines);
        self.news.notify_one();
        Ok(())
    }

    /// Waits for the next item; `None` once the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<T> {
        let mut lines = self.lines();
        loop {
            if let Some(item) = lines.pop() {
                return Some(item);
            }
            if lines.closed {
                return None;
            }
            lines = self
                .news
                .wait(lines)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        let lines = self.lines();
        lines.first.len + lines.rest.len
    }

    /// Does it take nothing new?
    pub(crate) fn is_closed(&self) -> bool {
        self.lines().closed
    }

    /// Takes nothing new; what waits is still served.
    pub(crate) fn close(&self) {
        self.lines().closed = true;
        self.news.notify_all();
    }

    /// Throws away what waits and says how much that was.
    pub(crate) fn clear(&self) -> usize {
        let mut lines = self.lines();
        let first = std::mem::replace(&mut lines.first, Turns::new());
        let rest = std::mem::replace(&mut lines.rest, Turns::new());
        // Items may do anything when they are dropped: not under the lock.
        drop(lines);
        first.len + rest.len
    }

    fn lines(&self) -> MutexGuard<'_, Lines<T>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lines<T> {
    first: Turns<T>,
    rest: Turns<T>,
    first_in_a_row: u32,
    closed: bool,
}

impl<T> Lines<T> {
    fn pop(&mut self) -> Option<T> {
        if self.first_in_a_row < FIRST_IN_A_ROW_MAX
            && let Some(item) = self.first.pop()
        {
            self.first_in_a_row += 1;
            return Some(item);
        }
        self.first_in_a_row = 0;
        self.rest.pop().or_else(|| self.first.pop())
    }
}

/// Lines that are served in turn.
struct Turns<T> {
    lines: HashMap<ClientId, VecDeque<T>>,
    /// Those whose line is not empty, the next one first.
    next: VecDeque<ClientId>,
    len: usize,
}

impl<T> Turns<T> {
    fn new() -> Self {
        Self {
            lines: HashMap::new(),
            next: VecDeque::new(),
            len: 0,
        }
    }

    fn push(&mut self, owner: &ClientId, item: T) {
        self.len += 1;
        if let Some(line) = self.lines.get_mut(owner) {
            line.push_back(item);
        } else {
            self.lines.insert(owner.clone(), VecDeque::from([item]));
            self.next.push_back(owner.clone());
        }
    }

    fn pop(&mut self) -> Option<T> {
        let owner = self.next.pop_front()?;
        let line = self.lines.get_mut(&owner).expect("whose turn it is waits");
        let item = line.pop_front();
        self.len -= 1;
        if line.is_empty() {
            self.lines.remove(&owner);
        } else {
            self.next.push_back(owner);
        }
        item
    }
}

/// After so many urgent items the rest has a turn: polls over a backlog must not stop all pushes.
const FIRST_IN_A_ROW_MAX: u32 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    fn tpp(name: &str) -> ClientId {
        ClientId::new(name).unwrap()
    }

    fn push(queue: &Queue<String>, owner: &str, urgency: Urgency, items: usize) {
        for n in 0..items {
            let item = format!("{owner}{n}");
            queue.push(&tpp(owner), urgency, item).unwrap();
        }
    }

    fn pop(queue: &Queue<String>, items: usize) -> Vec<String> {
        (0..items).map(|_| queue.pop().unwrap()).collect()
    }

    // D-09
    #[test]
    fn lines_are_served_in_turn_and_each_in_order() {
        let queue = Queue::new();
        push(&queue, "a", Urgency::Rest, 1000);
        push(&queue, "b", Urgency::Rest, 2);
        push(&queue, "c", Urgency::Rest, 1);
        assert_eq!(pop(&queue, 6), ["a0", "b0", "c0", "a1", "b1", "a2"]);
        push(&queue, "b", Urgency::Rest, 1);
        assert_eq!(pop(&queue, 3), ["a3", "b0", "a4"]);
        assert_eq!(queue.len(), 995);
    }

    // D-09
    #[test]
    fn urgent_work_goes_first_and_lets_the_rest_have_a_turn() {
        let queue = Queue::new();
        push(&queue, "r", Urgency::Rest, 3);
        push(&queue, "u", Urgency::First, 9);
        let urgent = |range: std::ops::Range<u32>| range.map(|n| format!("u{n}"));
        let mut expected: Vec<_> = urgent(0..7).collect();
        expected.push("r0".to_owned());
        expected.extend(urgent(7..9));
        expected.extend(["r1".to_owned(), "r2".to_owned()]);
        assert_eq!(pop(&queue, 12), expected);
    }

    #[test]
    fn a_closed_queue_is_served_to_its_end() {
        let queue = Queue::new();
        push(&queue, "a", Urgency::Rest, 1);
        queue.close();
        let late = queue.push(&tpp("a"), Urgency::First, "late".to_owned());
        assert_eq!(late, Err("late".to_owned()));
        assert_eq!(queue.pop().as_deref(), Some("a0"));
        assert_eq!(queue.pop(), None);
    }
}
