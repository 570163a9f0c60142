//! How long a database may say nothing. It keeps its own bounds and says so when one is passed: this is for one that froze, or
//! that something on the way keeps from us while the connection stands, which no bound of its own and of TCP's would end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use super::options::Options;

/// Of one session.
pub(super) struct Patience {
    usual_ms: AtomicU64,
    now_ms: AtomicU64,
}

/// Nothing was said for so long.
#[derive(Debug, thiserror::Error)]
#[error("the database said nothing for {} ms", .0.as_millis())]
pub(super) struct Silence(Duration);

impl Patience {
    /// A little longer than the database gives a statement.
    pub(super) fn of(options: &Options) -> Self {
        let usual_ms = ms(options.statement_time_max + GRACE);
        Self {
            usual_ms: AtomicU64::new(usual_ms),
            now_ms: AtomicU64::new(usual_ms),
        }
    }

    /// With the next transaction it is as usual again.
    pub(super) fn begin_anew(&self) {
        let usual_ms = self.usual_ms.load(Ordering::Relaxed);
        self.now_ms.store(usual_ms, Ordering::Relaxed);
    }

    /// The database was told to give the statements of this transaction so much time.
    pub(super) fn grow(&self, time_max: Duration) {
        self.now_ms.store(ms(time_max + GRACE), Ordering::Relaxed);
    }

    /// The database was told to give all statements what they take.
    pub(super) fn never_end(&self) {
        self.usual_ms.store(u64::MAX, Ordering::Relaxed);
        self.begin_anew();
    }

    /// The answer, if it comes in time.
    pub(super) async fn wait<T>(&self, answer: impl Future<Output = T>) -> Result<T, Silence> {
        let time_max = Duration::from_millis(self.now_ms.load(Ordering::Relaxed));
        let answer = timeout(time_max, answer).await;
        answer.map_err(|_| Silence(time_max))
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// For the way there and back, and for a busy machine.
const GRACE: Duration = Duration::from_secs(2);
