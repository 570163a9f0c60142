//! What a publisher says (I-01), read into a [`Notice`] that is always whole, or into everything that is wrong with it.

mod happening;

use std::convert::Infallible;
use std::time::Duration;

use serde_json::Value;

use crate::event::{Notice, Resource};
use crate::fault::Fault;
use crate::ids::{ClientId, IdempotencyKey, ResourceId, TransactionId};
use crate::json;
use crate::json::members::{Faults, Members, Place};
use crate::resources::ResourceType;
use crate::rules::Rules;
use crate::time::Timestamp;
use crate::trace::TraceContext;
use crate::version::ApiVersion;

/// One item of a publisher's batch, found valid.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What happened.
    pub notice: Notice,
    /// By what a repeat is recognised (I-02).
    pub idempotency_key: Option<IdempotencyKey>,
    /// What was said, as canonical bytes and without the key: to be hashed, so that the same key with other content is
    /// noticed. A time that was not said is not in it, though it is in the notice.
    pub content: Vec<u8>,
}

/// Reads one item. `now` is when it happened if the item does not say.
pub fn read(rules: &Rules, item: &Value, now: Timestamp) -> Result<Item, Vec<Fault>> {
    let mut faults = Faults::default();
    let read = read_item(rules, item, now, &mut faults);
    faults.into_result(read)
}

fn read_item(rules: &Rules, item: &Value, now: Timestamp, faults: &mut Faults) -> Option<Item> {
    let members = Place::document(item).members(faults)?;
    members.only(&MEMBERS, faults);
    let client_id: Option<ClientId> = required(&members, "tpp", str::parse, faults);
    let resource = members
        .required("resource", faults)
        .and_then(|place| read_resource(rules, &place, faults));
    let created_in = resource.as_ref().and_then(|resource| resource.version);
    let created_in = rules.versions.created_in(created_in);
    let happenings = members
        .required("events", faults)
        .and_then(|place| happening::read_all(rules, &place, created_in, faults));
    let toe = read_toe(&members, now, faults);
    let txn: Option<TransactionId> = optional(&members, "txn", str::parse, faults);
    let test = members
        .optional("test")
        .and_then(|place| place.boolean(faults));
    let idempotency_key: Option<IdempotencyKey> = optional(&members, KEY, str::parse, faults);
    let trace = read_trace(&members, faults);
    let content = content(item);
    if content.len() > CONTENT_BYTES_MAX {
        faults.invalid(
            "",
            "more than 64 KiB make a SET that receivers refuse: tell less, and where to read the rest",
        );
    }
    Some(Item {
        notice: Notice {
            client_id: client_id?,
            resource: resource?,
            happenings: happenings?,
            toe,
            txn,
            test: test.unwrap_or(false),
            trace: trace.map(Box::new),
        },
        idempotency_key,
        content,
    })
}

fn read_resource(rules: &Rules, place: &Place<'_>, faults: &mut Faults) -> Option<Resource> {
    let members = place.members(faults)?;
    members.only(&["type", "id", "version"], faults);
    let versions = &rules.versions;
    let kind = read_kind(rules, &members, versions.oldest().api, faults);
    let id = read_id(&members, faults);
    let said: Option<ApiVersion> = optional(&members, "version", str::parse, faults);
    if let Some(api) = said {
        let known = versions.row(api).is_some() || versions.is_retired(api);
        let has = |kind: &ResourceType| kind.is_in(api) && is_found(rules, kind, api);
        if !known || !kind.is_none_or(has) {
            faults.invalid(
                &members.path_of("version"),
                "this resource is not of that version",
            );
        }
    }
    let kind = kind?;
    // A type that came with a later version was made in that one at the earliest, whoever says so.
    let first = versions.rows().iter().find(|row| kind.is_in(row.api))?.api;
    let known = (first > versions.oldest().api).then_some(first);
    Some(Resource {
        kind: kind.name.clone(),
        id: id?,
        version: said.or(known),
        family: kind.family,
    })
}

