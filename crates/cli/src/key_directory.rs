//! The bank's signing keys on disk: a directory with one PEM file (PKCS#8) per key and a manifest.
//!
//! A key file is written once, whole, readable by its owner alone, and never changed. The manifest is replaced at once: a
//! reader sees the old one or the new one, also after a crash. Whoever changes it holds a lock, so that two changes do not
//! overwrite each other; readers need none. A crash between the two leaves a key file that no manifest names; it does no
//! harm.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use oyez_jose::key_set::{KeyEntry, KeySet, LoadError, Manifest};
use oyez_jose::{KeyKind, LocalKey, UnixTime, Zeroizing};

use crate::durable;
use crate::failure::Failure;

/// Where the keys are.
pub(crate) struct KeyDirectory {
    path: PathBuf,
}

impl KeyDirectory {
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is known of the keys; nothing before the first was made.
    pub(crate) fn manifest(&self) -> Result<Manifest, Failure> {
        let path = self.manifest_path();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Manifest::default()),
            Err(error) => return Err(Failure::file("read", &path, &error)),
        };
        let unsound = || {
            let what = format!("{} is no manifest of keys", path.display());
            Failure::environment(
                what,
                "restore it from a backup; the key files are untouched",
            )
        };
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| unsound().because(&error))?;
        match manifest.faults().into_iter().next() {
            Some(fault) => Err(unsound().because(&fault)),
            None => Ok(manifest),
        }
    }

    /// The keys that are or will be published.
    pub(crate) fn load(&self, max_age: Duration, now: UnixTime) -> Result<KeySet, Failure> {
        let read = |entry: &KeyEntry| fs::read(self.file_of(entry)).map(Zeroizing::new);
        KeySet::load(self.manifest()?, max_age, now, read).map_err(|error| {
            let mend = match &error {
                LoadError::Manifest(_) => "restore the manifest from a backup",
                LoadError::Read { .. } => {
                    "restore the key's file, or make it readable for this user"
                }
                LoadError::Key { .. } => "restore the key's file from a backup",
                LoadError::Algorithm { .. } => "restore the key's file: this is another key",
            };
            let what = format!("cannot use the keys in {}", self.path.display());
            Failure::environment(what, mend).because(&error)
        })
    }

    /// The file of a key.
    pub(crate) fn file_of(&self, entry: &KeyEntry) -> PathBuf {
        self.path.join(&entry.file)
    }

    /// Makes a key, and lets `change` enter it into the manifest. Without a `kid` it is named by its thumbprint (RFC 7638).
    pub(crate) fn add<T>(
        &self,
        kind: KeyKind,
        kid: Option<String>,
        now: UnixTime,
        change: impl FnOnce(&mut Manifest, KeyEntry) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let lock = self.lock()?;
        let mut manifest = self.manifest()?;
        let key = LocalKey::generate(kind).map_err(|error| {
            Failure::environment("cannot make a key", "try again").because(&error)
        })?;
        let kid = kid.unwrap_or_else(|| key.public_key().thumbprint());
        let file = file_name(&kid)?;
        let entry = KeyEntry::new(kid, key.public_key().algorithm(), &file, now);
        let changed = change(&mut manifest, entry)?;
        let pem = key.to_pkcs8_pem().map_err(|error| {
            Failure::environment("cannot write the key as PEM", "try again").because(&error)
        })?;
        let path = self.path.join(file);
        durable::write_secret(&path, pem.as_bytes())?;
        self.replace_manifest(&manifest)?;
        drop(lock);
        Ok(changed)
    }

    /// What is replaced when the keys change.
    pub(crate) fn manifest_path(&self) -> PathBuf {
        self.path.join(MANIFEST)
    }

    /// Waits for nobody: whoever changes keys twice at once should know.
    fn lock(&self) -> Result<File, Failure> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(&self.path)
            .map_err(|error| Failure::file("make", &self.path, &error))?;
        let path = self.path.join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path);
        let lock = lock.map_err(|error| Failure::file("open", &path, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::Error(error)) => Err(Failure::file("lock", &path, &error)),
            Err(TryLockError::WouldBlock) => Err(Failure::environment(
                format!(
                    "another process is changing the keys in {}",
                    self.path.display()
                ),
                "wait until it is done, and try again",
            )),
        }
    }

    fn replace_manifest(&self, manifest: &Manifest) -> Result<(), Failure> {
        let path = self.manifest_path();
        let text = serde_json::to_string_pretty(manifest).expect("a manifest is plain data") + "\n";
        durable::replace(&path, text.as_bytes())
    }
}

/// The file of a key is called after it, as far as a file can be.
fn file_name(kid: &str) -> Result<String, Failure> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if kid.is_empty()
        || kid.len() > KID_BYTES_MAX
        || kid.starts_with('.')
        || !kid.bytes().all(plain)
    {
        let what = format!(
            "`{}` is no kid that a file can be called after",
            kid.escape_debug()
        );
        let mend =
            format!("use 1 to {KID_BYTES_MAX} letters, digits, dots, hyphens and underscores");
        return Err(Failure::usage(what, mend));
    }
    Ok(format!("{kid}.pem"))
}

const MANIFEST: &str = "manifest.json";
const LOCK: &str = "lock";
/// A file name has at most 255 bytes; a header is better short.
const KID_BYTES_MAX: usize = 128;
