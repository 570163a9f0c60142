//! The bank's own keys (M-06). One signs, the next ones are published before they do, retired ones stay published until
//! their last SET is settled. Everything is a pure function of the time that the caller passes: no clock, no timer, so
//! two nodes with the same manifest and the same time agree.
//!
//! **The rule of twice the max-age.** A TPP may hold a copy of the key set for its max-age, and a cache before it may
//! hand one out that is as old again. So no key signs before it has been published for twice that time ([`lead`]).
//! There is no exception for emergencies: whoever wants to be able to drop a compromised key at once keeps a spare one
//! published. While no key may sign, [`KeySet::signing_at`] is `None` and events wait.
//!
//! Absent here: files. The loader passed to [`KeySet::load`] reads them.

mod manifest;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::tpp::HeaderProfile;
use zeroize::Zeroizing;

use crate::header_template::HeaderTemplate;
use crate::jwk::Jwk;
use crate::jwks::Jwks;
use crate::key_error::KeyError;
use crate::local_key::LocalKey;
use crate::public_key::PublicKey;
use crate::sign::Sign;
use crate::signatory::{Form, Signatory};
use crate::unix_time::UnixTime;

pub use manifest::{KeyEntry, KeyState, Manifest, ManifestError, Revocation, RevocationReason};

/// The bank's keys, loaded.
pub struct KeySet {
    manifest: Manifest,
    lead: Duration,
    keys: Vec<Arc<BankKey>>,
}

/// One of the bank's keys: its name and the key, wherever it is.
pub struct BankKey {
    kid: String,
    key: Arc<dyn Sign>,
}

/// Why the keys cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError<E: std::error::Error + 'static> {
    /// The manifest is not sound.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The loader has no bytes for a key.
    #[error("key `{kid}`")]
    Read {
        /// The key.
        kid: String,
        /// What the loader says.
        #[source]
        source: E,
    },
    /// The bytes are no key.
    #[error("key `{kid}`")]
    Key {
        /// The key.
        kid: String,
        /// What is wrong with it.
        #[source]
        source: KeyError,
    },
    /// The key is for another algorithm than the manifest says.
    #[error("key `{kid}` is not for the algorithm that the manifest names")]
    Algorithm {
        /// The key.
        kid: String,
    },
}

/// How long a key is published before it signs, for a key set served with `max_age`.
pub const fn lead(max_age: Duration) -> Duration {
    max_age.saturating_mul(2)
}

impl KeySet {
    /// Loads the keys that are or will be published, from bytes in PEM or JWK that `read` returns. Files of keys that
    /// were revoked or withdrawn by `now` are not asked for: they may be gone. `max_age` is that of the served key set.
    pub fn load<E: std::error::Error>(
        manifest: Manifest,
        max_age: Duration,
        now: UnixTime,
        mut read: impl FnMut(&KeyEntry) -> Result<Zeroizing<Vec<u8>>, E>,
    ) -> Result<Self, LoadError<E>> {
        Self::load_with(manifest, max_age, now, |entry| {
            let kid = || entry.kid.clone();
            let bytes = read(entry).map_err(|source| LoadError::Read { kid: kid(), source })?;
            let key =
                LocalKey::read(bytes).map_err(|source| LoadError::Key { kid: kid(), source })?;
            Ok(Arc::new(key) as Arc<dyn Sign>)
        })
    }

    /// The same for keys of any kind, in an HSM for example.
    pub fn load_with<E: std::error::Error>(
        manifest: Manifest,
        max_age: Duration,
        now: UnixTime,
        mut open: impl FnMut(&KeyEntry) -> Result<Arc<dyn Sign>, LoadError<E>>,
    ) -> Result<Self, LoadError<E>> {
        if let Some(fault) = manifest.faults().into_iter().next() {
            return Err(fault.into());
        }
        let mut keys = Vec::new();
        for entry in &manifest.keys {
            let withdrawn = entry.withdraw_at.is_some_and(|until| until <= now);
            if withdrawn || entry.revoked.is_some() {
                continue;
            }
            let key = open(entry)?;
            if key.public_key().algorithm() != entry.alg {
                return Err(LoadError::Algorithm {
                    kid: entry.kid.clone(),
                });
            }
            keys.push(Arc::new(BankKey {
                kid: entry.kid.clone(),
                key,
            }));
        }
        Ok(Self {
            manifest,
            lead: lead(max_age),
            keys,
        })
    }

    /// What is known of the keys.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The key that signs at `now`; `None` while none may.
    pub fn signing_at(&self, now: UnixTime) -> Option<&Arc<BankKey>> {
        self.find(&self.manifest.signing_at(now, self.lead)?.kid)
    }

    /// The same when keys are known to be compromised that the manifest still believes in: another node was told first.
    pub fn signing_at_without(
        &self,
        now: UnixTime,
        disowned: &BTreeSet<String>,
    ) -> Option<&Arc<BankKey>> {
        let entry = self.manifest.signing_at_without(now, self.lead, disowned)?;
        self.find(&entry.kid)
    }

    /// The keys whose public halves are served at `now`, in the order in which they were made.
    pub fn published_at(&self, now: UnixTime) -> impl Iterator<Item = &Arc<BankKey>> {
        let published = self
            .manifest
            .keys
            .iter()
            .filter(move |entry| entry.is_published(now));
        published.filter_map(|entry| self.find(&entry.kid))
    }

    /// The public key set at `now`.
    pub fn jwks_at(&self, now: UnixTime) -> Jwks {
        self.published_at(now)
            .map(|bank_key| Jwk::new(bank_key.kid(), bank_key.public_key().clone()))
            .collect()
    }

    /// What each key of the manifest is doing at `now`.
    pub fn states_at(&self, now: UnixTime) -> impl Iterator<Item = (&KeyEntry, KeyState)> {
        let state = move |entry| (entry, self.manifest.state_at(entry, now, self.lead));
        self.manifest.keys.iter().map(state)
    }

    /// The first instant after `now` at which another key signs or the public set changes.
    pub fn next_change_after(&self, now: UnixTime) -> Option<UnixTime> {
        let times = |entry: &KeyEntry| {
            let signs_from = self.manifest.signs_from(entry, self.lead);
            [
                Some(entry.created),
                Some(signs_from),
                entry.retire_at,
                entry.withdraw_at,
            ]
        };
        let live = self
            .manifest
            .keys
            .iter()
            .filter(|entry| entry.revoked.is_none());
        live.flat_map(times).flatten().filter(|at| *at > now).min()
    }

    fn find(&self, kid: &str) -> Option<&Arc<BankKey>> {
        self.keys.iter().find(|bank_key| bank_key.kid == kid)
    }
}

impl BankKey {
    /// Its identifier.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its public half.
    pub fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    /// The key to sign with.
    pub fn signer(&self) -> &dyn Sign {
        &*self.key
    }

    /// The header of SETs that this key signs.
    pub fn set_header(&self, profile: HeaderProfile, signatory: &Signatory) -> HeaderTemplate {
        HeaderTemplate::set(profile, &self.kid, self.public_key(), signatory)
    }

    /// The header of detached signatures of this key.
    pub fn detached_header(&self, form: Form, signatory: &Signatory) -> HeaderTemplate {
        HeaderTemplate::detached(form, &self.kid, self.public_key(), signatory)
    }
}
