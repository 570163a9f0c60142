//! What the system says of our process, by the names that every exporter gives it. From `/proc`: where there is none, nothing
//! is told.

use std::fs;

use oyez_web::metrics::Process;

/// As it is now.
pub(super) fn look() -> Option<Process> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let system = fs::read_to_string("/proc/stat").ok()?;
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let open_fds = fs::read_dir("/proc/self/fd").ok()?.count();
    let page = rustix::param::page_size() as u64;
    let mut process = read(
        &stat,
        &system,
        rustix::param::clock_ticks_per_second(),
        page,
    )?;
    process.max_fds = max_fds(&limits)?;
    process.open_fds = open_fds as u64;
    Some(process)
}

#[expect(clippy::cast_precision_loss, reason = "seconds below 2^53 ticks")]
fn read(stat: &str, system: &str, ticks_per_second: u64, page: u64) -> Option<Process> {
    // The name stands in parentheses, and may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at - STATE)?.parse::<u64>().ok();
    let seconds = |ticks: u64| ticks as f64 / ticks_per_second as f64;
    let booted = system
        .lines()
        .find_map(|line| line.strip_prefix("btime "))?;
    let booted: u64 = booted.trim().parse().ok()?;
    Some(Process {
        cpu_seconds: seconds(number(UTIME)? + number(STIME)?),
        threads: number(THREADS)?,
        start_time_seconds: booted as f64 + seconds(number(START_TIME)?),
        virtual_memory_bytes: number(VSIZE)?,
        resident_memory_bytes: number(RSS)? * page,
        ..Process::default()
    })
}

fn max_fds(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// The numbers of fields in proc(5); the state is the first after the name.
const STATE: usize = 3;
const UTIME: usize = 14;
const STIME: usize = 15;
const THREADS: usize = 20;
const START_TIME: usize = 22;
const VSIZE: usize = 23;
const RSS: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_moves_no_field() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 0 0 0 0 0 250 50 0 0 20 0 9 0 1000 4096 3 0";
        let read = read(stat, "cpu 1 2\nbtime 1700000000\n", 100, 4_096).unwrap();
        assert_eq!(
            read,
            Process {
                cpu_seconds: 3.0,
                threads: 9,
                start_time_seconds: 1_700_000_010.0,
                virtual_memory_bytes: 4_096,
                resident_memory_bytes: 12_288,
                ..Process::default()
            }
        );
        let limits =
            "Limit  Soft  Hard  Units\nMax open files            1024       524288     files\n";
        assert_eq!(max_fds(limits), Some(1_024));
    }
}
