//! `oyez verify --bank`: with keys that are fetched, and by what the TPP's configuration says of the bank.

use oyez_testkit::endpoint::Behaviour;
use serde_json::{Value, json};

use super::{Firm, issuer, publish, quick_house};

/// The checks that did not pass.
fn failed(report: &str) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(report).unwrap();
    let checks = report["checks"].as_array().unwrap().iter();
    let failed = checks.filter(|check| check["result"] == "FAILED");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    failed
        .map(|check| (text(&check["check"]), text(&check["detail"])))
        .collect()
}

// T-01, T-03, T-07, R-01
#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_held_against_the_banks_own_keys_and_the_configuration() {
    let house = quick_house(&[]);
    let firm = Firm::of("tpp-1", &[&house]).await;
    firm.subscribe("");
    publish(&house, "tpp-1", "one").await;
    let polled: Value = serde_json::from_str(&firm.run("poll --once").stdout).unwrap();
    firm.desk()
        .write("set.jwt", polled["set"].as_str().unwrap());
    let words = "verify set.jwt --bank bank-0 --json";
    let sound = firm.run(words);
    assert_eq!(sound.code, 0, "{}{}", sound.stdout, sound.stderr);
    let config = firm.desk().read("tpp.toml");
    for (from, to, check, says) in [
        (issuer(0), "https://bank.example", "iss", issuer(0)),
        (
            "client_id = \"tpp-1\"",
            "client_id = \"tpp-2\"",
            "aud",
            "tpp-1",
        ),
        (
            "DEVELOPMENT-ONLY-BANK",
            "ANOTHER",
            "private members",
            "DEVELOPMENT-ONLY-BANK",
        ),
    ] {
        assert!(config.contains(from), "{from}");
        firm.desk().write("tpp.toml", &config.replace(from, to));
        let done = firm.run(words);
        let failed = failed(&done.stdout);
        assert_eq!(done.code, 1, "{failed:?}");
        assert_eq!(failed.len(), 1, "{failed:?}");
        let (name, detail) = &failed[0];
        assert_eq!(name, check);
        assert!(detail.contains(says), "{detail}");
    }
}

//
#[tokio::test(flavor = "multi_thread")]
async fn where_the_keys_are_may_be_discovered() {
    let house = quick_house(&[]);
    let firm = Firm::of("tpp-1", &[&house]).await;
    firm.subscribe("");
    publish(&house, "tpp-1", "one").await;
    let issuer = format!("https://{}", firm.authorisation.address());
    let bank = format!("https://{}", house.site().address());
    let document = json!({
        "issuer": issuer, "jwks_uri": format!("{bank}/jwks"),
        "token_endpoint": format!("{issuer}/token/0"),
    });
    let answer = Behaviour::json(document.to_string());
    firm.authorisation
        .behave("/.well-known/openid-configuration", answer);
    let config = firm.desk().read("tpp.toml").replace(
        &format!("jwks = \"{bank}/jwks\"\ntoken_endpoint = \"{issuer}/token/0\""),
        &format!("discovery = \"{issuer}\""),
    );
    assert!(config.contains("discovery"), "{config}");
    firm.desk().write("tpp.toml", &config);
    let polled = firm.run("poll --once");
    let polled: Value = serde_json::from_str(&polled.stdout).unwrap();
    firm.desk()
        .write("set.jwt", polled["set"].as_str().unwrap());
    let words = "verify set.jwt --bank bank-0";
    assert_eq!(firm.run(words).code, 0);
    drop(firm.authorisation);
    let done = firm.desk.run(words);
    assert_eq!(done.code, 3, "{}", done.stdout);
    assert!(
        done.stderr.contains("the keys of `bank-0` cannot be had"),
        "{}",
        done.stderr
    );
}
