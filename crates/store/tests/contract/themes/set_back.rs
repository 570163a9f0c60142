//! A clock that is set back keeps nobody waiting who only waits for his turn (D-10, P-07, P-14).

use std::time::Duration;

use oyez_domain::ledger::push::Verdict;
use oyez_domain::tpp::DeliveryOrder;

use super::ledger;
use super::ordering::pushed;
use crate::fixture::{ask, operator};

const HOUR: Duration = Duration::from_secs(3_600);
const YEAR: Duration = Duration::from_secs(365 * 86_400);
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

// D-10, P-07
#[tokio::test]
async fn what_was_accepted_before_is_pushed_and_polled_at_once() {
    for order in [DeliveryOrder::Concurrent, DeliveryOrder::Strict] {
        for twice in [false, true] {
            let ledger = ledger().await;
            let acme = pushed(&ledger, order).await;
            let before = acme.news().await;
            acme.looks(0).await;
            ledger.set_back(HOUR);
            if twice {
                assert_eq!(acme.is_pushed().await, [before]);
                acme.puts_back(&[before]).await;
                ledger.set_back(HOUR);
            }
            assert_eq!(acme.next_push_at().await, Some(ledger.now()));
            assert_eq!(acme.is_pushed().await, [before]);
            assert_eq!(acme.is_pushed().await, [], "it is in flight");
            let waits = acme.polls(ask().waiting()).await;
            assert!(waits.work.is_empty() && !waits.more_available);
            ledger.pass(SECOND);
            acme.answers(before, Verdict::EndpointFailed).await;
            assert!(acme.polls(ask().max(0).waiting()).await.more_available);
            assert_eq!(acme.receives(ask().waiting()).await, [before]);
        }
    }
}

// D-10
#[tokio::test]
async fn what_is_accepted_since_is_pushed_too_whatever_the_newest_is() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, DeliveryOrder::Concurrent).await;
    let before = acme.much_news(2).await;
    acme.looks(0).await;
    ledger.set_back(HOUR);
    let since = acme.much_news(2).await;
    let mut all = acme.is_pushed().await;
    all.sort();
    let mut expected = [before, since].concat();
    expected.sort();
    assert_eq!(all, expected);
}

// D-07, P-14
#[tokio::test]
async fn what_was_refused_handed_out_or_is_in_flight_waits_on() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, DeliveryOrder::Concurrent).await;
    let refused = acme.news().await;
    acme.is_pushed().await;
    let again_at = Some(ledger.now() + MINUTE);
    acme.answers(refused, Verdict::Refused { again_at }).await;
    let flying = acme.news().await;
    assert_eq!(acme.is_pushed().await, [flying]);
    let polled = acme.news().await;
    ledger.set_back(SECOND);
    assert_eq!(acme.receives(ask().waiting()).await.len(), 2);
    assert_eq!(acme.is_pushed().await, []);
    assert_eq!(acme.receives(ask().waiting()).await, []);
    acme.answers(flying, Verdict::Acknowledged).await;
    ledger.pass(MINUTE);
    assert_eq!(
        acme.is_pushed().await,
        [polled],
        "a second before the other"
    );
    ledger.pass(SECOND);
    assert_eq!(acme.is_pushed().await, [refused]);
}

// P-14, D-10
#[tokio::test]
async fn what_is_put_back_then_wakes_its_lane_now() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, DeliveryOrder::Concurrent).await;
    let news = acme.much_news(2).await;
    acme.looks(0).await;
    ledger.set_back(HOUR);
    assert_eq!(acme.is_pushed().await, news);
    ledger.pass(SECOND);
    acme.puts_back(&news[..1]).await;
    assert_eq!(acme.next_push_at().await, Some(ledger.now()));
    assert_eq!(acme.is_pushed().await, news[..1]);
}

