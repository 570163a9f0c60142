//! What a check found: one sentence about one thing, and how to mend it.

use serde::Serialize;
use serde_json::json;

use crate::config::Fault;
use crate::failure::Failure;
use crate::output::{Paint, Reply, Verdict};

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// oyez would not start, or would not do what it should.
    Error,
    /// It works, and somebody should know better.
    Warning,
    /// Good to know.
    Note,
}

/// One thing that was found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    /// Where it was said, as `oyez.toml:12`, if it is about a setting.
    pub(crate) place: Option<String>,
    /// Which key, file or rule it is about.
    pub(crate) subject: String,
    pub(crate) what: String,
    /// `None` for notes.
    pub(crate) mend: Option<String>,
}

impl Finding {
    pub(crate) fn error(
        subject: impl Into<String>,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Error,
            place: None,
            subject: subject.into(),
            what: what.into(),
            mend: Some(mend.into()),
        }
    }

    pub(crate) fn warning(
        subject: impl Into<String>,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Warning,
            ..Self::error(subject, what, mend)
        }
    }

    pub(crate) fn note(subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            level: Level::Note,
            mend: None,
            ..Self::error(subject, what, "")
        }
    }

    /// A fault of the configuration in `file`.
    pub(crate) fn fault(fault: Fault, file: &str) -> Self {
        let place = Some(fault.place_in(file));
        Self {
            place,
            ..Self::error(fault.key, fault.what, fault.mend)
        }
    }

    /// What kept a check from looking.
    pub(crate) fn failed(subject: &str, failure: Failure) -> Self {
        let (what, mend) = failure.into_what_and_mend();
        Self::error(subject, what, mend)
    }

    fn text(&self, paint: Paint) -> String {
        let level = match self.level {
            Level::Error => paint.red("error:  "),
            Level::Warning => paint.yellow("warning:"),
            Level::Note => "note:   ".to_owned(),
        };
        let subject = self
            .place
            .iter()
            .map(String::as_str)
            .chain([self.subject.as_str()]);
        let subject: Vec<_> = subject.filter(|text| !text.is_empty()).collect();
        let mend = self
            .mend
            .iter()
            .map(|mend| format!("\n         mend: {mend}"));
        format!(
            "{level} {}: {}{}",
            subject.join(" "),
            self.what,
            mend.collect::<String>()
        )
    }
}

/// All findings, the worst first.
pub(crate) fn reply(mut findings: Vec<Finding>, paint: Paint) -> Reply {
    findings.sort_by_key(|finding| finding.level);
    let count = |level| {
        findings
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    };
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    let plural = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    };
    let lines: Vec<_> = findings.iter().map(|finding| finding.text(paint)).collect();
    let sum = format!(
        "{}, {}",
        plural(errors, "error"),
        plural(warnings, "warning")
    );
    let json = json!({ "errors": errors, "warnings": warnings, "findings": findings });
    let verdict = if errors == 0 {
        Verdict::Yes
    } else {
        Verdict::No
    };
    Reply::new(format!("{}\n\n{sum}", lines.join("\n")), json).verdict(verdict)
}
