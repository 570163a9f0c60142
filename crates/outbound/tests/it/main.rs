//! The crate at its boundary: a client against servers that misbehave, over real TLS on loopback.
//!
//! Nothing waits by the clock: a limit of time is tested against a server that would never answer.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod addresses;
mod answers;
mod certificates;
mod keeping;
mod proxies;
mod server;
mod tls;
mod world;
