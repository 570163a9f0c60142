//! `oyez` as its users see it: the real binary, whole answers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod bank;
mod check;
mod core_system;
mod demo;
mod events;
mod help;
mod init;
mod keys;
mod migrate;
mod publish;
mod serve;
mod tpps;
mod verify;
