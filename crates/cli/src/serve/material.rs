//! What the server is made of that stands in files and may change while it runs: certificates, keys, lists.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use oyez_domain::time::Clock;
use oyez_jose::Jwks;
use oyez_jose::key_set::KeySet;
use oyez_outbound::DefaultTimeProvider;
use oyez_web::internal::operators::{self, Operators};
use oyez_web::listener::Tls;
use tokio::sync::watch;

use super::outward;
use super::reload::{Source, kept_up};
use crate::clock::SystemClock;
use crate::config::{Config, Secret};
use crate::failure::Failure;
use crate::files::{bytes, secret, secret_bytes};
use crate::key_directory::KeyDirectory;

/// The latest of it.
pub(super) type Latest<T> = watch::Receiver<Arc<T>>;

/// Reads it, and remembers where it came from.
pub(super) struct Material {
    sources: Vec<Source>,
}

/// The files of one side of TLS.
pub(super) struct TlsFiles<'a> {
    pub(super) name: &'static str,
    pub(super) certificate: &'a Option<PathBuf>,
    pub(super) key: &'a Option<PathBuf>,
    pub(super) client_anchors: &'a Option<PathBuf>,
}

impl Material {
    pub(super) fn new() -> Self {
        Self {
            sources: Vec::new(),
        }
    }

    /// Everything to keep an eye on.
    pub(super) fn into_sources(self) -> Vec<Source> {
        self.sources
    }

    /// The bank's signing keys.
    pub(super) fn keys(&mut self, config: &Config) -> Result<Latest<KeySet>, Failure> {
        let directory = KeyDirectory::at(&config.signing.keys);
        let max_age = config.signing.jwks_max_age;
        let paths = vec![directory.manifest_path()];
        self.keep("signing keys", paths, move || {
            directory.load(max_age, SystemClock.second())
        })
    }

    /// A listener's side of TLS; `None`: it has no certificate, and speaks plain HTTP.
    pub(super) fn tls(&mut self, files: &TlsFiles<'_>) -> Result<Option<Latest<Tls>>, Failure> {
        let (Some(certificate), Some(key)) = (files.certificate.clone(), files.key.clone()) else {
            return Ok(None);
        };
        let anchors = files.client_anchors.clone();
        let mut paths = vec![certificate.clone(), key.clone()];
        paths.extend(anchors.clone());
        let read = move || {
            let believed = anchors.as_deref().map(bytes).transpose()?;
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            Tls::from_pem(
                &bytes(&certificate)?,
                &secret_bytes(&key)?,
                believed.as_deref(),
                clock,
            )
            .map_err(|error| {
                let what = format!(
                    "cannot use {} with {}",
                    certificate.display(),
                    key.display()
                );
                Failure::environment(what, "oyez check says more").because(&error)
            })
        };
        self.keep(files.name, paths, read).map(Some)
    }

    /// Whom pushes believe, and who they are from (D-13). The system's own anchors are read again when somebody says so.
    pub(super) fn push_tls(
        &mut self,
        config: &Config,
    ) -> Result<Latest<oyez_outbound::Tls>, Failure> {
        let anchors = config.outbound.trust_anchors.clone();
        let (certificate, key) = (config.push.certificate.clone(), config.push.key.clone());
        let paths = [&anchors, &certificate, &key];
        let paths = paths.into_iter().flatten().cloned().collect();
        self.keep("certificate and anchors of pushes", paths, move || {
            let believed = outward::anchors(anchors.as_deref())?;
            let identity = outward::identity(certificate.as_deref(), key.as_deref())?;
            oyez_outbound::Tls::new(&believed, identity, Arc::new(DefaultTimeProvider)).map_err(
                |error| {
                    let mend = "oyez check says more";
                    Failure::environment("cannot push in TLS", mend).because(&error)
                },
            )
        })
    }

    /// The keys that access tokens are checked with.
    pub(super) fn token_keys(&mut self, path: &Path) -> Result<Latest<Jwks>, Failure> {
        let from = path.to_owned();
        self.keep("keys of access tokens", vec![path.to_owned()], move || {
            Jwks::parse(&bytes(&from)?).map_err(|error| {
                let mend = "write the authorisation server's public keys there, as a JWKS";
                Failure::environment(format!("cannot use {}", from.display()), mend).because(&error)
            })
        })
    }

    /// Who may use the internal API (I-05). Without a list it is nobody.
    pub(super) fn operators(&mut self, config: &Config) -> Result<Latest<Operators>, Failure> {
        let tokens = config.internal.tokens.clone();
        let path = match &tokens {
            Some(Secret::In(path)) => Some(path.clone()),
            Some(Secret::Here(_)) | None => None,
        };
        let paths = path.into_iter().collect();
        self.keep("operators of the internal API", paths, move || {
            let list = tokens.as_ref().map(secret).transpose()?;
            let list = list.as_deref().map_or("", String::as_str);
            operators::parse(list).map(Operators::new).map_err(|bad| {
                let lines = bad
                    .iter()
                    .map(|bad| format!("line {}: {}", bad.line, bad.what));
                let lines: Vec<_> = lines.collect();
                let what = format!(
                    "the list of [internal] tokens is wrong: {}",
                    lines.join("; ")
                );
                Failure::environment(what, "oyez check says more")
            })
        })
    }

    fn keep<T: Send + Sync + 'static>(
        &mut self,
        name: &'static str,
        paths: Vec<PathBuf>,
        read: impl FnMut() -> Result<T, Failure> + Send + 'static,
    ) -> Result<Latest<T>, Failure> {
        let (latest, source) = kept_up(name, paths, read)?;
        self.sources.push(source);
        Ok(latest)
    }
}
