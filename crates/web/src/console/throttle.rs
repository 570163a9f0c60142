//! Logins that fail are few: per address, so that one machine cannot try on, and in all, so that many cannot either. Tokens
//! are too long to be guessed; this keeps trying from being cheap, and from filling the log.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oyez_domain::time::Timestamp;

use crate::recent::Recent;

/// What failed lately.
pub(super) struct Throttle(Mutex<Failures>);

struct Failures {
    by_address: Recent<IpAddr, Tries>,
    all: Tries,
}

/// How many there were in one window.
#[derive(Debug, Clone, Copy, Default)]
struct Tries {
    since: Timestamp,
    failed: u32,
}

impl Throttle {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Failures {
            by_address: Recent::new(ADDRESSES_MAX),
            all: Tries::default(),
        }))
    }

    /// Whether somebody at this address may try now, or how long it must wait.
    pub(super) fn admit(&self, address: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = failures.by_address.get(&address).copied();
        let here = here.map_or(Duration::ZERO, |tries| tries.wait(PER_ADDRESS_MAX, now));
        match here.max(failures.all.wait(IN_ALL_MAX, now)) {
            Duration::ZERO => Ok(()),
            wait => Err(wait),
        }
    }

    /// One more failed.
    pub(super) fn failed(&self, address: IpAddr, now: Timestamp) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.all.add(now);
        if let Some(tries) = failures.by_address.get(&address) {
            tries.add(now);
        } else {
            let mut tries = Tries::default();
            tries.add(now);
            failures.by_address.insert(address, tries);
        }
    }
}

impl Tries {
    fn add(&mut self, now: Timestamp) {
        if now.since(self.since) >= WINDOW {
            *self = Self {
                since: now,
                failed: 0,
            };
        }
        self.failed = self.failed.saturating_add(1);
    }

    fn wait(&self, failed_max: u32, now: Timestamp) -> Duration {
        if self.failed < failed_max {
            return Duration::ZERO;
        }
        WINDOW.saturating_sub(now.since(self.since))
    }
}

/// Typing mistakes are over by then.
const WINDOW: Duration = Duration::from_secs(60);
/// More mistakes than a person makes in a minute; a script makes no progress.
const PER_ADDRESS_MAX: u32 = 10;
/// All operators at once, on a bad morning.
const IN_ALL_MAX: u32 = 100;
/// An entry is some 60 bytes; where more come, the total bounds them.
const ADDRESSES_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_700_000_000 + seconds)
    }

    // I-05
    #[test]
    fn an_address_that_failed_too_often_waits_and_others_do_not() {
        let throttle = Throttle::new();
        for _ in 0..PER_ADDRESS_MAX {
            assert_eq!(throttle.admit(address(1), at(0)), Ok(()));
            throttle.failed(address(1), at(0));
        }
        let wait = Duration::from_secs(50);
        assert_eq!(throttle.admit(address(1), at(10)), Err(wait));
        assert_eq!(throttle.admit(address(2), at(10)), Ok(()));
        assert_eq!(throttle.admit(address(1), at(60)), Ok(()));
        throttle.failed(address(1), at(60));
        assert_eq!(throttle.admit(address(1), at(60)), Ok(()));
    }

    // I-05
    #[test]
    fn many_addresses_together_wait_too() {
        let throttle = Throttle::new();
        for number in 0..IN_ALL_MAX {
            throttle.failed(address(u8::try_from(number).unwrap()), at(0));
        }
        assert!(throttle.admit(address(200), at(1)).is_err());
        assert_eq!(throttle.admit(address(200), at(60)), Ok(()));
    }
}
