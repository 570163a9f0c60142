//! What may come in: bodies of JSON, read no further than they may be, and parameters, each known and said once.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use oyez_domain::fault::{Code, Fault};
use oyez_domain::json::members::{Faults, Members, Place};
use oyez_domain::json::{self, DEPTH_MAX};
use serde_json::{Map, Value};

use super::problem::Problem;

/// Bodies other than those of publishers: the longest hold a key set.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024 + 64 * 1024;

/// Reads a body of JSON as bytes. One that says that it is too long is not begun.
pub(super) async fn bytes(
    body: Body,
    headers: &HeaderMap,
    bytes_max: usize,
) -> Result<Bytes, Problem> {
    if !is_json(headers) {
        return Err(Problem::MediaType);
    }
    let said = headers.get(CONTENT_LENGTH);
    let said = said.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(Problem::TooLarge { bytes_max });
    }
    let collected = Limited::new(body, bytes_max).collect();
    match tokio::time::timeout(BODY_TIME_MAX, collected).await {
        Err(_) => Err(Problem::TooSlow),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::TooLarge { bytes_max }),
        Ok(Err(_)) => Err(Problem::Malformed("the body broke off".to_owned())),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
    }
}

/// Reads a body that is an object, into something or into everything that is wrong with it. No body at all is an object
/// without members: some acts need no words.
pub(super) async fn object<T>(
    body: Body,
    headers: &HeaderMap,
    read: impl FnOnce(&Members<'_>, &mut Faults) -> Option<T>,
) -> Result<T, Problem> {
    let document = if hyper::body::Body::is_end_stream(&body) {
        Value::Object(Map::new())
    } else {
        json::parse(&bytes(body, headers, BODY_BYTES_MAX).await?, DEPTH_MAX)?
    };
    let mut faults = Faults::default();
    let read = Place::document(&document)
        .members(&mut faults)
        .and_then(|members| read(&members, &mut faults));
    Ok(faults.into_result(read)?)
}

/// The parameters of a request.
pub(super) struct Query {
    pairs: Vec<(String, String)>,
    faults: Faults,
}

impl Query {
    /// Those of this request; others than these are faults, and so is one that is said twice.
    pub(super) fn of(head: &Parts, known: &[&str]) -> Self {
        let said = head.uri.query().unwrap_or_default();
        let mut faults = Faults::default();
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(said.as_bytes()) {
            if !known.contains(&&*name) {
                let fault = Fault::new(Code::FieldUnexpected, "no such parameter is known here");
                faults.push(fault.at(name));
            } else if pairs.iter().any(|(other, _)| *other == name) {
                faults.invalid(&name, "this parameter is said twice");
            } else {
                pairs.push((name.into_owned(), value.into_owned()));
            }
        }
        Self { pairs, faults }
    }

    /// A parameter that is fit to be what it names.
    pub(super) fn optional<T>(&mut self, name: &str) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        self.parsed(name, T::from_str)
    }

    /// The same, by a function.
    pub(super) fn parsed<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let (_, value) = self.pairs.iter().find(|(known, _)| known == name)?;
        parse(value)
            .map_err(|error| self.faults.invalid(name, error.to_string()))
            .ok()
    }

    /// `limit`: how many rows.
    pub(super) fn rows_max(&mut self) -> u32 {
        let parse = |text: &str| rows(text.parse().unwrap_or(0));
        self.parsed("limit", parse).unwrap_or(ROWS_DEFAULT)
    }

    /// What was read, if nothing was wrong.
    pub(super) fn checked<T>(self, read: T) -> Result<T, Problem> {
        Ok(self.faults.into_result(Some(read))?)
    }
}

/// A number of rows that may be asked for.
pub(super) fn rows(wanted: i64) -> Result<u32, &'static str> {
    u32::try_from(wanted)
        .ok()
        .filter(|rows| (1..=ROWS_MAX).contains(rows))
        .ok_or("a whole number from 1 to 1000 is expected")
}

fn is_json(headers: &HeaderMap) -> bool {
    let said = headers.get(CONTENT_TYPE);
    let said = said.and_then(|value| value.to_str().ok());
    let bare = said.map(|value| value.split(';').next().unwrap_or_default().trim());
    bare.is_some_and(|bare| bare.eq_ignore_ascii_case("application/json"))
        && !headers.contains_key(CONTENT_ENCODING)
}

/// A body within the bounds takes that long at 300 KiB a second, inside the bank's own network.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// What fits a screen, or a script's page.
const ROWS_DEFAULT: u32 = 100;
/// What the ledger gives at most.
const ROWS_MAX: u32 = 1000;
