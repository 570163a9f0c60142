//! What is known of the bank's signing keys besides the keys themselves: the file that `oyez keys` keeps. Changes to it are
//! pure functions of the time; a key is never removed from it, so that it also tells the history.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::limits::KID_BYTES_MAX;
use crate::unix_time::UnixTime;

/// All keys of the bank, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The keys.
    #[serde(default)]
    pub keys: Vec<KeyEntry>,
}

/// One key of the bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// Its identifier in headers and in the public set; never used twice.
    pub kid: String,
    /// Its algorithm.
    pub alg: Algorithm,
    /// Where the private key is: a file's name, or whatever the loader understands.
    pub file: String,
    /// When it was made, and published from.
    pub created: UnixTime,
    /// When it may sign from, if it has been published long enough by then.
    pub not_before: UnixTime,
    /// When it stops signing; it stays published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retire_at: Option<UnixTime>,
    /// When it stops being published: after the last SET that it signed is settled, and a margin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdraw_at: Option<UnixTime>,
    /// That it is not to be trusted any more: from now on it neither signs nor is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revocation>,
}

/// When and why a key was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// When.
    pub at: UnixTime,
    /// Why.
    pub reason: RevocationReason,
}

/// Why a key was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevocationReason {
    /// Somebody else may have it: outstanding SETs that it signed are signed anew.
    Compromised,
    /// It was given up before its time for another reason.
    CessationOfOperation,
}

/// What a key is doing at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and will sign from then on.
    Next {
        /// The first second in which it may sign.
        signs_from: UnixTime,
    },
    /// The one key that signs.
    Signing,
    /// May sign, but a later key does. Published.
    Superseded,
    /// Signs no more. Published, until then if that is known.
    Retired {
        /// When it stops being published.
        withdraw_at: Option<UnixTime>,
    },
    /// Neither signs nor is published.
    Withdrawn,
    /// Neither signs nor is published, for cause.
    Revoked(Revocation),
}

/// A fault of a manifest, or a change to it that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A `kid` stands twice.
    #[error("kid `{0}` stands twice")]
    DuplicateKid(String),
    /// A `kid` is empty or longer than [`KID_BYTES_MAX`].
    #[error("kid `{0}` is empty or longer than {KID_BYTES_MAX} bytes")]
    Kid(String),
    /// ``not_before` is before `created`, or `withdraw_at` before `retire_at` or without it. (A key that retires before
    /// it may sign is one that another overtook.)
    #[error("the times of key `{0}` are out of order")]
    Times(String),
    /// There is no key of this `kid`.
    #[error("no key `{0}`")]
    NoSuchKey(String),
}

impl KeyEntry {
    /// A key made at `created`, that signs as soon as it has been published long enough.
    pub fn new(
        kid: impl Into<String>,
        alg: Algorithm,
        file: impl Into<String>,
        created: UnixTime,
    ) -> Self {
        Self {
            kid: kid.into(),
            alg,
            file: file.into(),
            created,
            not_before: created,
            retire_at: None,
            withdraw_at: None,
            revoked: None,
        }
    }

    /// Whether the public half is in the key set at `now`.
    pub fn is_published(&self, now: UnixTime) -> bool {
        self.revoked.is_none()
            && self.created <= now
            && self.withdraw_at.is_none_or(|until| now < until)
    }
}

impl Manifest {
    /// All faults, none when it is sound.
    pub fn faults(&self) -> Vec<ManifestError> {
        let mut faults = Vec::new();
        for (index, key) in self.keys.iter().enumerate() {
            if !(1..=KID_BYTES_MAX).contains(&key.kid.len()) {
                faults.push(ManifestError::Kid(key.kid.clone()));
            }
            if self.keys[..index].iter().any(|other| other.kid == key.kid) {
                faults.push(ManifestError::DuplicateKid(key.kid.clone()));
            }
            let ordered = match (key.retire_at, key.withdraw_at) {
                (None, None) => true,
                (None, Some(_)) => false,
                (Some(retire), withdraw) => withdraw.is_none_or(|withdraw| retire <= withdraw),
            };
            if !ordered || key.not_before < key.created {
                faults.push(ManifestError::Times(key.kid.clone()));
            }
        }
        faults
    }

