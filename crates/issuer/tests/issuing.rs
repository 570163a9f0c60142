//! The issuer at its boundary: against a real ledger in a temporary directory, with real keys, every SET verified.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start their own callers beside the one they look at"
)]
#![expect(
    clippy::unwrap_used,
    reason = "what these tests are made with is no test to clippy"
)]

#[path = "issuing/bank.rs"]
mod bank;
#[path = "issuing/fairness.rs"]
mod fairness;
#[path = "issuing/faults.rs"]
mod faults;
#[path = "issuing/keeping.rs"]
mod keeping;
#[path = "issuing/rotation.rs"]
mod rotation;
#[path = "issuing/scripted.rs"]
mod scripted;
#[path = "issuing/shutdown.rs"]
mod shutdown;
