//! Why the ledger could not do what it was asked, or cannot say whether it did. Losing a race is an answer, never one of these.

/// A fault of the ledger itself. Nothing of the request happened, unless it is [`Error::InDoubt`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// It may work in a moment: locked, out of connections, too many requests waiting.
    #[error("the ledger is busy: {detail}")]
    Busy {
        /// What it waited for.
        detail: String,
    },
    /// There is no room to write.
    #[error("the ledger's disk is full")]
    DiskFull,
    /// The ledger cannot be written to.
    #[error("the ledger is read-only: {detail}")]
    ReadOnly {
        /// What the database said.
        detail: String,
    },
    /// Another process has this ledger.
    #[error(
        "another process is using this ledger ({detail}); stop it, or give this one a ledger of its own"
    )]
    InUse {
        /// The lock that is held.
        detail: String,
    },
    /// The file is no ledger, or is damaged. It was left as it is.
    #[error(
        "this is not a sound ledger ({detail}); it was left untouched: restore a backup, or move it away to start anew"
    )]
    Corrupt {
        /// What gave it away.
        detail: String,
    },
    /// The schema is newer than this binary, or a migration did not go through.
    #[error("the ledger's schema does not fit this binary: {detail}")]
    Schema {
        /// What differs, and what to do.
        detail: String,
    },
    /// It is a copy of another ledger that is not whole.
    #[error("the ledger is an unfinished copy of {source_place}")]
    Unfinished {
        /// Where it is copied from.
        source_place: String,
    },
    /// The request was carried out, and then its commit did not go as it should: it may be durable or not. Whoever asks again
    /// must be able to tell.
    #[error("it is not known whether the ledger kept it: {detail}")]
    InDoubt {
        /// What went wrong with the commit.
        detail: String,
    },
    /// A row says something that the ledger never writes.
    #[error("the ledger contradicts itself: {detail}")]
    Inconsistent {
        /// Which row, and how.
        detail: String,
    },
    /// A read took longer than it may.
    #[error("the request took longer than the {limit_ms} ms it may")]
    TimedOut {
        /// The bound.
        limit_ms: u64,
    },
    /// The ledger is closed or cannot be reached.
    #[error("the ledger cannot be reached: {detail}")]
    Unavailable {
        /// What the database or the system said.
        detail: String,
    },
}

/// A row that the ledger never writes.
pub(crate) fn contradiction(detail: impl Into<String>) -> Error {
    Error::Inconsistent {
        detail: detail.into(),
    }
}
