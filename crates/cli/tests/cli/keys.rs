//! `oyez keys`: the life of a signing key, seen from outside. Time passes by making the keys older.

use oyez_jose::Jwks;

use super::bank::{Desk, assert_session};

const DAY: i64 = 24 * 60 * 60;

#[test]
fn the_first_key_signs_at_once() {
    assert_session!(Desk::with_bank().session(&["keys list -c bank/oyez.toml"]));
}

// M-06
#[test]
fn a_rotated_key_is_published_for_twice_the_max_age_before_it_signs() {
    let desk = Desk::with_bank();
    desk.age_keys(100 * DAY);
    let rotated = desk.session(&[
        "keys rotate -c bank/oyez.toml --kid second",
        "keys list -c bank/oyez.toml",
    ]);
    assert_session!(rotated);
    let list = |at: i64| {
        let now = jiff::Timestamp::from_second(created(&desk, "second") + at).unwrap();
        let listed = desk.run(&format!("keys list -c bank/oyez.toml --at {now} --json"));
        states(&listed.stdout)
    };
    assert_eq!(list(2 * 3600 - 1), ["signing", "next"]);
    assert_eq!(list(2 * 3600), ["retiring", "signing"]);
    assert_eq!(list(2 * 3600 + 91 * DAY), ["retired", "signing"]);
}

// M-06
#[test]
fn a_spare_key_takes_over_when_the_signing_one_is_compromised() {
    let desk = Desk::with_bank();
    desk.age_keys(100 * DAY);
    assert_eq!(desk.run("keys new -c bank/oyez.toml --kid second").code, 0);
    desk.age_keys(DAY);
    assert_session!(desk.session(&[
        "keys list -c bank/oyez.toml",
        "keys rotate -c bank/oyez.toml --kid third --compromised second",
        "keys list -c bank/oyez.toml",
    ]));
    assert!(!kids(&desk).contains(&Some("second".to_owned())));
}

// M-06
#[test]
fn without_a_spare_key_a_compromise_makes_events_wait_and_says_so() {
    let desk = Desk::with_bank();
    desk.age_keys(100 * DAY);
    let kid = kids(&desk)[0].clone().unwrap();
    assert_session!(desk.session(&[
        &format!("keys rotate -c bank/oyez.toml --compromised {kid}"),
        "keys list -c bank/oyez.toml",
        "check -c bank/oyez.toml",
    ]));
}

#[test]
fn keys_are_of_the_kind_asked_for() {
    let desk = Desk::with_bank();
    for words in ["--alg ES256 --kid es", "--alg PS256 --bits 3072 --kid ps"] {
        assert_eq!(
            desk.run(&format!("keys new -c bank/oyez.toml {words}"))
                .code,
            0
        );
    }
    let text = desk.run("keys jwks -c bank/oyez.toml").stdout;
    let set: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(set["keys"][1]["kty"], "EC");
    assert_eq!(set["keys"][2]["n"].as_str().map(str::len), Some(512));
    assert!(!text.contains("\"d\""));
}

#[test]
fn a_kid_is_used_once_and_fits_a_file_name() {
    let desk = Desk::with_bank();
    assert_eq!(desk.run("keys new -c bank/oyez.toml --kid second").code, 0);
    let before = desk.read("bank/keys/manifest.json");
    assert_session!(desk.session(&[
        "keys new -c bank/oyez.toml --kid second",
        "keys new -c bank/oyez.toml --kid ../second",
        "keys new -c bank/oyez.toml --alg ES256 --bits 2048",
        "keys rotate -c bank/oyez.toml --compromised first",
    ]));
    assert_eq!(desk.read("bank/keys/manifest.json"), before);
}

#[test]
fn two_changes_at_once_are_refused() {
    let desk = Desk::with_bank();
    let lock = std::fs::File::open(desk.path("bank/keys/lock")).unwrap();
    lock.lock().unwrap();
    assert_session!(desk.session(&["keys new -c bank/oyez.toml"]));
    lock.unlock().unwrap();
    assert_eq!(desk.run("keys new -c bank/oyez.toml").code, 0);
}

#[test]
fn a_damaged_manifest_is_named_and_left_untouched() {
    let desk = Desk::with_bank();
    desk.write("bank/keys/manifest.json", "{\"keys\": 1}");
    assert_session!(desk.session(&[
        "keys list -c bank/oyez.toml",
        "keys new -c bank/oyez.toml",
        "check -c bank/oyez.toml"
    ]));
    assert_eq!(desk.read("bank/keys/manifest.json"), "{\"keys\": 1}");
}

#[test]
fn a_faulty_configuration_is_told_whole() {
    let desk = Desk::with_bank();
    desk.configure("# events_max = 100", "events_max = 0\nlong_pol = \"off\"");
    assert_session!(desk.session(&["keys list -c bank/oyez.toml"]));
}

fn kids(desk: &Desk) -> Vec<Option<String>> {
    let text = desk.run("keys jwks -c bank/oyez.toml").stdout;
    let set = Jwks::parse(text.as_bytes()).unwrap();
    set.keys().iter().map(|key| key.kid.clone()).collect()
}

fn created(desk: &Desk, kid: &str) -> i64 {
    let manifest: serde_json::Value =
        serde_json::from_str(&desk.read("bank/keys/manifest.json")).unwrap();
    let keys = manifest["keys"].as_array().unwrap();
    keys.iter().find(|key| key["kid"] == kid).unwrap()["created"]
        .as_i64()
        .unwrap()
}

fn states(json: &str) -> Vec<String> {
    let list: serde_json::Value = serde_json::from_str(json).unwrap();
    let keys = list["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| key["state"].as_str().unwrap().to_owned())
        .collect()
}
