//! How often a TPP may call (G-09): a bucket of requests per TPP, filled at its rate and never above one second's worth.
//!
//! Each node that answers TPPs has buckets of its own, and fills them at its [`Share`] of the rate: so all of them together let
//! through what is published, and none asks another for it.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
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
    /// In millionths of a request.
    held: u64,
    at: Timestamp,
    rate: Rate,
}

/// In thousandths of a request per second: so many millionths come in each millisecond.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate(u64);

/// By how many nodes the published rate is divided (G-09).
#[derive(Debug)]
pub struct Share(AtomicU32);

impl Default for Share {
    /// Of a node that is alone.
    fn default() -> Self {
        Self(AtomicU32::new(1))
    }
}

impl Share {
    /// So many nodes answer TPPs now; counts from the next request on.
    pub fn among(&self, nodes: NonZeroU32) {
        self.0.store(nodes.get(), Ordering::Relaxed);
    }

    /// One part of the rate. Every node lets through one request per second at least: less, and a TPP that keeps to one node
    /// would find it closed.
    pub(super) fn of(&self, per_second: NonZeroU32) -> Rate {
        let nodes = u64::from(self.0.load(Ordering::Relaxed));
        Rate((u64::from(per_second.get()) * ONE_PER_SECOND / nodes).max(ONE_PER_SECOND))
    }
}

impl Rate {
    /// The most that a bucket holds: one second's worth.
    fn bucket(self) -> u64 {
        self.0 * 1000
    }
}

impl Rates {
    /// Takes one request out of a TPP's bucket, or tells how long it must wait for one.
    pub(super) fn take(
        &self,
        client_id: &ClientId,
        rate: Rate,
        now: Timestamp,
    ) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(client_id) {
            make_room(&mut buckets, now);
        }
        let bucket = buckets.entry(client_id.clone()).or_insert(Bucket {
            held: rate.bucket(),
            at: now,
            rate,
        });
        bucket.held = bucket.held_at(now).min(rate.bucket());
        bucket.rate = rate;
        bucket.at = now;
        match bucket.held.checked_sub(REQUEST) {
            Some(left) => {
                bucket.held = left;
                Ok(())
            }
            None => Err(Duration::from_millis(
                (REQUEST - bucket.held).div_ceil(rate.0),
            )),
        }
    }
}

impl Bucket {
    fn held_at(&self, now: Timestamp) -> u64 {
        let passed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        passed
            .saturating_mul(self.rate.0)
            .saturating_add(self.held)
            .min(self.rate.bucket())
    }
}

/// A full bucket says no more than none. Where none is full, the fullest is forgotten: its TPP gains least by it.
fn make_room(buckets: &mut HashMap<ClientId, Bucket>, now: Timestamp) {
    buckets.retain(|_, bucket| bucket.held_at(now) < bucket.rate.bucket());
    if buckets.len() >= BUCKETS_MAX {
        let fullest = buckets.iter().max_by_key(|(_, bucket)| bucket.held_at(now));
        if let Some(client_id) = fullest.map(|(client_id, _)| client_id.clone()) {
            buckets.remove(&client_id);
        }
    }
}

/// In millionths.
const REQUEST: u64 = 1_000_000;
/// In thousandths.
const ONE_PER_SECOND: u64 = 1000;

/// Ten times the TPPs that the UK's directory has; a bucket is some 200 bytes.
const BUCKETS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    /// Of a node that is alone.
    fn alone(per_second: u32) -> Rate {
        Share::default().of(NonZeroU32::new(per_second).unwrap())
    }

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
            assert_eq!(rates.take(&client(1), alone(5), at(0)), Ok(()));
        }
        let wait = Duration::from_millis(200);
        assert_eq!(rates.take(&client(1), alone(5), at(0)), Err(wait));
        assert_eq!(rates.take(&client(2), alone(5), at(0)), Ok(()));
        assert_eq!(
            rates.take(&client(1), alone(5), at(150)),
            Err(Duration::from_millis(50))
        );
        assert_eq!(rates.take(&client(1), alone(5), at(200)), Ok(()));
        assert_eq!(rates.take(&client(1), alone(5), at(200)), Err(wait));
        for _ in 0..5 {
            assert_eq!(rates.take(&client(1), alone(5), at(60_000)), Ok(()));
        }
        assert!(rates.take(&client(1), alone(5), at(60_000)).is_err());
    }

    // G-09
    #[test]
    fn a_changed_rate_counts_at_once_and_a_clock_set_back_gives_nothing() {
        let rates = Rates::default();
        assert_eq!(rates.take(&client(1), alone(5), at(0)), Ok(()));
        let one = alone(1);
        assert_eq!(rates.take(&client(1), one, at(0)), Ok(()));
        assert!(rates.take(&client(1), one, at(0)).is_err());
        assert!(rates.take(&client(1), one, at(-5_000)).is_err());
    }

    // G-09
    #[test]
    fn whoever_asks_all_the_time_gets_no_less_than_whoever_waits() {
        let rates = Rates::default();
        let share = Share::default();
        share.among(NonZeroU32::new(11).unwrap());
        let rate = share.of(NonZeroU32::new(20).unwrap());
        let asked = (0..11_000).filter(|ms| rates.take(&client(1), rate, at(*ms)).is_ok());
        // 1.818 at first, and as much in each second.
        assert_eq!(asked.count(), 21);
    }

    // G-09
    #[test]
    fn the_number_of_buckets_is_bounded_and_the_emptiest_are_kept() {
        let rates = Rates::default();
        let one = alone(1);
        for number in 0..BUCKETS_MAX {
            assert_eq!(rates.take(&client(number), one, at(0)), Ok(()));
        }
        assert_eq!(rates.take(&client(BUCKETS_MAX), alone(5), at(1)), Ok(()));
        assert_eq!(rates.buckets.lock().unwrap().len(), BUCKETS_MAX);
        // All of the first are full again by then.
        assert_eq!(
            rates.take(&client(BUCKETS_MAX + 1), alone(5), at(2_000)),
            Ok(())
        );
        assert!(rates.buckets.lock().unwrap().len() < 3);
    }

    // G-09
    #[test]
    fn nodes_together_let_through_what_is_published_and_each_at_least_one_a_second() {
        let nodes = [(); 3].map(|()| Rates::default());
        let share = Share::default();
        share.among(NonZeroU32::new(3).unwrap());
        let let_through = |per_second: u32, from_s: i64| {
            let per_second = NonZeroU32::new(per_second).unwrap();
            let tenths = (0..100).map(|tenth| from_s * 1000 + tenth * 100);
            let asked = tenths.flat_map(|ms| (0..9).map(move |nth| (ms, nth % 3)));
            let taken = asked.filter(|(ms, nth)| {
                let rate = share.of(per_second);
                nodes[*nth].take(&client(1), rate, at(*ms)).is_ok()
            });
            taken.count()
        };
        // What a bucket holds at first, and ten seconds less a tenth of what comes in.
        let published = let_through(20, 0);
        assert!((210..=220).contains(&published), "{published}");
        let one_each = let_through(1, 1_000);
        assert!((30..=33).contains(&one_each), "{one_each}");
        share.among(NonZeroU32::MIN);
        let alone = let_through(20, 2_000);
        assert!(alone > 500, "the share is read anew: {alone}");
    }
}
