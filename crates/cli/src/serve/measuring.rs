//! How long the ledger takes, method by method. The series of each method are found once, when the server is built.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use oyez_store::measured::{MEASURED, Measured, Meter};
use oyez_store::{Error, Store};
use oyez_web::metrics::{MethodOfLedger, Metrics};

/// This ledger, measured.
pub(super) fn measured(store: Arc<dyn Store>, metrics: &Metrics) -> Arc<dyn Store> {
    let methods = MEASURED.iter().copied();
    let by_method = methods.map(|method| (method, metrics.ledger(method)));
    Arc::new(Measured::new(store, ByMethod(by_method.collect())))
}

struct ByMethod(HashMap<&'static str, MethodOfLedger>);

impl Meter for ByMethod {
    fn answered(&self, method: &'static str, took: Duration, error: Option<&Error>) {
        if let Some(counted) = self.0.get(method) {
            counted.answered(took);
            if error.is_some() {
                counted.failed();
            }
        }
    }
}
