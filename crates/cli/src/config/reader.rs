//! Reads one table of settings: for each key the environment first, then the file, then its default. Everything that is
//! wrong goes into the sink; a key that is wrong or missing reads as `None`, and reading goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Outline;
use super::fault::{Fault, Place, nearest};
use super::form::Form;
use super::variables::{Variables, spell};

/// Collects what is wrong, and remembers where each key was said.
pub(crate) struct Sink<'a> {
    text: &'a str,
    directory: &'a Path,
    /// What the file may hold.
    outlines: Vec<Outline>,
    faults: Vec<Fault>,
    places: BTreeMap<String, Place>,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(text: &'a str, directory: &'a Path, outlines: Vec<Outline>) -> Self {
        Self {
            text,
            directory,
            outlines,
            faults: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    /// The sections that the file may have.
    pub(super) fn sections(&self) -> impl Iterator<Item = &'static str> {
        self.outlines.iter().map(|outline| outline.name)
    }

    /// The keys that it may have, as `section.key`.
    pub(super) fn keys(&self) -> impl Iterator<Item = String> {
        self.outlines.iter().flat_map(Outline::paths)
    }

    /// The section that has a key of exactly this name, if only one has.
    pub(super) fn section_of(&self, name: &str) -> Option<&'static str> {
        let has_it = |outline: &&Outline| outline.keys.iter().any(|key| key.name == name);
        let mut homes = self.outlines.iter().filter(has_it);
        let home = homes.next()?.name;
        homes.next().is_none().then_some(home)
    }

    /// A fault of a key by itself or together with others, found after it was read.
    pub(crate) fn fault(&mut self, key: &str, what: impl Into<String>, mend: impl Into<String>) {
        let place = self.places.get(key).cloned().unwrap_or(Place::Nowhere);
        self.push(key, place, what.into(), mend.into());
    }

    /// A fault at a place in the file.
    pub(crate) fn fault_at(&mut self, key: &str, offset: usize, what: String, mend: String) {
        let place = Place::Line(self.line(offset));
        self.push(key, place, what, mend);
    }

    /// Everything that is wrong, in the order of the file, then the environment, then what is nowhere.
    pub(crate) fn into_faults(mut self) -> Vec<Fault> {
        self.faults.sort_by(|a, b| a.place.cmp(&b.place));
        self.faults
    }

    pub(super) fn push(&mut self, key: &str, place: Place, what: String, mend: String) {
        self.faults.push(Fault {
            key: key.to_owned(),
            place,
            what,
            mend,
        });
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

/// A value with its key and its origin, for forms to judge.
pub(crate) struct At<'s, 't> {
    key: String,
    variable: Option<String>,
    sink: &'s mut Sink<'t>,
}

impl<'t> At<'_, 't> {
    /// The value is none that the form allows.
    pub(crate) fn refuse(&mut self, value: &Spanned<DeValue<'_>>, what: String, mend: String) {
        let place = self.place(value.span().start);
        self.sink.push(&self.key, place, what, mend);
    }

    /// The directory that relative paths start from.
    pub(crate) fn directory(&self) -> &'t Path {
        self.sink.directory
    }

    /// The same, one step further in: an element of a list.
    pub(crate) fn element(&mut self, index: usize) -> At<'_, 't> {
        let key = format!("{}[{index}]", self.key);
        At {
            key,
            variable: self.variable.clone(),
            sink: self.sink,
        }
    }

    /// A reader of a table that is the value.
    pub(crate) fn table<'v>(&'v mut self, table: &'v DeTable<'v>, offset: usize) -> Reader<'v, 't> {
        Reader {
            path: self.key.clone(),
            table: Some(table),
            offset,
            variables: None,
            origin: self.variable.clone(),
            known: BTreeSet::new(),
            sink: self.sink,
        }
    }

    fn place(&self, offset: usize) -> Place {
        match &self.variable {
            Some(name) => Place::Variable(name.clone()),
            None => Place::Line(self.sink.line(offset)),
        }
    }
}

