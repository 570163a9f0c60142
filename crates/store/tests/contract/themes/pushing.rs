//! What is pushed when, and what an attempt's end means (D-04, D-06, D-07, D-10, D-14, P-11, P-14).

use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::ledger::push::{Recorded, Verdict};
use oyez_domain::life::{Settlement, State};
use oyez_domain::tpp::{DeliveryOrder, Overrides};

use super::ledger;
use crate::fixture::{BY_POLL, BY_PUSH, Ledger, Tpp, ask, attempt, operator};
use oyez_testkit::making::{everything, interaction, pushed_to};

const IN_FLIGHT: Duration = Duration::from_secs(10);
const REDELIVERY: Duration = Duration::from_secs(60);
const POLL_ONLY: Verdict = Verdict::Refused { again_at: None };
const FAILED: Verdict = Verdict::EndpointFailed;

async fn pushed(ledger: &Ledger, name: &str) -> Tpp {
    ledger
        .subscriber(name, pushed_to("acme.example", everything()))
        .await
}

async fn pushed_in_order(ledger: &Ledger) -> Tpp {
    let delivery_order = Some(DeliveryOrder::Strict);
    let acme = ledger
        .tpp_with(
            "acme",
            Overrides {
                delivery_order,
                ..Overrides::default()
            },
        )
        .await;
    acme.subscribes(pushed_to("acme.example", everything()))
        .await
        .unwrap();
    acme
}

// D-01, D-10
#[tokio::test]
async fn work_comes_oldest_first_up_to_its_bound_with_the_address_as_registered() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let news = acme.much_news(3).await;
    let due = acme.looks(2).await.unwrap();
    assert_eq!(
        due.callback_url.as_deref(),
        Some("https://acme.example/v4.0/event-notifications")
    );
    assert_eq!(
        due.work.iter().map(|work| work.jti).collect::<Vec<_>>(),
        news[..2]
    );
    assert_eq!(due.next_at, Some(ledger.now()));
    assert_eq!(acme.is_pushed().await, news[2..]);
    assert_eq!(acme.next_push_at().await, Some(ledger.now() + IN_FLIGHT));
}

// P-14
#[tokio::test]
async fn an_attempt_that_never_ends_is_made_again_after_its_time_limit() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    assert_eq!(acme.is_pushed().await, [jti]);
    ledger.pass(IN_FLIGHT - Duration::from_millis(1));
    assert_eq!(acme.is_pushed().await, []);
    ledger.pass(Duration::from_millis(1));
    assert_eq!(acme.is_pushed().await, [jti]);
}

// D-02, P-11
#[tokio::test]
async fn an_acknowledged_push_settles_by_the_tpp() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.is_pushed().await;
    assert_eq!(
        acme.answers(jti, Verdict::Acknowledged).await,
        Recorded::Applied
    );
    let file = acme.file(jti).await;
    let State::Settled(Settlement { outcome, actor, at }) = file.summary.state else {
        panic!("still outstanding");
    };
    assert_eq!(
        (Some(outcome), actor),
        (BY_PUSH, Actor::Tpp(acme.id.clone()))
    );
    assert_eq!(at, ledger.now());
    assert_eq!(acme.next_push_at().await, None);
}

// D-14
#[tokio::test]
async fn every_attempt_is_recorded_as_it_was() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    let verdicts = [FAILED, Verdict::Acknowledged, FAILED];
    let mut all = Vec::new();
    for (nth, verdict) in verdicts.into_iter().enumerate() {
        let mut attempt = attempt(jti, verdict, ledger.pass(IN_FLIGHT));
        attempt.interaction_id = interaction(&format!("attempt-{nth}"));
        all.push(attempt);
    }
    acme.is_pushed().await;
    let ended = all.iter().map(|attempt| ledger.ended(attempt.clone()));
    ledger
        .record_attempts(acme.id.clone(), ended.collect(), ledger.now())
        .await
        .unwrap();
    assert_eq!(acme.file(jti).await.attempts, all);
}

// P-14
#[tokio::test]
async fn a_late_answer_is_recorded_and_changes_nothing() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.is_pushed().await;
    acme.polls(ask().max(0).ack(&[jti])).await;
    let settlement = acme.file(jti).await.settlements.remove(0);
    let late = [
        Verdict::Acknowledged,
        FAILED,
        POLL_ONLY,
        Verdict::Refused {
            again_at: Some(ledger.now()),
        },
    ];
    for verdict in late {
        let recorded = acme.answers(jti, verdict).await;
        assert_eq!(recorded, Recorded::AlreadySettled(settlement.clone()));
    }
    let file = acme.file(jti).await;
    assert_eq!(
        (file.attempts.len(), file.settlements),
        (4, vec![settlement])
    );
    assert_eq!(acme.counts().await.acknowledged, 1);
}

