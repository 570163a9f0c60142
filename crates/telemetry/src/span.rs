//! One span: something that was done, from when to when, for whom, and below what.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::trace::TraceContext;
use tokio::time::Instant;

use crate::tracer::Tracer;

/// Something that was done, as it goes to a collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Where in its trace it is.
    pub context: TraceContext,
    /// What it was done for.
    pub parent: Option<[u8; 8]>,
    /// What was done: one of few names.
    pub name: &'static str,
    /// On which side of a wire.
    pub kind: Kind,
    /// Since 1970, in nanoseconds.
    pub began_ns: u64,
    /// Since 1970, in nanoseconds.
    pub ended_ns: u64,
    /// For whom, of what.
    pub attributes: Vec<(&'static str, Value)>,
    /// What else it belongs to.
    pub links: Vec<TraceContext>,
    /// It did not do what it was to do.
    pub is_error: bool,
}

/// On which side of a wire something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On none.
    Internal,
    /// Somebody asked.
    Server,
    /// Somebody else was asked.
    Client,
}

/// What an attribute says: ids and numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An id, or one of few words.
    Text(String),
    /// A count or a status.
    Number(i64),
}

/// A span that has begun. It ends when somebody says so; one that is dropped was given up, and is told as an error.
#[derive(Debug)]
pub struct Open {
    tracer: Arc<Tracer>,
    span: Option<Span>,
    /// Also of a span that is not told.
    context: TraceContext,
    has_parent: bool,
    begun: Instant,
}

impl Open {
    pub(crate) fn new(
        tracer: &Arc<Tracer>,
        name: &'static str,
        kind: Kind,
        parent: Option<&TraceContext>,
    ) -> Self {
        let context = tracer.below(parent);
        let span = context.is_sampled.then(|| Span {
            context: context.clone(),
            parent: parent.map(|parent| parent.span_id),
            name,
            kind,
            began_ns: tracer.now_ns(),
            ended_ns: 0,
            attributes: Vec::new(),
            links: Vec::new(),
            is_error: false,
        });
        Self {
            tracer: Arc::clone(tracer),
            span,
            context,
            has_parent: parent.is_some(),
            begun: Instant::now(),
        }
    }

    /// Where it is: the parent of what is done for it. `None` if nobody records it, and nobody else asked for its trace.
    pub fn place(&self) -> Option<&TraceContext> {
        (self.span.is_some() || self.has_parent).then_some(&self.context)
    }

    /// Says more of it, if it is told at all.
    pub fn note(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.span {
            span.attributes.push((name, value.into()));
        }
    }

    /// It is done.
    pub fn end(mut self, is_error: bool) {
        self.close(is_error);
    }

    fn close(&mut self, is_error: bool) {
        if let Some(mut span) = self.span.take() {
            span.ended_ns = span.began_ns + nanoseconds(self.begun.elapsed());
            span.is_error = is_error;
            self.tracer.record(span);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.close(true);
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
