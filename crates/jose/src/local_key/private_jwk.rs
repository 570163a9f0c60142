//! Private JWKs (RFC 7517, RFC 7518 section 6). The text is borrowed, never copied into strings, and every decoded number
//! overwrites itself.

use std::borrow::Cow;

use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RsaKeyPair};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::LocalKey;
use crate::base64url;
use crate::key_error::KeyError;

pub(super) fn read(json: &[u8]) -> Result<LocalKey, KeyError> {
    let jwk: PrivateJwk<'_> = serde_json::from_slice(json).map_err(|_| KeyError::NotAPrivateJwk)?;
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return Err(KeyError::JwkValue("use"));
    }
    let key = match jwk.kty {
        "RSA" => rsa(&jwk)?,
        "EC" => p256(&jwk)?,
        _ => return Err(KeyError::NotAPrivateJwk),
    };
    let algorithm = key.public_key().algorithm().name();
    match jwk.alg.as_deref() {
        Some(named) if named != algorithm => Err(KeyError::JwkValue("alg")),
        _ => Ok(key),
    }
}

/// Numbers are base64url, which has no escapes, so they can be borrowed. A member that stands twice is refused.
#[derive(Deserialize)]
struct PrivateJwk<'j> {
    kty: &'j str,
    #[serde(borrow)]
    alg: Option<Cow<'j, str>>,
    #[serde(borrow, rename = "use")]
    usage: Option<Cow<'j, str>>,
    crv: Option<&'j str>,
    n: Option<&'j str>,
    e: Option<&'j str>,
    d: Option<&'j str>,
    p: Option<&'j str>,
    q: Option<&'j str>,
    dp: Option<&'j str>,
    dq: Option<&'j str>,
    qi: Option<&'j str>,
    x: Option<&'j str>,
    y: Option<&'j str>,
}

fn rsa(jwk: &PrivateJwk<'_>) -> Result<LocalKey, KeyError> {
    let components = KeyPairComponents {
        public_key: PublicKeyComponents {
            n: number("n", jwk.n)?,
            e: number("e", jwk.e)?,
        },
        d: number("d", jwk.d)?,
        p: number("p", jwk.p)?,
        q: number("q", jwk.q)?,
        dP: number("dp", jwk.dp)?,
        dQ: number("dq", jwk.dq)?,
        qInv: number("qi", jwk.qi)?,
    };
    LocalKey::from_rsa(RsaKeyPair::from_components(&components)?)
}

fn p256(jwk: &PrivateJwk<'_>) -> Result<LocalKey, KeyError> {
    if jwk.crv != Some("P-256") {
        return Err(KeyError::JwkValue("crv"));
    }
    let (x, y, d) = (
        number("x", jwk.x)?,
        number("y", jwk.y)?,
        number("d", jwk.d)?,
    );
    let point = [&[4][..], &x, &y].concat();
    LocalKey::from_p256(EcdsaKeyPair::from_private_key_and_public_key(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &d,
        &point,
    )?)
}

fn number(name: &'static str, text: Option<&str>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let text = text.ok_or(KeyError::JwkMember(name))?;
    base64url::decode(text)
        .map(Zeroizing::new)
        .ok_or(KeyError::JwkValue(name))
}
