//! Taking events in (I-01, I-02).

use oyez_domain::event::Family;
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_store::Error;
use tokio::task::JoinSet;

use super::ledger;
use crate::fixture::{Tpp, ask};
use oyez_testkit::making::{
    LINKED, REVOKED, UPDATE, callback, client, everything, keyed, notice, only, submission,
};

// I-01
#[tokio::test]
async fn each_item_gets_its_own_outcome_and_one_bad_item_does_not_sink_the_batch() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", only(&[UPDATE])).await;
    let mute = ledger.tpp("mute").await;
    let gone = ledger.subscriber("gone", everything()).await;
    gone.is_disabled().await;
    let told = |id, types: &[&str]| submission(ledger.jti(), notice(id, Family::Aisp, types));
    let batch = vec![
        told(&acme.id, &[UPDATE]),
        told(&client("stranger"), &[UPDATE]),
        told(&mute.id, &[UPDATE]),
        told(&acme.id, &[LINKED]),
        told(&gone.id, &[UPDATE]),
        told(&acme.id, &[LINKED, UPDATE]),
    ];
    let (first, last) = (batch[0].jti, batch[5].jti);
    assert_eq!(
        ledger.accept(batch, ledger.now()).await.unwrap(),
        [
            Acceptance::Accepted(first),
            Acceptance::UnknownTpp,
            Acceptance::NoSubscription,
            Acceptance::NotSubscribed,
            Acceptance::Disabled,
            Acceptance::Accepted(last),
        ]
    );
    assert_eq!(acme.counts().await.accepted, 2);
    assert_eq!(gone.counts().await.accepted, 0);
}

// C-07
#[tokio::test]
async fn a_callback_url_alone_is_told_resource_updates_only() {
    let ledger = ledger().await;
    let acme = ledger.tpp("acme").await;
    acme.registers_callback(callback("acme.example"))
        .await
        .unwrap();
    acme.news().await;
    let revoked = notice(&acme.id, Family::Aisp, &[REVOKED]);
    assert_eq!(acme.publish(revoked).await, Acceptance::NotSubscribed);
}

// I-01, D-10
#[tokio::test]
async fn positions_are_gapless_per_tpp_and_in_the_order_of_the_items() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", only(&[UPDATE])).await;
    let bolt = ledger.subscriber("bolt", everything()).await;
    let of =
        |tpp: &Tpp, types: &[&str]| submission(ledger.jti(), notice(&tpp.id, Family::Aisp, types));
    let batch = vec![
        of(&acme, &[UPDATE]),
        of(&bolt, &[UPDATE]),
        of(&acme, &[LINKED]),
        of(&acme, &[UPDATE]),
    ];
    ledger.accept(batch, ledger.now()).await.unwrap();
    acme.news().await;
    let positions: Vec<u64> = acme
        .polls(ask())
        .await
        .work
        .iter()
        .map(|it| it.position)
        .collect();
    assert_eq!(positions, [1, 2, 3]);
    assert_eq!(bolt.polls(ask()).await.work[0].position, 1);
}

// I-01, D-10
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_stay_gapless_when_many_publish_at_once() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let mut publishers = JoinSet::new();
    for _ in 0..16 {
        let acme = acme.clone();
        publishers.spawn(async move { acme.much_news(7).await });
    }
    publishers.join_all().await;
    let mut positions: Vec<u64> = acme
        .polls(ask().max(1_000))
        .await
        .work
        .iter()
        .map(|it| it.position)
        .collect();
    positions.sort_unstable();
    assert_eq!(positions, (1..=112).collect::<Vec<u64>>());
}

// I-02
#[tokio::test]
async fn a_repeat_is_a_duplicate_of_the_first_and_changes_nothing() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let said = |content| {
        let notice = notice(&acme.id, Family::Aisp, &[UPDATE]);
        keyed(submission(ledger.jti(), notice), "once", content)
    };
    let first = said(1);
    let jti = first.jti;
    let (repeat, other) = (said(1), said(2));
    let answer = ledger
        .accept(vec![first, repeat, other], ledger.now())
        .await
        .unwrap();
    assert_eq!(
        answer,
        [
            Acceptance::Accepted(jti),
            Acceptance::Duplicate(jti),
            Acceptance::IdempotencyConflict
        ]
    );
    acme.polls(ask().ack(&[jti])).await;
    let later = ledger
        .accept(vec![said(1), said(2)], ledger.now())
        .await
        .unwrap();
    assert_eq!(
        later,
        [Acceptance::Duplicate(jti), Acceptance::IdempotencyConflict]
    );
    assert_eq!(acme.counts().await.accepted, 1);
}

