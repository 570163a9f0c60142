//! The one clock. Whatever needs to know the time is handed it, or a moment of it, from here.

use std::time::UNIX_EPOCH;

use oyez_domain::time::{Clock, Timestamp};
use oyez_jose::UnixTime;

/// The machine's clock. Before 1970 it is 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl SystemClock {
    /// This second.
    pub(crate) fn second(self) -> UnixTime {
        UnixTime::from_seconds(self.now().unix_seconds())
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one clock")]
    fn now(&self) -> Timestamp {
        let since_1970 = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
        let ms = since_1970.map_or(0, |since| since.as_millis());
        Timestamp::from_unix_ms(i64::try_from(ms).unwrap_or(i64::MAX))
    }
}
