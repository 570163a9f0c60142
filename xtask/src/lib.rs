//! The rules of the house, as code.
//!
//! Whatever a reviewer would say twice is checked here instead. Each check takes the tree (or what
//! `cargo metadata` says of it) and returns its offenders, all at once, one line each; `tests/tidy.rs`
//! turns every check into a test, and `main.rs` offers the few that are useful by hand.
//!
//! Nothing here parses Rust: the checks read lines. That is enough for house rules, and keeps this crate
//! at three dependencies that the product has anyway.

pub mod boundaries;
pub mod conformance;
pub mod dependencies;
pub mod documents;
pub mod metadata;
pub mod sources;
pub mod spdx;
pub mod tree;

/// What a check found: one line for each offender, empty when all is well.
pub type Offenders = Vec<String>;
