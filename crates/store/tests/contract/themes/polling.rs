//! What a poll chooses, and what it says of the rest (P-02, P-03, P-06, P-08, P-09, P-10, A-10, D-10).

use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::ledger::poll::NothingToPoll;
use oyez_domain::ledger::push::Verdict;
use oyez_domain::ledger::registering::Kind;
use tokio::task::JoinSet;

use super::ledger;
use crate::fixture::{ask, attempt};
use oyez_testkit::making::{UPDATE, callback, client, everything, pushed_to};

const REDELIVERY: Duration = Duration::from_secs(60);

// P-02, P-06
#[tokio::test]
async fn a_poll_takes_the_oldest_up_to_its_bound_and_says_whether_there_is_more() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let news = acme.much_news(3).await;
    let polled = acme.polls(ask().max(2)).await;
    let chosen: Vec<_> = polled.work.iter().map(|work| work.jti).collect();
    assert_eq!((chosen, polled.more_available), (news[..2].to_vec(), true));
    assert_eq!(polled.next_due_at, Some(ledger.now()));
    let rest = acme.polls(ask().max(1)).await;
    assert_eq!((rest.work[0].jti, rest.more_available), (news[2], false));
    assert_eq!(rest.next_due_at, Some(ledger.now() + REDELIVERY));
}

// P-02, P-06
#[tokio::test]
async fn a_poll_for_nothing_chooses_nothing_and_still_says_what_is_due() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let none = acme.polls(ask().max(0)).await;
    assert_eq!((none.more_available, none.next_due_at), (false, None));
    let jti = acme.news().await;
    let one = acme.polls(ask().max(0)).await;
    assert_eq!((one.work.len(), one.more_available), (0, true));
    assert_eq!(one.next_due_at, Some(ledger.now()));
    acme.receives(ask()).await;
    let later = acme.polls(ask().max(0)).await;
    assert_eq!(
        (later.more_available, later.next_due_at),
        (false, Some(ledger.now() + REDELIVERY))
    );
    let settled = acme.polls(ask().max(0).ack(&[jti])).await;
    assert_eq!((settled.settled, settled.next_due_at), (vec![jti], None));
}

// P-08
#[tokio::test]
async fn an_unacknowledged_event_is_due_again_after_the_redelivery_delay_to_the_millisecond() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    assert_eq!(acme.receives(ask().waiting()).await, [jti]);
    ledger.pass(REDELIVERY - Duration::from_millis(1));
    let early = acme.polls(ask().waiting()).await;
    assert_eq!((early.work.len(), early.more_available), (0, false));
    ledger.pass(Duration::from_millis(1));
    assert_eq!(acme.receives(ask().waiting()).await, [jti]);
}

// P-08
#[tokio::test]
async fn an_immediate_poll_gives_what_is_due_first_and_then_the_rest() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let old = acme.much_news(2).await;
    assert_eq!(acme.receives(ask()).await, old);
    ledger.pass(Duration::from_secs(1));
    let new = acme.news().await;
    assert_eq!(acme.receives(ask().max(2)).await, [new, old[0]]);
    assert_eq!(acme.receives(ask()).await, [old[1], old[0], new]);
}

// P-08
#[tokio::test]
async fn what_falls_due_together_goes_in_order_of_acceptance() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let news = acme.much_news(5).await;
    acme.receives(ask().max(3)).await;
    acme.receives(ask().max(2)).await;
    ledger.pass(REDELIVERY);
    assert_eq!(acme.receives(ask().waiting()).await, news);
}

// P-08
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_polls_over_a_backlog_differ() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let mut news = acme.much_news(80).await;
    let mut polls = JoinSet::new();
    for _ in 0..16 {
        let acme = acme.clone();
        polls.spawn(async move { acme.receives(ask().waiting().max(5)).await });
    }
    let mut received = polls.join_all().await.concat();
    received.sort_unstable();
    news.sort_unstable();
    assert_eq!(received, news);
}

// P-03
#[tokio::test]
async fn what_a_poll_acknowledges_it_does_not_choose() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let news = acme.much_news(2).await;
    let polled = acme.polls(ask().ack(&news[..1])).await;
    assert_eq!(polled.settled, news[..1]);
    assert_eq!(
        polled.work.iter().map(|work| work.jti).collect::<Vec<_>>(),
        news[1..]
    );
}

