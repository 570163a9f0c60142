//! The developer pages over HTTP (W-01 … W-04): what is rendered, with tags, so that whoever has it need not fetch it again.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::header::{ACCEPT, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use oyez_domain::version::ApiVersion;
use oyez_outbound::Bytes;

use super::answer::Answer;
use super::api::Api;
use super::caller::Caller;
use super::key_set::is_known;
use super::refusal::Refusal;
use super::{Options, SignaturePolicy, routes};
use crate::Bank;
use crate::developer::{self, Document, Facts, Found, Rendered, Shelf, Status, samples};
use crate::openapi::{self, Signatures};
use crate::pages::{Assets, IMMUTABLE, page_headers};

/// Everything that these pages are made with.
pub(super) struct Developer {
    pub(super) options: developer::Options,
    assets: Assets,
    shelf: Shelf,
    /// The API in OpenAPI, by version.
    descriptions: BTreeMap<ApiVersion, Document>,
}

impl Developer {
    pub(super) fn new(bank: &Bank, api: &Options, options: developer::Options) -> Self {
        let (rules, base_url) = (&bank.rules, &bank.identity.base_url);
        let served = routes(rules, api.features);
        let descriptions = rules.versions.rows().iter().map(|row| {
            let facts = openapi::Facts {
                row,
                base_url,
                token_url: options.token_url.as_deref(),
                signatures: match api.signatures {
                    SignaturePolicy::Required => Signatures::Required,
                    SignaturePolicy::IfPresent | SignaturePolicy::Off => Signatures::Optional,
                },
            };
            let document = format!("{:#}", openapi::tpp(facts, &served));
            (row.api, Document::new(document))
        });
        Self {
            assets: Assets::new(&options.brand),
            shelf: Shelf::default(),
            descriptions: descriptions.collect(),
            options,
        }
    }
}

impl Api {
    /// `/developer`.
    pub(super) async fn developer_page(&self, request: &HeaderMap) -> Answer {
        let rendered = self.rendered().await;
        let headers = page_headers(PAGE, REVALIDATED);
        document(headers, request, &rendered.page)
    }

    /// `/developer/policy.json`. Pages of others may read it too.
    pub(super) async fn policy(&self, request: &HeaderMap) -> Answer {
        let rendered = self.rendered().await;
        document(data_headers(), request, &rendered.policy)
    }

    /// `/developer/openapi/{version}.json`.
    pub(super) fn description(
        &self,
        api: Option<ApiVersion>,
        request: &HeaderMap,
    ) -> Result<Answer, Refusal> {
        let found = api.and_then(|api| self.developer.descriptions.get(&api));
        let found = found.ok_or(Refusal::NotFound)?;
        Ok(document(data_headers(), request, found))
    }

    /// `/developer/assets/{name}`.
    pub(super) fn asset(&self, path: &str) -> Result<Answer, Refusal> {
        let name = path.rsplit('/').next().unwrap_or_default();
        let asset = self.developer.assets.find(name).ok_or(Refusal::NotFound)?;
        let mut answer = Answer::new(StatusCode::OK.as_u16(), asset.bytes.clone());
        answer.headers = page_headers(asset.content_type, IMMUTABLE);
        Ok(answer)
    }

    /// `/developer/status`: a page for browsers, JSON for everybody else.
    pub(super) async fn status(
        &self,
        caller: &Caller,
        request: &HeaderMap,
    ) -> Result<Answer, Refusal> {
        let status = Status::read(&self.bank, &caller.tpp, self.bank.clock.now()).await?;
        let (text, content_type) = if wants_page(request) {
            let (brand, assets) = (&self.developer.options.brand, &self.developer.assets);
            (
                developer::status_page(&status, brand, assets).into_string(),
                PAGE,
            )
        } else {
            (status.to_json(), DATA)
        };
        let mut answer = Answer::new(StatusCode::OK.as_u16(), text);
        answer.headers = page_headers(content_type, NOT_KEPT);
        answer
            .headers
            .insert(VARY, HeaderValue::from_static("Accept, Authorization"));
        Ok(answer)
    }

    /// The same refusal, for people.
    pub(super) fn refused_page(&self, mut answer: Answer, refusal: &Refusal) -> Answer {
        let why = match refusal {
            // Fixed texts, without anything that was sent.
            Refusal::Unauthenticated(_) | Refusal::Forbidden(_) => refusal.to_string(),
            Refusal::TooOften { .. } => "you ask too often".to_owned(),
            _ => "it cannot be read now".to_owned(),
        };
        let (brand, assets) = (&self.developer.options.brand, &self.developer.assets);
        let page = developer::refused_page(&why, brand, assets);
        answer.body = Bytes::from(page.into_string());
        answer.headers.extend(page_headers(PAGE, NOT_KEPT));
        answer
    }

    async fn rendered(&self) -> Arc<Rendered> {
        let facts = Facts {
            rules: &self.bank.rules,
            identity: &self.bank.identity,
            api: &self.options,
            developer: &self.developer.options,
        };
        let keys = Arc::clone(&self.bank.keys.borrow());
        let now = self.bank.clock.now();
        let vacant = match self.developer.shelf.find(&keys, now).await {
            Found::Kept(rendered) => return rendered,
            Found::Vacant(vacant) => vacant,
        };
        let mut samples = samples(facts.rules, facts.identity, now);
        for sample in &mut samples {
            let claims = Bytes::from(sample.claims.clone());
            let signed = self.signer.sign_set(claims, self.options.header_profile);
            sample.set = signed.await.ok();
        }
        vacant.fill(facts, &self.developer.assets, &samples)
    }
}

fn data_headers() -> HeaderMap {
    let mut headers = page_headers(DATA, REVALIDATED);
    let everybody = HeaderValue::from_static("*");
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, everybody);
    headers
}

/// The document, or that it is known.
fn document(mut headers: HeaderMap, request: &HeaderMap, document: &Document) -> Answer {
    let known = is_known(request, &document.tag);
    let mut answer = if known {
        headers.remove(CONTENT_TYPE);
        Answer::new(StatusCode::NOT_MODIFIED.as_u16(), "")
    } else {
        Answer::new(StatusCode::OK.as_u16(), document.body.clone())
    };
    let tag = HeaderValue::try_from(&document.tag).expect("base64url is ASCII");
    headers.insert(ETAG, tag);
    answer.headers = headers;
    answer
}

/// Whether a browser asks.
pub(super) fn wants_page(request: &HeaderMap) -> bool {
    let accepted = request.get_all(ACCEPT).iter();
    let mut ranges = accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    ranges.any(|range| {
        range
            .split(';')
            .next()
            .is_some_and(|name| name.trim() == "text/html")
    })
}

const PAGE: &str = "text/html; charset=utf-8";
const DATA: &str = "application/json; charset=utf-8";
/// It is one TPP's own.
const NOT_KEPT: &str = "no-store";
/// Kept, and asked for again each time: a key may have come.
const REVALIDATED: &str = "no-cache";
