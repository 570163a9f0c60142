//! Everything that decides what may be said to whom: the tables and the switches of one deployment.

use serde::{Deserialize, Serialize};

use crate::address::Policy;
use crate::catalogue::Catalogue;
use crate::resources::ResourceTable;
use crate::tpp::{DeliveryOrder, Profile};
use crate::versions::VersionTable;

/// The rules of a deployment. The default is the UK standard's.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// What differs between versions.
    pub versions: VersionTable,
    /// What can be told.
    pub catalogue: Catalogue,
    /// What it can be about.
    pub resources: ResourceTable,
    /// Which addresses a CallbackUrl may name (S-07). Names are judged when they are dialled.
    pub addresses: Policy,
    /// Where the standard leaves a choice.
    pub switches: Switches,
}

impl Rules {
    /// In which order this TPP gets its events (D-10).
    pub fn order_of(&self, profile: &Profile) -> DeliveryOrder {
        let own = profile.overrides.delivery_order;
        own.unwrap_or(self.switches.order)
    }
}

/// Where the standard leaves a choice, or a bank departs from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Whether anything is pushed (G-13).
    pub push: bool,
    /// Whether a TPP must have an event-subscription to poll; if not, one that has registered nothing at all gets every type
    /// by polling (P-10).
    pub polling_requires_subscription: bool,
    /// Whether a TPP with only a callback-url may poll (P-10).
    pub polling_with_callback_url: bool,
    /// In which order a TPP gets its events, unless its own profile says otherwise (D-10).
    pub order: DeliveryOrder,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            push: true,
            polling_requires_subscription: true,
            polling_with_callback_url: false,
            order: DeliveryOrder::default(),
        }
    }
}
