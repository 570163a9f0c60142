//! `cargo +nightly fuzz run poll`: see ../bodies/poll.rs.

#![no_main]

#[path = "../bodies/poll.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
