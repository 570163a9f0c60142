//! The desk and its waiters: a real ledger, a real issuer, and a clock that moves when the test says so.

#![expect(
    clippy::unwrap_used,
    reason = "what these tests are made with is no test to clippy"
)]

mod answering;
mod bank;
mod bounds;
mod faults;
mod histories;
mod scale;
mod waiting;
mod waking;
