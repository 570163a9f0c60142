//! What is served where: one list, from which the router is built, and which tests and descriptions of the API can walk.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter};
use oyez_domain::base_url::BaseUrl;
use oyez_domain::ledger::registering::Kind;
use oyez_domain::rules::Rules;
use oyez_domain::version::ApiVersion;
use oyez_domain::versions::{Opens, Row};

use super::Features;
use super::api::{Api, Matched};

/// One thing that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What it does.
    pub operation: Operation,
    /// In which version; keys and pages are of none.
    pub api: Option<ApiVersion>,
    /// Where, without the path of the base URL: `/open-banking/v4.0/event-subscriptions/{id}`.
    pub path: String,
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Something with the TPP's registration of this kind (S, C).
    Register(Kind, Act),
    /// Aggregated polling (P).
    PollEvents,
    /// The bank's public keys (M-06).
    ReadKeySet,
    /// The developer page (W-01).
    ReadDeveloperPage,
    /// The same facts for programs (W-02).
    ReadPolicy,
    /// A version in OpenAPI (W-02).
    ReadDescription,
    /// What the developer page is made with.
    ReadAsset,
    /// How the TPP stands that asks (W-04).
    ReadStatus,
}

/// What is done with a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// POST.
    Create,
    /// GET.
    List,
    /// PUT.
    Replace,
    /// DELETE.
    Delete,
}

impl Operation {
    /// Its name in descriptions and in the log.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Register(Kind::Subscription, Act::Create) => "create_event_subscription",
            Self::Register(Kind::Subscription, Act::List) => "list_event_subscriptions",
            Self::Register(Kind::Subscription, Act::Replace) => "replace_event_subscription",
            Self::Register(Kind::Subscription, Act::Delete) => "delete_event_subscription",
            Self::Register(Kind::CallbackUrl, Act::Create) => "create_callback_url",
            Self::Register(Kind::CallbackUrl, Act::List) => "list_callback_urls",
            Self::Register(Kind::CallbackUrl, Act::Replace) => "replace_callback_url",
            Self::Register(Kind::CallbackUrl, Act::Delete) => "delete_callback_url",
            Self::PollEvents => "poll_events",
            Self::ReadKeySet => "read_key_set",
            Self::ReadDeveloperPage => "read_developer_page",
            Self::ReadPolicy => "read_policy",
            Self::ReadDescription => "read_description",
            Self::ReadAsset => "read_asset",
            Self::ReadStatus => "read_status",
        }
    }

    /// Its method. A HEAD is answered as the GET of its path, without the body.
    pub const fn method(self) -> Method {
        match self {
            Self::Register(_, Act::Create) | Self::PollEvents => Method::POST,
            Self::Register(_, Act::Replace) => Method::PUT,
            Self::Register(_, Act::Delete) => Method::DELETE,
            _ => Method::GET,
        }
    }

    /// What a token must open for it; `None`: it is open to all.
    pub const fn opens(self) -> Option<Opens> {
        match self {
            Self::Register(..) => Some(Opens::Everything),
            Self::PollEvents | Self::ReadStatus => Some(Opens::Polling),
            _ => None,
        }
    }

    /// Whether it has a body that is read.
    pub const fn reads_a_body(self) -> bool {
        matches!(
            self,
            Self::Register(_, Act::Create | Act::Replace) | Self::PollEvents
        )
    }

    /// Whether requests are signed by the TPP (M-01).
    pub const fn takes_signatures(self) -> bool {
        matches!(self, Self::Register(_, Act::Create | Act::Replace))
    }

    /// Whether answers are signed by the bank (M-04).
    pub const fn gives_signatures(self) -> bool {
        matches!(
            self,
            Self::Register(_, Act::Create | Act::List | Act::Replace)
        )
    }
}

/// Everything that is served (G-01, G-13).
pub fn routes(rules: &Rules, features: Features) -> Vec<Route> {
    let versions = rules.versions.rows().iter();
    let mut routes: Vec<Route> = versions
        .flat_map(|row| routes_of(rules, features, row))
        .collect();
    routes.extend(rules.versions.rows().iter().map(|row| Route {
        operation: Operation::ReadDescription,
        api: Some(row.api),
        path: format!("/developer/openapi/{}.json", row.api),
    }));
    let of_no_version = [
        (Operation::ReadKeySet, "/jwks"),
        (Operation::ReadDeveloperPage, "/developer"),
        (Operation::ReadPolicy, "/developer/policy.json"),
        (Operation::ReadAsset, "/developer/assets/{name}"),
        (Operation::ReadStatus, "/developer/status"),
    ];
    routes.extend(of_no_version.map(|(operation, path)| Route {
        operation,
        api: None,
        path: path.to_owned(),
    }));
    routes
}

