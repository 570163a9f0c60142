//! What stands in a column, whichever database it stands in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    Jti([u8; 16]),
    Ints(Vec<i64>),
    Jtis(Vec<[u8; 16]>),
}

/// The values of a row, in the order of its table's columns.
pub(crate) type Row = Vec<Value>;

impl Value {
    /// What it takes to hold it, about.
    pub(crate) fn bytes(&self) -> usize {
        let more = match self {
            Self::Null | Self::Int(_) | Self::Jti(_) => 0,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Ints(numbers) => numbers.len() * 8,
            Self::Jtis(jtis) => jtis.len() * 16,
        };
        size_of::<Self>() + more
    }

    /// Adds it to bytes that no other values have.
    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        let mut add = |tag: u8, parts: &mut dyn Iterator<Item = &[u8]>, length: usize| {
            bytes.push(tag);
            bytes.extend((length as u64).to_be_bytes());
            parts.for_each(|part| bytes.extend(part));
        };
        match self {
            Self::Null => bytes.push(0),
            Self::Int(number) => {
                bytes.push(1);
                bytes.extend(number.to_be_bytes());
            }
            Self::Text(text) => add(2, &mut std::iter::once(text.as_bytes()), text.len()),
            Self::Bytes(raw) => add(3, &mut std::iter::once(&raw[..]), raw.len()),
            Self::Jti(jti) => {
                bytes.push(4);
                bytes.extend(jti);
            }
            Self::Ints(numbers) => {
                let parts: Vec<[u8; 8]> = numbers.iter().map(|it| it.to_be_bytes()).collect();
                add(5, &mut parts.iter().map(|it| &it[..]), numbers.len());
            }
            Self::Jtis(jtis) => add(6, &mut jtis.iter().map(|it| &it[..]), jtis.len()),
        }
    }
}

/// As a part of a key: keys are numbers, texts and jtis.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Jti(jti) => uuid::Uuid::from_bytes(*jti).fmt(f),
            other => write!(f, "{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_have_the_same_bytes() {
        let rows: [Row; 9] = [
            vec![],
            vec![Value::Null],
            vec![Value::Int(0)],
            vec![Value::Text(String::new())],
            vec![Value::Bytes(Vec::new())],
            vec![Value::Text("ab".to_owned()), Value::Text("c".to_owned())],
            vec![Value::Text("a".to_owned()), Value::Text("bc".to_owned())],
            vec![Value::Ints(vec![1, 2])],
            vec![Value::Ints(vec![1]), Value::Int(2)],
        ];
        let encoded = rows.map(|row| {
            let mut bytes = Vec::new();
            row.iter().for_each(|value| value.encode(&mut bytes));
            bytes
        });
        for (nth, one) in encoded.iter().enumerate() {
            assert!(!encoded[nth + 1..].contains(one), "{one:?}");
        }
    }
}
