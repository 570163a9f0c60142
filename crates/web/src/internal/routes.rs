//! What is served where, and to whom: one list.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{MethodFilter, on};

use super::api::{Api, Matched};
use super::operators::Role;

/// One thing that can be asked for.
#[derive(Debug)]
pub struct Route {
    /// What it does.
    pub operation: Operation,
    /// Its name in descriptions, metrics and the log.
    pub id: &'static str,
    /// How.
    pub method: Method,
    /// Where; at most one part of it is a parameter.
    pub path: &'static str,
    /// To whom.
    pub access: Access,
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the ids in the list say it in the same words")]
pub enum Operation {
    PublishEvents,
    ListEvents,
    ReadEvent,
    WithdrawEvent,
    PushEventAgain,
    SendTestEvent,
    ListEndpoints,
    ReadEndpoint,
    PauseEndpoint,
    ResumeEndpoint,
    RegisterTpp,
    ListTpps,
    ReadTpp,
    ChangeTpp,
    DisableTpp,
    EnableTpp,
    ReadCounts,
    ReadStatus,
    ListMinutes,
    RequeueFailedEvents,
    ReadRegistrations,
    RemoveEventSubscription,
    RemoveCallbackUrl,
    ListAudit,
    ReadAuditChain,
    ListAuditHeads,
    TellLive,
    TellReady,
    ReadMetrics,
}

impl Operation {
    /// The query parameters that it knows; any other is refused.
    pub const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::ListEvents => &[
                "tpp",
                "state",
                "type",
                "resource_id",
                "txn",
                "interaction_id",
                "accepted_from",
                "accepted_before",
                "cursor",
                "limit",
            ],
            Self::ListEndpoints => &["state", "cursor", "limit"],
            Self::ListTpps => &["cursor", "limit"],
            Self::ListMinutes => &["from", "before"],
            Self::ListAudit | Self::ReadAuditChain => &["tpp", "cursor", "limit"],
            Self::ListAuditHeads => &["cursor", "limit"],
            _ => &[],
        }
    }
}

/// Whom a route is open to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Without a token: nothing of it concerns a TPP or an event.
    Anyone,
    /// To hand events over: publisher, admin. An operator speaks for no core system.
    Publish,
    /// To look: viewer, operator, admin. A publisher sees nothing but its own answers.
    View,
    /// To act on what is there: operator, admin.
    Act,
    /// To say who is a TPP: admin.
    Administer,
}

impl Access {
    /// Whether a role has it; `Anyone` needs none.
    pub const fn is_open_to(self, role: Role) -> bool {
        match self {
            Self::Anyone => true,
            Self::Publish => matches!(role, Role::Publisher | Role::Admin),
            Self::View => matches!(role, Role::Viewer | Role::Operator | Role::Admin),
            Self::Act => matches!(role, Role::Operator | Role::Admin),
            Self::Administer => matches!(role, Role::Admin),
        }
    }
}

/// Serves the list. A HEAD is answered as the GET of its path, without the body.
pub(super) fn router(api: &Arc<Api>) -> Router {
    let mut router = Router::new();
    for route in &ROUTES {
        let method = route.method.clone();
        let filter = MethodFilter::try_from(method).expect("the list has standard methods only");
        router = router.route(route.path, on(filter, handler(api, Matched::Route(route))));
    }
    router
        .method_not_allowed_fallback(handler(api, Matched::OtherMethod))
        .fallback(handler(api, Matched::Nothing))
}

fn handler(
    api: &Arc<Api>,
    matched: Matched,
) -> impl Fn(Parameters, Request) -> Answering + Clone + use<> {
    let api = Arc::clone(api);
    move |parameters: Parameters, request: Request| {
        let api = Arc::clone(&api);
        Box::pin(async move {
            // Without one, or with one that is not UTF-8, it names nothing that there is.
            let parameter = parameters
                .ok()
                .and_then(|all| Some(all.iter().next()?.1.to_owned()));
            let parameter = parameter.unwrap_or_default();
            api.serve(matched, parameter, request).await
        })
    }
}

