//! The API that the bank's own systems and people call: publishing, TPPs, events, the audit trail, health and metrics.
//!
//! [`ROUTES`] is all of it as a list; the router is built from it, and tests and descriptions of the API walk it. Each
//! request walks one way: who calls, what it may, the body, the ledger. Whatever comes of it leaves through one place, which
//! writes headers, problems (RFC 9457), the log and the metrics.
//!
//! It is ours, so it is strict: a member or a parameter that is not known is refused with its path, and everything that is
//! wrong is said at once. What changes something for polls that wait wakes them, also when the caller has gone meanwhile:
//! such work runs to its end on the tracker.
//!
//! | file | what it decides |
//! |---|---|
//! | `routes` | what is served where, and to which role |
//! | `operators` | who is let in |
//! | `api` | the way of a request, in order |
//! | `input` | what may come in |
//! | `publish`, `test_events` | taking events in |
//! | `tpps`, `profiles`, `registrations` | who is known, what it registered |
//! | `events`, `files`, `trail` | looking back, and what can be done about an event |
//! | `endpoints` | where pushes go, how that goes, and what can be done about it |
//! | `desk` | the same from inside, for the console |
//! | `health` | whether this process lives, and whether it can work |
//! | `problem`, `leaving` | what goes out and what is noted of it |
//!
//! Absent here: the audit trail's writing (the ledger keeps it with the change).

mod api;
mod desk;
mod endpoints;
mod events;
mod files;
mod health;
mod input;
mod leaving;
pub mod operators;
mod problem;
mod profiles;
mod publish;
mod registrations;
mod routes;
mod status;
mod test_events;
mod tpps;
mod trail;

use std::sync::Arc;

use axum::Router;
use oyez_domain::retry;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::metrics::Figures;
use crate::{Bank, console};
use operators::Operators;

pub(crate) use desk::{Ask, Desk, access_of};
pub use health::{Condition, Readiness};
pub(crate) use problem::Problem;
pub use publish::ITEMS_MAX;
pub use routes::{Access, Operation, ROUTES, Route};
pub use test_events::TestResource;

/// What the internal API is made of, besides the bank.
pub struct Setup {
    /// The bank.
    pub bank: Arc<Bank>,
    /// Who is let in; whoever reloads the list sends the new one.
    pub operators: watch::Receiver<Arc<Operators>>,
    /// What else must be well for this process to be ready, besides the ledger and the keys.
    pub readiness: Readiness,
    /// What metrics tell that the edge of the program knows.
    pub figures: Figures,
    /// What else it tells and does by.
    pub options: Options,
    /// The pages for people, at `/console`; without it there are none.
    pub console: Option<console::Setup>,
    /// Runs what must come to its end though its caller is gone.
    pub tasks: TaskTracker,
}

/// What was configured elsewhere and is told or used here.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// When a push is tried again, unless a TPP's overrides say otherwise (D-05).
    pub retry: retry::Policy,
    /// What test events are about; without it none can be sent (I-04).
    pub test_resource: Option<TestResource>,
}

/// The routes of the internal API, and of the console over it. Requests carry [`crate::listener::Peer`] where certificates may
/// let in.
pub fn router(mut setup: Setup) -> Router {
    let console = setup.console.take();
    let (bank, operators) = (Arc::clone(&setup.bank), setup.operators.clone());
    let tasks = setup.tasks.clone();
    let api = Arc::new(api::Api::new(setup));
    let router = routes::router(&api);
    match console {
        Some(pages) => {
            let desk = Desk::new(api);
            router.merge(console::router(pages, desk, bank, operators, tasks))
        }
        None => router,
    }
}
