//! What a collector reads: OTLP 1.x, in protobuf. The numbers are those of its published messages; a decoder that others wrote
//! reads all of it in a test.

mod metrics;

use oyez_domain::trace::TraceContext;

use crate::protobuf::Message;
use crate::span::{Kind, Span, Value};

pub use metrics::{Window, metrics};

/// Who sends: the same for all that one process sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Names and values: `service.name` among them.
    pub attributes: Vec<(String, String)>,
}

/// An `ExportTraceServiceRequest`.
pub fn traces(resource: &Resource, spans: &[Span]) -> Vec<u8> {
    let mut of_scope = scope();
    for span in spans {
        of_scope.message(2, &one_span(span));
    }
    request(resource, &of_scope)
}

/// Around what a scope holds: what resource, and the request itself; both signals have the same shape.
fn request(resource: &Resource, of_scope: &Message) -> Vec<u8> {
    let mut who = Message::default();
    for (name, value) in &resource.attributes {
        who.message(1, &attribute(name, &Value::Text(value.clone())));
    }
    let mut of_resource = Message::default();
    of_resource.message(1, &who);
    of_resource.message(2, of_scope);
    let mut request = Message::default();
    request.message(1, &of_resource);
    request.into_bytes()
}

fn scope() -> Message {
    let mut name = Message::default();
    name.text(1, "oyez");
    name.text(2, env!("CARGO_PKG_VERSION"));
    let mut scope = Message::default();
    scope.message(1, &name);
    scope
}

fn one_span(span: &Span) -> Message {
    let mut message = Message::default();
    message.bytes(1, &span.context.trace_id);
    message.bytes(2, &span.context.span_id);
    message.text(3, span.context.state.as_deref().unwrap_or_default());
    if let Some(parent) = &span.parent {
        message.bytes(4, parent);
    }
    message.text(5, span.name);
    message.number(
        6,
        match span.kind {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Client => 3,
        },
    );
    message.fixed64(7, span.began_ns);
    message.fixed64(8, span.ended_ns);
    for (name, value) in &span.attributes {
        message.message(9, &attribute(name, value));
    }
    for context in &span.links {
        message.message(13, &link(context));
    }
    if span.is_error {
        let mut status = Message::default();
        status.number(3, STATUS_ERROR);
        message.message(15, &status);
    }
    message.fixed32(16, u32::from(span.context.is_sampled));
    message
}

fn link(context: &TraceContext) -> Message {
    let mut message = Message::default();
    message.bytes(1, &context.trace_id);
    message.bytes(2, &context.span_id);
    message.text(3, context.state.as_deref().unwrap_or_default());
    message
}

fn attribute(name: &str, value: &Value) -> Message {
    let mut any = Message::default();
    match value {
        // Written even when it is empty: the field says which kind of value it is.
        Value::Text(text) => any.bytes(1, text.as_bytes()),
        Value::Number(number) => any.number(3, number.cast_unsigned()),
    }
    let mut message = Message::default();
    message.text(1, name);
    message.message(2, &any);
    message
}

const STATUS_ERROR: u64 = 2;
