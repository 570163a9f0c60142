//! The limit of open files: a connection is one, so a waiting poll is one.

use rlimit::Resource;

use crate::config::Config;

/// How many a server with this configuration may have open at a time.
pub(crate) fn wanted(config: &Config) -> u64 {
    let connections = [
        config.listener.connections_max,
        config.internal.connections_max,
    ];
    let all = connections.map(|most| u64::try_from(most).unwrap_or(u64::MAX));
    let pushes = u64::from(config.push.at_once_max.get()) * PUSHED_TO;
    all.into_iter().fold(OTHERS + pushes, u64::saturating_add)
}

/// The most that this user may ask for; `None` if the system does not say.
pub(crate) fn most() -> Option<u64> {
    Resource::NOFILE.get().ok().map(|(_, hard)| hard)
}

/// Raises the limit as far as it goes, and answers what it is now.
pub(crate) fn raise(wanted: u64) -> std::io::Result<u64> {
    rlimit::increase_nofile_limit(wanted.max(soft()?))
}

fn soft() -> std::io::Result<u64> {
    Resource::NOFILE.get().map(|(soft, _)| soft)
}

/// As many TPPs as a market has with an endpoint: pushes to all of them at once must not take the listeners' places (D-09).
const PUSHED_TO: u64 = 256;
/// The ledger and its log, other kept connections outwards, and what the runtime needs.
const OTHERS: u64 = 1_024;
