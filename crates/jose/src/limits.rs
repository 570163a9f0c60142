//! Every bound of this crate in one place. Input over a bound is refused before it is decoded.

/// A compact JWS. The largest SET in the field (one link for each served version) is under 4 KiB; this leaves room for
/// a bank's own event types, and is well under the message limits of brokers and gateways.
pub const COMPACT_BYTES_MAX: usize = 256 * 1024;

/// The encoded header of any JWS. Ours are under 600 bytes; a header that carries a certificate chain stays under this.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

/// An `x-jws-signature` value. A detached JWS has a header and a signature, nothing else; HTTP servers cap the whole
/// header block near this.
pub const DETACHED_BYTES_MAX: usize = 16 * 1024;

/// A key set. A directory's key store with a hundred certificates inside is about 300 KiB.
pub const JWKS_BYTES_MAX: usize = 1024 * 1024;

/// Entries in a key set, usable or not. It also bounds how many keys of one `kid` a signature is tried against.
pub const JWKS_KEYS_MAX: usize = 128;

/// Nesting of JSON in headers and key sets. Nothing legitimate nests deeper than four.
pub const JSON_DEPTH_MAX: usize = 16;

/// A key identifier. RFC 7638 thumbprints have 43 characters, certificate subjects under 200.
pub const KID_BYTES_MAX: usize = 256;

/// A private key file: an RSA-8192 key in PEM is about 6.4 KiB, its attributes from a key store included under 16.
pub const KEY_FILE_BYTES_MAX: usize = 64 * 1024;
