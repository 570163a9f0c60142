//! The bounds of an embedded ledger, each with its reason.

use std::time::Duration;

/// How an embedded ledger is run. The defaults are right for a server; tests make them small. A bound of 0 counts
/// as 1.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Requests that may wait for the writer. At a bad 1 ms each the last of them waits about as long as `wait_max`.
    pub writes_queued_max: usize,
    /// Requests that may wait for a reader.
    pub reads_queued_max: usize,
    /// How long a caller waits for a place in a queue before it is told that the ledger is busy: less than a client's
    /// patience, so that the fault is named where it is.
    pub wait_max: Duration,
    /// Requests in one commit. At groups of 1,000 the commit itself costs nothing any more.
    pub group_requests_max: usize,
    /// A group older than this takes no more requests: what a commit adds to its first caller's latency is bounded.
    pub group_time_max: Duration,
    /// Events withdrawn in one transaction when a registration changes; the rest follows between other requests. Some tens of
    /// milliseconds.
    pub withdrawn_at_once_max: u32,
    /// Threads that read. Reads are look-ups by people and start-up; two do not starve each other.
    pub readers: usize,
    /// How long one read may run. A read holds back the log's truncation for as long as it lasts.
    pub read_time_max: Duration,
    /// How long dropping the ledger without closing it waits for what is queued.
    pub drop_wait_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            writes_queued_max: 4096,
            reads_queued_max: 256,
            wait_max: Duration::from_secs(5),
            group_requests_max: 1000,
            group_time_max: Duration::from_millis(10),
            withdrawn_at_once_max: 2048,
            readers: 2,
            read_time_max: Duration::from_secs(5),
            drop_wait_max: Duration::from_secs(10),
        }
    }
}