// P-05, P-11
#[tokio::test]
async fn a_late_202_acknowledges_a_failed_event_and_a_late_refusal_does_not_touch_it() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.polls(ask().max(0).error(jti, "jwtAud").error_cap(1))
        .await;
    let recorded = acme.answers(jti, FAILED).await;
    assert!(
        matches!(recorded, Recorded::AlreadySettled(_)),
        "{recorded:?}"
    );
    assert_eq!(
        acme.answers(jti, Verdict::Acknowledged).await,
        Recorded::Applied
    );
    assert_eq!(acme.outcome(jti).await, BY_PUSH);
    let counts = acme.counts().await;
    assert_eq!((counts.failed, counts.acknowledged), (0, 1));
}

// D-04, P-14
#[tokio::test]
async fn a_refusal_holds_back_its_event_from_pushes_and_not_from_polls() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.is_pushed().await;
    let again_at = ledger.now() + Duration::from_secs(300);
    let refused = Verdict::Refused {
        again_at: Some(again_at),
    };
    assert_eq!(acme.answers(jti, refused).await, Recorded::Applied);
    assert_eq!(
        (acme.is_pushed().await, acme.next_push_at().await),
        (vec![], Some(again_at))
    );
    assert!(acme.polls(ask().max(0)).await.more_available);
    ledger.pass(Duration::from_secs(300));
    assert_eq!(acme.is_pushed().await, [jti]);
}

// D-04
#[tokio::test]
async fn one_refused_event_does_not_hold_back_the_others() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let news = acme.much_news(2).await;
    acme.is_pushed().await;
    let again_at = Some(ledger.now() + Duration::from_secs(300));
    acme.answers(news[0], Verdict::Refused { again_at }).await;
    acme.answers(news[1], Verdict::Acknowledged).await;
    let third = acme.news().await;
    assert_eq!(acme.is_pushed().await, [third]);
}

// D-07
#[tokio::test]
async fn an_exhausted_refusal_leaves_its_event_to_polls() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.is_pushed().await;
    acme.answers(jti, POLL_ONLY).await;
    ledger.pass(Duration::from_secs(1_000_000));
    assert_eq!(
        (acme.is_pushed().await, acme.next_push_at().await),
        (vec![], None)
    );
    assert_eq!(acme.outcome(jti).await, None);
    assert_eq!(acme.receives(ask().waiting()).await, [jti]);
}

// D-06, D-07
#[tokio::test]
async fn a_put_pushes_what_was_poll_only_or_backing_off_again_at_once() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let news = acme.much_news(2).await;
    acme.is_pushed().await;
    acme.answers(news[0], POLL_ONLY).await;
    let again_at = Some(ledger.now() + Duration::from_secs(3_000));
    acme.answers(news[1], Verdict::Refused { again_at }).await;
    ledger.pass(Duration::from_secs(1));
    acme.replaces(pushed_to("acme.example", everything())).await;
    assert_eq!(acme.is_pushed().await, news);
}

// D-04, D-06
#[tokio::test]
async fn after_an_endpoint_failure_the_event_itself_is_due_at_once_and_not_charged() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    for _ in 0..200 {
        assert_eq!(acme.is_pushed().await, [jti]);
        assert_eq!(acme.answers(jti, FAILED).await, Recorded::Applied);
    }
    assert_eq!(acme.outcome(jti).await, None);
    assert_eq!(acme.receives(ask().waiting()).await, [jti]);
}

// P-14
#[tokio::test]
async fn a_poll_hand_out_holds_pushes_back_for_the_redelivery_delay() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.receives(ask()).await;
    assert_eq!(acme.next_push_at().await, Some(ledger.now() + REDELIVERY));
    ledger.pass(REDELIVERY - Duration::from_millis(1));
    assert_eq!(acme.is_pushed().await, []);
    ledger.pass(Duration::from_millis(1));
    assert_eq!(acme.is_pushed().await, [jti]);
}

// P-14, P-08
#[tokio::test]
async fn an_attempt_that_ends_after_a_hand_out_does_not_cut_its_delay_short() {
    for verdict in [FAILED, Verdict::Refused { again_at: None }] {
        let ledger = ledger().await;
        let acme = pushed(&ledger, "acme").await;
        let jti = acme.news().await;
        acme.is_pushed().await;
        assert_eq!(acme.receives(ask()).await, [jti]);
        ledger.pass(Duration::from_secs(1));
        acme.answers(jti, verdict).await;
        assert_eq!(
            (acme.is_pushed().await, acme.receives(ask().waiting()).await),
            (vec![], vec![])
        );
        ledger.pass(REDELIVERY - Duration::from_secs(1));
        assert_eq!(acme.receives(ask().waiting()).await, [jti]);
    }
}

