//! The bank's keys over time: one signs, the next is published first, the last stays published.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use oyez_jose::key_set::{
    KeyEntry, KeySet, KeyState, LoadError, Manifest, ManifestError, Revocation, RevocationReason,
    lead,
};
use oyez_jose::{Algorithm, KeyKind, LocalKey, UnixTime, Zeroizing};
use proptest::prelude::*;

use crate::fixtures::{bytes, data};

const MAX_AGE: Duration = Duration::from_secs(300);
const COMPROMISED: Revocation = Revocation {
    at: UnixTime::from_seconds(5_000),
    reason: RevocationReason::Compromised,
};

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

fn entry(kid: &str, created: i64) -> KeyEntry {
    KeyEntry::new(kid, Algorithm::ES256, format!("{kid}.pem"), at(created))
}

fn load(manifest: Manifest) -> KeySet {
    let pem = data("keys/p256.pkcs8.pem");
    KeySet::load(manifest, MAX_AGE, at(0), |_| {
        Ok::<_, Infallible>(bytes(&pem))
    })
    .unwrap()
}

fn signing(keys: &KeySet, seconds: i64) -> Option<&str> {
    keys.signing_at(at(seconds)).map(|key| key.kid())
}

fn published(keys: &KeySet, seconds: i64) -> Vec<&str> {
    keys.published_at(at(seconds))
        .map(|key| key.kid())
        .collect()
}

/// Made at 1,000; rotated at 2,000; the old key withdrawn at 9,000.
fn rotated() -> Manifest {
    let mut manifest = Manifest {
        keys: vec![entry("a", 1_000)],
    };
    let takes_over = manifest.rotate(entry("b", 2_000), lead(MAX_AGE)).unwrap();
    assert_eq!(takes_over, at(2_600));
    manifest.withdraw("a", at(9_000)).unwrap();
    manifest
}

// M-06
#[test]
fn a_new_key_is_published_for_twice_the_max_age_before_it_signs() {
    let keys = load(rotated());
    assert_eq!((signing(&keys, 999), published(&keys, 999)), (None, vec![]));
    assert_eq!(
        (signing(&keys, 1_000), published(&keys, 1_000)),
        (Some("a"), vec!["a"])
    );
    assert_eq!(
        (signing(&keys, 2_599), published(&keys, 2_000)),
        (Some("a"), vec!["a", "b"])
    );
    assert_eq!(signing(&keys, 2_600), Some("b"));
}

// M-06
#[test]
fn only_the_first_key_need_not_wait_whatever_the_clock_says_of_the_next() {
    for created in [999, 1_000] {
        let mut manifest = Manifest {
            keys: vec![entry("a", 1_000)],
        };
        let takes_over = manifest.rotate(entry("b", created), lead(MAX_AGE));
        assert_eq!(takes_over, Ok(at(created + 600)));
        assert_eq!(signing(&load(manifest), 1_000), Some("a"), "{created}");
    }
}

// M-06
#[test]
fn a_retired_key_stays_published_until_it_is_withdrawn() {
    let keys = load(rotated());
    assert_eq!(published(&keys, 8_999), ["a", "b"]);
    assert_eq!(published(&keys, 9_000), ["b"]);
    let kids: Vec<_> = keys
        .jwks_at(at(9_000))
        .keys()
        .iter()
        .map(|key| key.kid.clone())
        .collect();
    assert_eq!(kids, [Some("b".to_owned())]);
}

// M-06
#[test]
fn a_key_never_signs_after_its_retirement_even_without_a_successor() {
    let mut only = entry("a", 1_000);
    only.retire_at = Some(at(4_000));
    let keys = load(Manifest { keys: vec![only] });
    assert_eq!(signing(&keys, 3_999), Some("a"));
    assert_eq!(signing(&keys, 4_000), None);
    assert_eq!(published(&keys, 1_000_000), ["a"]);
}

// M-06
#[test]
fn a_not_before_later_than_the_lead_is_kept_and_the_first_key_need_not_wait() {
    let mut second = entry("b", 1_100);
    second.not_before = at(5_000);
    let keys = load(Manifest {
        keys: vec![entry("a", 1_000), second],
    });
    assert_eq!(signing(&keys, 1_000), Some("a"));
    assert_eq!(signing(&keys, 4_999), Some("a"));
    assert_eq!(signing(&keys, 5_000), Some("b"));
}

