//! How events reach TPPs, how much anybody may ask for, and how long things are kept.

use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::retry::{Limit, Next};
use oyez_domain::tpp::{Acknowledgement, DeliveryOrder};
use serde::Serialize;

use super::{Facts, Seconds};
use crate::developer::Anchors;
use crate::tpp::options::BODY_BYTES_MAX;

/// Real-time notification.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Push {
    /// How long connecting may take, TLS included.
    pub(crate) connect_timeout_seconds: Seconds,
    /// How long a push may take in all; meanwhile polls do not offer its event.
    pub(crate) total_timeout_seconds: Seconds,
    /// Pushes under way at once to one endpoint.
    pub(crate) at_once_max: u32,
    /// `concurrent`: pushes begin in the order of acceptance, several at once. `strict`: one at a time, each when the one before
    /// is settled.
    pub(crate) order: &'static str,
    /// Which answer acknowledges: `standard`: 202. `strict`: 202 that repeats the x-fapi-interaction-id. `lenient`: any 2xx.
    pub(crate) acknowledgement: &'static str,
    /// The least version of TLS.
    pub(crate) tls_min: &'static str,
    /// Whom it believes to vouch for an endpoint's certificate, by their subjects; absent: the authorities of the public web.
    pub(crate) trust_anchors: Option<Vec<String>>,
    /// Whether it shows a certificate to endpoints that ask for one.
    pub(crate) client_certificate: bool,
    /// The value of x-fapi-financial-id; absent: it is not sent.
    pub(crate) financial_id: Option<String>,
    /// Networks that are not public and that a CallbackUrl may lead to all the same.
    pub(crate) private_networks: Vec<String>,
    /// When a push that failed is tried again.
    pub(crate) retry: Retry,
    /// How often an endpoint that was given up is still tried, with its oldest event; absent: not until it is registered anew.
    pub(crate) slow_probe_seconds: Option<Seconds>,
}

/// When a push that failed is tried again. What is reached first of `retries_max` and `window_seconds` ends it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Retry {
    /// How many retries there are at most.
    pub(crate) retries_max: u32,
    /// For how long after the first failure there are retries.
    pub(crate) window_seconds: Seconds,
    /// The longest step from one to the next; a Retry-After is honoured up to it.
    pub(crate) ceiling_seconds: Seconds,
    /// The first step.
    pub(crate) base_seconds: Seconds,
    /// How many times as long each step is as the one before. The delay is drawn from the upper half of the step.
    pub(crate) factor: f64,
    /// Which limit ends it, if every attempt fails at once: `retries` or `window`.
    pub(crate) ends_by: &'static str,
    /// For how long it goes on at least.
    pub(crate) shortest_seconds: Seconds,
    /// For how long it goes on at most.
    pub(crate) longest_seconds: Seconds,
    /// The first retries, counted from the first failure.
    pub(crate) moments: Vec<Moment>,
}

/// When a retry comes, after the first failure.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Moment {
    /// Which one; the first is 1.
    pub(crate) retry: u32,
    /// Not before.
    pub(crate) earliest_seconds: Seconds,
    /// Not after.
    pub(crate) latest_seconds: Seconds,
}

/// Aggregated polling.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Polling {
    /// The cap of maxEvents.
    pub(crate) events_max: u32,
    /// Whether returnImmediately false waits for an event.
    pub(crate) long_poll: bool,
    /// How long such a poll waits; absent: there are none.
    pub(crate) long_poll_seconds: Option<Seconds>,
    /// Whether a poll waits that does not say.
    pub(crate) absent_means_long_poll: bool,
    /// How long to leave between polls that do not wait and bring nothing.
    pub(crate) interval_recommended_seconds: Seconds,
    /// After how long an event that was handed out and not acknowledged is due again, before others.
    pub(crate) redelivery_delay_seconds: Seconds,
    /// After how many hand-outs an event counts as acknowledged, whatever the TPP says; absent: only an acknowledgement counts.
    pub(crate) hand_outs_max: Option<u32>,
    /// What becomes of events that are never acknowledged: `redelivered`, or `acknowledged_after_hand_outs`.
    pub(crate) without_acknowledgement: &'static str,
    /// After how many setErrs an event is set aside as failed.
    pub(crate) errors_max: u32,
    /// Whether a TPP needs an event-subscription to poll. If not, one that has registered nothing is handed events of all types.
    pub(crate) requires_subscription: bool,
    /// Whether a TPP that has a callback-url alone may poll.
    pub(crate) with_callback_url: bool,
    /// Whether only events are handed out that the scopes of the token cover.
    pub(crate) by_scope: bool,
    /// The order of hand-outs: `concurrent` (by age; what was handed out is passed over until it is due again) or `strict`.
    pub(crate) order: &'static str,
}

