//! Polls: choosing, signing, waiting and being woken (P-01 … P-14).
//!
//! The ledger decides what a poll acknowledges, chooses and counts; the issuer turns what was chosen into durable SETs. What
//! is here is the [`Desk`] between them and the [`Waiters`]: the long polls that sleep until an event is due.
//!
//! # Waking
//!
//! A waiting poll takes its place in a line first and asks the ledger then, so that nothing accepted in between is missed.
//! Polls of one TPP whose tokens see the same families, in the same order, stand in one line: what one of them finds is what
//! each would find. The ledger tells its news ([`oyez_store::Listen`]), whoever made it: a publisher, a push that ended, an
//! operator, another poll. News of a TPP *calls* one poll per line, the oldest, and not all of them; that an event ended calls
//! only those who poll in strict order, and lets the next one out (D-10). Nobody is called while one is on its
//! way. A call is never lost: a poll that finds more than it takes, that fails, or that goes away before it was answered
//! hands it on; when all are asking the ledger already, the call stays open, and the first that would lie down asks again.
//! Ten parallel polls so cost one look at the ledger per event, and a thousand events published one by one to a sleeping
//! TPP cost as few as the polls that leave with them.
//!
//! What falls due by time is known per line as well: each poll that hands something out tells the lines when it will be due
//! again, whether it waited itself or not. The oldest sleeper keeps the time for its line and hands the watch on when it
//! goes. A time that is wrong by then costs a look too many; where the clock was set back or on, no more than the wait.
//!
//! Under this lies no net of its own: the ledger tells all that makes something due sooner, before it answers who made it. Where
//! others write to it too, and their word may be lost, the ledger asks the [`Waiters`] what they wait for and looks for that
//! itself: one question in a while, for all who wait.
//!
//! # What a TPP is told
//!
//! A TPP without a subscription waits like any other that has nothing (P-10): answered at once it would ask again at once,
//! and a subscription may be made meanwhile, which wakes it. When the bank cannot sign or reach its ledger and there is
//! nothing in hand, the answer is [`Unavailable`] and not an empty 200, which would say that there are no events. Its
//! acknowledgements were applied all the same, and repeating them is harmless (P-04). With something in hand that is
//! answered, and `moreAvailable` stays true. An event that alone cannot be told, because its type was taken out of the bank's
//! tables, is left out and logged: it stays outstanding and must not stop the others.
//!
//! Absent here: HTTP, who may poll, and what is wrong with a body.

mod desk;
mod hand;
mod line;
mod options;
mod room;
mod waiters;

pub use desk::{Answer, Ask, Desk, Unavailable};
pub use options::Options;
pub use waiters::{Counts, Waiters};
