//! How events reach TPPs: by polling, by pushing, and when to try again.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use oyez_domain::retry::Policy;
use oyez_domain::tpp::{Acknowledgement, DeliveryOrder};

use super::form::{Choice, File, Flag, Number, OrOff, Span, whole};
use super::section::{default, optional, section};

section! {
    /// Aggregated polling, POST /events (P).
    Polling = "polling" {
        /// The most events that one poll is handed, whatever it asks for (P-06).
        events_max: NonZeroU32 = default(EVENTS_MAX, whole(1..=1_000));
        /// How long a poll with returnImmediately false waits for an event; "off" answers it at once (P-07).
        long_poll: Option<Duration> = default(Some(LONG_POLL), OrOff(Span(SECOND..=5 * MINUTE)));
        /// A poll without returnImmediately waits, as in RFC 8936, instead of being answered at once (P-07).
        absent_means_long_poll: bool = default(false, Flag);
        /// When an event that was handed out and not acknowledged is offered again before others (P-08).
        redelivery_delay: Duration = default(REDELIVERY_DELAY, Span(SECOND..=DAY));
        /// So many setErrs of one event set it aside as failed (P-12).
        error_cap: NonZeroU32 = default(ERROR_CAP, whole(1..=1_000));
        /// So many hand-outs of one event count as its acknowledgement; 1 is the standard's mode without acknowledgements,
        /// at most once. Without this key only an acknowledgement counts (P-12).
        hand_out_cap: Option<NonZeroU32> = optional("1", whole(1..=1_000));
        /// A TPP without an event-subscription polls in vain, as the standard says; false hands it events of all types
        /// (P-10).
        requires_subscription: bool = default(true, Flag);
        /// A TPP with nothing but a callback-url may poll too (P-10).
        with_callback_url: bool = default(false, Flag);
        /// Only events that the token's scopes cover are handed out.
        by_scope: bool = default(true, Flag);
    }
}

section! {
    /// Real-time notification, POST to a TPP's CallbackUrl (D). How many at once, in which order, and what acknowledges can
    /// be overridden per TPP.
    Push = "push" {
        /// How long connecting may take, TLS included (D-11).
        connect_timeout: Duration = default(CONNECT_TIMEOUT, Span(100 * MILLISECOND..=MINUTE));
        /// How long an attempt may take in all; while it runs, polls do not offer its event (P-14).
        total_timeout: Duration = default(TOTAL_TIMEOUT, Span(SECOND..=5 * MINUTE));
        /// Attempts that may run at once at one endpoint (D-09).
        at_once_max: NonZeroU32 = default(AT_ONCE_MAX, whole(1..=256));
        /// "concurrent" starts first attempts in order of acceptance; "strict" waits until the event before is settled
        /// (D-10).
        order: DeliveryOrder = default(DeliveryOrder::Concurrent, Choice(&[
            ("concurrent", DeliveryOrder::Concurrent),
            ("strict", DeliveryOrder::Strict),
        ]));
        /// What acknowledges: "standard" 202; "strict" 202 with the interaction id echoed; "lenient" any 2xx (D-02).
        acknowledgement: Acknowledgement = default(Acknowledgement::Standard, Choice(&[
            ("standard", Acknowledgement::Standard),
            ("strict", Acknowledgement::Strict),
            ("lenient", Acknowledgement::Lenient),
        ]));
        /// How often an endpoint that was given up is tried with its oldest event; "off" leaves it to PUT and operators
        /// (D-06).
        slow_probe: Option<Duration> = default(Some(SLOW_PROBE), OrOff(Span(MINUTE..=7 * DAY)));
        /// Pushes carry x-fapi-financial-id, the `org_id` of `[bank]`: required up to v4.0, and no longer asked for by v4.0.1
        /// (D-01).
        financial_id: bool = default(true, Flag);
        /// How oyez proves itself in TLS to endpoints that ask for it: a certificate with its chain, in PEM. The standard
        /// does not ask for that (D-13).
        certificate: Option<PathBuf> = optional("\"oyez.crt\"", File("a certificate in PEM"));
        /// The certificate's private key, in PEM.
        key: Option<PathBuf> = optional("\"oyez.key\"", File("a private key in PEM"));
    }
}

section! {
    /// When a push is tried again (D-05). `oyez check` says how long that goes on at least and at most.
    Retry = "retry" {
        /// The first step.
        base: Duration = default(Policy::default().base, Span(100 * MILLISECOND..=HOUR));
        /// How much longer each step is than the one before. The delay is drawn from the upper half of the step.
        factor: f64 = default(Policy::default().factor, Number(1.0..=10.0));
        /// No step is longer, nor a Retry-After honoured beyond it.
        ceiling: Duration = default(Policy::default().ceiling, Span(SECOND..=7 * DAY));
        /// How many retries, the first attempt not counted.
        retries_max: u32 = default(Policy::default().retries_max, whole(0..=100_000));
        /// For how long after the first failure.
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
