//! The body of `POST /events`, read into a request or into everything that is wrong with it (P-01).
//!
//! What stands in the place of a jti and can be none of ours has no effect (P-04), so it is not kept.

use crate::fault::Fault;
use crate::ids::Jti;
use crate::json::members::{Faults, Members, Place, read_object};
use crate::ledger::poll::SetError;
use crate::versions::{Lengths, Row};

/// What a TPP asks for and reports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// `maxEvents`; a number beyond the type is its greatest, which is beyond every cap.
    pub events_max: Option<u32>,
    /// `returnImmediately`.
    pub return_immediately: Option<bool>,
    /// `ack`: events that it has.
    pub acks: Vec<Jti>,
    /// `setErrs`: events that it could not take. One that is in `acks` too counts as acknowledged (P-05).
    pub errors: Vec<(Jti, SetError)>,
}

/// Reads a body. The standard's schema closes the document and leaves the entries of `setErrs` open (G-11).
pub fn read(row: &Row, body: &[u8]) -> Result<Request, Vec<Fault>> {
    read_object(body, |members, faults| {
        Some(read_members(row.lengths, members, faults))
    })
}

/// What is faulty is left out: with a fault, nothing of what was read is used.
fn read_members(lengths: Lengths, members: &Members<'_>, faults: &mut Faults) -> Request {
    members.only(
        &["maxEvents", "returnImmediately", "ack", "setErrs"],
        faults,
    );
    let events_max = members.optional("maxEvents");
    let return_immediately = members.optional("returnImmediately");
    let acks = members.optional("ack");
    let errors = members.optional("setErrs");
    Request {
        events_max: events_max.and_then(|place| read_events_max(&place, faults)),
        return_immediately: return_immediately.and_then(|place| place.boolean(faults)),
        acks: acks
            .and_then(|place| read_acks(lengths, &place, faults))
            .unwrap_or_default(),
        errors: errors
            .and_then(|place| read_errors(lengths, &place, faults))
            .unwrap_or_default(),
    }
}

/// A whole number however it is written (`5.0` is one for JSON Schema), and as great as they like.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the number is whole and not negative, and the cast ends at the type's greatest"
)]
fn read_events_max(place: &Place<'_>, faults: &mut Faults) -> Option<u32> {
    let number = place.value.as_f64();
    let whole = number.filter(|number| number.fract() == 0.0 && *number >= 0.0);
    if whole.is_none() {
        faults.invalid(&place.path, "a whole number is expected, not negative");
    }
    whole.map(|number| number as u32)
}

fn read_acks(lengths: Lengths, place: &Place<'_>, faults: &mut Faults) -> Option<Vec<Jti>> {
    let elements = place.elements(faults)?;
    if is_too_long(elements.len(), lengths, place, faults) {
        return None;
    }
    let texts = elements.filter_map(|element| element.text(1..=lengths.claim, faults));
    Some(texts.filter_map(|text| text.parse().ok()).collect())
}

fn read_errors(
    lengths: Lengths,
    place: &Place<'_>,
    faults: &mut Faults,
) -> Option<Vec<(Jti, SetError)>> {
    let members = place.members(faults)?;
    if is_too_long(members.each().len(), lengths, place, faults) {
        return None;
    }
    let entries = members
        .each()
        .filter_map(|(name, place)| Some((name, read_error(lengths, &place, faults)?)));
    Some(
        entries
            .filter_map(|(name, error)| Some((name.parse().ok()?, error)))
            .collect(),
    )
}

/// Generic clients leave the description out, which the standard requires: it is read as empty.
fn read_error(lengths: Lengths, place: &Place<'_>, faults: &mut Faults) -> Option<SetError> {
    let members = place.members(faults)?;
    let err = members.required("err", faults);
    let err = err.and_then(|place| place.text(1..=lengths.error_name, faults));
    let description = match members.optional("description") {
        Some(place) => place.text(0..=lengths.error_description, faults),
        None => Some(""),
    };
    Some(SetError {
        err: err?.to_owned(),
        description: description?.to_owned(),
    })
}

fn is_too_long(entries: usize, lengths: Lengths, place: &Place<'_>, faults: &mut Faults) -> bool {
    let entries_max = lengths.acknowledgements;
    let too_long = entries > entries_max;
    if too_long {
        faults.invalid(
            &place.path,
            format!("at most {entries_max} entries are expected"),
        );
    }
    too_long
}

#[cfg(test)]
mod tests;
