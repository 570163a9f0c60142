//! That what is right by default is right, and that what is wrong on purpose is wrong in that one way only.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bank;
mod callers;
mod endpoint;
mod proxy;
mod tokens;
