//! How often a TPP may call (G-09): a bucket of requests per TPP, filled at its rate and never above one second's worth.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oyez_domain::ids::ClientId;
use oyez_domain::time::Timestamp;

/// The buckets. Only known TPPs get one.
#[derive(Default)]
pub(super) struct Rates {
    buckets: Mutex<HashMap<ClientId, Bucket>>,
}

struct Bucket {
    /// In thousandths of a request: at one request per second, one of them comes in each millisecond.
    held: u64,
    at: Timestamp,
    per_second: u64,
}

impl Rates {
    /// Takes one request out of a TPP's bucket, or tells how long it must wait for one.
    pub(super) fn take(
        &self,
        client_id: &ClientId,
        per_second: NonZeroU32,
        now: Timestamp,
    ) -> Result<(), Duration> {
        let per_second = u64::from(per_second.get());
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(client_id) {
            make_room(&mut buckets, now);
        }
        let bucket = buckets.entry(client_id.clone()).or_insert(Bucket {
            held: per_second * REQUEST,
            at: now,
            per_second,
        });
        bucket.held = bucket.held_at(now).min(per_second * REQUEST);
        bucket.per_second = per_second;
        bucket.at = now;
        match bucket.held.checked_sub(REQUEST) {
            Some(left) => {
                bucket.held = left;
                Ok(())
            }
            None => Err(Duration::from_millis(
                (REQUEST - bucket.held).div_ceil(per_second),
            )),
        }
    }
}

impl Bucket {
    fn held_at(&self, now: Timestamp) -> u64 {
        let passed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        passed
            .saturating_mul(self.per_second)
            .saturating_add(self.held)
            .min(self.per_second * REQUEST)
    }
}

/// A full bucket says no more than none. Where none is full, the fullest is forgotten: its TPP gains least by it.
fn make_room(buckets: &mut HashMap<ClientId, Bucket>, now: Timestamp) {
    buckets.retain(|_, bucket| bucket.held_at(now) < bucket.per_second * REQUEST);
    if buckets.len() >= BUCKETS_MAX {
        let fullest = buckets.iter().max_by_key(|(_, bucket)| bucket.held_at(now));
        if let Some(client_id) = fullest.map(|(client_id, _)| client_id.clone()) {
            buckets.remove(&client_id);
        }
    }
}

const REQUEST: u64 = 1000;

/// Ten times the TPPs that the UK's directory has; a bucket is some 200 bytes.
const BUCKETS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: NonZeroU32 = NonZeroU32::new(5).unwrap();

    fn client(number: usize) -> ClientId {
        ClientId::new(format!("tpp-{number}")).unwrap()
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_700_000_000_000 + ms)
    }

    // G-09
    #[test]
    fn a_second_s_worth_may_come_at_once_and_then_as_many_as_the_rate() {
        let rates = Rates::default();
        for _ in 0..5 {
            assert_eq!(rates.take(&client(1), FIVE, at(0)), Ok(()));
        }
        let wait = Duration::from_millis(200);
        assert_eq!(rates.take(&client(1), FIVE, at(0)), Err(wait));
        assert_eq!(rates.take(&client(2), FIVE, at(0)), Ok(()));
        assert_eq!(
            rates.take(&client(1), FIVE, at(150)),
            Err(Duration::from_millis(50))
        );
        assert_eq!(rates.take(&client(1), FIVE, at(200)), Ok(()));
        assert_eq!(rates.take(&client(1), FIVE, at(200)), Err(wait));
        for _ in 0..5 {
            assert_eq!(rates.take(&client(1), FIVE, at(60_000)), Ok(()));
        }
        assert!(rates.take(&client(1), FIVE, at(60_000)).is_err());
    }

    // G-09
    #[test]
    fn a_changed_rate_counts_at_once_and_a_clock_set_back_gives_nothing() {
        let rates = Rates::default();
        assert_eq!(rates.take(&client(1), FIVE, at(0)), Ok(()));
        let one = NonZeroU32::new(1).unwrap();
        assert_eq!(rates.take(&client(1), one, at(0)), Ok(()));
        assert!(rates.take(&client(1), one, at(0)).is_err());
        assert!(rates.take(&client(1), one, at(-5_000)).is_err());
    }

    // G-09
    #[test]
    fn the_number_of_buckets_is_bounded_and_the_emptiest_are_kept() {
        let rates = Rates::default();
        let one = NonZeroU32::new(1).unwrap();
        for number in 0..BUCKETS_MAX {
            assert_eq!(rates.take(&client(number), one, at(0)), Ok(()));
        }
        assert_eq!(rates.take(&client(BUCKETS_MAX), FIVE, at(1)), Ok(()));
        assert_eq!(rates.buckets.lock().unwrap().len(), BUCKETS_MAX);
        // All of the first are full again by then.
        assert_eq!(
            rates.take(&client(BUCKETS_MAX + 1), FIVE, at(2_000)),
            Ok(())
        );
        assert!(rates.buckets.lock().unwrap().len() < 3);
    }
}
