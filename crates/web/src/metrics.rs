//! What is counted, in the words of Prometheus. Labels are bounded: routes, methods, statuses, never ids.

/// All that is counted.
#[derive(Debug, Default)]
pub struct Metrics {}
