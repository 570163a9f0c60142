//! What can be told, about what, and what can go wrong.

use std::collections::BTreeMap;

use oyez_domain::catalogue::{Reasons, Role, Type};
use oyez_domain::fault::Code;
use oyez_domain::resources::ResourceType;
use serde::Serialize;
use serde_json::Value;

use super::Facts;
use super::versions::family;

/// A type of event.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct EventTypeFacts {
    /// Its name in SETs.
    pub(crate) urn: String,
    /// Its name in EventTypes besides; one official type has none.
    pub(crate) code: Option<String>,
    /// Other spellings of the code that are understood.
    pub(crate) misspellings: Vec<String>,
    /// Whose type it is: `standard` or `bank`.
    pub(crate) defined_by: &'static str,
    /// What happened.
    pub(crate) description: String,
    /// When it is sent.
    pub(crate) sent: &'static str,
    /// The first release that knows it.
    pub(crate) since: String,
    /// Reason codes that it may give; besides these, codes in a namespace of the bank's own.
    pub(crate) reasons: Vec<String>,
    /// Whether it gives reasons at all.
    pub(crate) gives_reasons: bool,
    /// The other name of the same fact: an event goes out under the one that the registration names.
    pub(crate) twin: Option<String>,
    /// The JSON Schema of its payload.
    pub(crate) payload_schema: Option<Value>,
    /// Where it is explained to people.
    pub(crate) url: String,
    #[serde(skip)]
    pub(crate) anchor: String,
}

/// A type of resource.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ResourceFacts {
    /// What `rty` says.
    pub(crate) rty: String,
    /// Its path below a version, `{id}` standing for `rid`.
    pub(crate) path: String,
    /// Which family it belongs to, and so which scopes cover it.
    pub(crate) family: &'static str,
    /// The first version that has it.
    pub(crate) since: String,
    /// The last version that has it; absent: it is not gone.
    pub(crate) until: Option<String>,
}

/// An error.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ErrorCode {
    /// What it is called in all versions.
    pub(crate) name: &'static str,
    /// `ErrorCode` in each version; a version that is absent answers it without a body.
    pub(crate) codes: BTreeMap<String, String>,
    /// The status it comes with.
    pub(crate) status: u16,
    /// What is wrong.
    pub(crate) meaning: &'static str,
    /// What to do about it.
    pub(crate) mend: &'static str,
    /// Where it is explained to people.
    pub(crate) url: String,
    #[serde(skip)]
    pub(crate) anchor: String,
}

/// The place of an error on the page.
pub(crate) fn error_anchor(code: Code) -> String {
    format!("error-{}", code.name().to_lowercase().replace('.', "-"))
}

impl Facts<'_> {
    pub(super) fn event_types(self) -> Vec<EventTypeFacts> {
        let types = self.rules.catalogue.types().iter();
        types.map(|each| self.event_type(each)).collect()
    }

    fn event_type(self, of: &Type) -> EventTypeFacts {
        EventTypeFacts {
            urn: of.urn.0.clone(),
            code: of.code.clone(),
            misspellings: of.misspellings.clone(),
            defined_by: if of.role == Role::Own {
                "bank"
            } else {
                "standard"
            },
            description: of.description.clone(),
            sent: sent(of.role),
            since: of.since.to_string(),
            reasons: match &of.reasons {
                Reasons::Forbidden => Vec::new(),
                Reasons::Known(known) => known.clone(),
            },
            gives_reasons: of.reasons != Reasons::Forbidden,
            twin: of.twin.as_ref().map(|twin| twin.0.clone()),
            payload_schema: of.schema.as_ref().map(|schema| schema.text().clone()),
            url: self.page(&of.anchor),
            anchor: of.anchor.clone(),
        }
    }

    pub(super) fn resource_types(self) -> Vec<ResourceFacts> {
        let facts = |each: &ResourceType| ResourceFacts {
            rty: each.rty.clone(),
            path: each.path.clone(),
            family: family(each.family),
            since: each.since.to_string(),
            until: each.until.map(|api| api.to_string()),
        };
        self.rules.resources.rows().iter().map(facts).collect()
    }

    pub(super) fn errors(self) -> Vec<ErrorCode> {
        let facts = |code: Code| {
            let (meaning, mend) = explained(code);
            let rows = self.rules.versions.rows().iter();
            let named = rows.filter_map(|row| {
                let text = row.errors.text(code)?;
                Some((row.api.to_string(), text.to_owned()))
            });
            let anchor = error_anchor(code);
            ErrorCode {
                name: code.name(),
                codes: named.collect(),
                status: code.status(),
                meaning,
                mend,
                url: self.page(&anchor),
                anchor,
            }
        };
        Code::ALL.into_iter().map(facts).collect()
    }
}

