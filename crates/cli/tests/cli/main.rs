//! `oyez` as its users see it: the real binary, whole answers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod bank;
mod check;
mod help;
mod hostile;
mod house;
mod init;
mod keys;
mod kill;
mod migrate;
mod serve;
mod storage;
mod verify;
