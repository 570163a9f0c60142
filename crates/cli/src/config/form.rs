//! The forms that values have: what is expected in words, how a value is read, how it is written. A form reads into the
//! type that the rest of the program uses, so nothing is parsed twice.

use std::fmt::Display;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use oyez_domain::time::span;
use toml::Spanned;
use toml::de::DeValue;

use super::reader::At;
use super::text::HttpUrl;

/// One form of values.
pub(crate) trait Form {
    /// What it reads into.
    type Out;

    /// How a value is spelt in an environment variable.
    const SPELLING: Spelling;

    /// In words, to follow "expected".
    fn expected(&self) -> String;

    /// Reads a value, or tells `at` why not.
    fn read(&self, value: &Spanned<DeValue<'_>>, at: &mut At<'_, '_>) -> Option<Self::Out>;

    /// The value in TOML.
    fn write(&self, value: &Self::Out) -> String;

    /// A default as it stands for this configuration.
    fn settle(&self, value: Self::Out, _directory: &Path) -> Self::Out {
        value
    }

    /// Reads by `take`; what it does not take is refused in this form's words.
    fn read_by(
        &self,
        value: &Spanned<DeValue<'_>>,
        at: &mut At<'_, '_>,
        take: impl FnOnce(&DeValue<'_>) -> Option<Self::Out>,
    ) -> Option<Self::Out> {
        let taken = take(value.get_ref());
        if taken.is_none() {
            at.refuse(
                value,
                found(value.get_ref()),
                format!("set it to {}", self.expected()),
            );
        }
        taken
    }
}

/// How a value is spelt in an environment variable.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spelling {
    /// As it is, without quotes.
    Text,
    /// As in the file.
    Toml,
    /// As in the file, or as words with commas between.
    List,
}

/// `true` or `false`.
pub(crate) struct Flag;

impl Form for Flag {
    type Out = bool;
    const SPELLING: Spelling = Spelling::Toml;

    fn expected(&self) -> String {
        "true or false".to_owned()
    }

    fn read(&self, value: &Spanned<DeValue<'_>>, at: &mut At<'_, '_>) -> Option<bool> {
        self.read_by(value, at, |value| value.as_bool())
    }

    fn write(&self, value: &bool) -> String {
        value.to_string()
    }
}

/// A whole number in a range.
pub(crate) struct Whole<T> {
    range: RangeInclusive<u32>,
    to: PhantomData<T>,
}

/// See [`Whole`].
pub(crate) fn whole<T>(range: RangeInclusive<u32>) -> Whole<T> {
    Whole {
        range,
        to: PhantomData,
    }
}

impl<T: TryFrom<u32> + Display> Form for Whole<T> {
    type Out = T;
    const SPELLING: Spelling = Spelling::Toml;

    fn expected(&self) -> String {
        format!(
            "a whole number from {} to {}",
            self.range.start(),
            self.range.end()
        )
    }

    fn read(&self, value: &Spanned<DeValue<'_>>, at: &mut At<'_, '_>) -> Option<T> {
        self.read_by(value, at, |value| {
            let digits = value.as_integer()?;
            let number = u32::from_str_radix(digits.as_str(), digits.radix()).ok()?;
            self.range
                .contains(&number)
                .then(|| T::try_from(number).ok())?
        })
    }

    fn write(&self, value: &T) -> String {
        value.to_string()
    }
}

/// A number in a range.
pub(crate) struct Number(pub(crate) RangeInclusive<f64>);

impl Form for Number {
    type Out = f64;
    const SPELLING: Spelling = Spelling::Toml;

    fn expected(&self) -> String {
        format!("a number from {} to {}", self.0.start(), self.0.end())
    }

    fn read(&self, value: &Spanned<DeValue<'_>>, at: &mut At<'_, '_>) -> Option<f64> {
        self.read_by(value, at, |value| {
            let text = match value {
                DeValue::Integer(digits) if digits.radix() == 10 => digits.as_str(),
                DeValue::Float(float) => float.as_str(),
                _ => return None,
            };
            text.parse().ok().filter(|number| self.0.contains(number))
        })
    }

    fn write(&self, value: &f64) -> String {
        format!("{value:?}")
    }
}

/// A length of time in a range, written with its unit.
pub(crate) struct Span(pub(crate) RangeInclusive<Duration>);

impl Form for Span {
    type Out = Duration;
    const SPELLING: Spelling = Spelling::Text;

    fn expected(&self) -> String {
        let (least, most) = (span::print(*self.0.start()), span::print(*self.0.end()));
        format!("a length of time from \"{least}\" to \"{most}\"")
    }

    fn read(&self, value: &Spanned<DeValue<'_>>, at: &mut At<'_, '_>) -> Option<Duration> {
        self.read_by(value, at, |value| {
            span::parse(value.as_str()?)
                .ok()
                .filter(|length| self.0.contains(length))
        })
    }

    fn write(&self, value: &Duration) -> String {
        quote(&span::print(*value))
    }
}

/// Another form, or `"off"`.
pub(crate) struct OrOff<F>(pub(crate) F);

impl<F: Form> Form for OrOff<F> {
    type Out = Option<F::Out>;
    const SPELLING: Spelling = F::SPELLING;

    fn expected(&self) -> String {
        format!("{}, or \"off\"", self.0.expected())
    }

