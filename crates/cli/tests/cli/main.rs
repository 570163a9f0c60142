//! `oyez` as its users see it: the real binary, whole answers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod bank;
mod bench;
mod check;
mod help;
mod init;
mod keys;
mod migrate;
mod serve;
mod verify;
