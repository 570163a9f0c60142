//! Why an event has no SET. Losing a race is an outcome, never one of these.

use std::time::Duration;

use oyez_domain::claims::BuildError;
use oyez_jose::SignError;

/// A fault at one event; the others of the same order have outcomes of their own. The event stays outstanding.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// None of the bank's keys may sign at this moment (M-06). Events wait until one may.
    #[error("no key may sign now")]
    NoKey,
    /// The notice cannot be told any more.
    #[error("the claims cannot be made")]
    Claims(#[from] BuildError),
    /// The key gave no signature.
    #[error("signing with key `{kid}`")]
    Sign {
        /// Which key.
        kid: String,
        /// What it said.
        #[source]
        source: SignError,
    },
    /// The device that holds the key did not answer in time.
    #[error("key `{kid}` did not sign within {} ms", limit.as_millis())]
    TimedOut {
        /// Which key.
        kid: String,
        /// The bound.
        limit: Duration,
    },
    /// Signing died over this event. The pool goes on.
    #[error("signing panicked")]
    Panicked,
    /// The ledger could not keep the SET, or could not say whether its event is still outstanding.
    #[error(transparent)]
    Ledger(#[from] oyez_store::Error),
    /// The issuer is closed, or was before it came to this event.
    #[error("the issuer is closed")]
    Closed,
}
