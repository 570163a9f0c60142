//! `Content-Type` and `Accept` (G-04): is what comes JSON in UTF-8, and may what goes be?
//!
//! The grammar is that of RFC 9110, read leniently where nothing can be misunderstood: members of a list that cannot be read
//! are passed over, and so are parameters that say nothing about JSON. Message encryption is absent, so `application/jose+jwe`
//! is a type like any other. Which methods have a body to speak of is the caller's to know.

/// A request's body is of a type that is not taken (415).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a body is application/json in UTF-8")]
pub struct UnsupportedMediaType;

/// A request admits no answer that could be given (406).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("answers are application/json in UTF-8")]
pub struct NotAcceptable;

/// Judges the `Content-Type` of a body; one without is of no known type.
pub fn check_content_type(value: Option<&[u8]>) -> Result<(), UnsupportedMediaType> {
    let media = value.and_then(Media::read).ok_or(UnsupportedMediaType)?;
    if media.is("application", "json") && media.charset != Charset::Other {
        Ok(())
    } else {
        Err(UnsupportedMediaType)
    }
}

/// Judges `Accept`, every line of it: the range that speaks of our answers most narrowly decides, and none at all admits
/// everything.
pub fn check_accept<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Result<(), NotAcceptable> {
    let mut said = false;
    let mut best: Option<Range> = None;
    for member in values.into_iter().flat_map(|value| split(value, b',')) {
        said = true;
        let range = Media::read(member).and_then(|media| media.range());
        best = best.max(range);
    }
    if said && best.is_none_or(|range| range.weight == Weight::Refused) {
        Err(NotAcceptable)
    } else {
        Ok(())
    }
}

/// A media type or range, with what its parameters say that matters here.
struct Media<'v> {
    kind: &'v [u8],
    subtype: &'v [u8],
    charset: Charset,
    weight: Weight,
}

/// A range that speaks of our answers. The narrowest is the greatest, and of two alike the one that admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Range {
    breadth: Breadth,
    charset: Charset,
    weight: Weight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Breadth {
    Everything,
    Applications,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Charset {
    Unsaid,
    Utf8,
    /// Also where several are named and one of them is another.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// `q=0`.
    Refused,
    /// Any other, however it is written: who has one answer need not know how much it is liked.
    Admitted,
}

impl<'v> Media<'v> {
    fn read(text: &'v [u8]) -> Option<Self> {
        let mut parts = split(text, b';');
        let (kind, subtype) = match parts.next()? {
            // Old Java clients send a lone asterisk.
            b"*" => (&b"*"[..], &b"*"[..]),
            name => halves(name, b'/').filter(|(one, two)| is_token(one) && is_token(two))?,
        };
        let mut media = Self {
            kind,
            subtype,
            charset: Charset::Unsaid,
            weight: Weight::Admitted,
        };
        for (name, value) in parts.filter_map(|part| halves(part, b'=')) {
            if name.eq_ignore_ascii_case(b"charset") {
                media.charset = media.charset.max(Charset::read(value));
            } else if name.eq_ignore_ascii_case(b"q") {
                media.weight = Weight::read(value);
            }
        }
        Some(media)
    }

    fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind.as_bytes())
            && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
    }

    fn range(&self) -> Option<Range> {
        let breadth = if self.is("application", "json") {
            Breadth::Json
        } else if self.is("application", "*") {
            Breadth::Applications
        } else if self.is("*", "*") {
            Breadth::Everything
        } else {
            return None;
        };
        (self.charset != Charset::Other).then_some(Range {
            breadth,
            charset: self.charset,
            weight: self.weight,
        })
    }
}

impl Charset {
    fn read(value: &[u8]) -> Self {
        if unquoted(value).eq_ignore_ascii_case(b"utf-8") {
            Self::Utf8
        } else {
            Self::Other
        }
    }
}

impl Weight {
    fn read(value: &[u8]) -> Self {
        let zero = value.contains(&b'0') && value.iter().all(|byte| b"0.".contains(byte));
        if zero { Self::Refused } else { Self::Admitted }
    }
}

/// The parts between separators that stand outside quotes, without the space around them; empty ones are none.
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |byte| {
        let opens_or_closes = *byte == b'"' && !escaped;
        escaped = quoted && *byte == b'\\' && !escaped;
        quoted ^= opens_or_closes;
        !quoted && *byte == separator
    })
    .map(<[u8]>::trim_ascii)
    .filter(|part| !part.is_empty())
}

fn halves(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == separator)?;
    Some((text[..at].trim_ascii(), text[at + 1..].trim_ascii()))
}

fn is_token(text: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(fits)
}

/// The text of a quoted string, and any other as it is.
fn unquoted(value: &[u8]) -> Vec<u8> {
    match value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
    {
        Some(inside) => inside
            .iter()
            .copied()
            .filter(|byte| *byte != b'\\')
            .collect(),
        None => value.to_vec(),
    }
}

#[cfg(test)]
mod tests;
