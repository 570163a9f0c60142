//! What wakes a lane and what must not: no news is lost, and nobody's word is undone (D-05, D-06, D-07, D-10, I-04).

use std::time::Duration;

use oyez_domain::ids::Jti;
use oyez_domain::ledger::lanes::{Health, Hold, Lease, Reason, Reported};
use oyez_domain::ledger::push::Verdict;
use oyez_domain::ledger::registering::Kind;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{DeliveryOrder, Overrides, Standing};

use super::lanes::{LET_GO, LONG, claims, claims_all, failing, health, lease, pushed, reports};
use super::ledger;
use super::ordering;
use crate::fixture::{Ledger, Tpp, ask, operator};
use oyez_testkit::making::{callback, everything, profile, pushed_to};

// D-05, P-14
#[tokio::test]
async fn news_while_a_lane_is_owned_is_not_lost_when_it_is_let_go() {
    for wake_at in [None, Some(Timestamp::MAX)] {
        let ledger = ledger().await;
        let acme = pushed(&ledger, "acme").await;
        acme.news().await;
        let one = lease(&ledger, "one").await;
        claims(&ledger, &one).await;
        acme.is_pushed_by(&one).await;
        ledger.pass(Duration::from_secs(1));
        acme.news().await;
        assert_eq!(
            reports(&one, &acme, Health::Responsive, Hold::Keep).await,
            Reported::Written
        );
        reports(&one, &acme, Health::Responsive, Hold::LetGo { wake_at }).await;
        assert_eq!(claims(&ledger, &one).await, ["acme"]);
    }
}

// D-05
#[tokio::test]
async fn a_lane_let_go_without_news_stays_asleep_until_the_next() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    acme.news().await;
    let one = lease(&ledger, "one").await;
    claims(&ledger, &one).await;
    reports(&one, &acme, Health::Responsive, LET_GO).await;
    ledger.pass(LONG);
    assert_eq!(claims(&ledger, &one).await, Vec::<String>::new());
    acme.news().await;
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
}

// D-06
#[tokio::test]
async fn a_failing_endpoint_is_not_woken_by_each_event() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    acme.news().await;
    let one = lease(&ledger, "one").await;
    claims(&ledger, &one).await;
    acme.news().await;
    let wake_at = Some(ledger.now() + LONG);
    reports(&one, &acme, failing(ledger.now()), Hold::LetGo { wake_at }).await;
    acme.news().await;
    assert_eq!(claims(&ledger, &one).await, Vec::<String>::new());
    ledger.pass(LONG);
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
}

// D-06
#[tokio::test]
async fn news_during_an_outage_is_not_lost_when_the_outage_ends() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    acme.news().await;
    let one = lease(&ledger, "one").await;
    claims(&ledger, &one).await;
    reports(&one, &acme, failing(ledger.now()), Hold::Keep).await;
    acme.news().await;
    reports(&one, &acme, Health::Responsive, LET_GO).await;
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
}

// I-04
#[tokio::test]
async fn a_paused_endpoint_is_claimed_by_nobody_until_it_is_resumed() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    acme.news().await;
    ledger
        .pause_endpoint(operator(), acme.id.clone(), ledger.now())
        .await
        .unwrap();
    acme.news().await;
    let one = lease(&ledger, "one").await;
    ledger.pass(LONG);
    assert_eq!(claims(&ledger, &one).await, Vec::<String>::new());
    ledger
        .resume_endpoint(operator(), acme.id.clone(), ledger.now())
        .await
        .unwrap();
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
}

// I-04, D-06
#[tokio::test]
async fn an_owners_late_report_does_not_undo_a_pause() {
    for hold in [Hold::Keep, LET_GO] {
        let ledger = ledger().await;
        let acme = pushed(&ledger, "acme").await;
        acme.news().await;
        let one = lease(&ledger, "one").await;
        claims(&ledger, &one).await;
        acme.news().await;
        let now = ledger.now();
        ledger
            .pause_endpoint(operator(), acme.id.clone(), now)
            .await
            .unwrap();
        reports(&one, &acme, Health::Responsive, hold).await;
        assert_eq!(health(&acme).await, Some(Health::Paused { since: now }));
        ledger.pass(LONG);
        assert_eq!(claims(&ledger, &one).await, Vec::<String>::new());
    }
}

