//! What browsers keep for us: sealed, so that they can neither read nor change it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The key that seals. Nodes that share it know each other's sessions.
pub struct SealKey(RandomizedNonceKey);

impl SealKey {
    /// From 256 bits that nobody can guess.
    pub fn new(secret: &[u8; 32]) -> Self {
        let key = RandomizedNonceKey::new(&AES_256_GCM, secret);
        Self(key.expect("the algorithm takes 32 bytes"))
    }

    /// Seals a text. What was sealed for one purpose opens for no other.
    pub(super) fn seal(&self, purpose: &'static str, text: Vec<u8>) -> String {
        let mut sealed = text;
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(purpose), &mut sealed);
        let nonce = nonce.expect("a text of some hundred bytes is not too long");
        let whole = [nonce.as_ref().as_slice(), &sealed].concat();
        URL_SAFE_NO_PAD.encode(whole)
    }

    /// Opens it, if it is ours and whole.
    pub(super) fn open(&self, purpose: &'static str, sealed: &str) -> Option<Vec<u8>> {
        let whole = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, text) = whole.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self
            .0
            .open_in_place(nonce, Aad::from(purpose), &mut text)
            .ok()?;
        Some(opened.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // I-05
    #[test]
    fn what_is_sealed_opens_for_its_purpose_with_its_key_and_unchanged() {
        let key = SealKey::new(&[1; 32]);
        let sealed = key.seal("session", b"alice".to_vec());
        assert_eq!(key.open("session", &sealed).unwrap(), b"alice");
        assert_ne!(key.seal("session", b"alice".to_vec()), sealed);
        assert!(key.open("login", &sealed).is_none());
        let other = SealKey::new(&[2; 32]);
        assert!(other.open("session", &sealed).is_none());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(key.open("session", &changed).is_none(), "{place}");
        }
        assert!(key.open("session", "").is_none());
    }
}
