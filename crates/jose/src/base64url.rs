//! base64url as JOSE has it: no padding, and one spelling only. A last character with non-zero unused bits is refused,
//! for otherwise one token would have several texts that all verify.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Length of the encoding of `bytes` bytes.
pub(crate) const fn encoded_len(bytes: usize) -> usize {
    bytes / 3 * 4 + (bytes % 3 * 4).div_ceil(3)
}

/// Appends the encoding of `bytes`; allocates nothing when the capacity is there.
pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + encoded_len(bytes.len()), 0);
    URL_SAFE_NO_PAD
        .encode_slice(bytes, &mut out[start..])
        .expect("the encoded length was made room for");
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// `None` when the text is not the canonical encoding of anything.
pub(crate) fn decode(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn padding_foreign_characters_and_trailing_bits_are_refused() {
        assert_eq!(decode("AA"), Some(vec![0]));
        for text in ["AA==", "AB", "A", "A+", "A/", "AA A", "AA\n", "AAA=", "AAB"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_was_encoded_decodes_to_itself(bytes: Vec<u8>) {
            let mut out = b"before".to_vec();
            append(&mut out, &bytes);
            prop_assert_eq!(out.len(), 6 + encoded_len(bytes.len()));
            prop_assert_eq!(String::from_utf8_lossy(&out[6..]), encode(&bytes));
            prop_assert_eq!(decode(&out[6..]), Some(bytes));
        }

        #[test]
        fn whatever_decodes_is_spelt_the_one_way(text in "[A-Za-z0-9_-]{0,12}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
