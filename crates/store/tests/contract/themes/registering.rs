//! Registrations under the TPP's lock (S-02, S-04, S-05, S-06, S-12, C-07a, C-08).

use oyez_domain::event::Family;
use oyez_domain::ledger::registering::{Kind, Refusal, Target, Wish};
use oyez_domain::life::{Outcome, Withdrawn};
use oyez_domain::version::ApiVersion;
use tokio::task::JoinSet;

use super::ledger;
use crate::fixture::ask;
use oyez_testkit::making::{
    LINKED, REVOKED, UPDATE, callback, client, everything, only, pushed_to,
};

const UNWANTED: Option<Outcome> = Some(Outcome::Withdrawn(Withdrawn::TypeNoLongerWanted));
const DELETED: Option<Outcome> = Some(Outcome::Withdrawn(Withdrawn::RegistrationDeleted));

// S-01, S-03
#[tokio::test]
async fn what_was_registered_is_read_back_as_it_was_said() {
    let ledger = ledger().await;
    let acme = ledger.tpp("acme").await;
    let wish = pushed_to("acme.example", only(&[UPDATE, REVOKED]));
    let answer = acme.subscribes(wish.clone()).await.unwrap();
    assert_eq!(acme.registrations().await, answer);
    let kept = answer.subscription.unwrap();
    assert_eq!((kept.wish, kept.api), (wish, ApiVersion::V4_0));
    assert_eq!(
        (kept.created_at, kept.changed_at),
        (ledger.now(), ledger.now())
    );
    assert_eq!(answer.callback_url, None);
}

// S-02
#[tokio::test]
async fn a_second_subscription_of_whatever_version_is_refused() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    for api in [ApiVersion::V3_1, ApiVersion::V4_0] {
        let second = acme.creates(Wish::Subscription(everything()), api).await;
        assert_eq!(second, Err(Refusal::AlreadyExists));
    }
}

// S-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_subscribe_at_once_exactly_one_does() {
    let ledger = ledger().await;
    let acme = ledger.tpp("acme").await;
    let mut clients = JoinSet::new();
    for _ in 0..32 {
        let acme = acme.clone();
        clients.spawn(async move { acme.subscribes(everything()).await });
    }
    let answers = clients.join_all().await;
    let created: Vec<_> = answers.iter().flatten().collect();
    assert_eq!(created.len(), 1);
    assert_eq!(acme.registrations().await, *created[0]);
    assert_eq!(
        answers
            .iter()
            .filter(|it| **it == Err(Refusal::AlreadyExists))
            .count(),
        31
    );
}

// S-02
#[tokio::test]
async fn a_deleted_subscription_makes_room_for_another() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.deletes(Kind::Subscription).await;
    assert_eq!(acme.registrations().await.subscription, None);
    assert!(acme.subscribes(everything()).await.is_ok());
}

//
#[tokio::test]
async fn unknown_and_disabled_tpps_change_nothing() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let target = acme.target(Kind::Subscription).await;
    acme.is_disabled().await;
    for id in [acme.id.clone(), client("stranger")] {
        let (wish, now) = (Wish::Subscription(everything()), ledger.now());
        let made = ledger.registration_id();
        let created = ledger
            .create_registration(id.clone(), made, wish.clone(), ApiVersion::V4_0, now)
            .await;
        assert_eq!(created.unwrap(), Err(Refusal::NotServed));
        let replaced = ledger
            .replace_registration(id.clone(), target.clone(), wish, now)
            .await;
        assert_eq!(replaced.unwrap(), Err(Refusal::NotServed));
        let deleted = ledger.delete_registration(id, target.clone(), now).await;
        assert_eq!(deleted.unwrap(), Err(Refusal::NotServed));
    }
    assert!(acme.registrations().await.subscription.is_some());
}

// S-04
#[tokio::test]
async fn a_replacement_is_whole_and_keeps_id_and_creation() {
    let ledger = ledger().await;
    let acme = ledger.tpp("acme").await;
    let wish = pushed_to("acme.example", only(&[UPDATE]));
    let first = acme.subscribes(wish).await.unwrap().subscription.unwrap();
    let later = ledger.pass(std::time::Duration::from_secs(5));
    acme.replaces(everything()).await;
    let kept = acme.registrations().await.subscription.unwrap();
    assert_eq!(
        (kept.wish, kept.id, kept.created_at),
        (everything(), first.id, first.created_at)
    );
    assert_eq!(kept.changed_at, later);
}

