//! SHA-256, for thumbprints here and for fingerprints elsewhere.

use aws_lc_rs::digest::{self, SHA256};

/// The SHA-256 digest of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&SHA256, bytes)
        .as_ref()
        .try_into()
        .expect("a SHA-256 digest has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::sha256;

    // FIPS 180-2, appendix B.1.
    #[test]
    fn digest_of_abc_is_the_published_one() {
        let hex: String = sha256(b"abc")
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
