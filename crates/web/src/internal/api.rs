//! The way of a request, in the one order there is: who calls, what it may, then the operation.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::Response;
use oyez_domain::actor::Actor;
use oyez_domain::ids::ClientId;
use oyez_domain::retry;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::Tpp;
use oyez_domain::trace::TraceContext;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

use super::input::Query;
use super::leaving::{Answer, Record};
use super::operators::{Operator, Operators};
use super::problem::Problem;
use super::publish::LONG_READS_MAX;
use super::routes::{Access, Operation, Route};
use super::{Options, Readiness, Setup, TestResource};
use crate::Bank;
use crate::listener::Peer;
use crate::metrics::Gatherer;
use crate::panics::{caught, text_of};

/// Everything that requests are answered with.
pub(super) struct Api {
    pub(super) bank: Arc<Bank>,
    pub(super) readiness: Readiness,
    pub(super) gatherer: Gatherer,
    pub(super) retry: retry::Policy,
    pub(super) test_resource: Option<TestResource>,
    operators: watch::Receiver<Arc<Operators>>,
    /// One permit for each long body that may be read now.
    pub(super) long_reads: Arc<Semaphore>,
    pub(super) tasks: TaskTracker,
}

/// What the router made of method and path.
#[derive(Clone, Copy)]
pub(super) enum Matched {
    Route(&'static Route),
    OtherMethod,
    Nothing,
}

/// A request that may be done.
pub(super) struct Call {
    /// Who makes it, for the audit trail.
    pub(super) actor: Actor,
    pub(super) operation: Operation,
    /// The part of the path that is a parameter.
    pub(super) parameter: String,
    pub(super) head: Parts,
    /// When it came.
    pub(super) now: Timestamp,
    /// Below what it is done, where somebody traces it.
    pub(super) trace: Option<TraceContext>,
}

impl Api {
    pub(super) fn new(setup: Setup) -> Self {
        let Options {
            retry,
            test_resource,
        } = setup.options;
        Self {
            gatherer: Gatherer::new(Arc::clone(&setup.bank), setup.figures),
            bank: setup.bank,
            readiness: setup.readiness,
            retry,
            test_resource,
            operators: setup.operators,
            long_reads: Arc::new(Semaphore::new(LONG_READS_MAX)),
            tasks: setup.tasks,
        }
    }

    /// Answers a request, whatever happens.
    pub(super) async fn serve(
        &self,
        matched: Matched,
        parameter: String,
        request: Request,
    ) -> Response {
        let (head, body) = request.into_parts();
        let mut record = Record::begin(&self.bank, matched, &head);
        let walked = caught(self.walk(matched, parameter, head, body, &mut record)).await;
        let outcome = walked.unwrap_or_else(|panic| Err(Problem::Broken(panic)));
        record.leave(&self.bank, outcome)
    }

    async fn walk(
        &self,
        matched: Matched,
        parameter: String,
        head: Parts,
        body: Body,
        record: &mut Record,
    ) -> Result<Answer, Problem> {
        let route = match matched {
            Matched::Route(route) => route,
            Matched::OtherMethod => return Err(Problem::MethodNotAllowed),
            Matched::Nothing => return Err(Problem::NotFound("nothing is served at this path")),
        };
        let now = self.bank.clock.now();
        let actor = self.admit(route.access, &head, now, record)?;
        let call = Call {
            actor,
            operation: route.operation,
            parameter,
            head,
            now,
            trace: record.trace().cloned(),
        };
        self.perform(route, call, body).await
    }

