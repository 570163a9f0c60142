//! `oyez` as its users see it: the real binary, whole answers.

mod bank;
mod check;
mod help;
mod init;
mod keys;
mod migrate;
mod verify;
