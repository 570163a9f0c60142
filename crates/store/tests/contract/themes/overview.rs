//! What a page about one TPP shows: its last requests, how its endpoint fared, and what waits how long (I-03, W-04).

use std::time::Duration;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::{Health, HealthState, Hold, LaneReport, Reason};
use oyez_domain::ledger::overview::{Backlog, Request};
use oyez_domain::ledger::push::Verdict;
use oyez_testkit::claims::newest_claim;
use oyez_testkit::making::{client, everything, interaction, pushed_to};

use super::ledger;
use crate::fixture::{Ledger, Tpp, operator};

fn request(ledger: &Ledger, of: &ClientId, number: usize) -> Request {
    Request {
        client_id: of.clone(),
        at: ledger.now(),
        interaction_id: interaction(&format!("request-{number:04}")),
        operation: "poll_events".to_owned(),
        status: 403,
        error_code: Some("UK.OBIE.Resource.NotFound".to_owned()),
        took: Duration::from_millis(12),
    }
}

async fn fares(acme: &Tpp, health: Health) {
    let ledger = &acme.ledger;
    let lease = ledger.lease().await;
    let report = LaneReport {
        client_id: acme.id.clone(),
        claim: newest_claim(&**ledger, lease, &acme.id).await.number,
        health,
        hold: Hold::Keep,
    };
    let reported = ledger.report_lanes(lease.clone(), vec![report], ledger.now());
    reported.await.unwrap();
    ledger.pass(Duration::from_secs(1));
}

async fn history(acme: &Tpp) -> Vec<(HealthState, u32)> {
    let history = acme.ledger.health_history(acme.id.clone(), 100).await;
    let changes = history.unwrap().into_iter();
    changes.map(|it| (it.state, it.failures)).collect()
}

// W-04, I-03
#[tokio::test]
async fn the_last_requests_of_each_tpp_are_kept_newest_first_and_strangers_are_left_out() {
    let ledger = ledger().await;
    let (acme, bolt) = (ledger.tpp("acme").await, ledger.tpp("bolt").await);
    let mut noted = vec![request(&ledger, &client("nobody"), 0)];
    noted.push(request(&ledger, &bolt.id, 0));
    for number in 0..Request::KEPT_MAX + 20 {
        noted.push(request(&ledger, &acme.id, number));
        if number % 10 == 0 {
            ledger.pass(Duration::from_secs(1));
        }
    }
    ledger.note_requests(noted.clone()).await.unwrap();
    let first = noted[1].clone();
    ledger.note_requests(vec![first.clone()]).await.unwrap();
    let kept = ledger.list_requests(acme.id.clone(), 1_000).await.unwrap();
    let mut newest: Vec<Request> = noted.split_off(22);
    newest.reverse();
    assert_eq!(kept, newest);
    let some = ledger.list_requests(acme.id, 2).await.unwrap();
    assert_eq!(some, newest[..2]);
    let of_bolt = ledger.list_requests(bolt.id, 10).await.unwrap();
    assert_eq!(of_bolt, [first]);
    let strangers = ledger.list_requests(client("nobody"), 10).await.unwrap();
    assert!(strangers.is_empty());
}

// D-06, W-04
#[tokio::test]
async fn each_change_of_an_endpoints_health_is_kept_and_nothing_else() {
    let ledger = ledger().await;
    let wish = pushed_to("acme.example", everything());
    let acme = ledger.subscriber("acme", wish.clone()).await;
    acme.news().await;
    acme.is_pushed().await;
    fares(&acme, Health::Responsive).await;
    assert_eq!(history(&acme).await, []);
    let failing = |failures| Health::Failing {
        since: ledger.now(),
        failures,
        next_probe_at: ledger.now(),
        reason: Reason::new("503"),
    };
    fares(&acme, failing(1)).await;
    fares(&acme, failing(2)).await;
    fares(&acme, Health::Responsive).await;
    fares(&acme, failing(1)).await;
    acme.replaces(wish).await;
    ledger.pass(Duration::from_secs(1));
    let paused = ledger.pause_endpoint(operator(), acme.id.clone(), ledger.now());
    assert!(paused.await.unwrap());
    ledger.pass(Duration::from_secs(1));
    let resumed = ledger.resume_endpoint(operator(), acme.id.clone(), ledger.now());
    assert!(resumed.await.unwrap());
    let expected = [
        (HealthState::Responsive, 0),
        (HealthState::Paused, 0),
        (HealthState::Responsive, 0),
        (HealthState::Failing, 1),
        (HealthState::Responsive, 0),
        (HealthState::Failing, 1),
    ];
    assert_eq!(history(&acme).await, expected);
    let newest = ledger.health_history(acme.id.clone(), 1).await.unwrap();
    assert_eq!((newest[0].at, newest.len()), (ledger.now(), 1));
}

// I-06
#[tokio::test]
async fn what_was_refused_by_whoever_lost_its_lane_is_no_change_of_health() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    acme.news().await;
    acme.is_pushed().await;
    fares(&acme, Health::Responsive).await;
    let lease = ledger.lease().await.clone();
    let report = LaneReport {
        client_id: acme.id.clone(),
        claim: newest_claim(&*ledger, &lease, &acme.id).await.number + 1,
        health: Health::Paused {
            since: ledger.now(),
        },
        hold: Hold::Keep,
    };
    let reported = ledger.report_lanes(lease, vec![report], ledger.now());
    reported.await.unwrap();
    assert_eq!(history(&acme).await, []);
}

// I-03, W-04, D-07
#[tokio::test]
async fn what_waits_is_counted_by_its_age() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let nothing = ledger.backlog(acme.id.clone(), ledger.now()).await;
    assert_eq!(nothing.unwrap(), Backlog::default());
    let first = acme.news().await;
    let accepted_at = ledger.now();
    assert_eq!(acme.is_pushed().await, [first]);
    acme.answers(first, Verdict::Refused { again_at: None })
        .await;
    ledger.pass(Duration::from_secs(7_200));
    acme.much_news(2).await;
    ledger.pass(Duration::from_secs(1));
    let backlog = ledger.backlog(acme.id.clone(), ledger.now()).await;
    let expected = Backlog {
        oldest_at: Some(accepted_at),
        by_age: [2, 0, 1, 0, 0],
        uncounted: 0,
        poll_only: 1,
    };
    assert_eq!(backlog.unwrap(), expected);
    let nobody = ledger.backlog(client("nobody"), ledger.now()).await;
    assert_eq!(nobody.unwrap(), Backlog::default());
}
