use super::bank::{Desk, assert_session};

#[test]
fn help_says_what_each_command_does_and_what_exit_codes_mean() {
    let commands = [
        "--help",
        "init --help",
        "check --help",
        "migrate --help",
        "keys --help",
        "keys new --help",
        "keys rotate --help",
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
    assert_session!(Desk::empty().session(&["check", "keys list", "migrate -c nowhere/oyez.toml"]));
}