// P-14
#[tokio::test]
async fn a_hand_out_does_not_bring_a_refused_event_forward() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.is_pushed().await;
    let again_at = ledger.now() + Duration::from_secs(3_000);
    acme.answers(
        jti,
        Verdict::Refused {
            again_at: Some(again_at),
        },
    )
    .await;
    assert_eq!(acme.receives(ask()).await, [jti]);
    assert_eq!(acme.next_push_at().await, Some(again_at));
}

// D-07, S-11
#[tokio::test]
async fn an_attempt_that_outlived_the_address_does_not_bring_its_event_back_to_pushing() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.is_pushed().await;
    acme.replaces(everything()).await;
    acme.answers(jti, FAILED).await;
    assert_eq!(
        (acme.is_pushed().await, acme.next_push_at().await),
        (vec![], None)
    );
    assert_eq!(acme.receives(ask().waiting()).await, [jti]);
}

//
#[tokio::test]
async fn nothing_is_pushed_to_a_disabled_tpp_and_everything_waits() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.is_disabled().await;
    assert_eq!(
        (acme.address().await, acme.is_pushed().await),
        (None, vec![])
    );
    assert_eq!(acme.counts().await.outstanding, 1);
    acme.stands(oyez_domain::tpp::Standing::Active).await;
    assert_eq!(acme.is_pushed().await, [jti]);
}

// D-10
#[tokio::test]
async fn in_strict_order_the_next_push_waits_until_the_one_before_is_settled_in_any_way() {
    let ledger = ledger().await;
    let acme = pushed_in_order(&ledger).await;
    let news = acme.much_news(3).await;
    assert_eq!(acme.is_pushed().await, news[..1]);
    assert_eq!(acme.is_pushed().await, []);
    acme.answers(news[0], Verdict::Acknowledged).await;
    assert_eq!(acme.is_pushed().await, news[1..2]);
    acme.answers(
        news[1],
        Verdict::Refused {
            again_at: Some(ledger.now() + IN_FLIGHT),
        },
    )
    .await;
    assert_eq!(
        (acme.is_pushed().await, acme.next_push_at().await),
        (vec![], Some(ledger.now() + IN_FLIGHT))
    );
    ledger
        .withdraw(operator(), acme.id.clone(), vec![news[1]], ledger.now())
        .await
        .unwrap();
    assert_eq!(acme.is_pushed().await, news[2..]);
}

// D-07, D-10
#[tokio::test]
async fn in_strict_order_a_poll_only_event_blocks_until_it_is_polled() {
    let ledger = ledger().await;
    let acme = pushed_in_order(&ledger).await;
    let news = acme.much_news(2).await;
    acme.is_pushed().await;
    acme.answers(news[0], POLL_ONLY).await;
    ledger.pass(Duration::from_secs(100_000));
    assert_eq!(
        (acme.is_pushed().await, acme.next_push_at().await),
        (vec![], None)
    );
    acme.polls(ask().max(0).ack(&news[..1])).await;
    assert_eq!(acme.is_pushed().await, news[1..]);
    assert_eq!(acme.outcome(news[0]).await, BY_POLL);
}

// D-10
#[tokio::test]
async fn a_look_that_finds_nothing_never_says_to_look_again_at_once() {
    let ledger = ledger().await;
    let acme = pushed_in_order(&ledger).await;
    acme.much_news(2).await;
    acme.is_pushed().await;
    ledger.pass(Duration::from_secs(1));
    acme.replaces(pushed_to("new.example", everything())).await;
    for _ in 0..2 {
        let due = acme.looks(100).await.unwrap();
        let spins = due.work.is_empty() && due.next_at.is_some_and(|at| at <= ledger.now());
        assert!(!spins, "nothing to do now, and yet: {:?}", due.next_at);
    }
}

//
#[tokio::test]
async fn attempts_of_unknown_and_foreign_events_are_not_recorded() {
    let ledger = ledger().await;
    let (acme, bolt) = (pushed(&ledger, "acme").await, pushed(&ledger, "bolt").await);
    let foreign = acme.news().await;
    for jti in [foreign, ledger.jti()] {
        assert_eq!(
            bolt.answers(jti, Verdict::Acknowledged).await,
            Recorded::Unknown
        );
    }
    assert_eq!(
        (
            acme.outcome(foreign).await,
            acme.file(foreign).await.attempts
        ),
        (None, vec![])
    );
}
