//! The two numbers of an RSA public key out of the DER that AWS-LC writes. Its own accessors would bring in a second
//! version of a parser crate; this input is always canonical, so twenty lines do.

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017, A.1.1), big-endian without leading zeros.
pub(crate) fn rsa_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, end) = element(der, SEQUENCE)?;
    let (n, rest) = element(sequence, INTEGER)?;
    let (e, rest_of_sequence) = element(rest, INTEGER)?;
    (end.is_empty() && rest_of_sequence.is_empty()).then(|| (unsigned(n), unsigned(e)))
}

/// Contents of the first element, which must have this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [first, length, rest @ ..] = der else {
        return None;
    };
    let (length, rest) = match *length {
        short @ 0..0x80 => (usize::from(short), rest),
        long => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length = digits.iter().try_fold(0_usize, |sum, digit| {
                Some(sum.checked_mul(256)? + usize::from(*digit))
            });
            (length?, rest)
        }
    };
    if *first == tag {
        rest.split_at_checked(length)
    } else {
        None
    }
}

/// A positive INTEGER has a zero in front when its first bit is set.
fn unsigned(integer: &[u8]) -> &[u8] {
    integer.strip_prefix(&[0]).unwrap_or(integer)
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

#[cfg(test)]
mod tests {
    use super::rsa_numbers;
    use proptest::prelude::*;

    #[test]
    fn numbers_come_out_without_their_sign_byte() {
        let der = [
            0x30, 0x09, 0x02, 0x02, 0x00, 0x8f, 0x02, 0x03, 0x01, 0x00, 0x01,
        ];
        assert_eq!(rsa_numbers(&der), Some((&[0x8f][..], &[1, 0, 1][..])));
        let long = [
            &[0x30, 0x81, 0x88, 0x02, 0x81, 0x80][..],
            &[7; 128],
            &[0x02, 0x03, 1, 0, 1],
        ]
        .concat();
        assert_eq!(rsa_numbers(&long), Some((&[7; 128][..], &[1, 0, 1][..])));
        assert_eq!(rsa_numbers(&der[..10]), None);
        assert_eq!(rsa_numbers(&[&der[..], &[0]].concat()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, length in 0x80_u8..) {
            let _ = rsa_numbers(&bytes);
            let _ = rsa_numbers(&[&[0x30, length], &bytes[..]].concat());
        }
    }
}
