//! `cargo +nightly fuzz run jwks`: see ../bodies/jwks.rs.

#![no_main]

#[path = "../bodies/jwks.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
