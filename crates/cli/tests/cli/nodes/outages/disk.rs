//! The database's disk is full: with what it keeps, and with its log of changes. In the second case PostgreSQL gives itself up, and
//! again whenever it is started; in the first it refuses what needs room, until a checkpoint needs some.

use std::time::Duration;

use oyez_outbound::Method;
use oyez_testkit::postgres::{Cluster, Disk, Stored};
use oyez_testkit::scale;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep, timeout};

use super::super::PATIENCE;
use super::super::crowd::FIRST;
use super::{ANSWERED_WITHIN, OUTAGE_S, Story, TPPS};
use crate::kill::books::Batch;
use crate::kill::load;

impl Story {
    /// Hands events over until the database has refused so many batches, and for a while more. Whatever the answer is, it comes
    /// in time, says when to come back, and the nodes live.
    async fn until_full(&mut self) {
        let publisher = self.crowd.campaign.house.colleague("publisher");
        let books = &self.crowd.campaign.books;
        let (began, mut full_at, mut refused) = (Instant::now(), None, 0);
        let outage = Duration::from_secs(u64::from(scale::rounds(OUTAGE_S)).max(2));
        for nth in 0.. {
            let batch = Batch {
                resource: format!("until-full-{nth}"),
                tpps: (0..BATCH).map(|item| FIRST + item % TPPS).collect(),
            };
            books.lock().unwrap().publishes(&batch);
            let body = load::body(&batch);
            let answer = publisher.try_send(Method::POST, "/v1/events", Some(&body));
            let answer = timeout(ANSWERED_WITHIN, answer).await;
            let answer = answer.expect("an answer comes in time").unwrap();
            match answer.status {
                200 => books.lock().unwrap().published(&batch, &answer.json()),
                503 => {
                    assert!(answer.header("retry-after").is_some(), "{answer:?}");
                    assert_eq!(publisher.get("/health/live").await.status, 200);
                    refused += 1;
                    if refused == REFUSED {
                        full_at = Some(Instant::now());
                    }
                    sleep(Duration::from_millis(100)).await;
                }
                _ => panic!("{answer:?}"),
            }
            if full_at.is_some_and(|at| at.elapsed() > outage) {
                break;
            }
            let log = || self.cluster.log();
            assert!(
                full_at.is_some() || began.elapsed() < PATIENCE,
                "never full: {}",
                log()
            );
        }
        self.nodes.assert_alive(&self.crowd.campaign.house);
    }
}

async fn a_full_disk(campaign: &str, stored: Stored) {
    let disk = block_in_place(Disk::mount);
    let cluster = block_in_place(|| Cluster::start_on(&disk, stored));
    let mut story = Story::begin_on(campaign, cluster).await;
    block_in_place(|| disk.fill(LEFT));
    story.until_full().await;
    let said = story.cluster.log();
    assert!(said.contains("No space left on device"), "{said}");
    if stored == Stored::Log {
        assert!(said.contains("PANIC"), "{said}");
    }
    block_in_place(|| {
        disk.relieve();
        story.cluster.recover();
    });
    story.end().await;
}

/// `./test --quick` leaves these out.
mod slow {
    use super::*;

    // D-08, G-06, G-10, I-01, P-03
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_database_whose_disk_is_full_refuses_until_there_is_room() {
        a_full_disk("a database whose disk is full", Stored::Data).await;
    }

    // D-08, G-06, G-10, I-01, P-03
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_database_that_cannot_write_its_log_gives_itself_up_and_loses_nothing() {
        a_full_disk("a database whose log has no room", Stored::Log).await;
    }
}

/// Some hundred events.
const LEFT: u64 = 2 << 20;
const BATCH: usize = 50;
const REFUSED: usize = 5;
