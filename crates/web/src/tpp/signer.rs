//! The bank's signatures over answers (M-04), and samples. A signature with a key in memory is a millisecond of computing, which is done
//! off the threads that serve everybody; with a key in a device it is waiting.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use oyez_domain::tpp::HeaderProfile;
use oyez_jose::key_set::BankKey;
use oyez_jose::{Form, HeaderTemplate, SignError, UnixTime};
use oyez_outbound::Bytes;
use tokio::sync::Semaphore;

use crate::Bank;

/// Signs answers.
pub(super) struct Signer {
    bank: Arc<Bank>,
    /// Signatures being made.
    places: Arc<Semaphore>,
}

/// Why an answer has no signature.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsigned {
    #[error("no key of the bank may sign now")]
    NoKey,
    #[error("a signature took longer than it may")]
    TooSlow,
    #[error("signing broke off")]
    BrokenOff,
    #[error("signing")]
    Failed(#[from] SignError),
}

impl Signer {
    pub(super) fn new(bank: Arc<Bank>) -> Self {
        let threads = std::thread::available_parallelism();
        let places = threads.map_or(1, std::num::NonZero::get);
        Self {
            bank,
            places: Arc::new(Semaphore::new(places)),
        }
    }

    /// Whether there is a key to sign with: asked before anything is changed, so that nothing is changed that cannot be
    /// confirmed.
    pub(super) fn check(&self) -> Result<(), Unsigned> {
        self.key().map(drop)
    }

    /// The value of `x-jws-signature` for a body.
    pub(super) async fn sign(&self, body: Bytes, form: Form) -> Result<HeaderValue, Unsigned> {
        let key = self.key()?;
        let header = key.detached_header(form, &self.bank.identity.signatory);
        let text = self.in_time(key, header, body).await?;
        Ok(HeaderValue::try_from(text).expect("base64url and dots are ASCII"))
    }

    /// A SET that the ledger knows nothing of: a sample.
    pub(super) async fn sign_set(
        &self,
        claims: Bytes,
        profile: HeaderProfile,
    ) -> Result<String, Unsigned> {
        let key = self.key()?;
        let header = key.set_header(profile, &self.bank.identity.signatory);
        self.in_time(key, header, claims).await
    }

    async fn in_time(
        &self,
        key: Arc<BankKey>,
        header: HeaderTemplate,
        payload: Bytes,
    ) -> Result<String, Unsigned> {
        let signing = self.signed(key, header, payload);
        let signed = tokio::time::timeout(SIGNING_MAX, signing).await;
        signed.unwrap_or(Err(Unsigned::TooSlow))
    }

    fn key(&self) -> Result<Arc<BankKey>, Unsigned> {
        let keys = self.bank.keys.borrow();
        let key = keys.signing_at(self.now());
        key.map(Arc::clone).ok_or(Unsigned::NoKey)
    }

    async fn signed(
        &self,
        key: Arc<BankKey>,
        header: HeaderTemplate,
        payload: Bytes,
    ) -> Result<String, Unsigned> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| Unsigned::BrokenOff)?;
        let now = self.now();
        if key.signer().local().is_none() {
            let input = header.signing_input(&payload, now);
            return Ok(input.sign(key.signer()).await?);
        }
        // The place is given back when the thread is done, also where nobody waits for it any more.
        let work = move || {
            let _place = place;
            let input = header.signing_input(&payload, now);
            match key.signer().local() {
                Some(local) => input.sign_now(local).map_err(Unsigned::from),
                None => Err(Unsigned::BrokenOff),
            }
        };
        let signed = tokio::task::spawn_blocking(work).await;
        signed.unwrap_or(Err(Unsigned::BrokenOff))
    }

    fn now(&self) -> UnixTime {
        UnixTime::from_milliseconds(self.bank.clock.now().unix_ms())
    }
}

/// From the queue for a place to the signature: some thousand times what one takes, and less than a client's patience.
const SIGNING_MAX: Duration = Duration::from_secs(5);
