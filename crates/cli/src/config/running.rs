//! How the server runs: what it logs, and how it stops.

use std::time::Duration;

use super::form::{Choice, Span};
use super::section::{default, section};

section! {
    /// The log, on standard error.
    Log = "log" {
        /// "text" for people, "json" a line per entry for machines.
        format: LogFormat = default(LogFormat::Text, Choice(&[("text", LogFormat::Text), ("json", LogFormat::Json)]));
        /// Which entries are written: those of this level, and graver ones.
        level: LogLevel = default(LogLevel::Info, Choice(&[
            ("error", LogLevel::Error),
            ("warn", LogLevel::Warn),
            ("info", LogLevel::Info),
            ("debug", LogLevel::Debug),
        ]));
    }
}

section! {
    /// How the server stops.
    Shutdown = "shutdown" {
        /// How long what is under way may take after SIGTERM or SIGINT before it is cut off. Waiting polls are answered at
        /// once; the internal API takes events until 5 seconds before, if the rest takes so long.
        deadline: Duration = default(DEADLINE, Span(SECOND..=HOUR));
    }
}

/// See [`Log::format`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// See [`Log::level`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Supervisors kill after 30 seconds or more: better that we are first.
const DEADLINE: Duration = Duration::from_secs(25);
