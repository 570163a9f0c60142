//! The one HTTP client: every request of ours that leaves goes through it (callbacks, TPPs' key sets, introspection).
//!
//! A callback URL and a key set's URL are words of strangers, dialled from inside a bank. So names are resolved here, every
//! answer is judged by [`oyez_domain::address`], and an address that was judged is the one that is dialled, anew for each
//! connection: no second resolution stands between judging and dialling, and a name that changes its answer gains nothing
//! (D-12). Every wait is bounded, and so are head and body of what comes back (D-11). TLS is 1.2 or newer with chain and host
//! name checked (D-13). An answer, and an error too, says whom we spoke to (D-14).
//!
//! A [`Client`] is one way of reaching a class of peers: its trust anchors, its identity, its policy for addresses, its
//! limits, its kept connections. Two clients share none of these, so what one TPP does to its client is not felt by another's;
//! what is costly to build ([`Tls`]) may be shared.
//!
//! hyper is taken raw, with a pool of our own: ready-made clients cost a fifth to a half more for each request, resolve by
//! themselves, and do not tell which address they dialled.
//!
//! Absent on purpose: redirects, cookies, decompression, proxies from the environment, retries (but for one case, told at
//! [`Client::send`]), caching, and any opinion about what a status means.

mod client;
mod connection;
mod dial;
mod error;
mod exchange;
mod pool;
mod proxy;
mod resolver;
mod target;
mod tls;

pub use client::{Client, Limits, PlainHttp, Setup};
pub use error::{Class, Error, Sent};
pub use exchange::{Body, Ending, Request, Response};
pub use hyper::body::Bytes;
pub use hyper::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use oyez_domain::ledger::push::Peer;
pub use proxy::{Proxy, Resolution};
pub use resolver::{Addresses, Resolve, SystemResolver};
pub use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
pub use target::{Target, TargetError};
pub use tls::{Anchors, Identity, Tls, TlsError};
