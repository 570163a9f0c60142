//! How answers leave, good and bad: the one place that writes status, headers, error bodies and the log (G-02, G-05, G-06).

use axum::body::Body;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, DATE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use jiff::fmt::rfc2822::DateTimePrinter;
use oyez_domain::error_chain::chain;
use oyez_domain::fault::{self, Fault};
use oyez_domain::ids::InteractionId;
use oyez_domain::time::Timestamp;

use super::answer::Answer;
use super::api::{Api, Matched};
use super::record::{End, INTERACTION_ID, Record};
use super::refusal::Refusal;
use crate::developer::error_anchor;
use oyez_jose::Form;
use oyez_jose::detached::HTTP_HEADER;

impl Api {
    /// Makes the answer out of what came of a request.
    pub(super) async fn leave(
        &self,
        matched: &Matched,
        record: Record,
        outcome: Result<Answer, Refusal>,
    ) -> Response {
        let form = record.form;
        let signed = match outcome {
            Ok(answer) => self.signed(answer, form).await,
            Err(refusal) => Err(refusal),
        };
        let (answer, refused) = match signed {
            Ok(answer) => (answer, None),
            Err(refusal) => {
                let (answer, error_id) = self.refuse(matched, &refusal);
                let answer = self.signed_if_possible(answer, form, &record).await;
                let answer = if record.shows_page {
                    self.refused_page(answer, &refusal)
                } else {
                    answer
                };
                (answer, Some((refusal, error_id)))
            }
        };
        let mut headers = answer.headers;
        self.dress(
            &mut headers,
            &record.interaction_id,
            !answer.body.is_empty(),
        );
        let end = End {
            status: answer.status,
            refusal: refused.as_ref().map(|(refusal, _)| refusal),
            error_id: refused.as_ref().and_then(|(_, id)| id.as_ref()),
        };
        if let Some(line) = record.line(&end, self.bank.clock.now()) {
            self.bank.journal.note(line);
        }
        record.end(&end);
        let mut response = Response::new(Body::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = headers;
        response
    }

    /// A success with the bank's signature. Without it no TPP could rely on it, so there is none to tell of: whoever asks
    /// again learns what was done.
    async fn signed(&self, mut answer: Answer, form: Option<Form>) -> Result<Answer, Refusal> {
        if let Some(form) = form.filter(|_| !answer.body.is_empty()) {
            let signed = self.signer.sign(answer.body.clone(), form).await;
            let signature = signed.map_err(|error| Refusal::Unavailable(chain(&error)))?;
            answer.headers.insert(HTTP_HEADER, signature);
        }
        Ok(answer)
    }

    /// An error with the bank's signature. One that cannot be signed is told all the same.
    async fn signed_if_possible(
        &self,
        mut answer: Answer,
        form: Option<Form>,
        record: &Record,
    ) -> Answer {
        if let Some(form) = form.filter(|_| !answer.body.is_empty()) {
            match self.signer.sign(answer.body.clone(), form).await {
                Ok(signature) => {
                    answer.headers.insert(HTTP_HEADER, signature);
                }
                Err(error) => record.note_unsigned(&chain(&error)),
            }
        }
        answer
    }

    /// A refusal in the words of the version called, and the id of the error where it has a body.
    fn refuse(&self, matched: &Matched, refusal: &Refusal) -> (Answer, Option<InteractionId>) {
        let versions = &self.bank.rules.versions;
        let row = match refusal {
            Refusal::Retired => Some(versions.oldest()),
            _ => self.row(matched),
        };
        let status = refusal.status();
        let id = self.bank.random.interaction_id();
        let faults = refusal
            .faults()
            .into_iter()
            .map(|fault| self.explained(fault))
            .collect::<Vec<_>>();
        let body = row.and_then(|row| fault::render(row, status.as_u16(), &id, &faults));
        let id = body.is_some().then_some(id);
        let mut answer = Answer::new(status.as_u16(), body.unwrap_or_default());
        let realm = &row.unwrap_or(versions.newest()).market.path_prefix;
        let allowed = match refusal {
            Refusal::MethodNotAllowed { allowed } => Some(allowed.clone()),
            _ => None,
        };
        let wait = refusal.retry_after();
        let wait = wait.map(|wait| wait.as_millis().div_ceil(1000).to_string());
        for (name, value) in [
            (ALLOW, allowed),
            (RETRY_AFTER, wait),
            (WWW_AUTHENTICATE, refusal.challenge(realm)),
        ] {
            insert(&mut answer.headers, name, value);
        }
        (answer, id)
    }

    /// With the place on the developer page where it is explained, unless it has one (W-03).
    fn explained(&self, fault: Fault) -> Fault {
        if fault.url.is_some() {
            return fault;
        }
        let (base_url, anchor) = (&self.bank.identity.base_url, error_anchor(fault.code));
        fault.see(format!("{base_url}/developer#{anchor}"))
    }

    /// What every answer has.
    fn dress(&self, headers: &mut HeaderMap, interaction_id: &InteractionId, has_body: bool) {
        let id = HeaderName::from_static(INTERACTION_ID);
        insert(headers, id, Some(interaction_id.to_string()));
        insert(headers, DATE, http_date(self.bank.clock.now()));
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        if has_body {
            headers
                .entry(CONTENT_TYPE)
                .or_insert(HeaderValue::from_static("application/json; charset=utf-8"));
        }
    }
}

/// Values are ours, or were found fit to be sent back; one that is not is left out.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: Option<String>) {
    if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
        headers.insert(name, value);
    }
}

/// RFC 9110's form; `None` for moments outside of its years.
fn http_date(now: Timestamp) -> Option<String> {
    let moment = jiff::Timestamp::from_millisecond(now.unix_ms()).ok()?;
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&moment)
        .ok()
}
