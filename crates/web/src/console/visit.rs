//! The way of a request, in the one order there is: where a form comes from, who is logged in, what the role has, whose form
//! it is, then the page.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use http_body_util::{BodyExt, Limited};
use maud::Markup;
use oyez_domain::time::Timestamp;
use serde_json::Value;
use url::form_urlencoded;

use super::leaving::{Reply, Tale};
use super::routes::{Page, Route};
use super::sessions::Session;
use super::{Console, origin};
use crate::internal::operators::Operator;
use crate::internal::{Access, Ask, Operation, Problem};
use crate::listener::Peer;
use crate::panics::caught;

/// A request of somebody who is logged in.
pub(super) struct Visit {
    pub(super) session: Session,
    /// The part of the path that is a parameter.
    pub(super) parameter: String,
    /// What the address asks for besides.
    pub(super) query: Pairs,
    /// What the form says.
    pub(super) form: Pairs,
    pub(super) now: Timestamp,
}

/// Names and values as browsers send them.
#[derive(Debug, Default)]
pub(super) struct Pairs(Vec<(String, String)>);

/// A page without its frame.
pub(super) struct Sheet {
    pub(super) title: String,
    pub(super) main: Markup,
}

/// Why a page was not shown, or nothing done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nobody is logged in; where to go then.
    LogIn { next: String },
    /// The login was refused, in words; where to go after the next.
    Refused { why: &'static str, next: String },
    /// Too many logins failed.
    Throttled(Duration),
    /// The form is none of ours, or of another session.
    Foreign,
    /// The form cannot be read.
    BadForm(&'static str),
    /// There is no such page.
    Nothing,
    /// What the internal API says.
    Problem(Box<Problem>),
}

impl Console {
    /// Answers a request, whatever happens.
    pub(super) async fn serve(
        self: &Arc<Self>,
        route: &Route,
        parameter: String,
        request: Request,
    ) -> Response {
        let (head, body) = request.into_parts();
        let mut tale = Tale::begin(&self.bank, route, &head);
        let walked = caught(self.walk(route, parameter, head, body, &mut tale)).await;
        let outcome = walked.unwrap_or_else(|panic| Err(Problem::Broken(panic).into()));
        self.leave(tale, outcome)
    }

    async fn walk(
        self: &Arc<Self>,
        route: &Route,
        parameter: String,
        head: Parts,
        body: Body,
        tale: &mut Tale,
    ) -> Result<Reply, Trouble> {
        let now = self.bank.clock.now();
        if route.page == Page::Asset {
            return self.asset(&parameter);
        }
        let posts = route.method == Method::POST;
        if posts && !origin::is_our_own(&head) {
            return Err(Trouble::Foreign);
        }
        let query = Pairs::of(head.uri.query().unwrap_or_default().as_bytes());
        let form = if posts {
            Pairs::read(body, &head.headers).await?
        } else {
            Pairs::default()
        };
        let session = self.session(&head, now);
        match route.page {
            Page::Login => return Ok(self.login_page(session.is_some(), query.of_name("next"))),
            Page::LogIn => return self.log_in(session, address(&head), &form, now, tale),
            _ => {}
        }
        let session = session.ok_or_else(|| Trouble::LogIn {
            next: next(&head, posts),
        })?;
        // A page that watches by itself is nobody at the screen.
        let watches = route.page == Page::Watch;
        let renewed = self.sessions.renewed(&session, now).filter(|_| !watches);
        tale.enter(&session, renewed);
        if !route.access.is_open_to(session.operator.role) {
            return Err(Problem::Forbidden.into());
        }
        if posts && !session.gave(form.of_name(FORM_TOKEN)) {
            return Err(Trouble::Foreign);
        }
        let visit = Visit {
            session,
            parameter,
            query,
            form,
            now,
        };
        self.show(route.page, &visit, tale).await
    }

    async fn show(
        self: &Arc<Self>,
        page: Page,
        visit: &Visit,
        tale: &mut Tale,
    ) -> Result<Reply, Trouble> {
        let sheet = match page {
            Page::LogOut => return Ok(self.log_out(visit, tale)),
            Page::Watch => return self.watch(visit),
            Page::Find => return self.find(visit).await,
            Page::Do(act) => return self.act(act, visit).await,
            Page::Confirm(act) => self.confirm(act, visit).await?,
            Page::Overview => self.overview(visit).await?,
            Page::Tpps => self.tpps(visit).await?,
            Page::Tpp => self.tpp(visit).await?,
            Page::Events => self.events(visit).await?,
            Page::Event => self.event(visit).await?,
            Page::Audit => self.audit(visit).await?,
            Page::Keys => self.keys(visit).await?,
            Page::EventTypes => self.event_types(),
            Page::Login | Page::LogIn | Page::Asset | Page::Nothing => {
                return Err(Trouble::Nothing);
            }
        };
        Ok(Reply::Sheet(sheet))
    }

    /// Whose session this is, by the list of operators as it is now.
    pub(super) fn session(&self, head: &Parts, now: Timestamp) -> Option<Session> {
        let operators = Arc::clone(&self.operators.borrow());
        let session = self.sessions.find(&head.headers, &operators, now)?;
        may_log_in(&session.operator).then_some(session)
    }

    /// What the internal API says to this.
    pub(super) async fn ask(&self, visit: &Visit, ask: Ask<'_>) -> Result<Value, Trouble> {
        let operator = &visit.session.operator;
        Ok(self.desk.ask(operator, ask, visit.now).await?)
    }

    /// The same, of what the path names.
    pub(super) async fn ask_here(
        &self,
        visit: &Visit,
        operation: Operation,
    ) -> Result<Value, Trouble> {
        self.ask(visit, Ask::of(operation, &visit.parameter)).await
    }
}

/// Core systems have nothing to look at.
pub(super) fn may_log_in(operator: &Operator) -> bool {
    Access::View.is_open_to(operator.role)
}

impl Visit {
    /// Whether a role has this, and so whether it sees a way to it.
    pub(super) fn may(&self, operation: Operation) -> bool {
        crate::internal::access_of(operation).is_open_to(self.session.operator.role)
    }
}

impl Pairs {
    fn of(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The fields of a form.
    async fn read(body: Body, headers: &HeaderMap) -> Result<Self, Trouble> {
        let kind = headers.get(CONTENT_TYPE);
        let kind = kind.and_then(|value| value.to_str().ok());
        if kind.is_none_or(|kind| !kind.starts_with("application/x-www-form-urlencoded")) {
            return Err(Trouble::BadForm("this is not how a browser sends a form"));
        }
        let collected = Limited::new(body, FORM_BYTES_MAX).collect();
        match tokio::time::timeout(FORM_TIME_MAX, collected).await {
            Ok(Ok(collected)) => Ok(Self::of(&collected.to_bytes())),
            Ok(Err(_)) => Err(Trouble::BadForm("the form is too long, or broke off")),
            Err(_) => Err(Trouble::BadForm("the form did not come in time")),
        }
    }

    /// A value without the space around it; empty where nothing was said.
    pub(super) fn of_name(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.trim())
    }
}

/// Where to go after a login: where one wanted to look. What a form wanted is asked again.
fn next(head: &Parts, posts: bool) -> String {
    let wanted = head.uri.path_and_query();
    let wanted = wanted.filter(|_| !posts).map_or("", |it| it.as_str());
    origin::within(wanted).to_owned()
}

fn address(head: &Parts) -> IpAddr {
    let peer = head.extensions.get::<Peer>();
    peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.address.ip())
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<oyez_store::Error> for Trouble {
    fn from(error: oyez_store::Error) -> Self {
        Problem::from(error).into()
    }
}

/// The field that each form carries.
pub(super) const FORM_TOKEN: &str = "form_token";
/// A reason and some moments; a token.
const FORM_BYTES_MAX: usize = 16 * 1024;
/// So few bytes come at once.
const FORM_TIME_MAX: Duration = Duration::from_secs(10);
