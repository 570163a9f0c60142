//! What is served in which version, and which members of requests mean what.

use oyez_domain::event::Family;
use oyez_domain::versions::{B64Form, CallbackSuffix, Coverage, EventLimit, Opens, Row, Scope};
use serde::Serialize;

use super::Facts;
use crate::tpp::routes;

/// A version of the API.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct VersionFacts {
    /// As it stands in paths: `v4.0`.
    pub(crate) version: String,
    /// What stands before its resources.
    pub(crate) base_url: String,
    /// Its description in OpenAPI.
    pub(crate) openapi_url: String,
    /// What a registration may say in `Version`, oldest first.
    pub(crate) releases: Vec<Release>,
    /// Every operation that is served.
    pub(crate) operations: Vec<Operation>,
    /// The scopes of its access tokens. Any one that opens an operation will do.
    pub(crate) scopes: Vec<ScopeFacts>,
    /// How a CallbackUrl must end, `{version}` standing for this version; absent: as the TPP likes.
    pub(crate) callback_url_ends_in: Option<String>,
    /// The most characters of a CallbackUrl.
    pub(crate) callback_url_characters_max: usize,
    /// The most entries of EventTypes.
    pub(crate) event_types_max: usize,
    /// The most entries of `ack` and of `setErrs` in one poll.
    pub(crate) acknowledgements_max: usize,
    /// Forms of x-jws-signature that are taken: `encoded`, or `unencoded` (b64 false).
    pub(crate) signature_forms: Vec<&'static str>,
    /// The form that answers to GET have.
    pub(crate) signature_form_of_answers: &'static str,
}

/// A value of `Version`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Release {
    /// As a registration says it.
    pub(crate) version: String,
    /// The only event types that it is told of; absent: those that are asked for.
    pub(crate) only: Option<Vec<String>>,
}

/// Something that can be asked for.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Operation {
    /// Its name in the OpenAPI document.
    pub(crate) id: String,
    /// Its method.
    pub(crate) method: String,
    /// Its address.
    pub(crate) url: String,
    /// Whether requests carry the TPP's x-jws-signature.
    pub(crate) request_signed: bool,
    /// Whether answers carry the bank's.
    pub(crate) answer_signed: bool,
}

/// A scope of access tokens.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ScopeFacts {
    /// Its spellings; any will do.
    pub(crate) names: Vec<String>,
    /// What it opens: `everything` or `polling`.
    pub(crate) opens: &'static str,
    /// Whose events it covers: `aisp`, `pisp`, `cbpii`, `vrp`.
    pub(crate) families: Vec<&'static str>,
}

/// A member of a request that is optional or conditional.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Field {
    /// Of which request.
    pub(crate) request: &'static str,
    /// Its name.
    pub(crate) name: &'static str,
    /// `mandatory`, `optional`, `conditional` or `unsupported`, at this bank.
    pub(crate) presence: &'static str,
    /// What follows from it, and from its absence.
    pub(crate) meaning: String,
}