// I-02
#[tokio::test]
async fn only_accepted_items_are_remembered() {
    let ledger = ledger().await;
    let acme = ledger.tpp("acme").await;
    let said = || {
        keyed(
            submission(ledger.jti(), notice(&acme.id, Family::Aisp, &[UPDATE])),
            "k",
            1,
        )
    };
    let refused = ledger
        .accept(vec![said(), said()], ledger.now())
        .await
        .unwrap();
    assert_eq!(
        refused,
        [Acceptance::NoSubscription, Acceptance::NoSubscription]
    );
    acme.subscribes(everything()).await.unwrap();
    let again = said();
    let jti = again.jti;
    let taken = ledger.accept(vec![again], ledger.now()).await.unwrap();
    assert_eq!(taken, [Acceptance::Accepted(jti)]);
}

// I-02
#[tokio::test]
async fn a_repeat_is_recognised_before_a_disabled_tpp_is_refused() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let said = |key| {
        keyed(
            submission(ledger.jti(), notice(&acme.id, Family::Aisp, &[UPDATE])),
            key,
            1,
        )
    };
    let first = said("k");
    let jti = first.jti;
    ledger.accept(vec![first], ledger.now()).await.unwrap();
    acme.is_disabled().await;
    let answer = ledger
        .accept(vec![said("k"), said("l")], ledger.now())
        .await
        .unwrap();
    assert_eq!(answer, [Acceptance::Duplicate(jti), Acceptance::Disabled]);
}

// I-02
#[tokio::test]
async fn the_same_key_of_two_tpps_is_two_keys() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let bolt = ledger.subscriber("bolt", everything()).await;
    let said = |tpp: &Tpp, content| {
        let notice = notice(&tpp.id, Family::Aisp, &[UPDATE]);
        keyed(submission(ledger.jti(), notice), "k", content)
    };
    let batch = vec![said(&acme, 1), said(&bolt, 2)];
    let wanted: Vec<_> = batch
        .iter()
        .map(|it| Acceptance::Accepted(it.jti))
        .collect();
    assert_eq!(ledger.accept(batch, ledger.now()).await.unwrap(), wanted);
}

// I-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_say_the_same_at_once_one_is_accepted_and_all_name_it() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let mut publishers = JoinSet::new();
    for _ in 0..32 {
        let (ledger, id) = (ledger.clone(), acme.id.clone());
        publishers.spawn(async move {
            let notice = notice(&id, Family::Aisp, &[UPDATE]);
            let said = keyed(submission(ledger.jti(), notice), "k", 1);
            ledger.accept(vec![said], ledger.now()).await.unwrap()[0]
        });
    }
    let answers = publishers.join_all().await;
    let accepted: Vec<_> = answers
        .iter()
        .filter(|it| matches!(it, Acceptance::Accepted(_)))
        .collect();
    let [Acceptance::Accepted(first)] = accepted[..] else {
        panic!("{} were accepted", accepted.len());
    };
    let named = |it: &&Acceptance| **it == Acceptance::Duplicate(*first);
    assert_eq!(answers.iter().filter(named).count(), 31);
    assert_eq!(acme.counts().await.accepted, 1);
}

// T-01
#[tokio::test]
async fn a_jti_that_was_used_before_refuses_the_whole_batch() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let used = acme.news().await;
    let notice = notice(&acme.id, Family::Aisp, &[UPDATE]);
    let batch = vec![
        submission(ledger.jti(), notice.clone()),
        submission(used, notice),
    ];
    let answer = ledger.accept(batch, ledger.now()).await;
    assert!(
        matches!(answer, Err(Error::Inconsistent { .. })),
        "{answer:?}"
    );
    assert_eq!(acme.counts().await.accepted, 1);
    acme.news().await;
    let positions: Vec<u64> = acme
        .polls(ask())
        .await
        .work
        .iter()
        .map(|it| it.position)
        .collect();
    assert_eq!(positions, [1, 2]);
}
