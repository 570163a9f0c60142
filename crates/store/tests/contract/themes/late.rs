//! What comes late or twice: it names the choice that it ends, and ends no other (D-05, D-08, D-14, P-14).

use std::time::Duration;

use oyez_domain::ledger::push::{Ended, Recorded, Verdict};
use oyez_domain::ledger::sets::Kept;
use oyez_domain::life::State;

use super::lanes::{claims, lease, pushed};
use super::ledger;
use crate::fixture::{BY_PUSH, Tpp, ask, attempt};
use oyez_testkit::claims::newest_claim;
use oyez_testkit::making::{everything, interaction, pushed_to};

const IN_FLIGHT: Duration = Duration::from_secs(10);
const FAILED: Verdict = Verdict::EndpointFailed;
const REFUSED: Verdict = Verdict::Refused { again_at: None };

/// An attempt by the last choice of the one event that this TPP has, to be recorded now or later.
fn ended(tpp: &Tpp, jti: oyez_domain::ids::Jti, verdict: Verdict, nth: u32) -> Ended {
    let mut attempt = attempt(jti, verdict, tpp.ledger.now());
    attempt.interaction_id = interaction(&format!("attempt-{nth}"));
    tpp.ledger.ended(attempt)
}

// D-08, D-14
#[tokio::test]
async fn an_attempt_whose_answer_was_lost_is_charged_and_written_once() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.is_pushed().await;
    let failed = ended(&acme, jti, FAILED, 1);
    assert_eq!(acme.records(failed.clone()).await, Recorded::Applied);
    assert_eq!(acme.records(failed.clone()).await, Recorded::Repeated);
    ledger.pass(Duration::from_millis(1));
    let work = acme.looks(9).await.unwrap().work.remove(0);
    assert_eq!(work.endpoint_failures, 1);
    assert_eq!(
        acme.records(failed).await,
        Recorded::Repeated,
        "in flight again"
    );
    let acknowledged = ended(&acme, jti, Verdict::Acknowledged, 2);
    assert_eq!(acme.records(acknowledged.clone()).await, Recorded::Applied);
    assert_eq!(acme.records(acknowledged).await, Recorded::Repeated);
    let file = acme.file(jti).await;
    assert_eq!((file.attempts.len(), file.settlements.len()), (2, 1));
    let counts = acme.counts().await;
    assert_eq!((counts.acknowledged, counts.outstanding), (1, 0));
}

// D-05, P-14
#[tokio::test]
async fn a_former_owners_word_ends_no_later_flight() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.is_pushed().await;
    let (failed, refused) = (ended(&acme, jti, FAILED, 1), ended(&acme, jti, REFUSED, 2));
    let not_tried = ledger.choice(jti);
    ledger.pass(IN_FLIGHT);
    assert_eq!(acme.is_pushed().await, [jti], "its hold ran out");
    assert_eq!(acme.puts_choices_back(vec![not_tried]).await, 0);
    for late in [failed, refused] {
        assert_eq!(acme.records(late).await, Recorded::Late);
    }
    assert_eq!(acme.receives(ask().waiting()).await, [], "in flight still");
    assert_eq!(acme.file(jti).await.attempts.len(), 2, "told all the same");
    ledger.pass(IN_FLIGHT);
    let work = acme.looks(9).await.unwrap().work.remove(0);
    assert_eq!((work.refusals, work.endpoint_failures), (0, 0));
}

// D-08, P-11, P-14
#[tokio::test]
async fn a_late_acknowledgement_counts_whoever_has_the_event_now() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.is_pushed().await;
    let acknowledged = ended(&acme, jti, Verdict::Acknowledged, 1);
    ledger.pass(IN_FLIGHT);
    acme.is_pushed().await;
    let failed = ended(&acme, jti, FAILED, 2);
    assert_eq!(acme.records(acknowledged).await, Recorded::Applied);
    assert_eq!(acme.outcome(jti).await, BY_PUSH);
    assert_eq!(acme.puts_back(&[jti]).await, 0);
    assert!(matches!(
        acme.records(failed).await,
        Recorded::AlreadySettled(_)
    ));
}

// P-14
#[tokio::test]
async fn what_was_put_back_is_charged_for_no_attempt_of_that_choice() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.is_pushed().await;
    let failed = ended(&acme, jti, FAILED, 1);
    assert_eq!(acme.puts_back(&[jti]).await, 1);
    assert_eq!(acme.records(failed).await, Recorded::Late);
    assert_eq!(acme.file(jti).await.summary.state, State::Outstanding);
    let work = acme.looks(9).await.unwrap().work.remove(0);
    assert_eq!(work.endpoint_failures, 0);
}

// D-05, P-14
#[tokio::test]
async fn who_lost_its_lane_is_told_so_when_it_checks_again() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    let (one, two) = (lease(&ledger, "one").await, lease(&ledger, "two").await);
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
    assert_eq!(acme.is_pushed_by(&one).await, [jti]);
    let recheck = async |claim| {
        let kept = ledger.recheck(claim, acme.id.clone(), vec![jti]).await;
        kept.unwrap()
    };
    let by = async |lease| newest_claim(&*ledger, lease, &acme.id).await;
    let first = by(&one).await;
    let send = Some(vec![Kept::Send(acme.file(jti).await.sets.remove(0).set)]);
    assert_eq!(recheck(Some(first.clone())).await, send);
    assert_eq!(recheck(Some(by(&two).await)).await, None, "it never had it");
    acme.replaces(pushed_to("acme.example", everything())).await;
    assert_eq!(recheck(Some(first.clone())).await, None, "a PUT freed it");
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
    assert_eq!(recheck(Some(first)).await, None, "it was another claim");
    assert_eq!(recheck(Some(by(&one).await)).await, send);
    assert_eq!(recheck(None).await, send, "polls have no lane");
}