// S-06
#[tokio::test]
async fn an_older_path_neither_replaces_nor_deletes_what_a_newer_one_made() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let old = Target {
        api: ApiVersion::V3_1,
        ..acme.target(Kind::Subscription).await
    };
    let (wish, now) = (Wish::Subscription(everything()), ledger.now());
    let replaced = ledger
        .replace_registration(acme.id.clone(), old.clone(), wish, now)
        .await;
    assert_eq!(replaced.unwrap(), Err(Refusal::NotFound));
    let deleted = ledger.delete_registration(acme.id.clone(), old, now).await;
    assert_eq!(deleted.unwrap(), Err(Refusal::NotFound));
}

// S-06
#[tokio::test]
async fn after_a_put_through_a_newer_path_a_registration_is_that_versions() {
    let ledger = ledger().await;
    let acme = ledger.tpp("acme").await;
    acme.creates(Wish::Subscription(everything()), ApiVersion::V3_1)
        .await
        .unwrap();
    let old = Target {
        api: ApiVersion::V3_1,
        ..acme.target(Kind::Subscription).await
    };
    let (wish, now) = (Wish::Subscription(everything()), ledger.now());
    let through_old = ledger
        .replace_registration(acme.id.clone(), old.clone(), wish.clone(), now)
        .await;
    assert_eq!(
        through_old.unwrap().unwrap().0.subscription.unwrap().api,
        ApiVersion::V3_1
    );
    acme.replaces(everything()).await;
    assert_eq!(
        acme.registrations().await.subscription.unwrap().api,
        ApiVersion::V4_0
    );
    let again = ledger
        .replace_registration(acme.id.clone(), old, wish, now)
        .await;
    assert_eq!(again.unwrap(), Err(Refusal::NotFound));
}

// G-08, A-07
#[tokio::test]
async fn another_tpps_registration_is_told_apart_and_left_alone() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let bolt = ledger.subscriber("bolt", everything()).await;
    let before = acme.registrations().await;
    let (wish, now) = (Wish::Subscription(only(&[UPDATE])), ledger.now());
    let theirs = acme.target(Kind::Subscription).await;
    let replaced = ledger
        .replace_registration(bolt.id.clone(), theirs.clone(), wish.clone(), now)
        .await;
    assert_eq!(replaced.unwrap(), Err(Refusal::AnotherTpps));
    let deleted = ledger
        .delete_registration(bolt.id.clone(), theirs.clone(), now)
        .await;
    assert_eq!(deleted.unwrap(), Err(Refusal::AnotherTpps));
    let nobodys = Target {
        id: ledger.registration_id(),
        ..theirs
    };
    let missed = ledger
        .replace_registration(bolt.id.clone(), nobodys, wish, now)
        .await;
    assert_eq!(missed.unwrap(), Err(Refusal::NotFound));
    assert_eq!(acme.registrations().await, before);
}

// S-05
#[tokio::test]
async fn deleting_the_subscription_withdraws_what_is_outstanding_and_keeps_its_history() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let (had, waiting) = (acme.news().await, acme.news().await);
    acme.polls(ask().max(0).ack(&[had])).await;
    assert_eq!(acme.deletes(Kind::Subscription).await.withdrawn, 1);
    assert_eq!(acme.outcome(waiting).await, DELETED);
    assert_eq!(acme.receives(ask()).await, []);
    assert_eq!(acme.is_pushed().await, []);
    let counts = acme.counts().await;
    assert_eq!(
        (counts.acknowledged, counts.withdrawn, counts.outstanding),
        (1, 1, 0)
    );
}

// S-05
#[tokio::test]
async fn what_was_withdrawn_stays_so_under_the_next_subscription() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let old = acme.news().await;
    acme.deletes(Kind::Subscription).await;
    acme.subscribes(everything()).await.unwrap();
    let new = acme.news().await;
    assert_eq!(acme.receives(ask().ack(&[old])).await, [new]);
    assert_eq!(acme.outcome(old).await, DELETED);
    assert_eq!(acme.file(new).await.summary.position, 2);
}

// S-12
#[tokio::test]
async fn types_no_longer_wanted_are_withdrawn_and_the_rest_is_reduced_to_what_is() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let dropped = acme.told(Family::Aisp, &[LINKED]).await;
    let both = acme.told(Family::Aisp, &[LINKED, UPDATE]).await;
    assert_eq!(acme.replaces(only(&[UPDATE])).await.withdrawn, 1);
    assert_eq!(acme.outcome(dropped).await, UNWANTED);
    assert_eq!(acme.types_offered(both).await, [UPDATE]);
}

