//! The one table of keys. [`section!`] declares a section as a struct whose fields are its keys: the doc comment of a field
//! is its comment in `oyez.toml`, its type is what the program works with, and its right-hand side says what becomes of it
//! when it is not set and which form its value has. So a key cannot be documented and not read, or read and not documented.

use std::marker::PhantomData;
use std::path::PathBuf;

use super::form::{File, Form, Text};
use super::list::Tables;
use super::reader::{Reader, Wrong};

/// A table of keys: a section of the file, or an entry of a list of tables.
pub(crate) trait Section: Sized {
    /// What it is called in the file.
    const NAME: &'static str;
    /// What it is about.
    const DOC: &'static [&'static str];

    /// Its keys, in the order of the file.
    fn keys() -> Vec<Key>;

    /// Reads all its keys; `None` when one of them is wrong.
    fn read(reader: &mut Reader<'_, '_>) -> Option<Self>;
}

/// A key as people see it.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static [&'static str],
    /// In words, to follow "expected".
    pub(crate) expected: String,
    pub(crate) unset: Unset,
}

/// What becomes of a key that is not set.
pub(crate) enum Unset {
    /// It has this value, in TOML.
    Default(String),
    /// It has none; set, it might have this value, in TOML.
    Absent(String),
    /// It must be set, for example to this, in TOML.
    Refused(String),
    /// As [`Unset::Absent`]; or the file that this path names holds the value.
    Secret {
        example: &'static str,
        file: &'static str,
    },
    /// There are no such tables; these are the keys of one.
    Tables(&'static str, Vec<Key>),
}

impl Key {
    /// The names it goes by in the file: a secret has a second one.
    pub(crate) fn names(&self) -> Vec<String> {
        match self.unset {
            Unset::Secret { .. } => vec![self.name.to_owned(), file_key(self.name)],
            _ => vec![self.name.to_owned()],
        }
    }
}

/// A value that may stand in a file of its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Secret {
    /// In the configuration.
    Here(String),
    /// In this file.
    In(PathBuf),
}

/// The key that names the file of a secret.
pub(crate) fn file_key(name: &str) -> String {
    format!("{name}_file")
}

/// How a key is read and described.
pub(crate) trait Rule {
    type Out;
    fn describe(&self) -> (String, Unset);
    fn read(&self, name: &str, reader: &mut Reader<'_, '_>) -> Option<Self::Out>;
}

/// A rule whose key has this type: lets the compiler see which form is meant.
pub(crate) fn rule_for<T, R: Rule<Out = T>>(rule: R) -> R {
    rule
}

/// The key has a default.
pub(crate) fn default<F: Form>(value: F::Out, form: F) -> Default<F> {
    Default { value, form }
}

/// The key may be absent; `example` is TOML.
pub(crate) fn optional<F: Form>(example: &'static str, form: F) -> Optional<F> {
    Optional { example, form }
}

/// The key must be set; `example` is TOML.
pub(crate) fn required<F: Form>(example: &'static str, form: F) -> Required<F> {
    Required { example, form }
}

/// The key may be absent, and may be given by the file that `name_file` names; both examples are TOML.
pub(crate) fn secret(example: &'static str, file: &'static str) -> SecretRule {
    SecretRule { example, file }
}

/// Any number of tables.
pub(crate) fn any_number<S: Section>() -> AnyNumber<S> {
    AnyNumber(PhantomData)
}

/// See [`default`].
pub(crate) struct Default<F: Form> {
    value: F::Out,
    form: F,
}

/// See [`optional`].
pub(crate) struct Optional<F> {
    example: &'static str,
    form: F,
}

/// See [`required`].
pub(crate) struct Required<F> {
    example: &'static str,
    form: F,
}

impl<F: Form<Out: Clone>> Rule for Default<F> {
    type Out = F::Out;

    fn describe(&self) -> (String, Unset) {
        (
            self.form.expected(),
            Unset::Default(self.form.write(&self.value)),
        )
    }

    fn read(&self, name: &str, reader: &mut Reader<'_, '_>) -> Option<F::Out> {
        match reader.find(name, &self.form) {
            Ok(Some(found)) => Some(found),
            Ok(None) => Some(self.form.settle(self.value.clone(), reader.directory())),
            Err(Wrong) => None,
        }
    }
}

