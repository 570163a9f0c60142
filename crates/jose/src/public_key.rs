//! Public keys, parsed once. The key decides the algorithm: RSA verifies PS256, P-256 verifies ES256, nothing else;
//! that an RSA key may verify RS256 too is known to [`crate::access_token`] alone.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, RsaSubjectPublicKey,
};
use serde_json::{Map, Value, json};

use crate::algorithm::Algorithm;
use crate::digest::sha256;
use crate::key_error::KeyError;
use crate::{base64url, der, pem};

/// A public key, ready to verify with.
#[derive(Clone)]
pub struct PublicKey {
    parsed: ParsedPublicKey,
    numbers: Numbers,
}

/// The numbers a JWK shows, as big-endian bytes: without leading zeros for RSA, of 32 bytes for P-256.
#[derive(Clone, PartialEq, Eq)]
enum Numbers {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256 { x: Vec<u8>, y: Vec<u8> },
}

impl PublicKey {
    /// From PEM: `PUBLIC KEY` (SubjectPublicKeyInfo) or `RSA PUBLIC KEY` (PKCS#1). Certificates are not read.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let block = pem::only(
            pem::parse(text)?,
            "public key",
            &["PUBLIC KEY", "RSA PUBLIC KEY"],
        )?;
        Self::from_der(&block.der)
    }

    /// From the DER of a SubjectPublicKeyInfo (RFC 5280) or an RSAPublicKey (PKCS#1).
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        match RsaSubjectPublicKey::from_der(der) {
            Ok(rsa) => Self::from_rsa_der(rsa.as_ref()),
            Err(_) => Self::from_p256_der(der),
        }
    }

    /// From modulus and exponent, both big-endian and without leading zeros.
    pub fn from_rsa(n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        let first = *n.first().ok_or(KeyError::Rejected("InvalidEncoding"))?;
        let bits = (n.len() * 8).saturating_sub(first.leading_zeros() as usize);
        if bits < RSA_BITS_MIN {
            return Err(KeyError::TooSmall);
        }
        let components = RsaPublicKeyComponents { n, e };
        let parsed = components.to_parsed_public_key(&RSA_PSS_2048_8192_SHA256)?;
        // Building from components skips the checks of size and exponent that reading a key makes.
        RsaSubjectPublicKey::from_der(parsed.as_ref())?;
        let numbers = Numbers::Rsa {
            n: n.to_vec(),
            e: e.to_vec(),
        };
        Ok(Self { parsed, numbers })
    }

    /// From the affine coordinates of a point on P-256, 32 bytes each.
    pub fn from_p256(x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        if x.len() != COORDINATE_BYTES || y.len() != COORDINATE_BYTES {
            return Err(KeyError::Rejected("a coordinate is not 32 bytes"));
        }
        let point = [&[UNCOMPRESSED], x, y].concat();
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)?;
        Ok(Self {
            parsed,
            numbers: Numbers::P256 {
                x: x.to_vec(),
                y: y.to_vec(),
            },
        })
    }

    /// The algorithm that this key is for.
    pub fn algorithm(&self) -> Algorithm {
        match self.numbers {
            Numbers::Rsa { .. } => Algorithm::PS256,
            Numbers::P256 { .. } => Algorithm::ES256,
        }
    }

    /// Length of this key's signatures in bytes.
    pub fn signature_len(&self) -> usize {
        match &self.numbers {
            Numbers::Rsa { n, .. } => n.len(),
            Numbers::P256 { .. } => 2 * COORDINATE_BYTES,
        }
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }

    /// The same by RSASSA-PKCS1-v1_5, for [`crate::access_token`] alone.
    pub(crate) fn verifies_rs256(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.numbers {
            Numbers::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            Numbers::P256 { .. } => false,
        }
    }

    /// The RFC 7638 thumbprint, base64url of SHA-256. A good `kid`: it needs no register.
    pub fn thumbprint(&self) -> String {
        // The RFC fixes the order and spelling of these members; a JSON library promises neither.
        let text = match &self.numbers {
            Numbers::Rsa { n, e } => {
                let (n, e) = (base64url::encode(n), base64url::encode(e));
                format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
            }
            Numbers::P256 { x, y } => {
                let (x, y) = (base64url::encode(x), base64url::encode(y));
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
        };
        base64url::encode(&sha256(text.as_bytes()))
    }

    /// The public JWK of a signing key: the numbers, `kty`, `use`, `alg` and the `kid` given.
    pub fn to_jwk(&self, kid: &str) -> Map<String, Value> {
        let numbers = match &self.numbers {
            Numbers::Rsa { n, e } => {
                json!({"kty": "RSA", "n": base64url::encode(n), "e": base64url::encode(e)})
            }
            Numbers::P256 { x, y } => {
                let (x, y) = (base64url::encode(x), base64url::encode(y));
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
            }
        };
        let Value::Object(mut jwk) = numbers else {
            unreachable!("both arms build an object")
        };
        jwk.insert("use".to_owned(), "sig".into());
        jwk.insert("alg".to_owned(), self.algorithm().name().into());
        jwk.insert("kid".to_owned(), kid.into());
        jwk
    }

    /// From the PKCS#1 form that AWS-LC writes.
    pub(crate) fn from_rsa_der(der: &[u8]) -> Result<Self, KeyError> {
        let (n, e) = der::rsa_numbers(der).ok_or(KeyError::Rejected("InvalidEncoding"))?;
        Self::from_rsa(n, e)
    }

    fn from_p256_der(der: &[u8]) -> Result<Self, KeyError> {
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der)?;
        let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(&parsed)
            .map_err(|_| KeyError::Rejected("InvalidEncoding"))?;
        // On P-256 the structure ends with the uncompressed point.
        let (_, point) = spki
            .as_ref()
            .split_last_chunk::<POINT_BYTES>()
            .filter(|(_, point)| point[0] == UNCOMPRESSED)
            .ok_or(KeyError::Rejected("the point is compressed"))?;
        Self::from_p256(&point[1..=COORDINATE_BYTES], &point[1 + COORDINATE_BYTES..])
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.numbers == other.numbers
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm(), self.thumbprint())
    }
}

const RSA_BITS_MIN: usize = 2048;
const COORDINATE_BYTES: usize = 32;
const POINT_BYTES: usize = 1 + 2 * COORDINATE_BYTES;
const UNCOMPRESSED: u8 = 4;
