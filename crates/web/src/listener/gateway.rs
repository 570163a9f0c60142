//! Certificates in the words of a gateway: TLS ends before us, and a header says who was there.
//!
//! The header is believed from addresses on a list and from nobody else. It is taken off every request, whoever sent it, so no
//! handler can read what was not judged. From a gateway only the header speaks: its own client certificate, if it has one, is
//! never its clients'. What cannot be read is no certificate; nothing is guessed, and the value is not logged.

mod xfcc;

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oyez_domain::address::Network;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::certificate::ClientCertificate;

/// Who is believed about client certificates, and how they say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// The gateways' addresses.
    pub networks: Vec<Network>,
    /// The header they set. They must take it off what clients send.
    pub header: HeaderName,
    /// What it holds.
    pub form: HeaderForm,
}

/// How a certificate stands in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderForm {
    /// Envoy's `x-forwarded-client-cert`. Of its elements the last counts: the nearest proxy wrote it. Its `Cert` is the
    /// certificate, or else the first of its `Chain`; a `Hash` must fit.
    Xfcc,
    /// PEM in URL encoding, as of nginx's `$ssl_client_escaped_cert`; the first certificate counts.
    UrlEncodedPem,
    /// DER in base64, between colons (RFC 9440's `Client-Cert`) or without.
    Base64Der,
}

/// A header that names no certificate. The texts are for the log; none repeats the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("it stands more than once")]
    Repeated,
    #[error("it is no text")]
    Text,
    #[error("its elements cannot be told apart")]
    Elements,
    #[error("its last element holds no certificate")]
    NoCertificate,
    #[error("its URL encoding is broken")]
    UrlEncoding,
    #[error("its base64 is broken")]
    Base64,
    #[error("its PEM is broken")]
    Pem,
    #[error("what it holds is no certificate")]
    Certificate,
    #[error("its hash is another certificate's")]
    Hash,
}

impl Gateway {
    /// Whether this address is a gateway's.
    pub(super) fn is_at(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(address))
    }

    /// Takes the header off.
    pub(super) fn strip(&self, headers: &mut HeaderMap) {
        headers.remove(&self.header);
    }

    /// The certificate that the header names, if the header is there. To be asked for a gateway's own requests only.
    pub(super) fn certificate(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<ClientCertificate>, Unreadable> {
        let mut lines = headers.get_all(&self.header).iter();
        let Some(first) = lines.next() else {
            return Ok(None);
        };
        let der = match self.form {
            // Lines are a list like one with commas; whoever appends comes last.
            HeaderForm::Xfcc => xfcc::certificate(text(lines.next_back().unwrap_or(first))?)?,
            HeaderForm::UrlEncodedPem | HeaderForm::Base64Der if lines.next().is_some() => {
                return Err(Unreadable::Repeated);
            }
            HeaderForm::UrlEncodedPem => url_encoded_pem(text(first)?)?,
            HeaderForm::Base64Der => base64_der(text(first)?)?,
        };
        let certificate = ClientCertificate::from_der(&der).map_err(|_| Unreadable::Certificate)?;
        Ok(Some(certificate))
    }
}

fn text(value: &HeaderValue) -> Result<&str, Unreadable> {
    value.to_str().map_err(|_| Unreadable::Text)
}

/// The first certificate.
fn url_encoded_pem(value: &str) -> Result<Vec<u8>, Unreadable> {
    let pem = url_decoded(value).ok_or(Unreadable::UrlEncoding)?;
    let der = CertificateDer::from_pem_slice(&pem).map_err(|_| Unreadable::Pem)?;
    Ok(der.to_vec())
}

fn base64_der(value: &str) -> Result<Vec<u8>, Unreadable> {
    let value = value.trim();
    let inner = value
        .strip_prefix(':')
        .and_then(|rest| rest.strip_suffix(':'))
        .unwrap_or(value);
    STANDARD.decode(inner).map_err(|_| Unreadable::Base64)
}

/// A plus sign stays one: it belongs to base64, and no gateway writes spaces so.
fn url_decoded(value: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            other => other,
        });
    }
    Some(decoded)
}

fn hex_digit(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests;
