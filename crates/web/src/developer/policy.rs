//! The facts, as they stand in `policy.json`: stable names, lengths of time in seconds, addresses whole.
//!
//! A member is added here, documented by its comment (the schema in `docs/` is made of these), and shown by the page. A member
//! that is there once stays, or [`FORMAT`] is raised.

mod catalogue;
mod delivery;
mod seconds;
mod signing;
mod versions;

use oyez_domain::rules::Rules;
use oyez_domain::versions::{FinancialId, Row};
use oyez_issuer::Identity;
use serde::Serialize;

use super::Options;
use crate::tpp::{self, Binding, PsuHeaders, Registration};

pub(super) use catalogue::{ErrorCode, EventTypeFacts, ResourceFacts};
pub(super) use delivery::{FairUse, Polling, Push, Retention};
pub(super) use seconds::Seconds;
pub(super) use signing::{RequestSignatures, Sets};
pub(super) use versions::{Field, Release, VersionFacts};

pub(crate) use catalogue::error_anchor;

/// What this bank does, where the standard leaves a choice or asks it to say.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Policy {
    /// The version of this format. It is raised when a member changes its meaning or goes.
    pub(super) format: u32,
    /// Who the bank is.
    pub(super) bank: Bank,
    /// The versions that are served, oldest first.
    pub(super) versions: Vec<VersionFacts>,
    /// Versions that were served once, whose paths are answered with 503.
    pub(super) retired_versions: Vec<String>,
    /// Which resources' events the `Version` of a registration covers: those made in that version or later (`minimum`), or in
    /// that version alone (`exact`).
    pub(super) version_covers: &'static str,
    /// The resource that new TPPs register with: `event-subscriptions` is recommended over `callback-urls`.
    pub(super) recommended_resource: &'static str,
    /// Members of requests that are optional or conditional, and what they do here.
    pub(super) fields: Vec<Field>,
    /// How access tokens are had and what they must be.
    pub(super) access: Access,
    /// What events there are.
    pub(super) event_types: Vec<EventTypeFacts>,
    /// What events are about.
    pub(super) resource_types: Vec<ResourceFacts>,
    /// Security event tokens: how they are signed, and what holds for them.
    pub(super) sets: Sets,
    /// The x-jws-signature of requests and answers.
    pub(super) signatures: RequestSignatures,
    /// Real-time notification; absent: nothing is pushed.
    pub(super) push: Option<Push>,
    /// Aggregated polling; absent: it is not offered.
    pub(super) polling: Option<Polling>,
    /// How much a TPP may ask for.
    pub(super) fair_use: FairUse,
    /// How long events are kept.
    pub(super) retention: Retention,
    /// What follows malformed headers that mean nothing here, such as x-fapi-auth-date: they are `ignored` or `refused`.
    pub(super) malformed_headers: &'static str,
    /// Every error that requests are answered with.
    pub(super) errors: Vec<ErrorCode>,
}

/// Who the bank is.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Bank {
    /// What it is called.
    pub(super) name: String,
    /// `iss` of its SETs.
    pub(super) issuer: String,
    /// Its id in the Open Banking directory: the signatory of its signatures.
    pub(super) org_id: String,
    /// `tan` of its signatures: the trust anchor that hosts its keys.
    pub(super) trust_anchor: String,
    /// What stands before /open-banking/… in every address.
    pub(super) base_url: String,
    /// Whom to ask: an address of mail or of a page.
    pub(super) contact: Option<String>,
    /// The page that shows these facts to people.
    pub(super) developer_url: String,
}

/// Access tokens.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Access {
    /// Where they are had by the grant `client_credentials`.
    pub(super) token_url: Option<String>,
    /// `iss` of them.
    pub(super) issuer: Option<String>,
    /// What they name in `aud`.
    pub(super) audiences: Vec<String>,
    /// Whether they must name the client certificate that they come with (RFC 8705): `required` or `off`.
    pub(super) certificate_binding: &'static str,
    /// How a TPP becomes known here: `manual`, by the bank's people, or `automatic`, by its first valid token.
    pub(super) registration: &'static str,
    /// The claims that the first token must have, where registration is automatic.
    pub(super) registration_claims: Vec<String>,
}

