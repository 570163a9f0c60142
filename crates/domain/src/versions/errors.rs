//! How a version words its errors (G-06).

use serde::{Deserialize, Serialize};

use crate::fault::Code;

/// How errors look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorModel {
    /// How each error is called; an error without a text has no body in this version.
    pub codes: Vec<CodeText>,
    /// How each status is called in `Code`.
    pub statuses: Vec<StatusText>,
    /// Where `Id` stands.
    pub order: MemberOrder,
    /// What stands in an error's `Message`.
    pub messages: MessageForm,
}

/// What an error is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeText {
    /// Which error.
    pub code: Code,
    /// Its `ErrorCode`.
    pub text: String,
}

/// What a status is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusText {
    /// Which status.
    pub status: u16,
    /// Its `Code`: "400 BadRequest".
    pub text: String,
    /// The `Message` of the whole.
    pub message: String,
}

/// In which order the members of an error body stand, as the samples of the version have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberOrder {
    /// `Code`, `Id`, `Message`, `Errors`.
    CodeFirst,
    /// `Id`, `Code`, `Message`, `Errors`.
    IdFirst,
}

/// What stands in an error's `Message`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageForm {
    /// The text alone.
    Plain,
    /// The error's long name before the text, for versions whose codes say nothing to people.
    Named,
}

impl ErrorModel {
    /// What an error is called here, if it has a name.
    pub fn text(&self, code: Code) -> Option<&str> {
        let row = self.codes.iter().find(|row| row.code == code)?;
        Some(&row.text)
    }

    /// What a status is called here, if it may have a body.
    pub fn status(&self, status: u16) -> Option<&StatusText> {
        self.statuses.iter().find(|row| row.status == status)
    }

    /// An error that every version must be able to word, and this one cannot.
    pub(super) fn missing_code(&self) -> Option<Code> {
        Code::ALL
            .into_iter()
            .filter(|code| code.is_universal())
            .find(|code| self.text(*code).is_none() || self.status(code.status()).is_none())
    }
}
