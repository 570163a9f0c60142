//! Wall time, and the CPU time of all threads.

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

/// A stretch of work being measured.
pub(crate) struct Meter {
    started: Instant,
    cpu_ns: u64,
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
        let cpu_ns = cpu_ns() - self.cpu_ns;
        Figures {
            rate: events as f64 / self.started.elapsed().as_secs_f64(),
            cpu_us: cpu_ns as f64 / 1000.0 / events as f64,
        }
    }
}

/// Nanoseconds on a processor, of the threads that live now.
fn cpu_ns() -> u64 {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
        .sum()
}
