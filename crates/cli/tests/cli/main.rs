//! `oyez` as its users see it: the real binary, whole answers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod audit;
mod bank;
mod bench;
mod check;
mod core_system;
mod demo;
mod dev;
mod endpoints;
mod events;
mod hang;
mod help;
mod hostile;
mod house;
mod init;
mod keys;
mod kill;
mod migrate;
mod nodes;
mod publish;
mod renewal;
mod serve;
mod shared;
mod storage;
mod store;
mod tpp;
mod tpps;
mod verify;
