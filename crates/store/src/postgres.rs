//! The shared ledger.
