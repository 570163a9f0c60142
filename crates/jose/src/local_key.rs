//! Private keys in memory. Read once from PEM or a JWK, or generated; never shown: no `Debug`, no `Clone`, no
//! `Serialize`. The only way out is [`LocalKey::to_pkcs8_pem`], into a string that overwrites itself. What AWS-LC holds
//! is cleansed by its own allocator.

mod private_jwk;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PSS_SHA256, RsaKeyPair,
};
use zeroize::Zeroizing;

use crate::key_error::KeyError;
use crate::limits::KEY_FILE_BYTES_MAX;
use crate::pem;
use crate::public_key::PublicKey;
use crate::sign::{Sign, SignError, SigningFuture};

/// A private key in this process.
pub struct LocalKey {
    pair: Pair,
    public: PublicKey,
}

/// What kind of key to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA of 2048 bits, for PS256.
    Rsa2048,
    /// RSA of 3072 bits, for PS256; a signature costs about three times as much.
    Rsa3072,
    /// RSA of 4096 bits, for PS256; a signature costs about six times as much.
    Rsa4096,
    /// P-256, for ES256.
    P256,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

impl LocalKey {
    /// A new key.
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        let size = match kind {
            KeyKind::Rsa2048 => KeySize::Rsa2048,
            KeyKind::Rsa3072 => KeySize::Rsa3072,
            KeyKind::Rsa4096 => KeySize::Rsa4096,
            KeyKind::P256 => {
                return EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                    .map_err(|_| KeyError::Generation)
                    .and_then(Self::from_p256);
            }
        };
        RsaKeyPair::generate(size)
            .map_err(|_| KeyError::Generation)
            .and_then(Self::from_rsa)
    }

    /// Reads a key file of either form: a private JWK, or PEM (`PRIVATE KEY`, `RSA PRIVATE KEY`, `EC PRIVATE KEY`). The
    /// bytes are taken so that they are overwritten here.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "dropping the buffer overwrites it"
    )]
    pub fn read(file: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        if file.len() > KEY_FILE_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        if file.trim_ascii_start().starts_with(b"{") {
            return private_jwk::read(&file);
        }
        let text = std::str::from_utf8(&file).map_err(|_| KeyError::Unrecognised)?;
        let blocks = pem::parse(text)?;
        if blocks
            .iter()
            .any(|block| block.label == "ENCRYPTED PRIVATE KEY")
        {
            return Err(KeyError::Encrypted);
        }
        let block = pem::only(blocks, "private key", &[PKCS8, PKCS1, SEC1])?;
        match block.label {
            PKCS1 => Self::from_rsa(RsaKeyPair::from_der(&block.der)?),
            SEC1 => Self::from_p256(EcdsaKeyPair::from_private_key_der(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                &block.der,
            )?),
            _ => Self::from_pkcs8(&block.der),
        }
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs now, on this thread: tens of microseconds for ES256, about a millisecond for PS256 with 2048 bits.
    pub fn sign_now(&self, input: &[u8]) -> Result<Vec<u8>, SignError> {
        // AWS-LC draws from its own generator; the parameter is there for API compatibility.
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PSS_SHA256, &random, input, &mut signature)
                    .map_err(|_| SignError::Refused)?;
                Ok(signature)
            }
            Pair::P256(pair) => pair
                .sign(&random, input)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignError::Refused),
        }
    }

    /// The key as unencrypted PKCS#8 in PEM, for the file that it will be read from.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        match &self.pair {
            Pair::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair)
                .map(|der| pem::write(PKCS8, der.as_ref()))
                .map_err(|_| KeyError::Generation),
            Pair::P256(pair) => pair
                .to_pkcs8v1()
                .map(|der| pem::write(PKCS8, der.as_ref()))
                .map_err(|_| KeyError::Generation),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        match RsaKeyPair::from_pkcs8(der).map_err(KeyError::from) {
            Ok(pair) => Self::from_rsa(pair),
            Err(KeyError::TooSmall) => Err(KeyError::TooSmall),
            Err(_) => Self::from_p256(EcdsaKeyPair::from_pkcs8(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                der,
            )?),
        }
    }

    fn from_rsa(pair: RsaKeyPair) -> Result<Self, KeyError> {
        let public = PublicKey::from_rsa_der(pair.public_key().as_ref())?;
        Ok(Self {
            pair: Pair::Rsa(pair),
            public,
        })
    }

    fn from_p256(pair: EcdsaKeyPair) -> Result<Self, KeyError> {
        let public = match pair.public_key().as_ref() {
            [_, point @ ..] if point.len() == 64 => {
                PublicKey::from_p256(&point[..32], &point[32..])?
            }
            _ => return Err(KeyError::Rejected("the point is compressed")),
        };
        Ok(Self {
            pair: Pair::P256(pair),
            public,
        })
    }
}

impl Sign for LocalKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign<'a>(&'a self, input: &'a [u8]) -> SigningFuture<'a> {
        Box::pin(async move { self.sign_now(input) })
    }

    fn local(&self) -> Option<&LocalKey> {
        Some(self)
    }
}

const PKCS8: &str = "PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";