/// A resource type of the table, under any of its names, that is found from this version up.
fn read_kind<'a>(
    rules: &'a Rules,
    members: &Members<'_>,
    from: ApiVersion,
    faults: &mut Faults,
) -> Option<&'a ResourceType> {
    let find = |text: &str| {
        let kind = rules.resources.find(text).ok_or_else(|| {
            let names = rules.resources.rows().iter().map(|row| row.name.as_str());
            let names = names.collect::<Vec<_>>().join(", ");
            format!("no such type is in the resource table; there are {names}")
        })?;
        is_found(rules, kind, from)
            .then_some(kind)
            .ok_or_else(|| "no version that is served has this type".to_owned())
    };
    required(members, "type", find, faults)
}

/// Whether a resource of this type has an address from a version up: without one there is no SET to make of it (T-03).
fn is_found(rules: &Rules, kind: &ResourceType, from: ApiVersion) -> bool {
    rules.versions.from(from).any(|row| kind.is_in(row.api))
}

/// An id that can stand in an address: dots alone would be read as a way up.
fn read_id(members: &Members<'_>, faults: &mut Faults) -> Option<ResourceId> {
    let id: ResourceId = required(members, "id", str::parse, faults)?;
    if matches!(id.as_str(), "." | "..") {
        faults.invalid(&members.path_of("id"), "an id cannot be dots alone");
        return None;
    }
    Some(id)
}

/// Where in a trace the publisher was, if that is another place than its request's.
fn read_trace(members: &Members<'_>, faults: &mut Faults) -> Option<TraceContext> {
    let state: Option<String> = optional(
        members,
        STATE,
        |text| Ok::<_, Infallible>(text.to_owned()),
        faults,
    );
    let read = |text: &str| {
        TraceContext::read(text, state.as_deref())
            .ok_or("a W3C traceparent is expected: 00-, 32 and 16 hexadecimal digits, and flags")
    };
    optional(members, PARENT, read, faults)
}

/// When it happened, in whole seconds; what lies further ahead than clocks differ is a mistake of unit.
fn read_toe(members: &Members<'_>, now: Timestamp, faults: &mut Faults) -> Timestamp {
    let now_in_seconds = Timestamp::from_unix_seconds(now.unix_seconds());
    let Some(place) = members.optional("toe") else {
        return now_in_seconds;
    };
    let toe = place
        .whole_number(faults)
        .map_or(now_in_seconds, Timestamp::from_unix_seconds);
    if toe > now + LEEWAY {
        faults.invalid(
            &place.path,
            "this lies in the future; seconds since 1970 are expected",
        );
    }
    toe
}

fn required<'p, T, E: std::fmt::Display>(
    members: &Members<'p>,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
    faults: &mut Faults,
) -> Option<T> {
    members.required(name, faults)?.parsed(parse, faults)
}

fn optional<T, E: std::fmt::Display>(
    members: &Members<'_>,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
    faults: &mut Faults,
) -> Option<T> {
    members.optional(name)?.parsed(parse, faults)
}

fn content(item: &Value) -> Vec<u8> {
    match item.as_object() {
        Some(members) => json::canonical_without(&NO_CONTENT, members),
        None => json::canonical(item),
    }
}

const MEMBERS: [&str; 9] = [
    "tpp", "resource", "events", "toe", "txn", "test", KEY, PARENT, STATE,
];
const KEY: &str = "idempotency_key";
const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";
/// What a repeat may say otherwise: whoever tries again does so from another place in its trace.
const NO_CONTENT: [&str; 3] = [KEY, PARENT, STATE];
/// What a SET can say stays well below what receivers read: a few kilobytes are usual, and our own verifier stops at 256 KiB
/// of token.
const CONTENT_BYTES_MAX: usize = 64 * 1024;
/// Clocks differ.
const LEEWAY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
