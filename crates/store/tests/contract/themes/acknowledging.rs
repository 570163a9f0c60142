//! What a TPP says of events: acknowledgements, errors, and the two caps (P-04, P-05, P-12, T-01).

use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::life::{Acknowledged, Outcome};

use super::ledger;
use crate::fixture::{BY_POLL, ask};
use oyez_testkit::making::{everything, interaction};

const FAILED: Option<Outcome> = Some(Outcome::Failed);
const DUPLICATE: Option<Outcome> = Some(Outcome::Acknowledged(Acknowledged::Duplicate));
const ASSUMED: Option<Outcome> = Some(Outcome::Acknowledged(Acknowledged::Assumed));

// P-03, P-11
#[tokio::test]
async fn an_acknowledgement_settles_by_the_tpp_at_that_moment() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    acme.receives(ask()).await;
    let later = ledger.pass(Duration::from_secs(3));
    assert_eq!(acme.polls(ask().ack(&[jti])).await.settled, [jti]);
    let settlements = acme.file(jti).await.settlements;
    assert_eq!(settlements.len(), 1);
    assert_eq!(Some(settlements[0].outcome), BY_POLL);
    assert_eq!(
        (&settlements[0].actor, settlements[0].at),
        (&Actor::Tpp(acme.id.clone()), later)
    );
}

// P-04, A-07
#[tokio::test]
async fn acks_of_unknown_settled_and_foreign_events_have_no_effect_and_look_the_same() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let bolt = ledger.subscriber("bolt", everything()).await;
    let (foreign, settled, unknown) = (bolt.news().await, acme.news().await, ledger.jti());
    acme.polls(ask().max(0).ack(&[settled])).await;
    let before = (acme.file(settled).await, bolt.file(foreign).await);
    let plain = acme.polls(ask()).await;
    for jti in [foreign, settled, unknown] {
        assert_eq!(acme.polls(ask().ack(&[jti])).await, plain);
        assert_eq!(acme.polls(ask().error(jti, "jwtIss")).await, plain);
        assert_eq!(acme.polls(ask().error(jti, "dup")).await, plain);
    }
    assert_eq!((acme.file(settled).await, bolt.file(foreign).await), before);
}

// P-04
#[tokio::test]
async fn an_ack_said_twice_in_one_poll_counts_once() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    assert_eq!(acme.polls(ask().ack(&[jti, jti])).await.settled, [jti]);
    assert_eq!(acme.counts().await.acknowledged, 1);
    assert_eq!(acme.file(jti).await.settlements.len(), 1);
}

// P-05
#[tokio::test]
async fn an_error_is_recorded_and_leaves_the_event_and_its_due_time_as_they_are() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    acme.receives(ask()).await;
    let polled = acme
        .polls(ask().max(0).error(jti, "jwtCrypto").by("errs-1"))
        .await;
    assert_eq!((polled.settled, polled.more_available), (vec![], false));
    assert_eq!(
        polled.next_due_at,
        Some(ledger.now() + Duration::from_secs(60))
    );
    let errors = acme.file(jti).await.errors;
    assert_eq!(
        (errors.len(), errors[0].error.err.as_str()),
        (1, "jwtCrypto")
    );
    assert_eq!(
        (errors[0].at, &errors[0].interaction_id),
        (ledger.now(), &interaction("errs-1"))
    );
}

// P-05, P-12
#[tokio::test]
async fn at_the_error_cap_an_event_is_set_aside_as_failed() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    for _ in 0..2 {
        assert_eq!(
            acme.polls(ask().max(0).error(jti, "jwtAud").error_cap(3))
                .await
                .settled,
            []
        );
    }
    let polled = acme.polls(ask().error(jti, "jwtAud").error_cap(3)).await;
    assert_eq!((polled.settled, polled.work.len()), (vec![jti], 0));
    assert_eq!(acme.outcome(jti).await, FAILED);
    assert_eq!(acme.file(jti).await.errors.len(), 3);
    assert_eq!(acme.counts().await.failed, 1);
}

// P-05
#[tokio::test]
async fn a_late_ack_still_acknowledges_a_failed_event_and_a_late_error_does_nothing() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    acme.polls(ask().max(0).error(jti, "jwtAud").error_cap(1))
        .await;
    assert_eq!(
        acme.polls(ask().error(jti, "jwtAud").error_cap(1))
            .await
            .settled,
        []
    );
    assert_eq!(acme.file(jti).await.errors.len(), 1);
    assert_eq!(acme.polls(ask().ack(&[jti])).await.settled, [jti]);
    assert_eq!(acme.outcome(jti).await, BY_POLL);
    let counts = acme.counts().await;
    assert_eq!((counts.failed, counts.acknowledged), (0, 1));
    assert_eq!(acme.file(jti).await.settlements.len(), 2);
}

// P-05
#[tokio::test]
async fn dup_acknowledges_an_outstanding_and_a_failed_event() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let news = acme.much_news(2).await;
    acme.polls(ask().max(0).error(news[1], "jwtAud").error_cap(1))
        .await;
    let polled = acme
        .polls(ask().error(news[0], "dup").error(news[1], "dup"))
        .await;
    assert_eq!(polled.settled, news);
    assert_eq!(acme.outcome(news[0]).await, DUPLICATE);
    assert_eq!(acme.outcome(news[1]).await, DUPLICATE);
    assert_eq!(acme.counts().await.acknowledged, 2);
}

// P-05
#[tokio::test]
async fn an_event_both_acknowledged_and_in_error_is_acknowledged() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    acme.polls(ask().ack(&[jti]).error(jti, "jwtAud").error_cap(1))
        .await;
    assert_eq!(acme.outcome(jti).await, BY_POLL);
    assert_eq!(acme.file(jti).await.errors, []);
}

// P-12
#[tokio::test]
async fn the_hand_out_that_reaches_its_cap_settles_as_assumed() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    assert_eq!(acme.receives(ask().hand_out_cap(2)).await, [jti]);
    assert_eq!(acme.outcome(jti).await, None);
    assert_eq!(acme.receives(ask().hand_out_cap(2)).await, [jti]);
    assert_eq!(acme.outcome(jti).await, ASSUMED);
    assert_eq!(acme.file(jti).await.settlements[0].actor, Actor::System);
    assert_eq!(acme.receives(ask().hand_out_cap(2)).await, []);
    assert_eq!(acme.file(jti).await.hand_outs.len(), 2);
}

// P-12
#[tokio::test]
async fn at_a_hand_out_cap_of_one_each_event_leaves_exactly_once() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let news = acme.much_news(3).await;
    assert_eq!(acme.receives(ask().hand_out_cap(1)).await, news);
    assert_eq!(acme.receives(ask().hand_out_cap(1)).await, []);
    assert_eq!(acme.counts().await.acknowledged, 3);
}

// P-12
#[tokio::test]
async fn an_ack_of_an_assumed_event_changes_nothing() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    acme.receives(ask().hand_out_cap(1)).await;
    assert_eq!(acme.polls(ask().ack(&[jti])).await.settled, []);
    assert_eq!(acme.outcome(jti).await, ASSUMED);
}
