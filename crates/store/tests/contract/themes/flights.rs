//! What was chosen for pushing, until somebody says what came of it; and what an event remembers of its pushes (D-04, D-07,
//! P-14).

use std::time::Duration;

use oyez_domain::ids::Jti;
use oyez_domain::ledger::lanes::Health;
use oyez_domain::ledger::push::{Recorded, Verdict};
use oyez_domain::ledger::sets::{Kept, Purpose, SetState, Work};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{DeliveryOrder, Overrides};

use super::lanes::{LET_GO, claims, lease, pushed, reports};
use super::ledger;
use crate::fixture::{BY_PUSH, Tpp, ask, operator};
use oyez_testkit::making::{UPDATE, everything, only, pushed_to};

const IN_FLIGHT: Duration = Duration::from_secs(10);
const REDELIVERY: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
const POLL_ONLY: Verdict = Verdict::Refused { again_at: None };
const FAILED: Verdict = Verdict::EndpointFailed;

/// The one event that is due, as it is chosen now.
async fn work(tpp: &Tpp) -> Work {
    let mut work = tpp.looks(100).await.unwrap().work;
    assert_eq!(work.len(), 1, "{work:?}");
    work.remove(0)
}

/// Refusals, since when, and failures of the endpoint.
fn counters(work: &Work) -> (u32, Option<Timestamp>, u32) {
    (work.refusals, work.refused_since, work.endpoint_failures)
}

async fn retries(tpp: &Tpp, jtis: &[Jti]) -> u64 {
    let now = tpp.ledger.now();
    let retried = tpp
        .ledger
        .retry_pushes(operator(), tpp.id.clone(), jtis.to_vec(), now);
    retried.await.unwrap()
}

async fn resumes(tpp: &Tpp) {
    let now = tpp.ledger.now();
    let resumed = tpp.ledger.resume_endpoint(operator(), tpp.id.clone(), now);
    assert!(resumed.await.unwrap());
}

// P-14, D-10
#[tokio::test]
async fn what_was_not_tried_is_put_back_in_its_old_turn_and_offered_to_polls_at_once() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let mut news = Vec::new();
    for _ in 0..3 {
        news.push(acme.news().await);
        ledger.pass(SECOND);
    }
    let chosen = acme.looks(2).await.unwrap().work;
    assert_eq!(chosen.len(), 2);
    assert_eq!(acme.receives(ask().max(9).waiting()).await, news[2..]);
    assert_eq!(acme.puts_back(&news[..2]).await, 2);
    assert_eq!(acme.next_push_at().await, Some(ledger.now() - SECOND * 3));
    ledger.pass(REDELIVERY);
    assert_eq!(acme.is_pushed().await, news);
    assert_eq!(acme.puts_back(&news[..2]).await, 2);
    assert_eq!(acme.receives(ask().waiting()).await, news[..2]);
}

// P-14
#[tokio::test]
async fn what_has_no_flight_to_end_is_not_put_back() {
    let ledger = ledger().await;
    let (acme, bolt) = (pushed(&ledger, "acme").await, pushed(&ledger, "bolt").await);
    let news = acme.much_news(4).await;
    assert_eq!(acme.puts_back(&news).await, 0, "nothing was chosen");
    acme.is_pushed().await;
    acme.answers(news[0], Verdict::Acknowledged).await;
    acme.answers(news[1], POLL_ONLY).await;
    acme.polls(ask().max(0).ack(&news[2..3])).await;
    assert_eq!(bolt.puts_back(&news).await, 0, "another's");
    assert_eq!(acme.puts_back(&[ledger.jti()]).await, 0, "unknown");
    assert_eq!(acme.puts_back(&news).await, 1);
    assert_eq!(acme.puts_back(&news).await, 0, "it was put back before");
    assert_eq!(acme.is_pushed().await, news[3..]);
    assert_eq!(acme.outcome(news[0]).await, BY_PUSH);
}

// P-14, S-11
#[tokio::test]
async fn what_lost_its_address_in_flight_is_put_back_for_polls_alone() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.is_pushed().await;
    acme.replaces(everything()).await;
    assert_eq!(acme.receives(ask().waiting()).await, []);
    assert_eq!(acme.puts_back(&[jti]).await, 1);
    assert_eq!(acme.receives(ask().waiting()).await, [jti]);
    ledger.pass(REDELIVERY);
    assert_eq!(acme.is_pushed().await, []);
}

// P-14
#[tokio::test]
async fn what_a_poll_was_handed_in_flight_is_put_back_behind_its_delay() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.is_pushed().await;
    assert_eq!(acme.receives(ask()).await, [jti]);
    ledger.pass(SECOND);
    assert_eq!(acme.puts_back(&[jti]).await, 1);
    assert_eq!(acme.receives(ask().waiting()).await, []);
    let lapses = Some(ledger.now() + REDELIVERY - SECOND);
    assert_eq!(acme.next_push_at().await, lapses);
}

