//! Who signs what, and with which keys.

use oyez_domain::tpp::HeaderProfile;
use oyez_jose::detached::UnknownMembers;
use serde::Serialize;

use super::{Facts, Seconds};
use crate::tpp::SignaturePolicy;

/// Security event tokens.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Sets {
    /// Where the bank's public keys are.
    pub(crate) jwks_url: String,
    /// For how long a copy of them may be kept. A new key is published twice as long before it signs.
    pub(crate) jwks_max_age_seconds: Seconds,
    /// For how long a retired key stays published after nothing that it signed is outstanding any more.
    pub(crate) retired_keys_stay_seconds: Seconds,
    /// The algorithms of the keys that are published now.
    pub(crate) algorithms: Vec<String>,
    /// The header of SETs, for TPPs that asked for no other: `openbanking`, `jwt` or `rfc8417`.
    pub(crate) header_profile: &'static str,
    /// `typ` of that header.
    pub(crate) typ: &'static str,
    /// Critical members of that header.
    pub(crate) crit: Vec<&'static str>,
    /// Whether a jti is ever used for another event.
    pub(crate) jti_reuse: &'static str,
    /// Whether SETs expire.
    pub(crate) exp: &'static str,
}

/// The x-jws-signature of requests and answers.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RequestSignatures {
    /// Whether POST and PUT of registrations must be signed: `required`, `if_present` (a signature that is there must be right)
    /// or `off`.
    pub(crate) policy: &'static str,
    /// The values of `tan` that a TPP's signature may name.
    pub(crate) trust_anchors: Vec<String>,
    /// What follows members of its header that the standard does not name: they are `refused` or `ignored`.
    pub(crate) unknown_members: &'static str,
}

impl Facts<'_> {
    pub(super) fn sets(self, algorithms: Vec<String>) -> Sets {
        let (header_profile, typ) = match self.api.header_profile {
            HeaderProfile::OpenBanking => ("openbanking", "JOSE"),
            HeaderProfile::Jwt => ("jwt", "JWT"),
            HeaderProfile::Rfc8417 => ("rfc8417", "secevent+jwt"),
        };
        let crit = match self.api.header_profile {
            HeaderProfile::OpenBanking => oyez_jose::open_banking::MEMBERS.to_vec(),
            HeaderProfile::Jwt | HeaderProfile::Rfc8417 => Vec::new(),
        };
        Sets {
            jwks_url: format!("{}/jwks", self.identity.base_url),
            jwks_max_age_seconds: Seconds(self.api.jwks_max_age),
            retired_keys_stay_seconds: Seconds(self.developer.retirement_margin),
            algorithms,
            header_profile,
            typ,
            crit,
            jti_reuse: "never",
            exp: "never",
        }
    }

    pub(super) fn signatures(self) -> RequestSignatures {
        RequestSignatures {
            policy: match self.api.signatures {
                SignaturePolicy::Required => "required",
                SignaturePolicy::IfPresent => "if_present",
                SignaturePolicy::Off => "off",
            },
            trust_anchors: self.api.trust_anchors.clone(),
            unknown_members: match self.api.unknown_members {
                UnknownMembers::Refuse => "refused",
                UnknownMembers::Ignore => "ignored",
            },
        }
    }
}
