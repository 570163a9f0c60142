//! What the system says about a process.

use std::fs;
use std::process::Child;
use std::time::Duration;

use super::{broken, unexpected};
use crate::failure::Failure;

/// A PostgreSQL on this machine: its first process, and all that came of it.
#[derive(Clone)]
pub(super) struct Cluster {
    first: String,
}

/// A process of this machine.
#[derive(Clone)]
pub(super) struct Process(String);

impl Cluster {
    /// That one of its processes belongs to. `None`: no such process is seen here, since the database is elsewhere, or the
    /// number is another's.
    pub(super) fn around(process: u32) -> Option<Self> {
        let title = fs::read_to_string(format!("/proc/{process}/cmdline")).ok()?;
        let first = Numbers::of(&process.to_string())?.parent;
        title.starts_with("postgres:").then_some(Self { first })
    }

    /// Processor time so far of all its processes, those that ended too.
    pub(super) fn cpu(&self) -> Option<Duration> {
        let mut ticks = 0;
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            // One that ends meanwhile is counted with the first, which waited for it.
            let name = entry.file_name();
            let process = name.to_str().and_then(Numbers::of);
            let process = process.filter(|process| process.parent == self.first);
            ticks += process.map_or(0, |process| process.ticks);
        }
        let first = Numbers::of(&self.first)?;
        Some(Duration::from_millis(
            (ticks + first.ticks + first.ticks_of_ended) * TICK_MS,
        ))
    }
}

/// What the system counts of a process.
struct Numbers {
    parent: String,
    /// On a processor, of all its threads, in user and kernel.
    ticks: u64,
    /// The same of its children that ended.
    ticks_of_ended: u64,
}

impl Numbers {
    fn of(process: &str) -> Option<Self> {
        Self::read(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    /// The name in parentheses may hold anything; what follows it is numbers, but for the state.
    fn read(stat: &str) -> Option<Self> {
        let numbers: Vec<_> = stat.rsplit(')').next()?.split_whitespace().collect();
        let number = |field: usize| numbers.get(field - FIRST_FIELD)?.parse::<u64>().ok();
        Some(Self {
            parent: (*numbers.get(PARENT - FIRST_FIELD)?).to_owned(),
            ticks: number(USER_TIME)? + number(USER_TIME + 1)?,
            ticks_of_ended: number(USER_TIME + 2)? + number(USER_TIME + 3)?,
        })
    }
}

impl Process {
    pub(super) fn of(child: &Child) -> Self {
        Self(child.id().to_string())
    }

    /// The one that asks.
    pub(super) fn this() -> Self {
        Self("self".to_owned())
    }

    /// Processor time so far, of all its threads, in user and kernel.
    pub(super) fn cpu(&self) -> Result<Duration, Failure> {
        let numbers = Numbers::read(&self.told("stat")?);
        let numbers = numbers.ok_or_else(|| unexpected("the system tells no processor time"))?;
        Ok(Duration::from_millis(numbers.ticks * TICK_MS))
    }

    /// Memory that it occupies now, in bytes.
    pub(super) fn memory(&self) -> Result<u64, Failure> {
        self.resident("VmRSS:")
    }

    /// The most memory that it ever occupied, in bytes.
    pub(super) fn memory_peak(&self) -> Result<u64, Failure> {
        self.resident("VmHWM:")
    }

    fn resident(&self, name: &str) -> Result<u64, Failure> {
        let text = self.told("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        let kib = kib.ok_or_else(|| unexpected("the system tells no resident memory"))?;
        Ok(kib * 1024)
    }

    fn told(&self, file: &str) -> Result<String, Failure> {
        let path = format!("/proc/{}/{file}", self.0);
        let read = fs::read_to_string(&path);
        read.map_err(|error| broken(format!("cannot read {path}, which Linux has"), &error))
    }
}

// Fields as proc(5) counts them: the first after the name, the parent, the user time. The system's time, and both of ended
// children, follow.
const FIRST_FIELD: usize = 3;
const PARENT: usize = 4;
const USER_TIME: usize = 14;

/// `USER_HZ` is 100 on every Linux that oyez runs on.
const TICK_MS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_behind_any_name() {
        let stat =
            "42 (postgres: a (b) c) S 7 42 42 0 -1 4194624 900 800 1 0 120 30 4000 500 20 0 1 0";
        let numbers = Numbers::read(stat).unwrap();
        assert_eq!(numbers.parent, "7");
        assert_eq!((numbers.ticks, numbers.ticks_of_ended), (150, 4_500));
        assert!(Numbers::read("42 (short) S 7").is_none());
    }

    #[test]
    fn what_is_no_postgresql_has_no_cluster() {
        assert!(Cluster::around(std::process::id()).is_none());
    }
}
