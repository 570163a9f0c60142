//! What an operator may set for one TPP against the deployment's own choice. Everything that is wrong is said, each fault at its
//! own place.

use std::error::Error as _;

use oyez_domain::json::members::{Faults, Place};
use oyez_domain::retry::Policy;
use oyez_domain::time::span;
use oyez_domain::tpp::Overrides;
use oyez_outbound::Anchors;
use serde_json::json;

/// Each override is read by itself first, so that every fault has its path.
pub(super) fn read(place: &Place<'_>, faults: &mut Faults) -> Option<Overrides> {
    let mut sound = true;
    for (name, member) in place.members(faults)?.each() {
        let Some((_, expected)) = OVERRIDES.iter().find(|(known, _)| *known == name) else {
            let names = OVERRIDES.map(|(known, _)| known).join(", ");
            let what = format!("there is no such override; there are {names}");
            faults.invalid(&member.path, what);
            sound = false;
            continue;
        };
        if name == "retry" && member.value.is_object() {
            sound &= read_policy(&member, faults).is_some();
            continue;
        }
        let alone = json!({name: member.value});
        if serde_json::from_value::<Overrides>(alone).is_err() {
            faults.invalid(&member.path, format!("expected: {expected}"));
            sound = false;
        }
    }
    let overrides: Overrides = sound
        .then(|| serde_json::from_value(place.value.clone()).ok())
        .flatten()?;
    if let Some(pem) = &overrides.trust_anchors
        && let Some(what) = anchors_fault(pem)
    {
        faults.invalid(&format!("{}.trust_anchors", place.path), what);
    }
    Some(overrides)
}

/// A retry policy, first member by member and then as a whole; what it does not say is as it is by default (D-05).
fn read_policy(place: &Place<'_>, faults: &mut Faults) -> Option<Policy> {
    let members = place.members(faults)?;
    members.only(
        &["base", "factor", "ceiling", "retries_max", "window"],
        faults,
    );
    let usual = Policy::default();
    let mut length = |name, usual| match members.optional(name) {
        Some(place) => place.parsed(span::parse, faults),
        None => Some(usual),
    };
    let base = length("base", usual.base);
    let ceiling = length("ceiling", usual.ceiling);
    let window = length("window", usual.window);
    let factor = match members.optional("factor") {
        Some(place) => {
            let number = place.value.as_f64();
            if number.is_none() {
                faults.invalid(&place.path, "a number is expected");
            }
            number
        }
        None => Some(usual.factor),
    };
    let retries_max = match members.optional("retries_max") {
        // A number that is too large for the type is too large for a policy: that is said below.
        Some(place) => place
            .whole_number(faults)
            .map(|number| u32::try_from(number).unwrap_or(u32::MAX)),
        None => Some(usual.retries_max),
    };
    let policy = Policy {
        base: base?,
        factor: factor?,
        ceiling: ceiling?,
        retries_max: retries_max?,
        window: window?,
    };
    let broken = policy.faults();
    for fault in &broken {
        let member = fault.path.as_deref().unwrap_or_default();
        faults.invalid(&members.path_of(member), fault.message.clone());
    }
    broken.is_empty().then_some(policy)
}

/// What is wrong with certificates that are to be believed. As with keys, whoever sent a private one must be told.
fn anchors_fault(pem: &str) -> Option<String> {
    if pem.len() > ANCHORS_BYTES_MAX {
        return Some("64 KiB of PEM are the most".to_owned());
    }
    if pem.contains("PRIVATE KEY-----") {
        let what = "there is a private key among them: it is burnt, its owner must replace it";
        return Some(what.to_owned());
    }
    let error = Anchors::from_pem(pem.as_bytes()).err()?;
    Some(match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    })
}

/// What can be overridden, and what may stand there; null is nothing.
const OVERRIDES: [(&str, &str); 11] = [
    ("header_profile", "openbanking, jwt or rfc8417"),
    ("retry", RETRY),
    ("delivery_order", "concurrent or strict"),
    ("acknowledgement", "standard, strict or lenient"),
    ("pushes_at_once_max", NUMBER),
    ("redelivery_delay", "a length of time such as 30s, 5m or 1d"),
    ("error_cap", NUMBER),
    ("hand_out_cap", NUMBER),
    ("requests_per_second", NUMBER),
    ("signature_form", "encoded or unencoded"),
    ("trust_anchors", "certificates in PEM, as one text"),
];
const NUMBER: &str = "a whole number from 1 to 4294967295";
const RETRY: &str = "an object with any of base, factor, ceiling, retries_max and window, such as \
    {\"base\": \"1s\", \"factor\": 2, \"ceiling\": \"1h\", \"retries_max\": 120, \"window\": \"3d\"}";
/// Some 30 certificates: a TPP has one authority, or two while they change.
const ANCHORS_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    //
    #[test]
    fn every_override_is_in_the_list_and_no_other() {
        for (name, _) in OVERRIDES {
            let nothing = json!({name: null});
            assert!(
                serde_json::from_value::<Overrides>(nothing).is_ok(),
                "{name}"
            );
        }
        let other = serde_json::from_value::<Overrides>(json!({"other": 1}));
        let said = other.unwrap_err().to_string();
        // serde names what it knows, each between back ticks, after the one that it does not.
        assert_eq!(said.matches('`').count() / 2 - 1, OVERRIDES.len(), "{said}");
    }
}