type Parameters = Result<RawPathParams, RawPathParamsRejection>;
type Answering = std::pin::Pin<Box<dyn Future<Output = Response> + Send>>;

const fn route(
    operation: Operation,
    id: &'static str,
    method: Method,
    path: &'static str,
    access: Access,
) -> Route {
    Route {
        operation,
        id,
        method,
        path,
        access,
    }
}

/// All of it.
#[rustfmt::skip]
pub static ROUTES: [Route; 29] = {
    use Access::{Act, Administer, Anyone, Publish, View};
    use Operation as Op;
    const DELETE: Method = Method::DELETE;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    [
        route(Op::PublishEvents, "publish_events", POST, "/v1/events", Publish),
        route(Op::ListEvents, "list_events", GET, "/v1/events", View),
        route(Op::ReadEvent, "read_event", GET, "/v1/events/{jti}", View),
        route(Op::WithdrawEvent, "withdraw_event", POST, "/v1/events/{jti}/withdraw", Act),
        route(Op::PushEventAgain, "push_event_again", POST, "/v1/events/{jti}/push", Act),
        route(Op::SendTestEvent, "send_test_event", POST, "/v1/test-events", Act),
        route(Op::ListEndpoints, "list_endpoints", GET, "/v1/endpoints", View),
        route(Op::ReadEndpoint, "read_endpoint", GET, "/v1/endpoints/{client_id}", View),
        route(Op::PauseEndpoint, "pause_endpoint", POST, "/v1/endpoints/{client_id}/pause", Act),
        route(Op::ResumeEndpoint, "resume_endpoint", POST, "/v1/endpoints/{client_id}/resume", Act),
        route(Op::RegisterTpp, "register_tpp", POST, "/v1/tpps", Administer),
        route(Op::ListTpps, "list_tpps", GET, "/v1/tpps", View),
        route(Op::ReadTpp, "read_tpp", GET, "/v1/tpps/{client_id}", View),
        route(Op::ChangeTpp, "change_tpp", PUT, "/v1/tpps/{client_id}", Administer),
        route(Op::DisableTpp, "disable_tpp", POST, "/v1/tpps/{client_id}/disable", Act),
        route(Op::EnableTpp, "enable_tpp", POST, "/v1/tpps/{client_id}/enable", Act),
        route(Op::ReadCounts, "read_counts", GET, "/v1/tpps/{client_id}/counts", View),
        route(Op::ReadStatus, "read_status", GET, "/v1/tpps/{client_id}/status", View),
        route(Op::ListMinutes, "list_minutes", GET, "/v1/tpps/{client_id}/minutes", View),
        route(Op::RequeueFailedEvents, "requeue_failed_events", POST, "/v1/tpps/{client_id}/requeue-failed", Act),
        route(Op::ReadRegistrations, "read_registrations", GET, "/v1/tpps/{client_id}/registrations", View),
        route(Op::RemoveEventSubscription, "remove_event_subscription", DELETE, "/v1/tpps/{client_id}/event-subscription", Act),
        route(Op::RemoveCallbackUrl, "remove_callback_url", DELETE, "/v1/tpps/{client_id}/callback-url", Act),
        route(Op::ListAudit, "list_audit", GET, "/v1/audit", View),
        route(Op::ReadAuditChain, "read_audit_chain", GET, "/v1/audit/chain", View),
        route(Op::ListAuditHeads, "list_audit_heads", GET, "/v1/audit/heads", View),
        route(Op::TellLive, "tell_live", GET, "/health/live", Anyone),
        route(Op::TellReady, "tell_ready", GET, "/health/ready", Anyone),
        route(Op::ReadMetrics, "read_metrics", GET, "/metrics", Anyone),
    ]
};
