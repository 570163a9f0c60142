//! Why a command could not do its work. Each failure says what is wrong and how to mend it; which kind it is decides the
//! exit code. (That a token does not verify or a configuration has faults is no failure but an answer.)

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

use oyez_domain::error_chain::chain;

use crate::config::Fault;

/// A command could not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was asked for something that makes no sense.
    Usage { what: String, mend: String },
    /// The files, the ledger or the system did not let it.
    Environment { what: String, mend: String },
    /// A server said no to what was asked of it.
    Refused { what: String, mend: String },
    /// The server did not end as it should.
    CutOff { what: String, mend: String },
    /// The configuration that it needs is wrong.
    Configuration { file: String, faults: Vec<Fault> },
}

impl Failure {
    pub(crate) fn usage(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Usage {
            what: what.into(),
            mend: mend.into(),
        }
    }

    pub(crate) fn environment(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Environment {
            what: what.into(),
            mend: mend.into(),
        }
    }

    pub(crate) fn refused(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Refused {
            what: what.into(),
            mend: mend.into(),
        }
    }

    pub(crate) fn cut_off(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::CutOff {
            what: what.into(),
            mend: mend.into(),
        }
    }

    /// The same, because of something.
    pub(crate) fn because(self, cause: &dyn Error) -> Self {
        match self {
            Self::Environment { mut what, mend } => {
                what.push_str(": ");
                what.push_str(&chain(cause));
                Self::Environment { what, mend }
            }
            other => other,
        }
    }

    /// The system refused something to do with a file.
    pub(crate) fn file(verb: &str, path: &Path, cause: &io::Error) -> Self {
        let mend = match cause.kind() {
            io::ErrorKind::NotFound => "check the path",
            io::ErrorKind::PermissionDenied => {
                "run as the user that owns it, or change its permissions"
            }
            io::ErrorKind::NotADirectory => "name a directory: this is a file, or lies below one",
            io::ErrorKind::IsADirectory => "name a file: this is a directory",
            io::ErrorKind::AlreadyExists => "choose another name, or move the old one away",
            io::ErrorKind::StorageFull => "make room on the disk",
            _ => "see the reason, and try again",
        };
        Self::environment(format!("cannot {verb} {}", path.display()), mend).because(cause)
    }

    /// For a list of findings.
    pub(crate) fn into_what_and_mend(self) -> (String, String) {
        match self {
            Self::Usage { what, mend }
            | Self::Environment { what, mend }
            | Self::Refused { what, mend }
            | Self::CutOff { what, mend } => (what, mend),
            Self::Configuration { .. } => (self.to_string(), "see each".to_owned()),
        }
    }

    /// The code that the process exits with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Refused { .. } => 1,
            Self::Usage { .. } => 2,
            Self::Environment { .. } | Self::Configuration { .. } => 3,
            Self::CutOff { .. } => 4,
        }
    }
}

/// With the chain of causes, and the mend on a line of its own.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage { what, mend }
            | Self::Environment { what, mend }
            | Self::Refused { what, mend }
            | Self::CutOff { what, mend } => {
                write!(f, "{what}\n  mend: {mend}")
            }
            Self::Configuration { file, faults } => {
                let s = if faults.len() == 1 { "" } else { "s" };
                write!(f, "the configuration has {} fault{s}", faults.len())?;
                for fault in faults {
                    write!(
                        f,
                        "\n  {}: {}\n    mend: {}",
                        fault.subject(file),
                        fault.what,
                        fault.mend
                    )?;
                }
                Ok(())
            }
        }
    }
}
