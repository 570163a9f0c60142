//! Reading objects member by member: each fault is noted with its place and reading goes on, so that all are said at once.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::DEPTH_MAX;
use crate::fault::{Code, FAULTS_MAX, Fault};

/// Reads a body that must be an object, into something or into everything that is wrong with it.
pub fn read_object<T>(
    body: &[u8],
    read: impl FnOnce(&Members<'_>, &mut Faults) -> Option<T>,
) -> Result<T, Vec<Fault>> {
    let malformed = |message: String| vec![Fault::new(Code::ResourceInvalidFormat, message)];
    let document = super::parse(body, DEPTH_MAX).map_err(|error| malformed(error.to_string()))?;
    let mut faults = Faults::default();
    let Some(members) = Place::document(&document).members(&mut faults) else {
        return Err(malformed("an object is expected".to_owned()));
    };
    let read = read(&members, &mut faults);
    faults.into_result(read)
}

/// Faults found so far, as many as one answer tells.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// What stands there.
    pub value: &'a Value,
    /// `Data.EventTypes[2]`; empty for the document.
    pub path: String,
}

/// An object whose members are read one after another.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl Faults {
    /// Notes one.
    pub fn push(&mut self, fault: Fault) {
        if self.0.len() < FAULTS_MAX {
            self.0.push(fault);
        }
    }

    /// Notes a value that may not stand where it stands.
    pub fn invalid(&mut self, path: &str, message: impl Into<String>) {
        self.push(Fault::new(Code::FieldInvalid, message).at(path));
    }

    /// Whether nothing was wrong so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was read, if nothing was wrong.
    pub fn into_result<T>(self, read: Option<T>) -> Result<T, Vec<Fault>> {
        match read {
            Some(read) if self.0.is_empty() => Ok(read),
            _ => Err(self.0),
        }
    }
}

impl<'a> Place<'a> {
    /// A whole document.
    pub fn document(value: &'a Value) -> Self {
        Self {
            value,
            path: String::new(),
        }
    }

    /// A text whose length in characters is in this range.
    pub fn text(&self, chars: RangeInclusive<usize>, faults: &mut Faults) -> Option<&'a str> {
        let text = self.value.as_str();
        match text {
            Some(text) if chars.contains(&text.chars().count()) => return Some(text),
            Some(_) => faults.invalid(
                &self.path,
                format!(
                    "{} to {} characters are expected",
                    chars.start(),
                    chars.end()
                ),
            ),
            None => faults.invalid(&self.path, "a string is expected"),
        }
        None
    }

    /// A text that is fit to be what it names.
    pub fn parsed<T, E: std::fmt::Display>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, E>,
        faults: &mut Faults,
    ) -> Option<T> {
        let Some(text) = self.value.as_str() else {
            faults.invalid(&self.path, "a string is expected");
            return None;
        };
        parse(text)
            .map_err(|error| faults.invalid(&self.path, error.to_string()))
            .ok()
    }

    /// A whole number, not negative.
    pub fn whole_number(&self, faults: &mut Faults) -> Option<i64> {
        let number = self.value.as_i64().filter(|number| *number >= 0);
        if number.is_none() {
            faults.invalid(&self.path, "a whole number is expected, not negative");
        }
        number
    }

    /// True or false.
    pub fn boolean(&self, faults: &mut Faults) -> Option<bool> {
        let truth = self.value.as_bool();
        if truth.is_none() {
            faults.invalid(&self.path, "true or false is expected");
        }
        truth
    }

    /// The elements of an array.
    pub fn elements<'s>(
        &'s self,
        faults: &mut Faults,
    ) -> Option<impl ExactSizeIterator<Item = Self> + use<'s, 'a>> {
        let Some(items) = self.value.as_array() else {
            faults.invalid(&self.path, "an array is expected");
            return None;
        };
        let place = |(index, value)| Self {
            value,
            path: format!("{}[{index}]", self.path),
        };
        Some(items.iter().enumerate().map(place))
    }

    /// The members of an object.
    pub fn members(&self, faults: &mut Faults) -> Option<Members<'a>> {
        let Some(map) = self.value.as_object() else {
            faults.invalid(&self.path, "an object is expected");
            return None;
        };
        Some(Members {
            map,
            path: self.path.clone(),
        })
    }
}

impl<'a> Members<'a> {
    /// A member that may be there.
    pub fn optional(&self, name: &str) -> Option<Place<'a>> {
        Some(Place {
            value: self.map.get(name)?,
            path: self.path_of(name),
        })
    }

    /// A member that must be there.
    pub fn required(&self, name: &str, faults: &mut Faults) -> Option<Place<'a>> {
        let found = self.optional(name);
        if found.is_none() {
            let missing = Fault::new(Code::FieldMissing, "this member is missing");
            faults.push(missing.at(self.path_of(name)));
        }
        found
    }

    /// Every member, in the map's order.
    pub fn each(&self) -> impl ExactSizeIterator<Item = (&'a str, Place<'a>)> {
        self.map.iter().map(|(name, value)| {
            let path = self.path_of(name);
            (name.as_str(), Place { value, path })
        })
    }

    /// No member but these may be there (G-11).
    pub fn only(&self, known: &[&str], faults: &mut Faults) {
        for name in self
            .map
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
        {
            let unexpected = Fault::new(Code::FieldUnexpected, "no such member is expected here");
            faults.push(unexpected.at(self.path_of(name)));
        }
    }

    /// Where a member stands, or would.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}
