//! Who watches: for metrics and traces. Whoever it is learns of whom and of which event, how long it took and what it cost, and
//! nothing of what the event says.

use std::time::Duration;

use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::trace::TraceContext;

use crate::Error;
use crate::job::Job;

/// Watches. Called on the threads that sign and by whoever keeps: it must be quick and may not block.
pub trait Observe: Send + Sync {
    /// An event was signed, after waiting so long for its turn; or it was not.
    fn signed(&self, step: &Step<'_>, waited: Duration, error: Option<&Error>);

    /// The ledger was asked to keep an event's SET, and answered.
    fn kept(&self, step: &Step<'_>);
}

/// Something that was done to one event and has just ended.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// Whose event it is.
    pub client_id: &'a ClientId,
    /// Which.
    pub jti: Jti,
    /// Where in a trace its publisher was.
    pub trace: Option<&'a TraceContext>,
    /// How long it took.
    pub took: Duration,
}

impl<'a> Step<'a> {
    pub(crate) fn of(job: &'a Job, took: Duration) -> Self {
        Self {
            client_id: &job.order.client_id,
            jti: job.jti,
            trace: job.notice.trace.as_deref(),
            took,
        }
    }
}
