//! What pushing has learned is there again when the file is opened anew (D-05, D-06, D-07).

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ids::{NodeId, RegistrationId};
use oyez_domain::ledger::lanes::{Claim, Health, Hold, LaneReport, Reason, Reported, Wanted};
use oyez_domain::ledger::push::{Answer, Attempt, Choice, DueForPush, Ended, Peer, Verdict};
use oyez_domain::ledger::registering::{Kind, Target, Wish};
use oyez_domain::ledger::sets::Look;
use oyez_domain::rules::Rules;
use oyez_domain::time::Timestamp;
use oyez_domain::version::ApiVersion;
use oyez_testkit::making::{everything, pushed_to};

use super::{Home, accept, at, jti, open, tpp};
use crate::Store;
use crate::sqlite::{Ledger, Options};

/// A node joins, claims the TPP's lane and chooses.
async fn chooses(ledger: &Ledger, now: Timestamp) -> (Claim, Health, DueForPush) {
    let node_id = NodeId::new("one").unwrap();
    let lease = ledger.hold_lease(node_id, None, Duration::from_secs(60));
    let lease = lease.await.unwrap().unwrap();
    let claimed = ledger.claim_lanes(lease.clone(), Wanted::Due, 9, now);
    let lane = claimed.await.unwrap().remove(0);
    let claim = Claim {
        lease,
        number: lane.claim,
    };
    let look = Look {
        events_max: 9,
        in_flight_for: Duration::from_secs(10),
    };
    let due = ledger.due_for_push(claim.clone(), tpp(), look, now).await;
    (claim, lane.health, due.unwrap().unwrap())
}

/// Puts the TPP's subscription with an address.
async fn is_pushed_to(ledger: &Ledger) {
    let registrations = ledger.registrations(tpp()).await.unwrap();
    let target = Target {
        kind: Kind::Subscription,
        id: RegistrationId::new(registrations.subscription.unwrap().id.as_str()).unwrap(),
        api: ApiVersion::V4_0,
    };
    let wish = Wish::Subscription(pushed_to("acme.example", everything()));
    let replaced = ledger.replace_registration(tpp(), target, wish, at(0));
    replaced.await.unwrap().unwrap();
}

fn failed(n: u64, verdict: Verdict, due: &DueForPush) -> Ended {
    let attempt = Attempt {
        jti: jti(n),
        started_at: at(1),
        latency: Duration::from_millis(1),
        interaction_id: super::interaction("a-push"),
        peer: Peer::default(),
        answer: Answer::Error {
            class: "timeout".to_owned(),
            detail: String::new(),
        },
        verdict,
    };
    Ended {
        in_flight_until: due.in_flight_until,
        attempt,
    }
}

// D-05, D-06, D-07
#[tokio::test]
async fn counters_health_and_what_was_in_flight_outlive_the_process() {
    let home = Home::new(Options::default());
    super::subscribe(&home.ledger, &tpp()).await;
    is_pushed_to(&home.ledger).await;
    accept(&home.ledger, &tpp(), 0..3).await;
    let (claim, _, due) = chooses(&home.ledger, at(1)).await;
    assert_eq!(due.work.len(), 3);
    let in_flight_until = due.in_flight_until;
    let again_at = Some(at(2));
    let attempts = vec![
        failed(0, Verdict::Refused { again_at }, &due),
        failed(1, Verdict::EndpointFailed, &due),
    ];
    let recorded = home.ledger.record_attempts(tpp(), attempts, at(2));
    recorded.await.unwrap();
    let failing = Health::Failing {
        since: at(2),
        failures: 1,
        next_probe_at: at(3),
        reason: Reason::new("timeout: no head within 10 s"),
    };
    let report = LaneReport {
        client_id: tpp(),
        claim: claim.number,
        health: failing.clone(),
        hold: Hold::Keep,
    };
    let reported = home
        .ledger
        .report_lanes(claim.lease, vec![report], at(3))
        .await;
    assert_eq!(reported.unwrap(), [Reported::Written]);
    home.ledger.close().await.unwrap();
    drop(home.ledger);

    let ledger = open(&home.directory.path().join("ledger.db"), Options::default());
    let (_, health, due) = chooses(&ledger, at(3)).await;
    assert_eq!(health, failing);
    let counters: Vec<_> = due
        .work
        .iter()
        .map(|work| {
            (
                work.jti,
                work.refusals,
                work.refused_since,
                work.endpoint_failures,
            )
        })
        .collect();
    let expected = [(jti(1), 0, None, 1), (jti(0), 1, Some(at(2)), 0)];
    assert_eq!(counters, expected);
    let untried = Choice {
        jti: jti(2),
        in_flight_until,
    };
    let untried = ledger.put_back(tpp(), vec![untried], at(3)).await;
    assert_eq!(
        untried.unwrap(),
        1,
        "it was in flight when the process ended"
    );
}

// D-08, G-13
#[tokio::test]
async fn what_was_accepted_while_pushing_was_off_is_claimed_by_who_asks_for_all() {
    let home = Home::new(Options::default());
    super::subscribe(&home.ledger, &tpp()).await;
    is_pushed_to(&home.ledger).await;
    home.ledger.close().await.unwrap();
    drop(home.ledger);
    let path = home.directory.path().join("ledger.db");

    let mut off = Rules::default();
    off.switches.push = false;
    let ledger = Ledger::open(&path, Options::default(), Arc::new(off)).unwrap();
    accept(&ledger, &tpp(), 0..3).await;
    ledger.close().await.unwrap();
    drop(ledger);

    let ledger = open(&path, Options::default());
    let node_id = NodeId::new("one").unwrap();
    let lease = ledger.hold_lease(node_id, None, Duration::from_secs(60));
    let lease = lease.await.unwrap().unwrap();
    let claims = async |wanted| {
        let claimed = ledger.claim_lanes(lease.clone(), wanted, 9, at(1)).await;
        claimed.unwrap().len()
    };
    assert_eq!(claims(Wanted::Due).await, 0);
    assert_eq!(claims(Wanted::All).await, 1);
    let (_, _, due) = chooses(&ledger, at(1)).await;
    let chosen: Vec<_> = due.work.iter().map(|work| work.jti).collect();
    assert_eq!(chosen, [jti(0), jti(1), jti(2)]);
}
