//! What else than the ledger and the keys must be well for this process to be ready, and what is worth a look before it is not.

use std::path::{Path, PathBuf};

use oyez_web::internal::{Condition, Readiness};
use tokio_util::sync::CancellationToken;

use super::pushing::Leased;
use crate::config::{Backend, Config};

/// The parts of a server of this configuration. `leased`: where it pushes.
pub(super) fn of(
    config: &Config,
    draining: &CancellationToken,
    leased: Option<Leased>,
) -> Readiness {
    let draining = draining.clone();
    // A server that stops says so, for balancers that still ask.
    let mut readiness = Readiness::default().with("server", move || {
        if draining.is_cancelled() {
            Condition::NotReady("it is draining".to_owned())
        } else {
            Condition::Ready
        }
    });
    if let Some(leased) = leased {
        // Whoever polls and publishes is served all the same.
        readiness = readiness.with("delivery", move || {
            if leased.is_held() {
                Condition::Ready
            } else {
                Condition::ReadyBut("it has no lease: nothing is pushed from here".to_owned())
            }
        });
    }
    if config.store.backend == Backend::Sqlite {
        let path = config.store.path.clone();
        readiness = readiness.with("disk", move || room(free_bytes(&path)));
    }
    readiness
}

/// What is free where a file is, for who may not use what is reserved.
fn free_bytes(file: &Path) -> Option<u64> {
    let directory = file.parent().filter(|it| *it != Path::new(""));
    let directory = directory.map_or_else(|| PathBuf::from("."), Path::to_owned);
    let found = rustix::fs::statvfs(&directory).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// `None`: nobody knows. Little room is told and refuses nobody: what is taken off while it still takes acknowledgements
/// helps no one, and whether it does is the ledger's own part.
fn room(free: Option<u64>) -> Condition {
    let text = |free: u64| format!("{} MiB are free for the ledger", free / MIB);
    match free {
        Some(free) if free < FREE_SCARCE => Condition::ReadyBut(text(free)),
        Some(_) | None => Condition::Ready,
    }
}

const MIB: u64 = 1_024 * 1_024;
/// Some hundred thousand events: hours at a usual rate.
const FREE_SCARCE: u64 = 1_024 * MIB;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fills_is_told_before_it_is_full() {
        assert_eq!(room(None), Condition::Ready);
        assert_eq!(room(Some(4 * FREE_SCARCE)), Condition::Ready);
        let told = "500 MiB are free for the ledger".to_owned();
        assert_eq!(room(Some(500 * MIB)), Condition::ReadyBut(told));
        assert!(free_bytes(Path::new("/proc/self/stat")).is_some());
    }
}
