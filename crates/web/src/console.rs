//! The operators' console at `/console`: pages for the bank's people, on the internal listener.
//!
//! It is a client of the internal API that happens to live in the same process: whatever it shows and does goes through
//! `Desk`, by the same roles, and stands in the same trail under the same name. Pages are made on the server and work
//! without scripts; scripts copy, and bring what happens meanwhile.
//!
//! An act takes two steps. A link leads to a page that says what will happen; the form on it does it, once. Nothing is done
//! by following a link.
//!
//! | file | what it decides |
//! |---|---|
//! | `routes` | what is served where, and to which role |
//! | `visit` | the way of a request, in order |
//! | `leaving` | what goes out and what is noted of it |
//! | `login`, `sessions`, `seal`, `throttle`, `origin` | who is let in, for how long, and by which forms |
//! | `overview`, `chart`, `trend`, `live` | how things are, and what needs attention |
//! | `tpps`, `tpp`, `causes` | who is known, and why one hears nothing |
//! | `events`, `event`, `find` | what was sent, and what became of it |
//! | `acts` | what can be done about it |
//! | `audit`, `keys`, `event_types` | what happened, and what is configured |
//! | `frame`, `words` | what all pages share |

mod acts;
mod audit;
mod causes;
mod chart;
mod event;
mod event_types;
mod events;
mod find;
mod frame;
mod keys;
mod leaving;
mod live;
mod login;
mod origin;
mod overview;
mod routes;
mod seal;
mod sessions;
mod throttle;
mod tpp;
mod tpps;
mod trend;
mod visit;
mod words;

use std::sync::Arc;

use axum::Router;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Bank;
use crate::internal::Desk;
use crate::internal::operators::Operators;
use crate::pages::{Assets, Brand};
use live::Live;
use sessions::Sessions;
use throttle::Throttle;
use trend::Trend;

pub use routes::{Route, routes};
pub use seal::SealKey;
pub use sessions::{ABSOLUTE, IDLE, Lifetimes, Transport};

/// What the console is made of, besides the internal API.
pub struct Setup {
    /// Seals sessions.
    pub key: SealKey,
    /// For how long they hold.
    pub lifetimes: Lifetimes,
    /// How browsers reach it.
    pub transport: Transport,
    /// Whose it is.
    pub brand: Brand,
    /// Cancelled, pages that watch are let go: they would hold the listener up.
    pub stop: CancellationToken,
}

/// Everything that pages are made with.
struct Console {
    desk: Desk,
    bank: Arc<Bank>,
    operators: watch::Receiver<Arc<Operators>>,
    sessions: Sessions,
    throttle: Throttle,
    brand: Brand,
    assets: Assets,
    live: Live,
    trend: Trend,
    tasks: TaskTracker,
}

/// The routes of the console.
pub(crate) fn router(
    setup: Setup,
    desk: Desk,
    bank: Arc<Bank>,
    operators: watch::Receiver<Arc<Operators>>,
    tasks: TaskTracker,
) -> Router {
    let Setup {
        key,
        lifetimes,
        transport,
        brand,
        stop,
    } = setup;
    let sessions = Sessions::new(key, lifetimes, transport, bank.random.clone());
    routes::router(&Arc::new(Console {
        desk,
        bank,
        operators,
        sessions,
        throttle: Throttle::new(),
        assets: Assets::new(&brand),
        brand,
        live: Live::new(stop),
        trend: Trend::default(),
        tasks,
    }))
}
