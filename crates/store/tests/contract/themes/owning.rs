//! Who may choose for a TPP, what takes a lane away, and what operators see of lanes (D-05, D-06, I-04).

use std::time::Duration;

use oyez_domain::ids::NodeId;
use oyez_domain::ledger::lanes::{
    Health, HealthState, Hold, LaneFilter, LaneStatus, LaneTotals, Lease, Reason, Reported,
};
use oyez_domain::ledger::push::Verdict;
use oyez_domain::ledger::registering::Kind;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{DeliveryOrder, Overrides, Standing};

use super::lanes::{LET_GO, LONG, claims, failing, health, lease, pushed, reports, reports_by};
use super::ledger;
use crate::fixture::{Ledger, Tpp, ask, operator};
use oyez_testkit::claims::newest_claim;
use oyez_testkit::making::{callback, everything, profile, pushed_to};

/// A TPP with one event, and a node that owns its lane.
async fn owned(ledger: &Ledger) -> (Tpp, Lease) {
    let acme = pushed(ledger, "acme").await;
    acme.news().await;
    let one = lease(ledger, "one").await;
    assert_eq!(claims(ledger, &one).await, ["acme"]);
    (acme, one)
}

async fn change(tpp: &Tpp, overrides: Overrides) {
    let now = tpp.ledger.now();
    let changed = tpp
        .ledger
        .change_tpp(operator(), tpp.id.clone(), profile(overrides), now);
    assert!(changed.await.unwrap().is_some());
}

async fn statuses(ledger: &Ledger, state: Option<HealthState>) -> Vec<LaneStatus> {
    let page = ledger.list_lanes(LaneFilter { state }, None, 100).await;
    page.unwrap().rows
}

fn given_up(now: Timestamp, next_probe_at: Option<Timestamp>) -> Health {
    Health::Unresponsive {
        since: now,
        declared_at: now,
        failures: 9,
        next_probe_at,
        reason: Reason::new("connect: refused"),
    }
}

// D-05
#[tokio::test]
async fn who_does_not_own_the_lane_is_told_so_and_nothing_is_chosen() {
    let ledger = ledger().await;
    let (acme, one) = owned(&ledger).await;
    let two = lease(&ledger, "two").await;
    assert_eq!(acme.looks_as(&two, 9).await, None);
    let unknown = oyez_testkit::making::client("nobody");
    let look = crate::fixture::look();
    let claim = newest_claim(&*ledger, &one, &acme.id).await;
    let due = ledger.due_for_push(claim, unknown, look, ledger.now());
    assert_eq!(due.await.unwrap(), None);
    let older = Lease {
        epoch: one.epoch - 1,
        ..one.clone()
    };
    assert_eq!(acme.looks_as(&older, 9).await, None);
    assert_eq!(acme.looks_as(&one, 9).await.unwrap().work.len(), 1);
}

// D-05
#[tokio::test]
async fn a_lease_that_is_over_chooses_nothing() {
    let ledger = ledger().await;
    let (acme, one) = owned(&ledger).await;
    let node_id = NodeId::new("one").unwrap();
    let over = ledger.hold_lease(node_id, Some(one.epoch), Duration::ZERO);
    over.await.unwrap().unwrap();
    assert_eq!(acme.looks_as(&one, 9).await, None);
    let two = lease(&ledger, "two").await;
    assert_eq!(claims(&ledger, &two).await, ["acme"]);
    assert_eq!(acme.looks_as(&two, 9).await.unwrap().work.len(), 1);
}

// D-05, D-06, S-12, A-09, I-04
#[tokio::test]
async fn whatever_an_owner_may_have_read_takes_the_lane_away_when_it_changes() {
    for nth in 0..8 {
        let ledger = ledger().await;
        let (acme, one) = owned(&ledger).await;
        ledger.pass(Duration::from_secs(1));
        let now = ledger.now();
        match nth {
            0 => drop(acme.replaces(pushed_to("new.example", everything())).await),
            1 => drop(acme.replaces(pushed_to("acme.example", everything())).await),
            2 => drop(acme.registers_callback(callback("acme.example")).await),
            3 => {
                let strict = Some(DeliveryOrder::Strict);
                let overrides = Overrides {
                    delivery_order: strict,
                    ..Overrides::default()
                };
                change(&acme, overrides).await;
            }
            4 => {
                let at_once = Overrides {
                    redelivery_delay: Some(Duration::from_secs(7)),
                    ..Overrides::default()
                };
                change(&acme, at_once).await;
            }
            5 => acme.is_disabled().await,
            6 => {
                let paused = ledger.pause_endpoint(operator(), acme.id.clone(), now);
                assert!(paused.await.unwrap());
            }
            _ => {
                reports(&one, &acme, failing(now), Hold::Keep).await;
                let resumed = ledger.resume_endpoint(operator(), acme.id.clone(), now);
                assert!(resumed.await.unwrap());
            }
        }
        assert_eq!(acme.looks_as(&one, 9).await, None, "{nth}");
        let late = reports(&one, &acme, failing(now), LET_GO).await;
        assert_eq!(late, Reported::NotOwner, "{nth}");
        let is_paused = nth == 6;
        assert_eq!(claims(&ledger, &one).await.len(), usize::from(!is_paused));
        let due = acme.looks_as(&one, 9).await;
        assert_eq!(due.is_some(), !is_paused, "{nth}");
    }
}

