//! Hand-out and settlement beside a long past.

use std::fs::File;

use oyez_domain::ledger::sets::{Purpose, SetState};
use oyez_store::Store;
use rusqlite::Connection;

use crate::meter::{Figures, Meter};
use crate::product::{Home, jti, open, poll, sets, submissions};
use oyez_testkit::making::DAWN;

const EACH: u64 = 100;

/// Polls that take 100 kept SETs and settle those of the poll before, beside so many events settled long ago.
pub(crate) async fn poll_and_settle(settled: u64, events: u64) -> Figures {
    let mut home = Home::new().await;
    home.ledger.close().await.unwrap();
    fill(&home, settled);
    home.ledger = open(&home.directory);
    for first in (0..events).step_by(1000) {
        let range = first..(first + 1000).min(events);
        home.ledger
            .accept(submissions(range.clone()), DAWN)
            .await
            .unwrap();
        let sets = sets(range.map(jti), &Purpose::Push);
        home.ledger.keep_sets(sets, DAWN).await.unwrap();
    }
    let meter = Meter::start();
    let mut acks = Vec::new();
    let mut settled = 0;
    while settled < events {
        let polled = poll(&home.ledger, acks, EACH).await;
        assert!(
            polled
                .work
                .iter()
                .all(|work| matches!(work.set, SetState::Kept(_)))
        );
        settled += polled.settled.len() as u64;
        acks = polled.work.iter().map(|work| work.jti).collect();
    }
    meter.stop(events)
}

/// History as service leaves it, with short SETs, written straight into the file in steps.
fn fill(home: &Home, settled: u64) {
    let path = home.directory.path().join("ledger.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "PRAGMA foreign_keys = off; PRAGMA synchronous = off; PRAGMA cache_size = -262144; PRAGMA temp_store = memory",
    )
    .unwrap();
    for first in (0..settled).step_by(STEP) {
        let last = (first + STEP as u64).min(settled);
        db.execute_batch(&format!(
            "BEGIN;
             CREATE TEMP TABLE old AS
                WITH RECURSIVE n(i) AS (SELECT {first} + 1 UNION ALL SELECT i + 1 FROM n WHERE i < {last})
                SELECT i, CAST(printf('%016d', i) AS BLOB) AS jti FROM n;
             INSERT INTO events SELECT i, jti, 1, i, i, 'r-' || i, NULL,
                '{{\"client_id\":\"tpp\",\"filler\":\"' || hex(zeroblob(150)) || '\"}}' FROM old;
             INSERT INTO sets SELECT i, hex(zeroblob(100)), 'k-1', i FROM old;
             INSERT INTO polls SELECT i, 'p-' || i, i FROM old WHERE i % 100 = 0;
             INSERT INTO hand_outs SELECT i, i - i % 100 FROM old;
             INSERT INTO settlements SELECT i, 0, i, 11, NULL, 0 FROM old;
             DROP TABLE old;
             COMMIT;"
        ))
        .unwrap();
    }
    db.close().unwrap();
    // The system's own writing of what was filled in must not be measured.
    File::open(path).unwrap().sync_all().unwrap();
}

const STEP: usize = 100_000;
