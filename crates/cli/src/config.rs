//! The configuration: one TOML file, overridden key by key by `OYEZ_SECTION__KEY`.
//!
//! [`Config::read`] is a function of the file's text, its directory and the environment that the caller brings. It reports
//! every fault at once: text that is no TOML, unknown names, wrong forms, missing keys, keys that contradict each other.
//! What only a look at the outside can tell (are the key files there? is the ledger sound?) is `oyez check`'s work.
//!
//! The keys are declared once, by `section!` in the files beside this one; reading, the commented `oyez.toml` and the
//! search for unknown names all follow from that.

mod access;
mod catalogue;
mod console;
mod contradictions;
mod delivery;
mod developer;
mod fault;
pub(crate) mod form;
mod identity;
mod keeping;
pub(crate) mod list;
mod listening;
mod outgoing;
mod page;
pub(crate) mod reader;
mod rules;
mod running;
pub(crate) mod section;
mod telling;
mod template;
pub(crate) mod text;
mod variables;

use std::path::Path;

use toml::de::{DeTable, DeValue};

pub(crate) use access::{Registration, Tokens, Validation};
pub(crate) use catalogue::{EventTypes, Resources, TestEvent};
pub(crate) use console::Console;
pub(crate) use delivery::{Polling, Push, Retry};
pub(crate) use developer::Developer;
pub(crate) use fault::Fault;
pub(crate) use form::Place as KeysAt;
pub(crate) use identity::{Bank, Features, Headers, Signatures, Versions};
pub(crate) use keeping::{Backend, DatabaseTls, Retention, Signing, Store};
pub(crate) use listening::{Gateway, Internal, Limits, Listener};
pub(crate) use outgoing::Outbound;
pub(crate) use page::{Overrides, page, render_page};
pub(crate) use running::{Log, LogFormat, LogLevel, Shutdown};

pub(crate) use section::Secret;
pub(crate) use telling::Telemetry;
pub(crate) use template::render;
#[cfg(test)]
pub(crate) use variables::variable_of;
pub(crate) use variables::{Calling, Variables};

use fault::{Place, nearest};
use reader::{Reader, Sink};
use section::{Key, Section};

/// Declares the sections of the file, in its order.
macro_rules! config {
    ($($field:ident: $section:ty,)*) => {
        /// Everything that is configured.
        #[cfg_attr(test, derive(PartialEq))]
        #[derive(Debug, Clone)]
        pub(crate) struct Config {
            $(pub(crate) $field: $section,)*
        }

        /// The sections as far as they could be read. Those that are there are right by themselves.
        pub(crate) struct Draft {
            $(pub(crate) $field: Option<$section>,)*
        }

        impl Draft {
            fn read(file: &DeTable<'_>, variables: &Variables, sink: &mut Sink<'_>) -> Self {
                Self { $($field: read_section(file, variables, sink),)* }
            }

            /// The configuration, if all of it could be read.
            pub(crate) fn whole(self) -> Option<Config> {
                Some(Config { $($field: self.$field?,)* })
            }
        }

        /// The sections of the file.
        fn outlines() -> Vec<Outline> {
            vec![$(Outline::of::<$section>()),*]
        }
    };
}

config! {
    bank: Bank,
    versions: Versions,
    features: Features,
    listener: Listener,
    gateway: Gateway,
    tokens: Tokens,
    headers: Headers,
    signatures: Signatures,
    polling: Polling,
    push: Push,
    retry: Retry,
    signing: Signing,
    store: Store,
    retention: Retention,
    event_types: EventTypes,
    resources: Resources,
    test_event: TestEvent,
    developer: Developer,
    outbound: Outbound,
    limits: Limits,
    internal: Internal,
    console: Console,
    log: Log,
    telemetry: Telemetry,
    shutdown: Shutdown,
}

/// A section as people see it.
pub(crate) struct Outline {
    name: &'static str,
    doc: &'static [&'static str],
    keys: Vec<Key>,
}

