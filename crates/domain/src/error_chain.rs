//! An error with all that caused it, for logs, records and whoever types a command. What a client sees is another text.

use std::error::Error;

/// "what: because: because". A cause that was said already, by an error that shows its own, is not said again.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::num::ParseIntError;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no number of rows")]
    struct Silent(#[from] ParseIntError);

    #[derive(Debug, thiserror::Error)]
    #[error("the page: {0}")]
    struct Telling(#[from] Silent);

    fn page(text: &str) -> Result<u8, Telling> {
        Ok(text.parse().map_err(Silent)?)
    }

    #[test]
    fn each_cause_is_said_once() {
        let error = page("x").unwrap_err();
        let expected = "the page: no number of rows: invalid digit found in string";
        assert_eq!(chain(&error), expected);
        assert_eq!(chain(&fmt::Error), fmt::Error.to_string());
    }
}
