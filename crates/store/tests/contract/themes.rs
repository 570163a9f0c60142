//! The suite by theme. `open` is the backend's, one level up.

mod accepting;
mod acknowledging;
mod keeping;
mod lanes;
mod operating;
mod polling;
mod pushing;
mod registering;

use crate::fixture::Ledger;

/// An empty ledger of the backend under test.
async fn ledger() -> Ledger {
    Ledger::new(super::open().await)
}
