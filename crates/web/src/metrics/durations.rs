//! How long things took, in buckets. The library's own histogram takes a lock at each observation; these are additions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// A histogram of lengths of time. A clone counts into the same.
#[derive(Debug, Clone)]
pub struct Durations(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    /// In seconds, ascending.
    bounds: &'static [f64],
    /// One for each bound, and one for what took longer.
    counts: Vec<AtomicU64>,
    /// Half a million years of them.
    microseconds: AtomicU64,
}

impl Durations {
    /// In buckets that end at these bounds, in seconds.
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self(Arc::new(Buckets {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            microseconds: AtomicU64::new(0),
        }))
    }

    /// Counts something that took so long.
    pub fn observe(&self, took: Duration) {
        let Buckets {
            bounds,
            counts,
            microseconds,
        } = &*self.0;
        let seconds = took.as_secs_f64();
        let place = bounds.iter().position(|bound| seconds <= *bound);
        counts[place.unwrap_or(bounds.len())].fetch_add(1, Ordering::Relaxed);
        let took = u64::try_from(took.as_micros()).unwrap_or(0);
        microseconds.fetch_add(took, Ordering::Relaxed);
    }
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let all = &*self.0;
        let bounds = all.bounds.iter().copied().chain([f64::MAX]);
        let counts = all.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        // Added up from what is written, so that the text agrees with itself while others count.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = Duration::from_micros(all.microseconds.load(Ordering::Relaxed));
        encoder.encode_histogram::<NoLabelSet>(sum.as_secs_f64(), count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

impl TypedMetric for Durations {
    const TYPE: MetricType = MetricType::Histogram;
}
