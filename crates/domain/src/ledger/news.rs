//! What the ledger tells those who wait: not what happened, only whom it may concern.

use crate::event::Family;
use crate::ids::ClientId;

/// Something changed for a TPP. Whoever waits for that looks for itself: news may say too much, and never too little.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Whose.
    pub client_id: ClientId,
    /// An event may be due for polls sooner than a poll was told that waits, or a poll may be answered otherwise by now: an
    /// event was accepted, given back or queued again, or the registrations, the profile or the standing changed.
    pub polls: bool,
    /// An outstanding event ended. That alone makes nothing due sooner but for who polls in strict order (D-10); a poll knows
    /// its order, the ledger does not.
    pub ends: bool,
    /// There may be something to push, or whoever pushes reckons with what is no longer so.
    pub pushes: bool,
    /// The lane was taken from whoever drives it, who then pushes too: what it has read of the TPP, and holds, is out of date.
    pub freed: bool,
}

/// What somebody waits for of a TPP: a ledger whose news can be lost looks for itself whether there is any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// Whose.
    pub client_id: ClientId,
    /// Of these families a poll waits for events to fall due.
    pub polls: Vec<Family>,
    /// Its lane is driven here, and rests until something is to be pushed.
    pub pushes: bool,
}

impl News {
    /// Nothing new for this TPP.
    pub const fn of(client_id: ClientId) -> Self {
        Self {
            client_id,
            polls: false,
            ends: false,
            pushes: false,
            freed: false,
        }
    }

    /// The lane was freed, whoever had it.
    pub const fn free(&mut self) {
        self.pushes = true;
        self.freed = true;
    }

    /// Joins what else happened for the same TPP.
    pub const fn absorb(&mut self, more: &Self) {
        self.polls |= more.polls;
        self.ends |= more.ends;
        self.pushes |= more.pushes;
        self.freed |= more.freed;
    }
}
