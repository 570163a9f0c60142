//! From a notice to the bytes that are signed.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use super::Names;
use crate::base_url::BaseUrl;
use crate::catalogue::Role;
use crate::event::{Happening, Notice};
use crate::ids::{Jti, ResourceId};
use crate::resources::ResourceType;
use crate::rules::Rules;
use crate::time::Timestamp;
use crate::version::ApiVersion;
use crate::versions::Row;

/// What a SET says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Issue<'a> {
    /// The bank: the configured issuer URI.
    pub iss: &'a str,
    /// The SET's identity.
    pub jti: Jti,
    /// When it is signed.
    pub iat: Timestamp,
    /// On what `sub` and `rlk` hang (T-06).
    pub base_url: &'a BaseUrl,
}

/// Why a notice that was valid once can be told no more: the tables changed since.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The resource table has lost a type.
    #[error("the resource table has no type {0}")]
    UnknownResource(String),
    /// No version served now has the resource.
    #[error("no served version from {1} up has a {0}")]
    NowhereServed(String, ApiVersion),
}

/// The claims of a notice that is already tailored to its TPP (T-09), as JSON.
pub fn build(rules: &Rules, issue: &Issue<'_>, notice: &Notice) -> Result<Vec<u8>, BuildError> {
    let created_in = rules.versions.created_in(notice.resource.version);
    let find = |kind: &str, id| find(rules, issue.base_url, created_in, kind, id);
    let resource = find(&notice.resource.kind, &notice.resource.id)?;
    let updates = |each: &Happening| rules.catalogue.role(&each.event_type) == Role::ResourceUpdate;
    let has_update = notice.happenings.iter().any(updates);
    let names = Names::of(&resource.row.market.claim_prefix);
    let mut events = Vec::with_capacity(notice.happenings.len());
    for happening in &notice.happenings {
        let role = rules.catalogue.role(&happening.event_type);
        let subject = match &happening.subject {
            Some(subject) => Some(find(&subject.kind, &subject.id)?),
            None if role == Role::Revocation && has_update => None,
            None => Some(resource.clone()),
        };
        events.push(EventJson {
            happening,
            subject,
            names: &names,
        });
    }
    let jti = issue.jti.to_string();
    let claims = ClaimsJson {
        iss: issue.iss,
        iat: issue.iat.unix_seconds(),
        jti: &jti,
        sub: &resource.links[0].link,
        aud: notice.client_id.as_str(),
        events: EventsJson(events),
        txn: notice.txn.as_ref().map_or(&jti, |txn| txn.as_str()),
        toe: notice.toe.unix_seconds(),
    };
    Ok(serde_json::to_vec(&claims).expect("claims have text keys only"))
}

/// A resource with its addresses.
#[derive(Clone)]
struct Found<'a> {
    kind: &'a ResourceType,
    id: &'a ResourceId,
    row: &'a Row,
    links: Vec<LinkJson>,
}

/// A resource in every served version from the one it was created in (T-03). Never without a link.
fn find<'a>(
    rules: &'a Rules,
    base_url: &BaseUrl,
    created_in: ApiVersion,
    kind: &str,
    id: &'a ResourceId,
) -> Result<Found<'a>, BuildError> {
    let unknown = || BuildError::UnknownResource(kind.to_owned());
    let kind = rules.resources.find(kind).ok_or_else(unknown)?;
    let rows: Vec<&Row> = rules
        .versions
        .from(created_in)
        .filter(|row| kind.is_in(row.api))
        .collect();
    let Some(row) = rows.first().copied() else {
        return Err(BuildError::NowhereServed(kind.name.clone(), created_in));
    };
    let links = rows
        .iter()
        .map(|row| LinkJson {
            version: row.api,
            link: kind.address(base_url, row, id),
        })
        .collect();
    Ok(Found {
        kind,
        id,
        row,
        links,
    })
}

/// The order of members is that of the standard's samples.
#[derive(Serialize)]
struct ClaimsJson<'a> {
    iss: &'a str,
    iat: i64,
    jti: &'a str,
    sub: &'a str,
    aud: &'a str,
    events: EventsJson<'a>,
    txn: &'a str,
    toe: i64,
}

struct EventsJson<'a>(Vec<EventJson<'a>>);

struct EventJson<'a> {
    happening: &'a Happening,
    subject: Option<Found<'a>>,
    names: &'a Names,
}

struct SubjectJson<'a>(&'a Found<'a>, &'a Names);

#[derive(Clone, Serialize)]
struct LinkJson {
    version: ApiVersion,
    link: String,
}

impl Serialize for EventsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let events = self.0.iter();
        serializer.collect_map(events.map(|event| (&event.happening.event_type, event)))
    }
}

/// The payload of a bank's own type stands beside reason and subject, and never over them.
impl Serialize for EventJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(Value::Object(payload)) = &self.happening.payload {
            let own = |name: &str| name != "reason" && name != "subject";
            for (name, value) in payload.iter().filter(|(name, _)| own(name)) {
                map.serialize_entry(name, value)?;
            }
        }
        if let Some(reason) = &self.happening.reason {
            map.serialize_entry("reason", reason)?;
        }
        if let Some(subject) = &self.subject {
            map.serialize_entry("subject", &SubjectJson(subject, self.names))?;
        }
        map.end()
    }
}

impl Serialize for SubjectJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(found, names) = self;
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("subject_type", &names.subject_type)?;
        map.serialize_entry(&names.rid, found.id.as_str())?;
        map.serialize_entry(&names.rty, &found.kind.rty)?;
        map.serialize_entry(&names.rlk, &found.links)?;
        map.end()
    }
}
