//! Why a key is not one we use. No variant carries a byte of key material.

use aws_lc_rs::error::KeyRejected;

/// Why a key cannot be read, made or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Longer than [`crate::limits::KEY_FILE_BYTES_MAX`].
    #[error("the key is longer than {} bytes", crate::limits::KEY_FILE_BYTES_MAX)]
    TooLong,
    /// Neither PEM nor a JSON object.
    #[error("neither PEM nor a JWK")]
    Unrecognised,
    /// A PEM block is cut off, has a foreign end line, or is not base64.
    #[error("damaged PEM: {0}")]
    Pem(&'static str),
    /// The PEM text holds other things, but no key of the kind asked for.
    #[error("no {wanted} in the PEM, only: {found}")]
    NoKey {
        /// What was looked for.
        wanted: &'static str,
        /// The labels that are there.
        found: String,
    },
    /// The PEM text holds more than one key, so which one is meant is a guess.
    #[error("several keys in one PEM")]
    SeveralKeys,
    /// The key is protected by a passphrase.
    #[error(
        "the key is encrypted; decrypt it first, for example with `openssl pkcs8 -in KEY -out KEY.plain`"
    )]
    Encrypted,
    /// RSA under 2048 bits.
    #[error("RSA under 2048 bits")]
    TooSmall,
    /// Neither RSA nor P-256, or its parts do not belong together.
    #[error("not a usable RSA or P-256 key: {0}")]
    Rejected(&'static str),
    /// A private JWK is not JSON of the expected members.
    #[error("not a private JWK of type RSA or EC")]
    NotAPrivateJwk,
    /// A member of a private JWK is absent.
    #[error("the JWK lacks `{0}`")]
    JwkMember(&'static str),
    /// A member of a private JWK has a value that cannot be.
    #[error("the JWK has a wrong `{0}`")]
    JwkValue(&'static str),
    /// AWS-LC could not make or write the key.
    #[error("the key could not be generated or encoded")]
    Generation,
}

impl From<KeyRejected> for KeyError {
    fn from(rejected: KeyRejected) -> Self {
        match rejected.description_() {
            "TooSmall" => Self::TooSmall,
            other => Self::Rejected(other),
        }
    }
}
