//! Signed tokens: JWS in the compact and the detached form, JSON Web Keys, and the bank's own set of signing keys.
//!
//! The crate speaks exactly the JOSE that the UK Open Banking standard uses, on `aws-lc-rs` directly: a key is parsed
//! once, a signing input is assembled once in one buffer, and the signature is appended to that buffer. It knows no
//! HTTP, no storage, no files and no clock: bytes, keys and the time come in as parameters. (The random numbers inside
//! a signature or a new key are AWS-LC's own.)
//!
//! # Signing
//!
//! [`HeaderTemplate`] holds the encoded header of one key and one [`HeaderProfile`] up to the part that changes with time;
//! it makes a [`SigningInput`], which a [`LocalKey`] signs on the spot and any [`Sign`] (an HSM) signs asynchronously.
//! Which key signs now, which are published, and when the next one takes over is answered by [`key_set::KeySet`].
//!
//! # Verifying
//!
//! [`compact::Verifier`] opens SETs and other JWTs, [`access_token::Verifier`] access tokens. [`detached::Signature`] walks the `x-jws-signature` of a message
//! through three steps, each a type of its own: parsed, header checked, body verified. All take their keys from a
//! [`Jwks`], which selects by `kid`, key type, use, algorithm and validity.
//!
//! ```
//! use oyez_jose::compact::{Compact, Verifier};
//! use oyez_jose::{HeaderTemplate, Jwk, Jwks, KeyKind, LocalKey, HeaderProfile, Signatory, UnixTime};
//!
//! let key = LocalKey::generate(KeyKind::P256)?;
//! let kid = key.public_key().thumbprint();
//! let bank = Signatory {
//!     issuer: "0015800001041RHAAY".into(),
//!     trust_anchor: "openbanking.org.uk".into(),
//! };
//! let now = UnixTime::from_seconds(1_700_000_000);
//!
//! // Once for each key and profile; then for each SET.
//! let header = HeaderTemplate::set(HeaderProfile::OpenBanking, &kid, key.public_key(), &bank);
//! let token = header.signing_input(br#"{"jti":"1"}"#, now).sign_now(&key)?;
//!
//! let published: Jwks = [Jwk::new(kid, key.public_key().clone())].into_iter().collect();
//! let verifier = Verifier::sets().issuers(["0015800001041RHAAY"]);
//! let verified = verifier.verify(Compact::parse(&token)?, &published, now)?;
//! assert_eq!(verified.payload, br#"{"jti":"1"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is refused, and why
//!
//! - **`none`, HMAC and everything but PS256 and ES256**: [`Algorithm`] cannot express them, so no check can be
//!   forgotten. The algorithm is the key's, never the token's choice: an RSA key verifies PS256 only, a P-256 key
//!   ES256 only. The one exception is verifying access tokens: where a deployment opts in, an RSA key that is not meant
//!   for PS256 alone verifies RS256 ([`access_token`]); nothing else can ask for it.
//! - **Duplicate members in a header or a key set**: two readers would see two different tokens.
//! - **base64url with padding, with foreign characters, or with non-zero trailing bits**: one token, one spelling.
//! - **A critical header member that is not understood**, and every `crit` that RFC 7515 forbids (empty, with
//!   duplicates, naming registered or absent members). `b64` counts only when it is critical, and never in a JWT.
//! - **Keys named or carried by the token**: `jku`, `x5u`, `jwk` and `x5c` are never followed, nor is `x5c` of a key.
//! - **Keys that are expired, not yet valid, revoked, or for something else than signatures.**
//! - **RSA keys under 2048 bits and curves other than P-256**; in a key set they are skipped with the reason kept.
//! - **Anything over the limits**: each is a named constant ([`limits`]).
//!
//! Private keys have no `Debug`, no `Clone` and no `Serialize`; buffers they are read from are overwritten.

pub mod access_token;
pub mod compact;
pub mod detached;
pub mod key_set;
pub mod limits;
pub mod open_banking;

mod algorithm;
mod base64url;
mod der;
mod digest;
mod header;
mod header_template;
mod jwk;
mod jwks;
mod key_error;
mod local_key;
mod pem;
mod public_key;
mod set_detection;
mod sign;
mod signatory;
mod signing_input;
mod unix_time;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use digest::sha256;
pub use header::{CritFault, Header, Malformed};
pub use header_template::HeaderTemplate;
pub use jwk::{Jwk, KeyUse, SkipReason};
pub use jwks::{Jwks, JwksError, NoKey, Skipped};
pub use key_error::KeyError;
pub use local_key::{KeyKind, LocalKey};
pub use oyez_domain::tpp::HeaderProfile;
pub use public_key::PublicKey;
pub use set_detection::looks_like_set;
pub use sign::{Sign, SignError, SigningFuture};
pub use signatory::{Form, Signatory};
pub use signing_input::SigningInput;
pub use unix_time::UnixTime;
pub use zeroize::Zeroizing;
