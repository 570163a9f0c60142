//! The rules of the field as pure code.
//!
//! What a bank may say, to whom, in which version, and what becomes of each event: all of it decided here by functions of
//! their arguments. Nothing in this crate waits, reads a clock, draws a random number or opens a file, so every rule can be
//! tested by calling it. Time and randomness come in as parameters.

pub mod access;
pub mod actor;
pub mod address;
pub mod base_url;
pub mod catalogue;
pub mod claims;
pub mod error_chain;
pub mod event;
pub mod fault;
pub mod ids;
pub mod json;
pub mod ledger;
pub mod life;
pub mod media_types;
pub mod model;
pub mod notice;
pub mod polling;
pub mod registration;
pub mod resources;
pub mod retry;
pub mod routing;
pub mod rules;
pub mod silence;
pub mod time;
pub mod tpp;
pub mod trace;
pub mod version;
pub mod versions;
