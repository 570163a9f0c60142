//! RSA keys that every test has, since making one takes up to a second. They protect nothing.

use std::sync::{Arc, LazyLock};

use oyez_jose::{Jwk, Jwks, KeyKind, LocalKey, Zeroizing};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;

/// A fixed key.
pub type Fixed = LazyLock<Arc<LocalKey>>;

/// The bank signs with it.
pub static BANK: Fixed = LazyLock::new(|| read(include_str!("../keys/test-only-bank.pem")));
/// The bank's second, for rotations.
pub static BANK_NEXT: Fixed =
    LazyLock::new(|| read(include_str!("../keys/test-only-bank-next.pem")));
/// The first TPP signs with it.
pub static TPP_1: Fixed = LazyLock::new(|| read(include_str!("../keys/test-only-tpp-1.pem")));
/// The second TPP signs with it.
pub static TPP_2: Fixed = LazyLock::new(|| read(include_str!("../keys/test-only-tpp-2.pem")));
/// Nobody believes it.
pub static STRANGER: Fixed = LazyLock::new(|| read(include_str!("../keys/test-only-stranger.pem")));
/// The authorisation server signs with it, where it must be RSA.
pub static AUTHORISATION_SERVER: Fixed =
    LazyLock::new(|| read(include_str!("../keys/test-only-authorisation-server.pem")));

/// A new key for ES256, which takes no time.
pub fn p256() -> Arc<LocalKey> {
    Arc::new(LocalKey::generate(KeyKind::P256).unwrap())
}

/// The public half, in a set of its own.
pub fn published(kid: &str, key: &LocalKey) -> Jwks {
    [Jwk::new(kid, key.public_key().clone())]
        .into_iter()
        .collect()
}

/// The key of TLS servers and clients that must be RSA.
pub(crate) fn of_tls() -> PrivatePkcs8KeyDer<'static> {
    PrivatePkcs8KeyDer::from_pem_slice(include_bytes!("../keys/test-only-server.pem")).unwrap()
}

fn read(pem: &str) -> Arc<LocalKey> {
    Arc::new(LocalKey::read(Zeroizing::new(pem.as_bytes().to_vec())).unwrap())
}
