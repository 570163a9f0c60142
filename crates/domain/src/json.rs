//! Strict JSON: what two readers could understand differently is refused (G-07).
//!
//! A member that stands twice, bytes after the end, invalid UTF-8 and nesting beyond a bound are errors with their place.
//! Every document that oyez takes from outside goes through [`parse`]; [`members`] then reads objects and collects faults.

pub mod members;

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep a request may nest. The standard's deepest has four levels; the rest is room for a bank's own payloads.
pub const DEPTH_MAX: usize = 32;

/// The bytes are not JSON as we take it; each variant carries a text that says what is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not JSON, not UTF-8, or more than one value.
    #[error("{0}")]
    Syntax(String),
    /// A member stands twice in one object, compared after escapes are resolved.
    #[error("{detail}")]
    DuplicateMember {
        /// Which.
        name: String,
        /// What is wrong, and where.
        detail: String,
    },
    /// Nested deeper than the reader allows.
    #[error("{0}")]
    TooDeep(String),
}

/// Reads one JSON document.
pub fn parse(bytes: &[u8], depth_max: usize) -> Result<Value, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Malformed::Syntax(format!("invalid UTF-8 after {} bytes", error.valid_up_to()))
    })?;
    let refused = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let strict = Strict {
        depth_left: depth_max,
        refused: &refused,
    };
    strict
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| {
            let detail = error.to_string();
            match refused.take() {
                Some(Refusal::DuplicateMember(name)) => Malformed::DuplicateMember { name, detail },
                Some(Refusal::TooDeep) => Malformed::TooDeep(detail),
                None => Malformed::Syntax(detail),
            }
        })
}

/// The same value always as the same bytes: members sorted by name, no white space.
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_canonical(value, &mut bytes);
    bytes
}

/// The same, of an object without one of its members.
pub fn canonical_without(names: &[&str], object: &Map<String, Value>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let kept = object
        .iter()
        .filter(|(each, _)| !names.contains(&each.as_str()));
    write_members(kept, &mut bytes);
    bytes
}

fn write_canonical(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Array(items) => {
            write_all(bytes, [b'[', b']'], items.iter(), write_canonical);
        }
        Value::Object(map) => write_members(map.iter(), bytes),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            write_scalar(value, bytes);
        }
    }
}

fn write_members<'v>(members: impl Iterator<Item = (&'v String, &'v Value)>, bytes: &mut Vec<u8>) {
    let mut members: Vec<_> = members.collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    write_all(
        bytes,
        [b'{', b'}'],
        members.into_iter(),
        |(name, value), bytes| {
            write_scalar(name, bytes);
            bytes.push(b':');
            write_canonical(value, bytes);
        },
    );
}

fn write_scalar(value: &impl serde::Serialize, bytes: &mut Vec<u8>) {
    serde_json::to_writer(bytes, value).expect("a vector takes whatever is written");
}

fn write_all<T>(
    bytes: &mut Vec<u8>,
    brackets: [u8; 2],
    items: impl Iterator<Item = T>,
    write: impl Fn(T, &mut Vec<u8>),
) {
    bytes.push(brackets[0]);
    for (index, item) in items.enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        write(item, bytes);
    }
    bytes.push(brackets[1]);
}

/// What we refuse though it is JSON. Serde's errors are texts with a place; the kind travels beside them.
enum Refusal {
    DuplicateMember(String),
    TooDeep,
}

/// Reads a value that may nest so much deeper.
#[derive(Clone, Copy)]
struct Strict<'r> {
    depth_left: usize,
    refused: &'r RefCell<Option<Refusal>>,
}

impl Strict<'_> {
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        let Some(depth_left) = self.depth_left.checked_sub(1) else {
            self.refused.replace(Some(Refusal::TooDeep));
            return Err(E::custom("nested too deep"));
        };
        Ok(Self { depth_left, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                self.refused.replace(Some(Refusal::DuplicateMember(name)));
                return Err(A::Error::custom("a member stands twice in one object"));
            }
            map.insert(name, members.next_value_seed(inside)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn error(text: &str) -> String {
        parse(text.as_bytes(), DEPTH_MAX).unwrap_err().to_string()
    }

    // G-07
    #[test]
    fn what_two_readers_could_understand_differently_is_refused_with_its_place() {
        assert_eq!(
            error("{\"a\":1,\n\"a\":2}"),
            "a member stands twice in one object at line 2 column 3"
        );
        assert_eq!(error("{} x"), "trailing characters at line 1 column 4");
        assert_eq!(
            parse(b"{\"a\":\"\xff\"}", DEPTH_MAX)
                .unwrap_err()
                .to_string(),
            "invalid UTF-8 after 6 bytes"
        );
        for text in [
            "",
            "{",
            "{'a':1}",
            "[1,]",
            "NaN",
            "1e999",
            "\u{feff}{}",
            "\"\\ud800\"",
            "\"\n\"",
        ] {
            assert!(!error(text).is_empty(), "{text}");
        }
    }

    // G-07
    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(32).as_bytes(), 32).is_ok());
        assert!(error(&nested(33)).starts_with("nested too deep"));
        assert!(parse(nested(100_000).as_bytes(), usize::MAX).is_err());
    }

    #[test]
    fn a_repeated_member_is_noticed_however_it_is_escaped() {
        for (text, repeated) in [
            (r#"{"a":1,"\u0061":2}"#, "a"),
            (r#"{"k":[{"x":{"b":1,"b":2}}]}"#, "b"),
        ] {
            let refused = parse(text.as_bytes(), DEPTH_MAX);
            let found = matches!(&refused, Err(Malformed::DuplicateMember { name, .. }) if name == repeated);
            assert!(found, "{text}: {refused:?}");
        }
        assert!(parse(br#"{"a":{"a":1},"b":{"a":1}}"#, DEPTH_MAX).is_ok());
    }

    #[test]
    fn canonical_bytes_do_not_depend_on_the_order_of_members() {
        let one = parse(br#"{"b":[1,{"d":null,"c":"\n"}],"a":true}"#, DEPTH_MAX).unwrap();
        assert_eq!(
            canonical(&one),
            br#"{"a":true,"b":[1,{"c":"\n","d":null}]}"#
        );
        assert_eq!(parse(&canonical(&one), DEPTH_MAX).unwrap(), json!(one));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = parse(&bytes, DEPTH_MAX) {
                prop_assert_eq!(parse(&canonical(&value), DEPTH_MAX).unwrap(), value);
            }
        }

        #[test]
        fn what_is_accepted_is_what_serde_json_reads(text in r#"[\[\]{}:,"a-c0-9. eE-]{0,24}"#) {
            if let Ok(value) = parse(text.as_bytes(), DEPTH_MAX) {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value));
            }
        }
    }
}
