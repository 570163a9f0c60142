//! Access tokens, good ones and every kind of bad one.

mod introspection;
mod jwt;
mod minting;
