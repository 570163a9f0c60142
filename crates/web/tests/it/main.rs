//! The crate from outside.

mod authz;
mod end_to_end;
