//! `oyez check`: what it objects to, what it warns of, and what it merely notes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::bank::{Desk, assert_session};

#[test]
fn all_faults_are_found_at_once_in_the_file_and_in_the_environment() {
    let desk = Desk::with_bank();
    desk.configure(
        "# error_cap = 10",
        "error_cap = \"ten\"\nevent_cap = 3\nat_once_max = 9",
    );
    desk.configure("# ceiling = \"1h\"", "ceiling = \"1s\"");
    desk.configure("# base = \"1s\"", "base = \"1m\"");
    desk.configure("issuer = ", "isuer = ");
    let words = "check -c bank/oyez.toml";
    let variables = [
        ("OYEZ_PUSH__ORDER", "random"),
        ("OYEZ_STORE__PATHS", "x"),
        ("OYEZ_HOME", "/"),
    ];
    let done = desk.run_with(words, "", &variables);
    assert_session!(desk.shown(words, &done));
}

#[test]
fn findings_for_scripts_are_json() {
    let desk = Desk::with_bank();
    desk.configure("# error_cap = 10", "error_cap = 0");
    assert_session!(desk.session(&["check -c bank/oyez.toml --json"]));
}

// M-01, M-02, I-06, P-12, D-02, T-07, S-07, I-05, A-02, A-05
#[test]
fn departures_from_the_standard_are_warned_of() {
    let desk = Desk::with_bank();
    desk.configure("# policy = \"required\"", "policy = \"off\"");
    desk.configure("# hand_out_cap = 1", "hand_out_cap = 1");
    desk.configure(
        "# acknowledgement = \"standard\"",
        "acknowledgement = \"lenient\"",
    );
    desk.configure(
        "# allowed_networks = []",
        "allowed_networks = [\"10.0.0.0/8\"]",
    );
    desk.configure(
        "# unknown_members = \"refused\"",
        "unknown_members = \"ignored\"",
    );
    desk.configure("# binding = \"required\"", "binding = \"off\"");
    desk.configure("# typ = \"strict\"", "typ = \"lenient\"");
    desk.configure(
        "# header_profile = \"openbanking\"",
        "header_profile = \"jwt\"",
    );
    desk.configure("# unacknowledged = \"90d\"", "unacknowledged = \"29d\"");
    desk.configure("tokens_file = \"tokens\"", "");
    assert_session!(desk.session(&["check -c bank/oyez.toml"]));
}

// T-02, T-06
#[test]
fn event_types_and_resources_of_the_banks_own_are_judged() {
    let desk = Desk::with_bank();
    let own = r#"
[[event_types.own]]
urn = "urn:uk:org:openbanking:events:mine"
code = "UK.OBIE.Mine"
description = " "
since = "4.0"
[[event_types.own]]
urn = "urn:example:events:arrears"
code = "GB.Example.Arrears"
description = "A loan is in arrears."
since = "4.0"
[[resources.own]]
name = "loan-consent"
path = "aisp/loan-consents"
family = "aisp"
since = "v4.0"
"#;
    let text = desk.read("bank/oyez.toml") + own;
    let at_section = text
        .replace("\n[event_types]\n", "\n")
        .replace("\n[resources]\n", "\n");
    desk.write("bank/oyez.toml", &at_section);
    assert_session!(desk.session(&["check -c bank/oyez.toml"]));
}

// T-02
#[test]
fn the_schema_of_an_event_type_must_be_there_and_be_one() {
    let desk = Desk::with_bank();
    let own = |name: &str| {
        format!(
            "[[event_types.own]]\nurn = \"urn:example:events:{name}\"\ncode = \"GB.Example.{name}\"\ndescription = \"x\"\nsince = \"4.0\"\nschema = \"{name}.json\"\n"
        )
    };
    let text = desk
        .read("bank/oyez.toml")
        .replace("\n[event_types]\n", "\n");
    desk.write(
        "bank/oyez.toml",
        &(text + &own("sound") + &own("odd") + &own("torn") + &own("absent")),
    );
    desk.write("bank/sound.json", r#"{"type": "object"}"#);
    desk.write("bank/odd.json", r#"{"type": "nonsense"}"#);
    desk.write("bank/torn.json", r#"{"type": "#);
    let done = desk.run("check -c bank/oyez.toml");
    let errors: String = done
        .stdout
        .lines()
        .take_while(|line| !line.starts_with("note"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_session!(errors);
}

#[test]
fn keys_that_others_can_read_or_that_are_gone_are_found() {
    let desk = Desk::with_bank();
    desk.age_keys(1);
    assert_eq!(desk.run("keys new -c bank/oyez.toml --kid open").code, 0);
    assert_eq!(desk.run("keys new -c bank/oyez.toml --kid gone").code, 0);
    fs::set_permissions(
        desk.path("bank/keys/open.pem"),
        PermissionsExt::from_mode(0o644),
    )
    .unwrap();
    fs::remove_file(desk.path("bank/keys/gone.pem")).unwrap();
    assert_session!(desk.session(&["check -c bank/oyez.toml"]));
}

#[test]
fn bad_lines_in_the_list_of_tokens_are_named_and_not_repeated() {
    let desk = Desk::with_bank();
    desk.write("bank/tokens", "alice boss secret\nbob viewer oyez_secret\n");
    let done = desk.run("check -c bank/oyez.toml");
    assert!(!done.stdout.contains("secret"), "{}", done.stdout);
    assert_session!(desk.shown("check -c bank/oyez.toml", &done));
}

// A-05, A-06
#[test]
fn certificates_that_are_past_foreign_or_none_are_found() {
    let desk = Desk::with_bank();
    let mut shown = desk.session(&["check -c bank/oyez.toml --at 2999-01-01T00:00:00Z"]);
    desk.configure("development/server.key", "development/tpp.key");
    desk.configure(
        "client_anchors = \"development/ca.crt\"",
        "client_anchors = \"tokens\"",
    );
    desk.configure("development/tokens.jwks", "oyez.toml");
    let tpp_key = desk.path("bank/development/tpp.key");
    fs::set_permissions(tpp_key, PermissionsExt::from_mode(0o640)).unwrap();
    shown.push_str(&desk.session(&["check -c bank/oyez.toml"]));
    let findings = shown.lines().filter(|line| !line.starts_with("note"));
    assert_session!(findings.map(|line| format!("{line}\n")).collect::<String>());
}
