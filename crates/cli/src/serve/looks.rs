//! What the developer pages take from files: the bank's logo, and the names of the authorities that pushes believe. Both are read
//! at the start alone.

use std::path::Path;

use oyez_web::developer::{Anchors, Options};
use oyez_web::listener::ClientCertificate;
use oyez_web::pages::{Brand, Logo};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::choices;
use crate::config::Config;
use crate::failure::Failure;
use crate::files::bytes;

/// Everything that the pages are told.
pub(super) fn developer(config: &Config) -> Result<Options, Failure> {
    let anchors = match config.outbound.trust_anchors.as_deref() {
        Some(path) => Anchors::Named(subjects(&bytes(path)?)),
        None => Anchors::System,
    };
    Ok(choices::developer(config, brand(config)?, anchors))
}

/// How the bank presents itself, there and in the console.
pub(super) fn brand(config: &Config) -> Result<Brand, Failure> {
    let logo = config.developer.logo.as_deref().map(logo).transpose()?;
    Ok(choices::brand(config, logo))
}

/// A logo in a file.
pub(crate) fn logo(path: &Path) -> Result<Logo, Failure> {
    Logo::new(bytes(path)?).map_err(|error| {
        let what = format!("cannot use {} as a logo", path.display());
        Failure::environment(what, "save it as a PNG or SVG of at most 256 KiB").because(&error)
    })
}

/// Whoever makes the client of pushes refuses what cannot be read here.
fn subjects(pem: &[u8]) -> Vec<String> {
    let certificates = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
    let named = certificates.filter_map(|der| ClientCertificate::from_der(&der).ok());
    named.map(|certificate| certificate.subject).collect()
}
