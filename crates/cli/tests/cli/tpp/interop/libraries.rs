//! Every kind of SET that a bank emits, judged by libraries that know the bank's published key set and nothing else of it:
//! jwcrypto, joserfc, jose for Node, and easyssf. They must read what we meant, and refuse each SET of which a letter of the
//! signature was changed.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use oyez_jose::compact::Compact;
use oyez_jose::open_banking::MEMBERS;
use serde_json::{Value, json};

use super::{Peer, asked, installed, script};
use crate::house::{EVENTS, House};

// T-08, T-01, T-02, T-03, T-04, T-05, T-06, T-07, I-04
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_set_signed_with_ps256_is_read_by_all_libraries() {
    let mut house = house("https://bank.example/a-brand/");
    house.start();
    all_are_read(&house, "PS256", "https://bank.example/a-brand/").await;
}

// T-08, T-01, T-02, T-03, T-04, T-05, T-06, T-07, I-04
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_set_signed_with_es256_is_read_by_all_libraries() {
    let mut house = house("urn:example:another-brand");
    fs::remove_dir_all(house.desk().path("bank/keys")).unwrap();
    let made = house.desk().run("keys new -c bank/oyez.toml --alg ES256");
    assert_eq!(made.code, 0, "{}", made.stderr);
    house.start();
    all_are_read(&house, "ES256", "urn:example:another-brand").await;
}

/// A bank with an event type of its own, and this `iss`.
fn house(issuer: &str) -> House {
    let house = House::new(&[
        ("OYEZ_BANK__ISSUER", issuer),
        ("OYEZ_TEST_EVENT__RESOURCE", "domestic-payment/test"),
    ]);
    let own = format!(
        "[[event_types.own]]\nurn = \"{OWN}\"\ncode = \"GB.Example.Arrears\"\ndescription = \"A loan is in arrears.\"\nsince = \"3.1\"\n"
    );
    house
        .desk()
        .configure("\n[event_types]\n", &format!("\n{own}"));
    house
}

async fn all_are_read(house: &House, algorithm: &str, issuer: &str) {
    let keys = house.desk().run("keys jwks -c bank/oyez.toml").stdout;
    let keys: Value = serde_json::from_str(&keys).unwrap();
    assert_eq!(keys["keys"][0]["alg"], algorithm);
    for (client_id, profile, api, version) in customers() {
        let caller = house
            .customer(
                &client_id,
                &json!({ "header_profile": profile }),
                api,
                version,
            )
            .await;
        let told = tell_everything(house, &client_id, api).await;
        let poll = json!({ "maxEvents": 100, "returnImmediately": true });
        let events = EVENTS.replace("v4.0", api);
        let polled = caller.post(&events).json(&poll).send().await.json();
        let sets = polled["sets"].as_object().unwrap();
        let sets: Vec<&str> = sets.values().map(|set| set.as_str().unwrap()).collect();
        assert_eq!(sets.len(), told, "{profile} {polled:#}");
        let claims: Vec<Value> = sets.iter().map(|set| claims_of(set)).collect();
        assert_everything_is_there(&claims, issuer, &client_id);
        let tampered: Vec<String> = sets.iter().map(|set| tampered(set)).collect();
        let both = sets.iter().copied();
        let both: Vec<&str> = both.chain(tampered.iter().map(String::as_str)).collect();
        let request = json!({ "keys": keys, "critical": MEMBERS, "sets": both });
        for (library, answer) in judged(&request, issuer, &client_id, algorithm) {
            let what = format!("{library}, {profile}, {algorithm}");
            let answer = answer.as_array().unwrap();
            assert_eq!(answer.len(), both.len(), "{what}");
            for (verdict, claims) in answer.iter().zip(&claims) {
                assert_eq!(&verdict["ok"], claims, "{what}: {verdict}");
            }
            for verdict in &answer[sets.len()..] {
                assert!(
                    verdict["error"].is_string(),
                    "{what}: a tampered SET passed"
                );
            }
        }
    }
}

