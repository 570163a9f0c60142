//! The web crate at its boundary.

mod polling;
