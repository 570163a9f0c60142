//! What a TPP sends to register (S-01 … S-10, C-01 … C-09), read into a wish or into everything that is wrong with it.

use std::collections::BTreeSet;

use super::callback::{self, Judgement};
use super::{CallbackUrlWish, SubscriptionWish};
use crate::catalogue::Type;
use crate::fault::{Code, Fault};
use crate::ids::RegistrationId;
use crate::json::members::{Faults, Members, Place, read_object};
use crate::rules::Rules;
use crate::version::Version;
use crate::versions::{EventLimit, Row};

/// One call, as far as it matters for reading its body.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The rules of the deployment.
    pub rules: &'a Rules,
    /// The row of the path's version.
    pub row: &'a Row,
    /// What it does.
    pub action: Action<'a>,
    /// Where the event catalogue can be read (S-09).
    pub catalogue_url: &'a str,
}

/// What a call does with a registration.
#[derive(Debug, Clone, Copy)]
pub enum Action<'a> {
    /// POST.
    Create,
    /// PUT to this id; the body may be a response sent back (G-11, S-04).
    Replace(&'a RegistrationId),
}

/// Reads the body of a POST or PUT of event-subscriptions.
pub fn subscription(call: Call<'_>, body: &[u8]) -> Result<SubscriptionWish, Vec<Fault>> {
    read(call, body, |data, faults| {
        call.check_id(data, "EventSubscriptionId", faults);
        let version = call.version(data, faults);
        let url = data.optional("CallbackUrl");
        let url = url.and_then(|place| {
            if !call.rules.switches.push {
                let off = Fault::new(Code::FieldUnexpected, "this bank does not push events");
                faults.push(off.at(place.path));
                return None;
            }
            call.callback_url(&place, version, faults)
        });
        let event_types = data
            .optional("EventTypes")
            .and_then(|place| call.event_types(&place, version, faults));
        Some(SubscriptionWish {
            callback_url: url,
            version: version?,
            event_types,
        })
    })
}

/// Reads the body of a POST or PUT of callback-urls. Its `Data` takes no other members, as the standard's schema has it.
pub fn callback_url(call: Call<'_>, body: &[u8]) -> Result<CallbackUrlWish, Vec<Fault>> {
    read(call, body, |data, faults| {
        match call.action {
            Action::Create => data.only(&["Url", "Version"], faults),
            Action::Replace(_) => data.only(&["CallbackUrlId", "Url", "Version"], faults),
        }
        call.check_id(data, "CallbackUrlId", faults);
        let version = call.version(data, faults);
        let url = data
            .required("Url", faults)
            .and_then(|place| call.callback_url(&place, version, faults));
        Some(CallbackUrlWish {
            url: url?,
            version: version?,
        })
    })
}

/// Reads what both kinds have in common: a document with `Data`, and for a PUT the rest of a response (G-11).
fn read<T>(
    call: Call<'_>,
    body: &[u8],
    data: impl FnOnce(&Members<'_>, &mut Faults) -> Option<T>,
) -> Result<T, Vec<Fault>> {
    read_object(body, |document, faults| {
        let members = call.data(document, faults)?;
        data(&members, faults)
    })
}

impl Call<'_> {
    /// `Data`, and beside it nothing but, in a PUT, the rest of a response: its members mean nothing, but the schema closes
    /// them too (G-11).
    fn data<'b>(&self, document: &Members<'b>, faults: &mut Faults) -> Option<Members<'b>> {
        match self.action {
            Action::Create => document.only(&["Data"], faults),
            Action::Replace(_) => {
                document.only(&["Data", "Links", "Meta"], faults);
                for (name, known) in [("Links", LINKS), ("Meta", META)] {
                    let place = document.optional(name);
                    if let Some(members) = place.and_then(|place| place.members(faults)) {
                        members.only(known, faults);
                    }
                }
            }
        }
        document.required("Data", faults)?.members(faults)
    }

    /// An id in the body of a PUT is the path's (S-04). In a POST it means nothing.
    fn check_id(&self, data: &Members<'_>, name: &str, faults: &mut Faults) {
        if let (Action::Replace(id), Some(place)) = (self.action, data.optional(name))
            && place.value.as_str() != Some(id.as_str())
        {
            faults.invalid(&place.path, "this is not the id in the path");
        }
    }

    /// A version that is served, and not newer than the path (S-06, S-08).
    fn version(&self, data: &Members<'_>, faults: &mut Faults) -> Option<Version> {
        let place = data.required("Version", faults)?;
        let text = place.text(1..=self.row.lengths.version, faults)?;
        let served = text
            .parse::<Version>()
            .ok()
            .filter(|version| self.rules.versions.release(*version).is_some());
        match served {
            Some(version) if version.api <= self.row.api => return Some(version),
            Some(_) => faults.invalid(&place.path, "this version is newer than that of the path"),
            None => faults.invalid(&place.path, "no such version is served"),
        }
        None
    }

    fn callback_url(
        &self,
        place: &Place<'_>,
        version: Option<Version>,
        faults: &mut Faults,
    ) -> Option<String> {
        let Some(text) = place.value.as_str() else {
            faults.invalid(&place.path, "a string is expected");
            return None;
        };
        let judgement = Judgement {
            row: self.row,
            version,
            addresses: &self.rules.addresses,
        };
        for fault in callback::faults(text, judgement) {
            faults.invalid(&place.path, fault);
        }
        Some(text.to_owned())
    }

    /// Types of the catalogue that the release can hear of, as sent, the first of each (S-09, S-10).
    fn event_types(
        &self,
        place: &Place<'_>,
        version: Option<Version>,
        faults: &mut Faults,
    ) -> Option<Vec<String>> {
        let elements = place.elements(faults)?;
        if elements.len() > self.row.lengths.event_types {
            faults.invalid(&place.path, "there are too many entries");
            return None;
        }
        let mut seen = BTreeSet::new();
        let mut kept = Vec::with_capacity(elements.len());
        for element in elements {
            let Some(name) = element.value.as_str() else {
                faults.invalid(&element.path, "a string is expected");
                continue;
            };
            match self.supported(name, version) {
                Ok(found) if seen.insert(&found.urn) => kept.push(name.to_owned()),
                Ok(_) => {}
                Err(message) => {
                    let fault = Fault::new(Code::UnsupportedEventType, message).at(element.path);
                    faults.push(fault.see(self.catalogue_url));
                }
            }
        }
        Some(kept)
    }

    fn supported(&self, name: &str, version: Option<Version>) -> Result<&Type, &'static str> {
        let found = self
            .rules
            .catalogue
            .find(name)
            .ok_or("there is no such event type")?;
        let release = version.and_then(|version| self.rules.versions.release(version));
        match release.map(|(_, release)| &release.events) {
            Some(EventLimit::Only(only)) if !only.contains(&found.urn) => {
                Err("this Version does not hear of this event type")
            }
            _ => Ok(found),
        }
    }
}

const LINKS: &[&str] = &["Self", "First", "Prev", "Next", "Last"];
const META: &[&str] = &[
    "TotalPages",
    "FirstAvailableDateTime",
    "LastAvailableDateTime",
];

#[cfg(test)]
mod tests;