// D-06
#[tokio::test]
async fn a_put_ends_an_outage_and_wakes_the_lane() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    acme.news().await;
    let one = lease(&ledger, "one").await;
    claims(&ledger, &one).await;
    reports(&one, &acme, failing(ledger.now()), LET_GO).await;
    acme.replaces(pushed_to("new.example", everything())).await;
    assert_eq!(health(&acme).await, Some(Health::Responsive));
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
}

// D-06, S-12
#[tokio::test]
async fn an_outage_ends_with_its_address() {
    let now = Timestamp::from_unix_ms(0);
    let given_up = Health::Unresponsive {
        since: now,
        declared_at: now,
        failures: 9,
        next_probe_at: None,
        reason: Reason::new("connect: refused"),
    };
    // The subscription goes and another comes, or the callback-url takes over.
    for has_callback_url in [false, true] {
        let ledger = ledger().await;
        let acme = pushed(&ledger, "acme").await;
        if has_callback_url {
            let other = callback("other.example");
            acme.registers_callback(other).await.unwrap();
        }
        acme.news().await;
        let one = lease(&ledger, "one").await;
        claims(&ledger, &one).await;
        reports(&one, &acme, given_up.clone(), LET_GO).await;
        acme.deletes(Kind::Subscription).await;
        if !has_callback_url {
            let other = pushed_to("other.example", everything());
            acme.subscribes(other).await.unwrap();
            acme.news().await;
        }
        assert_eq!(health(&acme).await, Some(Health::Responsive));
        assert_eq!(claims(&ledger, &one).await, ["acme"]);
    }
}

// D-06, I-04
#[tokio::test]
async fn an_operator_ends_an_outage_and_wakes_the_lane() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    acme.news().await;
    let one = lease(&ledger, "one").await;
    claims(&ledger, &one).await;
    reports(&one, &acme, failing(ledger.now()), LET_GO).await;
    ledger
        .resume_endpoint(operator(), acme.id.clone(), ledger.now())
        .await
        .unwrap();
    assert_eq!(health(&acme).await, Some(Health::Responsive));
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
}

// S-12, S-11
#[tokio::test]
async fn gaining_an_address_wakes_a_lane_for_what_waited() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.news().await;
    let one = lease(&ledger, "one").await;
    acme.replaces(pushed_to("acme.example", everything())).await;
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
}

//
#[tokio::test]
async fn a_tpp_that_is_served_again_has_its_lane_woken() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    acme.news().await;
    acme.is_disabled().await;
    let one = lease(&ledger, "one").await;
    claims(&ledger, &one).await;
    acme.is_pushed_by(&one).await;
    reports(&one, &acme, Health::Responsive, LET_GO).await;
    acme.stands(Standing::Active).await;
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
}

// I-04
#[tokio::test]
async fn retried_and_requeued_events_wake_a_sleeping_lane() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let news = acme.much_news(2).await;
    let one = lease(&ledger, "one").await;
    claims(&ledger, &one).await;
    acme.polls(ask().max(0).error(news[1], "jwtAud").error_cap(1))
        .await;
    reports(&one, &acme, Health::Responsive, LET_GO).await;
    let now = ledger.now();
    ledger
        .retry_pushes(operator(), acme.id.clone(), news[..1].to_vec(), now)
        .await
        .unwrap();
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
    reports(&one, &acme, Health::Responsive, LET_GO).await;
    let always = Timestamp::from_unix_ms(0)..Timestamp::MAX;
    ledger
        .requeue_failed(operator(), acme.id.clone(), always, 9, now)
        .await
        .unwrap();
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
}

/// A TPP in strict order whose oldest event waits for a poll, one more behind it, and its lane let go for good.
async fn blocked(ledger: &Ledger, one: &Lease) -> (Tpp, Vec<Jti>) {
    let acme = ordering::pushed(ledger, DeliveryOrder::Strict).await;
    let news = acme.much_news(2).await;
    claims(ledger, one).await;
    acme.is_pushed_by(one).await;
    acme.answers(news[0], Verdict::Refused { again_at: None })
        .await;
    let due = acme.looks_as(one, 0).await.unwrap();
    assert_eq!(due.next_at, None);
    reports(one, &acme, Health::Responsive, LET_GO).await;
    assert_eq!(claims(ledger, one).await, Vec::<String>::new());
    (acme, news)
}

