//! The two faces of oyez over HTTP: the API that TPPs call, and the internal API that the bank's own systems call.
//!
//! Both are routers over the same [`Bank`]. Handlers are thin: extractors carry who calls and what they may, bodies are
//! parsed into the types of `oyez_domain` once, the ledger decides under its locks, and one place renders what went wrong in
//! the words of the version called.
//!
//! Absent here: SQL, sockets that leave (those are `oyez_outbound`'s), files, signals, the environment, and the clock.

mod bank;
pub mod console;
pub mod developer;
mod flight;
pub mod internal;
pub mod journal;
pub mod listener;
pub mod metrics;
pub mod openapi;
pub mod pages;
mod panics;
pub mod polling;
mod recent;
pub mod remote_keys;
mod signing;
pub mod tokens;
pub mod tpp;

pub use bank::{Bank, Random};
pub use signing::Signing;
