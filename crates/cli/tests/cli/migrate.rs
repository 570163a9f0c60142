//! `oyez migrate`: made, found up to date, refused. Steps between schemas are the store's tests.

use std::fs;

use super::bank::{Desk, assert_session};

#[test]
fn a_ledger_is_made_foreseen_and_found_up_to_date() {
    let desk = Desk::with_bank();
    desk.configure("# path = \"oyez.db\"", "path = \"new.db\"");
    let commands = [
        "migrate -c bank/oyez.toml --dry-run",
        "migrate -c bank/oyez.toml",
        "migrate -c bank/oyez.toml",
        "migrate -c bank/oyez.toml --dry-run --json",
    ];
    assert_session!(desk.session(&commands));
}

#[test]
fn a_server_says_when_it_makes_a_ledger_because_there_was_none() {
    let desk = Desk::with_bank();
    fs::remove_file(desk.path("bank/oyez.db")).unwrap();
    let variables = [
        ("OYEZ_LISTENER__ADDRESS", "127.0.0.1:0"),
        ("OYEZ_INTERNAL__ADDRESS", "127.0.0.1:0"),
        // What comes after the ledger ends it.
        ("OYEZ_INTERNAL__TOKENS_FILE", "nowhere"),
    ];
    let said = desk.run_with("serve -c bank/oyez.toml", "", &variables);
    assert_eq!(said.code, 3);
    let warning = "there was no ledger: an empty one was made";
    assert!(said.stderr.contains(warning), "{}", said.stderr);
    let said = desk.run_with("serve -c bank/oyez.toml", "", &variables);
    assert!(!said.stderr.contains(warning), "{}", said.stderr);
}

#[test]
fn what_is_no_ledger_or_too_new_is_refused_with_the_mend_and_left_untouched() {
    let desk = Desk::with_bank();
    let mut newer = fs::read(desk.path("bank/oyez.db")).unwrap();
    // The schema's number, in the header of the file.
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(desk.path("bank/oyez.db"), &newer).unwrap();
    desk.write("bank/letter.db", "Dear Sir or Madam, this is no ledger at all, as you will see at once from the first hundred bytes of it.");
    let mut shown = desk.session(&[
        "migrate -c bank/oyez.toml",
        "migrate -c bank/oyez.toml --dry-run",
        "check -c bank/oyez.toml",
    ]);
    desk.configure("# path = \"oyez.db\"", "path = \"letter.db\"");
    shown.push_str(&desk.session(&["migrate -c bank/oyez.toml", "check -c bank/oyez.toml"]));
    let here = desk.path("").canonicalize().unwrap();
    assert_session!(shown.replace(here.to_str().unwrap(), "/here"));
    assert_eq!(fs::read(desk.path("bank/oyez.db")).unwrap(), newer);
}

#[test]
fn a_ledger_that_a_server_uses_is_looked_at_and_not_touched() {
    let desk = Desk::with_bank();
    let lock = fs::File::open(desk.path("bank/oyez.db.lock")).unwrap();
    lock.lock().unwrap();
    let done = desk.run("migrate -c bank/oyez.toml");
    assert_eq!((done.code, done.stdout.as_str()), (3, ""));
    assert!(
        done.stderr.contains("mend: stop the server"),
        "{}",
        done.stderr
    );
    let looked = desk.run("check -c bank/oyez.toml");
    assert_eq!(looked.code, 0);
    assert!(looked.stdout.contains("KiB, in use;"), "{}", looked.stdout);
}
