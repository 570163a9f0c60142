//! What the APIs look like, as OpenAPI 3.1: made from the same tables and lists of routes that serve them, so that a document
//! cannot promise what no route keeps (W-02).
//!
//! Absent here: prose for people (that is the developer page), and anything that no route or table knows.

#![expect(
    clippy::needless_pass_by_value,
    reason = "schemas are written inside one another; `json!` borrows what it puts together"
)]

mod internal;
mod internal_schemas;
mod schemas;
mod tpp;

use serde_json::{Value, json};

pub use internal::document as internal;
pub use tpp::{Facts, Signatures, document as tpp};

/// A reference to a schema of the same document.
fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object with these members and no others.
fn closed(required: &[&str], properties: Value) -> Value {
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}