// A-10, P-02
#[tokio::test]
async fn a_token_sees_the_families_it_covers_and_nothing_tells_of_the_others() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let account = acme.told(Family::Aisp, &[UPDATE]).await;
    let payment = acme.told(Family::Pisp, &[UPDATE]).await;
    let polled = acme
        .polls(ask().max(1).seeing(&[Family::Pisp, Family::Vrp]))
        .await;
    assert_eq!(
        (polled.work[0].jti, polled.more_available),
        (payment, false)
    );
    let blind = acme.polls(ask().seeing(&[Family::Cbpii])).await;
    assert_eq!(
        (blind.work.len(), blind.more_available, blind.next_due_at),
        (0, false, None)
    );
    assert_eq!(
        acme.receives(ask().seeing(&[Family::Aisp])).await,
        [account]
    );
}

// P-09
#[tokio::test]
async fn each_hand_out_has_the_bytes_of_the_first() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let jti = acme.news().await;
    let first = acme.takes(ask()).await;
    ledger.pass(REDELIVERY);
    assert_eq!(acme.takes(ask()).await, first);
    ledger.pass(REDELIVERY);
    let due = acme.looks(100).await;
    let set = due.unwrap().work.remove(0).set;
    assert_eq!(
        set,
        oyez_domain::ledger::sets::SetState::Kept(first[0].1.clone())
    );
    assert_eq!(acme.file(jti).await.sets.len(), 1);
    assert_eq!(acme.file(jti).await.hand_outs.len(), 2);
}

// P-10
#[tokio::test]
async fn without_a_subscription_a_poll_is_refused_and_its_acks_still_count() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.registers_callback(callback("acme.example"))
        .await
        .unwrap();
    let news = acme.much_news(2).await;
    acme.receives(ask()).await;
    acme.deletes(Kind::Subscription).await;
    let polled = acme.polls(ask().ack(&news[..1])).await;
    assert_eq!(polled.refusal, Some(NothingToPoll::NoSubscription));
    assert_eq!((polled.settled, polled.work.len()), (news[..1].to_vec(), 0));
    assert_eq!((polled.more_available, polled.next_due_at), (false, None));
}

// A-09, P-10
#[tokio::test]
async fn a_disabled_or_unknown_tpp_is_not_served() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let news = acme.much_news(2).await;
    acme.is_disabled().await;
    let polled = acme.polls(ask().ack(&news[..1])).await;
    assert_eq!(polled.refusal, Some(NothingToPoll::NotServed));
    assert_eq!((polled.settled, polled.work.len()), (news[..1].to_vec(), 0));
    let stranger = ask().of(&client("stranger"));
    let refused = ledger.poll(stranger, ledger.now()).await.unwrap();
    assert_eq!(refused.refusal, Some(NothingToPoll::NotServed));
    assert_eq!(acme.counts().await.outstanding, 1);
}

// D-10
#[tokio::test]
async fn in_strict_order_only_the_oldest_is_handed_out_until_it_is_settled() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let news = acme.much_news(3).await;
    let polled = acme.polls(ask().in_order()).await;
    assert_eq!((polled.work.len(), polled.work[0].jti), (1, news[0]));
    assert!(!polled.more_available, "the next is behind the oldest");
    assert_eq!(polled.next_due_at, Some(ledger.now() + REDELIVERY));
    assert_eq!(acme.receives(ask().in_order().waiting()).await, []);
    assert_eq!(acme.receives(ask().in_order()).await, [news[0]]);
    let next = acme.polls(ask().in_order().max(0).ack(&news[..1])).await;
    assert!(next.more_available);
    assert_eq!(acme.receives(ask().in_order()).await, [news[1]]);
}

// A-10, D-10
#[tokio::test]
async fn in_strict_order_an_oldest_that_a_token_cannot_see_blocks_it() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.told(Family::Aisp, &[UPDATE]).await;
    acme.told(Family::Pisp, &[UPDATE]).await;
    let polled = acme.polls(ask().in_order().seeing(&[Family::Pisp])).await;
    assert_eq!(
        (polled.work.len(), polled.more_available, polled.next_due_at),
        (0, false, None)
    );
}

// P-11, P-14
#[tokio::test]
async fn a_push_in_flight_is_not_due_for_polls_until_its_time_limit() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let jti = acme.news().await;
    assert_eq!(acme.is_pushed().await, [jti]);
    let waiting = acme.polls(ask().waiting()).await;
    assert_eq!((waiting.work.len(), waiting.more_available), (0, false));
    ledger.pass(Duration::from_secs(10));
    assert_eq!(acme.receives(ask().waiting()).await, [jti]);
}

// P-11
#[tokio::test]
async fn a_push_that_was_acknowledged_is_settled_for_polls() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let jti = acme.news().await;
    acme.is_pushed().await;
    let ended = vec![ledger.ended(attempt(jti, Verdict::Acknowledged, ledger.now()))];
    ledger
        .record_attempts(acme.id.clone(), ended, ledger.now())
        .await
        .unwrap();
    assert_eq!(acme.receives(ask()).await, []);
}