// D-05, D-06
#[tokio::test]
async fn what_is_left_of_a_former_claim_is_refused_though_the_same_node_has_the_lane_again() {
    for hold in [Hold::Keep, LET_GO] {
        let ledger = ledger().await;
        let (acme, one) = owned(&ledger).await;
        let former = newest_claim(&*ledger, &one, &acme.id).await;
        acme.replaces(pushed_to("new.example", everything())).await;
        assert_eq!(claims(&ledger, &one).await, ["acme"]);
        let newest = newest_claim(&*ledger, &one, &acme.id).await;
        assert_eq!(former.lease, newest.lease);
        assert!(newest.number > former.number);
        assert_eq!(acme.looks_by(former.clone(), 9).await, None);
        let sick = || failing(ledger.now());
        let late = reports_by(former, &acme, sick(), hold).await;
        assert_eq!(late, Reported::NotOwner);
        assert_eq!(health(&acme).await, Some(Health::Responsive));
        let told = reports_by(newest.clone(), &acme, sick(), Hold::Keep).await;
        assert_eq!(told, Reported::Written);
        assert_eq!(health(&acme).await, Some(sick()));
        assert_eq!(acme.looks_by(newest, 9).await.unwrap().work.len(), 1);
    }
}

// D-05, S-05
#[tokio::test]
async fn an_owner_finds_out_that_the_address_is_gone() {
    let ledger = ledger().await;
    let (acme, one) = owned(&ledger).await;
    acme.deletes(Kind::Subscription).await;
    assert_eq!(acme.looks_as(&one, 9).await, None);
    claims(&ledger, &one).await;
    let due = acme.looks_as(&one, 9).await.unwrap();
    assert_eq!(
        (due.callback_url, due.work, due.next_at),
        (None, vec![], None)
    );
}

// D-05
#[tokio::test]
async fn a_change_that_changes_nothing_leaves_the_lane_where_it_is() {
    let ledger = ledger().await;
    let (acme, one) = owned(&ledger).await;
    change(&acme, Overrides::default()).await;
    acme.stands(Standing::Active).await;
    let now = ledger.now();
    let resumed = ledger.resume_endpoint(operator(), acme.id.clone(), now);
    assert!(resumed.await.unwrap());
    assert!(acme.looks_as(&one, 9).await.is_some());
}

// D-06
#[tokio::test]
async fn a_held_back_lane_that_had_nothing_to_push_is_woken_at_its_probe_by_news() {
    for is_owned in [false, true] {
        for is_given_up in [false, true] {
            let ledger = ledger().await;
            let (acme, one) = owned(&ledger).await;
            let jti = acme.is_pushed_by(&one).await[0];
            acme.answers(jti, Verdict::Acknowledged).await;
            reports(&one, &acme, Health::Responsive, LET_GO).await;
            claims(&ledger, &one).await;
            let held_back = if is_given_up {
                given_up(ledger.now(), Some(ledger.now() + LONG))
            } else {
                failing(ledger.now())
            };
            acme.news().await;
            claims(&ledger, &one).await;
            let taken = acme.receives(ask()).await;
            acme.polls(ask().max(0).ack(&taken)).await;
            if is_owned {
                acme.news().await;
            }
            reports(&one, &acme, held_back, LET_GO).await;
            if !is_owned {
                ledger.pass(LONG);
                assert_eq!(claims(&ledger, &one).await, Vec::<String>::new());
                acme.news().await;
            } else {
                assert_eq!(claims(&ledger, &one).await, Vec::<String>::new());
                ledger.pass(LONG);
            }
            assert_eq!(claims(&ledger, &one).await, ["acme"]);
        }
    }
}