// M-06
#[test]
fn a_compromised_key_is_out_at_once_and_a_spare_one_signs() {
    let mut manifest = Manifest {
        keys: vec![entry("a", 1_000), entry("b", 2_000)],
    };
    manifest.revoke("b", COMPROMISED).unwrap();
    let keys = load(manifest.clone());
    assert_eq!(
        (signing(&keys, 5_000), published(&keys, 5_000)),
        (Some("a"), vec!["a"])
    );
    manifest.revoke("a", COMPROMISED).unwrap();
    manifest.rotate(entry("c", 5_000), lead(MAX_AGE)).unwrap();
    let keys = load(manifest);
    assert_eq!(
        (signing(&keys, 5_599), published(&keys, 5_599)),
        (None, vec!["c"])
    );
    assert_eq!(
        signing(&keys, 5_600),
        Some("c"),
        "no key is excused from being published first"
    );
}

// M-06
#[test]
fn the_state_of_each_key_is_told_and_when_it_changes() {
    let keys = load(rotated());
    let states = |seconds| -> HashMap<_, _> {
        keys.states_at(at(seconds))
            .map(|(entry, state)| (entry.kid.as_str(), state))
            .collect()
    };
    assert_eq!(states(2_000)["a"], KeyState::Signing);
    assert_eq!(
        states(2_000)["b"],
        KeyState::Next {
            signs_from: at(2_600)
        }
    );
    assert_eq!(
        states(2_600)["a"],
        KeyState::Retired {
            withdraw_at: Some(at(9_000))
        }
    );
    assert_eq!(states(9_000)["a"], KeyState::Withdrawn);
    assert_eq!(states(9_000)["b"], KeyState::Signing);
    let changes: Vec<_> = std::iter::successors(Some(at(0)), |now| keys.next_change_after(*now))
        .map(UnixTime::seconds)
        .collect();
    assert_eq!(changes, [0, 1_000, 2_000, 2_600, 9_000]);

    let spare = load(Manifest {
        keys: vec![entry("a", 1_000), entry("b", 2_000)],
    });
    let states: Vec<_> = spare.states_at(at(3_000)).map(|(_, state)| state).collect();
    assert_eq!(states, [KeyState::Superseded, KeyState::Signing]);
}

// M-06
#[test]
fn files_of_withdrawn_and_revoked_keys_are_not_asked_for() {
    let mut manifest = rotated();
    manifest.rotate(entry("c", 3_000), lead(MAX_AGE)).unwrap();
    manifest.revoke("b", COMPROMISED).unwrap();
    let mut asked = Vec::new();
    let pem = data("keys/p256.pkcs8.pem");
    KeySet::load(manifest, MAX_AGE, at(9_000), |entry| {
        asked.push(entry.file.clone());
        Ok::<_, Infallible>(bytes(&pem))
    })
    .unwrap();
    assert_eq!(asked, ["c.pem"]);
}

// M-06
#[test]
fn a_key_that_cannot_be_loaded_is_named() {
    let manifest = || Manifest {
        keys: vec![entry("a", 1_000)],
    };
    let load = |manifest, read: fn() -> Result<Zeroizing<Vec<u8>>, std::io::Error>| {
        KeySet::load(manifest, MAX_AGE, at(0), |_| read())
            .err()
            .unwrap()
    };
    let gone = load(manifest(), || Err(std::io::ErrorKind::NotFound.into()));
    assert!(matches!(gone, LoadError::Read { kid, .. } if kid == "a"));
    let damaged = load(manifest(), || Ok(bytes("{}")));
    assert!(matches!(damaged, LoadError::Key { kid, .. } if kid == "a"));
    let other = load(manifest(), || Ok(bytes(&data("keys/rsa.pkcs8.pem"))));
    assert!(matches!(other, LoadError::Algorithm { kid } if kid == "a"));
}

