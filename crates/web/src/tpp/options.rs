//! Where the standard or the bank has a choice, with what is chosen where nobody chooses.

use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::access::SubjectPattern;
use oyez_domain::ledger::poll::Limits;
use oyez_domain::polling;
use oyez_domain::rules::Rules;
use oyez_domain::tpp::{DeliveryOrder, HeaderProfile};
use oyez_jose::detached::UnknownMembers;

/// The choices.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is served (G-13).
    pub features: Features,
    /// Whether tokens must be bound to certificates.
    pub binding: Binding,
    /// What becomes of a client that is not known.
    pub registration: Registration,
    /// Subjects of tokens that are no users though they are not the client.
    pub subjects: Vec<SubjectPattern>,
    /// Whether requests must be signed (M-01).
    pub signatures: SignaturePolicy,
    /// What becomes of header members of a signature that the standard does not list (M-02).
    pub unknown_members: UnknownMembers,
    /// Trust anchors that a TPP may name as `tan` (M-02).
    pub trust_anchors: Vec<String>,
    /// What becomes of malformed headers that mean nothing here (G-03).
    pub psu_headers: PsuHeaders,
    /// How polls are answered (P-06, P-07, A-10).
    pub polling: polling::Policy,
    /// The limits of hand-outs, for TPPs without their own (P-08, P-12).
    pub hand_outs: Limits,
    /// The header of SETs, for TPPs without their own (T-07).
    pub header_profile: HeaderProfile,
    /// How many requests a TPP without its own limit may make in a second, and at once (G-09).
    pub requests_per_second: NonZeroU32,
    /// For how long others may keep the bank's public keys; the same as that of [`oyez_jose::key_set::KeySet::load`] (M-06).
    pub jwks_max_age: Duration,
}

/// What is served (G-13). Whether anything is pushed is a rule, [`oyez_domain::rules::Switches`]; callback-urls exist for
/// nothing else and go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// event-subscriptions.
    pub event_subscriptions: bool,
    /// callback-urls.
    pub callback_urls: bool,
    /// events.
    pub polling: bool,
    /// PUT of registrations.
    pub replacing: bool,
    /// DELETE of registrations.
    pub deleting: bool,
}

/// A feature was switched off that the standard makes mandatory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "PUT and DELETE of registrations may be left out only where nothing is pushed and there is one event type (Note 1)"
)]
pub struct NotOptional;

/// Whether tokens must be bound to certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// A certificate is asked for, and the token must name it.
    Required,
    /// Certificates are somebody else's matter, as at a gateway that checks them and tells nobody.
    Off,
}

/// What becomes of a client that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// It is refused; operators register TPPs.
    Manual,
    /// It is registered by its first token that holds and opens something, by what these claims of it say.
    Automatic {
        /// The claim with its id in the directory.
        org_id: String,
        /// The claim with its software statement.
        software_id: String,
        /// The claim with the address of its keys.
        jwks_url: String,
    },
}

/// Whether requests must be signed (M-01). Only the first conforms to the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignaturePolicy {
    /// They must.
    Required,
    /// They need not, but a signature must be right.
    IfPresent,
    /// Signatures are not looked at.
    Off,
}

/// What becomes of malformed headers that mean nothing here (G-03).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PsuHeaders {
    /// They are noted in the log.
    Ignored,
    /// They are faults (400).
    Checked,
}

/// The published cap of `maxEvents` (P-06): a poll's answer stays around 250 KiB.
pub const EVENTS_MAX: NonZeroU32 = NonZeroU32::new(100).expect("it is not zero");

/// How long a long poll waits (P-07): less than the 30 s after which clients and gateways commonly give up.
pub const LONG_POLL: Duration = Duration::from_secs(25);

/// When what was handed out is offered again first (P-08): longer than a TPP takes to work through an answer.
pub const REDELIVERY_DELAY: Duration = Duration::from_secs(60);

/// So many setErrs set an event aside (P-12): what failed ten times needs a person.
pub const ERROR_CAP: NonZeroU32 = NonZeroU32::new(10).expect("it is not zero");

/// Requests of a TPP per second (G-09): some hundred times what a polling TPP needs, and far below what the ledger bears.
pub const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).expect("it is not zero");

/// The largest body that is read (G-07): the standard's requests stay under 200 KiB with every list at its longest.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// For how long others may keep the bank's public keys (M-06): a new key signs after twice this time.
pub const JWKS_MAX_AGE: Duration = Duration::from_secs(3600);

/// The one trust anchor of the UK (M-02).
pub const TRUST_ANCHOR: &str = "openbanking.org.uk";

impl Default for Options {
    fn default() -> Self {
        Self {
            features: Features::default(),
            binding: Binding::Required,
            registration: Registration::Manual,
            subjects: Vec::new(),
            signatures: SignaturePolicy::Required,
            unknown_members: UnknownMembers::Refuse,
            trust_anchors: vec![TRUST_ANCHOR.to_owned()],
            psu_headers: PsuHeaders::Ignored,
            polling: polling::Policy {
                events_max: EVENTS_MAX,
                long_poll: Some(LONG_POLL),
                absent_means_long_poll: false,
                by_scope: true,
            },
            hand_outs: Limits {
                redelivery_delay: REDELIVERY_DELAY,
                error_cap: ERROR_CAP,
                hand_out_cap: None,
                order: DeliveryOrder::Concurrent,
            },
            header_profile: HeaderProfile::OpenBanking,
            requests_per_second: REQUESTS_PER_SECOND,
            jwks_max_age: JWKS_MAX_AGE,
        }
    }
}

/// Everything.
impl Default for Features {
    fn default() -> Self {
        Self {
            event_subscriptions: true,
            callback_urls: true,
            polling: true,
            replacing: true,
            deleting: true,
        }
    }
}

impl Features {
    /// Whether the standard allows what is left out (Note 1 of the resource pages). The router serves what it is told; who
    /// reads configuration asks this.
    pub fn check(self, rules: &Rules) -> Result<(), NotOptional> {
        let whole = self.replacing && self.deleting;
        let registers = self.event_subscriptions || self.callback_urls;
        let excused = !rules.switches.push && rules.catalogue.types().len() == 1;
        if whole || !registers || excused {
            Ok(())
        } else {
            Err(NotOptional)
        }
    }
}