// P-14, D-05
#[tokio::test]
async fn what_is_put_back_or_given_back_wakes_a_lane_that_was_let_go() {
    for is_tried in [false, true] {
        let ledger = ledger().await;
        let acme = pushed(&ledger, "acme").await;
        let jti = acme.news().await;
        let one = lease(&ledger, "one").await;
        claims(&ledger, &one).await;
        acme.is_pushed_by(&one).await;
        reports(&one, &acme, Health::Responsive, LET_GO).await;
        ledger.pass(SECOND);
        assert_eq!(claims(&ledger, &one).await, Vec::<String>::new());
        if is_tried {
            let again_at = Some(ledger.now() + SECOND);
            acme.answers(jti, Verdict::Refused { again_at }).await;
            assert_eq!(claims(&ledger, &one).await, Vec::<String>::new());
            ledger.pass(SECOND);
        } else {
            acme.puts_back(&[jti]).await;
        }
        assert_eq!(claims(&ledger, &one).await, ["acme"]);
        assert_eq!(acme.is_pushed_by(&one).await, [jti]);
    }
}

// D-10, P-14
#[tokio::test]
async fn in_strict_order_what_is_put_back_goes_first() {
    let ledger = ledger().await;
    let overrides = Overrides {
        delivery_order: Some(DeliveryOrder::Strict),
        ..Overrides::default()
    };
    let acme = ledger.tpp_with("acme", overrides).await;
    let wish = pushed_to("acme.example", everything());
    acme.subscribes(wish).await.unwrap();
    let news = acme.much_news(2).await;
    assert_eq!(acme.is_pushed().await, news[..1]);
    ledger.pass(SECOND);
    acme.puts_back(&news[..1]).await;
    assert_eq!(acme.is_pushed().await, news[..1]);
    acme.answers(news[0], FAILED).await;
    assert_eq!(
        acme.is_pushed().await,
        news[..1],
        "nobody passes the oldest"
    );
}

// D-04, D-10
#[tokio::test]
async fn an_event_that_probed_in_vain_keeps_its_turn() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let news = acme.much_news(3).await;
    for probers in [1, 1, 2, 3] {
        ledger.pass(SECOND);
        assert_eq!(pushes(&acme, probers).await, news[..probers as usize]);
        let (prober, passed_over) = news[..probers as usize].split_last().unwrap();
        acme.puts_back(passed_over).await;
        assert_eq!(acme.answers(*prober, FAILED).await, Recorded::Applied);
    }
    ledger.pass(SECOND);
    assert_eq!(acme.is_pushed().await, news);
}

// D-07, D-04
#[tokio::test]
async fn an_event_remembers_its_refusals_and_the_failures_of_its_endpoint() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    assert_eq!(counters(&work(&acme).await), (0, None, 0));
    let first = ledger.pass(SECOND);
    let again_at = Some(first);
    acme.answers(jti, Verdict::Refused { again_at }).await;
    assert_eq!(counters(&work(&acme).await), (1, Some(first), 0));
    acme.answers(jti, FAILED).await;
    assert_eq!(counters(&work(&acme).await), (1, Some(first), 1));
    let again_at = Some(ledger.pass(SECOND));
    acme.answers(jti, Verdict::Refused { again_at }).await;
    assert_eq!(counters(&work(&acme).await), (2, Some(first), 1));
    acme.answers(jti, FAILED).await;
    ledger.pass(SECOND);
    let polled = acme.polls(ask()).await.work.remove(0);
    assert_eq!(counters(&polled), (2, Some(first), 2));
}

// D-07, D-06, I-04
#[tokio::test]
async fn a_put_and_an_operator_begin_the_counters_anew_and_push_what_was_poll_only() {
    for nth in 0..3 {
        let ledger = ledger().await;
        let acme = pushed(&ledger, "acme").await;
        let news = acme.much_news(2).await;
        acme.is_pushed().await;
        acme.answers(news[0], FAILED).await;
        acme.is_pushed().await;
        acme.answers(news[0], POLL_ONLY).await;
        acme.answers(news[1], POLL_ONLY).await;
        ledger.pass(SECOND);
        match nth {
            0 => drop(acme.replaces(pushed_to("new.example", everything())).await),
            1 => assert_eq!(retries(&acme, &news).await, 2),
            _ => resumes(&acme).await,
        }
        let work = acme.looks(100).await.unwrap().work;
        let jtis: Vec<Jti> = work.iter().map(|work| work.jti).collect();
        assert_eq!(jtis, news);
        assert!(work.iter().all(|work| counters(work) == (0, None, 0)));
    }
}

// I-04, D-07
#[tokio::test]
async fn a_requeued_event_begins_with_no_refusals() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    acme.is_pushed().await;
    acme.answers(jti, POLL_ONLY).await;
    acme.polls(ask().max(0).error(jti, "jwtAud").error_cap(1))
        .await;
    let always = Timestamp::from_unix_ms(0)..Timestamp::MAX;
    let now = ledger.now();
    let requeued = ledger.requeue_failed(operator(), acme.id.clone(), always, 9, now);
    assert_eq!(requeued.await.unwrap(), [jti]);
    assert_eq!(counters(&work(&acme).await), (0, None, 0));
}

