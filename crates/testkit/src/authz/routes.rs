//! A good request to each route, at the victim's expense.

use oyez_domain::ledger::registering::Kind;
use oyez_domain::version::ApiVersion;
use oyez_web::tpp::{Act, Operation, Route};
use serde_json::{Value, json};

use super::World;
use crate::tpp::{Caller, Request};

/// Whether it is known here what a good request to it is.
pub(super) fn has_entry(route: &Route) -> bool {
    let known = route
        .api
        .is_none_or(|api| [ApiVersion::V3_1, ApiVersion::V4_0].contains(&api));
    known
        && match route.operation {
            Operation::Register(..) | Operation::PollEvents => route.api.is_some(),
            Operation::ReadDescription => route.api.is_some(),
            Operation::ReadKeySet
            | Operation::ReadDeveloperPage
            | Operation::ReadPolicy
            | Operation::ReadAsset
            | Operation::ReadStatus => route.api.is_none(),
        }
}

/// Whether an expired token is told by a body (G-06).
pub(super) fn tells_expiry(route: &Route) -> bool {
    route.api == Some(ApiVersion::V4_0) || route.operation == Operation::ReadStatus
}

impl World<'_> {
    /// What this caller would send if it were allowed to.
    pub(super) fn good(&self, caller: &Caller, route: &Route) -> Request {
        let id = match route.operation {
            Operation::Register(Kind::CallbackUrl, _) => &self.callback_url_id,
            _ => &self.subscription_id,
        };
        let path = route
            .path
            .replace("{id}", id)
            .replace("{name}", &self.asset);
        let request = caller.request(route.operation.method(), &path);
        match self.body(route) {
            Some(body) => request.json(&body),
            None => request,
        }
    }

    fn body(&self, route: &Route) -> Option<Value> {
        let version = route.api.map(|api| format!("{}.{}", api.major, api.minor));
        let url = |version: &str| format!("https://thief.example/v{version}/event-notifications");
        match route.operation {
            Operation::Register(Kind::Subscription, Act::Create | Act::Replace) => {
                version.map(|it| json!({ "Data": { "CallbackUrl": url(&it), "Version": it } }))
            }
            Operation::Register(Kind::CallbackUrl, Act::Create | Act::Replace) => {
                version.map(|it| json!({ "Data": { "Url": url(&it), "Version": it } }))
            }
            Operation::PollEvents => Some(json!({ "ack": [self.jti] })),
            _ => None,
        }
    }
}
