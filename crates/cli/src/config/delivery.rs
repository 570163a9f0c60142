//! How events reach TPPs: by polling, by pushing, and when to try again.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use oyez_domain::retry::Policy;
use oyez_domain::tpp::{Acknowledgement, DeliveryOrder};

use super::form::{Choice, File, Flag, Number, OrOff, Span, whole};
use super::section::{default, optional, section};

section! {
    /// Aggregated polling: TPPs fetch events with POST /events (P-01 … P-14).
    Polling = "polling" {
        /// The most events that one poll is handed, whatever it asks for (P-06).
        events_max: NonZeroU32 = default(EVENTS_MAX, whole(1..=1_000));
        /// How long a poll with returnImmediately false waits for an event; "off" answers it at once (P-07).
        long_poll: Option<Duration> = default(Some(LONG_POLL), OrOff(Span(SECOND..=5 * MINUTE)));
        /// Whether a poll that does not say returnImmediately waits, as in RFC 8936, or is answered at once (P-07).
        absent_means_long_poll: bool = default(false, Flag);
        /// After how long an event that was handed out and not acknowledged is due again, before others (P-08).
        redelivery_delay: Duration = default(REDELIVERY_DELAY, Span(SECOND..=DAY));
        /// After how many errors (setErrs) that its TPP reports an event is set aside as failed (P-12).
        error_cap: NonZeroU32 = default(ERROR_CAP, whole(1..=1_000));
        /// After how many hand-outs an event counts as acknowledged; 1 is the standard's mode without acknowledgements, at
        /// most once. Without this key only an acknowledgement counts (P-12).
        hand_out_cap: Option<NonZeroU32> = optional("1", whole(1..=1_000));
        /// true: a TPP without an event-subscription is handed nothing, as the standard says; false: it is handed events of
        /// all types (P-10).
        requires_subscription: bool = default(true, Flag);
        /// Whether a TPP that has a callback-url and no event-subscription may poll too (P-10).
        with_callback_url: bool = default(false, Flag);
        /// Whether a poll is handed only the events that the scopes of its token cover.
        by_scope: bool = default(true, Flag);
    }
}

section! {
    /// Real-time notification: events are sent by POST to a TPP's CallbackUrl (D-01 … D-14). For one TPP, `oyez tpps change
    /// --set` overrides at_once_max (as pushes_at_once_max), order (as delivery_order) and acknowledgement.
    Push = "push" {
        /// How long connecting may take, TLS included (D-11).
        connect_timeout: Duration = default(CONNECT_TIMEOUT, Span(100 * MILLISECOND..=MINUTE));
        /// How long a push may take in all, connecting included; while it runs, polls do not offer its event (P-14).
        total_timeout: Duration = default(TOTAL_TIMEOUT, Span(SECOND..=5 * MINUTE));
        /// How many pushes may be under way at once to one endpoint (D-09).
        at_once_max: NonZeroU32 = default(AT_ONCE_MAX, whole(1..=256));
        /// "concurrent": pushes begin in the order in which events were accepted, several at once, so that they may arrive
        /// in another. "strict": one at a time, in that order; the next waits until the one before is settled, so that one
        /// that a TPP refuses holds up all behind it (D-10).
        order: DeliveryOrder = default(DeliveryOrder::Concurrent, Choice(&[
            ("concurrent", DeliveryOrder::Concurrent),
            ("strict", DeliveryOrder::Strict),
        ]));
        /// Which answer to a push acknowledges its event: "standard": 202; "strict": 202 that repeats the
        /// x-fapi-interaction-id of the push; "lenient": any 2xx (D-02).
        acknowledgement: Acknowledgement = default(Acknowledgement::Standard, Choice(&[
            ("standard", Acknowledgement::Standard),
            ("strict", Acknowledgement::Strict),
            ("lenient", Acknowledgement::Lenient),
        ]));
        /// How often an endpoint that was given up as unresponsive is still tried, with its oldest event; "off": not until
        /// the TPP puts its registration anew or an operator resumes it (D-06).
        slow_probe: Option<Duration> = default(Some(SLOW_PROBE), OrOff(Span(MINUTE..=7 * DAY)));
        /// Whether pushes carry x-fapi-financial-id, the `org_id` of `[bank]`. The standard asks for it up to v4.0, and no
        /// longer in v4.0.1 (D-01).
        financial_id: bool = default(true, Flag);
        /// How oyez proves itself in TLS to endpoints that ask for it: a certificate with its chain, in PEM. The standard
        /// does not ask for that (D-13).
        certificate: Option<PathBuf> = optional("\"oyez.crt\"", File("a certificate in PEM"));
        /// The certificate's private key, in PEM.
        key: Option<PathBuf> = optional("\"oyez.key\"", File("a private key in PEM"));
    }
}

section! {
    /// When a push that failed is tried again: after a delay, which grows in steps (D-05). What is reached first of
    /// `retries_max` and `window` ends it; what was not pushed then waits for polls. `oyez check` says how long that goes
    /// on at least and at most.
    Retry = "retry" {
        /// The first step.
        base: Duration = default(Policy::default().base, Span(100 * MILLISECOND..=HOUR));
        /// How many times as long each step is as the one before. The delay is drawn at random from the upper half of the
        /// step.
        factor: f64 = default(Policy::default().factor, Number(1.0..=10.0));
        /// The longest step. A TPP's Retry-After is honoured up to this length too.
        ceiling: Duration = default(Policy::default().ceiling, Span(SECOND..=7 * DAY));
        /// How many retries there are at most, the first attempt not counted.
        retries_max: u32 = default(Policy::default().retries_max, whole(0..=100_000));
        /// For how long after the first failure there are retries.
        window: Duration = default(Policy::default().window, Span(SECOND..=90 * DAY));
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A response of 100 SETs is about 250 KB: large enough to drain a backlog, small enough to time out seldom.
const EVENTS_MAX: NonZeroU32 = NonZeroU32::new(100).expect("not zero");
/// Gateways commonly cut a request after 30 seconds.
const LONG_POLL: Duration = Duration::from_secs(25);
/// Longer than a TPP takes to store a response and acknowledge it.
const REDELIVERY_DELAY: Duration = Duration::from_secs(60);
/// A TPP that cannot read an event ten times over will not read it at all.
const ERROR_CAP: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
/// Across the world and a TLS handshake take less than one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The standard expects a TPP to answer before it works on the event.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Enough to fill a connection of 50 ms with 160 events a second, few enough to spare a small TPP.
const AT_ONCE_MAX: NonZeroU32 = NonZeroU32::new(8).expect("not zero");
/// A TPP that mends its endpoint without telling us hears of it within the hour.
const SLOW_PROBE: Duration = HOUR;
