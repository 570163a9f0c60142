//! A TPP's profile as operators write and read it. Both ways it has the same members, so that those that were read can be
//! changed and sent back. What is read besides (standing, dates) may not be sent: it has acts of its own, or none.

mod overrides;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use oyez_domain::address::judge;
use oyez_domain::ids::ClientId;
use oyez_domain::json::members::{Faults, Members, Place};
use oyez_domain::rules::Rules;
use oyez_domain::tpp::{KeySource, Overrides, Profile, Standing, Tpp};
use oyez_jose::{Jwk, Jwks, KeyUse, SkipReason};
use serde_json::{Map, Value, json};
use url::Url;

/// The members of a profile, beside `client_id`.
pub(super) const MEMBERS: [&str; 7] = [
    "client_id",
    "name",
    "org_id",
    "software_id",
    "keys",
    "scopes",
    "overrides",
];

/// Reads a profile.
pub(super) fn read(rules: &Rules, members: &Members<'_>, faults: &mut Faults) -> Option<Profile> {
    let name = text(members, "name", faults);
    let org_id = text(members, "org_id", faults);
    let software_id = text(members, "software_id", faults);
    let keys = members
        .required("keys", faults)
        .and_then(|place| read_keys(rules, &place, faults));
    let scopes = members
        .optional("scopes")
        .map(|place| read_scopes(rules, &place, faults));
    let overrides = members
        .optional("overrides")
        .map(|place| overrides::read(&place, faults));
    Some(Profile {
        name: name?,
        org_id: org_id?,
        software_id: software_id?,
        keys: keys?,
        scopes: scopes.unwrap_or(Some(Vec::new()))?,
        overrides: overrides.unwrap_or(Some(Overrides::default()))?,
    })
}

/// The client_id that a body says.
pub(super) fn client_id(place: &Place<'_>, faults: &mut Faults) -> Option<ClientId> {
    place.parsed(str::parse, faults)
}

/// A TPP whole.
pub(super) fn render(tpp: &Tpp) -> Map<String, Value> {
    let profile = &tpp.profile;
    let keys = match &profile.keys {
        KeySource::JwksUrl(url) => json!({"jwks_url": url}),
        KeySource::Jwks(text) => {
            let set = serde_json::from_str(text);
            json!({"jwks": set.unwrap_or(Value::Null)})
        }
    };
    let standing = match &tpp.standing {
        Standing::Active => json!({"state": "active"}),
        Standing::Disabled { at, reason } => {
            json!({"state": "disabled", "since": at.to_string(), "reason": reason})
        }
    };
    let overrides = match serde_json::to_value(&profile.overrides) {
        Ok(Value::Object(all)) => all
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect(),
        _ => Map::new(),
    };
    let whole = json!({
        "client_id": tpp.client_id,
        "name": profile.name,
        "org_id": profile.org_id,
        "software_id": profile.software_id,
        "keys": keys,
        "scopes": profile.scopes,
        "overrides": overrides,
        "standing": standing,
        "registered_at": tpp.registered_at.to_string(),
        "changed_at": tpp.changed_at.to_string(),
    });
    match whole {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// A text for people or of a directory.
fn text(members: &Members<'_>, name: &str, faults: &mut Faults) -> Option<String> {
    let place = members.required(name, faults)?;
    let text = place.text(TEXT_CHARS, faults)?;
    if text.chars().any(char::is_control) {
        faults.invalid(&place.path, "no control character may stand here");
    }
    Some(text.to_owned())
}

fn read_keys(rules: &Rules, place: &Place<'_>, faults: &mut Faults) -> Option<KeySource> {
    let members = place.members(faults)?;
    members.only(&["jwks", "jwks_url"], faults);
    match (members.optional("jwks"), members.optional("jwks_url")) {
        (Some(set), None) => read_set(&set, faults).map(KeySource::Jwks),
        (None, Some(url)) => url
            .parsed(|text| judge_url(rules, text), faults)
            .map(KeySource::JwksUrl),
        (Some(_), Some(_)) | (None, None) => {
            let expected = "exactly one of jwks and jwks_url is expected";
            faults.invalid(&place.path, expected);
            None
        }
    }
}

/// A set with a key that can verify now or later. Of what cannot be used only private keys are refused: the set has come
/// through mails and tickets, and whoever sent it must be told.
fn read_set(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    let text = place.value.to_string();
    let set = match Jwks::parse(text.as_bytes()) {
        Ok(set) => set,
        Err(error) => {
            faults.invalid(&place.path, error.to_string());
            return None;
        }
    };
    let private = set.skipped().iter();
    for skipped in private.filter(|skipped| skipped.reason == SkipReason::PrivateNumbers) {
        let path = format!("{}.keys[{}]", place.path, skipped.index);
        let what = "this is a private key: it is burnt, its owner must replace it";
        faults.invalid(&path, what);
    }
    let verifies = |key: &Jwk| key.kid.is_some() && key.usage == KeyUse::Signatures && !key.revoked;
    if !set.keys().iter().any(verifies) {
        let expected = "no key here can verify: RSA or P-256, for signatures, with a kid";
        faults.invalid(&place.path, expected);
    }
    Some(text)
}

/// An address that will be fetched; where this machine may be called (demonstrations, tests) it need not be https.
fn judge_url(rules: &Rules, text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text).map_err(|_| "it is no absolute URL")?;
    let here = judge(IpAddr::V4(Ipv4Addr::LOCALHOST), &rules.addresses).may_be_dialled();
    let plain = here && url.scheme() == "http";
    if text.len() > URL_BYTES_MAX {
        Err("it is longer than 2048 bytes")
    } else if url.scheme() != "https" && !plain {
        Err("its scheme is not https")
    } else if !url.username().is_empty() || url.password().is_some() {
        Err("it holds a user")
    } else if url.fragment().is_some() {
        Err("it has a fragment")
    } else {
        Ok(text.to_owned())
    }
}

/// Scopes that some version knows: a misspelt one would silence the TPP without a word.
fn read_scopes(rules: &Rules, place: &Place<'_>, faults: &mut Faults) -> Option<Vec<String>> {
    let known = |text: &str| {
        let scopes = rules.versions.rows().iter().flat_map(|row| &row.scopes);
        let spellings = scopes.flat_map(|scope| &scope.spellings);
        let names: BTreeSet<&str> = spellings.map(String::as_str).collect();
        if names.contains(text) {
            return Ok(text.to_owned());
        }
        let names = Vec::from_iter(names).join(", ");
        Err(format!(
            "no version that is served knows this scope; there are {names}"
        ))
    };
    let mut scopes = Vec::new();
    for element in place.elements(faults)? {
        let Some(scope) = element.parsed(known, faults) else {
            continue;
        };
        if scopes.contains(&scope) {
            faults.invalid(&element.path, "this scope stands here twice");
        }
        scopes.push(scope);
    }
    Some(scopes)
}

/// Names of companies are shorter, ids of directories much shorter.
const TEXT_CHARS: RangeInclusive<usize> = 1..=200;
/// As for a CallbackUrl.
const URL_BYTES_MAX: usize = 2048;
