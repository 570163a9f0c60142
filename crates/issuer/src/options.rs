//! The bounds of the pool, each with its reason.

use std::num::NonZeroUsize;
use std::time::Duration;

/// How signing is run. The defaults are right for a server; tests make them small. A bound of 0 counts as 1.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Threads that sign with keys in memory: one per core, since a signature is nothing but computing.
    pub threads: NonZeroUsize,
    /// Events of one TPP that are queued, being signed or being kept; its callers wait for a place. A whole poll fits, and
    /// with places of its own no TPP waits for another's. In total so many times the TPPs that have work.
    pub places_per_tpp: usize,
    /// SETs kept in one write. At groups of 100 a row costs a sixth of a lone one; beyond some hundreds nothing is gained.
    pub group_sets_max: usize,
    /// How long a signed SET waits for others that are on their way: a few signatures' time, and never when none is.
    pub group_wait_max: Duration,
    /// Signatures that are asked of a key outside of this process at a time: what fills a network HSM's sessions.
    pub remote_at_once_max: usize,
    /// How long one such signature may take before the device counts as failed.
    pub remote_time_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            places_per_tpp: 128,
            group_sets_max: 256,
            group_wait_max: Duration::from_millis(5),
            remote_at_once_max: 32,
            remote_time_max: Duration::from_secs(5),
        }
    }
}
