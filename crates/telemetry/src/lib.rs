//! Traces, and what leaves for a collector: spans that are gathered without waiting, and OTLP written in protobuf, by hand,
//! since it is five messages of a few fields, and the libraries for it are heavier than all of oyez's HTTP.
//!
//! A [`Tracer`] exists only where a deployment names a collector; without one nothing here is called. A span that is not
//! sampled costs its ids. One that is goes into a bounded queue; a full one drops it and counts. Nobody waits for a collector.
//!
//! # What is in a span
//!
//! Ids (event, TPP, interaction, trace), a status and times. Never a token, a key or anything that an event says: the values
//! that an attribute can have are those of [`Value`], and callers pass ids alone.
//!
//! Absent: HTTP and TLS (whoever runs an [`Exporter`] brings the way out), the clock and chance, which come in.

mod export;
pub mod otlp;
mod protobuf;
mod remembered;
mod span;
mod tracer;

pub use export::{BoxFuture, Collector, Exporter, MetricsSource, Options, Signal, Verdict};
pub use span::{Kind, Open, Span, Value};
pub use tracer::{Chance, Gathered, Step, Tally, Tracer};