    /// Does what a caller may do that was let in.
    pub(super) async fn perform(
        &self,
        route: &Route,
        call: Call,
        body: Body,
    ) -> Result<Answer, Problem> {
        // Probes and scrapers add what they like.
        if route.access != Access::Anyone && route.operation.parameters().is_empty() {
            call.query().checked(())?;
        }
        match route.operation {
            Operation::PublishEvents => self.publish_events(&call, body).await,
            Operation::ListEvents => self.list_events(&call).await,
            Operation::ReadEvent => self.read_event(&call).await,
            Operation::WithdrawEvent => self.withdraw_event(&call).await,
            Operation::PushEventAgain => self.push_event_again(&call).await,
            Operation::SendTestEvent => self.send_test_event(&call, body).await,
            Operation::ListEndpoints => self.list_endpoints(&call).await,
            Operation::ReadEndpoint => self.read_endpoint(&call).await,
            Operation::PauseEndpoint => self.pause_endpoint(&call).await,
            Operation::ResumeEndpoint => self.resume_endpoint(&call).await,
            Operation::RegisterTpp => self.register_tpp(&call, body).await,
            Operation::ListTpps => self.list_tpps(&call).await,
            Operation::ReadTpp => self.read_tpp(&call).await,
            Operation::ChangeTpp => self.change_tpp(&call, body).await,
            Operation::DisableTpp => self.disable_tpp(&call, body).await,
            Operation::EnableTpp => self.enable_tpp(&call).await,
            Operation::ReadCounts => self.read_counts(&call).await,
            Operation::ReadStatus => self.read_status(&call).await,
            Operation::ListMinutes => self.list_minutes(&call).await,
            Operation::RequeueFailedEvents => self.requeue_failed_events(&call, body).await,
            Operation::ReadRegistrations => self.read_registrations(&call).await,
            Operation::RemoveEventSubscription => self.remove_event_subscription(&call).await,
            Operation::RemoveCallbackUrl => self.remove_callback_url(&call).await,
            Operation::ListAudit => self.list_audit(&call).await,
            Operation::ReadAuditChain => self.read_audit_chain(&call).await,
            Operation::ListAuditHeads => self.list_audit_heads(&call).await,
            Operation::TellLive => Ok(Answer::ok(&serde_json::json!({"status": "live"}))),
            Operation::TellReady => Ok(self.tell_ready(call.now).await),
            Operation::ReadMetrics => Ok(self.read_metrics(&call.head.headers).await),
        }
    }

    /// Who calls, if that is somebody whose role has this. A token counts before a certificate: a gateway's or a mesh's
    /// certificate may stand on every connection.
    fn admit(
        &self,
        access: Access,
        head: &Parts,
        now: Timestamp,
        record: &mut Record,
    ) -> Result<Actor, Problem> {
        if access == Access::Anyone {
            return Ok(Actor::System);
        }
        let operators = Arc::clone(&self.operators.borrow());
        let operator = identify(&operators, head, now)?;
        record.name(&operator.name);
        if access.is_open_to(operator.role) {
            Ok(Actor::Operator(operator.name.clone()))
        } else {
            Err(Problem::Forbidden)
        }
    }

    /// The TPP that the path names.
    pub(super) async fn tpp(&self, call: &Call) -> Result<Tpp, Problem> {
        let client_id = call.client_id()?;
        let tpp = self.bank.store.find_tpp(client_id).await?;
        tpp.ok_or(NO_TPP)
    }
}

impl Call {
    /// The client_id in the path.
    pub(super) fn client_id(&self) -> Result<ClientId, Problem> {
        self.parameter.parse().map_err(|_| NO_TPP)
    }

    /// What was asked for besides.
    pub(super) fn query(&self) -> Query {
        Query::of(&self.head, self.operation.parameters())
    }
}

/// What a task that did not end was stopped by.
pub(super) fn panicked(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => text_of(&*panic),
        Err(error) => error.to_string(),
    }
}

fn identify<'o>(
    operators: &'o Operators,
    head: &Parts,
    now: Timestamp,
) -> Result<&'o Arc<Operator>, Problem> {
    let mut said = head.headers.get_all(AUTHORIZATION).iter();
    match (said.next(), said.next()) {
        (None, _) => {
            let peer = head.extensions.get::<Peer>();
            let certificate = peer.and_then(|peer| peer.certificate.as_deref());
            let known =
                certificate.and_then(|shown| Some((shown, operators.by_certificate(shown)?)));
            match known {
                // It may have expired since the handshake.
                Some((shown, operator)) if shown.is_valid_at(now) => Ok(operator),
                Some(_) => Err(Problem::Unauthenticated(
                    "the client certificate is not valid now",
                )),
                None => Err(Problem::Unauthenticated(
                    "a token is expected: Authorization: Bearer",
                )),
            }
        }
        (Some(one), None) => {
            let token = one.to_str().ok().and_then(|text| text.split_once(' '));
            token
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .and_then(|(_, token)| operators.by_token(token.trim_matches(' ')))
                .ok_or(Problem::Unauthenticated("the token is not known here"))
        }
        (Some(_), Some(_)) => Err(Problem::Unauthenticated("two tokens are one too many")),
    }
}

/// What a path says that names no TPP.
pub(super) const NO_TPP: Problem = Problem::NotFound("no TPP has this client_id");
