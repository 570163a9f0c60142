//! What both APIs work on.

use std::sync::Arc;

use oyez_domain::ids::InteractionId;
use oyez_domain::rules::Rules;
use oyez_domain::time::Clock;
use oyez_issuer::{Identity, Issuer};
use oyez_jose::key_set::KeySet;
use oyez_store::Store;
use oyez_telemetry::Tracer;
use tokio::sync::watch;

use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::polling::Waiters;

/// The bank: its ledger, its rules, its keys, and what it takes from the edge of the program.
pub struct Bank {
    /// The ledger.
    pub store: Arc<dyn Store>,
    /// Signs what is handed out.
    pub issuer: Arc<Issuer>,
    /// The rules that the ledger was opened with.
    pub rules: Arc<Rules>,
    /// In whose name.
    pub identity: Identity,
    /// The bank's keys; whoever reloads them sends the new set.
    pub keys: watch::Receiver<Arc<KeySet>>,
    /// When.
    pub clock: Arc<dyn Clock>,
    /// Chance, for ids.
    pub random: Random,
    /// Polls that wait. They listen to the ledger.
    pub waiters: Arc<Waiters>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Traces, where a collector is named.
    pub tracer: Option<Arc<Tracer>>,
    /// What TPPs asked for, on its way to the ledger.
    pub journal: Arc<Journal>,
}

/// Chance as a parameter: 16 random bytes at each call.
#[derive(Clone)]
pub struct Random(Arc<dyn Fn() -> [u8; 16] + Send + Sync>);

impl Random {
    /// From this source.
    pub fn new(source: impl Fn() -> [u8; 16] + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// 16 bytes.
    pub fn bytes(&self) -> [u8; 16] {
        (self.0)()
    }

    /// A fresh interaction id.
    pub fn interaction_id(&self) -> InteractionId {
        InteractionId::of_request(None, || self.bytes())
    }
}
