//! The deployment's order of delivery, and a TPP's own (D-10).

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ledger::lanes::{Hold, LaneReport, Wanted};
use oyez_domain::ledger::push::Verdict;
use oyez_domain::rules::{Rules, Switches};
use oyez_domain::tpp::{DeliveryOrder, Overrides};
use oyez_testkit::making::{everything, pushed_to};

use super::by;
use crate::fixture::{Ledger, Tpp};

async fn strict() -> Ledger {
    let switches = Switches {
        order: DeliveryOrder::Strict,
        ..Switches::default()
    };
    by(Arc::new(Rules {
        switches,
        ..Rules::default()
    }))
    .await
}

/// A TPP that is pushed to in this order, or in the deployment's.
pub(super) async fn pushed(
    ledger: &Ledger,
    delivery_order: impl Into<Option<DeliveryOrder>>,
) -> Tpp {
    let overrides = Overrides {
        delivery_order: delivery_order.into(),
        ..Overrides::default()
    };
    let acme = ledger.tpp_with("acme", overrides).await;
    acme.subscribes(pushed_to("acme.example", everything()))
        .await
        .unwrap();
    acme
}

// D-10
#[tokio::test]
async fn where_the_deployment_is_strict_every_tpp_is_but_those_that_say_otherwise() {
    for own in [
        None,
        Some(DeliveryOrder::Strict),
        Some(DeliveryOrder::Concurrent),
    ] {
        let ledger = strict().await;
        let acme = pushed(&ledger, own).await;
        let news = acme.much_news(2).await;
        if own == Some(DeliveryOrder::Concurrent) {
            assert_eq!(acme.is_pushed().await, news);
            continue;
        }
        assert_eq!(acme.is_pushed().await, news[..1]);
        assert_eq!(acme.is_pushed().await, []);
        acme.answers(news[0], Verdict::Acknowledged).await;
        assert_eq!(acme.is_pushed().await, news[1..]);
    }
}

// D-10
#[tokio::test]
async fn where_the_deployment_is_strict_an_end_wakes_the_lane_for_the_next() {
    let ledger = strict().await;
    let acme = pushed(&ledger, None).await;
    let news = acme.much_news(2).await;
    assert_eq!(acme.is_pushed().await, news[..1]);
    let lease = ledger.lease().await.clone();
    let lane = ledger.find_lane(acme.id.clone()).await.unwrap().unwrap();
    let report = LaneReport {
        client_id: lane.client_id,
        claim: lane.claim,
        health: lane.health,
        hold: Hold::LetGo { wake_at: None },
    };
    ledger
        .report_lanes(lease.clone(), vec![report], ledger.now())
        .await
        .unwrap();
    acme.answers(news[0], Verdict::Acknowledged).await;
    let now = ledger.pass(Duration::from_secs(1));
    let claimed = ledger.claim_lanes(lease, Wanted::Due, 9, now).await;
    assert_eq!(claimed.unwrap().len(), 1);
    assert_eq!(acme.is_pushed().await, news[1..]);
}
