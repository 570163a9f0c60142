//! Security event tokens, verified: the signature against the bank's keys, the header in any of the three profiles
//! (T-07), the claims, and that the token is from this bank and for us.
//!
//! Strict in what could be an attack, lenient in what is only new: claims and members beyond the standard's are passed over.
//! Whether a token was seen before is for whoever takes it over.

use std::sync::Arc;

use oyez_domain::claims::{self, Claims, Expected};
use oyez_domain::fault::Fault;
use oyez_domain::ledger::poll::SetError;
use oyez_domain::rules::Rules;
use oyez_domain::time::{Clock, Timestamp};
use oyez_jose::compact::{self, Compact, Verifier};
use oyez_jose::open_banking::ISS;
use oyez_jose::{Header, Jwks};

use crate::bank::Identity;
use crate::keys::{BankKeys, KeysError, Unproven};
use crate::signer::jose_time;

/// Verifies the SETs that one bank sends to one TPP.
#[derive(Clone)]
pub struct SetVerifier {
    header: Verifier,
    issuer: String,
    audience: String,
    rules: Arc<Rules>,
    keys: BankKeys,
    clock: Arc<dyn Clock>,
}

/// A SET that may be believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// What it says.
    pub claims: Claims,
    /// How it was signed.
    pub header: Header,
}

/// Why a SET is not believed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum VerifyError {
    /// It is no signed token, or its header or signature is not to be believed.
    #[error(transparent)]
    Token(#[from] compact::Error),
    /// There are no keys to verify it with: nothing is wrong with the SET, and it is worth another try.
    #[error("it cannot be verified now")]
    Keys(#[source] Arc<KeysError>),
    /// Its claims are not those of a SET of the standard.
    #[error("the claims are not those of an event: {}", list(.0))]
    Claims(Vec<Fault>),
    /// `iss` is somebody else.
    #[error("`iss` is `{found}`, which is not this bank")]
    Issuer {
        /// What it says.
        found: String,
    },
    /// `aud` is somebody else: it was not meant for us.
    #[error("`aud` is `{found}`, which is not us")]
    Audience {
        /// What it says.
        found: String,
    },
    /// `iat` lies further in the future than clocks differ.
    #[error("`iat` {iat} is in the future")]
    FromTheFuture {
        /// What it says.
        iat: Timestamp,
    },
    /// It was handed out under another jti than it has.
    #[error("`jti` is `{found}`, not the one it was handed out under")]
    OtherJti {
        /// What it says.
        found: String,
    },
}

impl SetVerifier {
    /// For SETs of `bank` to the client `audience`.
    pub fn new(
        bank: &Identity,
        audience: impl Into<String>,
        rules: Arc<Rules>,
        keys: BankKeys,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            header: Verifier::sets()
                .issuers([&bank.org_id])
                .trust_anchors(&bank.trust_anchors),
            issuer: bank.set_issuer.clone(),
            audience: audience.into(),
            rules,
            keys,
            clock,
        }
    }

    /// The `iss` of this bank's SETs.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Verifies one, fetching keys when it must.
    pub async fn verify(&self, set: &str) -> Result<Verified, VerifyError> {
        let now = self.clock.now();
        let parse = || Compact::parse(set).map_err(compact::Error::from);
        let mut parsed = Some(parse()?);
        let verify = |keys: &Jwks| {
            // Verifying takes the token; a second time, with newer keys, is rare.
            let token = parsed.take().map_or_else(parse, Ok)?;
            self.header.verify(token, keys, jose_time(now))
        };
        let proof = self
            .keys
            .prove(verify, compact::Error::is_unknown_key)
            .await;
        let proven = proof.map_err(|unproven| match unproven {
            Unproven::Keys(error) => VerifyError::Keys(error),
            Unproven::Refused(error) => VerifyError::Token(error),
        })?;
        let claims = claims::read(&self.rules, &proven.payload).map_err(VerifyError::Claims)?;
        self.expect(&claims, now)?;
        Ok(Verified {
            claims,
            header: proven.header,
        })
    }

    /// The same for one that was handed out under a jti.
    pub(crate) async fn verify_as(&self, jti: &str, set: &str) -> Result<Verified, VerifyError> {
        let verified = self.verify(set).await?;
        if verified.claims.jti == jti {
            Ok(verified)
        } else {
            Err(VerifyError::OtherJti {
                found: verified.claims.jti,
            })
        }
    }

    fn expect(&self, claims: &Claims, now: Timestamp) -> Result<(), VerifyError> {
        let meets = |expected: Expected<'_>| expected.faults(claims).is_empty();
        let nothing = Expected::default();
        if !meets(Expected {
            iss: Some(&self.issuer),
            ..nothing
        }) {
            let found = claims.iss.clone();
            return Err(VerifyError::Issuer { found });
        }
        if !meets(Expected {
            aud: Some(&self.audience),
            ..nothing
        }) {
            let found = claims.aud.clone();
            return Err(VerifyError::Audience { found });
        }
        if !meets(Expected {
            now: Some(now),
            ..nothing
        }) {
            return Err(VerifyError::FromTheFuture { iat: claims.iat });
        }
        Ok(())
    }
}

impl VerifyError {
    /// What to tell the bank of it (`setErrs`, or the body of a 400): a code of the IANA registry "Security Event Token Error
    /// Codes" and a description. `None` when the bank is not to blame and should offer the SET again.
    pub fn report(&self) -> Option<SetError> {
        let err = match self {
            Self::Keys(_) => return None,
            Self::Token(compact::Error::Claim { name, .. }) if *name == ISS => "invalid_issuer",
            Self::Issuer { .. } => "invalid_issuer",
            Self::Audience { .. } => "invalid_audience",
            Self::Token(compact::Error::Key { .. } | compact::Error::NoKid) => "invalid_key",
            Self::Token(compact::Error::Signature) => "authentication_failed",
            Self::Token(_)
            | Self::Claims(_)
            | Self::FromTheFuture { .. }
            | Self::OtherJti { .. } => "invalid_request",
        };
        Some(SetError::of(err, &self.to_string()))
    }
}

fn list(faults: &[Fault]) -> String {
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    texts.join("; ")
}