impl Facts<'_> {
    pub(super) fn version(self, row: &Row) -> VersionFacts {
        let base = &self.identity.base_url;
        let operations = routes(self.rules, self.api.features).into_iter();
        let of_row = operations
            .filter(|route| route.api == Some(row.api) && route.operation.opens().is_some());
        VersionFacts {
            version: row.api.to_string(),
            base_url: base.under(row, "").trim_end_matches('/').to_owned(),
            openapi_url: format!("{base}/developer/openapi/{}.json", row.api),
            releases: row.releases.iter().map(release).collect(),
            operations: of_row
                .map(|route| Operation {
                    id: route.operation.id().to_owned(),
                    method: route.operation.method().to_string(),
                    url: format!("{base}{}", route.path),
                    request_signed: route.operation.takes_signatures(),
                    answer_signed: route.operation.gives_signatures(),
                })
                .collect(),
            scopes: row.scopes.iter().map(scope).collect(),
            callback_url_ends_in: match &row.callback_suffix {
                CallbackSuffix::VersionAnd(segment) => Some(format!("/{{version}}/{segment}")),
                CallbackSuffix::Segment(segment) => Some(format!("/{segment}")),
                CallbackSuffix::Free => None,
            },
            callback_url_characters_max: row.lengths.callback_url,
            event_types_max: row.lengths.event_types,
            acknowledgements_max: row.lengths.acknowledgements,
            signature_forms: row.jose.accepted.iter().copied().map(form).collect(),
            signature_form_of_answers: form(row.jose.emitted),
        }
    }

    pub(super) fn retired(self) -> Vec<String> {
        let retired = self.rules.versions.retired().iter();
        retired.map(ToString::to_string).collect()
    }

    pub(super) fn coverage(self) -> &'static str {
        match self.newest().coverage {
            Coverage::Exact => "exact",
            Coverage::Minimum => "minimum",
        }
    }

    pub(super) fn fields(self) -> Vec<Field> {
        let mut fields = Vec::new();
        let features = self.api.features;
        if features.event_subscriptions {
            fields.extend(self.subscription_fields());
        }
        if features.callback_urls && self.rules.switches.push {
            fields.push(Field {
                request: "callback-urls",
                name: "Data.Url, Data.Version",
                presence: MANDATORY,
                meaning:
                    "Where pushes go, and as which version. It is told of resource-update alone."
                        .to_owned(),
            });
        }
        if features.polling {
            fields.extend(self.polling_fields());
        }
        fields
    }

    fn subscription_fields(self) -> [Field; 4] {
        let of = |name, presence, meaning: &str| Field {
            request: "event-subscriptions",
            name,
            presence,
            meaning: meaning.to_owned(),
        };
        let callback = if self.rules.switches.push {
            of(
                "Data.CallbackUrl",
                "conditional",
                "With it events are pushed there. Without it they wait for polls.",
            )
        } else {
            of(
                "Data.CallbackUrl",
                "unsupported",
                "Nothing is pushed here: a registration with it is refused.",
            )
        };
        let version = match self.coverage() {
            "exact" => {
                "Events of resources that were made in this version are sent, and of no others."
            }
            _ => "Events of resources that were made in this version or a later one are sent.",
        };
        [
            callback,
            of("Data.Version", MANDATORY, version),
            of(
                "Data.EventTypes",
                OPTIONAL,
                "Which events are sent, by URN or code. Without it all that the Version knows, and no others later.",
            ),
            of(
                "Data.EventSubscriptionId",
                OPTIONAL,
                "Given by the bank; in a PUT it is that of the path.",
            ),
        ]
    }

    fn polling_fields(self) -> [Field; 4] {
        let of = |name, meaning| Field {
            request: "events",
            name,
            presence: OPTIONAL,
            meaning,
        };
        let polling = &self.api.polling;
        let absent = match polling.long_poll {
            Some(_) if polling.absent_means_long_poll => "waits",
            _ => "is answered at once",
        };
        let waiting = polling.long_poll.map_or_else(
            || "A poll is answered at once, whatever it says.".to_owned(),
            |wait| {
                format!(
                    "false: the poll waits up to {} for an event. true: it is answered at once. A poll that does not say {absent}.",
                    super::Seconds(wait)
                )
            },
        );
        [
            of(
                "maxEvents",
                format!(
                    "At most so many events, and never more than {}; 0 only acknowledges.",
                    polling.events_max
                ),
            ),
            of("returnImmediately", waiting),
            of(
                "ack",
                "The jtis of events that you have: they are not sent again, by whichever way.".to_owned(),
            ),
            of(
                "setErrs",
                "What you could not take, by jti, with err and description. The err dup acknowledges.".to_owned(),
            ),
        ]
    }
}

fn release(release: &oyez_domain::versions::Release) -> Release {
    Release {
        version: release.version.to_string(),
        only: match &release.events {
            EventLimit::AsAsked => None,
            EventLimit::Only(types) => Some(types.iter().map(|urn| urn.0.clone()).collect()),
        },
    }
}

fn scope(scope: &Scope) -> ScopeFacts {
    ScopeFacts {
        names: scope.spellings.clone(),
        opens: match scope.opens {
            Opens::Everything => "everything",
            Opens::Polling => "polling",
        },
        families: scope.families.iter().copied().map(family).collect(),
    }
}

pub(super) fn family(family: Family) -> &'static str {
    match family {
        Family::Aisp => "aisp",
        Family::Pisp => "pisp",
        Family::Cbpii => "cbpii",
        Family::Vrp => "vrp",
    }
}

pub(super) fn form(form: B64Form) -> &'static str {
    match form {
        B64Form::Encoded => "encoded",
        B64Form::Unencoded => "unencoded",
    }
}

const MANDATORY: &str = "mandatory";
const OPTIONAL: &str = "optional";
