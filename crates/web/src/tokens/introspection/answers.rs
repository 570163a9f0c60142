//! What was answered of late, and what is being asked.

use std::time::Duration;

use oyez_domain::time::Timestamp;

use super::{Holding, Options, Outcome};
use crate::flight::Flight;
use crate::recent::Recent;
use crate::tokens::{AccessToken, TokenError};

/// SHA-256 of a token: whoever reads our memory learns no token.
pub(super) type Digest = [u8; 32];

/// Answers and open questions, each kind within its bound.
pub(super) struct Answers {
    holding: Recent<Digest, Remembered<AccessToken>>,
    refused: Recent<Digest, Remembered<TokenError>>,
    asked: Recent<Digest, Flight<Outcome>>,
    remember: Duration,
    remember_refusal: Duration,
}

/// What is known of a token.
pub(super) enum Known {
    Answered(Outcome),
    Asked(Flight<Outcome>),
}

struct Remembered<T> {
    what: T,
    from: Timestamp,
    until: Timestamp,
}

impl Answers {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            holding: Recent::new(options.answers_max),
            refused: Recent::new(options.answers_max),
            asked: Recent::new(options.questions_max),
            remember: options.remember,
            remember_refusal: options.remember_refusal.min(options.remember),
        }
    }

    pub(super) fn known(&mut self, digest: &Digest, now: Timestamp) -> Option<Known> {
        if let Some(token) = self.holding.get(digest).and_then(|one| one.at(now)) {
            return Some(Known::Answered(Ok(token)));
        }
        if let Some(why) = self.refused.get(digest).and_then(|one| one.at(now)) {
            return Some(Known::Answered(Err(why)));
        }
        let flight = self.asked.get(digest).filter(|flight| !flight.is_over())?;
        Some(Known::Asked(flight.clone()))
    }

    pub(super) fn note_asked(&mut self, digest: Digest, flight: Flight<Outcome>) {
        self.asked.insert(digest, flight);
    }

    pub(super) fn note_answered(
        &mut self,
        digest: Digest,
        outcome: &Result<Holding, TokenError>,
        now: Timestamp,
    ) {
        self.asked.remove(&digest);
        self.holding.remove(&digest);
        match outcome {
            Ok((token, ends_at)) => {
                let until = now + self.remember;
                let remembered = Remembered {
                    what: token.clone(),
                    from: now,
                    until: ends_at.map_or(until, |ends_at| until.min(ends_at)),
                };
                self.holding.insert(digest, remembered);
            }
            Err(TokenError::Unavailable(_)) => {}
            Err(why @ (TokenError::Invalid(_) | TokenError::Expired)) => {
                let remembered = Remembered {
                    what: why.clone(),
                    from: now,
                    until: now + self.remember_refusal,
                };
                self.refused.insert(digest, remembered);
            }
        }
    }
}

impl Known {
    pub(super) async fn outcome(self) -> Outcome {
        match self {
            Self::Answered(outcome) => outcome,
            Self::Asked(flight) => flight.landed().await.unwrap_or_else(|| {
                Err(TokenError::Unavailable(
                    "the question was not asked to the end".to_owned(),
                ))
            }),
        }
    }
}

impl<T: Clone> Remembered<T> {
    /// A clock that was set back makes it unknown, not young.
    fn at(&self, now: Timestamp) -> Option<T> {
        (self.from <= now && now < self.until).then(|| self.what.clone())
    }
}
