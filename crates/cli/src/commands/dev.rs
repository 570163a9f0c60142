//! `oyez dev`: being a TPP by hand, on a developer's own machine.
//!
//! Whoever holds the key of an authorisation server can be any TPP. So nothing here takes a key that a bank may use: the
//! configuration must name the issuer that `oyez init` wrote, and the key must lie beside the key set where `oyez init` put it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_jose::{Form, HeaderTemplate, Jwks, LocalKey, Signatory, Zeroizing, sha256};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;

use super::{Surroundings, read_file_or_stdin, read_text};
use crate::args::{Dev, DevSign, DevToken};
use crate::config::{Config, KeysAt};
use crate::development::access_token::AccessToken;
use crate::development::{
    CLIENT_ID, TOKEN_ISSUER, TOKEN_KEY, TPP_KEY, TPP_ORG_ID, TPP_SOFTWARE_ID,
};
use crate::failure::Failure;
use crate::output::{Reply, moment};

/// Does what is asked.
pub(crate) fn run(command: &Dev, around: &Surroundings) -> Result<Reply, Failure> {
    match command {
        Dev::Token(args) => token(args, around),
        Dev::Sign(args) => sign(args, around),
    }
}

fn token(args: &DevToken, around: &Surroundings) -> Result<Reply, Failure> {
    let config = around.config(&args.config.path)?;
    let directory = directory(&config)?;
    let key = key(&directory.join(TOKEN_KEY))?;
    let is_believed = |keys: &Jwks| {
        let mut kids = keys.keys().iter().filter_map(|key| key.kid.as_deref());
        kids.any(|kid| kid == key.public_key().thumbprint())
    };
    let jwks = read_text(&directory.join(TOKEN_JWKS))?;
    if !Jwks::parse(jwks.as_bytes()).is_ok_and(|keys| is_believed(&keys)) {
        return Err(refused("the key beside [tokens] jwks is not of that set"));
    }
    let certificate = args.certificate.clone();
    let certificate = certificate.unwrap_or_else(|| directory.join("tpp.crt"));
    let client_id = args.tpp.as_deref().unwrap_or(CLIENT_ID);
    let scope = args.scope.replace(',', " ");
    let token = AccessToken {
        issuer: TOKEN_ISSUER,
        audience: config.tokens.audiences.first().map_or("", String::as_str),
        client_id,
        scope: &scope,
        thumbprint: &thumbprint(&certificate)?,
        jti: &(around.random)()?[..16],
        issued_at: around.now,
        holds_for: HOLDS_FOR,
    };
    let signed = token.sign(&key).map_err(|error| unsigned(&error))?;
    let until = around
        .now
        .seconds()
        .saturating_add_unsigned(HOLDS_FOR.as_secs());
    let until = oyez_jose::UnixTime::from_seconds(until);
    let facts = json!({
        "access_token": signed, "client_id": client_id, "scope": scope, "expires_at": moment(until),
    });
    Ok(Reply::new(signed, facts).remark(format!(
        "For development only: a token for {client_id} until {}, with {} alone.",
        moment(until),
        certificate.display()
    )))
}

fn sign(args: &DevSign, around: &Surroundings) -> Result<Reply, Failure> {
    let config = around.config(&args.config.path)?;
    let key = key(&directory(&config)?.join(TPP_KEY))?;
    let anchors = &config.signatures.trust_anchors;
    let signatory = Signatory {
        issuer: format!("{TPP_ORG_ID}/{TPP_SOFTWARE_ID}"),
        trust_anchor: anchors.first().map(ToString::to_string).unwrap_or_default(),
    };
    let body = read_file_or_stdin(args.body.as_deref(), BODY_BYTES_MAX)?;
    let public = key.public_key();
    let header = HeaderTemplate::detached(Form::Encoded, &public.thumbprint(), public, &signatory);
    let input = header.signing_input(body.as_bytes(), around.now);
    let signed = input.sign_now(&key).map_err(|error| unsigned(&error))?;
    let facts = json!({ "x-jws-signature": signed });
    Ok(Reply::new(signed, facts).remark(format!(
        "For development only: {} bytes, signed as {CLIENT_ID}.",
        body.len()
    )))
}

/// Where the files of development are, if this is a configuration for it.
fn directory(config: &Config) -> Result<PathBuf, Failure> {
    let issuer = config.tokens.issuer.as_ref().map(ToString::to_string);
    if issuer.as_deref() != Some(TOKEN_ISSUER) {
        let what = format!("[tokens] issuer is not {TOKEN_ISSUER}");
        return Err(refused(&what));
    }
    match &config.tokens.jwks {
        Some(KeysAt::File(path)) if path.file_name() == Some(TOKEN_JWKS.as_ref()) => {
            Ok(path.parent().unwrap_or(Path::new("")).to_owned())
        }
        _ => Err(refused(
            "[tokens] jwks is not the file that `oyez init` wrote",
        )),
    }
}

fn refused(what: &str) -> Failure {
    let mend = "make a bank for development: oyez init DIR; a real one's tokens come from its authorisation server";
    Failure::usage(
        format!("this is no configuration for development: {what}"),
        mend,
    )
}

fn key(path: &Path) -> Result<LocalKey, Failure> {
    let pem = Zeroizing::new(read_text(path)?.into_bytes());
    LocalKey::read(pem).map_err(|error| {
        let what = format!("{} holds no signing key", path.display());
        Failure::environment(what, "put the file back that `oyez init` wrote").because(&error)
    })
}

fn thumbprint(path: &Path) -> Result<String, Failure> {
    let pem = read_text(path)?;
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes());
    let certificate = certificate.map_err(|error| {
        let what = format!("{} holds no certificate", path.display());
        Failure::environment(what, "name a certificate in PEM").because(&error)
    })?;
    Ok(URL_SAFE_NO_PAD.encode(sha256(&certificate)))
}

fn unsigned(error: &dyn std::error::Error) -> Failure {
    Failure::environment("cannot sign", "try again").because(error)
}

/// The public key set that `oyez init` writes.
const TOKEN_JWKS: &str = "tokens.jwks";
/// Long enough for an afternoon's try, too short to be kept.
const HOLDS_FOR: Duration = Duration::from_secs(60 * 60);
/// As much as a TPP may send.
const BODY_BYTES_MAX: u64 = 64 * 1024;
