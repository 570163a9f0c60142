//! Where in a trace something happened, in the words of W3C Trace Context: what a publisher says of the work that an event
//! belongs to, and what is kept with the event so that its way goes on in the same trace. None of it is in a SET.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in a trace: what `traceparent` and `tracestate` say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct TraceContext {
    /// Which trace. Never all zero.
    pub trace_id: [u8; 16],
    /// Which span of it is the parent of what comes. Never all zero.
    pub span_id: [u8; 8],
    /// Whether whoever began it records it.
    pub is_sampled: bool,
    /// What vendors pass along, as it came.
    pub state: Option<String>,
}

impl TraceContext {
    /// Reads the two headers. What is malformed means nothing, as the recommendation says: a publisher's event is not refused
    /// for its tracing.
    pub fn read(parent: &str, state: Option<&str>) -> Option<Self> {
        let parts = parent.as_bytes();
        let is_later = |version: [u8; 1]| version != [0] && parts.get(PARENT_LENGTH) == Some(&b'-');
        let version = hex::<1>(parts.get(..2)?)?;
        let whole = parts.len() == PARENT_LENGTH || is_later(version);
        let dashes = [2, 35, 52].iter().all(|at| parts.get(*at) == Some(&b'-'));
        if !whole || !dashes || version == [0xff] {
            return None;
        }
        let trace_id = hex::<16>(parts.get(3..35)?)?;
        let span_id = hex::<8>(parts.get(36..52)?)?;
        let [flags] = hex::<1>(parts.get(53..55)?)?;
        let is_printable = |text: &&str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let is_short = |text: &&str| !text.is_empty() && text.len() <= STATE_BYTES_MAX;
        let state = state.filter(is_short).filter(is_printable);
        (trace_id != [0; 16] && span_id != [0; 8]).then(|| Self {
            trace_id,
            span_id,
            is_sampled: flags & SAMPLED != 0,
            state: state.map(str::to_owned),
        })
    }

    /// The trace's id as it is written.
    pub fn trace_id_text(&self) -> String {
        self.trace_id
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// What `traceparent` says.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        for byte in self.trace_id {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("-")?;
        for byte in self.span_id {
            write!(f, "{byte:02x}")?;
        }
        write!(f, "-{:02x}", u8::from(self.is_sampled))
    }
}

/// As it stands in a ledger.
#[derive(Serialize, Deserialize)]
struct Form {
    parent: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
}

/// The text is no place in a trace.
#[derive(Debug, thiserror::Error)]
#[error("this is no traceparent")]
struct NoParent;

impl TryFrom<Form> for TraceContext {
    type Error = NoParent;

    fn try_from(form: Form) -> Result<Self, NoParent> {
        Self::read(&form.parent, form.state.as_deref()).ok_or(NoParent)
    }
}

impl From<TraceContext> for Form {
    fn from(context: TraceContext) -> Self {
        Self {
            parent: context.to_string(),
            state: context.state,
        }
    }
}

/// Only small letters, as the recommendation has it.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    if pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// Version, trace, span and flags, with a dash between.
const PARENT_LENGTH: usize = 55;
const SAMPLED: u8 = 1;
/// What the recommendation asks everybody to pass on at least.
const STATE_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::TraceContext;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_parent_is_read_and_written_as_it_was() {
        let context = TraceContext::read(PARENT, Some("congo=t61rcWkgMzE")).unwrap();
        assert!(context.is_sampled);
        assert_eq!(context.to_string(), PARENT);
        assert_eq!(context.trace_id_text(), &PARENT[3..35]);
        let text = serde_json::to_string(&context).unwrap();
        assert_eq!(
            serde_json::from_str::<TraceContext>(&text).unwrap(),
            context
        );
        let unsampled = PARENT.replace("-01", "-00");
        assert!(!TraceContext::read(&unsampled, None).unwrap().is_sampled);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = format!("{}-more", PARENT.replacen("00", "cc", 1));
        assert!(TraceContext::read(&later, None).is_some());
    }

    #[test]
    fn what_is_malformed_means_nothing() {
        for wrong in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::read(wrong, None), None, "{wrong}");
        }
        let long = "a=".to_owned() + &"x".repeat(600);
        for state in ["", "a=\u{7f}", &long] {
            assert_eq!(TraceContext::read(PARENT, Some(state)).unwrap().state, None);
        }
    }
}
