//! What the APIs look like, as OpenAPI 3.1: made from the same tables and lists of routes that serve them, so that a document
//! cannot promise what no route keeps (W-02).
//!
//! Absent here: prose for people (that is the developer page), and anything that no route or table knows.

mod schemas;
mod tpp;

pub use tpp::{Facts, Signatures, document as tpp};