/// How much a TPP may ask for.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct FairUse {
    /// Requests per second, and as many at once after a pause. Beyond: 429 with Retry-After.
    pub(crate) requests_per_second: u32,
    /// Polls of one TPP that wait at once; beyond, its oldest is answered without events.
    pub(crate) waiting_polls_max: usize,
    /// Connections at once from one address; absent: not counted.
    pub(crate) connections_per_address_max: Option<usize>,
    /// The largest body. Beyond: 413.
    pub(crate) body_bytes_max: usize,
}

/// How long events are kept.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Retention {
    /// An event that nobody acknowledges expires after this.
    pub(crate) unacknowledged_seconds: Seconds,
    /// Events that were acknowledged, failed or expired are remembered for this long.
    pub(crate) settled_seconds: Seconds,
}

impl Facts<'_> {
    pub(super) fn push(self) -> Push {
        let push = &self.developer.push;
        let allowed = self.rules.addresses.allowed.iter();
        Push {
            connect_timeout_seconds: Seconds(push.connect_timeout),
            total_timeout_seconds: Seconds(push.total_timeout),
            at_once_max: push.at_once_max,
            order: order(self.rules.switches.order),
            acknowledgement: match push.acknowledgement {
                Acknowledgement::Standard => "standard",
                Acknowledgement::Strict => "strict",
                Acknowledgement::Lenient => "lenient",
            },
            tls_min: "1.2",
            trust_anchors: match &push.trust_anchors {
                Anchors::System => None,
                Anchors::Named(subjects) => Some(subjects.clone()),
            },
            client_certificate: push.client_certificate,
            financial_id: self
                .sends_financial_id()
                .then(|| self.identity.signatory.issuer.clone()),
            private_networks: allowed.map(ToString::to_string).collect(),
            retry: self.retry(),
            slow_probe_seconds: push.slow_probe.map(Seconds),
        }
    }

    fn retry(self) -> Retry {
        let policy = &self.developer.push.retry;
        let windows = policy.windows();
        let (mut moments, mut early, mut late) = (Vec::new(), Duration::ZERO, Duration::ZERO);
        let after = |failures, elapsed, draw| policy.next(failures, elapsed, None, draw);
        for retry in 1..=MOMENTS_MAX {
            let (Next::After(soon), Next::After(latest)) =
                (after(retry, early, 0.0), after(retry, late, 1.0))
            else {
                break;
            };
            early += soon;
            late += latest;
            moments.push(Moment {
                retry,
                earliest_seconds: Seconds(early),
                latest_seconds: Seconds(late),
            });
        }
        let by_window = windows.longest >= policy.window;
        Retry {
            retries_max: policy.retries_max,
            window_seconds: Seconds(policy.window),
            ceiling_seconds: Seconds(policy.ceiling),
            base_seconds: Seconds(policy.base),
            factor: policy.factor,
            ends_by: match if by_window {
                Limit::Window
            } else {
                Limit::Retries
            } {
                Limit::Retries => "retries",
                Limit::Window => "window",
            },
            shortest_seconds: Seconds(windows.shortest),
            longest_seconds: Seconds(windows.longest),
            moments,
        }
    }

    pub(super) fn polling(self) -> Polling {
        let (policy, limits) = (&self.api.polling, &self.api.hand_outs);
        let switches = &self.rules.switches;
        let hand_outs_max = limits.hand_out_cap.map(NonZeroU32::get);
        Polling {
            events_max: policy.events_max.get(),
            long_poll: policy.long_poll.is_some(),
            long_poll_seconds: policy.long_poll.map(Seconds),
            absent_means_long_poll: policy.absent_means_long_poll,
            interval_recommended_seconds: Seconds(POLL_INTERVAL),
            redelivery_delay_seconds: Seconds(limits.redelivery_delay),
            hand_outs_max,
            without_acknowledgement: match hand_outs_max {
                None => "redelivered",
                Some(_) => "acknowledged_after_hand_outs",
            },
            errors_max: limits.error_cap.get(),
            requires_subscription: switches.polling_requires_subscription,
            with_callback_url: switches.polling_with_callback_url,
            by_scope: policy.by_scope,
            order: order(limits.order),
        }
    }

    pub(super) fn fair_use(self) -> FairUse {
        FairUse {
            requests_per_second: self.api.requests_per_second.get(),
            waiting_polls_max: self.developer.waiting_per_tpp_max,
            connections_per_address_max: self.developer.connections_per_address_max,
            body_bytes_max: BODY_BYTES_MAX,
        }
    }
}

fn order(order: DeliveryOrder) -> &'static str {
    match order {
        DeliveryOrder::Concurrent => "concurrent",
        DeliveryOrder::Strict => "strict",
    }
}

/// A day of the default policy; what comes later comes at the ceiling.
const MOMENTS_MAX: u32 = 16;
/// Sooner finds little that the poll before did not.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
