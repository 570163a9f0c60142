//! A token of each event type to try a verifier with: made as real ones are, of a notice that tells of nothing.
//!
//! Whoever mistakes one for news must overlook three things: its jti spells SAMPLE and is no UUID that is ever drawn, its `txn` and
//! the id of its resource say `sample`, and its audience is nobody.

use oyez_domain::catalogue::{Reasons, Role, Type};
use oyez_domain::claims::{self, Issue};
use oyez_domain::ids::Jti;
use oyez_domain::notice;
use oyez_domain::resources::ResourceType;
use oyez_domain::rules::Rules;
use oyez_domain::time::Timestamp;
use oyez_issuer::Identity;
use serde_json::{Value, json};

/// The claims of a sample, and then its token.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// The place of its type on the page.
    pub(super) anchor: String,
    /// What is signed.
    pub(crate) claims: Vec<u8>,
    /// The token; `None` while no key may sign.
    pub(crate) set: Option<String>,
}

/// A sample of each type that one can be made of: a type whose schema asks for a payload needs an example there.
pub(crate) fn samples(rules: &Rules, identity: &Identity, now: Timestamp) -> Vec<Sample> {
    let types = rules.catalogue.types().iter().enumerate();
    let made = types.filter_map(|(index, each)| {
        let number = u8::try_from(index).unwrap_or(u8::MAX);
        let issue = Issue {
            iss: &identity.iss,
            jti: jti(number),
            iat: now,
            base_url: &identity.base_url,
        };
        let told = told(rules, each)?;
        let item = notice::read(rules, &told, now).ok()?;
        Some(Sample {
            anchor: each.anchor.clone(),
            claims: claims::build(rules, &issue, &item.notice).ok()?,
            set: None,
        })
    });
    made.collect()
}

/// What a publisher would say.
fn told(rules: &Rules, of: &Type) -> Option<Value> {
    let resource = resource(rules, of)?;
    let mut event = json!({ "type": of.urn.0 });
    if let (Role::LinkedAccount, Reasons::Known(known)) = (of.role, &of.reasons) {
        event["reason"] = json!(known.first());
        if let Some(account) = rules.resources.find("account") {
            event["subject"] = json!({ "type": account.name, "id": ID });
        }
    }
    if let Some(example) = example(of) {
        event["payload"] = example.clone();
    }
    Some(json!({
        "tpp": AUDIENCE,
        "resource": { "type": resource.name, "id": ID },
        "events": [event],
        "txn": "sample",
    }))
}

/// The first example of a schema that keeps it.
fn example(of: &Type) -> Option<&Value> {
    let schema = of.schema.as_ref()?;
    let examples = schema.text().get("examples")?.as_array()?;
    examples.iter().find(|one| schema.faults(one).is_empty())
}

/// What the type is mostly about, or what there is.
fn resource<'r>(rules: &'r Rules, of: &Type) -> Option<&'r ResourceType> {
    let usual = match of.role {
        Role::ResourceUpdate | Role::Own => "domestic-payment",
        Role::LinkedAccount if of.urn.0.contains("vrp") => "domestic-vrp-consent",
        Role::Revocation | Role::LinkedAccount => "account-access-consent",
    };
    let served = |each: &&ResourceType| {
        let mut rows = rules.versions.rows().iter();
        rows.any(|row| each.is_in(row.api))
    };
    let found = rules.resources.find(usual).filter(served);
    found.or_else(|| rules.resources.rows().iter().find(served))
}

/// A version 8 UUID (RFC 9562) that spells SAMPLE.
fn jti(number: u8) -> Jti {
    let mut bytes = *b"SAMPLE\x80\x00\x80\x00\x00\x00\x00\x00\x00\x00";
    bytes[15] = number;
    Jti::from_bytes(bytes)
}

/// With what the jti of every sample begins.
pub(super) const JTI_PREFIX: &str = "53414d50-4c45-8000-8000-";
const ID: &str = "sample";
const AUDIENCE: &str = "sample-client";

#[cfg(test)]
mod tests {
    use oyez_domain::base_url::BaseUrl;
    use oyez_jose::Signatory;

    use super::*;

    // W-01
    #[test]
    fn every_official_type_has_a_sample_that_nobody_takes_for_news() {
        let rules = Rules::default();
        let identity = Identity {
            iss: "https://bank.example".to_owned(),
            signatory: Signatory {
                issuer: "org".to_owned(),
                trust_anchor: "openbanking.org.uk".to_owned(),
            },
            base_url: "https://api.bank.example".parse::<BaseUrl>().unwrap(),
        };
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        let samples = samples(&rules, &identity, now);
        assert_eq!(samples.len(), rules.catalogue.types().len());
        for (sample, of) in samples.iter().zip(rules.catalogue.types()) {
            let claims: Value = serde_json::from_slice(&sample.claims).unwrap();
            assert_eq!(sample.anchor, of.anchor);
            assert!(
                claims["jti"].as_str().unwrap().starts_with(JTI_PREFIX),
                "{claims}"
            );
            assert!(
                claims["sub"].as_str().unwrap().ends_with("/sample"),
                "{claims}"
            );
            assert_eq!(
                (&claims["txn"], &claims["aud"]),
                (&json!("sample"), &json!(AUDIENCE))
            );
            assert!(claims["events"][&of.urn.0].is_object(), "{claims}");
        }
    }
}
