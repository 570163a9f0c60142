//! How pages leave, and what is noted of a request: one line in the log and its metrics, whatever becomes of it.

use axum::body::Body;
use axum::http::header::{LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use maud::{Markup, html};
use oyez_domain::ids::InteractionId;
use oyez_outbound::Bytes;
use tokio::time::Instant;
use url::form_urlencoded::byte_serialize;

use super::Console;
use super::routes::Route;
use super::sessions::Session;
use super::visit::{Sheet, Trouble};
use crate::Bank;
use crate::internal::Problem;
use crate::metrics::Listener;
use crate::pages::{IMMUTABLE, page_headers, sentence};

/// What a request is answered with.
pub(super) enum Reply {
    /// A page for somebody who is logged in.
    Sheet(Sheet),
    /// A page for nobody in particular.
    Bare {
        title: &'static str,
        main: Markup,
        status: StatusCode,
    },
    /// Look there.
    Redirect(String),
    /// A file of ours.
    Asset {
        content_type: &'static str,
        bytes: Bytes,
    },
    /// Events as they come.
    Stream(Body),
}

/// A request under way.
pub(super) struct Tale {
    id: InteractionId,
    operation: &'static str,
    method: Method,
    session: Option<Session>,
    cookie: Option<HeaderValue>,
    path: String,
    begun: Instant,
}

impl Tale {
    pub(super) fn begin(bank: &Bank, route: &Route, head: &Parts) -> Self {
        Self {
            id: bank.random.interaction_id(),
            operation: route.id,
            method: head.method.clone(),
            session: None,
            cookie: None,
            path: head.uri.path().to_owned(),
            begun: Instant::now(),
        }
    }

    /// Notes who it is, and what its browser is to keep.
    pub(super) fn enter(&mut self, session: &Session, cookie: Option<HeaderValue>) {
        self.session = Some(session.clone());
        self.cookie = cookie;
    }

    fn tell(&self, status: StatusCode, cause: Option<&str>) {
        let operator = self.session.as_ref().map(|it| it.operator.name.as_str());
        let took = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        macro_rules! tell {
            ($level:ident, $text:literal) => {
                tracing::$level!(
                    interaction.id = self.id.as_str(),
                    operator,
                    operation = self.operation,
                    status = status.as_u16(),
                    duration_ms = took,
                    cause,
                    $text
                )
            };
        }
        if status.is_server_error() {
            tell!(error, "page failed");
        } else if matches!(
            status,
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        ) {
            tell!(warn, "page refused");
        } else if self.method == Method::POST {
            tell!(info, "form answered");
        } else {
            tell!(debug, "page answered");
        }
    }
}

impl Console {
    /// Makes the answer out of what came of the request, and tells of it.
    pub(super) fn leave(&self, tale: Tale, outcome: Result<Reply, Trouble>) -> Response {
        let mut wait = None;
        let mut cause = None;
        let (status, reply) = match outcome {
            Ok(reply) => (status_of(&reply), reply),
            Err(trouble) => {
                wait = trouble.retry_after();
                if let Trouble::Problem(problem) = &trouble {
                    cause = problem.cause().map(str::to_owned);
                }
                self.explain(&tale, trouble)
            }
        };
        tale.tell(status, cause.as_deref());
        let took = tale.begun.elapsed();
        let metrics = &self.bank.metrics;
        metrics.request(
            Listener::Internal,
            tale.operation,
            &tale.method,
            status,
            took,
        );
        let mut response = self.dress(&tale, reply);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if let Some(wait) = wait {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait));
        }
        if let Ok(id) = HeaderValue::try_from(tale.id.as_str()) {
            headers.insert(REQUEST_ID, id);
        }
        if let Some(cookie) = tale.cookie {
            headers.insert(SET_COOKIE, cookie);
        }
        response
    }

    fn dress(&self, tale: &Tale, reply: Reply) -> Response {
        let page = |text: String| {
            let mut response = Response::new(Body::from(text));
            *response.headers_mut() = page_headers("text/html; charset=utf-8", "no-store");
            // Under a stricter one browsers hide from us, too, where a form comes from.
            let policy = HeaderValue::from_static("same-origin");
            response.headers_mut().insert(REFERRER_POLICY, policy);
            response
        };
        match reply {
            Reply::Sheet(sheet) => {
                let session = tale.session.as_ref();
                page(self.framed(&sheet.title, &sheet.main, session, &tale.path))
            }
            Reply::Bare { title, main, .. } => page(self.framed(title, &main, None, &tale.path)),
            Reply::Redirect(to) => {
                let mut response = page(String::new());
                let to = HeaderValue::try_from(to);
                let to = to.expect("addresses of ours are encoded, and others were judged");
                response.headers_mut().insert(LOCATION, to);
                response
            }
            Reply::Asset {
                content_type,
                bytes,
            } => {
                let mut response = Response::new(Body::from(bytes));
                *response.headers_mut() = page_headers(content_type, IMMUTABLE);
                response
            }
            Reply::Stream(body) => {
                let mut response = Response::new(body);
                *response.headers_mut() = page_headers("text/event-stream", "no-store");
                response
            }
        }
    }

    /// A trouble as a page, or as the way out of it.
    fn explain(&self, tale: &Tale, trouble: Trouble) -> (StatusCode, Reply) {
        let (status, title, detail) = match trouble {
            Trouble::LogIn { next } => {
                let next: String = byte_serialize(next.as_bytes()).collect();
                let to = format!("/console/login?next={next}");
                return (StatusCode::SEE_OTHER, Reply::Redirect(to));
            }
            Trouble::Refused { why, next } => {
                let status = StatusCode::FORBIDDEN;
                return (status, self.login(&next, Some(why), status));
            }
            Trouble::Throttled(wait) => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                let why = format!(
                    "Too many logins failed. Try again in {} seconds.",
                    wait.as_secs() + 1
                );
                return (status, self.login("/console", Some(&why), status));
            }
            Trouble::Foreign => (
                StatusCode::FORBIDDEN,
                "Nothing was done",
                "The form did not come from a page of this session. Open the page again, and send the form from there."
                    .to_owned(),
            ),
            Trouble::BadForm(why) => (StatusCode::BAD_REQUEST, "Nothing was done", sentence(why)),
            Trouble::Nothing => (
                StatusCode::NOT_FOUND,
                "There is no such page",
                "Nothing of the console is at this address.".to_owned(),
            ),
            Trouble::Problem(problem) => return self.explain_problem(tale, &problem),
        };
        let main = explanation(title, &detail, &[]);
        (status, self.as_known(tale, title, main, status))
    }

    fn explain_problem(&self, tale: &Tale, problem: &Problem) -> (StatusCode, Reply) {
        let (_, title) = problem.kind();
        let mut detail = sentence(&problem.detail());
        if problem.cause().is_some() {
            detail = format!("{detail} The log says more, under {}.", tale.id.as_str());
        }
        let faults: Vec<String> = match problem {
            Problem::Forbidden => {
                detail = "Your role shows everything and does not act here. Ask somebody whose role is operator or admin.".to_owned();
                Vec::new()
            }
            Problem::Invalid(faults) => {
                let lines = faults.iter().map(|fault| match &fault.path {
                    Some(path) => format!("{path}: {}", fault.message),
                    None => fault.message.clone(),
                });
                lines.collect()
            }
            _ => Vec::new(),
        };
        let main = explanation(title, &detail, &faults);
        (
            problem.status(),
            self.as_known(tale, title, main, problem.status()),
        )
    }

    /// In the frame of whoever is logged in.
    fn as_known(
        &self,
        tale: &Tale,
        title: &'static str,
        main: Markup,
        status: StatusCode,
    ) -> Reply {
        if tale.session.is_some() {
            Reply::Sheet(Sheet {
                title: title.to_owned(),
                main,
            })
        } else {
            Reply::Bare {
                title,
                main,
                status,
            }
        }
    }

    /// `GET /console/assets/{file}`.
    pub(super) fn asset(&self, file: &str) -> Result<Reply, Trouble> {
        let asset = self.assets.find(file).ok_or(Trouble::Nothing)?;
        Ok(Reply::Asset {
            content_type: asset.content_type,
            bytes: asset.bytes.clone(),
        })
    }
}

impl Trouble {
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Throttled(wait) => Some(wait.as_secs() + 1),
            Self::Problem(problem) => problem.retry_after().map(|wait| wait.as_secs()),
            _ => None,
        }
    }
}

fn status_of(reply: &Reply) -> StatusCode {
    match reply {
        Reply::Bare { status, .. } => *status,
        Reply::Redirect(_) => StatusCode::SEE_OTHER,
        Reply::Sheet(_) | Reply::Asset { .. } | Reply::Stream(_) => StatusCode::OK,
    }
}

fn explanation(title: &str, detail: &str, faults: &[String]) -> Markup {
    html! {
        h1 { (title) }
        p.lead { (detail) }
        @if !faults.is_empty() {
            ul { @for fault in faults { li { (fault) } } }
        }
        p { a href="/console" { "To the overview" } }
    }
}

/// The header that ties a page to its line in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-fapi-interaction-id");
