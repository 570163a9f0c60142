//! Strict JSON: what two readers could understand differently is refused (G-07).
//!
//! A member that stands twice, bytes after the end, invalid UTF-8 and nesting beyond a bound are errors with their place.
//! Every document that oyez takes from outside goes through [`parse`]; [`members`] then reads objects and collects faults.

pub mod members;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep a request may nest. The standard's deepest has four levels; the rest is room for a bank's own payloads.
pub const DEPTH_MAX: usize = 32;

/// The bytes are not JSON as we take it; the text says what is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

/// Reads one JSON document.
pub fn parse(bytes: &[u8], depth_max: usize) -> Result<Value, Malformed> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Malformed(format!("invalid UTF-8 after {} bytes", error.valid_up_to())))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict {
        depth_left: depth_max,
    }
    .deserialize(&mut deserializer)
    .and_then(|value| deserializer.end().map(|()| value))
    .map_err(|error| Malformed(error.to_string()))?;
    Ok(value)
}

/// The same value always as the same bytes: members sorted by name, no white space.
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_canonical(value, &mut bytes);
    bytes
}

fn write_canonical(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Array(items) => {
            write_all(bytes, [b'[', b']'], items.iter(), write_canonical);
        }
        Value::Object(map) => {
            let mut members: Vec<(&String, &Value)> = map.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            write_all(
                bytes,
                [b'{', b'}'],
                members.into_iter(),
                |(name, value), bytes| {
                    bytes.extend_from_slice(Value::from(name.as_str()).to_string().as_bytes());
                    bytes.push(b':');
                    write_canonical(value, bytes);
                },
            );
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            bytes.extend_from_slice(value.to_string().as_bytes());
        }
    }
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

/// Reads a value that may nest so much deeper.
#[derive(Clone, Copy)]
struct Strict {
    depth_left: usize,
}

impl Strict {
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth_left = self
            .depth_left
            .checked_sub(1)
            .ok_or_else(|| E::custom("nested too deep"))?;
        Ok(Self { depth_left })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
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
        assert!(error(r#"{"a":1,"\u0061":2}"#).starts_with("a member stands twice"));
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
    }
}
