//! One row of the version table, member by member.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ErrorModel;
use crate::event::{EventType, Family};
use crate::version::{ApiVersion, Version};

/// Everything that is peculiar to one path version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The version in the path.
    pub api: ApiVersion,
    /// What a TPP may write in `Version`, and what follows from it.
    pub releases: Vec<Release>,
    /// Which resources a `Version` of this row covers.
    pub coverage: Coverage,
    /// Names that the market chose.
    pub market: Market,
    /// The last segment of each resource's path (G-01).
    pub paths: Paths,
    /// Which scopes open what.
    pub scopes: Vec<Scope>,
    /// The status of each success (S-01, S-03, S-04, S-05, P-02).
    pub successes: Successes,
    /// How errors look (G-06).
    pub errors: ErrorModel,
    /// Detached signatures (M-03, M-04).
    pub jose: JoseForms,
    /// Whether pushes carry the bank's id (D-01).
    pub financial_id: FinancialId,
    /// How a CallbackUrl must end (S-07).
    pub callback_suffix: CallbackSuffix,
    /// How long texts may be.
    pub lengths: Lengths,
}

/// One value of `Version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// As TPPs write it.
    pub version: Version,
    /// What it can hear of, whatever it asks for (S-10).
    #[serde(default)]
    pub events: EventLimit,
}

/// What a release can hear of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventLimit {
    /// What the TPP asks for; asked for nothing, what the catalogue knows since this release or before.
    #[default]
    AsAsked,
    /// Only these.
    Only(Vec<EventType>),
}

/// Which resources a `Version` covers (S-06).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// Those created in that version: the text of v4.0.
    Exact,
    /// Those created in that version or a later one: the text of v4.0.1.
    #[default]
    Minimum,
}

/// Names that a market chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Market {
    /// The first segment of every path: `open-banking`.
    pub path_prefix: String,
    /// With what the URNs of the market's own event types begin, so that a bank's own ones must not (T-02).
    pub urn_prefix: String,
    /// With what the market's own codes begin: `UK.OBIE.`.
    pub code_prefix: String,
    /// With what the private claims begin: `http://openbanking.org.uk/` (T-03).
    pub claim_prefix: String,
}

/// The last segment of each resource's path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paths {
    /// `event-subscriptions`
    pub event_subscriptions: String,
    /// `callback-urls`
    pub callback_urls: String,
    /// `events`
    pub events: String,
}

/// A scope of a token and what it opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Its spellings; any of them will do.
    pub spellings: Vec<String>,
    /// Which endpoints.
    pub opens: Opens,
    /// Which families of events are handed out to it.
    pub families: Vec<Family>,
}

/// Which endpoints a scope opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opens {
    /// All of them.
    Everything,
    /// Only aggregated polling.
    Polling,
}

/// The status of each success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Successes {
    /// POST of a registration.
    pub created: u16,
    /// GET of registrations.
    pub read: u16,
    /// PUT of a registration.
    pub replaced: u16,
    /// DELETE of a registration.
    pub deleted: u16,
    /// POST of events; some banks answer 201 (P-02).
    pub polled: u16,
}

/// The forms of a detached signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoseForms {
    /// Taken from TPPs (M-03).
    pub accepted: Vec<B64Form>,
    /// Used where no request shows the form: GET (M-04).
    pub emitted: B64Form,
}

/// How the payload of a detached signature is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum B64Form {
    /// In base64url, without a `b64` header.
    Encoded,
    /// As it is, with `b64: false` (RFC 7797): v3.1.3 and older.
    Unencoded,
}

/// Whether pushes carry `x-fapi-financial-id` (D-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinancialId {
    /// Required up to v4.0.
    Sent,
    /// Dropped in v4.0.1.
    Omitted,
}

/// How the path of a CallbackUrl must end (S-07).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackSuffix {
    /// In the version and then this segment.
    VersionAnd(String),
    /// In this segment.
    Segment(String),
    /// As the TPP likes.
    Free,
}

/// The most characters of each kind of text, and the most entries of each kind of list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lengths {
    /// The id of a registration.
    pub registration_id: usize,
    /// `Version`.
    pub version: usize,
    /// `CallbackUrl`, `Url`.
    pub callback_url: usize,
    /// `EventTypes`, entries.
    pub event_types: usize,
    /// Text claims of a SET, and the jtis of `ack`.
    pub claim: usize,
    /// `err` of a `setErrs`.
    pub error_name: usize,
    /// `description` of a `setErrs`.
    pub error_description: usize,
    /// `ack` and `setErrs`, entries.
    pub acknowledgements: usize,
    /// `Id` of an error.
    pub error_id: usize,
    /// `Message` and `Path` of an error.
    pub error_text: usize,
}

impl Row {
    /// Whether any of these scopes opens an endpoint: polling, or everything else.
    pub fn admits(&self, scopes: &[&str], wanted: Opens) -> bool {
        self.scopes_among(scopes)
            .any(|scope| scope.opens == Opens::Everything || scope.opens == wanted)
    }

    /// The families that these scopes cover.
    pub fn families(&self, scopes: &[&str]) -> BTreeSet<Family> {
        self.scopes_among(scopes)
            .flat_map(|scope| scope.families.iter().copied())
            .collect()
    }

    fn scopes_among<'a>(&'a self, given: &'a [&str]) -> impl Iterator<Item = &'a Scope> {
        self.scopes.iter().filter(|scope| {
            scope
                .spellings
                .iter()
                .any(|text| given.contains(&text.as_str()))
        })
    }
}

impl Coverage {
    /// Whether a Version of the row `registered` covers resources of `created_in`.
    pub fn covers(self, registered: ApiVersion, created_in: ApiVersion) -> bool {
        match self {
            Self::Exact => created_in == registered,
            Self::Minimum => created_in >= registered,
        }
    }
}
