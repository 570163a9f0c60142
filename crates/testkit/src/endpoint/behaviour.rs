//! What a request is answered with, and which answer comes when.

use std::collections::VecDeque;
use std::time::Duration;

use oyez_outbound::Bytes;

use super::{Seen, bomb};

/// What a request is answered with.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// 202, as the standard has it (D-02).
    Accept(Echo),
    /// As it should be.
    Answer {
        /// 200, 503.
        status: u16,
        /// Beside `content-length`: name and value.
        headers: Vec<(String, String)>,
        /// Sent in one piece.
        body: Bytes,
    },
    /// The same, but not before so much time has passed.
    Late(Duration, Box<Self>),
    /// The same; then the connection ends, unannounced.
    AndClose(Box<Self>),
    /// A 202, byte by byte, with so much time between them.
    SlowHead(Duration),
    /// Headers, and ever more of them.
    EndlessHead,
    /// A good head with this status, and a body that is not.
    BadBody(u16, Flaw),
    /// These bytes, which need not be HTTP, and the end.
    Garbage(Vec<u8>),
    /// Nothing, until the client gives up.
    Silence,
    /// The connection ends.
    HangUp,
    /// The connection is reset.
    Reset,
}

/// What an acknowledgement says of the request's `x-fapi-interaction-id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// The same, as it must.
    Same,
    /// Nothing.
    Missing,
    /// Another one.
    Other,
}

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It comes byte by byte, with so much time between them, and never ends.
    Slow(Duration),
    /// It never ends.
    Endless,
    /// The connection ends half-way.
    Short,
    /// The connection is reset half-way.
    Reset,
}

/// How one request after the other is answered.
pub struct Manner(Box<dyn FnMut(&Seen) -> Behaviour + Send>);

impl Behaviour {
    /// 202 with the request's interaction id: what a good TPP answers.
    pub const fn accept() -> Self {
        Self::Accept(Echo::Same)
    }

    /// 200 with this JSON.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).with_json(body)
    }

    /// A status and nothing else.
    pub const fn status(status: u16) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// 400 with an error of RFC 8935.
    pub fn refuse(err: &str, description: &str) -> Self {
        let body = serde_json::json!({ "err": err, "description": description });
        Self::status(400).with_json(body.to_string())
    }

    /// To this address.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::status(status).with_header("location", location)
    }

    /// A small body that a client which unpacks makes [`UNPACKED_BYTES`](super::UNPACKED_BYTES) of.
    pub fn bomb(status: u16) -> Self {
        let packed = Self::status(status).with_header("content-encoding", "gzip");
        packed.with_body(bomb::packed())
    }

    /// An answer with one header more.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        let Self::Answer { headers, .. } = &mut self else {
            panic!("{self:?} has no headers to add to");
        };
        headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// An answer with this body.
    pub fn with_body(mut self, bytes: impl Into<Bytes>) -> Self {
        let Self::Answer { body, .. } = &mut self else {
            panic!("{self:?} has no body to choose");
        };
        *body = bytes.into();
        self
    }

    /// The same, so much later.
    pub fn late(self, by: Duration) -> Self {
        Self::Late(by, Box::new(self))
    }

    /// The same, and the end of the connection.
    pub fn and_close(self) -> Self {
        Self::AndClose(Box::new(self))
    }

    fn with_json(self, body: impl Into<Vec<u8>>) -> Self {
        let typed = self.with_header("content-type", "application/json");
        typed.with_body(body.into())
    }

    /// The status that goes out first, if one does.
    pub(super) fn promises(&self) -> Option<u16> {
        match self {
            Self::Accept(_) | Self::SlowHead(_) => Some(202),
            Self::Answer { status, .. } | Self::BadBody(status, _) => Some(*status),
            Self::Late(_, then) | Self::AndClose(then) => then.promises(),
            Self::EndlessHead | Self::Garbage(_) | Self::Silence | Self::HangUp | Self::Reset => {
                None
            }
        }
    }

    /// With what depends on the request put in.
    pub(super) fn resolved(self, seen: &Seen) -> Self {
        match self {
            Self::Accept(echo) => {
                let id = match echo {
                    Echo::Same => seen.interaction_id(),
                    Echo::Missing => None,
                    Echo::Other => Some(ANOTHER_ID),
                };
                let accepted = Self::status(202);
                match id {
                    Some(id) => accepted.with_header("x-fapi-interaction-id", id),
                    None => accepted,
                }
            }
            Self::Late(by, then) => then.resolved(seen).late(by),
            Self::AndClose(then) => then.resolved(seen).and_close(),
            other => other,
        }
    }
}

impl Manner {
    /// Each request is answered as this says.
    pub fn by(answer: impl FnMut(&Seen) -> Behaviour + Send + 'static) -> Self {
        Self(Box::new(answer))
    }

    /// The first so many in the first way, then so many in the next, and then all in the last.
    pub fn steps<const N: usize>(steps: [(usize, Behaviour); N], then: Behaviour) -> Self {
        let mut steps = VecDeque::from(steps);
        Self::by(move |_| {
            while let Some((left, behaviour)) = steps.front_mut() {
                if *left > 0 {
                    *left -= 1;
                    return behaviour.clone();
                }
                steps.pop_front();
            }
            then.clone()
        })
    }

    pub(super) fn next(&mut self, seen: &Seen) -> Behaviour {
        (self.0)(seen)
    }
}

impl From<Behaviour> for Manner {
    fn from(behaviour: Behaviour) -> Self {
        Self::by(move |_| behaviour.clone())
    }
}

/// An interaction id that nobody sent.
const ANOTHER_ID: &str = "00000000-dead-4000-8000-000000000000";
