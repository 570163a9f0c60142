//! Where a configuration departs from the standard, or from what is wise. All of it works; somebody should know.

use oyez_domain::tpp::{Acknowledgement, HeaderProfile};
use oyez_jose::access_token::Types;
use oyez_jose::detached::UnknownMembers;
use oyez_web::tpp::{Binding, SignaturePolicy};

use super::finding::Finding;
use crate::config::{Config, Validation};

/// One warning each.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut warn = |key: &str, what: &str, mend: &str| {
        findings.push(Finding::warning(key, what, mend));
    };
    callers(config, &mut warn);
    deliveries(config, &mut warn);
    findings
}

/// Who is believed.
fn callers(config: &Config, warn: &mut impl FnMut(&str, &str, &str)) {
    let required = "set it to \"required\"";
    match config.signatures.policy {
        SignaturePolicy::Required => {}
        SignaturePolicy::IfPresent => {
            warn(
                "signatures.policy",
                "unsigned requests are accepted, which does not conform (M-01)",
                required,
            );
        }
        SignaturePolicy::Off => {
            warn(
                "signatures.policy",
                "signatures are not checked, which does not conform (M-01)",
                required,
            );
        }
    }
    if config.signatures.unknown_members == UnknownMembers::Ignore {
        let what = "signatures with members that the standard does not name are accepted (M-02)";
        warn("signatures.unknown_members", what, "set it to \"refused\"");
    }
    if config.tokens.binding == Binding::Off {
        let what = "whoever has a TPP's token may use it: it is not bound to a certificate, which does not conform (A-05)";
        warn("tokens.binding", what, required);
    }
    if config.tokens.validation == Validation::Jwt && config.tokens.typ == Types::Lenient {
        let what = "JWTs that do not say that they are access tokens are accepted (A-02)";
        warn(
            "tokens.typ",
            what,
            "set it to \"strict\", if the authorisation server follows RFC 9068",
        );
    }
}

/// What goes out, and where.
fn deliveries(config: &Config, warn: &mut impl FnMut(&str, &str, &str)) {
    if config
        .polling
        .hand_out_cap
        .is_some_and(|cap| cap.get() == 1)
    {
        let what = "an event is handed out once and then taken as acknowledged: a TPP that loses a response loses events (P-12)";
        warn(
            "polling.hand_out_cap",
            what,
            "leave it out, unless TPPs are told and want it so",
        );
    }
    if config.push.acknowledgement == Acknowledgement::Lenient {
        let what = "any 2xx counts as an acknowledgement; the standard knows 202 alone (D-02)";
        warn(
            "push.acknowledgement",
            what,
            "set it to \"standard\", or to \"lenient\" per TPP",
        );
    }
    if !config.outbound.allowed_networks.is_empty() {
        let what = "a TPP can make oyez call addresses inside the bank's network (S-07)";
        warn(
            "outbound.allowed_networks",
            what,
            "leave it empty outside of demonstrations, or list what TPPs on a private line need",
        );
    }
    if config.signing.header_profile != HeaderProfile::OpenBanking {
        let what = "SETs go out without the standard's header members (T-07)";
        warn(
            "signing.header_profile",
            what,
            "set it to \"openbanking\", and to others per TPP",
        );
    }
    if config.bank.base_url.as_str().starts_with("http:") {
        let what = "links are http, in the clear";
        warn(
            "bank.base_url",
            what,
            "use the https address that TPPs call",
        );
    }
}
