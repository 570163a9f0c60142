//! What is wrong with a configuration: one fault per mistake, each with where it stands and how to mend it. Faults are
//! collected, never thrown, so that one run names them all.

use serde::Serialize;

/// One mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    /// The key, as `section.name`; empty when the text could not be read as far as a key.
    pub(crate) key: String,
    /// Where it was said.
    pub(crate) place: Place,
    /// What is wrong.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) mend: String,
}

/// Where a setting was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// In the file, at this line.
    Line(usize),
    /// In the environment, by this variable.
    Variable(String),
    /// Nowhere: it is absent, or a default.
    Nowhere,
}

impl Fault {
    /// Where it is: `oyez.toml:12`.
    pub(crate) fn place_in(&self, file: &str) -> String {
        match &self.place {
            Place::Line(line) => format!("{file}:{line}"),
            Place::Variable(name) => name.clone(),
            Place::Nowhere => file.to_owned(),
        }
    }

    /// Where it is and what it is about: `oyez.toml:12 polling.error_cap`.
    pub(crate) fn subject(&self, file: &str) -> String {
        let place = self.place_in(file);
        [place.as_str(), self.key.as_str()]
            .join(" ")
            .trim_end()
            .to_owned()
    }
}

/// The name among `known` that `wrong` was probably meant to be.
pub(crate) fn nearest<'k>(
    wrong: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Option<&'k str> {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(wrong, name), name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min()
        .map(|(_, name)| name)
}
