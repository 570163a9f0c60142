//! `cargo +nightly fuzz run jws`: see ../bodies/jws.rs.

#![no_main]

#[path = "../bodies/jws.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