/// One table of settings.
pub(crate) struct Reader<'s, 't> {
    path: String,
    table: Option<&'s DeTable<'s>>,
    offset: usize,
    variables: Option<&'s Variables>,
    /// The variable that the whole table was said in, if it was.
    origin: Option<String>,
    known: BTreeSet<String>,
    sink: &'s mut Sink<'t>,
}

impl<'s, 't> Reader<'s, 't> {
    /// A section of the file, with the variables that override it.
    pub(crate) fn section(
        name: &str,
        table: Option<&'s Spanned<DeValue<'s>>>,
        variables: &'s Variables,
        sink: &'s mut Sink<'t>,
    ) -> Self {
        Reader {
            path: name.to_owned(),
            table: table.and_then(|table| table.get_ref().as_table()),
            offset: table.map_or(0, |table| table.span().start),
            variables: Some(variables),
            origin: None,
            known: BTreeSet::new(),
            sink,
        }
    }

    /// What a key is set to: `Ok(None)` when it is not set, `Err` when it is set to something wrong.
    pub(crate) fn find<F: Form>(&mut self, name: &str, form: &F) -> Result<Option<F::Out>, Wrong> {
        self.known.insert(name.to_owned());
        let key = format!("{}.{name}", self.path);
        if let Some((variable, text)) = self.variables.and_then(|all| all.of(&key)) {
            self.sink
                .places
                .insert(key.clone(), Place::Variable(variable.clone()));
            let value = spell(text, F::SPELLING);
            let mut at = At {
                key,
                variable: Some(variable),
                sink: self.sink,
            };
            return form.read(&value, &mut at).map(Some).ok_or(Wrong);
        }
        let Some(value) = self.table.and_then(|table| table.get(name)) else {
            return Ok(None);
        };
        let mut at = At {
            key: key.clone(),
            variable: self.origin.clone(),
            sink: self.sink,
        };
        let place = at.place(value.span().start);
        at.sink.places.insert(key, place);
        form.read(value, &mut at).map(Some).ok_or(Wrong)
    }

    /// A key that must be set is not.
    pub(crate) fn missing(&mut self, name: &str, mend: String) {
        let key = format!("{}.{name}", self.path);
        let place = match (&self.origin, self.table) {
            (Some(variable), _) => Place::Variable(variable.clone()),
            (None, Some(_)) => Place::Line(self.sink.line(self.offset)),
            (None, None) => Place::Nowhere,
        };
        self.sink.push(
            &key,
            place,
            "is not set, and has no default".to_owned(),
            mend,
        );
    }

    /// The directory that relative paths start from.
    pub(crate) fn directory(&self) -> &'t Path {
        self.sink.directory
    }

    /// A fault of a key of this table.
    pub(crate) fn fault(&mut self, name: &str, what: &str, mend: String) {
        let key = format!("{}.{name}", self.path);
        self.sink.fault(&key, what, mend);
    }

    /// Refuses the keys that nobody asked for.
    pub(crate) fn finish(self) {
        for (name, value) in self.table.into_iter().flatten() {
            if !self.known.contains(name.get_ref().as_ref()) {
                let key = format!("{}.{}", self.path, name.get_ref());
                let place = match &self.origin {
                    Some(variable) => Place::Variable(variable.clone()),
                    None => Place::Line(self.sink.line(name.span().start)),
                };
                let known = self.known.iter().map(String::as_str);
                let mend = match (
                    nearest(name.get_ref(), known),
                    self.sink.section_of(name.get_ref()),
                ) {
                    (_, Some(section)) => format!("it belongs to [{section}]"),
                    (Some(meant), None) => format!("did you mean `{meant}`?"),
                    (None, None) => format!(
                        "remove it; the keys of [{}] are in the comments of a fresh oyez.toml",
                        self.path
                    ),
                };
                let what = match value.get_ref() {
                    DeValue::Table(_) => "no such table",
                    _ => "no such key",
                };
                self.sink.push(&key, place, what.to_owned(), mend);
            }
        }
    }
}

/// The value was wrong, and the sink knows how.
pub(crate) struct Wrong;
