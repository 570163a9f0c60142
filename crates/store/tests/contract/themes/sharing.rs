//! Nodes share the lanes out (D-09).

use std::time::Duration;

use oyez_domain::ids::NodeId;
use oyez_domain::ledger::lanes::{Health, Lease, Reported, Wanted};
use oyez_domain::ledger::sharing::PASSED_OVER;

use super::lanes::{LET_GO, LONG, claims, lease, pushed, reports};
use super::ledger;
use crate::fixture::{Ledger, Tpp};

/// So many TPPs with something to push.
async fn busy(ledger: &Ledger, tpps: usize) -> Vec<Tpp> {
    let mut all = Vec::new();
    for nth in 0..tpps {
        let tpp = pushed(ledger, &format!("tpp-{nth:02}")).await;
        tpp.news().await;
        all.push(tpp);
    }
    all
}

/// How many lanes a node claims, its share or less.
async fn claims_share(ledger: &Ledger, lease: &Lease) -> usize {
    let asked = ledger.claim_lanes(lease.clone(), Wanted::Share, 100, ledger.now());
    asked.await.unwrap().len()
}

/// How many lanes too many it has.
async fn surplus(ledger: &Ledger, lease: &Lease) -> u64 {
    let renewed = ledger.hold_lease(lease.node_id.clone(), Some(lease.epoch), LONG);
    renewed.await.unwrap().unwrap().surplus
}

// D-09
#[tokio::test]
async fn each_of_the_nodes_that_live_claims_its_share() {
    let ledger = ledger().await;
    let (one, two) = (lease(&ledger, "one").await, lease(&ledger, "two").await);
    let gone = lease(&ledger, "zero").await;
    ledger.release_lease(gone).await.unwrap();
    busy(&ledger, 5).await;
    assert_eq!(claims_share(&ledger, &one).await, 3);
    assert_eq!(claims_share(&ledger, &one).await, 0);
    assert_eq!(claims_share(&ledger, &two).await, 2);
    assert_eq!(
        (surplus(&ledger, &one).await, surplus(&ledger, &two).await),
        (0, 0)
    );
}

// D-09
#[tokio::test]
async fn a_node_alone_claims_everything_and_hears_of_its_surplus_when_another_joins() {
    let ledger = ledger().await;
    let one = lease(&ledger, "one").await;
    let tpps = busy(&ledger, 10).await;
    assert_eq!(claims_share(&ledger, &one).await, 10);
    assert_eq!(surplus(&ledger, &one).await, 0);
    let two = lease(&ledger, "two").await;
    let three = lease(&ledger, "three").await;
    assert_eq!(surplus(&ledger, &one).await, 6);
    for tpp in &tpps[..6] {
        let reported = reports(&one, tpp, Health::Responsive, LET_GO).await;
        assert_eq!(reported, Reported::Written);
        tpp.news().await;
    }
    assert_eq!(surplus(&ledger, &one).await, 0);
    assert_eq!(claims_share(&ledger, &one).await, 0, "they are others' now");
    assert_eq!(claims_share(&ledger, &two).await, 3);
    assert_eq!(claims_share(&ledger, &three).await, 3);
}

// D-05, D-09
#[tokio::test]
async fn what_another_leaves_lying_is_anybodys_after_a_while() {
    let ledger = ledger().await;
    let one = lease(&ledger, "one").await;
    let node_id = NodeId::new("two").unwrap();
    ledger
        .hold_lease(node_id, None, LONG)
        .await
        .unwrap()
        .unwrap();
    busy(&ledger, 4).await;
    assert_eq!(claims_share(&ledger, &one).await, 2);
    ledger.pass(PASSED_OVER - Duration::from_millis(1));
    assert_eq!(claims_share(&ledger, &one).await, 0);
    ledger.pass(Duration::from_millis(1));
    assert_eq!(claims_share(&ledger, &one).await, 2);
    assert_eq!(claims(&ledger, &one).await, Vec::<String>::new());
}
