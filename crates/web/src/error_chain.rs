//! An error with all that caused it, for the log. Nobody outside sees it.

use std::error::Error;
use std::fmt::Write;

/// "what: because: because".
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, ": {error}").expect("a String takes every text");
        cause = error.source();
    }
    text
}
