//! `oyez verify`: tokens that are sound, and tokens with one thing wrong.

use std::convert::Infallible;
use std::fs;
use std::time::Duration;

use oyez_jose::key_set::{KeySet, Manifest};
use oyez_jose::{HeaderProfile, Signatory, UnixTime, Zeroizing};
use serde_json::{Value, json};

use super::bank::{Desk, assert_session};

const AT: i64 = 1_900_000_000;
const VERIFY: &str = "verify set.jwt --jwks bank.jwks --at 2030-03-17T17:46:40Z";

/// A bank, its published keys and a SET.
fn desk(profile: HeaderProfile, claims: &Value) -> Desk {
    let desk = Desk::with_bank();
    desk.write("bank.jwks", &desk.run("keys jwks -c bank/oyez.toml").stdout);
    desk.write("set.jwt", &(set(&desk, profile, claims) + "\n"));
    desk
}

fn set(desk: &Desk, profile: HeaderProfile, claims: &Value) -> String {
    let manifest: Manifest = serde_json::from_str(&desk.read("bank/keys/manifest.json")).unwrap();
    let now = UnixTime::from_seconds(AT);
    let read = |entry: &oyez_jose::key_set::KeyEntry| {
        let bytes = fs::read(desk.path("bank/keys").join(&entry.file)).unwrap();
        Ok::<_, Infallible>(Zeroizing::new(bytes))
    };
    let keys = KeySet::load(manifest, Duration::from_secs(3600), now, read).unwrap();
    let key = keys.signing_at(now).unwrap();
    let signatory = Signatory {
        issuer: "BANK".to_owned(),
        trust_anchor: "openbanking.org.uk".to_owned(),
    };
    let input = key
        .set_header(profile, &signatory)
        .signing_input(claims.to_string().as_bytes(), now);
    input.sign_now(key.signer().local().unwrap()).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": "https://localhost:8443",
        "iat": AT,
        "jti": "0195a2f0-7b3c-7000-8000-000000000001",
        "sub": "https://localhost:8443/open-banking/v4.0/aisp/account-access-consents/1",
        "aud": "development-tpp",
        "txn": "1",
        "toe": AT,
        "events": { "urn:uk:org:openbanking:events:resource-update": { "subject": {
            "subject_type": "http://openbanking.org.uk/rid_http://openbanking.org.uk/rty",
            "http://openbanking.org.uk/rid": "1",
            "http://openbanking.org.uk/rty": "account-access-consent",
            "http://openbanking.org.uk/rlk": [{
                "version": "v4.0",
                "link": "https://localhost:8443/open-banking/v4.0/aisp/account-access-consents/1",
            }],
        }}},
    })
}

// T-01, T-03, T-07
#[test]
fn a_sound_set_is_verified_and_shown() {
    let desk = desk(HeaderProfile::OpenBanking, &claims());
    let words = format!("{VERIFY} --issuer https://localhost:8443 --audience development-tpp");
    assert_session!(desk.session(&[&words]));
}

// T-07
#[test]
fn every_header_profile_verifies_and_standard_input_will_do() {
    for profile in [
        HeaderProfile::OpenBanking,
        HeaderProfile::Jwt,
        HeaderProfile::Rfc8417,
    ] {
        let desk = desk(profile, &claims());
        let words = VERIFY.replace("set.jwt", "-");
        let done = desk.run_with(&words, &desk.read("set.jwt"), &[]);
        assert_eq!(done.code, 0, "{}", done.stdout);
        let words = format!("{} --json", VERIFY.replace("set.jwt ", ""));
        let done = desk.run_with(&words, &desk.read("set.jwt"), &[]);
        let report: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(
            (&report["verified"], &report["claims"]),
            (&json!(true), &claims())
        );
    }
}

// T-01, T-03
#[test]
fn all_that_is_wrong_with_the_claims_is_listed() {
    let mut claims = claims();
    claims["iat"] = json!(AT.to_string());
    claims["exp"] = json!(AT);
    claims["events"]["urn:uk:org:openbanking:events:resource-update"]["subject"]
        .as_object_mut()
        .unwrap()
        .remove("http://openbanking.org.uk/rid");
    assert_session!(desk(HeaderProfile::OpenBanking, &claims).session(&[VERIFY]));
}

#[test]
fn a_set_for_somebody_else_or_from_the_future_is_not_to_be_believed() {
    let desk = desk(HeaderProfile::OpenBanking, &claims());
    let words = "verify set.jwt --jwks bank.jwks --at 2030-03-17T17:00:00Z --issuer https://bank.example --audience me --json";
    let done = desk.run(words);
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_session!(format!(
        "{:#}\n--- exit code {}",
        report["checks"], done.code
    ));
    let words = format!("{VERIFY} --issuer https://bank.example --audience me --json");
    let report: Value = serde_json::from_str(&desk.run(&words).stdout).unwrap();
    assert_session!(format!("{:#}", report["checks"]));
}

#[test]
fn a_tampered_set_fails_at_its_signature_and_a_foreign_one_at_its_kid() {
    let desk = desk(HeaderProfile::Jwt, &claims());
    let token = desk.read("set.jwt");
    let mut claims = claims();
    claims["aud"] = json!("somebody-else");
    let other = set(&desk, HeaderProfile::Jwt, &claims);
    let parts: Vec<_> = token.split('.').collect();
    let other: Vec<_> = other.split('.').collect();
    desk.write("set.jwt", &[parts[0], other[1], parts[2]].join("."));
    let tampered = desk.run(VERIFY);
    desk.write("set.jwt", &token);
    desk.write("bank.jwks", &desk.read("bank/development/tpp.jwks"));
    let foreign = desk.run(VERIFY);
    let table = |text: &str| {
        text.lines()
            .skip_while(|line| !line.starts_with("CHECK"))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    assert_eq!((tampered.code, foreign.code), (1, 1));
    assert_session!(format!(
        "tampered:\n{}\nforeign:\n{}",
        table(&tampered.stdout),
        table(&foreign.stdout)
    ));
}

#[test]
fn what_is_no_set_at_all_is_said_to_be_none() {
    let desk = desk(HeaderProfile::Jwt, &claims());
    desk.write("set.jwt", "not a token");
    let mut shown = desk.session(&[VERIFY, &VERIFY.replace("set.jwt", "nowhere.jwt")]);
    desk.write("bank.jwks", "{}");
    shown.push_str(&desk.session(&[VERIFY]));
    assert_session!(shown);
}
