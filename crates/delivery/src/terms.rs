//! On which terms one TPP is delivered to: the deployment's, where its own do not differ.

use std::time::Duration;

use oyez_domain::retry::Policy;
use oyez_domain::tpp::{Acknowledgement, DeliveryOrder, HeaderProfile, Tpp};

use crate::Options;

/// A TPP's terms, as the ledger had them when its lane was claimed: a change frees the lane.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) order: DeliveryOrder,
    pub(crate) acknowledgement: Acknowledgement,
    pub(crate) retry: Policy,
    pub(crate) header_profile: HeaderProfile,
    pub(crate) trust_anchors: Option<String>,
    /// In strict order one, whatever else is said (D-10).
    pub(crate) at_once_max: usize,
    pub(crate) slow_probe: Option<Duration>,
}

impl Terms {
    /// Those of a TPP of which nothing is known yet.
    pub(crate) fn of_deployment(options: &Options) -> Self {
        Self {
            order: options.order,
            acknowledgement: options.acknowledgement,
            retry: options.retry,
            header_profile: options.header_profile,
            trust_anchors: None,
            at_once_max: 1,
            slow_probe: options.slow_probe,
        }
    }

    pub(crate) fn of(tpp: Tpp, options: &Options) -> Self {
        let own = tpp.profile.overrides;
        let order = own.delivery_order.unwrap_or(options.order);
        let at_once_max = own.pushes_at_once_max.unwrap_or(options.at_once_max);
        Self {
            order,
            acknowledgement: own.acknowledgement.unwrap_or(options.acknowledgement),
            retry: own.retry.unwrap_or(options.retry),
            header_profile: own.header_profile.unwrap_or(options.header_profile),
            trust_anchors: own.trust_anchors,
            at_once_max: match order {
                DeliveryOrder::Strict => 1,
                DeliveryOrder::Concurrent => usize::try_from(at_once_max.get())
                    .map_or(AT_ONCE_LIMIT, |own| own.min(AT_ONCE_LIMIT)),
            },
            slow_probe: options.slow_probe,
        }
    }
}

/// Whatever is configured: more sockets to one host serve nobody.
const AT_ONCE_LIMIT: usize = 256;
