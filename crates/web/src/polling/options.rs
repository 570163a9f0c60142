//! The bounds of waiting, each with its reason.

/// How many polls may wait. Beyond a bound the one that waits longest is answered early: it is the nearest to its end
/// anyway, and a client that opens polls without end only shortens its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Of one TPP. A TPP polls from some dozens of processes at most; more is a mistake on its side, which must not become
    /// the others'.
    pub per_tpp_max: usize,
    /// Of all together. Each holds a connection, and with it some 20 KiB: 16,384 are 320 MiB.
    pub total_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            per_tpp_max: 256,
            total_max: 16_384,
        }
    }
}
