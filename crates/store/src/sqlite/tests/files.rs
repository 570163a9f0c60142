//! Whose file it is, and what happens to files that are none of ours.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use tempfile::TempDir;

use super::{accept, making, open, poll, signed, subscribe, tpp};
use crate::sqlite::{Inspection, Ledger, Migrated, Options, file, migrations};
use crate::{Error, Store};

fn try_open(path: &Path) -> Result<Ledger, Error> {
    Ledger::open(path, Options::default(), making::rules())
}

/// Opening must fail so, and leave every byte where it was.
fn refuses(path: &Path, is_expected: impl Fn(&Error) -> bool) {
    let before = fs::read(path).unwrap();
    let refused = try_open(path).err().expect("the file is refused");
    assert!(is_expected(&refused), "{refused}");
    assert_eq!(fs::read(path).unwrap(), before, "the file is untouched");
    assert!(Ledger::inspect(path).is_err());
    assert!(try_open(path).is_err_and(|again| is_expected(&again)));
}

/// A closed ledger with something in it.
async fn ledger_file() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let ledger = open(&path, Options::default());
    subscribe(&ledger, &tpp()).await;
    accept(&ledger, &tpp(), 0..200).await;
    ledger.close().await.unwrap();
    drop(ledger);
    (directory, path)
}

#[tokio::test]
async fn a_second_process_is_refused_by_whatever_path_and_may_come_after() {
    let (directory, path) = ledger_file().await;
    let holder = open(&path, Options::default());
    let link = directory.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let detour = directory
        .path()
        .join(".")
        .join("..")
        .join(directory.path().file_name().unwrap());
    for way in [path.clone(), link, detour.join("ledger.db")] {
        let refused = try_open(&way).err().expect("it is taken");
        assert!(matches!(refused, Error::InUse { .. }), "{refused}");
        assert!(
            refused.to_string().contains("stop it"),
            "the mend: {refused}"
        );
        assert!(matches!(Ledger::migrate(&way), Err(Error::InUse { .. })));
        assert!(Ledger::inspect(&way).unwrap().in_use);
    }
    drop(holder);
    assert!(!Ledger::inspect(&path).unwrap().in_use);
    let next = open(&path, Options::default());
    assert_eq!(next.counts(tpp()).await.unwrap().accepted, 200);
}

#[tokio::test]
async fn files_that_are_no_ledger_are_refused_and_left_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other");
    for text in [
        &b"x"[..],
        &[0; 4096],
        &b"SQLite format 3\0 and then nothing of the kind".repeat(9),
    ] {
        fs::write(&path, text).unwrap();
        refuses(&path, |error| matches!(error, Error::Corrupt { .. }));
    }
    fs::remove_file(&path).unwrap();
    let foreign = Connection::open(&path).unwrap();
    foreign.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(foreign);
    refuses(&path, |error| matches!(error, Error::Corrupt { .. }));
}

#[tokio::test]
async fn a_damaged_ledger_is_refused_and_left_as_it_is() {
    let (_directory, path) = ledger_file().await;
    let sound = fs::read(&path).unwrap();
    let mut cut = sound.clone();
    cut.truncate(sound.len() / 2);
    let mut overwritten = sound.clone();
    let middle = sound.len() / 2;
    overwritten[middle..middle + 20_000].fill(0xa5);
    for damaged in [cut, overwritten] {
        fs::write(&path, damaged).unwrap();
        refuses(&path, |error| matches!(error, Error::Corrupt { .. }));
    }
    fs::write(&path, sound).unwrap();
    assert_eq!(
        open(&path, Options::default())
            .counts(tpp())
            .await
            .unwrap()
            .accepted,
        200
    );
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_the_mend() {
    let (_directory, path) = ledger_file().await;
    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", migrations::newest() + 1)
        .unwrap();
    db.close().unwrap();
    refuses(&path, |error| {
        matches!(error, Error::Schema { .. }) && error.to_string().contains("newer")
    });
}

#[test]
fn a_log_without_its_ledger_is_not_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    fs::write(directory.path().join("ledger.db-wal"), [7; 100]).unwrap();
    assert!(matches!(try_open(&path), Err(Error::Corrupt { .. })));
    assert!(!path.exists());
}