// D-06
#[tokio::test]
async fn without_a_slow_probe_news_wakes_no_endpoint_that_was_given_up() {
    let ledger = ledger().await;
    let (acme, one) = owned(&ledger).await;
    acme.news().await;
    reports(&one, &acme, given_up(ledger.now(), None), LET_GO).await;
    acme.news().await;
    ledger.pass(LONG * 1_000);
    assert_eq!(claims(&ledger, &one).await, Vec::<String>::new());
}

// D-06
#[tokio::test]
async fn a_health_is_kept_with_its_reason_and_the_reason_is_bounded() {
    let ledger = ledger().await;
    let (acme, one) = owned(&ledger).await;
    let long = "é".repeat(10_000);
    let told = Health::Failing {
        since: ledger.now(),
        failures: 2,
        next_probe_at: ledger.now() + LONG,
        reason: Reason::new(&long),
    };
    reports(&one, &acme, told.clone(), Hold::Keep).await;
    let Some(Health::Failing { reason, .. }) = health(&acme).await else {
        panic!("it fails");
    };
    assert_eq!(reason.as_str(), "é".repeat(Reason::CHARS_MAX));
    reports(&one, &acme, Health::Responsive, Hold::Keep).await;
    assert_eq!(health(&acme).await, Some(Health::Responsive));
}

// D-06, I-04
#[tokio::test]
async fn lanes_are_listed_by_client_with_what_is_known_of_each() {
    let ledger = ledger().await;
    let began_at = ledger.now();
    let mut tpps = Vec::new();
    for name in ["acme", "bolt", "cord"] {
        tpps.push(pushed(&ledger, name).await);
    }
    ledger.tpp("dune").await;
    let (acme, bolt, cord) = (&tpps[0], &tpps[1], &tpps[2]);
    acme.much_news(3).await;
    bolt.news().await;
    let one = lease(&ledger, "one").await;
    claims(&ledger, &one).await;
    acme.polls(ask().max(0).ack(&acme.is_pushed_by(&one).await[..1]))
        .await;
    let sick = failing(ledger.now());
    let wake_at = Some(ledger.now() + LONG);
    reports(&one, bolt, sick.clone(), Hold::LetGo { wake_at }).await;
    let now = ledger.now();
    let paused = ledger.pause_endpoint(operator(), cord.id.clone(), now);
    assert!(paused.await.unwrap());
    let status = |tpp: &Tpp, health, wake_at, owner, outstanding| LaneStatus {
        client_id: tpp.id.clone(),
        health,
        wake_at,
        owner,
        outstanding,
    };
    let owner = Some(one.node_id.clone());
    let expected = [
        status(acme, Health::Responsive, Some(now), owner, 2),
        status(bolt, sick, wake_at, None, 1),
        status(cord, Health::Paused { since: now }, None, None, 0),
    ];
    assert_eq!(statuses(&ledger, None).await, expected);
    for (state, nth) in [
        (HealthState::Responsive, 0),
        (HealthState::Failing, 1),
        (HealthState::Paused, 2),
    ] {
        assert_eq!(
            statuses(&ledger, Some(state)).await,
            [expected[nth].clone()]
        );
    }
    assert_eq!(statuses(&ledger, Some(HealthState::Unresponsive)).await, []);
    let first = ledger
        .list_lanes(LaneFilter::default(), None, 2)
        .await
        .unwrap();
    assert_eq!(
        (&first.rows[..], &first.next),
        (&expected[..2], &Some(bolt.id.clone()))
    );
    let rest = ledger
        .list_lanes(LaneFilter::default(), first.next, 2)
        .await
        .unwrap();
    assert_eq!((&rest.rows[..], rest.next), (&expected[2..], None));
    let totals = LaneTotals {
        responsive: 1,
        failing: 1,
        unresponsive: 0,
        paused: 1,
        outstanding: 3,
        oldest_accepted_at: Some(began_at),
    };
    assert_eq!(ledger.lane_totals().await.unwrap(), totals);
}

// D-05
#[tokio::test]
async fn an_owner_whose_lease_is_over_is_not_listed() {
    let ledger = ledger().await;
    let (_, one) = owned(&ledger).await;
    assert_eq!(
        statuses(&ledger, None).await[0].owner,
        Some(one.node_id.clone())
    );
    ledger.release_lease(one).await.unwrap();
    assert_eq!(statuses(&ledger, None).await[0].owner, None);
}