/// What a policy is made of.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The rules.
    pub rules: &'a Rules,
    /// In whose name.
    pub identity: &'a Identity,
    /// The choices of the TPP API.
    pub api: &'a tpp::Options,
    /// Those of these pages.
    pub developer: &'a Options,
}

impl Policy {
    /// The facts; `algorithms` are those of the keys that are published.
    pub fn of(facts: Facts<'_>, algorithms: Vec<String>) -> Self {
        let Facts {
            rules,
            api,
            developer,
            ..
        } = facts;
        let rows = rules.versions.rows();
        Self {
            format: FORMAT,
            bank: facts.bank(),
            versions: rows.iter().map(|row| facts.version(row)).collect(),
            retired_versions: facts.retired(),
            version_covers: facts.coverage(),
            recommended_resource: if api.features.event_subscriptions {
                "event-subscriptions"
            } else {
                "callback-urls"
            },
            fields: facts.fields(),
            access: facts.access(),
            event_types: facts.event_types(),
            resource_types: facts.resource_types(),
            sets: facts.sets(algorithms),
            signatures: facts.signatures(),
            push: rules.switches.push.then(|| facts.push()),
            polling: api.features.polling.then(|| facts.polling()),
            fair_use: facts.fair_use(),
            retention: Retention {
                unacknowledged_seconds: Seconds(developer.retention.unacknowledged),
                settled_seconds: Seconds(developer.retention.settled),
            },
            malformed_headers: match api.psu_headers {
                PsuHeaders::Ignored => "ignored",
                PsuHeaders::Checked => "refused",
            },
            errors: facts.errors(),
        }
    }

    /// As a document, with a line per member.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("its names are text")
    }
}

impl Facts<'_> {
    fn bank(self) -> Bank {
        let Self {
            identity,
            developer,
            ..
        } = self;
        Bank {
            name: developer.brand.name.clone(),
            issuer: identity.iss.clone(),
            org_id: identity.signatory.issuer.clone(),
            trust_anchor: identity.signatory.trust_anchor.clone(),
            base_url: identity.base_url.as_str().to_owned(),
            contact: developer.contact.clone(),
            developer_url: self.page(""),
        }
    }

    fn access(self) -> Access {
        let (registration, registration_claims) = match &self.api.registration {
            Registration::Manual => ("manual", Vec::new()),
            Registration::Automatic {
                org_id,
                software_id,
                jwks_url,
            } => (
                "automatic",
                vec![org_id.clone(), software_id.clone(), jwks_url.clone()],
            ),
        };
        Access {
            token_url: self.developer.token_url.clone(),
            issuer: self.developer.token_issuer.clone(),
            audiences: self.developer.token_audiences.clone(),
            certificate_binding: match self.api.binding {
                Binding::Required => "required",
                Binding::Off => "off",
            },
            registration,
            registration_claims,
        }
    }

    /// The address of something on the page.
    fn page(self, anchor: &str) -> String {
        let hash = if anchor.is_empty() { "" } else { "#" };
        format!("{}/developer{hash}{anchor}", self.identity.base_url)
    }

    /// The newest row: what is said once is said of it.
    fn newest(&self) -> &Row {
        self.rules.versions.newest()
    }

    /// Whether pushes carry the bank's id (D-01).
    fn sends_financial_id(self) -> bool {
        self.rules.versions.financial_id() == FinancialId::Sent
    }
}

/// See [`Policy::format`].
const FORMAT: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    // W-02
    #[test]
    fn the_schema_of_the_policy_is_the_one_in_the_documentation() {
        let schema = schemars::schema_for!(Policy);
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let made = std::env::temp_dir().join("policy.schema.json");
        if text != include_str!("../../../../docs/policy.schema.json") {
            std::fs::write(&made, &text).unwrap();
            panic!(
                "if the change is meant: cp {} docs/policy.schema.json",
                made.display()
            );
        }
    }
}
