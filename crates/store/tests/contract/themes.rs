//! The suite by theme. `open` is the backend's, one level up.

mod accepting;
mod acknowledging;
mod flights;
mod isolation;
mod keeping;
mod keys;
mod lanes;
mod listening;
mod looking_back;
mod operating;
mod owning;
mod passing;
mod polling;
mod pushing;
mod registering;
mod waking;

use crate::fixture::Ledger;

/// An empty ledger of the backend under test.
async fn ledger() -> Ledger {
    Ledger::new(super::open().await)
}