// S-12
#[tokio::test]
async fn a_change_that_wants_more_withdraws_nothing() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", only(&[UPDATE])).await;
    let waiting = acme.news().await;
    assert_eq!(acme.replaces(everything()).await.withdrawn, 0);
    assert_eq!(acme.receives(ask()).await, [waiting]);
}

// S-04, S-11, S-12
#[tokio::test]
async fn outstanding_events_follow_the_address_when_it_changes_goes_and_comes_back() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("old.example", everything()))
        .await;
    let waiting = acme.news().await;
    acme.replaces(pushed_to("new.example", everything())).await;
    assert!(acme.address().await.unwrap().contains("new.example"));
    acme.replaces(everything()).await;
    assert_eq!(
        (acme.address().await, acme.is_pushed().await),
        (None, vec![])
    );
    assert_eq!(acme.next_push_at().await, None);
    acme.replaces(pushed_to("new.example", everything())).await;
    assert_eq!(acme.is_pushed().await, [waiting]);
}

// S-11
#[tokio::test]
async fn without_an_address_events_are_never_pushed() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let waiting = acme.news().await;
    assert_eq!(
        (acme.is_pushed().await, acme.next_push_at().await),
        (vec![], None)
    );
    assert_eq!(acme.receives(ask()).await, [waiting]);
}

// C-08
#[tokio::test]
async fn while_a_subscription_exists_the_callback_url_is_kept_and_not_used() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("subscription.example", everything()))
        .await;
    acme.registers_callback(callback("callback.example"))
        .await
        .unwrap();
    let waiting = acme.told(Family::Aisp, &[REVOKED]).await;
    assert!(
        acme.address()
            .await
            .unwrap()
            .contains("subscription.example")
    );
    assert_eq!(acme.deletes(Kind::CallbackUrl).await.withdrawn, 0);
    assert_eq!(acme.outcome(waiting).await, None);
}

// C-07a, C-08
#[tokio::test]
async fn when_the_subscription_goes_updates_follow_the_callback_url_and_the_rest_is_withdrawn() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.registers_callback(callback("callback.example"))
        .await
        .unwrap();
    let update = acme.news().await;
    let revoked = acme.told(Family::Aisp, &[REVOKED]).await;
    assert_eq!(acme.deletes(Kind::Subscription).await.withdrawn, 1);
    assert!(acme.outcome(revoked).await.is_some());
    assert!(acme.address().await.unwrap().contains("callback.example"));
    assert_eq!(acme.is_pushed().await, [update]);
}

// C-05, C-07a
#[tokio::test]
async fn deleting_the_only_callback_url_withdraws_what_is_outstanding() {
    let ledger = ledger().await;
    let acme = ledger.tpp("acme").await;
    acme.registers_callback(callback("callback.example"))
        .await
        .unwrap();
    let waiting = acme.news().await;
    assert_eq!(acme.deletes(Kind::CallbackUrl).await.withdrawn, 1);
    assert_eq!(acme.outcome(waiting).await, DELETED);
}

// C-08
#[tokio::test]
async fn a_subscription_made_over_a_callback_url_takes_its_events_along() {
    let ledger = ledger().await;
    let acme = ledger.tpp("acme").await;
    acme.registers_callback(callback("callback.example"))
        .await
        .unwrap();
    let waiting = acme.news().await;
    acme.subscribes(everything()).await.unwrap();
    assert_eq!(acme.is_pushed().await, []);
    assert_eq!(acme.receives(ask()).await, [waiting]);
}

// S-05, I-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_slips_in_behind_a_deletion() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let mut publishers = JoinSet::new();
    for _ in 0..24 {
        let acme = acme.clone();
        publishers.spawn(async move {
            let notice = oyez_testkit::making::notice(&acme.id, Family::Aisp, &[UPDATE]);
            acme.publish(notice).await
        });
    }
    let deleting = acme.clone();
    publishers.spawn(async move {
        deleting.deletes(Kind::Subscription).await;
        oyez_domain::ledger::acceptance::Acceptance::NoSubscription
    });
    publishers.join_all().await;
    let counts = acme.counts().await;
    assert_eq!((counts.outstanding, counts.withdrawn), (0, counts.accepted));
}
