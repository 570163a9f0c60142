//! The names of things. Each is its own type, so that a subscription's id cannot stand where a client's belongs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::Timestamp;

/// Why a text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {kind} has 1 to {chars_max} characters, none of them a control character")]
pub struct BadId {
    kind: &'static str,
    chars_max: usize,
}

/// Defines a newtype over text that is not empty, not longer than its bound and free of control characters.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $chars_max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The most characters it may have.
            pub const CHARS_MAX: usize = $chars_max;

            /// Takes a text that is fit to be one.
            pub fn new(text: impl Into<String>) -> Result<Self, BadId> {
                let text = text.into();
                let fits = !text.is_empty()
                    && text.chars().count() <= Self::CHARS_MAX
                    && !text.chars().any(char::is_control);
                if fits { Ok(Self(text)) } else { Err(BadId { kind: $kind, chars_max: $chars_max }) }
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;

            fn try_from(text: String) -> Result<Self, BadId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

text_id!(
    /// A TPP: the client_id of its tokens, and the `aud` of its SETs (T-01).
    ClientId,
    "client_id",
    128
);
text_id!(
    /// One event-subscription or callback-url. The bank draws it; the standard allows 40 characters.
    RegistrationId,
    "registration id",
    40
);
text_id!(
    /// A resource the bank holds for a TPP: a consent, a payment (T-03).
    ResourceId,
    "resource id",
    128
);
text_id!(
    /// Which events belong to one business transaction (T-01).
    TransactionId,
    "transaction id",
    128
);
text_id!(
    /// `x-fapi-interaction-id`: ties a log line here to one there (G-02).
    InteractionId,
    "interaction id",
    128
);
text_id!(
    /// The publisher's name for a piece of news, so that saying it twice is heard once (I-02).
    IdempotencyKey,
    "idempotency key",
    128
);
text_id!(
    /// A process that serves this ledger.
    NodeId,
    "node id",
    128
);

impl InteractionId {
    /// One of ours, from a moment and ten random bytes: a UUIDv7, so that where attempts are found by it new ones stand
    /// together.
    pub fn new_at(at: Timestamp, random: [u8; 10]) -> Self {
        Self(uuid_v7(at, random).to_string())
    }

    /// The id of a request: what its header says where that can be sent back as it is, a UUID of these random bytes where it
    /// says nothing or something else (G-02). Sent back is printable ASCII, not too long; more than the standard asks, since
    /// TPPs send UUIDs without their hyphens.
    pub fn of_request(header: Option<&[u8]>, random: impl FnOnce() -> [u8; 16]) -> Self {
        let said = header.and_then(|value| std::str::from_utf8(value.trim_ascii()).ok());
        said.filter(|text| text.is_ascii())
            .and_then(|text| Self::new(text).ok())
            .unwrap_or_else(|| {
                Self(
                    uuid::Builder::from_random_bytes(random())
                        .into_uuid()
                        .to_string(),
                )
            })
    }
}

fn uuid_v7(at: Timestamp, random: [u8; 10]) -> Uuid {
    let ms = u64::try_from(at.unix_ms()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid()
}

/// A SET's identity: a UUIDv7, so that history sorts and is dropped by time. Never reused (T-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Jti(Uuid);

impl Jti {
    /// A jti from a moment and ten random bytes; the caller brings both.
    pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
        Self(uuid_v7(at, random))
    }

    /// The least jti that an event of this moment can have: where a range by time begins.
    pub fn floor(at: Timestamp) -> Self {
        Self::new(at, [0; 10])
    }

    /// The moment it was made at: when its event was accepted.
    pub fn moment(&self) -> Timestamp {
        let [a, b, c, d, e, f, ..] = *self.as_bytes();
        Timestamp::from_unix_ms(i64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// The sixteen bytes that ledgers key by; their order is the order of time.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// A jti as it was stored.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for Jti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Reads only the form that we print: another spelling of the same number is another text, and no jti of ours (P-04).
impl FromStr for Jti {
    type Err = NotAJti;

    fn from_str(text: &str) -> Result<Self, NotAJti> {
        let jti = Self(Uuid::try_parse(text).map_err(|_| NotAJti)?);
        if jti.to_string() == text {
            Ok(jti)
        } else {
            Err(NotAJti)
        }
    }
}

/// The text is no jti that this bank could have issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a jti of this bank: a UUID in lower case with hyphens is expected")]
pub struct NotAJti;

#[cfg(test)]
mod tests {
    use super::*;

    // T-01
    #[test]
    fn jtis_sort_by_time_and_survive_their_text_form() {
        let early = Jti::new(Timestamp::from_unix_ms(1_000), [0xff; 10]);
        let late = Jti::new(Timestamp::from_unix_ms(1_001), [0; 10]);
        assert!(early < late);
        assert!(Jti::floor(Timestamp::from_unix_ms(1_000)) <= early);
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(
            early.to_string().to_uppercase().parse::<Jti>(),
            Err(NotAJti)
        );
    }

    // G-02
    #[test]
    fn a_request_keeps_its_interaction_id_if_it_has_one_that_can_be_sent_back() {
        let of = |header: &[u8]| InteractionId::of_request(Some(header), || [0xab; 16]);
        let longest = "x".repeat(128);
        for text in [
            "93bac548-d2de-4546-b106-880a5018460d",
            "93BAC548D2DE4546B106880A5018460D",
            "not a UUID; but: \"fit\" to be a header",
            longest.as_str(),
        ] {
            assert_eq!(of(text.as_bytes()).as_str(), text);
        }
        assert_eq!(of(b" \tx ").as_str(), "x");
        let fresh = "abababab-abab-4bab-abab-abababababab";
        let too_long = "x".repeat(129);
        for value in [
            &b""[..],
            b"  ",
            b"a\tb",
            b"a\r\nb",
            b"\xff",
            "é".as_bytes(),
            b"\x7f",
            too_long.as_bytes(),
        ] {
            assert_eq!(of(value).as_str(), fresh, "{}", value.escape_ascii());
        }
        let none = InteractionId::of_request(None, || [0xab; 16]);
        assert_eq!(none.as_str(), fresh);
    }

    #[test]
    fn an_id_is_neither_empty_nor_too_long_nor_a_control_sequence() {
        assert!(RegistrationId::new("x".repeat(40)).is_ok());
        for bad in [String::new(), "x".repeat(41), "a\nb".to_owned()] {
            assert!(RegistrationId::new(bad).is_err());
        }
        assert!(serde_json::from_str::<ClientId>("\"\"").is_err());
    }
}
