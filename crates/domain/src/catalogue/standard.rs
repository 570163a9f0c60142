//! The five types of the standard.

use super::{Reasons, Role, Type};
use crate::event::EventType;
use crate::version::{ApiVersion, Version};

/// In the order of the standard's own list.
pub(super) fn types() -> Vec<Type> {
    vec![
        Type {
            code: code("Resource-Update"),
            since: Version {
                api: ApiVersion { major: 3, minor: 0 },
                patch: None,
            },
            reasons: Reasons::Forbidden,
            ..shared(
                "resource-update",
                Role::ResourceUpdate,
                "a resource has changed",
            )
        },
        Type {
            code: code("Consent-Authorization-Revoked"),
            twin: Some(urn("consent-access-revoked")),
            ..shared(
                "consent-authorization-revoked",
                Role::Revocation,
                "the authorisation of a consent has been revoked",
            )
        },
        Type {
            code: code("Consent-Access-Revoked"),
            since: v3_1(10),
            twin: Some(urn("consent-authorization-revoked")),
            ..shared(
                "consent-access-revoked",
                Role::Revocation,
                "access under a consent has been revoked; the consent itself stays authorised",
            )
        },
        Type {
            code: code("Account-Access-Consent-Linked-Account-Update"),
            misspellings: vec!["UK.OBIE.Acount-Access-Consent-Linked-Account-Update".to_owned()],
            reasons: Reasons::Known(linked_account_reasons()),
            ..shared(
                "account-access-consent-linked-account-update",
                Role::LinkedAccount,
                "an account has come under an account access consent, or left it, or is being switched",
            )
        },
        Type {
            since: v3_1(8),
            reasons: Reasons::Known(linked_account_reasons()),
            ..shared(
                "domestic-vrp-consent-linked-account-update",
                Role::LinkedAccount,
                "the account of a domestic VRP consent can no longer be paid from, or can again",
            )
        },
    ]
}

/// Namespaces in which only the standard makes codes.
pub(super) fn reserved_namespaces() -> Vec<String> {
    vec!["UK.OBIE.".to_owned(), "UK.CASS.".to_owned()]
}

fn linked_account_reasons() -> Vec<String> {
    [
        "UK.OBIE.AccountClosure",
        "UK.OBIE.CASS",
        "UK.CASS.NotSwitched",
        "UK.CASS.SwitchStarted",
        "UK.CASS.SwitchCompleted",
    ]
    .map(str::to_owned)
    .into()
}

/// What most types have in common.
fn shared(name: &str, role: Role, description: &str) -> Type {
    Type {
        urn: urn(name),
        code: None,
        misspellings: Vec::new(),
        since: v3_1(2),
        description: description.to_owned(),
        anchor: format!("event-{name}"),
        role,
        twin: None,
        reasons: Reasons::Known(Vec::new()),
        schema: None,
    }
}

fn urn(name: &str) -> EventType {
    EventType(format!("urn:uk:org:openbanking:events:{name}"))
}

fn code(name: &str) -> Option<String> {
    Some(format!("UK.OBIE.{name}"))
}

const fn v3_1(patch: u8) -> Version {
    Version {
        api: ApiVersion::V3_1,
        patch: Some(patch),
    }
}
