//! When our certificates end. The files are looked at now and then, not at each scrape: they are renewed once in weeks.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::Instant;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::Config;

/// The certificates of a configuration.
pub(super) struct Certificates {
    files: Vec<(&'static str, PathBuf)>,
    found: Vec<(&'static str, i64)>,
    looked_at: Option<Instant>,
}

impl Certificates {
    pub(super) fn of(config: &Config) -> Self {
        let named = [
            ("listener", &config.listener.certificate),
            ("internal", &config.internal.certificate),
            ("push", &config.push.certificate),
            ("tokens", &config.tokens.certificate),
        ];
        let named = named.into_iter();
        Self {
            files: named
                .filter_map(|(name, path)| Some((name, path.clone()?)))
                .collect(),
            found: Vec::new(),
            looked_at: None,
        }
    }

    /// By what they are for, in seconds since 1970. One that cannot be read is absent.
    pub(super) fn look(&mut self) -> Vec<(&'static str, i64)> {
        let is_fresh = |at: Instant| at.elapsed() < LOOKED_AT_EVERY;
        if !self.looked_at.is_some_and(is_fresh) {
            let ends = |(name, path): &(&'static str, PathBuf)| Some((*name, ends_at(path)?));
            self.found = self.files.iter().filter_map(ends).collect();
            self.looked_at = Some(Instant::now());
        }
        self.found.clone()
    }
}

/// The first of a chain is ours.
fn ends_at(path: &Path) -> Option<i64> {
    let certificate = CertificateDer::from_pem_slice(&fs::read(path).ok()?).ok()?;
    let (_, read) = X509Certificate::from_der(&certificate).ok()?;
    Some(read.validity().not_after.timestamp())
}

/// Scrapes come every few seconds.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(60);
