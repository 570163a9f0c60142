//! The crate at its boundary. Keys under `data/keys` are those of RFC 7515 (appendices A.2 and A.3) in every form in
//! which a key file comes, and some that must be refused.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access_tokens;
mod broken;
mod detached;
mod fixtures;
mod header_profiles;
mod jwks;
mod key_files;
mod key_set;
mod rfc_vectors;
mod verifying;
