//! The environment as far as it is ours: `OYEZ_SECTION__KEY` overrides `key` of `[section]`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use oyez_jose::Zeroizing;
use toml::Spanned;
use toml::de::DeValue;

use super::fault::{Place, nearest};
use super::form::Spelling;
use super::reader::Sink;

/// The environment variables that override keys: those of the form `OYEZ_SECTION__KEY`. Others that begin with `OYEZ_`
/// are not ours (Kubernetes sets some for a service called oyez).
#[derive(Debug, Default)]
pub(crate) struct Variables(BTreeMap<String, Result<String, OsString>>);

impl Variables {
    pub(crate) fn pick(all: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let ours = |(name, value): (OsString, OsString)| {
            let name = name.into_string().ok()?;
            let ours = name.strip_prefix(PREFIX)?.contains("__");
            ours.then(|| (name, value.into_string()))
        };
        Self(all.into_iter().filter_map(ours).collect())
    }

    /// Refuses the variables that override no key, or are no text.
    pub(crate) fn refuse_unfit(&self, sink: &mut Sink<'_>) {
        for name in self
            .0
            .iter()
            .filter_map(|(name, text)| text.is_err().then_some(name))
        {
            let what = "the value is not UTF-8".to_owned();
            sink.push(
                "",
                Place::Variable(name.clone()),
                what,
                "set it to text".to_owned(),
            );
        }
        let known: Vec<String> = sink.keys().map(|key| variable_of(&key)).collect();
        for name in self.0.keys().filter(|name| !known.contains(name)) {
            let mend = match nearest(name, known.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean {meant}? otherwise unset it"),
                None => {
                    "unset it, or see the comments in a fresh oyez.toml for the keys".to_owned()
                }
            };
            let what = "this variable overrides no key".to_owned();
            sink.push("", Place::Variable(name.clone()), what, mend);
        }
    }

    /// The variable of a key, and what it says.
    pub(super) fn of(&self, key: &str) -> Option<(String, &str)> {
        let variable = variable_of(key);
        let text = self.0.get(&variable)?.as_ref().ok()?;
        Some((variable, text))
    }
}

/// What the environment says to the commands that call a server: `OYEZ_URL`, `OYEZ_TOKEN`, `OYEZ_TOKEN_FILE` and
/// `OYEZ_CA_FILE`. It has no `Debug`.
#[derive(Default)]
pub(crate) struct Calling {
    pub(crate) url: Option<String>,
    pub(crate) token: Option<Zeroizing<String>>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
}

impl Calling {
    /// Empty variables say nothing.
    pub(crate) fn pick(all: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut calling = Self::default();
        for (name, value) in all {
            if value.is_empty() {
                continue;
            }
            match name.to_str() {
                Some("OYEZ_URL") => calling.url = value.into_string().ok(),
                Some("OYEZ_TOKEN") => calling.token = value.into_string().ok().map(Zeroizing::new),
                Some("OYEZ_TOKEN_FILE") => calling.token_file = Some(value.into()),
                Some("OYEZ_CA_FILE") => calling.ca_file = Some(value.into()),
                _ => {}
            }
        }
        calling
    }
}

/// The variable that overrides `section.key`.
pub(crate) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replacen('.', "__", 1).to_uppercase())
}

/// A variable's text as the value it spells. What is no TOML where TOML is wanted stays text, so that the form can refuse
/// it with its own words.
pub(super) fn spell(text: &str, spelling: Spelling) -> Spanned<DeValue<'_>> {
    let as_text = || Spanned::new(0..text.len(), DeValue::String(text.into()));
    let as_toml = || DeValue::parse(text).unwrap_or_else(|_| as_text());
    match spelling {
        Spelling::Text => as_text(),
        Spelling::Toml => as_toml(),
        Spelling::List if text.trim_start().starts_with('[') => as_toml(),
        Spelling::List => {
            let words = text
                .split(',')
                .map(str::trim)
                .filter(|word| !word.is_empty());
            let items = words.map(|word| Spanned::new(0..0, DeValue::String(word.into())));
            Spanned::new(0..text.len(), DeValue::Array(items.collect()))
        }
    }
}

const PREFIX: &str = "OYEZ_";