fn routes_of(rules: &Rules, features: Features, row: &Row) -> Vec<Route> {
    let (kinds, paths) = ([Kind::Subscription, Kind::CallbackUrl], &row.paths);
    let acts = [
        (Act::Create, true),
        (Act::List, true),
        (Act::Replace, features.replacing),
        (Act::Delete, features.deleting),
    ];
    let mut routes = Vec::new();
    for kind in kinds {
        let (offered, resource) = match kind {
            Kind::Subscription => (features.event_subscriptions, &paths.event_subscriptions),
            Kind::CallbackUrl => (
                features.callback_urls && rules.switches.push,
                &paths.callback_urls,
            ),
        };
        for (act, _) in acts.iter().filter(|(_, on)| offered && *on) {
            let below = match act {
                Act::Create | Act::List => "",
                Act::Replace | Act::Delete => "/{id}",
            };
            routes.push((
                Operation::Register(kind, *act),
                format!("{resource}{below}"),
            ));
        }
    }
    if features.polling {
        routes.push((Operation::PollEvents, paths.events.clone()));
    }
    let route = |(operation, path)| Route {
        operation,
        api: Some(row.api),
        path: format!("/{}/{}/{path}", row.market.path_prefix, row.api),
    };
    routes.into_iter().map(route).collect()
}

/// Serves the list.
pub(super) fn router(api: Arc<Api>) -> Router {
    let mut paths: BTreeMap<String, Vec<Route>> = BTreeMap::new();
    for route in routes(&api.bank.rules, api.options.features) {
        paths.entry(route.path.clone()).or_default().push(route);
    }
    let mut served = Router::new();
    for (path, routes) in paths {
        served = served.route(&path, methods(&api, routes));
    }
    let base = path_of(&api.bank.identity.base_url);
    let routed = if base.is_empty() {
        served
    } else {
        served.clone().nest(&base, served)
    };
    routed.fallback(handler(api, Matched::Nothing))
}

/// The methods of one path, and what the others are told (G-01).
fn methods(api: &Arc<Api>, routes: Vec<Route>) -> MethodRouter {
    let mut allowed: Vec<&str> = Vec::new();
    let mut methods = MethodRouter::new();
    let api_version = routes.first().and_then(|route| route.api);
    for route in routes {
        let filter = match route.operation {
            Operation::Register(_, Act::Create) | Operation::PollEvents => {
                allowed.push("POST");
                MethodFilter::POST
            }
            Operation::Register(_, Act::Replace) => {
                allowed.push("PUT");
                MethodFilter::PUT
            }
            Operation::Register(_, Act::Delete) => {
                allowed.push("DELETE");
                MethodFilter::DELETE
            }
            _ => {
                allowed.extend(["GET", "HEAD"]);
                MethodFilter::GET
            }
        };
        methods = methods.on(filter, handler(Arc::clone(api), Matched::Route(route)));
    }
    let others = Matched::OtherMethod {
        api: api_version,
        allowed: allowed.join(", "),
    };
    methods.fallback(handler(Arc::clone(api), others))
}

fn handler(
    api: Arc<Api>,
    matched: Matched,
) -> impl Fn(Request) -> std::pin::Pin<Box<dyn Future<Output = axum::response::Response> + Send>> + Clone
{
    let matched = Arc::new(matched);
    move |request| {
        let (api, matched) = (Arc::clone(&api), Arc::clone(&matched));
        Box::pin(async move { api.serve(&matched, request).await })
    }
}

/// The path of the base URL: empty, or with a slash before it and none after it.
pub(super) fn path_of(base_url: &BaseUrl) -> String {
    let after_scheme = base_url.as_str().split_once("://");
    let path = after_scheme.and_then(|(_, rest)| Some(&rest[rest.find('/')?..]));
    path.unwrap_or_default().to_owned()
}
