//! What is said to somebody who asks for help, or mistypes.

use super::bank::{Desk, assert_session};

#[test]
fn help_says_what_each_command_does_and_what_exit_codes_mean() {
    let commands = [
        "--help",
        "demo --help",
        "init --help",
        "check --help",
        "serve --help",
        "migrate --help",
        "store --help",
        "store copy --help",
        "keys --help",
        "keys new --help",
        "keys rotate --help",
        "tpps --help",
        "tpps show --help",
        "tpps register --help",
        "tpps change --help",
        "tpps import --help",
        "publish --help",
        "events list --help",
        "events show --help",
        "events push --help",
        "endpoints --help",
        "endpoints list --help",
        "audit --help",
        "audit verify --help",
        "audit export --help",
        "bench --help",
        "bench accept --help",
        "bench poll --help",
        "bench long-poll --help",
        "bench push --help",
        "bench receive --help",
        "bench drain --help",
        "bench steady --help",
        "bench fill --help",
        "listen --help",
        "poll --help",
        "subscription --help",
        "subscription create --help",
        "subscription update --help",
        "verify --help",
    ];
    assert_session!(Desk::empty().session(&commands));
}

#[test]
fn what_makes_no_sense_is_refused_with_code_2_on_standard_error() {
    let commands = [
        "",
        "chek",
        "check --jsn",
        "keys list --at yesterday",
        "keys new --bits 1024",
        "serve --roles delivery",
        "bench accept --batch 0",
        "publish",
        "bench push --rate 1000 --at-half",
    ];
    assert_session!(Desk::empty().session(&commands));
}

#[test]
fn the_version_is_data() {
    let done = Desk::empty().run("--version");
    assert_eq!(
        (done.stdout.as_str(), done.code),
        (concat!("oyez ", env!("CARGO_PKG_VERSION"), "\n"), 0)
    );
}

#[test]
fn a_missing_configuration_is_the_environments_fault() {
    assert_session!(Desk::empty().session(&[
        "check",
        "keys list",
        "migrate -c nowhere/oyez.toml",
        "check -c ."
    ]));
}

#[test]
fn the_exit_codes_of_help_and_of_the_page_are_the_same() {
    let page = include_str!("../../../../docs/cli.md");
    let help = Desk::empty().run("--help").stdout;
    let codes: Vec<_> = help
        .lines()
        .skip_while(|line| !line.ends_with("Exit codes:"))
        .skip(1)
        .collect();
    assert_eq!(codes.len(), 5);
    for line in codes {
        let (code, meaning) = line.trim().split_once("  ").unwrap();
        assert!(page.contains(&format!("| {code} | {meaning} |")), "{line}");
    }
}

#[test]
fn the_page_of_a_tpps_configuration_is_current() {
    let page = include_str!("../../../../docs/tpp-configuration.md");
    let made = Desk::empty().run("config-doc --tpp").stdout;
    assert!(
        page == made,
        "mend: cargo run -p oyez-cli -- config-doc --tpp > docs/tpp-configuration.md"
    );
}

#[test]
fn the_page_of_the_configuration_is_current() {
    let page = include_str!("../../../../docs/configuration.md");
    let made = Desk::empty().run("config-doc").stdout;
    assert!(
        page == made,
        "mend: cargo run -p oyez-cli -- config-doc > docs/configuration.md"
    );
}
