//! The limit of whatever must be signed or verified: that alone, on all cores, while the server is gone or at rest.

use std::thread;
use std::time::Duration;

use oyez_jose::{KeyKind, LocalKey};
use tokio::time::Instant;

use super::figures::{float, rate};
use super::process::Process;
use super::{broken, unexpected};
use crate::failure::Failure;

/// What signing alone does, or verifying.
#[derive(Clone, Copy)]
pub(super) struct Primitive {
    /// Operations of all cores together.
    pub(super) per_second: f64,
    /// Processor time of one operation. Unlike the rate, it does not change when somebody else takes a core.
    pub(super) cpu_us: f64,
}

impl Primitive {
    /// Signs for a moment with a key of this kind, on one thread per core.
    pub(super) fn signing(kind: KeyKind) -> Result<Self, Failure> {
        let key = new_key(kind)?;
        Self::measure(|| key.sign_now(&INPUT).is_ok())
    }

    /// The same of verifying, by a key that is parsed already.
    pub(super) fn verifying(kind: KeyKind) -> Result<Self, Failure> {
        let key = new_key(kind)?;
        let signature = key.sign_now(&INPUT);
        let signature = signature.map_err(|error| broken("cannot sign", &error))?;
        Self::measure(|| key.public_key().verifies(&INPUT, &signature))
    }

    /// The mean of two: before and after what is measured.
    pub(super) fn mean(self, other: Self) -> Self {
        Self {
            per_second: f64::midpoint(self.per_second, other.per_second),
            cpu_us: f64::midpoint(self.cpu_us, other.cpu_us),
        }
    }

    fn measure(succeeds: impl Fn() -> bool + Sync) -> Result<Self, Failure> {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let cpu = Process::this().cpu()?;
        let started = Instant::now();
        let repeat = || {
            let mut done = 0;
            while started.elapsed() < MEASURED_FOR {
                if !succeeds() {
                    return None;
                }
                done += 1;
            }
            Some(done)
        };
        let done: Option<u64> = thread::scope(|scope| {
            let threads: Vec<_> = (0..cores).map(|_| scope.spawn(repeat)).collect();
            let done = threads.into_iter().map(|one| one.join().ok().flatten());
            done.sum()
        });
        let took = started.elapsed();
        let done = done.ok_or_else(|| unexpected("a signature could not be made or verified"))?;
        let cpu = Process::this().cpu()?.saturating_sub(cpu);
        Ok(Self {
            per_second: rate(done, took),
            cpu_us: cpu.as_secs_f64() * 1e6 / float(done.max(1)),
        })
    }
}

fn new_key(kind: KeyKind) -> Result<LocalKey, Failure> {
    LocalKey::generate(kind).map_err(|error| broken("cannot make a key", &error))
}

/// As long as header and claims of a SET are in base64.
const INPUT: [u8; 1_000] = [b'x'; 1_000];

/// Processor time is told in steps of 10 ms: to a hundredth or better.
const MEASURED_FOR: Duration = Duration::from_secs(2);
