//! `cargo +nightly fuzz run claims`: see ../bodies/claims.rs.

#![no_main]

#[path = "../bodies/claims.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
