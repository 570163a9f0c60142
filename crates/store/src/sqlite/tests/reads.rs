//! History costs the hot path nothing: the same pages are read with twenty times as much of it.

use std::fs;

use super::{Home, accept, at, jti, open, poll, signed, tpp};
use crate::sqlite::{Ledger, Options, poll as polling};
use crate::{Error, Store};

const PAGE_BYTES: u64 = 8192;
const OUTSTANDING: u64 = 2000;
const EACH: u64 = 100;

/// Pages read by one hand-out and one settlement of 100 events, from a cold cache.
#[derive(Debug, PartialEq)]
struct PagesRead {
    settling: u64,
    handing_out: u64,
}

/// History as long service leaves it, put in at once: settled events with everything of theirs.
async fn fill(ledger: &Ledger, settled: u64) {
    let fill = ledger.write(move |unit| {
        unit.db.execute_batch(&format!(
            "CREATE TEMP TABLE old AS
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {settled})
                SELECT 1000000 + i AS i, CAST(printf('%016d', i) AS BLOB) AS jti FROM n;
             INSERT INTO events SELECT i, jti, 1, i, 0, 'r', NULL, hex(zeroblob(200)) FROM old;
             INSERT INTO sets SELECT i, hex(zeroblob(500)), 'k', 0 FROM old;
             INSERT INTO hand_outs SELECT i, i / 100 FROM old;
             INSERT INTO settlements SELECT i, 0, 0, 11, NULL, 0 FROM old;
             DROP TABLE old;"
        ))?;
        Ok::<_, Error>(())
    });
    fill.await.unwrap();
}

/// What this thread has read from files. Read twice, it is the same but for its own few bytes.
fn bytes_read() -> u64 {
    let io = fs::read_to_string("/proc/thread-self/io").unwrap();
    let read = io.lines().find_map(|line| line.strip_prefix("rchar: "));
    read.unwrap().parse().unwrap()
}

async fn pages_read(settled: u64) -> PagesRead {
    let home = Home::with_tpp(Options::default(), &tpp()).await;
    fill(&home.ledger, settled).await;
    accept(&home.ledger, &tpp(), 0..OUTSTANDING).await;
    let sets = (0..OUTSTANDING).map(|n| signed(&tpp(), jti(n))).collect();
    home.ledger.keep_sets(sets, at(1)).await.unwrap();
    home.ledger.close().await.unwrap();
    let ledger = open(&home.directory.path().join("ledger.db"), Options::default());
    let acks = (0..EACH).map(jti).collect();
    PagesRead {
        settling: pages_of(&ledger, poll(&tpp(), acks, 0)).await,
        handing_out: pages_of(&ledger, poll(&tpp(), vec![], 100)).await,
    }
}

async fn pages_of(ledger: &Ledger, request: oyez_domain::ledger::poll::Poll) -> u64 {
    let (settles, takes) = (request.acks.len(), request.events_max);
    let measured = ledger.write(move |unit| {
        unit.db.execute_batch("PRAGMA shrink_memory")?;
        let before = bytes_read();
        let polled = polling::poll(unit, &request, at(2))?;
        let pages = (bytes_read() - before) / PAGE_BYTES;
        Ok((polled, pages))
    });
    let (polled, pages) = measured.await.unwrap();
    assert_eq!(polled.settled.len(), settles);
    assert_eq!(polled.work.len(), usize::try_from(takes).unwrap());
    pages
}

#[tokio::test]
async fn twenty_times_the_history_is_not_a_page_more_to_settle_and_a_level_more_to_hand_out() {
    let little = pages_read(10_000).await;
    let much = pages_read(200_000).await;
    eprintln!("pages read at 10,000 and 200,000 settled: {little:?}, {much:?}");
    assert!(little.settling > 0 && little.handing_out > 0, "{little:?}");
    assert_eq!(much.settling, little.settling);
    // SETs are read and hand-outs written where history is: a taller tree is a page more, not one per event.
    assert!(
        much.handing_out <= little.handing_out + 2,
        "{little:?} {much:?}"
    );
}
