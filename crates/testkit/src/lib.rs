//! A bank in a test, and callers who can do everything wrong on purpose.
//!
//! [`bank::Bank`] is the real thing over real TLS on this machine: listeners, routers, the signing pool, a ledger of its
//! own. What comes from the edge of the program belongs to the test: the clock, chance, keys, and a ledger
//! that fails on command. [`tpp::Caller`] says to it whatever a TPP, or somebody who pretends to be one, could say; each part
//! of a request is right by default and can be replaced or left out.
//!
//! Ships with nothing. What is here panics where a test cannot go on.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

pub mod authz;
pub mod bank;
pub mod certificates;
pub mod claims;
pub mod clock;
pub mod colleague;
pub mod dice;
pub mod endpoint;
pub mod faulty_store;
pub mod http;
pub mod jws;
pub mod keys;
pub mod making;
pub mod model_store;
pub mod names;
pub mod notebook;
pub mod postgres;
pub mod proxy;
pub mod scale;
pub mod tokens;
pub mod tpp;