/// Each has a client_id, a profile, the version that it registers and polls through, and the Version that it names.
fn customers() -> [(String, &'static str, &'static str, &'static str); 4] {
    // As long as they come.
    let long = format!("https://tpp.example/{}", "x".repeat(128 - 20));
    [
        (
            "7umx5nTR33811QyQfi".to_owned(),
            "openbanking",
            "v4.0",
            "4.0",
        ),
        (long, "openbanking", "v3.1", "3.1.10"),
        ("jwt".to_owned(), "jwt", "v4.0", "4.0"),
        ("rfc8417".to_owned(), "rfc8417", "v4.0", "4.0"),
    ]
}

/// What each library says of the SETs.
fn judged(
    request: &Value,
    issuer: &str,
    client_id: &str,
    algorithm: &str,
) -> [(&'static str, Value); 4] {
    let python = |name| {
        let mut python = Command::new(installed("OYEZ_TEST_PYTHON", "interop/venv/bin/python"));
        python.arg(script(name));
        python
    };
    let mut node = Command::new("node");
    let modules = installed("OYEZ_TEST_NODE_MODULES", "interop/node_modules");
    node.arg(script("jose_sets.mjs")).arg(modules);
    let wish = json!({
        "keys": request["keys"], "sets": request["sets"], "issuer": issuer, "audience": client_id,
        "algorithms": [algorithm], "typ": "optional", "sub_id": "optional",
    });
    [
        ("jwcrypto", asked(python("jwcrypto_sets.py"), request)),
        ("joserfc", asked(python("joserfc_sets.py"), request)),
        ("jose", asked(node, request)),
        (
            "easyssf",
            Peer::easyssf("verify", &wish, &[]).ended().into(),
        ),
    ]
}

/// Publishes something of every kind, of resources of this version; how many events that makes.
async fn tell_everything(house: &House, client_id: &str, version: &str) -> usize {
    let mut items: Vec<Value> = Vec::new();
    let mut add = |kind: &str, events: Value, more: Value| {
        let key = format!("{client_id}-{}", items.len());
        let mut item = json!({
            "tpp": client_id, "events": events, "idempotency_key": key[key.len().saturating_sub(64)..],
            "resource": { "type": kind, "id": format!("r-{}", items.len()), "version": version },
        });
        for (name, value) in more.as_object().unwrap() {
            item[name] = value.clone();
        }
        items.push(item);
    };
    let plain = json!({});
    for kind in kinds() {
        add(&kind, json!([{ "type": UPDATE }]), plain.clone());
    }
    let consent = "account-access-consent";
    for events in [
        json!([{ "type": REVOKED }]),
        json!([{ "type": REVOKED, "reason": "GB.Example.Fraud" }]),
        json!([{ "type": ACCESS_REVOKED }]),
        json!([{ "type": UPDATE }, { "type": REVOKED }]),
        json!([{ "type": OWN, "payload": { "note": "Zoë’s “1.5”", "days": 90.5, "more": [null, true, {}] } }]),
    ] {
        add(consent, events, plain.clone());
    }
    for reason in REASONS {
        let subject = json!({ "type": "account", "id": "a-1" });
        let linked = json!([{ "type": LINKED, "reason": reason, "subject": subject }]);
        add(consent, linked, plain.clone());
        let linked = json!([{ "type": VRP_LINKED, "reason": reason }]);
        add("domestic-vrp-consent", linked, plain.clone());
    }
    let said = json!({ "txn": "t".repeat(128), "toe": 1_700_000_000 });
    add("domestic-payment", json!([{ "type": UPDATE }]), said);
    let publisher = house.colleague("publisher");
    let answer = publisher
        .post("/v1/events", &json!({ "items": items }))
        .await
        .json();
    for outcome in answer["outcomes"].as_array().unwrap() {
        assert_eq!(outcome["outcome"], "accepted", "{answer:#}");
    }
    let test = json!({ "tpp": client_id });
    let answer = house
        .colleague("operator")
        .post("/v1/test-events", &test)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    items.len() + 1
}

/// All resource types of the standard.
fn kinds() -> Vec<String> {
    let consent = |order: &&str| format!("{order}-consent");
    let orders = ORDERS.iter().map(|order| (*order).to_owned());
    let consents = ORDERS.iter().map(consent);
    orders
        .chain(consents)
        .chain(OTHERS.map(str::to_owned))
        .collect()
}

fn assert_everything_is_there(claims: &[Value], issuer: &str, client_id: &str) {
    let mut types = BTreeSet::new();
    let mut resources = BTreeSet::new();
    for claims in claims {
        assert_eq!(
            (&claims["iss"], &claims["aud"]),
            (&json!(issuer), &json!(client_id))
        );
        for (urn, event) in claims["events"].as_object().unwrap() {
            types.insert(urn.clone());
            let rty = &event["subject"]["http://openbanking.org.uk/rty"];
            resources.extend(rty.as_str().map(str::to_owned));
        }
    }
    let all = [UPDATE, REVOKED, ACCESS_REVOKED, LINKED, VRP_LINKED, OWN];
    assert_eq!(types, all.map(str::to_owned).into());
    assert_eq!(resources.len(), kinds().len(), "{resources:?}");
}

fn claims_of(set: &str) -> Value {
    let parsed = Compact::parse(set).unwrap();
    serde_json::from_slice(parsed.unverified_payload()).unwrap()
}

/// The same token with one letter of its signature changed.
fn tampered(set: &str) -> String {
    let (signed, signature) = set.rsplit_once('.').unwrap();
    let letter = if &signature[10..=10] == "A" { "B" } else { "A" };
    format!("{signed}.{}{letter}{}", &signature[..10], &signature[11..])
}

const UPDATE: &str = "urn:uk:org:openbanking:events:resource-update";
const REVOKED: &str = "urn:uk:org:openbanking:events:consent-authorization-revoked";
const ACCESS_REVOKED: &str = "urn:uk:org:openbanking:events:consent-access-revoked";
const LINKED: &str = "urn:uk:org:openbanking:events:account-access-consent-linked-account-update";
const VRP_LINKED: &str = "urn:uk:org:openbanking:events:domestic-vrp-consent-linked-account-update";
const OWN: &str = "urn:example:events:arrears";
const REASONS: [&str; 5] = [
    "UK.OBIE.AccountClosure",
    "UK.OBIE.CASS",
    "UK.CASS.NotSwitched",
    "UK.CASS.SwitchStarted",
    "UK.CASS.SwitchCompleted",
];
const ORDERS: [&str; 7] = [
    "domestic-payment",
    "domestic-scheduled-payment",
    "domestic-standing-order",
    "file-payment",
    "international-payment",
    "international-scheduled-payment",
    "international-standing-order",
];
const OTHERS: [&str; 5] = [
    "account-access-consent",
    "account",
    "funds-confirmation-consent",
    "domestic-vrp-consent",
    "domestic-vrp",
];