// P-14, D-07
#[tokio::test]
async fn what_a_flight_holds_in_its_old_turn_hides_nothing_that_may_go_sooner() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, DeliveryOrder::Concurrent).await;
    let held = acme.news().await;
    assert_eq!(acme.is_pushed().await, [held]);
    let lands_at = acme.next_push_at().await.unwrap();
    let flight = lands_at.since(ledger.now());
    ledger.pass(flight + SECOND);
    let retried = ledger.retry_pushes(operator(), acme.id.clone(), vec![held], ledger.now());
    assert_eq!(retried.await.unwrap(), 1);
    ledger.set_back(flight * 2);
    let refused = acme.news().await;
    assert_eq!(acme.is_pushed().await, [refused]);
    let again_at = ledger.now() + flight - SECOND / 2;
    assert!(again_at < lands_at);
    let verdict = Verdict::Refused {
        again_at: Some(again_at),
    };
    acme.answers(refused, verdict).await;
    acme.news().await;
    assert_eq!(acme.looks(1).await.unwrap().next_at, Some(again_at));
}

// P-08, P-14
#[tokio::test]
async fn what_a_poll_was_handed_is_handed_out_again_no_later_than_it_would_have_been() {
    for back in [HOUR, YEAR] {
        let ledger = ledger().await;
        let acme = pushed(&ledger, DeliveryOrder::Concurrent).await;
        let handed_out = acme.news().await;
        assert_eq!(acme.receives(ask().waiting()).await, [handed_out]);
        ledger.pass(SECOND);
        ledger.set_back(back);
        assert_eq!(acme.receives(ask().waiting()).await, []);
        assert_eq!(acme.is_pushed().await, []);
        ledger.pass(MINUTE);
        assert_eq!(acme.receives(ask().waiting()).await, [handed_out]);
    }
}

// P-14, D-05
#[tokio::test]
async fn a_flight_whose_node_died_ends_no_later_than_it_would_have() {
    for order in [DeliveryOrder::Concurrent, DeliveryOrder::Strict] {
        let ledger = ledger().await;
        let acme = pushed(&ledger, order).await;
        let in_flight = acme.news().await;
        assert_eq!(acme.is_pushed().await, [in_flight]);
        let lands_at = acme.next_push_at().await.unwrap();
        let flight = lands_at.since(ledger.now());
        ledger.set_back(YEAR);
        assert_eq!(acme.receives(ask().waiting()).await, []);
        assert_eq!(acme.is_pushed().await, []);
        assert_eq!(acme.next_push_at().await, Some(ledger.now() + flight));
        ledger.pass(flight);
        assert_eq!(acme.is_pushed().await, [in_flight]);
        acme.answers(in_flight, Verdict::Acknowledged).await;
    }
}

// D-07
#[tokio::test]
async fn what_was_refused_is_pushed_again_no_later_than_it_would_have_been() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, DeliveryOrder::Concurrent).await;
    let refused = acme.news().await;
    acme.is_pushed().await;
    let again_at = Some(ledger.now() + HOUR);
    acme.answers(refused, Verdict::Refused { again_at }).await;
    ledger.set_back(YEAR);
    assert_eq!(acme.is_pushed().await, []);
    assert_eq!(acme.next_push_at().await, Some(ledger.now() + HOUR));
    ledger.pass(HOUR);
    assert_eq!(acme.is_pushed().await, [refused]);
}

// P-14
#[tokio::test]
async fn what_is_held_since_then_stays_held() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, DeliveryOrder::Concurrent).await;
    let before = acme.news().await;
    acme.looks(0).await;
    ledger.set_back(YEAR);
    assert_eq!(acme.receives(ask().waiting()).await, [before]);
    for _ in 0..3 {
        ledger.pass(SECOND);
        assert_eq!(acme.receives(ask().waiting()).await, []);
        assert_eq!(acme.is_pushed().await, []);
    }
}

// P-08
#[tokio::test]
async fn a_hold_is_moved_back_by_what_the_clock_was_and_no_more() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, DeliveryOrder::Concurrent).await;
    let handed_out = acme.news().await;
    assert_eq!(acme.receives(ask().waiting()).await, [handed_out]);
    ledger.set_back(YEAR);
    ledger.pass(SECOND);
    let polled = acme.polls(ask().waiting()).await;
    assert!(polled.work.is_empty(), "{polled:?}");
    assert_eq!(polled.next_due_at, Some(ledger.now() + MINUTE));
    let immediate = acme.polls(ask()).await;
    assert_eq!(immediate.work.len(), 1);
}
