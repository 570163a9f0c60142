//! Reads one table of settings: for each key the environment first, then the file, then its default. Everything that is
//! wrong goes into the sink; a key that is wrong or missing reads as `None`, and reading goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Place, nearest};
use super::form::{Form, Spelling};
use super::section_of;

/// Collects what is wrong, and remembers where each key was said.
pub(crate) struct Sink<'a> {
    text: &'a str,
    directory: &'a Path,
    faults: Vec<Fault>,
    places: BTreeMap<String, Place>,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(text: &'a str, directory: &'a Path) -> Self {
        Self {
            text,
            directory,
            faults: Vec::new(),
            places: BTreeMap::new(),
        }
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

    fn push(&mut self, key: &str, place: Place, what: String, mend: String) {
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
                let mend = match (nearest(name.get_ref(), known), section_of(name.get_ref())) {
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

/// The environment variables that override keys: those of the form `OYEZ_SECTION__KEY`. Others that begin with `OYEZ_`
/// are not ours (Kubernetes sets some for a service called oyez).
#[derive(Debug, Default)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    pub(crate) fn pick(all: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = |name: &str| {
            name.strip_prefix(PREFIX)
                .is_some_and(|rest| rest.contains("__"))
        };
        Self(all.into_iter().filter(|(name, _)| ours(name)).collect())
    }

    /// Refuses the variables that override no key.
    pub(crate) fn refuse_unknown(&self, keys: &[String], sink: &mut Sink<'_>) {
        let known: Vec<String> = keys.iter().map(|key| variable_of(key)).collect();
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

    fn of(&self, key: &str) -> Option<(String, &str)> {
        let variable = variable_of(key);
        let text = self.0.get(&variable)?;
        Some((variable, text))
    }
}

/// The variable that overrides `section.key`.
pub(crate) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replacen('.', "__", 1).to_uppercase())
}

/// A variable's text as the value it spells. What is no TOML where TOML is wanted stays text, so that the form can refuse
/// it with its own words.
fn spell(text: &str, spelling: Spelling) -> Spanned<DeValue<'_>> {
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
