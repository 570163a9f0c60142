//! What can be chosen about the headers of tokens that we make: the profile of SETs, the form of detached signatures, and
//! whose name stands in them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which header a SET has.
///
/// The standard's event profile signs SETs "using the approach defined in the R/W API specification", so the private
/// members belong into their header and are critical. Versions up to v3.1.3 also ask there for `b64: false`; a compact
/// JWS cannot have that (RFC 7797 forbids it to JWTs, and the payload's dots would break the token), so no profile
/// writes it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// As the standard says: `typ` JOSE and the three private members, critical.
    #[default]
    OpenBanking,
    /// `typ` JWT and nothing private, for libraries that cannot register critical members.
    Jwt,
    /// `typ` secevent+jwt, as RFC 8417 recommends.
    Rfc8417,
}

/// How a detached signature covers the body.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The body is signed as base64url, RFC 7515 appendix F; the standard since v3.1.4.
    #[default]
    Encoded,
    /// The body is signed as it is, with `b64: false` (RFC 7797); the standard up to v3.1.3.
    Unencoded,
}

/// What the private header members say of the signer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signatory {
    /// `http://openbanking.org.uk/iss`.
    pub issuer: String,
    /// `http://openbanking.org.uk/tan`.
    pub trust_anchor: String,
}

/// A name that is no profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header profile `{0}` is not openbanking, jwt or rfc8417")]
pub struct UnknownProfile(pub String);

impl Profile {
    /// The name in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenBanking => "openbanking",
            Self::Jwt => "jwt",
            Self::Rfc8417 => "rfc8417",
        }
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        [Self::OpenBanking, Self::Jwt, Self::Rfc8417]
            .into_iter()
            .find(|profile| profile.name() == name)
            .ok_or_else(|| UnknownProfile(name.to_owned()))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
