//! The rows of the UK standard.

use super::{
    B64Form, CallbackSuffix, CodeText, Coverage, ErrorModel, EventLimit, FinancialId, JoseForms,
    Lengths, Market, MemberOrder, MessageForm, Opens, Paths, Release, Row, Scope, StatusText,
    Successes,
};
use crate::event::{EventType, Family};
use crate::fault::Code;
use crate::ledger::poll::SetError;
use crate::version::{ApiVersion, Version};

/// Both families that oyez knows, oldest first.
pub(super) fn rows() -> Vec<Row> {
    vec![v3_1(), v4_0()]
}

fn v3_1() -> Row {
    let limited = [V3_0, patch(ApiVersion::V3_1, 0), patch(ApiVersion::V3_1, 1)];
    let full = (2..=11).map(|number| patch(ApiVersion::V3_1, number));
    Row {
        api: ApiVersion::V3_1,
        releases: limited
            .into_iter()
            .map(resource_update_only)
            .chain(full.map(unlimited))
            .collect(),
        // `eventpolling` is of v3.1.2 and v3.1.3, and so is the singular of the funds confirmation scope.
        scopes: vec![
            scope(&["accounts"], &[Family::Aisp]),
            scope(&["payments"], &[Family::Pisp, Family::Vrp]),
            scope(
                &["fundsconfirmations", "fundsconfirmation"],
                &[Family::Cbpii],
            ),
            Scope {
                opens: Opens::Polling,
                ..scope(&["eventpolling"], &Family::ALL)
            },
        ],
        errors: ErrorModel {
            codes: long_codes(),
            statuses: statuses(),
            order: MemberOrder::CodeFirst,
            messages: MessageForm::Plain,
        },
        // Up to v3.1.3 the payload was signed as it is; a TPP may still do so.
        jose: JoseForms {
            accepted: vec![B64Form::Encoded, B64Form::Unencoded],
            emitted: B64Form::Encoded,
        },
        ..shared(ApiVersion::V3_1)
    }
}

fn v4_0() -> Row {
    Row {
        errors: ErrorModel {
            codes: short_codes(),
            statuses: statuses(),
            order: MemberOrder::IdFirst,
            messages: MessageForm::Named,
        },
        ..shared(ApiVersion::V4_0)
    }
}

/// What the newest version has; older rows say where they differ.
fn shared(api: ApiVersion) -> Row {
    Row {
        api,
        releases: [0, 1].map(|number| unlimited(patch(api, number))).into(),
        coverage: Coverage::Minimum,
        market: Market {
            path_prefix: "open-banking".to_owned(),
            urn_prefix: "urn:uk:org:openbanking:events:".to_owned(),
            code_prefix: "UK.OBIE.".to_owned(),
            claim_prefix: "http://openbanking.org.uk/".to_owned(),
        },
        paths: Paths {
            event_subscriptions: "event-subscriptions".to_owned(),
            callback_urls: "callback-urls".to_owned(),
            events: "events".to_owned(),
        },
        scopes: vec![
            scope(&["accounts"], &[Family::Aisp]),
            scope(&["payments"], &[Family::Pisp, Family::Vrp]),
            scope(&["fundsconfirmations"], &[Family::Cbpii]),
        ],
        successes: Successes {
            created: 201,
            read: 200,
            replaced: 200,
            deleted: 204,
            polled: 200,
        },
        errors: ErrorModel {
            codes: Vec::new(),
            statuses: Vec::new(),
            order: MemberOrder::IdFirst,
            messages: MessageForm::Plain,
        },
        jose: JoseForms {
            accepted: vec![B64Form::Encoded],
            emitted: B64Form::Encoded,
        },
        financial_id: FinancialId::Sent,
        callback_suffix: CallbackSuffix::VersionAnd("event-notifications".to_owned()),
        lengths: LENGTHS,
    }
}

fn patch(api: ApiVersion, number: u8) -> Version {
    Version {
        api,
        patch: Some(number),
    }
}

fn unlimited(version: Version) -> Release {
    Release {
        version,
        events: EventLimit::AsAsked,
    }
}

/// Clients of these versions know no other event.
fn resource_update_only(version: Version) -> Release {
    let only = EventType("urn:uk:org:openbanking:events:resource-update".to_owned());
    Release {
        version,
        events: EventLimit::Only(vec![only]),
    }
}

fn scope(spellings: &[&str], families: &[Family]) -> Scope {
    Scope {
        spellings: spellings.iter().map(|text| (*text).to_owned()).collect(),
        opens: Opens::Everything,
        families: families.to_vec(),
    }
}

fn statuses() -> Vec<StatusText> {
    [
        (400, "400 BadRequest", "The request is not valid"),
        (401, "401 Unauthorized", "The access token is not valid"),
        (
            409,
            "409 Conflict",
            "The request conflicts with what is registered",
        ),
        (
            500,
            "500 InternalServerError",
            "The request could not be completed",
        ),
        (
            503,
            "503 ServiceUnavailable",
            "The service is not available now",
        ),
    ]
    .map(|(status, text, message)| StatusText {
        status,
        text: text.to_owned(),
        message: message.to_owned(),
    })
    .into()
}

/// v3.1: every error by its long name; an expired token has no body.
fn long_codes() -> Vec<CodeText> {
    Code::ALL
        .into_iter()
        .filter(|code| code.is_universal())
        .map(|code| CodeText {
            code,
            text: format!("UK.OBIE.{}", code.name()),
        })
        .collect()
}

/// v4.0: four characters.
fn short_codes() -> Vec<CodeText> {
    [
        (Code::UnexpectedError, "U000"),
        (Code::FieldExpected, "U001"),
        (Code::FieldInvalid, "U002"),
        (Code::FieldInvalidDate, "U003"),
        (Code::FieldMissing, "U004"),
        (Code::FieldUnexpected, "U005"),
        (Code::HeaderInvalid, "U006"),
        (Code::HeaderMissing, "U007"),
        (Code::ResourceInvalidFormat, "U010"),
        (Code::ResourceNotFound, "U011"),
        (Code::SignatureInvalid, "U015"),
        (Code::SignatureInvalidClaim, "U016"),
        (Code::SignatureMissingClaim, "U017"),
        (Code::SignatureMalformed, "U018"),
        (Code::SignatureMissing, "U019"),
        (Code::SignatureUnexpected, "U020"),
        (Code::UnsupportedEventType, "U024"),
        (Code::ResourceAlreadyExists, "U029"),
        (Code::TokenExpired, "TKXP"),
    ]
    .map(|(code, text)| CodeText {
        code,
        text: text.to_owned(),
    })
    .into()
}

const V3_0: Version = Version {
    api: ApiVersion { major: 3, minor: 0 },
    patch: None,
};

const LENGTHS: Lengths = Lengths {
    registration_id: 40,
    version: 10,
    callback_url: 2048, // ours: what every HTTP implementation takes
    event_types: 1_000, // ours: far above any catalogue
    claim: 128,
    error_name: SetError::ERR_CHARS_MAX,
    error_description: SetError::DESCRIPTION_CHARS_MAX,
    acknowledgements: 1_000, // ours: above any published maxEvents cap
    error_id: 40,
    error_text: 500,
};
