//! The log: lines on standard error. Ours by the configured level; what others say only from warnings up, for their chatter
//! may hold what is not to be written down.

use std::io;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat, LogLevel};
use crate::failure::Failure;

/// Writes from now on.
pub(super) fn start(log: &Log) -> Result<(), Failure> {
    let level = match log.level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
    };
    let ours = Targets::new()
        .with_target("oyez", level)
        .with_default(LevelFilter::WARN.min(LevelFilter::from_level(level)));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(ours))
        .try_init()
        .map_err(|error| Failure::environment("cannot log", "try again").because(&error))
}