    fn read(&self, value: &Spanned<DeValue<'_>>, at: &mut At<'_, '_>) -> Option<Self::Out> {
        if value.get_ref().as_str() == Some("off") {
            return Some(None);
        }
        self.0.read(value, at).map(Some)
    }

    fn write(&self, value: &Self::Out) -> String {
        value
            .as_ref()
            .map_or_else(|| quote("off"), |value| self.0.write(value))
    }
}

/// One of a few words, each with its meaning.
pub(crate) struct Choice<T: 'static>(pub(crate) &'static [(&'static str, T)]);

impl<T: Clone + PartialEq> Form for Choice<T> {
    type Out = T;
    const SPELLING: Spelling = Spelling::Text;

    fn expected(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| quote(word)).collect();
        words.join(" or ")
    }

    fn read(&self, value: &Spanned<DeValue<'_>>, at: &mut At<'_, '_>) -> Option<T> {
        self.read_by(value, at, |value| {
            let word = value.as_str()?;
            self.0
                .iter()
                .find(|(one, _)| *one == word)
                .map(|(_, meaning)| meaning.clone())
        })
    }

    fn write(&self, value: &T) -> String {
        let word = self
            .0
            .iter()
            .find(|(_, meaning)| meaning == value)
            .map(|(word, _)| *word);
        quote(word.expect("a default is one of the choices"))
    }
}

/// Any text.
pub(crate) struct Text;

impl Form for Text {
    type Out = String;
    const SPELLING: Spelling = Spelling::Text;

    fn expected(&self) -> String {
        "text".to_owned()
    }

    fn read(&self, value: &Spanned<DeValue<'_>>, at: &mut At<'_, '_>) -> Option<String> {
        self.read_by(value, at, |value| value.as_str().map(str::to_owned))
    }

    fn write(&self, value: &String) -> String {
        quote(value)
    }
}

/// Text that is some type's own form.
pub(crate) struct Parsed<T> {
    expected: &'static str,
    to: PhantomData<T>,
}

/// See [`Parsed`]; `expected` follows "expected".
pub(crate) fn parsed<T>(expected: &'static str) -> Parsed<T> {
    Parsed {
        expected,
        to: PhantomData,
    }
}

impl<T: FromStr + Display> Form for Parsed<T> {
    type Out = T;
    const SPELLING: Spelling = Spelling::Text;

    fn expected(&self) -> String {
        self.expected.to_owned()
    }

    fn read(&self, value: &Spanned<DeValue<'_>>, at: &mut At<'_, '_>) -> Option<T> {
        self.read_by(value, at, |value| value.as_str()?.parse().ok())
    }

    fn write(&self, value: &T) -> String {
        quote(&value.to_string())
    }
}

/// A path; a relative one starts at the configuration file's directory.
pub(crate) struct File(pub(crate) &'static str);

impl Form for File {
    type Out = PathBuf;
    const SPELLING: Spelling = Spelling::Text;

    fn expected(&self) -> String {
        format!("the path of {}", self.0)
    }

    fn read(&self, value: &Spanned<DeValue<'_>>, at: &mut At<'_, '_>) -> Option<PathBuf> {
        let directory = at.directory();
        self.read_by(value, at, |value| {
            let path = value.as_str().filter(|path| !path.is_empty())?;
            Some(directory.join(path))
        })
    }

    fn write(&self, value: &PathBuf) -> String {
        quote(&value.to_string_lossy())
    }

    fn settle(&self, value: PathBuf, directory: &Path) -> PathBuf {
        directory.join(value)
    }
}

/// A path, as [`File`] reads it, or a URL.
pub(crate) struct FileOrUrl;

/// Where something is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    File(PathBuf),
    Url(HttpUrl),
}

impl Form for FileOrUrl {
    type Out = Place;
    const SPELLING: Spelling = Spelling::Text;

    fn expected(&self) -> String {
        "an https URL, or the path of a file".to_owned()
    }

    fn read(&self, value: &Spanned<DeValue<'_>>, at: &mut At<'_, '_>) -> Option<Place> {
        let directory = at.directory();
        self.read_by(value, at, |value| {
            let text = value.as_str().filter(|text| !text.is_empty())?;
            if text.contains("://") {
                return text.parse().ok().map(Place::Url);
            }
            Some(Place::File(directory.join(text)))
        })
    }

    fn write(&self, value: &Place) -> String {
        match value {
            Place::File(path) => quote(&path.to_string_lossy()),
            Place::Url(url) => quote(url.as_ref()),
        }
    }
}

/// Text as a TOML string.
pub(crate) fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// What stands there instead.
pub(super) fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.chars().count() > SHOWN_CHARS_MAX => {
            "is a long text".to_owned()
        }
        DeValue::String(text) => format!("is the text {}", quote(text)),
        DeValue::Integer(number) => format!("is the number {number}"),
        DeValue::Float(number) => format!("is the number {number}"),
        DeValue::Boolean(flag) => format!("is {flag}"),
        DeValue::Datetime(moment) => format!("is the moment {moment}"),
        DeValue::Array(_) => "is a list".to_owned(),
        DeValue::Table(_) => "is a table".to_owned(),
    }
}

/// A message stays on a line or two.
const SHOWN_CHARS_MAX: usize = 60;
