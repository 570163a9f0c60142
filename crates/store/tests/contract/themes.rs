//! The suite by theme. `open` is the backend's, one level up.

mod accepting;
mod acknowledging;
mod flights;
mod isolation;
mod keeping;
mod keys;
mod lanes;
mod late;
mod listening;
mod looking_back;
mod operating;
mod ordering;
mod overview;
mod owning;
mod passing;
mod polling;
mod pushing;
mod registering;
mod set_back;
mod sharing;
mod waking;

use std::sync::Arc;

use oyez_domain::rules::Rules;
use oyez_testkit::making;

use crate::fixture::Ledger;

/// An empty ledger of the backend under test.
async fn ledger() -> Ledger {
    by(making::rules()).await
}

/// One that goes by these rules.
async fn by(rules: Arc<Rules>) -> Ledger {
    Ledger::new(super::open(rules).await)
}
