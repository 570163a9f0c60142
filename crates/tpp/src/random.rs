//! Chance as a parameter: this crate draws nothing by itself.

use std::sync::Arc;

use oyez_domain::ids::InteractionId;

/// Where random bytes come from: the operating system in production, a counter in tests.
#[derive(Clone)]
pub struct Random(Arc<dyn Fn() -> [u8; 16] + Send + Sync>);

impl Random {
    /// From this source, called once for each id.
    pub fn new(source: impl Fn() -> [u8; 16] + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// A fresh `x-fapi-interaction-id`: a UUID.
    pub fn interaction_id(&self) -> InteractionId {
        self.interaction_id_of(None)
    }

    /// The one that a request carries, or a fresh one.
    pub(crate) fn interaction_id_of(&self, header: Option<&[u8]>) -> InteractionId {
        InteractionId::of_request(header, || (self.0)())
    }

    /// Something from 0 to 1.
    pub(crate) fn fraction(&self) -> f64 {
        let [byte, ..] = (self.0)();
        f64::from(byte) / f64::from(u8::MAX)
    }

    /// A fresh `jti` of a client assertion: a UUID too.
    pub(crate) fn jti(&self) -> String {
        self.interaction_id().into()
    }
}
