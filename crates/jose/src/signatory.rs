//! What can be chosen about detached signatures, and whose name stands in the headers that we make. Which header a SET has is
//! the domain's [`oyez_domain::tpp::HeaderProfile`].

use serde::{Deserialize, Serialize};

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
