//! The developer pages: what a TPP must know of this bank, rendered from what it runs by (W-01 … W-04).
//!
//! One value, [`Policy`], is made of the rules, the choices of the API and those of this module. `/developer` shows it to people
//! and `/developer/policy.json` to programs, so that neither can say what the other does not; and nothing on the page is written
//! by hand that the configuration decides. Samples are signed by the bank's key of the moment, and rendered once per key.
//!
//! | file | what it knows |
//! |---|---|
//! | `policy` | the facts, in the order of the JSON |
//! | `samples` | tokens to try a verifier with |
//! | `page` | the page |
//! | `shelf` | what was rendered, until a key changes |
//! | `status` | how one TPP stands, by its own token |
//!
//! Absent here: the frame and the assets (`pages`), and routes, which are in the TPP API's list.

mod page;
mod policy;
mod samples;
mod shelf;
mod status;

use std::time::Duration;

use oyez_domain::retry;
use oyez_domain::tpp::Acknowledgement;

use crate::pages::{Accent, Assets, Brand};

pub use policy::{Facts, Policy};

/// The page of a policy, without samples: they are signatures.
pub fn page(policy: &Policy, brand: &Brand) -> String {
    let view = page::View {
        policy,
        samples: &[],
        brand,
        assets: &Assets::new(brand),
    };
    page::page(&view).into_string()
}

pub(crate) use page::{refused as refused_page, status as status_page};
pub(crate) use policy::error_anchor;
pub(crate) use samples::samples;
pub(crate) use shelf::{Document, Found, Rendered, Shelf};
pub(crate) use status::Status;

/// What the developer pages say that the TPP API has no use for itself.
#[derive(Debug, Clone)]
pub struct Options {
    /// The bank's looks.
    pub brand: Brand,
    /// Whom TPPs ask: an address of mail or of a page.
    pub contact: Option<String>,
    /// Where TPPs get their access tokens.
    pub token_url: Option<String>,
    /// `iss` of access tokens.
    pub token_issuer: Option<String>,
    /// What tokens name in `aud`.
    pub token_audiences: Vec<String>,
    /// How it pushes. Whether it does is a rule.
    pub push: Push,
    /// How long things are kept.
    pub retention: Retention,
    /// Polls of one TPP that may wait at once.
    pub waiting_per_tpp_max: usize,
    /// Connections at once from one address.
    pub connections_per_address_max: Option<usize>,
    /// For how long a retired key stays published after its last SET is settled.
    pub retirement_margin: Duration,
}

/// How pushes are made (W-01).
#[derive(Debug, Clone)]
pub struct Push {
    /// When it is tried again.
    pub retry: retry::Policy,
    /// How often an endpoint is still tried that was given up.
    pub slow_probe: Option<Duration>,
    /// Of connecting, TLS included.
    pub connect_timeout: Duration,
    /// Of the whole.
    pub total_timeout: Duration,
    /// Pushes at once to one endpoint.
    pub at_once_max: u32,
    /// Which answers acknowledge.
    pub acknowledgement: Acknowledgement,
    /// Who is believed to vouch for endpoints.
    pub trust_anchors: Anchors,
    /// Whether it proves itself by a certificate to endpoints that ask for one.
    pub client_certificate: bool,
}

/// Who is believed to vouch for the certificates of endpoints (D-13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchors {
    /// Those of the system: the authorities of the public web.
    System,
    /// These, by the subjects of their certificates.
    Named(Vec<String>),
}

/// How long events are kept (I-06).
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Until they expire unacknowledged.
    pub unacknowledged: Duration,
    /// After they were settled.
    pub settled: Duration,
}

/// As `oyez serve` has it where nobody chooses.
impl Default for Options {
    fn default() -> Self {
        Self {
            brand: Brand {
                name: "The bank".to_owned(),
                logo: None,
                accent: Accent::default(),
            },
            contact: None,
            token_url: None,
            token_issuer: None,
            token_audiences: Vec::new(),
            push: Push {
                retry: retry::Policy::default(),
                slow_probe: Some(Duration::from_secs(60 * 60)),
                connect_timeout: Duration::from_secs(3),
                total_timeout: Duration::from_secs(10),
                at_once_max: 8,
                acknowledgement: Acknowledgement::default(),
                trust_anchors: Anchors::System,
                client_certificate: false,
            },
            retention: Retention {
                unacknowledged: Duration::from_secs(90 * 24 * 60 * 60),
                settled: Duration::from_secs(90 * 24 * 60 * 60),
            },
            waiting_per_tpp_max: 256,
            connections_per_address_max: Some(2_000),
            retirement_margin: Duration::from_secs(24 * 60 * 60),
        }
    }
}
