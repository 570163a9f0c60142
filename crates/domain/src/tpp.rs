//! A TPP as the bank knows it: who it is, which keys it signs with, and where it is treated differently from the rest.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::ClientId;
use crate::retry;
use crate::time::{Timestamp, span};
use crate::versions::B64Form;

/// A registered client of the bank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tpp {
    /// Its name in every token, statement and SET.
    pub client_id: ClientId,
    /// What an operator may change of it.
    pub profile: Profile,
    /// May it call and be called?
    pub standing: Standing,
    /// When it was first known here.
    pub registered_at: Timestamp,
    /// When its profile or standing last changed.
    pub changed_at: Timestamp,
}

/// What an operator registers and may change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// For people: "Acme Budgeting".
    pub name: String,
    /// Its id in the directory; with `software_id` the `iss` of its signed requests (M-02).
    pub org_id: String,
    /// The software statement it registered with.
    pub software_id: String,
    /// Where its signing keys are found (M-05).
    pub keys: KeySource,
    /// The scopes that the bank grants it, of those that its tokens carry; empty grants whatever they carry (A-04).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Where it departs from the deployment's defaults.
    #[serde(default)]
    pub overrides: Overrides,
}

/// Where a TPP's signing keys come from (M-05).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// Fetched from this address and cached.
    JwksUrl(String),
    /// Kept here, as the text of a JWK set.
    Jwks(String),
}

/// Whether a TPP may call and be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Served.
    Active,
    /// Refused everywhere, and nothing new is accepted for it; what is outstanding waits (A-09).
    Disabled {
        /// Since when.
        at: Timestamp,
        /// In the operator's words.
        reason: String,
    },
}

/// Per-TPP departures from the deployment's defaults; `None` follows the default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// The JOSE header of its SETs (T-07).
    pub header_profile: Option<HeaderProfile>,
    /// When to try again (D-05).
    pub retry: Option<retry::Policy>,
    /// Order of delivery (D-10).
    pub delivery_order: Option<DeliveryOrder>,
    /// Which answers count as acknowledgements (D-02).
    pub acknowledgement: Option<Acknowledgement>,
    /// How many pushes may be in flight at once (D-09).
    pub pushes_at_once_max: Option<NonZeroU32>,
    /// When an unacknowledged hand-out is offered again first (P-08).
    #[serde(with = "span::option", skip_serializing_if = "Option::is_none")]
    pub redelivery_delay: Option<Duration>,
    /// How many setErrs set an event aside (P-12).
    pub error_cap: Option<NonZeroU32>,
    /// How many hand-outs count as an acknowledgement (P-12).
    pub hand_out_cap: Option<NonZeroU32>,
    /// Requests per second (G-09).
    pub requests_per_second: Option<NonZeroU32>,
    /// How answers are signed where no request shows a form, in versions that have it (M-04).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_form: Option<B64Form>,
    /// Certificates in PEM that are believed when it is pushed to, instead of the deployment's anchors (D-13).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_anchors: Option<String>,
}

/// The shape of a SET's JOSE header (T-07).
///
/// The standard's event profile signs SETs "using the approach defined in the R/W API specification", so the private members
/// belong into their header and are critical. Versions up to v3.1.3 also ask there for `b64: false`; a compact JWS cannot have
/// that (RFC 7797 forbids it to JWTs, and the payload's dots would break the token), so no profile writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeaderProfile {
    /// The standard's: `typ` JOSE and the three private members, all critical.
    #[default]
    OpenBanking,
    /// `typ` JWT and nothing private, for libraries that cannot register critical members.
    Jwt,
    /// `typ` secevent+jwt, as RFC 8417 recommends.
    Rfc8417,
}

/// Whether an event may overtake another of the same TPP (D-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOrder {
    /// First attempts start in order of acceptance; answers may come in any order.
    #[default]
    Concurrent,
    /// The next waits until the one before is settled.
    Strict,
}

/// Which answers to a push count as acknowledgements (D-02).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acknowledgement {
    /// 202; a missing interaction id is only noted.
    #[default]
    Standard,
    /// 202 with the interaction id echoed, nothing else.
    Strict,
    /// Any 2xx.
    Lenient,
}

#[cfg(test)]
mod tests {
    use super::*;

    // D-05, P-08
    #[test]
    fn overrides_are_written_with_units_and_may_all_be_left_out() {
        let overrides = Overrides {
            redelivery_delay: Some(Duration::from_secs(90)),
            ..Overrides::default()
        };
        let text = serde_json::to_string(&overrides).unwrap();
        assert!(text.contains(r#""redelivery_delay":"90s""#), "{text}");
        assert_eq!(serde_json::from_str::<Overrides>(&text).unwrap(), overrides);
        assert_eq!(
            serde_json::from_str::<Overrides>("{}").unwrap(),
            Overrides::default()
        );
    }
}