impl<F: Form> Rule for Optional<F> {
    type Out = Option<F::Out>;

    fn describe(&self) -> (String, Unset) {
        (self.form.expected(), Unset::Absent(self.example.to_owned()))
    }

    fn read(&self, name: &str, reader: &mut Reader<'_, '_>) -> Option<Self::Out> {
        reader.find(name, &self.form).ok()
    }
}

impl<F: Form> Rule for Required<F> {
    type Out = F::Out;

    fn describe(&self) -> (String, Unset) {
        (
            self.form.expected(),
            Unset::Refused(self.example.to_owned()),
        )
    }

    fn read(&self, name: &str, reader: &mut Reader<'_, '_>) -> Option<F::Out> {
        let found = reader.find(name, &self.form).ok()?;
        if found.is_none() {
            reader.missing(
                name,
                format!("set it, for example {name} = {}", self.example),
            );
        }
        found
    }
}

/// See [`secret`].
pub(crate) struct SecretRule {
    example: &'static str,
    file: &'static str,
}

impl Rule for SecretRule {
    type Out = Option<Secret>;

    fn describe(&self) -> (String, Unset) {
        (
            Text.expected(),
            Unset::Secret {
                example: self.example,
                file: self.file,
            },
        )
    }

    fn read(&self, name: &str, reader: &mut Reader<'_, '_>) -> Option<Self::Out> {
        let here = reader.find(name, &Text);
        let in_file = reader.find(&file_key(name), &File("a file with its value"));
        match (here.ok()?, in_file.ok()?) {
            (Some(_), Some(_)) => {
                let what = "is set, and its file is set too";
                reader.fault(
                    name,
                    what,
                    format!("keep `{name}` or `{}`, not both", file_key(name)),
                );
                None
            }
            (Some(text), None) => Some(Some(Secret::Here(text))),
            (None, file) => Some(file.map(Secret::In)),
        }
    }
}

/// See [`any_number`].
pub(crate) struct AnyNumber<S>(PhantomData<S>);

impl<S: Section> Rule for AnyNumber<S> {
    type Out = Vec<S>;

    fn describe(&self) -> (String, Unset) {
        (
            Tables::<S>::default().expected(),
            Unset::Tables(S::NAME, S::keys()),
        )
    }

    fn read(&self, name: &str, reader: &mut Reader<'_, '_>) -> Option<Vec<S>> {
        reader
            .find(name, &Tables::default())
            .ok()
            .map(Option::unwrap_or_default)
    }
}

/// Declares a section: see the module.
macro_rules! section {
    (
        $(#[doc = $doc:literal])*
        $name:ident = $section:literal {
            $(
                $(#[doc = $key_doc:literal])*
                $field:ident: $type:ty = $rule:expr;
            )*
        }
    ) => {
        $(#[doc = $doc])*
        // Compared by tests only: so the compiler sees a key that nothing reads.
        #[cfg_attr(test, derive(PartialEq))]
        #[derive(Debug, Clone)]
        pub(crate) struct $name {
            $(
                $(#[doc = $key_doc])*
                pub(crate) $field: $type,
            )*
        }

        impl $crate::config::section::Section for $name {
            const NAME: &'static str = $section;
            const DOC: &'static [&'static str] = &[$($doc),*];

            fn keys() -> Vec<$crate::config::section::Key> {
                vec![$({
                    let rule = $crate::config::section::rule_for::<$type, _>($rule);
                    let (expected, unset) = $crate::config::section::Rule::describe(&rule);
                    $crate::config::section::Key {
                        name: stringify!($field),
                        doc: &[$($key_doc),*],
                        expected,
                        unset,
                    }
                }),*]
            }

            fn read(reader: &mut $crate::config::reader::Reader<'_, '_>) -> Option<Self> {
                $(
                    let rule = $crate::config::section::rule_for::<$type, _>($rule);
                    let $field = $crate::config::section::Rule::read(&rule, stringify!($field), reader);
                )*
                Some(Self { $($field: $field?),* })
            }
        }
    };
}
pub(crate) use section;
