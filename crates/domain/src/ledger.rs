//! The words in which the ledger is asked and answers. One request here is one atomic unit there.
//!
//! Two clocks order an outstanding event. `due_at` is what polls go by (P-08): the acceptance at first, later the end of
//! the redelivery delay or of an attempt in flight. `push_at` is what pushes go by: the same, and besides the backoff of a
//! refusal. They are two because a push backoff never hides an event from polls (P-14). An event whose pushes are used up
//! (poll only, by D-07) has no `push_at`; while there is no CallbackUrl nobody goes by it.

pub mod acceptance;
pub mod history;
pub mod lanes;
pub mod news;
pub mod overview;
pub mod poll;
pub mod push;
pub mod registering;
pub mod set_back;
pub mod sets;
pub mod sharing;
pub mod trail;