    /// The first second in which a key may sign: its own `not_before`, and `lead` after it was published. The very first
    /// key need not wait: before it there was no set that anybody could have kept.
    pub fn signs_from(&self, key: &KeyEntry, lead: Duration) -> UnixTime {
        if self.keys.first().is_some_and(|first| first.kid == key.kid) {
            return key.not_before;
        }
        key.not_before.max(key.created + lead)
    }

    /// The key that signs at `now`: of those that may, the one whose time came last, so that a new key takes over by
    /// itself. `lead` is how long a key must have been published, twice the key set's max-age.
    pub fn signing_at(&self, now: UnixTime, lead: Duration) -> Option<&KeyEntry> {
        self.signing_at_without(now, lead, &BTreeSet::new())
    }

    /// The same when keys are known to be compromised that the manifest still believes in: another node was told first.
    pub fn signing_at_without(
        &self,
        now: UnixTime,
        lead: Duration,
        disowned: &BTreeSet<String>,
    ) -> Option<&KeyEntry> {
        self.keys
            .iter()
            .filter(|key| {
                key.is_published(now)
                    && !disowned.contains(&key.kid)
                    && self.signs_from(key, lead) <= now
                    && key.retire_at.is_none_or(|until| now < until)
            })
            .max_by_key(|key| (self.signs_from(key, lead), key.created))
    }

    /// What `key` is doing at `now`.
    pub fn state_at(&self, key: &KeyEntry, now: UnixTime, lead: Duration) -> KeyState {
        let signs_from = self.signs_from(key, lead);
        if let Some(revocation) = key.revoked {
            KeyState::Revoked(revocation)
        } else if key.withdraw_at.is_some_and(|until| until <= now) {
            KeyState::Withdrawn
        } else if key.retire_at.is_some_and(|until| until <= now) {
            KeyState::Retired {
                withdraw_at: key.withdraw_at,
            }
        } else if now < signs_from {
            KeyState::Next { signs_from }
        } else if self
            .signing_at(now, lead)
            .is_some_and(|signing| signing.kid == key.kid)
        {
            KeyState::Signing
        } else {
            KeyState::Superseded
        }
    }

    /// Adds a key that takes over as soon as it may; all others retire in that second. Returns which second that is.
    pub fn rotate(&mut self, new: KeyEntry, lead: Duration) -> Result<UnixTime, ManifestError> {
        let mut changed = self.clone();
        changed.keys.push(new);
        let new = changed.keys.last().expect("one was just added");
        let takes_over = changed.signs_from(new, lead);
        let others = changed.keys.len() - 1;
        for key in &mut changed.keys[..others] {
            key.retire_at = Some(key.retire_at.map_or(takes_over, |at| at.min(takes_over)));
        }
        self.replace_with(changed)?;
        Ok(takes_over)
    }

    /// Stops publishing a retired key at `at`.
    pub fn withdraw(&mut self, kid: &str, at: UnixTime) -> Result<(), ManifestError> {
        let mut changed = self.clone();
        changed.find(kid)?.withdraw_at = Some(at);
        self.replace_with(changed)
    }

    /// Revokes a key: from now on it neither signs nor is published. A key that was revoked before stays as it was.
    pub fn revoke(&mut self, kid: &str, revocation: Revocation) -> Result<(), ManifestError> {
        self.find(kid)?.revoked.get_or_insert(revocation);
        Ok(())
    }

    fn find(&mut self, kid: &str) -> Result<&mut KeyEntry, ManifestError> {
        self.keys
            .iter_mut()
            .find(|key| key.kid == kid)
            .ok_or_else(|| ManifestError::NoSuchKey(kid.to_owned()))
    }

    /// Changes all or nothing.
    fn replace_with(&mut self, changed: Self) -> Result<(), ManifestError> {
        match changed.faults().into_iter().next() {
            Some(fault) => Err(fault),
            None => {
                *self = changed;
                Ok(())
            }
        }
    }
}
