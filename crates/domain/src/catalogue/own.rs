//! The bank's own types, as its configuration defines them: all that is wrong with them is said at once.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Catalogue, Reasons, Role, Schema, Type, is_namespaced};
use crate::event::EventType;
use crate::fault::{Code, Fault};
use crate::version::Version;
use crate::versions::VersionTable;

/// One of the bank's own types as it is written down. Texts are checked when it joins a catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// A URN outside the market's own.
    pub urn: String,
    /// `CC.Name.Type`, outside the market's own namespaces.
    pub code: String,
    /// For the developer page.
    pub description: String,
    /// The first release that knows it: `3.1.2`.
    pub since: String,
    /// What its payload must look like.
    #[serde(default)]
    pub schema: Option<Value>,
}

impl Catalogue {
    /// This catalogue and the bank's own types, or everything that is wrong with those; paths are `[0].urn`.
    pub fn with_own(
        mut self,
        definitions: Vec<Definition>,
        versions: &VersionTable,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        for (index, definition) in definitions.into_iter().enumerate() {
            match self.own_type(definition, versions) {
                Ok(own) => self.types.push(own),
                Err(found) => faults.extend(found.into_iter().map(|(member, message)| {
                    Fault::new(Code::FieldInvalid, message).at(format!("[{index}].{member}"))
                })),
            }
        }
        if faults.is_empty() {
            Ok(self)
        } else {
            Err(faults)
        }
    }

    /// One definition as a type, or the members that are wrong.
    fn own_type(
        &self,
        definition: Definition,
        versions: &VersionTable,
    ) -> Result<Type, Vec<(&'static str, String)>> {
        let mut faults = Vec::new();
        self.check_urn(&definition.urn, versions, &mut faults);
        self.check_code(&definition.code, &mut faults);
        if definition.description.trim().is_empty() {
            faults.push(("description", "say what the event means".to_owned()));
        }
        let since: Option<Version> = match definition.since.parse() {
            Ok(since) => Some(since),
            Err(error) => {
                faults.push(("since", error.to_string()));
                None
            }
        };
        let schema = match definition.schema.map(Schema::compile).transpose() {
            Ok(schema) => schema,
            Err(reason) => {
                faults.push(("schema", format!("this is no JSON Schema: {reason}")));
                None
            }
        };
        match since {
            Some(since) if faults.is_empty() => Ok(Type {
                anchor: format!("event-{}", definition.code.to_lowercase().replace('.', "-")),
                urn: EventType(definition.urn),
                code: Some(definition.code),
                misspellings: Vec::new(),
                since,
                description: definition.description,
                role: Role::Own,
                twin: None,
                reasons: Reasons::Known(Vec::new()),
                schema,
            }),
            _ => Err(faults),
        }
    }

    fn check_urn(
        &self,
        urn: &str,
        versions: &VersionTable,
        faults: &mut Vec<(&'static str, String)>,
    ) {
        let reserved = versions
            .rows()
            .iter()
            .map(|row| row.market.urn_prefix.as_str());
        if !is_urn(urn) {
            faults.push((
                "urn",
                "a URN is expected, such as urn:example:events:card-frozen".to_owned(),
            ));
        } else if let Some(prefix) = reserved.into_iter().find(|prefix| urn.starts_with(prefix)) {
            faults.push(("urn", format!("only the standard names events {prefix}…")));
        } else if self.find(urn).is_some() {
            faults.push(("urn", "another type has this URN".to_owned()));
        }
    }

    fn check_code(&self, code: &str, faults: &mut Vec<(&'static str, String)>) {
        if !is_namespaced(code) {
            faults.push((
                "code",
                "a code is CC.Name.Type: a country in two capitals, then parts of letters, digits and hyphens".to_owned(),
            ));
        } else if self.is_reserved(code) {
            faults.push(("code", "this namespace is the standard's".to_owned()));
        } else if self.find(code).is_some() {
            faults.push(("code", "another type has this code".to_owned()));
        }
    }
}

/// `urn:`, a namespace of 2 to 32 letters, digits and hyphens, and a name of printable ASCII (RFC 8141), at most 128 long.
fn is_urn(text: &str) -> bool {
    let Some((namespace, name)) = text
        .strip_prefix("urn:")
        .and_then(|rest| rest.split_once(':'))
    else {
        return false;
    };
    let namespace_fits = (2..=32).contains(&namespace.len())
        && namespace
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let name_fits = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    text.len() <= URN_CHARS_MAX && namespace_fits && name_fits
}

/// As any text claim of a SET.
const URN_CHARS_MAX: usize = 128;
