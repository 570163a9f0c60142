//! The events of an item: each type once, one name per fact, reasons and payloads as the type allows (T-02, T-04, T-05).

use serde_json::{Map, Value};

use super::{optional, read_id, read_kind, required};
use crate::catalogue::{Reasons, Role, Type};
use crate::event::{Happening, Subject};
use crate::fault::{Code, Fault};
use crate::json::members::{Faults, Members, Place};
use crate::rules::Rules;
use crate::version::ApiVersion;

/// Every event of an item about a resource of this version; at least one.
pub(super) fn read_all(
    rules: &Rules,
    place: &Place<'_>,
    created_in: ApiVersion,
    faults: &mut Faults,
) -> Option<Vec<Happening>> {
    let elements = place.elements(faults)?;
    if elements.len() == 0 {
        faults.invalid(&place.path, "at least one event is expected");
    }
    let mut happenings: Vec<Happening> = Vec::with_capacity(elements.len());
    for element in elements {
        let Some(happening) = read_one(rules, &element, created_in, faults) else {
            continue;
        };
        let twin = rules
            .catalogue
            .by_urn(&happening.event_type)
            .and_then(|each| each.twin.as_ref());
        for other in &happenings {
            if other.event_type == happening.event_type {
                faults.invalid(&element.path, "this type stands here twice");
            } else if Some(&other.event_type) == twin {
                faults.invalid(
                    &element.path,
                    "this says the same as its twin, which stands here too",
                );
            }
        }
        happenings.push(happening);
    }
    Some(happenings)
}

fn read_one(
    rules: &Rules,
    place: &Place<'_>,
    created_in: ApiVersion,
    faults: &mut Faults,
) -> Option<Happening> {
    let members = place.members(faults)?;
    members.only(&["type", "reason", "subject", "payload"], faults);
    let find = |text: &str| {
        let found = rules.catalogue.find(text);
        found.ok_or_else(|| {
            let names = rules.catalogue.types().iter().map(Type::name);
            let names = names.collect::<Vec<_>>().join(", ");
            format!("no such type is in the catalogue; there are {names}")
        })
    };
    let event_type = required(&members, "type", find, faults);
    let subject = members
        .optional("subject")
        .and_then(|place| read_subject(rules, &place, created_in, faults));
    let event_type = event_type?;
    Some(Happening {
        event_type: event_type.urn.clone(),
        reason: read_reason(rules, event_type, &members, faults),
        subject,
        payload: read_payload(event_type, &members, faults),
    })
}

fn read_subject(
    rules: &Rules,
    place: &Place<'_>,
    created_in: ApiVersion,
    faults: &mut Faults,
) -> Option<Subject> {
    let members = place.members(faults)?;
    members.only(&["type", "id"], faults);
    let kind = read_kind(rules, &members, created_in, faults);
    let id = read_id(&members, faults);
    Some(Subject {
        kind: kind?.name.clone(),
        id: id?,
    })
}

fn read_reason(
    rules: &Rules,
    event_type: &Type,
    members: &Members<'_>,
    faults: &mut Faults,
) -> Option<String> {
    let path = members.path_of("reason");
    let reason: String = optional(
        members,
        "reason",
        |text| Ok::<_, &str>(text.to_owned()),
        faults,
    )?;
    let chars_max = rules.versions.newest().lengths.claim;
    if event_type.reasons == Reasons::Forbidden {
        faults.push(Fault::new(Code::FieldUnexpected, "this type gives no reason").at(path));
    } else if reason.chars().count() > chars_max
        || !rules.catalogue.allows_reason(event_type, &reason)
    {
        faults.invalid(
            &path,
            "neither a reason of this type nor a code in the bank's own namespace",
        );
    }
    Some(reason)
}

/// Only the bank's own types have one; what a schema asks for is asked of an empty one too.
fn read_payload(event_type: &Type, members: &Members<'_>, faults: &mut Faults) -> Option<Value> {
    let place = members.optional("payload");
    let path = members.path_of("payload");
    if event_type.role != Role::Own {
        if place.is_some() {
            faults.push(Fault::new(Code::FieldUnexpected, "this type has no payload").at(path));
        }
        return None;
    }
    let nothing = Value::Object(Map::new());
    let payload = place.as_ref().map_or(&nothing, |place| place.value);
    let Some(object) = payload.as_object() else {
        faults.invalid(&path, "an object is expected");
        return None;
    };
    for name in ["reason", "subject"]
        .into_iter()
        .filter(|name| object.contains_key(*name))
    {
        let unexpected = Fault::new(
            Code::FieldUnexpected,
            "this member belongs beside the payload",
        );
        faults.push(unexpected.at(format!("{path}.{name}")));
    }
    for (pointer, message) in event_type
        .schema
        .iter()
        .flat_map(|schema| schema.faults(payload))
    {
        faults.invalid(&format!("{path}{}", pointer.replace('/', ".")), message);
    }
    if !is_exact(payload) {
        faults.invalid(
            &path,
            "a number of more than 64 bits would be told rounded; write it as a text",
        );
    }
    place.map(|place| place.value.clone())
}

/// Whether every number will be told as it was said: a whole number beyond 64 bits is read as the nearest that fits a float.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            number.is_i64()
                || number.is_u64()
                || number.as_f64().is_some_and(|it| it.abs() < FLOATS_MAX)
        }
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// 2^63: a whole number that is smaller was read as one.
const FLOATS_MAX: f64 = 9_223_372_036_854_775_808.0;
