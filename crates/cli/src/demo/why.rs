//! Why a step of the story failed, in words.

use std::error::Error;

use oyez_domain::error_chain::chain;
use oyez_tpp::{Answer, Authenticity, Refused};

use crate::internal_client::CallError;

/// What went wrong. Any error can become one, with the chain of its causes.
#[derive(Debug)]
pub(super) struct Why(pub(super) String);

impl<E: Error> From<E> for Why {
    fn from(error: E) -> Self {
        Self(chain(&error))
    }
}

/// What holds, or the story ends.
pub(super) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Why> {
    if holds { Ok(()) } else { Err(Why(otherwise())) }
}

/// Two things that must be the same.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), Why> {
    ensure(found == expected, || {
        format!("{what}: {expected:?} was expected, and it is {found:?}")
    })
}

/// Why a call of the internal API did not work, in one line.
pub(super) fn told(error: &CallError) -> Why {
    Why(error.brief())
}

/// A refusal with this status and, where it has one, this code.
pub(super) fn refused<T>(
    result: Result<Answer<T>, oyez_tpp::Error>,
    status: u16,
    code: Option<&str>,
) -> Result<Box<Refused>, Why> {
    let refused = match result {
        Ok(answer) => return Err(Why(format!("it was answered with {}", answer.status))),
        Err(oyez_tpp::Error::Refused(refused)) => refused,
        Err(error) => return Err(error.into()),
    };
    ensure(refused.status == status, || {
        format!("{status} was expected: {refused}")
    })?;
    if let Some(code) = code {
        ensure(refused.has(code), || {
            format!("{code} was expected: {refused}")
        })?;
    }
    Ok(refused)
}

/// It is the bank's word.
pub(super) fn signed(refused: &Refused) -> Result<(), Why> {
    ensure(matches!(refused.authenticity, Authenticity::Signed), || {
        format!("the refusal is not signed: {refused}")
    })
}
