//! Every key of the configuration is published, or has a reason why not: each is changed in turn, and the page and the policy must
//! change with it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use oyez_domain::rules::Rules;
use oyez_web::developer::{Anchors, Facts, Policy, page};

use super::choices;
use crate::config::tests::LEAST;
use crate::config::{Config, Variables, variable_of};

/// The keys that TPPs are told of, each with another value than its default.
const PUBLISHED: &[(&str, &str)] = &[
    ("bank.issuer", "https://other.example"),
    ("bank.org_id", "OTHER-ORG"),
    ("bank.base_url", "https://other.example/ob"),
    ("bank.trust_anchor", "other.example"),
    ("versions.served", "v4.0"),
    ("versions.coverage", "exact"),
    ("features.event_subscriptions", "false"),
    ("features.callback_urls", "false"),
    ("features.polling", "false"),
    ("features.put", "false"),
    ("features.delete", "false"),
    ("features.push", "false"),
    ("listener.connections_per_address_max", "77"),
    ("tokens.issuer", "https://auth.other.example"),
    ("tokens.audiences", "https://audience.example"),
    ("tokens.binding", "off"),
    ("tokens.registration", "automatic"),
    ("headers.malformed", "refused"),
    ("signatures.policy", "if-present"),
    ("signatures.trust_anchors", "other.example"),
    ("signatures.unknown_members", "ignored"),
    ("polling.events_max", "77"),
    ("polling.long_poll", "off"),
    ("polling.absent_means_long_poll", "true"),
    ("polling.redelivery_delay", "77s"),
    ("polling.error_cap", "77"),
    ("polling.hand_out_cap", "1"),
    ("polling.requires_subscription", "false"),
    ("polling.with_callback_url", "true"),
    ("polling.by_scope", "false"),
    ("push.connect_timeout", "7s"),
    ("push.total_timeout", "77s"),
    ("push.at_once_max", "77"),
    ("push.order", "strict"),
    ("push.acknowledgement", "strict"),
    ("push.slow_probe", "off"),
    ("push.financial_id", "false"),
    ("push.certificate", "oyez.crt"),
    ("retry.base", "7s"),
    ("retry.factor", "7.0"),
    ("retry.ceiling", "77m"),
    ("retry.retries_max", "77"),
    ("retry.window", "77m"),
    ("signing.header_profile", "jwt"),
    ("signing.jwks_max_age", "77m"),
    ("signing.retirement_margin", "77h"),
    ("retention.unacknowledged", "77d"),
    ("retention.settled", "77d"),
    (
        "event_types.own",
        r#"[{ urn = "urn:other:events:x", code = "GB.Other.X", description = "Something.", since = "4.0" }]"#,
    ),
    (
        "resources.own",
        r#"[{ name = "loan-consent", path = "aisp/loan-consents/{id}", family = "aisp", since = "v4.0" }]"#,
    ),
    ("outbound.allowed_networks", "10.0.0.0/8"),
    ("limits.requests_per_second", "77"),
    ("limits.waiting_per_tpp_max", "77"),
    ("developer.name", "Other Bank"),
    ("developer.contact", "mailto:help@other.example"),
    ("developer.token_url", "https://auth.other.example/token"),
];

/// With automatic registration these are published too.
const CLAIMS: &[(&str, &str)] = &[
    ("tokens.org_id_claim", "other"),
    ("tokens.software_id_claim", "other"),
    ("tokens.jwks_url_claim", "other"),
];

/// Whole sections, and keys, that are nobody's business but the bank's; or that are published in another way.
const UNPUBLISHED: &[(&str, &str)] = &[
    ("versions.retired", "both rows are served here; see below"),
    ("listener.", "where it listens; the address is base_url"),
    ("gateway.", "within the bank"),
    ("tokens.", "how tokens are checked"),
    ("push.key", "a secret"),
    ("signing.", "where keys are; the key set says which"),
    ("store.", "within the bank"),
    ("retention.", "what no TPP asks for"),
    ("test_event.", "within the bank"),
    ("developer.", "looks: the brand's own test"),
    (
        "outbound.",
        "read from a file: the anchors' own test; or within the bank",
    ),
    ("limits.", "of all TPPs together"),
    ("internal.", "within the bank"),
    ("console.", "within the bank"),
    ("telemetry.", "within the bank"),
    ("log.", "within the bank"),
    ("shutdown.", "within the bank"),
];

/// Policy and page.
fn published(set: &[(&str, &str)]) -> (String, String) {
    let variables = set
        .iter()
        .map(|(key, value)| (OsString::from(variable_of(key)), OsString::from(value)));
    let variables = Variables::pick(variables);
    let config = Config::read(LEAST, Path::new("/etc/oyez"), &variables);
    let config = config.unwrap_or_else(|faults| panic!("{set:?}: {faults:?}"));
    let schemas = config.event_types.own.iter().map(|_| None).collect();
    let rules: Arc<Rules> = Arc::new(config.rules(schemas).unwrap());
    let developer = choices::developer(&config, choices::brand(&config, None), Anchors::System);
    let facts = Facts {
        rules: &rules,
        identity: &choices::identity(&config),
        api: &choices::tpp_options(&config),
        developer: &developer,
    };
    let policy = Policy::of(facts, vec!["PS256".to_owned()]);
    (policy.to_json(), page(&policy, &developer.brand))
}

// W-01, W-02
#[test]
fn every_key_is_published_on_page_and_policy_or_has_a_reason_why_not() {
    let plain = published(&[]);
    for (key, value) in PUBLISHED {
        let companions: &[(&str, &str)] = match *key {
            "push.certificate" => &[("push.key", "oyez.key")],
            _ => &[],
        };
        let changed = published(&[&[(*key, *value)], companions].concat());
        assert_ne!(plain.0, changed.0, "policy.json does not say {key}");
        assert_ne!(plain.1, changed.1, "the page does not say {key}");
    }
    let automatic = ("tokens.registration", "automatic");
    let plain = published(&[automatic]);
    for claim in CLAIMS {
        let changed = published(&[automatic, *claim]);
        assert_ne!(plain.0, changed.0, "{claim:?}");
        assert_ne!(plain.1, changed.1, "{claim:?}");
    }
    let one = ("versions.served", "v4.0");
    let retired = published(&[one, ("versions.retired", "v3.1")]);
    assert_ne!(published(&[one]), retired);
}

// W-01
#[test]
fn no_key_is_forgotten() {
    let said: BTreeMap<_, _> = [PUBLISHED, CLAIMS].concat().into_iter().collect();
    for key in crate::config::every_key() {
        let excused = |(prefix, _): &(&str, &str)| key.starts_with(prefix);
        assert!(
            said.contains_key(key.as_str()) || UNPUBLISHED.iter().any(excused),
            "is {key} a TPP's business?"
        );
    }
}
