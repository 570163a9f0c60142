//! The way of a request, in the one order there is (G-12).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::response::Response;
use oyez_domain::version::ApiVersion;
use oyez_domain::versions::{B64Form, Row};
use oyez_jose::Form;
use oyez_outbound::{Bytes, Resolve};

use super::answer::Answer;
use super::caller::Caller;
use super::developer::{Developer, wants_page};
use super::rates::{Rates, Share};
use super::record::Record;
use super::refusal::Refusal;
use super::registrations::Change;
use super::routes::{Act, Operation, Route, path_of};
use super::signatures::{StoredKeys, form_emitted, form_of};
use super::signer::Signer;
use super::{Options, PsuHeaders, Setup, body, headers};
use crate::Bank;
use crate::metrics::NO_OPERATION;
use crate::panics::caught;
use crate::polling::Desk;
use crate::remote_keys::RemoteKeys;
use crate::tokens::ValidateTokens;

/// Everything that requests are answered with.
pub(super) struct Api {
    pub(super) bank: Arc<Bank>,
    pub(super) tokens: Arc<dyn ValidateTokens>,
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) options: Options,
    pub(super) rates: Rates,
    pub(super) share: Arc<Share>,
    pub(super) remote_keys: Arc<RemoteKeys>,
    pub(super) stored_keys: StoredKeys,
    pub(super) signer: Signer,
    pub(super) desk: Desk,
    pub(super) developer: Developer,
    /// Where event types are explained (S-09).
    pub(super) catalogue_url: String,
    /// Of the base URL: versions are looked for below it as well (G-01).
    base_path: String,
}

/// What the router made of method and path.
pub(super) enum Matched {
    Route(Route),
    OtherMethod {
        api: Option<ApiVersion>,
        allowed: String,
    },
    Nothing,
}

impl Api {
    pub(super) fn new(setup: Setup) -> Self {
        let base_url = &setup.bank.identity.base_url;
        Self {
            catalogue_url: format!("{base_url}/developer#event-types"),
            base_path: path_of(base_url),
            rates: Rates::default(),
            share: setup.share,
            remote_keys: setup.tpp_keys,
            stored_keys: StoredKeys::new(),
            signer: Signer::new(Arc::clone(&setup.bank)),
            desk: Desk::from(&*setup.bank),
            developer: Developer::new(&setup.bank, &setup.options, setup.developer),
            bank: setup.bank,
            tokens: setup.tokens,
            resolver: setup.resolver,
            options: setup.options,
        }
    }

    /// Answers a request, whatever happens.
    pub(super) async fn serve(&self, matched: &Matched, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let mut record = Record::begin(&self.bank, matched.name(), &head);
        record.form = self.form(matched, &head, None);
        record.shows_page = matched.is_status() && wants_page(&head.headers);
        let walked = self.walk(matched, head, body, &mut record);
        let walked = caught(walked).await;
        let outcome = walked.unwrap_or_else(|panic| Err(Refusal::Broken(panic)));
        self.leave(matched, record, outcome).await
    }

    /// The row whose error model answers; a retired version borrows that of the oldest served.
    pub(super) fn row(&self, matched: &Matched) -> Option<&Row> {
        let api = match matched {
            // It is of no version, and speaks as the newest.
            Matched::Route(route) if route.operation == Operation::ReadStatus => {
                return Some(self.bank.rules.versions.newest());
            }
            Matched::Route(route) => route.api,
            Matched::OtherMethod { api, .. } => *api,
            Matched::Nothing => None,
        };
        api.and_then(|api| self.bank.rules.versions.row(api))
    }

    /// How the answer is to be signed, if it is: as the request is, or else as the caller wants it (M-04).
    fn form(&self, matched: &Matched, head: &Parts, wanted: Option<B64Form>) -> Option<Form> {
        let Matched::Route(Route { operation, .. }) = matched else {
            return None;
        };
        let row = self.row(matched).filter(|_| operation.gives_signatures())?;
        let of_request = operation
            .takes_signatures()
            .then(|| form_of(row, &head.headers));
        Some(of_request.flatten().unwrap_or(form_emitted(row, wanted)))
    }

