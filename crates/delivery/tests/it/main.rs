//! The crate at its boundary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod lanes;
mod network;
mod post;
