//! `oyez init`: what it leaves behind, also when it fails.

use std::fs;

use oyez_testkit::certificates::Authority;
use oyez_testkit::postgres::Cluster;

use super::bank::{Desk, assert_session, files};

#[test]
fn init_says_what_it_made_and_what_comes_next() {
    assert_session!(Desk::empty().session(&["init bank"]));
}

// D-05
#[test]
fn a_fresh_bank_has_nothing_that_check_objects_to() {
    assert_session!(Desk::with_bank().session(&["check -c bank/oyez.toml"]));
}

#[test]
fn the_configuration_that_init_writes_names_every_key() {
    assert_session!(Desk::with_bank().read("bank/oyez.toml"));
}

#[test]
fn secrets_are_for_their_owner_alone() {
    let desk = Desk::with_bank();
    let files = files(&desk.path("bank"));
    let secret = |name: &str| {
        let key = name.ends_with(".key") || name.ends_with(".pem");
        key || name.starts_with("tokens")
    };
    let secrets: Vec<_> = files.iter().filter(|(name, _)| secret(name)).collect();
    assert_eq!(secrets.len(), 8, "{files:?}");
    assert!(
        secrets.iter().all(|(_, mode)| *mode == 0o600),
        "{secrets:?}"
    );
}

// I-05
#[test]
fn tokens_are_shown_once_and_kept_as_hashes() {
    let desk = Desk::with_bank();
    let shown = desk.read("bank/tokens.secret");
    let kept = desk.read("bank/tokens");
    let tokens: Vec<_> = shown
        .lines()
        .skip(1)
        .map(|line| line.split_once(' ').unwrap())
        .collect();
    assert_eq!(tokens.len(), 4);
    for (role, token) in tokens {
        let hash = oyez_jose::sha256(token.as_bytes())
            .map(|byte| format!("{byte:02x}"))
            .concat();
        assert!(kept.contains(&format!("{role} {role} {hash}\n")), "{kept}");
        assert!(!kept.contains(token));
    }
}

#[test]
fn what_is_occupied_is_left_as_it_is() {
    let desk = Desk::empty();
    fs::create_dir(desk.path("full")).unwrap();
    desk.write("full/mine", "dear to me");
    desk.write("file", "dear to me");
    assert_session!(desk.session(&["init full", "init file", "init .", "init nowhere/bank"]));
    assert_eq!(fs::read_dir(desk.path("full")).unwrap().count(), 1);
}

#[test]
fn an_empty_directory_is_free() {
    let desk = Desk::empty();
    fs::create_dir(desk.path("bank")).unwrap();
    assert_eq!(desk.run("init bank").code, 0);
}

#[test]
fn a_failure_leaves_nothing_half_done() {
    let desk = Desk::empty();
    assert_eq!(desk.run("init nowhere/bank").code, 3);
    // The place is taken by a dangling link: found out when the finished directory is moved there.
    std::os::unix::fs::symlink("nowhere", desk.path("bank")).unwrap();
    assert_eq!(desk.run("init bank").code, 3);
    let left: Vec<_> = fs::read_dir(desk.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["bank"]);
}

#[test]
fn the_statements_that_init_writes_make_the_database_that_its_configuration_asks_for() {
    let authority = Authority::new("the database's own");
    let cluster = Cluster::start_secured(&authority.server(&["localhost"]));
    let desk = Desk::empty();
    let made = desk.run("init bank --backend postgres");
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(!desk.path("bank/oyez.db").exists());
    let statements = desk.read("bank/database.sql");
    for statement in statements.lines().filter(|line| !line.starts_with("--")) {
        cluster.ask(statement);
    }
    desk.write("bank/ca.crt", &authority.pem());
    // As it stands but for the port, and that a password goes over the network.
    let url = format!("postgresql://oyez@localhost:{}/oyez", cluster.port());
    let variables = [
        ("OYEZ_STORE__URL", url.as_str()),
        ("OYEZ_STORE__TLS", "verify-full"),
        ("OYEZ_STORE__TRUST_ANCHORS", "ca.crt"),
    ];
    let migrated = desk.run_with("migrate -c bank/oyez.toml", "", &variables);
    assert_eq!(migrated.code, 0, "{}", migrated.stderr);
    let checked = desk.run_with("check -c bank/oyez.toml", "", &variables);
    assert_eq!(checked.code, 0, "{}", checked.stdout);
    let password = desk.read("bank/store.password");
    assert!(!made.stdout.contains(password.trim()) && !made.stderr.contains(password.trim()));
    let secret = |name: &str| name == "database.sql" || name == "store.password";
    let secrets = files(&desk.path("bank"));
    let secrets: Vec<_> = secrets.iter().filter(|(name, _)| secret(name)).collect();
    assert!(secrets.len() == 2 && secrets.iter().all(|(_, mode)| *mode == 0o600));
}
