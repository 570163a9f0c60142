//! From a job to what is signed: the claims, the key of the moment, and that key's header.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use oyez_domain::claims::{self, Issue};
use oyez_domain::rules::Rules;
use oyez_domain::time::{Clock, Timestamp};
use oyez_domain::tpp::HeaderProfile;
use oyez_jose::key_set::{BankKey, KeySet};
use oyez_jose::{HeaderTemplate, SigningInput, UnixTime};
use tokio::sync::watch;

use crate::job::Job;
use crate::{Error, Identity};

/// What the signing threads share.
pub(crate) struct Signer {
    pub(crate) rules: Arc<Rules>,
    pub(crate) identity: Identity,
    pub(crate) keys: watch::Receiver<Arc<KeySet>>,
    pub(crate) clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Keys that the ledger refused, though our set may still believe in them. No longer than the bank's list of keys.
    disowned: BTreeSet<String>,
    /// The headers of the key that signed last.
    headers: Option<Arc<Headers>>,
}

/// The encoded headers of one key, by profile.
struct Headers {
    key: Arc<BankKey>,
    open_banking: HeaderTemplate,
    jwt: HeaderTemplate,
    rfc8417: HeaderTemplate,
}

/// A SET without its signature, and the key that is to make it.
pub(crate) struct Unsigned {
    pub(crate) key: Arc<BankKey>,
    pub(crate) input: SigningInput,
}

impl Signer {
    pub(crate) fn new(
        rules: Arc<Rules>,
        identity: Identity,
        keys: watch::Receiver<Arc<KeySet>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            rules,
            identity,
            keys,
            clock,
            state: Mutex::default(),
        }
    }

    /// Makes the claims of this moment and chooses the key that may sign at it.
    pub(crate) fn prepare(&self, job: &Job) -> Result<Unsigned, Error> {
        let now = self.clock.now();
        let headers = self.headers(now).ok_or(Error::NoKey)?;
        let issue = Issue {
            iss: &self.identity.iss,
            jti: job.jti,
            iat: now,
            base_url: &self.identity.base_url,
        };
        let claims = claims::build(&self.rules, &issue, &job.notice)?;
        let header = match job.order.profile {
            HeaderProfile::OpenBanking => &headers.open_banking,
            HeaderProfile::Jwt => &headers.jwt,
            HeaderProfile::Rfc8417 => &headers.rfc8417,
        };
        Ok(Unsigned {
            key: Arc::clone(&headers.key),
            input: header.signing_input(&claims, unix(now)),
        })
    }

    /// Whether what this key signed can be verified by those who look for it now.
    pub(crate) fn vouches_for(&self, kid: &str, now: Timestamp) -> bool {
        let keys = Arc::clone(&self.keys.borrow());
        keys.published_at(unix(now)).any(|key| key.kid() == kid)
    }

    /// The ledger keeps nothing of this key's any more.
    pub(crate) fn disown(&self, kid: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.disowned.insert(kid.to_owned());
    }

    fn headers(&self, now: Timestamp) -> Option<Arc<Headers>> {
        let keys = Arc::clone(&self.keys.borrow());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let key = keys.signing_at_without(unix(now), &state.disowned)?;
        match &state.headers {
            Some(headers) if Arc::ptr_eq(&headers.key, key) => Some(Arc::clone(headers)),
            _ => {
                let headers = Arc::new(self.encode(key));
                state.headers = Some(Arc::clone(&headers));
                Some(headers)
            }
        }
    }

    fn encode(&self, key: &Arc<BankKey>) -> Headers {
        let header = |profile| key.set_header(profile, &self.identity.signatory);
        Headers {
            key: Arc::clone(key),
            open_banking: header(HeaderProfile::OpenBanking),
            jwt: header(HeaderProfile::Jwt),
            rfc8417: header(HeaderProfile::Rfc8417),
        }
    }
}

fn unix(moment: Timestamp) -> UnixTime {
    UnixTime::from_milliseconds(moment.unix_ms())
}
