//! The API that TPPs call: registrations, polls, and the bank's public keys.
//!
//! [`routes()`] is all of it as a list, and [`router`] serves that list for every version of the version table. Each request
//! walks one way, so that every combination of faults has one answer (G-12): path and method, certificate and token, scope,
//! rate, media type, size, signature, body, and last the state of the ledger. Whatever comes of it, good or bad, leaves
//! through one place that writes headers, the error model of the version called, the bank's signature and the log.
//!
//! | file | what it decides |
//! |---|---|
//! | `routes` | what is served where |
//! | `api` | the way of a request, in order |
//! | `caller`, `rates` | who calls, what it may, how often |
//! | `headers`, `body` | what may come in |
//! | `signatures`, `signer` | the TPP's signatures and the bank's |
//! | `registrations`, `addresses`, `events`, `key_set`, `developer` | what each operation does |
//! | `refusal`, `leaving`, `record` | what goes out and what is noted of it |
//!
//! Absent here: what a token is worth (`tokens`), what a body may say and how it is answered (`oyez_domain`), waiting
//! (`polling`), and the listener's own bounds on time and headers.

mod addresses;
mod answer;
mod api;
mod body;
mod caller;
mod developer;
mod events;
mod headers;
mod key_set;
mod leaving;
pub mod options;
mod rates;
mod record;
mod refusal;
mod registrations;
mod routes;
mod signatures;
mod signer;

use std::sync::Arc;

use axum::Router;
use oyez_outbound::Resolve;

use crate::Bank;
use crate::remote_keys::RemoteKeys;
use crate::tokens::ValidateTokens;

pub use options::{Binding, Features, Options, PsuHeaders, Registration, SignaturePolicy};
pub use rates::Share;
pub use routes::{Act, Operation, Route, routes};

/// What the TPP API is made of, besides the bank.
pub struct Setup {
    /// The bank.
    pub bank: Arc<Bank>,
    /// Whose word on tokens counts.
    pub tokens: Arc<dyn ValidateTokens>,
    /// Where the keys of TPPs are fetched that are not stored with them (M-05).
    pub tpp_keys: Arc<RemoteKeys>,
    /// Who knows the addresses of the names in CallbackUrls (S-07).
    pub resolver: Arc<dyn Resolve>,
    /// Where the standard or the bank has a choice.
    pub options: Options,
    /// What the developer pages say besides (W-01).
    pub developer: crate::developer::Options,
    /// This node's part of what TPPs may ask for (G-09).
    pub share: Arc<Share>,
}

/// The routes of the TPP API. Requests carry [`crate::listener::Peer`].
///
/// They are served both as they stand in [`routes()`] and below the path of the base URL, if that has one: `Links` work when
/// they are called here directly, and a gateway may take the path off.
pub fn router(setup: Setup) -> Router {
    routes::router(Arc::new(api::Api::new(setup)))
}
