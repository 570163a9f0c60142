//! The crate at its boundary: a client against a bank of canned answers, over real mutual TLS on loopback.
//!
//! Nothing waits by the clock: time stands still until a test moves it, and a limit of time is tested against a server that
//! would never answer.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod application;
mod authority;
mod discovery;
mod fake_bank;
mod intake;
mod keys;
mod poller;
mod polls;
mod receiver;
mod refusals;
mod registrations;
mod sets;
mod tokens;
mod transport;
mod world;
