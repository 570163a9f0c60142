//! Signing behind a trait, so that a key in an HSM can take the place of one in memory. The trait is asynchronous
//! because an HSM is a network or a bus away; it names no runtime.

use std::pin::Pin;

use crate::local_key::LocalKey;
use crate::public_key::PublicKey;

/// A signature in the making.
pub type SigningFuture<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, SignError>> + Send + 'a>>;

/// A private key, wherever it is.
pub trait Sign: Send + Sync {
    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs `input` with the algorithm of the key: for PS256 a string of the modulus's length, for ES256 `r || s`.
    fn sign<'a>(&'a self, input: &'a [u8]) -> SigningFuture<'a>;

    /// The key itself when it is in this process: an issuer then signs on its own threads instead of awaiting.
    fn local(&self) -> Option<&LocalKey> {
        None
    }
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key's algorithm is not the one that the header names.
    #[error("the header names another algorithm than the key's")]
    Algorithm,
    /// AWS-LC refused; with a key that was accepted this does not happen.
    #[error("the cryptographic library refused to sign")]
    Refused,
    /// The signature has not the length of the key's signatures.
    #[error("a signature of {found} bytes instead of {expected}")]
    Length {
        /// Length of the key's signatures.
        expected: usize,
        /// Length of this one.
        found: usize,
    },
    /// The device that holds the key cannot be reached or says no.
    #[error("the signing device")]
    Device(#[source] Box<dyn std::error::Error + Send + Sync>),
}