impl Outline {
    /// Of a section.
    pub(crate) fn of<S: Section>() -> Self {
        Self {
            name: S::NAME,
            doc: S::DOC,
            keys: S::keys(),
        }
    }

    /// Its keys as `section.key`.
    fn paths(&self) -> impl Iterator<Item = String> {
        let names = self.keys.iter().flat_map(Key::names);
        names.map(|name| format!("{}.{name}", self.name))
    }
}

/// Every key, as `section.key`.
#[cfg(test)]
pub(crate) fn every_key() -> Vec<String> {
    let keys = outlines();
    keys.iter().flat_map(Outline::paths).collect()
}

impl Config {
    /// Reads the text of a file in `directory`, overridden by `variables`; or everything that is wrong.
    pub(crate) fn read(
        text: &str,
        directory: &Path,
        variables: &Variables,
    ) -> Result<Self, Vec<Fault>> {
        let (draft, faults) = Draft::judge(text, directory, variables);
        match draft.whole() {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(faults),
        }
    }
}

impl Draft {
    /// Reads as much as can be read, with everything that is wrong.
    pub(crate) fn judge(text: &str, directory: &Path, variables: &Variables) -> (Self, Vec<Fault>) {
        let sink = Sink::new(text, directory, outlines());
        judge(sink, text, variables, |file, sink| {
            let draft = Self::read(file, variables, sink);
            contradictions::judge(&draft, sink);
            draft
        })
    }
}

/// Reads a file by `read`, with everything that is wrong in it.
pub(crate) fn judge<T>(
    mut sink: Sink<'_>,
    text: &str,
    variables: &Variables,
    read: impl FnOnce(&DeTable<'_>, &mut Sink<'_>) -> T,
) -> (T, Vec<Fault>) {
    let (file, errors) = DeTable::parse_recoverable(text);
    let torn = !errors.is_empty();
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        let mend = "correct the line; strings need quotes, and a [section] stands on its own line";
        sink.fault_at("", offset, error.message().to_owned(), mend.to_owned());
    }
    refuse_unknown_sections(file.get_ref(), &mut sink);
    variables.refuse_unfit(&mut sink);
    let draft = read(file.get_ref(), &mut sink);
    let mut faults = sink.into_faults();
    if torn {
        // What seems to be missing may stand behind the tear.
        faults.retain(|fault| fault.place != Place::Nowhere);
    }
    (draft, faults)
}

/// Reads one section of a file.
pub(crate) fn read_section<S: Section>(
    file: &DeTable<'_>,
    variables: &Variables,
    sink: &mut Sink<'_>,
) -> Option<S> {
    let mut reader = Reader::section(S::NAME, file.get(S::NAME), variables, sink);
    let section = S::read(&mut reader);
    reader.finish();
    section
}

fn refuse_unknown_sections(file: &DeTable<'_>, sink: &mut Sink<'_>) {
    let sections: Vec<&'static str> = sink.sections().collect();
    for (name, value) in file {
        let offset = name.span().start;
        let known = sections.iter().copied();
        match value.get_ref() {
            DeValue::Table(_) if known.clone().any(|one| one == name.get_ref()) => {}
            DeValue::Table(_) => {
                let mend = match nearest(name.get_ref(), known.clone()) {
                    Some(meant) => format!("did you mean [{meant}]?"),
                    None => format!(
                        "remove it; there are [{}]",
                        known.collect::<Vec<_>>().join("], [")
                    ),
                };
                sink.fault_at(name.get_ref(), offset, "no such section".to_owned(), mend);
            }
            _ if known.clone().any(|one| one == name.get_ref()) => {
                let what = "is no section".to_owned();
                let mend = format!("head it [{}], once", name.get_ref());
                sink.fault_at(name.get_ref(), offset, what, mend);
            }
            _ => {
                let what = "stands outside of any section".to_owned();
                let home = sink.section_of(name.get_ref()).unwrap_or(sections[0]);
                let mend = format!("put it below the heading of its section, such as [{home}]");
                sink.fault_at(name.get_ref(), offset, what, mend);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