    async fn walk(
        &self,
        matched: &Matched,
        head: Parts,
        body: Body,
        record: &mut Record,
    ) -> Result<Answer, Refusal> {
        let route = match matched {
            Matched::Route(route) => route,
            Matched::OtherMethod { allowed, .. } => {
                let allowed = allowed.clone();
                return Err(Refusal::MethodNotAllowed { allowed });
            }
            Matched::Nothing if self.is_retired(head.uri.path()) => return Err(Refusal::Retired),
            Matched::Nothing => return Err(Refusal::NotFound),
        };
        let operation = route.operation;
        let (Some(opens), Some(row)) = (operation.opens(), self.row(matched)) else {
            return self.public(route, &head).await;
        };
        let caller = self.identify(row, opens, &head, record).await?;
        if operation == Operation::ReadStatus {
            return self.status(&caller, &head.headers).await;
        }
        let wanted = caller.tpp.profile.overrides.signature_form;
        record.form = self.form(matched, &head, wanted);
        let body = self
            .take_in(operation, row, &caller, &head, body, record)
            .await?;
        let change = Change {
            row,
            caller: &caller,
            path: head.uri.path(),
            body: &body,
        };
        match operation {
            Operation::Register(kind, Act::List) => self.list(kind, row, &caller).await,
            Operation::Register(kind, Act::Create) => self.create(kind, change).await,
            Operation::Register(kind, Act::Replace) => self.replace(kind, change).await,
            Operation::Register(kind, Act::Delete) => self.delete(kind, change).await,
            Operation::PollEvents => {
                let ask = self.ask(row, &caller, &body, &record.interaction_id)?;
                // A poll may wait, and thousands do: what it was made of is given back first.
                drop((head, caller, body));
                self.poll(row, ask).await
            }
            _ => self.public(route, &head).await,
        }
    }

    /// What is open to all.
    async fn public(&self, route: &Route, head: &Parts) -> Result<Answer, Refusal> {
        match route.operation {
            Operation::ReadKeySet => Ok(self.key_set(&head.headers)),
            Operation::ReadDeveloperPage => Ok(self.developer_page(&head.headers).await),
            Operation::ReadPolicy => Ok(self.policy(&head.headers).await),
            Operation::ReadDescription => self.description(route.api, &head.headers),
            Operation::ReadAsset => self.asset(head.uri.path()),
            Operation::Register(..) | Operation::PollEvents | Operation::ReadStatus => {
                Err(Refusal::NotFound)
            }
        }
    }

    /// What came with a request, once it was found fit to be read: media types, other headers, size, signature. Nothing is
    /// done that the bank could not sign the answer to.
    async fn take_in(
        &self,
        operation: Operation,
        row: &Row,
        caller: &Caller,
        head: &Parts,
        body: Body,
        record: &Record,
    ) -> Result<Bytes, Refusal> {
        headers::check_media_types(operation, &head.headers)?;
        self.check_psu_headers(head, record)?;
        let body = if operation.reads_a_body() {
            body::read(body, &head.headers).await?
        } else {
            Bytes::new()
        };
        if operation.takes_signatures() {
            self.check_signature(row, caller, &head.headers, &body)
                .await?;
        }
        if operation.gives_signatures() {
            let signable = self.signer.check();
            signable.map_err(|error| Refusal::Unavailable(error.to_string()))?;
        }
        Ok(body)
    }

    /// Whether a path lies below a version that was served once.
    fn is_retired(&self, path: &str) -> bool {
        let versions = &self.bank.rules.versions;
        let below = path.strip_prefix(self.base_path.as_str()).unwrap_or(path);
        let mut segments = below.split('/').skip(1);
        let prefix = segments.next().unwrap_or_default();
        let api = segments.next().and_then(|segment| segment.parse().ok());
        let is_ours = |row: &Row| row.market.path_prefix == prefix;
        versions.rows().iter().any(is_ours) && api.is_some_and(|api| versions.is_retired(api))
    }

    /// They mean nothing here, so that only the strict answer for them (G-03).
    fn check_psu_headers(&self, head: &Parts, record: &Record) -> Result<(), Refusal> {
        let faults = headers::psu_faults(&head.headers);
        if faults.is_empty() {
            return Ok(());
        }
        match self.options.psu_headers {
            PsuHeaders::Checked => Err(Refusal::Faulty(faults)),
            PsuHeaders::Ignored => {
                record.note_ignored(&faults);
                Ok(())
            }
        }
    }
}

impl Matched {
    fn is_status(&self) -> bool {
        matches!(self, Self::Route(route) if route.operation == Operation::ReadStatus)
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Route(route) => route.operation.id(),
            Self::OtherMethod { .. } | Self::Nothing => NO_OPERATION,
        }
    }
}
