//! What is told of signing: to metrics, and to traces where a collector is named.

use std::sync::Arc;
use std::time::Duration;

use oyez_issuer::{Error, Observe, Step as Signed};
use oyez_telemetry::{Step, Tracer};

use crate::metrics::Metrics;

/// Watches the issuer.
#[derive(Debug)]
pub struct Signing {
    metrics: Arc<Metrics>,
    tracer: Option<Arc<Tracer>>,
}

impl Signing {
    /// For these.
    pub const fn new(metrics: Arc<Metrics>, tracer: Option<Arc<Tracer>>) -> Self {
        Self { metrics, tracer }
    }

    fn tell(&self, name: &'static str, step: &Signed<'_>, is_error: bool) {
        if let Some(tracer) = &self.tracer {
            let event = (step.client_id, step.jti);
            tracer.step(Step {
                is_error,
                ..Step::new(name, event, step.trace, step.took)
            });
        }
    }
}

impl Observe for Signing {
    fn signed(&self, step: &Signed<'_>, waited: Duration, error: Option<&Error>) {
        match error {
            None => self.metrics.signed(waited, step.took),
            Some(_) => self.metrics.unsigned(),
        }
        self.tell("sign", step, error.is_some());
    }

    fn kept(&self, step: &Signed<'_>) {
        self.tell("keep", step, false);
        if let Some(tracer) = &self.tracer {
            tracer.remember(step.jti, step.trace);
        }
    }
}
