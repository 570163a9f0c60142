//! What is served where, and to whom: one list of pages and one of acts.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::http::Method;
use axum::routing::{MethodFilter, on};

use super::Console;
use crate::internal::{Access, Operation};

/// One thing that can be asked for.
#[derive(Debug, Clone)]
pub struct Route {
    pub(super) page: Page,
    /// Its name in metrics and the log.
    pub id: &'static str,
    /// How.
    pub method: Method,
    /// Where; at most one part of it is a parameter.
    pub path: String,
    /// To whom. A session stands for its operator.
    pub access: Access,
}

/// What a route shows or does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    Login,
    LogIn,
    LogOut,
    Asset,
    Overview,
    Watch,
    Find,
    Tpps,
    Tpp,
    Events,
    Event,
    Audit,
    Keys,
    EventTypes,
    Confirm(Act),
    Do(Act),
    Nothing,
}

/// What can be done, each by the operation of the internal API of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    SendTest,
    Resume,
    Pause,
    Disable,
    Enable,
    RemoveSubscription,
    RemoveCallbackUrl,
    Requeue,
    PushAgain,
    Withdraw,
}

impl Act {
    pub(super) const ALL: [Self; 10] = [
        Self::SendTest,
        Self::Resume,
        Self::Pause,
        Self::Disable,
        Self::Enable,
        Self::RemoveSubscription,
        Self::RemoveCallbackUrl,
        Self::Requeue,
        Self::PushAgain,
        Self::Withdraw,
    ];

    /// What does it.
    pub(super) const fn operation(self) -> Operation {
        match self {
            Self::SendTest => Operation::SendTestEvent,
            Self::Resume => Operation::ResumeEndpoint,
            Self::Pause => Operation::PauseEndpoint,
            Self::Disable => Operation::DisableTpp,
            Self::Enable => Operation::EnableTpp,
            Self::RemoveSubscription => Operation::RemoveEventSubscription,
            Self::RemoveCallbackUrl => Operation::RemoveCallbackUrl,
            Self::Requeue => Operation::RequeueFailedEvents,
            Self::PushAgain => Operation::PushEventAgain,
            Self::Withdraw => Operation::WithdrawEvent,
        }
    }

    /// The last part of its address.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::SendTest => "send-test-event",
            Self::Resume => "resume",
            Self::Pause => "pause",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::RemoveSubscription => "remove-event-subscription",
            Self::RemoveCallbackUrl => "remove-callback-url",
            Self::Requeue => "queue-failed-again",
            Self::PushAgain => "push-again",
            Self::Withdraw => "withdraw",
        }
    }

    const fn ids(self) -> (&'static str, &'static str) {
        match self {
            Self::SendTest => ("console_confirm_test_event", "console_send_test_event"),
            Self::Resume => ("console_confirm_resume", "console_resume_endpoint"),
            Self::Pause => ("console_confirm_pause", "console_pause_endpoint"),
            Self::Disable => ("console_confirm_disable", "console_disable_tpp"),
            Self::Enable => ("console_confirm_enable", "console_enable_tpp"),
            Self::RemoveSubscription => (
                "console_confirm_remove_subscription",
                "console_remove_event_subscription",
            ),
            Self::RemoveCallbackUrl => (
                "console_confirm_remove_callback_url",
                "console_remove_callback_url",
            ),
            Self::Requeue => ("console_confirm_requeue", "console_requeue_failed_events"),
            Self::PushAgain => ("console_confirm_push", "console_push_event_again"),
            Self::Withdraw => ("console_confirm_withdraw", "console_withdraw_event"),
        }
    }

    /// What it is done to.
    pub(super) const fn is_about_an_event(self) -> bool {
        matches!(self, Self::PushAgain | Self::Withdraw)
    }
}

/// All of it.
pub fn routes() -> Vec<Route> {
    let mut all = pages();
    for act in Act::ALL {
        let at = if act.is_about_an_event() {
            "/console/events/{jti}"
        } else {
            "/console/tpps/{client_id}"
        };
        let path = format!("{at}/{}", act.word());
        let access = crate::internal::access_of(act.operation());
        let (confirms, does) = act.ids();
        all.push(route(
            Page::Confirm(act),
            confirms,
            Method::GET,
            &path,
            access,
        ));
        all.push(route(Page::Do(act), does, Method::POST, &path, access));
    }
    all
}

#[rustfmt::skip]
fn pages() -> Vec<Route> {
    use Access::{Anyone, View};
    let get = |page, id, path, access| route(page, id, Method::GET, path, access);
    let post = |page, id, path, access| route(page, id, Method::POST, path, access);
    vec![
        get(Page::Login, "console_login", "/console/login", Anyone),
        post(Page::LogIn, "console_log_in", "/console/login", Anyone),
        get(Page::Asset, "console_asset", "/console/assets/{file}", Anyone),
        post(Page::LogOut, "console_log_out", "/console/logout", View),
        get(Page::Overview, "console_overview", "/console", View),
        get(Page::Overview, "console_home", "/console/", View),
        get(Page::Watch, "console_watch", "/console/watch", View),
        get(Page::Find, "console_find", "/console/find", View),
        get(Page::Tpps, "console_tpps", "/console/tpps", View),
        get(Page::Tpp, "console_tpp", "/console/tpps/{client_id}", View),
        get(Page::Events, "console_events", "/console/events", View),
        get(Page::Event, "console_event", "/console/events/{jti}", View),
        get(Page::Audit, "console_audit", "/console/audit", View),
        get(Page::Keys, "console_keys", "/console/keys", View),
        get(Page::EventTypes, "console_event_types", "/console/event-types", View),
        get(Page::Nothing, "console_nothing", "/console/{*rest}", View),
    ]
}

fn route(page: Page, id: &'static str, method: Method, path: &str, access: Access) -> Route {
    Route {
        page,
        id,
        method,
        path: path.to_owned(),
        access,
    }
}

/// Serves the list.
pub(super) fn router(console: &Arc<Console>) -> Router {
    let mut router = Router::new();
    for route in routes() {
        let method = route.method.clone();
        let filter = MethodFilter::try_from(method).expect("the list has standard methods only");
        let (console, path) = (Arc::clone(console), route.path.clone());
        let route = Arc::new(route);
        let handler = move |parameters: Parameters, request: Request| {
            let (console, route) = (Arc::clone(&console), Arc::clone(&route));
            Box::pin(async move {
                let parameter = parameters
                    .ok()
                    .and_then(|all| Some(all.iter().next()?.1.to_owned()));
                let parameter = parameter.unwrap_or_default();
                console.serve(&route, parameter, request).await
            }) as Answering
        };
        router = router.route(&path, on(filter, handler));
    }
    router
}

type Parameters = Result<RawPathParams, RawPathParamsRejection>;
type Answering = std::pin::Pin<Box<dyn Future<Output = axum::response::Response> + Send>>;
