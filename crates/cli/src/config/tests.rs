//! The configuration as a function: text and variables in, a configuration or all its faults out.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use proptest::prelude::*;

use super::section::Unset;
use super::variables::variable_of;
use super::*;

/// Whatever must be set, and nothing else.
pub(crate) const LEAST: &str = r#"
[bank]
issuer = "https://bank.example"
org_id = "0015800001041REAAY"
base_url = "https://api.bank.example"
[listener]
certificate = "server.crt"
key = "server.key"
client_anchors = "client-anchors.pem"
[tokens]
issuer = "https://auth.bank.example"
audiences = ["https://api.bank.example"]
jwks = "https://auth.bank.example/jwks"
"#;

/// The keys of [`LEAST`], without those that must be set always: the template has an example of each.
fn least() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("listener.certificate", "\"server.crt\""),
        ("listener.key", "\"server.key\""),
        ("listener.client_anchors", "\"client-anchors.pem\""),
        ("tokens.issuer", "\"https://auth.bank.example\""),
        ("tokens.audiences", "[\"https://api.bank.example\"]"),
        ("tokens.jwks", "\"https://auth.bank.example/jwks\""),
    ])
}

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<Fault>> {
    let owned = variables
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Config::read(text, Path::new("/etc/oyez"), &Variables::pick(owned))
}

