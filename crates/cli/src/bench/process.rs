//! What the system says about a process.

use std::fs;
use std::process::Child;
use std::time::Duration;

use super::{broken, unexpected};
use crate::failure::Failure;

/// A process of this machine.
#[derive(Clone)]
pub(super) struct Process(String);

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
        let text = self.told("stat")?;
        // The name in parentheses may hold anything; what follows it is numbers.
        let mut numbers = text
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split(' ')
            .skip(USER_TIME);
        let mut ticks = || numbers.next().and_then(|it| it.parse::<u64>().ok());
        let (user, system) = (ticks(), ticks());
        let ticks = user.zip(system).map(|(user, system)| user + system);
        let ticks = ticks.ok_or_else(|| unexpected("the system tells no processor time"))?;
        Ok(Duration::from_millis(ticks * TICK_MS))
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

/// Place of the user time among the fields after the name (proc(5): field 14, the first of these is field 3). A space stands
/// before the first.
const USER_TIME: usize = 12;

/// `USER_HZ` is 100 on every Linux that oyez runs on.
const TICK_MS: u64 = 10;