// D-10, D-07
#[tokio::test]
async fn in_strict_order_the_end_of_the_oldest_wakes_the_lane_for_the_next() {
    for nth in 0..3 {
        let ledger = ledger().await;
        let one = lease(&ledger, "one").await;
        let (acme, news) = blocked(&ledger, &one).await;
        let (oldest, now) = (news[..1].to_vec(), ledger.pass(Duration::from_secs(1)));
        match nth {
            0 => drop(acme.polls(ask().max(0).ack(&oldest)).await),
            1 => drop(
                ledger
                    .withdraw(operator(), acme.id.clone(), oldest, now)
                    .await,
            ),
            _ => drop(ledger.expire(Timestamp::MAX, 1, now).await),
        }
        assert_eq!(claims(&ledger, &one).await, ["acme"]);
        assert_eq!(acme.is_pushed_by(&one).await, news[1..]);
    }
}

// D-10
#[tokio::test]
async fn a_tpp_that_leaves_strict_order_has_its_lane_woken() {
    let ledger = ledger().await;
    let one = lease(&ledger, "one").await;
    let (acme, news) = blocked(&ledger, &one).await;
    let profile = profile(Overrides::default());
    ledger
        .change_tpp(operator(), acme.id.clone(), profile, ledger.now())
        .await
        .unwrap();
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
    assert_eq!(acme.is_pushed_by(&one).await, news[1..]);
}

// D-05, D-08
#[tokio::test]
async fn who_asks_for_all_lanes_gets_those_that_sleep_and_they_are_due_when_taken_away() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    acme.news().await;
    let one = lease(&ledger, "one").await;
    claims(&ledger, &one).await;
    let wake_at = Some(ledger.now() + LONG);
    reports(&one, &acme, failing(ledger.now()), Hold::LetGo { wake_at }).await;
    assert_eq!(claims(&ledger, &one).await, Vec::<String>::new());
    assert_eq!(claims_all(&ledger, &one).await, ["acme"]);
    let patient = Overrides {
        redelivery_delay: Some(Duration::from_secs(7)),
        ..Overrides::default()
    };
    ledger
        .change_tpp(operator(), acme.id.clone(), profile(patient), ledger.now())
        .await
        .unwrap();
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
}

// D-05, D-06, D-08
#[tokio::test]
async fn a_lane_that_nothing_would_wake_is_had_by_who_asks_for_all_if_there_is_anything_to_push() {
    let given_up = |now, next_probe_at| Health::Unresponsive {
        since: now,
        declared_at: now,
        failures: 9,
        next_probe_at,
        reason: Reason::new("connect: refused"),
    };
    for (what, is_woken) in [
        ("has news", true),
        ("has nothing", false),
        ("has no address", false),
        ("is not served", false),
        ("is paused", false),
        ("was given up", true),
        ("was given up and is probed", false),
    ] {
        let ledger = ledger().await;
        let acme = pushed(&ledger, "acme").await;
        let jti = acme.news().await;
        let one = lease(&ledger, "one").await;
        claims(&ledger, &one).await;
        let now = ledger.now();
        let mut health = Health::Responsive;
        match what {
            "has news" => {}
            "has no address" => drop(acme.deletes(Kind::Subscription).await),
            "is not served" => acme.is_disabled().await,
            "is paused" => {
                let paused = ledger.pause_endpoint(operator(), acme.id.clone(), now);
                assert!(paused.await.unwrap());
            }
            _ => drop(acme.polls(ask().max(0).ack(&[jti])).await),
        }
        match what {
            "was given up" => health = given_up(now, None),
            "was given up and is probed" => health = given_up(now, Some(now + LONG)),
            _ => {}
        }
        claims(&ledger, &one).await;
        reports(&one, &acme, health, LET_GO).await;
        assert_eq!(claims(&ledger, &one).await, Vec::<String>::new(), "{what}");
        let all = claims_all(&ledger, &one).await;
        assert_eq!(all.len(), usize::from(is_woken), "{what}");
    }
}
