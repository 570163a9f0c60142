//! PEM (RFC 7468, the lax reading): explanatory text around the blocks is skipped, as `openssl` writes it. Decoded
//! bytes and the cleaned text are overwritten when dropped. Written by hand, because the crates for it either keep
//! secrets in plain vectors or refuse the attributes that key stores write above a block.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::key_error::KeyError;

/// One block: its label and what is inside.
pub(crate) struct Block<'t> {
    pub(crate) label: &'t str,
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// All blocks of a text, in order.
pub(crate) fn parse(text: &str) -> Result<Vec<Block<'_>>, KeyError> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = label_of(line, "-----BEGIN ") else {
            continue;
        };
        let mut body = Zeroizing::new(Vec::with_capacity(text.len()));
        loop {
            let line = lines.next().ok_or(KeyError::Pem("no end line"))?;
            if let Some(end) = label_of(line, "-----END ") {
                if end != label {
                    return Err(KeyError::Pem("begin and end lines differ"));
                }
                break;
            }
            if line.starts_with("Proc-Type:") {
                return Err(KeyError::Encrypted);
            }
            body.extend_from_slice(line.as_bytes());
        }
        let der = STANDARD
            .decode(&*body)
            .map_err(|_| KeyError::Pem("not base64"))?;
        blocks.push(Block {
            label,
            der: Zeroizing::new(der),
        });
    }
    Ok(blocks)
}

/// The one block with one of `labels`.
pub(crate) fn only<'t>(
    blocks: Vec<Block<'t>>,
    wanted: &'static str,
    labels: &[&str],
) -> Result<Block<'t>, KeyError> {
    if blocks.is_empty() {
        return Err(KeyError::Unrecognised);
    }
    let found: Vec<&str> = blocks.iter().map(|block| block.label).collect();
    let found = found.join(", ");
    let mut keys = blocks
        .into_iter()
        .filter(|block| labels.contains(&block.label));
    let key = keys.next().ok_or(KeyError::NoKey { wanted, found })?;
    match keys.next() {
        Some(_) => Err(KeyError::SeveralKeys),
        None => Ok(key),
    }
}

/// One block as text, lines of 64.
pub(crate) fn write(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    // Room for all of it at once: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(body.len() + body.len() / 64 + 128));
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

fn label_of<'t>(line: &'t str, start: &str) -> Option<&'t str> {
    line.strip_prefix(start)?.strip_suffix("-----")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_and_attributes_around_blocks_are_skipped() {
        let text = "Bag Attributes\n    localKeyID: 01\n-----BEGIN A-----\r\nAAEC\r\n-----END A-----\n\
                    other\n-----BEGIN B-----\n  Aw==\n-----END B-----";
        let blocks = parse(text).unwrap();
        let read: Vec<_> = blocks
            .iter()
            .map(|block| (block.label, block.der.to_vec()))
            .collect();
        assert_eq!(read, [("A", vec![0, 1, 2]), ("B", vec![3])]);
    }

    #[test]
    fn damaged_and_encrypted_blocks_have_their_reason() {
        let faults = [
            ("-----BEGIN A-----\nAAEC\n", KeyError::Pem("no end line")),
            (
                "-----BEGIN A-----\nAAEC\n-----END B-----",
                KeyError::Pem("begin and end lines differ"),
            ),
            (
                "-----BEGIN A-----\nA*EC\n-----END A-----",
                KeyError::Pem("not base64"),
            ),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAEC\n-----END RSA PRIVATE KEY-----",
                KeyError::Encrypted,
            ),
        ];
        for (text, fault) in faults {
            assert_eq!(parse(text).err(), Some(fault), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(der in proptest::collection::vec(any::<u8>(), 1..300)) {
            let text = write("PRIVATE KEY", &der);
            prop_assert!(text.lines().all(|line| line.len() <= 64));
            let blocks = parse(&text).unwrap();
            let block = only(blocks, "private key", &["PRIVATE KEY"]).unwrap();
            prop_assert_eq!(block.der.as_slice(), der.as_slice());
        }
    }
}