fn sent(role: Role) -> &'static str {
    match role {
        Role::ResourceUpdate => {
            "Whenever a resource that you hold changes: its status, most often. Read the resource to learn how."
        }
        Role::Revocation => {
            "When the account holder, or the bank for them, withdraws what was consented to."
        }
        Role::LinkedAccount => {
            "When an account of a consent joins, leaves or moves. The subject may be the account, the reason says why."
        }
        Role::Own => {
            "As the description says; the payload beside `reason` and `subject` is the bank's own."
        }
    }
}

fn explained(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::FieldExpected => (
            "A member that another one asks for is absent.",
            "Send it, or leave the other out.",
        ),
        Code::FieldInvalid => (
            "A member's value is not one that may stand there.",
            "Path names the member and Message what it takes. A CallbackUrl is https, has no query, ends as the version says, and leads to a public address.",
        ),
        Code::FieldInvalidDate => (
            "A date cannot be read.",
            "Write it as the standard has it for that member.",
        ),
        Code::FieldMissing => (
            "A mandatory member is absent.",
            "Path names it. Names are written with their capitals.",
        ),
        Code::FieldUnexpected => (
            "A member stands where none is expected.",
            "Leave it out. Bodies are closed: a misspelt name is an unexpected one.",
        ),
        Code::HeaderInvalid => (
            "A header's value is not one that may stand there.",
            "Path names the header.",
        ),
        Code::HeaderMissing => ("A mandatory header is absent.", "Path names the header."),
        Code::ResourceInvalidFormat => (
            "The body cannot be read: it is no JSON, broke off, or says a member twice.",
            "Send one JSON object in UTF-8.",
        ),
        Code::ResourceNotFound => (
            "You have no registration by that id.",
            "GET the list for its id. One of another version or kind has another path.",
        ),
        Code::SignatureInvalid => (
            "The signature does not fit the body, or its key is not yours.",
            "Sign the very bytes that you send. The kid must be in the key set that you are registered with, for PS256 or ES256.",
        ),
        Code::SignatureInvalidClaim => (
            "A member of the signature's header has a wrong value.",
            "Path names it. iss is ORG-ID/SOFTWARE-ID, tan a trust anchor of the list above, iat a moment that has been, crit names all three.",
        ),
        Code::SignatureMissingClaim => (
            "A mandatory member of the signature's header is absent.",
            "Path names it: alg, kid, crit and the three members of Open Banking.",
        ),
        Code::SignatureMalformed => (
            "The signature cannot be parsed.",
            "It is a detached JWS: header, two dots, signature, in base64url without padding.",
        ),
        Code::SignatureMissing => (
            "There is no x-jws-signature.",
            "POST and PUT of registrations are signed; polls are not.",
        ),
        Code::SignatureUnexpected => (
            "There is a signature where none is expected.",
            "Leave the header out.",
        ),
        Code::UnsupportedEventType => (
            "This bank has no such event type, or the Version does not know it.",
            "Choose from the event types above, by URN or code.",
        ),
        Code::ResourceAlreadyExists => (
            "You have a registration already, perhaps in another version or of the other kind.",
            "GET it, then PUT or DELETE it.",
        ),
        Code::UnexpectedError => (
            "The bank cannot answer now.",
            "Wait as Retry-After says and ask again. If it goes on, say the interaction id to the bank.",
        ),
        Code::TokenExpired => ("The access token has expired.", "Get a new one."),
    }
}
