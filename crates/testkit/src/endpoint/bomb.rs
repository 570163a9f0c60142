//! A gzip bomb, packed by hand: zeros, with the fixed codes of RFC 1951. It is small enough to be read to its end by a client
//! that reads 16 KiB, and a hundred times as large unpacked.

use std::iter::repeat_n;

use oyez_outbound::Bytes;

/// How large it becomes.
pub const UNPACKED_BYTES: usize = 1 + COPIES * COPY_BYTES;

/// The whole gzip file.
pub(super) fn packed() -> Bytes {
    let mut bits = Bits::default();
    // The last block, of fixed codes.
    bits.put([1, 1, 0]);
    // The literal zero, 00110000; then so many copies of 258 bytes (11000101, whose extra bits are none) from one byte back
    // (00000); then the end (0000000).
    bits.put([0, 0, 1, 1, 0, 0, 0, 0]);
    for _ in 0..COPIES {
        bits.put([1, 1, 0, 0, 0, 1, 0, 1]);
        bits.put([0; 5]);
    }
    bits.put([0; 7]);
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    file.extend(bits.bytes);
    file.extend(crc32_of_zeros(UNPACKED_BYTES).to_le_bytes());
    file.extend(u32::try_from(UNPACKED_BYTES).unwrap().to_le_bytes());
    file.into()
}

/// Bits into bytes, the least significant first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn put<const N: usize>(&mut self, bits: [u8; N]) {
        for bit in bits {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= bit << (self.used % 8);
            self.used += 1;
        }
    }
}

fn crc32_of_zeros(bytes: usize) -> u32 {
    let shifted = repeat_n((), bytes * 8).fold(u32::MAX, |crc, ()| {
        if crc & 1 == 1 {
            (crc >> 1) ^ 0xedb8_8320
        } else {
            crc >> 1
        }
    });
    !shifted
}

/// 13 bits each, so that all of them are below 16 KiB.
const COPIES: usize = 8_000;
const COPY_BYTES: usize = 258;

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn it_is_what_gzip_unpacks() {
        assert!(packed().len() < 16 * 1_024);
        let mut gzip = Command::new("gzip")
            .arg("-dc")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        gzip.stdin.take().unwrap().write_all(&packed()).unwrap();
        let output = gzip.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(output.stdout.len(), UNPACKED_BYTES);
    }
}
