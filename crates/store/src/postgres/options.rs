//! The bounds of a shared ledger, each with its reason.

use std::time::Duration;

/// How a node works with its database. The defaults are right for a server; tests make them small. A bound of 0 counts
/// as 1.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Connections that requests share. More than the database has cores only make them wait there instead of here.
    pub sessions: usize,
    /// Groups of one kind of request that may be under way at once: one is written while the next is committed. What waits
    /// meanwhile forms the next group, so more of them make groups smaller.
    pub groups_at_once: usize,
    /// Requests that may wait in each line. At a bad 1 ms each the last of them waits about as long as `wait_max`.
    pub queued_max: usize,
    /// How long a caller waits for a place or a connection before it is told that the ledger is busy: less than a client's
    /// patience, so that the fault is named where it is.
    pub wait_max: Duration,
    /// Requests in one group. At groups of 1,000 the commit itself costs nothing any more.
    pub group_requests_max: usize,
    /// Rows that the requests of one group name together: a group is one statement per step, and one message to the database.
    pub group_rows_max: usize,
    /// How long opening a connection may take, per host.
    pub connect_time_max: Duration,
    /// How long one statement may run (`statement_timeout`). What is slower holds locks that others wait for.
    pub statement_time_max: Duration,
    /// How long a request waits for a TPP's lock (`lock_timeout`).
    pub lock_time_max: Duration,
    /// Settled events may be kept for so much longer than is asked: then history goes by the part, not by the row.
    pub kept_longer_max: Duration,
    /// What people's lists show may be so old, where a replica answers them.
    pub replica_lag_max: Duration,
    /// Who is told what changed.
    pub announcing: Announcing,
}

/// Whether nodes tell each other what changed. It only wakes sooner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announcing {
    /// Each tells the others, by two connections of its own.
    ToOthers,
    /// There are no others, or they look by the clock alone.
    ToNobody,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sessions: 8,
            groups_at_once: 2,
            queued_max: 4096,
            wait_max: Duration::from_secs(5),
            group_requests_max: 1000,
            group_rows_max: 4000,
            connect_time_max: Duration::from_secs(3),
            statement_time_max: Duration::from_secs(30),
            lock_time_max: Duration::from_secs(5),
            kept_longer_max: Duration::from_secs(35 * 24 * 3600),
            replica_lag_max: Duration::from_secs(10),
            announcing: Announcing::ToOthers,
        }
    }
}