#[test]
fn a_directory_that_is_not_there_and_one_that_cannot_be_written_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = directory.path().join("no/such/ledger.db");
    assert!(matches!(try_open(&nowhere), Err(Error::Unavailable { .. })));
    // Nobody, not even root, makes a file in the kernel's own tree.
    let refused = try_open(Path::new("/sys/ledger.db"))
        .err()
        .expect("it is refused");
    assert!(matches!(refused, Error::ReadOnly { .. }), "{refused}");
}

// D-08, P-03, P-09
#[tokio::test]
async fn a_crash_loses_nothing_that_was_answered() {
    let (directory, path) = ledger_file().await;
    let ledger = open(&path, Options::default());
    ledger
        .poll(poll(&tpp(), vec![super::jti(1)], 0), super::at(1))
        .await
        .unwrap();
    ledger
        .keep_sets(vec![signed(&tpp(), super::jti(2))], super::at(1))
        .await
        .unwrap();
    // What a dying process leaves: the file and its log as they are now.
    let left = directory.path().join("left.db");
    for suffix in ["", "-wal"] {
        let from = directory.path().join(format!("ledger.db{suffix}"));
        fs::copy(from, directory.path().join(format!("left.db{suffix}"))).unwrap();
    }
    let after = open(&left, Options::default());
    let counts = after.counts(tpp()).await.unwrap();
    assert_eq!((counts.accepted, counts.acknowledged), (200, 1));
    let file = after.find_event(super::jti(2)).await.unwrap().unwrap();
    assert_eq!(file.sets.len(), 1);
}

#[tokio::test]
async fn a_new_ledger_is_its_owners_alone_with_every_file_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(&directory.path().join("ledger.db"), Options::default());
    subscribe(&ledger, &tpp()).await;
    let mut modes: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            (entry.file_name().into_string().unwrap(), mode)
        })
        .collect();
    modes.sort();
    let expected = [
        "ledger.db",
        "ledger.db-shm",
        "ledger.db-wal",
        "ledger.db.lock",
    ];
    assert_eq!(modes, expected.map(|name| (name.to_owned(), 0o600)));
}

#[tokio::test]
async fn migrating_and_inspecting_say_what_they_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("50% #1? ledger.db");
    let newest = migrations::newest();
    assert_eq!(
        Ledger::migrate(&path).unwrap(),
        Migrated {
            from: 0,
            to: newest
        }
    );
    assert_eq!(
        Ledger::migrate(&path).unwrap(),
        Migrated {
            from: newest,
            to: newest
        }
    );
    let ledger = open(&path, Options::default());
    subscribe(&ledger, &tpp()).await;
    accept(&ledger, &tpp(), 0..3).await;
    ledger.close().await.unwrap();
    let bytes = fs::metadata(&path).unwrap().len();
    let expected = Inspection {
        path: path.canonicalize().unwrap(),
        schema: newest,
        schema_newest: newest,
        bytes,
        in_use: false,
        tpps: 1,
        outstanding: 3,
    };
    assert_eq!(Ledger::inspect(&path).unwrap(), expected);
    let mut names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["50% #1? ledger.db", "50% #1? ledger.db.lock"],
        "nothing is left behind"
    );
}

// I-03
#[test]
fn looking_at_a_ledger_keeps_nobody_from_taking_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    drop(file::lock(&path).unwrap());
    let (looking, done) = (Barrier::new(2), AtomicBool::new(false));
    let refused = std::thread::scope(|scope| {
        scope.spawn(|| {
            looking.wait();
            while !done.load(Ordering::Relaxed) {
                file::is_in_use(&path).unwrap();
            }
        });
        looking.wait();
        let refused = (0..10_000).find_map(|_| file::lock(&path).err());
        done.store(true, Ordering::Relaxed);
        refused
    });
    assert!(refused.is_none(), "{refused:?}");
}

#[test]
fn only_a_ledger_that_is_surely_not_there_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let no_directory = directory.path().join("file");
    fs::write(&no_directory, "").unwrap();
    let path = no_directory.join("ledger.db");
    let Err(Error::Unavailable { detail }) = file::open_for_writing(&path) else {
        panic!("the path cannot be looked at");
    };
    assert!(
        detail.starts_with(&format!("{}: ", path.display())),
        "{detail}"
    );
}