// M-06
#[test]
fn an_unsound_manifest_is_refused_and_a_change_that_would_make_it_so_changes_nothing() {
    let mut manifest = rotated();
    let before = manifest.clone();
    let twice = manifest.rotate(entry("a", 3_000), lead(MAX_AGE));
    assert_eq!(twice, Err(ManifestError::DuplicateKid("a".to_owned())));
    assert_eq!(
        manifest.withdraw("a", at(2_000)),
        Err(ManifestError::Times("a".to_owned()))
    );
    assert_eq!(
        manifest.withdraw("b", at(9_000)),
        Err(ManifestError::Times("b".to_owned()))
    );
    assert_eq!(
        manifest.withdraw("x", at(1)),
        Err(ManifestError::NoSuchKey("x".to_owned()))
    );
    assert_eq!(manifest, before);

    let mut early = entry("", 1_000);
    early.not_before = at(999);
    let unsound = Manifest {
        keys: vec![early, entry("a", 1), entry("a", 2)],
    };
    assert_eq!(
        unsound.faults(),
        [
            ManifestError::Kid(String::new()),
            ManifestError::Times(String::new()),
            ManifestError::DuplicateKid("a".to_owned()),
        ]
    );
}

// M-06
#[test]
fn a_manifest_survives_its_file_and_unknown_members_are_refused() {
    let mut manifest = rotated();
    manifest.revoke("b", COMPROMISED).unwrap();
    let text = serde_json::to_string(&manifest).unwrap();
    assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
    assert!(
        text.contains(r#""revoked":{"at":5000,"reason":"compromised"}"#),
        "{text}"
    );
    assert!(serde_json::from_str::<Manifest>(&text.replace("retire_at", "retires")).is_err());
}

// M-06
#[test]
fn the_published_set_holds_no_private_number() {
    let rsa = LocalKey::generate(KeyKind::Rsa2048)
        .unwrap()
        .to_pkcs8_pem()
        .unwrap();
    let mut first = entry("a", 1_000);
    first.alg = Algorithm::PS256;
    let manifest = Manifest { keys: vec![first] };
    let keys = KeySet::load(manifest, MAX_AGE, at(0), |_| {
        Ok::<_, Infallible>(bytes(&rsa))
    })
    .unwrap();
    let set: serde_json::Value = serde_json::from_str(&keys.jwks_at(at(1_000)).to_json()).unwrap();
    let members: Vec<_> = set["keys"][0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
}

proptest! {
    // M-06
    #[test]
    fn whatever_the_manifest_a_key_signs_only_while_published_and_in_its_time(
        keys in proptest::collection::vec((0..4_000_i64, 0..3_000_i64, proptest::option::of(0..6_000_i64), proptest::option::of(0..6_000_i64), any::<bool>()), 1..5),
        now in 0..10_000_i64,
    ) {
        let entries: Vec<_> = keys.iter().enumerate().map(|(index, (created, wait, retire, withdraw, revoked))| {
            let mut entry = entry(&format!("k{index}"), *created);
            entry.not_before = at(created + wait);
            entry.retire_at = retire.map(|after| at(created + after));
            entry.withdraw_at = entry.retire_at.and(withdraw.map(|after| at(created + retire.unwrap_or(0) + after)));
            entry.revoked = revoked.then_some(COMPROMISED);
            entry
        }).collect();
        let manifest = Manifest { keys: entries };
        prop_assert_eq!(manifest.faults(), []);
        if let Some(key) = manifest.signing_at(at(now), lead(MAX_AGE)) {
            prop_assert!(key.is_published(at(now)));
            prop_assert!(key.not_before <= at(now));
            prop_assert!(key.retire_at.is_none_or(|until| at(now) < until));
            prop_assert!(key.revoked.is_none());
            prop_assert!(key.kid == "k0" || key.created + lead(MAX_AGE) <= at(now));
        }
        let states = manifest.keys.iter().map(|key| manifest.state_at(key, at(now), lead(MAX_AGE)));
        let signing = states.filter(|state| *state == KeyState::Signing).count();
        prop_assert_eq!(signing, usize::from(manifest.signing_at(at(now), lead(MAX_AGE)).is_some()));
    }
}

// M-06
#[test]
fn a_key_that_others_have_disowned_already_is_passed_over() {
    let keys = load(rotated());
    let without = |kids: &[&str], seconds| {
        let disowned = kids.iter().map(|kid| (*kid).to_owned()).collect();
        let key = keys.signing_at_without(at(seconds), &disowned);
        key.map(|key| key.kid().to_owned())
    };
    assert_eq!(without(&["b"], 2_599).as_deref(), Some("a"));
    assert_eq!(without(&["a"], 2_600).as_deref(), Some("b"));
    assert_eq!(without(&["b"], 2_600), None, "the other one has retired");
}
