//! The answer to a poll, written as bytes (P-02): a SET goes out as it was kept, and a tree of values that is built only to
//! be written again would cost more than everything else of an answer.

use std::io::Write;

use crate::ids::Jti;

/// What a poll is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'a> {
    /// Compact JWSs in the order of hand-out, each jti once.
    pub sets: &'a [(Jti, String)],
    /// Something else is due and visible to this token.
    pub more_available: bool,
}

impl Response<'_> {
    /// The body.
    pub fn to_bytes(&self) -> Vec<u8> {
        let head: &[u8] = if self.more_available {
            br#"{"moreAvailable":true,"sets":{"#
        } else {
            br#"{"moreAvailable":false,"sets":{"#
        };
        let texts: usize = self.sets.iter().map(|(_, set)| set.len()).sum();
        let around = MEMBER_BYTES * self.sets.len() + self.sets.len().saturating_sub(1);
        let mut bytes = Vec::with_capacity(head.len() + texts + around + TAIL.len());
        bytes.extend_from_slice(head);
        for (index, (jti, set)) in self.sets.iter().enumerate() {
            if index > 0 {
                bytes.push(b',');
            }
            write!(bytes, "\"{jti}\":").expect("a Vec takes every byte");
            write_text(&mut bytes, set);
        }
        bytes.extend_from_slice(TAIL);
        bytes
    }
}

/// A compact JWS needs no escapes. A ledger that holds something else is broken, but not so the answer.
fn write_text(bytes: &mut Vec<u8>, text: &str) {
    // Without a way out early, so that the compiler can look at many bytes at once.
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().fold(true, |all, byte| all & plain(byte)) {
        bytes.push(b'"');
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(b'"');
    } else {
        serde_json::to_writer(bytes, text).expect("texts are always JSON");
    }
}

/// What a member of `sets` has beside the SET: a jti of 36 characters, four quotes, a colon.
const MEMBER_BYTES: usize = 41;

const TAIL: &[u8] = b"}}";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    fn sets(texts: Vec<(u128, String)>) -> Vec<(Jti, String)> {
        let jti = |number: u128| Jti::from_bytes(number.to_be_bytes());
        texts.into_iter().map(|(n, text)| (jti(n), text)).collect()
    }

    fn read(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    fn tree(response: Response<'_>) -> Value {
        let sets: Map<String, Value> = response
            .sets
            .iter()
            .map(|(jti, set)| (jti.to_string(), json!(set)))
            .collect();
        json!({"moreAvailable": response.more_available, "sets": sets})
    }

    // P-02
    #[test]
    fn both_members_are_always_there() {
        let nothing = Response {
            sets: &[],
            more_available: false,
        };
        assert_eq!(nothing.to_bytes(), br#"{"moreAvailable":false,"sets":{}}"#);
        let two = sets(vec![(2, "a.b.c".to_owned()), (1, "d.e.f".to_owned())]);
        let response = Response {
            sets: &two,
            more_available: true,
        };
        let expected = concat!(
            r#"{"moreAvailable":true,"sets":{"#,
            r#""00000000-0000-0000-0000-000000000002":"a.b.c","#,
            r#""00000000-0000-0000-0000-000000000001":"d.e.f"}}"#
        );
        assert_eq!(String::from_utf8(response.to_bytes()).unwrap(), expected);
    }

    proptest! {
        // P-02, P-09
        #[test]
        fn a_set_goes_out_as_its_bytes_in_one_piece_of_memory(
            texts in proptest::collection::btree_map(any::<u128>(), "[A-Za-z0-9_-]{1,99}\\.[A-Za-z0-9_-]{1,99}\\.[A-Za-z0-9_-]{1,99}", 0..9),
            more_available in any::<bool>(),
        ) {
            let sets = sets(texts.into_iter().collect());
            let response = Response { sets: &sets, more_available };
            let bytes = response.to_bytes();
            prop_assert_eq!(bytes.len(), bytes.capacity());
            prop_assert_eq!(read(&bytes), tree(response));
        }

        // P-02
        #[test]
        fn whatever_the_ledger_holds_the_answer_is_the_json_that_a_tree_would_be(
            texts in proptest::collection::btree_map(any::<u128>(), any::<String>(), 0..9),
            more_available in any::<bool>(),
        ) {
            let sets = sets(texts.into_iter().collect());
            let response = Response { sets: &sets, more_available };
            prop_assert_eq!(response.to_bytes(), tree(response).to_string().into_bytes());
        }
    }
}
