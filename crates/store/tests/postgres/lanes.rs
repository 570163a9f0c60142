//! Nodes and lanes where several processes have them: epochs that never come again, sleepers that are woken without waiting, who
//! answers TPPs (D-05, D-09, G-09).

use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::ids::{ClientId, NodeId};
use oyez_domain::ledger::history::Retention;
use oyez_domain::ledger::lanes::{Health, Hold, LaneReport, Lease, Reason, Reported, Wanted};
use oyez_store::Store;
use oyez_store::postgres::{Ledger, Options};
use oyez_testkit::claims::newest_claim;
use oyez_testkit::making::{DAWN, Jtis};
use oyez_testkit::postgres::Database;
use tokio::time::timeout;

use super::{accept, node, pushed};

fn name(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

async fn lease(ledger: &Ledger, node_id: &str) -> Lease {
    let lease = ledger.hold_lease(name(node_id), None, LONG).await;
    lease.unwrap().unwrap()
}

// D-05
#[tokio::test]
async fn a_node_that_was_forgotten_comes_back_with_an_epoch_that_it_never_had() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let acme = pushed(&ledger, "acme").await;
    accept(&ledger, &acme, &Jtis::from(1)).await.unwrap();
    let long_ago = lease(&ledger, "one").await;
    let claimed = ledger.claim_lanes(long_ago.clone(), Wanted::Due, 9, DAWN);
    assert_eq!(claimed.await.unwrap().len(), 1);
    let claim = newest_claim(&ledger, &long_ago, &acme).await;
    database.run("UPDATE nodes SET expires_at = 1").await;
    ledger.sweep(KEPT, DAWN).await.unwrap();
    assert_eq!(database.number("SELECT count(*) FROM nodes").await, 0);
    let again = lease(&ledger, "one").await;
    assert!(again.epoch > long_ago.epoch, "{again:?}");
    let late = LaneReport {
        client_id: acme,
        claim: claim.number,
        health: Health::Responsive,
        hold: Hold::LetGo { wake_at: None },
    };
    let reported = ledger.report_lanes(long_ago, vec![late], DAWN).await;
    assert_eq!(reported.unwrap(), [Reported::NotOwner]);
}

/// A TPP whose endpoint was given up without a probe: nothing wakes its lane.
async fn sleeper(ledger: &Ledger, of: &str, lease: &Lease, jtis: &Jtis) -> ClientId {
    let tpp = pushed(ledger, of).await;
    accept(ledger, &tpp, jtis).await.unwrap();
    let claimed = ledger.claim_lanes(lease.clone(), Wanted::Due, 9, DAWN);
    assert_eq!(claimed.await.unwrap().len(), 1);
    let report = LaneReport {
        client_id: tpp.clone(),
        claim: newest_claim(ledger, lease, &tpp).await.number,
        health: Health::Unresponsive {
            since: DAWN,
            declared_at: DAWN,
            failures: 9,
            next_probe_at: None,
            reason: Reason::new("connect: refused"),
        },
        hold: Hold::LetGo { wake_at: None },
    };
    let reported = ledger.report_lanes(lease.clone(), vec![report], DAWN).await;
    assert_eq!(reported.unwrap(), [Reported::Written]);
    tpp
}

// D-05, D-09
#[tokio::test]
async fn waking_every_lane_waits_for_none_that_somebody_has() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let (one, jtis) = (lease(&ledger, "one").await, Jtis::from(1));
    for tpp in ["acme", "bolt", "cord"] {
        sleeper(&ledger, tpp, &one, &jtis).await;
    }
    let held =
        "SELECT 1 FROM lanes JOIN tpps USING (tpp) WHERE client_id = 'bolt' FOR UPDATE OF lanes";
    let holding = database.hold(held).await;
    let asked = ledger.claim_lanes(one.clone(), Wanted::All, 9, DAWN);
    let claimed = timeout(AT_ONCE, asked).await.expect("nobody is waited for");
    let names = |lanes: Vec<oyez_domain::ledger::lanes::Lane>| -> Vec<String> {
        lanes
            .into_iter()
            .map(|lane| lane.client_id.to_string())
            .collect()
    };
    assert_eq!(names(claimed.unwrap()), ["acme", "cord"]);
    drop(holding);
    super::until("the third is woken at the next look", async || {
        let asked = ledger.claim_lanes(one.clone(), Wanted::All, 9, DAWN);
        names(asked.await.unwrap()) == ["bolt"]
    })
    .await;
}

// G-09
#[tokio::test]
async fn nodes_that_answer_tpps_are_counted_until_they_leave_or_fall_silent() {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let attend = async |node_id: &str, ttl| ledger.attend(name(node_id), ttl).await.unwrap();
    let nodes = |nodes| NonZeroU32::new(nodes).unwrap();
    assert_eq!(attend("one", LONG).await, nodes(1));
    assert_eq!(attend("two", SHORT).await, nodes(2));
    assert_eq!(attend("three", LONG).await, nodes(3));
    lease(&ledger, "pushes").await;
    assert_eq!(
        attend("one", LONG).await,
        nodes(3),
        "who only pushes is not counted"
    );
    attend("three", Duration::ZERO).await;
    super::until("the second falls silent", async || {
        attend("one", LONG).await == nodes(1)
    })
    .await;
}

const LONG: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_secs(1);
/// Less than a lock is waited for.
const AT_ONCE: Duration = Duration::from_secs(4);
const KEPT: Retention = Retention {
    settled_for: LONG,
    keys_for: LONG,
    minutes_for: LONG,
    batch_max: 100,
};
