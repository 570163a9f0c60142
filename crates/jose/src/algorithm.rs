//! The two signature algorithms. There is no variant for `none`, HMAC or RSA PKCS#1 v1.5, and none will be added: what
//! cannot be expressed cannot be accepted by mistake. (What RFC 9068 wants of access tokens has a type of its own,
//! [`crate::access_token::Algorithm`], that signs nothing.)

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A JWS signature algorithm. Each belongs to exactly one type of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes; what the standard asks for.
    PS256,
    /// ECDSA on P-256 with SHA-256; the signature is `r || s`.
    ES256,
}

impl Algorithm {
    /// The name in an `alg` member.
    pub fn name(self) -> &'static str {
        match self {
            Self::PS256 => "PS256",
            Self::ES256 => "ES256",
        }
    }
}

/// A name that is neither `PS256` nor `ES256`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("algorithm `{0}` is not PS256 or ES256")]
pub struct UnknownAlgorithm(pub String);

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        match name {
            "PS256" => Ok(Self::PS256),
            "ES256" => Ok(Self::ES256),
            _ => Err(UnknownAlgorithm(name.to_owned())),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Algorithm;

    // T-07
    #[test]
    fn only_ps256_and_es256_have_a_name() {
        for name in ["PS256", "ES256"] {
            assert_eq!(name.parse::<Algorithm>().unwrap().name(), name);
        }
        for name in [
            "none", "None", "HS256", "RS256", "PS384", "ES384", "EdDSA", "ps256", "",
        ] {
            assert_eq!(name.parse::<Algorithm>().unwrap_err().0, name);
        }
    }
}
