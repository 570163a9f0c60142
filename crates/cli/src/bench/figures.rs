//! What was measured, in the words of all benchmarks.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::process::{Cluster, Process};
use super::server::Server;
use crate::args::BenchCommon;
use crate::failure::Failure;
use crate::output::{Reply, Table};

/// A stretch of load.
pub(super) struct Meter {
    measured: Process,
    beside: Process,
    database: Option<Cluster>,
    started: Instant,
    cpu: Duration,
    load_cpu: Duration,
    database_cpu: Option<Duration>,
}

/// What a stretch of load cost.
pub(super) struct Cost {
    events: u64,
    took: Duration,
    cpu: Duration,
    load_cpu: Duration,
    database_cpu: Option<Duration>,
    memory: u64,
}

/// How long things took, in order.
pub(super) struct Latencies(Vec<Duration>);

/// The figures, by name.
pub(super) struct Figures(Map<String, Value>);

impl Meter {
    /// On a server, by this process.
    pub(super) fn start(server: &Server) -> Result<Self, Failure> {
        let process = server.process.clone();
        Self::between(process, Process::this(), server.database.clone())
    }

    /// On a process, by another one or beside it.
    pub(super) fn between(
        measured: Process,
        beside: Process,
        database: Option<Cluster>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            cpu: measured.cpu()?,
            load_cpu: beside.cpu()?,
            database_cpu: database.as_ref().and_then(Cluster::cpu),
            started: Instant::now(),
            measured,
            beside,
            database,
        })
    }

    pub(super) fn stop(&self, events: u64) -> Result<Cost, Failure> {
        let database_cpu = self.database.as_ref().and_then(Cluster::cpu);
        Ok(Cost {
            events,
            took: self.started.elapsed(),
            cpu: self.measured.cpu()?.saturating_sub(self.cpu),
            load_cpu: self.beside.cpu()?.saturating_sub(self.load_cpu),
            database_cpu: (database_cpu.zip(self.database_cpu))
                .map(|(now, before)| now.saturating_sub(before)),
            memory: self.measured.memory()?,
        })
    }
}

impl Cost {
    /// Events per second.
    pub(super) fn rate(&self) -> f64 {
        rate(self.events, self.took)
    }

    /// Processor time of what is measured, of one event in microseconds.
    pub(super) fn cpu_us(&self) -> f64 {
        self.us(self.cpu)
    }

    /// The same of the process beside it.
    pub(super) fn load_cpu_us(&self) -> f64 {
        self.us(self.load_cpu)
    }

    fn us(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / float(self.events)
    }

    /// This stretch and another one.
    pub(super) fn and(self, other: &Self) -> Self {
        Self {
            events: self.events + other.events,
            took: self.took + other.took,
            cpu: self.cpu + other.cpu,
            load_cpu: self.load_cpu + other.load_cpu,
            database_cpu: (self.database_cpu.zip(other.database_cpu))
                .map(|(first, second)| first + second),
            memory: self.memory.max(other.memory),
        }
    }

    /// Beside the limit, in events per second, and with how long each request took.
    pub(super) fn beside(&self, limit: f64, latencies: &Latencies) -> Figures {
        let rate = self.rate();
        let figures = Figures::none()
            .with("rate", round(rate, 0))
            .with("limit_rate", round(limit, 0))
            .with("ratio", round(rate / limit, 3))
            .with("cpu_us_per_event", round(self.cpu_us(), 1));
        let figures = match self.database_cpu {
            Some(cpu) => figures.with("db_cpu_us_per_event", round(self.us(cpu), 1)),
            None => figures,
        };
        figures
            .with_latencies("", latencies)
            .with("rss_mib", mib(self.memory))
            .with("events", self.events)
    }
}

impl Latencies {
    pub(super) fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// These and others.
    pub(super) fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self.0.sort_unstable();
        self
    }

    /// In milliseconds: so many of a hundred took no longer.
    pub(super) fn ms(&self, percent: usize) -> f64 {
        let place = self.0.len().saturating_sub(1) * percent / 100;
        self.0.get(place).map_or(0.0, |it| it.as_secs_f64() * 1e3)
    }
}

impl Figures {
    pub(super) fn none() -> Self {
        Self(Map::new())
    }

    /// On which ledger they were measured.
    pub(super) fn of(self, common: &BenchCommon) -> Self {
        let figures = self.with("backend", common.backend.name());
        match &common.ledger {
            Some(name) => figures.with("ledger", name.as_str()),
            None => figures,
        }
    }

    /// All of others.
    pub(super) fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// One more.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// How long things took; `stretch` begins the names.
    pub(super) fn with_latencies(self, stretch: &str, latencies: &Latencies) -> Self {
        [("p50", 50), ("p90", 90), ("p99", 99), ("max", 100)]
            .into_iter()
            .fold(self, |figures, (name, percent)| {
                let name = format!("{stretch}{name}_ms");
                figures.with(&name, round(latencies.ms(percent), 2))
            })
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

/// Bytes as they are told.
pub(super) fn mib(bytes: u64) -> f64 {
    round(float(bytes) / 1024.0 / 1024.0, 1)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "figures are rounded to three digits"
)]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}
