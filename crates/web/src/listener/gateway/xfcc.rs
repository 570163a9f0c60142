//! Envoy's `x-forwarded-client-cert`: elements between commas, one for each proxy on the way, the nearest last; pairs of key
//! and value between semicolons; values that hold such signs in double quotes, with a backslash before a quote inside.
//!
//! Read strictly: a proxy may append to what a client made up, and a quote that a client left open must spoil the header, not
//! move its borders. What is well-formed before the last element is not looked at further.

use super::{Unreadable, hex_digit, url_encoded_pem};

/// The certificate of the last element, in DER.
pub(super) fn certificate(header: &str) -> Result<Vec<u8>, Unreadable> {
    let element = last_element(header).ok_or(Unreadable::Elements)?;
    let single = |key: &str| {
        let mut values = element
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Unreadable::Repeated),
            (value, None) => Ok(value.filter(|value| !value.is_empty())),
        }
    };
    let pem = single("Cert")?.or(single("Chain")?);
    let der = url_encoded_pem(pem.ok_or(Unreadable::NoCertificate)?)?;
    match single("Hash")? {
        Some(hash) if !names(hash, &der) => Err(Unreadable::Hash),
        _ => Ok(der),
    }
}

type Pair = (String, String);

/// The pairs of the last element, if all of the header is well-formed.
fn last_element(header: &str) -> Option<Vec<Pair>> {
    let mut rest = header;
    let mut element = Vec::new();
    loop {
        let (key, after) = rest.split_once('=')?;
        if key.contains([',', ';', '"']) {
            return None;
        }
        let (value, after) = value(after)?;
        element.push((key.trim().to_owned(), value));
        rest = match after.split_at_checked(1) {
            None => return Some(element),
            Some((";", more)) => more,
            Some((",", more)) => {
                element.clear();
                more
            }
            Some(_) => return None,
        };
    }
}

/// A value and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ';']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (!value.contains('"')).then(|| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
}

/// Whether this is the certificate's SHA-256 in hex.
fn names(hash: &str, der: &[u8]) -> bool {
    let digest = oyez_jose::sha256(der);
    let (pairs, rest) = hash.as_bytes().as_chunks::<2>();
    let bytes = pairs
        .iter()
        .map(|[high, low]| Some(hex_digit(*high)? << 4 | hex_digit(*low)?));
    rest.is_empty() && bytes.eq(digest.into_iter().map(Some))
}
