//! What was measured, in the words of all benchmarks.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::server::Server;
use crate::failure::Failure;
use crate::output::{Reply, Table};

/// A stretch of load on a server.
pub(super) struct Meter {
    started: Instant,
    cpu: Duration,
}

/// What a stretch of load cost.
pub(super) struct Cost {
    events: u64,
    took: Duration,
    cpu: Duration,
    memory: u64,
}

/// The figures, by name.
pub(super) struct Figures(Map<String, Value>);

impl Meter {
    pub(super) fn start(server: &Server) -> Result<Self, Failure> {
        let cpu = server.cpu()?;
        Ok(Self {
            started: Instant::now(),
            cpu,
        })
    }

    pub(super) fn stop(&self, server: &Server, events: u64) -> Result<Cost, Failure> {
        Ok(Cost {
            events,
            took: self.started.elapsed(),
            cpu: server.cpu()?.saturating_sub(self.cpu),
            memory: server.memory()?,
        })
    }
}

impl Cost {
    /// Events per second.
    pub(super) fn rate(&self) -> f64 {
        rate(self.events, self.took)
    }

    /// Beside the limit, in events per second, and with how long each request took.
    pub(super) fn beside(self, limit: f64, mut latencies: Vec<Duration>) -> Figures {
        latencies.sort_unstable();
        let at = |percent: usize| {
            let place = latencies.len().saturating_sub(1) * percent / 100;
            latencies
                .get(place)
                .map_or(0.0, |it| it.as_secs_f64() * 1e3)
        };
        let rate = self.rate();
        Figures(Map::new())
            .with("rate", round(rate, 0))
            .with("limit_rate", round(limit, 0))
            .with("ratio", round(rate / limit, 3))
            .with(
                "cpu_us_per_event",
                round(self.cpu.as_secs_f64() * 1e6 / float(self.events), 1),
            )
            .with("p50_ms", round(at(50), 2))
            .with("p99_ms", round(at(99), 2))
            .with("rss_mib", round(float(self.memory) / 1024.0 / 1024.0, 1))
            .with("events", self.events)
    }
}

impl Figures {
    /// One more.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn into_reply(self) -> Reply {
        let mut table = Table::new(&["FIGURE", "VALUE"]);
        for (name, value) in &self.0 {
            let shown = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            table.row(vec![name.clone(), shown]);
        }
        Reply::new(table.render(), json!(self.0)).on_one_line()
    }
}

/// So many per second.
pub(super) fn rate(count: u64, took: Duration) -> f64 {
    float(count) / took.as_secs_f64()
}

/// To so many decimals: more would be noise.
pub(super) fn round(value: f64, decimals: i32) -> f64 {
    let unit = 10_f64.powi(decimals);
    (value * unit).round() / unit
}

#[expect(
    clippy::cast_precision_loss,
    reason = "figures are rounded to three digits"
)]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}
