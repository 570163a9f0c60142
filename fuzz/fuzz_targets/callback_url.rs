//! `cargo +nightly fuzz run callback_url`: see ../bodies/callback_url.rs.

#![no_main]

#[path = "../bodies/callback_url.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
