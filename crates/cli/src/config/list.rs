//! Forms of values that hold other values: lists, and lists of tables.

use std::marker::PhantomData;

use toml::Spanned;
use toml::de::DeValue;

use super::form::{Form, Spelling, found};
use super::reader::At;
use super::section::Section;

/// Several of another form, each once.
pub(crate) struct List<F>(pub(crate) F);

impl<F: Form<Out: PartialEq>> Form for List<F> {
    type Out = Vec<F::Out>;
    const SPELLING: Spelling = Spelling::List;

    fn expected(&self) -> String {
        format!("a list; each entry {}", self.0.expected())
    }

    fn read(&self, value: &Spanned<DeValue<'_>>, at: &mut At<'_, '_>) -> Option<Self::Out> {
        let Some(entries) = value.get_ref().as_array() else {
            return self.read_by(value, at, |_| None);
        };
        let mut read = Vec::with_capacity(entries.len());
        let mut whole = true;
        for (index, entry) in entries.iter().enumerate() {
            let mut at = at.element(index);
            match self.0.read(entry, &mut at) {
                Some(entry) if !read.contains(&entry) => read.push(entry),
                Some(_) => {
                    at.refuse(
                        entry,
                        "stands in the list twice".to_owned(),
                        "remove one".to_owned(),
                    );
                    whole = false;
                }
                None => whole = false,
            }
        }
        whole.then_some(read)
    }

    fn write(&self, value: &Self::Out) -> String {
        let entries: Vec<_> = value.iter().map(|entry| self.0.write(entry)).collect();
        format!("[{}]", entries.join(", "))
    }
}

/// A list of tables, each with keys of its own.
pub(crate) struct Tables<S>(PhantomData<S>);

impl<S> Default for Tables<S> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<S: Section> Form for Tables<S> {
    type Out = Vec<S>;
    const SPELLING: Spelling = Spelling::Toml;

    fn expected(&self) -> String {
        format!("tables headed [[{}]]", S::NAME)
    }

    fn read(&self, value: &Spanned<DeValue<'_>>, at: &mut At<'_, '_>) -> Option<Vec<S>> {
        let Some(entries) = value.get_ref().as_array() else {
            return self.read_by(value, at, |_| None);
        };
        let mut read = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let mut at = at.element(index);
            let Some(table) = entry.get_ref().as_table() else {
                let mend = format!("set it to {}", self.expected());
                at.refuse(entry, found(entry.get_ref()), mend);
                continue;
            };
            let mut reader = at.table(table, entry.span().start);
            read.push(S::read(&mut reader));
            reader.finish();
        }
        let all = entries.len();
        let whole: Vec<_> = read.into_iter().flatten().collect();
        (whole.len() == all).then_some(whole)
    }

    fn write(&self, _: &Vec<S>) -> String {
        unreachable!("lists of tables have no default but none")
    }
}
