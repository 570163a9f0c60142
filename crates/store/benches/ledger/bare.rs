//! The limit: the same rows written to the same tables and indexes, by prepared statements and nothing else.

use std::path::Path;

use oyez_domain::event::Family;
use oyez_store::sqlite::Ledger;
use rusqlite::{Connection, params};

use crate::meter::Meter;
use crate::product::{POLL, Steps, jti, set};
use oyez_testkit::making::{self, DAWN, UPDATE, client, notice};

/// What "bare" means, for whoever reads the figures.
pub(crate) const MEANING: &str = "\
bare: a file with the ledger's schema, page size and settings (WAL, synchronous=FULL), one rusqlite connection, one transaction
per group. It writes the rows that the ledger writes for the same group, with the same sizes and indexes (accept: events,
outstanding; keep: sets; hand out: outstanding, hand_outs, one poll, and it reads the SETs it hands out; settle: outstanding,
settlements), each by one prepared statement, keys known beforehand. No queue, no second thread, no savepoint, no JSON, no rules,
no choice, no totals, no minutes. The last column sets each step against bare accept: inserting an event's two rows.";

pub(crate) fn in_groups(events: u64, group: u64) -> Steps {
    let directory = tempfile::tempdir().unwrap();
    let db = open(&directory.path().join("bare.db"));
    let text = serde_json::to_string(&notice(&client("tpp"), Family::Aisp, &[UPDATE])).unwrap();
    let accept = grouped(&db, events, group, |n| {
        let now = DAWN.unix_ms();
        db.prepare_cached(EVENT)
            .unwrap()
            .execute(params![jti(n).as_bytes(), n + 1, now, "r-1", text])
            .unwrap();
        let event = db.last_insert_rowid();
        db.prepare_cached(OUTSTANDING)
            .unwrap()
            .execute(params![n + 1, event, jti(n).as_bytes(), now])
            .unwrap();
    });
    let jws = set();
    let keep = grouped(&db, events, group, |n| {
        db.prepare_cached(SET)
            .unwrap()
            .execute(params![n + 1, jws, DAWN.unix_ms()])
            .unwrap();
    });
    let hand_out = grouped(&db, events, group, |n| {
        if n % group == 0 {
            db.prepare_cached("INSERT INTO polls VALUES (?1, ?2, ?3)")
                .unwrap()
                .execute(params![n / group, POLL, DAWN.unix_ms()])
                .unwrap();
        }
        let read: String = db
            .prepare_cached("SELECT jws FROM sets WHERE event = ?1")
            .unwrap()
            .query_row([n + 1], |row| row.get(0))
            .unwrap();
        assert_eq!(read.len(), jws.len());
        db.prepare_cached(HOLD_BACK)
            .unwrap()
            .execute(params![n + 1, DAWN.unix_ms() + 60_000])
            .unwrap();
        db.prepare_cached("INSERT INTO hand_outs VALUES (?1, ?2)")
            .unwrap()
            .execute(params![n + 1, n / group])
            .unwrap();
    });
    let settle = grouped(&db, events, group, |n| {
        db.prepare_cached("DELETE FROM outstanding WHERE tpp = 1 AND jti = ?1")
            .unwrap()
            .execute([jti(n).as_bytes()])
            .unwrap();
        db.prepare_cached("INSERT INTO settlements VALUES (?1, 0, ?2, 11, NULL, 0)")
            .unwrap()
            .execute(params![n + 1, DAWN.unix_ms()])
            .unwrap();
    });
    Steps {
        accept,
        keep,
        hand_out,
        settle,
    }
}

fn grouped(db: &Connection, events: u64, group: u64, mut write: impl FnMut(u64)) -> crate::Figures {
    let meter = Meter::start();
    let mut n = 0;
    while n < events {
        db.prepare_cached("BEGIN IMMEDIATE")
            .unwrap()
            .execute([])
            .unwrap();
        for _ in 0..group.min(events - n) {
            write(n);
            n += 1;
        }
        db.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
    }
    meter.stop(events)
}

fn open(path: &Path) -> Connection {
    Ledger::migrate(path).unwrap();
    let db = Connection::open(path).unwrap();
    db.set_prepared_statement_cache_capacity(64);
    db.execute_batch(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = full; PRAGMA temp_store = memory;
         PRAGMA foreign_keys = off; PRAGMA wal_autocheckpoint = 1000; PRAGMA cache_size = -65536;",
    )
    .unwrap();
    let profile = serde_json::to_string(&making::profile(oyez_domain::tpp::Overrides::default()));
    db.execute(
        "INSERT INTO tpps VALUES (1, 'tpp', ?1, 0, NULL, NULL, 0, 0)",
        [profile.unwrap()],
    )
    .unwrap();
    db
}

const EVENT: &str = "
    INSERT INTO events (jti, tpp, position, accepted_at, resource_id, txn, notice)
    VALUES (?1, 1, ?2, ?3, ?4, NULL, ?5)";

const OUTSTANDING: &str = "
    INSERT INTO outstanding (tpp, position, event, jti, family, kind, accepted_at, due_at, push_at)
    VALUES (1, ?1, ?2, ?3, 0, 1, ?4, ?4, NULL)";

const SET: &str = "INSERT INTO sets VALUES (?1, ?2, 'k-1', ?3)";

const HOLD_BACK: &str = "
    UPDATE outstanding SET due_at = ?2, polled_until = ?2, hand_outs = hand_outs + 1
    WHERE tpp = 1 AND position = ?1";
