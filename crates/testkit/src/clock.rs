//! What time it is, as a test says.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use oyez_domain::time::{Clock, Timestamp};
use tokio::time::Instant;

/// Where tests begin: 2023-11-14T22:13:20Z.
pub const DAWN: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

/// A clock that a test drives. By itself it stands still, or goes with the runtime's time, which a test can pause.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicI64,
    follows: Option<Instant>,
}

impl ManualClock {
    /// Stands still at this moment until it is told.
    pub fn still(at: Timestamp) -> Self {
        Self {
            now_ms: AtomicI64::new(at.unix_ms()),
            follows: None,
        }
    }

    /// Begins at this moment and goes on as the runtime's clock does: a paused runtime's leaps are its leaps.
    pub fn following(at: Timestamp) -> Self {
        Self {
            follows: Some(Instant::now()),
            ..Self::still(at)
        }
    }

    /// So much later.
    pub fn advance(&self, by: Duration) {
        self.now_ms.fetch_add(ms(by), Ordering::SeqCst);
    }

    /// So much earlier: somebody set it back.
    pub fn recede(&self, by: Duration) {
        self.now_ms.fetch_sub(ms(by), Ordering::SeqCst);
    }

    /// It is this moment now, be it earlier or later.
    pub fn set(&self, at: Timestamp) {
        let elapsed = ms(self.elapsed());
        self.now_ms.store(at.unix_ms() - elapsed, Ordering::SeqCst);
    }

    fn elapsed(&self) -> Duration {
        self.follows.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.now_ms.load(Ordering::SeqCst)) + self.elapsed()
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_still_clock_moves_when_it_is_told() {
        let clock = ManualClock::still(DAWN);
        clock.advance(Duration::from_secs(5));
        assert_eq!(clock.now(), DAWN + Duration::from_secs(5));
        clock.recede(Duration::from_secs(5));
        assert_eq!(clock.now(), DAWN);
        clock.set(DAWN);
        assert_eq!(clock.now(), DAWN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_following_clock_leaps_with_the_paused_runtime() {
        let clock = ManualClock::following(DAWN);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(clock.now(), DAWN + Duration::from_secs(60));
        clock.set(DAWN);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(clock.now(), DAWN + Duration::from_secs(1));
    }
}
