//! The limit of whatever must be signed: signing alone, on all cores, while the server is gone or at rest.

use std::thread;
use std::time::Duration;

use oyez_jose::{KeyKind, LocalKey};
use tokio::time::Instant;

use super::figures::{float, rate};
use super::process::Process;
use super::{broken, unexpected};
use crate::failure::Failure;

/// What signing alone does.
#[derive(Clone, Copy)]
pub(super) struct Signing {
    /// Signatures of all cores together.
    pub(super) per_second: f64,
    /// Processor time of one signature. Unlike the rate, it does not change when somebody else takes a core.
    pub(super) cpu_us: f64,
}

impl Signing {
    /// Signs for a moment with a key of this kind, on one thread per core.
    pub(super) fn measure(kind: KeyKind) -> Result<Self, Failure> {
        let key = LocalKey::generate(kind).map_err(|error| broken("cannot make a key", &error))?;
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let input = [b'x'; SIGNED_BYTES];
        let cpu = Process::this().cpu()?;
        let started = Instant::now();
        let sign = || {
            let mut made = 0;
            while started.elapsed() < MEASURED_FOR {
                key.sign_now(&input).ok()?;
                made += 1;
            }
            Some(made)
        };
        let made: Option<u64> = thread::scope(|scope| {
            let threads: Vec<_> = (0..cores).map(|_| scope.spawn(sign)).collect();
            let made = threads.into_iter().map(|one| one.join().ok().flatten());
            made.sum()
        });
        let took = started.elapsed();
        let made = made.ok_or_else(|| unexpected("a signature could not be made"))?;
        let cpu = Process::this().cpu()?.saturating_sub(cpu);
        Ok(Self {
            per_second: rate(made, took),
            cpu_us: cpu.as_secs_f64() * 1e6 / float(made.max(1)),
        })
    }

    /// The mean of two: before and after what is measured.
    pub(super) fn mean(self, other: Self) -> Self {
        Self {
            per_second: f64::midpoint(self.per_second, other.per_second),
            cpu_us: f64::midpoint(self.cpu_us, other.cpu_us),
        }
    }
}

/// What is signed of a SET: header and claims in base64.
const SIGNED_BYTES: usize = 1_000;

/// Processor time is told in steps of 10 ms: to a hundredth or better.
const MEASURED_FOR: Duration = Duration::from_secs(2);
