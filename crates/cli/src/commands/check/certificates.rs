//! Certificates, their keys and the authorities that are believed: whether the files are there and belong together, and
//! until when they hold.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oyez_jose::{Jwks, UnixTime};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::finding::Finding;
use super::keys::readable_by_others;
use crate::config::{Draft, KeysAt};
use crate::output::moment;

/// Everything that the sections name.
pub(super) fn findings(draft: &Draft, now: UnixTime) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut look = |section: &str, certificate: &Option<PathBuf>, key: &Option<PathBuf>| {
        if let (Some(certificate), Some(key)) = (certificate, key) {
            findings.extend(identity(section, certificate, key, now));
        }
    };
    if let Some(listener) = &draft.listener {
        look("listener", &listener.certificate, &listener.key);
    }
    if let Some(internal) = &draft.internal {
        look("internal", &internal.certificate, &internal.key);
    }
    if let Some(push) = &draft.push {
        look("push", &push.certificate, &push.key);
    }
    if let Some(tokens) = &draft.tokens {
        look("tokens", &tokens.certificate, &tokens.key);
        if let Some(KeysAt::File(path)) = &tokens.jwks {
            findings.extend(key_set(path));
        }
    }
    let listener = draft.listener.as_ref();
    let internal = draft.internal.as_ref();
    let outbound = draft.outbound.as_ref();
    let telemetry = draft.telemetry.as_ref();
    let authorities = [
        (
            "listener.client_anchors",
            listener.and_then(|one| one.client_anchors.as_ref()),
        ),
        (
            "internal.client_anchors",
            internal.and_then(|one| one.client_anchors.as_ref()),
        ),
        (
            "outbound.trust_anchors",
            outbound.and_then(|one| one.trust_anchors.as_ref()),
        ),
        (
            "telemetry.otlp_trust_anchors",
            telemetry.and_then(|one| one.otlp_trust_anchors.as_ref()),
        ),
    ];
    for (key, path) in authorities {
        findings.extend(
            path.map(|path| anchors(key, path, now))
                .into_iter()
                .flatten(),
        );
    }
    findings
}

/// A certificate with its key.
fn identity(section: &str, certificate: &Path, key: &Path, now: UnixTime) -> Vec<Finding> {
    let chain = match certificates(certificate) {
        Ok(chain) => chain,
        Err(what) => return vec![unusable(format!("{section}.certificate"), what)],
    };
    let first = lifetime(&certificate.display().to_string(), &chain[0], now);
    let mut findings =
        vec![first.unwrap_or_else(|what| unusable(format!("{section}.certificate"), what))];
    findings.extend(readable_by_others(key));
    let read = fs::read(key).map_err(|error| error.to_string());
    let private =
        read.and_then(|pem| PrivateKeyDer::from_pem_slice(&pem).map_err(|error| error.to_string()));
    let private = private.map_err(|error| format!("cannot read {}: {error}", key.display()));
    let fits = private.and_then(|private| {
        let provider = aws_lc_rs::default_provider();
        CertifiedKey::from_der(chain, private, &provider).map_err(|error| {
            format!(
                "{} cannot be used with this certificate: {error}",
                key.display()
            )
        })
    });
    if let Err(what) = fits {
        let mend = "name the private key that the certificate was made for";
        findings.push(Finding::error(format!("{section}.key"), what, mend));
    }
    findings
}

/// Authorities: each must be one, and those that are past are worth a word.
fn anchors(key: &str, path: &Path, now: UnixTime) -> Vec<Finding> {
    let certificates = match certificates(path) {
        Ok(certificates) => certificates,
        Err(what) => return vec![unusable(key.to_owned(), what)],
    };
    let mut store = rustls::RootCertStore::empty();
    let mut findings = Vec::new();
    for (index, certificate) in certificates.iter().enumerate() {
        let name = format!("{} (certificate {})", path.display(), index + 1);
        let found = match store.add(certificate.clone()) {
            Ok(()) => lifetime(&name, certificate, now),
            Err(error) => Err(format!(
                "certificate {} cannot be an authority: {error}",
                index + 1
            )),
        };
        findings.push(found.unwrap_or_else(|what| unusable(key.to_owned(), what)));
    }
    findings
}

/// The public keys that tokens are checked with.
fn key_set(path: &Path) -> Option<Finding> {
    let read = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()));
    let what = read.and_then(|text| match Jwks::parse(&text) {
        Ok(set) if set.keys().is_empty() => {
            Err(format!("{} holds no key that can be used", path.display()))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{} is no set of keys: {error}", path.display())),
    });
    let mend = "name a file that holds the authorisation server's public keys as a JWKS";
    what.err()
        .map(|what| Finding::error("tokens.jwks", what, mend))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err(format!("{} holds no certificate", path.display())),
        Ok(all) => Ok(all),
        Err(error) => Err(format!("{} is no PEM: {error}", path.display())),
    }
}

/// Whose it is, and until when it holds.
fn lifetime(
    subject: &str,
    certificate: &CertificateDer<'_>,
    now: UnixTime,
) -> Result<Finding, String> {
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|error| format!("{subject} is no X.509 certificate: {error}"))?;
    let bounds = parsed.validity();
    let from = UnixTime::from_seconds(bounds.not_before.timestamp());
    let until = UnixTime::from_seconds(bounds.not_after.timestamp());
    let who = parsed.subject();
    let mend = "put a new one in its place; a running server takes it up by itself";
    Ok(if until <= now {
        Finding::error(subject, format!("{who} expired on {}", moment(until)), mend)
    } else if from > now {
        let mend = "wait, or set the clock right";
        Finding::error(
            subject,
            format!("{who} does not hold before {}", moment(from)),
            mend,
        )
    } else if until <= now + SOON {
        Finding::warning(subject, format!("{who} expires on {}", moment(until)), mend)
    } else {
        Finding::note(subject, format!("{who} holds until {}", moment(until)))
    })
}

fn unusable(subject: String, what: String) -> Finding {
    Finding::error(
        subject,
        what,
        "name a file of certificates in PEM that this user may read",
    )
}

/// Time enough to get another one without haste.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);
