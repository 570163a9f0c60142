//! The crate at its boundary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod authz;
mod browser;
mod console;
mod end_to_end;
mod generic;
mod internal;
mod listener;
mod openapi;
mod origin;
mod polling;
mod python;
mod remote_keys;
mod status;
mod tokens;
mod tpp;
