//! Wall time, and the CPU time of all threads.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;

use tokio::time::Instant;

/// What a stretch of work cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// Events per second of wall time.
    pub(crate) rate: f64,
    /// CPU time of the whole process per event.
    pub(crate) cpu_us: f64,
}

/// A stretch of work being measured. The threads that do the work must live until it stops.
pub(crate) struct Meter {
    started: Instant,
    cpu_ns: HashMap<OsString, u64>,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            cpu_ns: cpu_ns(),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "figures are rounded to three digits"
    )]
    pub(crate) fn stop(&self, events: u64) -> Figures {
        let threads = cpu_ns().into_iter();
        let cpu_ns: u64 = threads
            .map(|(thread, ns)| ns - self.cpu_ns.get(&thread).unwrap_or(&0))
            .sum();
        Figures {
            rate: events as f64 / self.started.elapsed().as_secs_f64(),
            cpu_us: cpu_ns as f64 / 1000.0 / events as f64,
        }
    }
}

/// Nanoseconds on a processor, by thread.
fn cpu_ns() -> HashMap<OsString, u64> {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    threads
        .filter_map(|thread| {
            let thread = thread.ok()?;
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            Some((thread.file_name(), text.split(' ').next()?.parse().ok()?))
        })
        .collect()
}