// D-07, D-06
#[tokio::test]
async fn what_comes_of_a_flight_that_a_put_or_an_operator_overtook_is_not_charged() {
    for (nth, verdict) in (0..3).flat_map(|nth| [(nth, POLL_ONLY), (nth, FAILED)]) {
        let ledger = ledger().await;
        let acme = pushed(&ledger, "acme").await;
        let jti = acme.news().await;
        acme.is_pushed().await;
        ledger.pass(SECOND);
        match nth {
            0 => drop(acme.replaces(pushed_to("new.example", everything())).await),
            1 => assert_eq!(retries(&acme, &[jti]).await, 1),
            _ => resumes(&acme).await,
        }
        assert_eq!(acme.is_pushed().await, [], "it is in flight");
        let landed = ledger.pass(SECOND);
        assert_eq!(acme.answers(jti, verdict).await, Recorded::Applied);
        assert!(acme.polls(ask().max(0)).await.more_available);
        assert_eq!(counters(&work(&acme).await), (0, None, 0));
        acme.answers(jti, verdict).await;
        let again = acme.looks(100).await.unwrap();
        match verdict {
            POLL_ONLY => assert_eq!((again.work, again.next_at), (vec![], None)),
            _ => assert_eq!(counters(&again.work[0]), (0, None, 1), "since {landed:?}"),
        }
    }
}

// P-14, I-04
#[tokio::test]
async fn a_retry_does_not_push_what_a_poll_was_just_handed() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    assert_eq!(acme.receives(ask()).await, [jti]);
    assert_eq!(retries(&acme, &[jti]).await, 1);
    assert_eq!(acme.is_pushed().await, []);
    assert_eq!(acme.next_push_at().await, Some(ledger.now() + REDELIVERY));
}

// I-04, I-05, D-07
#[tokio::test]
async fn a_resume_that_brings_poll_only_events_back_stands_in_the_trail_and_an_idle_one_does_not() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    let resumed = async || {
        let trail = ledger.list_audit(Some(acme.id.clone()), None, 100).await;
        let entries = trail.unwrap().rows.into_iter();
        entries
            .filter(|entry| entry.action == "endpoint.resumed")
            .count()
    };
    resumes(&acme).await;
    assert_eq!(resumed().await, 0);
    acme.is_pushed().await;
    acme.answers(jti, POLL_ONLY).await;
    for _ in 0..2 {
        resumes(&acme).await;
        assert_eq!(resumed().await, 1);
    }
    assert_eq!(acme.is_pushed().await, [jti]);
}

// P-14, S-12
#[tokio::test]
async fn a_choice_for_a_poll_that_came_to_nothing_holds_no_push_back() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let jti = acme.news().await;
    let one = lease(&ledger, "one").await;
    claims(&ledger, &one).await;
    let polled = acme.polls(ask()).await.work.remove(0);
    let SetState::Unsigned { revision, .. } = polled.set else {
        panic!("signed already");
    };
    let wish = pushed_to("acme.example", only(&[UPDATE]));
    acme.replaces(wish).await;
    claims(&ledger, &one).await;
    assert_eq!(acme.is_pushed_by(&one).await, []);
    reports(&one, &acme, Health::Responsive, LET_GO).await;
    let purpose = Purpose::HandOut {
        cap: None,
        interaction_id: oyez_testkit::making::interaction("poll-1"),
    };
    ledger.pass(SECOND);
    let kept = acme.keeps(acme.signed(jti, revision, purpose)).await;
    assert_eq!(kept, Kept::ChooseAgain);
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
    assert_eq!(acme.is_pushed_by(&one).await, [jti]);
}

// P-14, I-06
#[tokio::test]
async fn what_ends_in_flight_is_neither_put_back_nor_charged() {
    for nth in 0..2 {
        let ledger = ledger().await;
        let acme = pushed(&ledger, "acme").await;
        let jti = acme.news().await;
        acme.is_pushed().await;
        let now = ledger.pass(SECOND);
        let ended = match nth {
            0 => ledger.expire(Timestamp::MAX, 9, now).await,
            _ => {
                ledger
                    .withdraw(operator(), acme.id.clone(), vec![jti], now)
                    .await
            }
        };
        assert_eq!(ended.unwrap(), 1);
        assert_eq!(acme.puts_back(&[jti]).await, 0);
        let recorded = acme.answers(jti, FAILED).await;
        assert!(matches!(recorded, Recorded::AlreadySettled(_)));
        ledger.pass(IN_FLIGHT);
        assert_eq!(acme.is_pushed().await, []);
        assert_eq!(acme.file(jti).await.attempts.len(), 1);
    }
}

async fn pushes(acme: &Tpp, events_max: u32) -> Vec<Jti> {
    let work = acme.looks(events_max).await.unwrap().work;
    work.into_iter().map(|work| work.jti).collect()
}
