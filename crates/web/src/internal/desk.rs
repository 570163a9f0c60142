//! The internal API, called from inside. The console asks and acts by it as everybody else does over HTTP: by the same roles,
//! with the same words, in the same trail. So nothing is decided twice, and whatever the console can do the API can.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use oyez_domain::actor::Actor;
use oyez_domain::time::Timestamp;
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::api::{Api, Call};
use super::health::Condition;
use super::operators::Operator;
use super::problem::Problem;
use super::routes::{Access, Operation, ROUTES, Route};

/// The API, for those inside.
pub(crate) struct Desk(Arc<Api>);

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    operation: Operation,
    parameter: &'a str,
    query: Vec<(&'a str, &'a str)>,
    body: Option<Value>,
}

impl<'a> Ask<'a> {
    /// This operation, with the part of the path that is a parameter.
    pub(crate) const fn of(operation: Operation, parameter: &'a str) -> Self {
        Self {
            operation,
            parameter,
            query: Vec::new(),
            body: None,
        }
    }

    /// With parameters besides; empty ones say nothing.
    pub(crate) fn query(mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let said = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        self.query.extend(said);
        self
    }

    /// With a body.
    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

impl Desk {
    pub(super) const fn new(api: Arc<Api>) -> Self {
        Self(api)
    }

    /// Does it in the operator's name, if its role has it.
    pub(crate) async fn ask(
        &self,
        operator: &Operator,
        ask: Ask<'_>,
        now: Timestamp,
    ) -> Result<Value, Problem> {
        let route = route_of(ask.operation);
        if !route.access.is_open_to(operator.role) {
            return Err(Problem::Forbidden);
        }
        let query = Serializer::new(String::new())
            .extend_pairs(&ask.query)
            .finish();
        let request = Request::builder()
            .method(route.method.clone())
            .uri(format!("/?{query}"))
            .header(CONTENT_TYPE, "application/json")
            .body(())
            .expect("an encoded query is one");
        let call = Call {
            actor: Actor::Operator(operator.name.clone()),
            operation: ask.operation,
            parameter: ask.parameter.to_owned(),
            head: request.into_parts().0,
            now,
            trace: None,
        };
        let body = ask
            .body
            .map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let answer = self.0.perform(route, call, body).await?;
        serde_json::from_slice(&answer.body).map_err(|error| Problem::Broken(error.to_string()))
    }

    /// What keeps this process from being ready, or will, part by part.
    pub(crate) async fn troubles(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let parts = self.0.parts(now).await.into_iter();
        let troubles = parts.filter_map(|(part, condition)| match condition {
            Condition::Ready => None,
            Condition::ReadyBut(why) | Condition::NotReady(why) => Some((part, why)),
        });
        troubles.collect()
    }
}

/// To whom an operation is open.
pub(crate) fn access_of(operation: Operation) -> Access {
    route_of(operation).access
}

fn route_of(operation: Operation) -> &'static Route {
    let found = ROUTES.iter().find(|route| route.operation == operation);
    found.expect("every operation has a route")
}