fn faults(text: &str, variables: &[(&str, &str)]) -> String {
    let faults = read(text, variables).expect_err("the configuration is wrong");
    let lines = faults.iter().map(|fault| {
        format!(
            "{} | {} | {}",
            fault.subject("oyez.toml"),
            fault.what,
            fault.mend
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_template_parses_to_exactly_the_defaults() {
    let template = render(&least());
    assert_eq!(read(&template, &[]), read(LEAST, &[]));
    assert!(read(LEAST, &[]).is_ok());
}

#[test]
fn every_key_stands_in_the_template_and_its_commented_value_is_one_it_takes() {
    // Uncommented, headings of lists of tables included, the file says every key, and still is a configuration.
    let mut set = least();
    set.insert("gateway.networks", "[\"10.0.0.0/8\"]");
    let template = render(&set);
    let said: String = template
        .lines()
        .filter(|line| !line.contains("_file = "))
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if is_setting(setting) => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let config = read(&said, &[]).unwrap_or_else(|faults| panic!("{faults:#?}\n{said}"));
    assert_eq!(config.polling.hand_out_cap.map(u32::from), Some(1));
    assert_eq!(config.event_types.own.len(), 1);
    let file: toml::Table = said.parse().unwrap();
    for outline in outlines() {
        for key in &outline.keys {
            let section = file[outline.name].as_table().unwrap();
            assert!(
                section.contains_key(key.name),
                "{}.{}",
                outline.name,
                key.name
            );
        }
    }
}

fn is_setting(line: &str) -> bool {
    let name = line.split(' ').next().unwrap_or_default();
    line.starts_with("[[")
        || (line.contains(" = ") && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
}

#[test]
fn every_key_can_be_overridden_by_its_variable() {
    for outline in outlines() {
        for key in &outline.keys {
            let path = format!("{}.{}", outline.name, key.name);
            // Nothing takes this text but text; what takes it changes.
            let nonsense = "\u{7}, \u{7}";
            let variable = variable_of(&path);
            match read(LEAST, &[(&variable, nonsense)]) {
                Err(faults) => {
                    assert!(
                        faults
                            .iter()
                            .all(|f| f.place == Place::Variable(variable.clone()))
                    );
                }
                Ok(config) => {
                    let takes_text =
                        matches!(key.unset, Unset::Secret { .. }) || key.expected.contains("path");
                    assert!(takes_text, "{path}");
                    assert_ne!(Ok(config), read(LEAST, &[]), "{path}");
                }
            }
        }
    }
}

#[test]
fn all_faults_are_reported_at_once_with_place_and_mend() {
    let text = r#"
bank = "us"
issuer = "us"
[versions]
served = ["v3.1", "4.0", "v3.1"]
coverage = "all"
[poling]
events_max = 10
[polling]
event_max = 10
events_max = "ten"
long_poll = "off"
absent_means_long_poll = true
redelivery_delay = 60
error_cap = 0
[retry]
factor = 0.5
[internal]
tokens = "x"
tokens_file = "tokens"
[[event_types.own]]
urn = "urn:x"
cod = "GB.X.Y"
"#;
    let variables = [
        ("OYEZ_PUSH__TOTAL_TIMEOUT", "1s"),
        ("OYEZ_PUSH__CONNECT_TIMEOUT", "2s"),
        ("OYEZ_PUSH__AT_ONCE", "2"),
        ("OYEZ_SERVICE_HOST", "10.0.0.1"),
    ];
    insta::assert_snapshot!(faults(text, &variables));
}

#[test]
fn text_that_is_no_toml_is_a_fault_with_its_line() {
    insta::assert_snapshot!(faults(
        "[bank\nissuer = x\n\n[retry]\nbase = 1s\nceiling = \"2 weeks\"",
        &[]
    ));
}

#[test]
fn relative_paths_start_at_the_files_directory_whoever_names_them() {
    let config = read(LEAST, &[("OYEZ_SIGNING__KEYS", "elsewhere")]).unwrap();
    assert_eq!(config.store.path, Path::new("/etc/oyez/oyez.db"));
    assert_eq!(config.signing.keys, Path::new("/etc/oyez/elsewhere"));
}

#[test]
fn a_variable_spells_lists_with_commas() {
    let config = read(LEAST, &[("OYEZ_VERSIONS__SERVED", "v4.0, v3.1")]).unwrap();
    assert_eq!(
        config.versions.served,
        read(LEAST, &[("OYEZ_VERSIONS__SERVED", "[\"v4.0\", \"v3.1\"]")])
            .unwrap()
            .versions
            .served
    );
}

#[test]
fn a_variable_spells_tables_as_the_file_does() {
    let own =
        r#"[{urn = "urn:a:b", code = "GB.A.B", description = "x", since = "4.0"}, {urn = 1}]"#;
    let faults = read(LEAST, &[("OYEZ_EVENT_TYPES__OWN", own)]).unwrap_err();
    let place = Place::Variable("OYEZ_EVENT_TYPES__OWN".to_owned());
    assert!(
        faults
            .iter()
            .all(|fault| fault.place == place && fault.key.starts_with("event_types.own[1]."))
    );
    assert_eq!(faults.len(), 4, "{faults:#?}");
}

#[test]
fn a_variable_that_is_no_text_is_refused() {
    let value = OsString::from_vec(vec![0xff]);
    let variables = Variables::pick([("OYEZ_STORE__PATH".into(), value)]);
    let faults = Config::read(LEAST, Path::new("/"), &variables).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(
        faults[0].place,
        Place::Variable("OYEZ_STORE__PATH".to_owned())
    );
}

// I-02
#[test]
fn idempotency_keys_are_remembered_for_at_least_a_day() {
    assert!(read(LEAST, &[("OYEZ_RETENTION__IDEMPOTENCY_KEYS", "24h")]).is_ok());
    assert!(read(LEAST, &[("OYEZ_RETENTION__IDEMPOTENCY_KEYS", "23h")]).is_err());
}

// G-01, G-13
#[test]
fn a_bank_that_could_not_tell_anything_is_refused() {
    for (variable, value) in [
        ("OYEZ_VERSIONS__SERVED", "[]"),
        ("OYEZ_VERSIONS__SERVED", "v2.0"),
        ("OYEZ_VERSIONS__RETIRED", "v3.1"),
        ("OYEZ_SIGNATURES__TRUST_ANCHORS", "[]"),
    ] {
        assert!(
            read(LEAST, &[(variable, value)]).is_err(),
            "{variable}={value}"
        );
    }
    let off = [
        ("OYEZ_FEATURES__POLLING", "false"),
        ("OYEZ_FEATURES__PUSH", "false"),
    ];
    assert!(read(LEAST, &off[..1]).is_ok());
    assert!(read(LEAST, &off).is_err());
    let off = [
        ("OYEZ_FEATURES__EVENT_SUBSCRIPTIONS", "false"),
        ("OYEZ_FEATURES__CALLBACK_URLS", "false"),
    ];
    assert!(read(LEAST, &off[..1]).is_ok());
    assert!(read(LEAST, &off).is_err());
}

// A-02, A-05, I-05
#[test]
fn a_server_that_nobody_could_call_rightly_is_refused() {
    let plain = LEAST
        .replace("certificate = \"server.crt\"", "")
        .replace("key = \"server.key\"", "")
        .replace("client_anchors = \"client-anchors.pem\"", "");
    let gateway = "[gateway]\nnetworks = [\"10.0.0.0/8\"]\ncertificate_header = \"x-cert\"";
    assert!(read(&format!("{plain}{gateway}"), &[]).is_ok());
    let faults_of = |text: &str, variables: &[(&str, &str)]| {
        let faults = read(text, variables).expect_err("the configuration is wrong");
        let keys: Vec<_> = faults.into_iter().map(|fault| fault.key).collect();
        keys.join(" ")
    };
    assert_eq!(
        faults_of(&plain, &[]),
        "listener.certificate tokens.binding"
    );
    for (variable, value, key) in [
        ("OYEZ_INTERNAL__ADDRESS", "0.0.0.0:8081", "internal.address"),
        (
            "OYEZ_INTERNAL__ADDRESS",
            "127.0.0.1:8443",
            "internal.address",
        ),
        (
            "OYEZ_INTERNAL__CERTIFICATE",
            "a.crt",
            "internal.certificate",
        ),
        (
            "OYEZ_INTERNAL__CLIENT_ANCHORS",
            "a.pem",
            "internal.client_anchors",
        ),
        (
            "OYEZ_GATEWAY__CERTIFICATE_HEADER",
            "x-cert",
            "gateway.certificate_header",
        ),
        ("OYEZ_TOKENS__AUDIENCES", "[]", "tokens.audiences"),
        ("OYEZ_TOKENS__KEY", "a.key", "tokens.key"),
        ("OYEZ_PUSH__CERTIFICATE", "a.crt", "push.certificate"),
        (
            "OYEZ_LIMITS__WAITING_MAX",
            "1",
            "limits.waiting_per_tpp_max",
        ),
        (
            "OYEZ_OUTBOUND__TOTAL_TIMEOUT",
            "1s",
            "outbound.connect_timeout",
        ),
    ] {
        assert_eq!(faults_of(LEAST, &[(variable, value)]), key, "{value}");
    }
    let asking = [
        ("OYEZ_TOKENS__VALIDATION", "introspection"),
        (
            "OYEZ_TOKENS__INTROSPECTION_URL",
            "http://127.0.0.1:9/introspect",
        ),
        ("OYEZ_TOKENS__CLIENT_ID", "oyez"),
        ("OYEZ_TOKENS__CLIENT_SECRET_FILE", "secret"),
    ];
    assert!(read(LEAST, &asking).is_ok());
    assert_eq!(faults_of(LEAST, &asking[..3]), "tokens.client_secret_file");
    let elsewhere = (
        "OYEZ_TOKENS__INTROSPECTION_URL",
        "http://10.0.0.1/introspect",
    );
    assert!(read(LEAST, &[elsewhere]).is_err());
}

/// Text that comes near a configuration, so that reading gets past the first line.
fn nearly_toml() -> impl Strategy<Value = String> {
    let names: Vec<String> = outlines()
        .iter()
        .flat_map(|outline| {
            let heading = format!("[{}]", outline.name);
            std::iter::once(heading)
                .chain(outline.keys.iter().map(|key| format!("{} = ", key.name)))
        })
        .collect();
    let value = prop_oneof![
        Just("true".to_owned()),
        Just("-1".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"1h\"".to_owned()),
        Just("[1, [2], {}]".to_owned()),
        Just("[{urn = 1}]".to_owned()),
        Just("1979-05-27".to_owned()),
        Just("nan".to_owned()),
        "\\PC{0,12}",
    ];
    let line = (proptest::sample::select(names), value).prop_map(|(name, value)| {
        if name.starts_with('[') {
            name
        } else {
            format!("{name}{value}")
        }
    });
    proptest::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_text_and_no_variable_is_met_with_a_panic(
        text in prop_oneof![nearly_toml(), "\\PC*", "(?s).{0,200}"],
        value in "\\PC{0,20}",
        key in proptest::sample::select(outlines().iter().flat_map(|one| one.paths().collect::<Vec<_>>()).collect::<Vec<_>>()),
    ) {
        if let Err(faults) = read(&text, &[(&variable_of(&key), &value)]) {
            prop_assert!(!faults.is_empty());
            prop_assert!(faults.iter().all(|fault| !fault.what.is_empty() && !fault.mend.is_empty()));
        }
    }
}
