//! What operators do, and the trail that each act leaves in the same unit (I-04, I-05, A-09).

use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::history::AuditEntry;
use oyez_domain::ledger::lanes::Health;
use oyez_domain::ledger::push::Verdict;
use oyez_domain::ledger::registering::{Kind, Refusal};
use oyez_domain::life::{Outcome, Withdrawn};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{Overrides, Standing};
use serde_json::json;

use super::ledger;
use crate::fixture::{BY_POLL, Ledger, Tpp, ask, operator};
use oyez_testkit::making::{LINKED, UPDATE, client, everything, only, profile, pushed_to};

const WITHDRAWN: Option<Outcome> = Some(Outcome::Withdrawn(Withdrawn::ByOperator));

async fn trail(ledger: &Ledger) -> Vec<AuditEntry> {
    ledger.list_audit(None, None, 1_000).await.unwrap().rows
}

/// What the newest entry says, and how many there are.
async fn last_entry(ledger: &Ledger) -> (usize, Actor, String, Option<ClientId>, Timestamp) {
    let entries = trail(ledger).await;
    let last = entries[0].clone();
    (
        entries.len(),
        last.actor,
        last.action,
        last.client_id,
        last.at,
    )
}

fn said(
    entries: usize,
    action: &str,
    tpp: &Tpp,
) -> (usize, Actor, String, Option<ClientId>, Timestamp) {
    (
        entries,
        operator(),
        action.to_owned(),
        Some(tpp.id.clone()),
        tpp.ledger.now(),
    )
}

async fn failed(tpp: &Tpp) -> Jti {
    let jti = tpp.news().await;
    tpp.polls(ask().max(0).error(jti, "jwtAud").error_cap(1))
        .await;
    jti
}

async fn requeue(tpp: &Tpp, accepted: std::ops::Range<Timestamp>, events_max: u32) -> Vec<Jti> {
    let (ledger, now) = (&tpp.ledger, tpp.ledger.now());
    ledger
        .requeue_failed(operator(), tpp.id.clone(), accepted, events_max, now)
        .await
        .unwrap()
}

const ALWAYS: std::ops::Range<Timestamp> = Timestamp::from_unix_ms(0)..Timestamp::MAX;

// I-04, I-05
#[tokio::test]
async fn tpps_are_registered_changed_disabled_and_enabled_each_with_its_entry() {
    let ledger = ledger().await;
    let acme = ledger.tpp("acme").await;
    assert_eq!(last_entry(&ledger).await, said(1, "tpp.registered", &acme));
    ledger.pass(Duration::from_secs(1));
    let strict = profile(Overrides {
        error_cap: NonZeroU32::new(3),
        ..Overrides::default()
    });
    let changed = ledger
        .change_tpp(operator(), acme.id.clone(), strict.clone(), ledger.now())
        .await;
    let changed = changed.unwrap().unwrap();
    assert_eq!(
        (&changed.profile, changed.changed_at),
        (&strict, ledger.now())
    );
    assert_eq!(
        ledger.find_tpp(acme.id.clone()).await.unwrap(),
        Some(changed)
    );
    assert_eq!(last_entry(&ledger).await, said(2, "tpp.changed", &acme));
    acme.is_disabled().await;
    assert_eq!(last_entry(&ledger).await, said(3, "tpp.disabled", &acme));
    acme.stands(Standing::Active).await;
    assert_eq!(last_entry(&ledger).await, said(4, "tpp.enabled", &acme));
    let entries = trail(&ledger).await;
    assert_eq!(
        entries.iter().map(|it| it.sequence).collect::<Vec<_>>(),
        [4, 3, 2, 1]
    );
    assert_eq!(
        (&entries[3].before, entries[3].after.is_some()),
        (&None, true)
    );
    assert!(
        entries[..3]
            .iter()
            .all(|it| it.before.is_some() && it.before != it.after)
    );
}

// I-05
#[tokio::test]
async fn what_changes_nothing_leaves_no_entry() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let jti = acme.news().await;
    acme.polls(ask().max(0).ack(&[jti])).await;
    let before = trail(&ledger).await;
    let (now, stranger) = (ledger.now(), client("stranger"));
    let same = profile(Overrides::default());
    let taken = ledger
        .register_tpp(operator(), acme.id.clone(), same.clone(), now)
        .await;
    assert_eq!(taken.unwrap(), None);
    ledger
        .change_tpp(operator(), acme.id.clone(), same.clone(), now)
        .await
        .unwrap();
    assert_eq!(
        ledger
            .change_tpp(operator(), stranger.clone(), same, now)
            .await
            .unwrap(),
        None
    );
    acme.stands(Standing::Active).await;
    let standing = ledger
        .set_standing(operator(), stranger.clone(), Standing::Active, now)
        .await;
    assert_eq!(standing.unwrap(), None);
    for id in [acme.id.clone(), stranger.clone()] {
        let (jtis, nothing) = (
            vec![jti],
            ledger.requeue_failed(operator(), id.clone(), ALWAYS, 9, now),
        );
        assert_eq!(nothing.await.unwrap(), []);
        assert_eq!(
            ledger
                .withdraw(operator(), id.clone(), jtis.clone(), now)
                .await
                .unwrap(),
            0
        );
        assert_eq!(
            ledger
                .retry_pushes(operator(), id.clone(), jtis, now)
                .await
                .unwrap(),
            0
        );
    }
    let removed = ledger.remove_registration(operator(), acme.id.clone(), Kind::CallbackUrl, now);
    assert_eq!(removed.await.unwrap(), Err(Refusal::NotFound));
    assert!(
        !ledger
            .pause_endpoint(operator(), stranger.clone(), now)
            .await
            .unwrap()
    );
    assert!(
        !ledger
            .resume_endpoint(operator(), stranger, now)
            .await
            .unwrap()
    );
    assert!(
        ledger
            .resume_endpoint(operator(), acme.id.clone(), now)
            .await
            .unwrap()
    );
    assert_eq!(trail(&ledger).await, before);
}

// I-05
#[tokio::test]
async fn a_tpps_own_changes_of_registration_are_in_the_trail_with_before_and_after() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.replaces(only(&[UPDATE])).await;
    acme.deletes(Kind::Subscription).await;
    let entries = trail(&ledger).await;
    let actions: Vec<&str> = entries.iter().map(|it| it.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "registration.deleted",
            "registration.replaced",
            "registration.created",
            "tpp.registered"
        ]
    );
    assert!(
        entries[..3]
            .iter()
            .all(|it| it.actor == Actor::Tpp(acme.id.clone()))
    );
    assert!(entries[..3].iter().all(|it| it.before != it.after));
}

// I-04, I-05, S-05
#[tokio::test]
async fn an_operator_removes_a_registration_whatever_its_version() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    let (kind, now) = (Kind::Subscription, ledger.now());
    let removed = ledger
        .remove_registration(operator(), acme.id.clone(), kind, now)
        .await;
    assert_eq!(removed.unwrap().unwrap().withdrawn, 1);
    let settlement = acme.file(jti).await.settlements.remove(0);
    assert_eq!(
        settlement.outcome,
        Outcome::Withdrawn(Withdrawn::RegistrationDeleted)
    );
    assert_eq!(settlement.actor, operator());
    assert_eq!(
        last_entry(&ledger).await,
        said(3, "registration.removed", &acme)
    );
}

// I-04, I-05
#[tokio::test]
async fn an_operator_takes_back_outstanding_events_of_that_tpp_only() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let bolt = ledger.subscriber("bolt", everything()).await;
    let (news, foreign) = (acme.much_news(3).await, bolt.news().await);
    acme.polls(ask().max(0).ack(&news[..1])).await;
    let jtis = vec![news[0], news[1], news[1], foreign, ledger.jti()];
    let now = ledger.now();
    assert_eq!(
        ledger
            .withdraw(operator(), acme.id.clone(), jtis, now)
            .await
            .unwrap(),
        1
    );
    assert_eq!(acme.outcome(news[0]).await, BY_POLL);
    assert_eq!(acme.outcome(news[1]).await, WITHDRAWN);
    assert_eq!(acme.file(news[1]).await.settlements[0].actor, operator());
    assert_eq!(acme.receives(ask()).await, news[2..]);
    assert_eq!(bolt.outcome(foreign).await, None);
    assert_eq!(last_entry(&ledger).await.2, "event.withdrawn");
}

// I-04, D-07
#[tokio::test]
async fn an_operator_pushes_poll_only_and_backed_off_events_again_at_once() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let news = acme.much_news(3).await;
    acme.is_pushed().await;
    acme.answers(news[0], Verdict::Refused { again_at: None })
        .await;
    let again_at = Some(ledger.now() + Duration::from_secs(3_000));
    acme.answers(news[1], Verdict::Refused { again_at }).await;
    acme.answers(news[2], Verdict::Acknowledged).await;
    let now = ledger.pass(Duration::from_secs(1));
    let retried = ledger
        .retry_pushes(operator(), acme.id.clone(), news.clone(), now)
        .await;
    assert_eq!(retried.unwrap(), 2);
    assert_eq!(last_entry(&ledger).await.2, "event.retried");
    assert_eq!(acme.is_pushed().await, news[..2]);
}

// I-04
#[tokio::test]
async fn a_requeued_event_is_outstanding_at_its_old_place_with_its_counts_begun_anew() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let old = failed(&acme).await;
    let new = acme.news().await;
    ledger.pass(Duration::from_secs(100));
    assert_eq!(requeue(&acme, ALWAYS, 10).await, [old]);
    assert_eq!(last_entry(&ledger).await, said(3, "event.requeued", &acme));
    let counts = acme.counts().await;
    assert_eq!((counts.failed, counts.outstanding), (0, 2));
    assert_eq!(acme.file(old).await.settlements.len(), 1);
    assert_eq!(acme.outcome(old).await, None);
    assert_eq!(
        acme.polls(ask().max(0).error(old, "jwtAud").error_cap(2))
            .await
            .settled,
        []
    );
    assert_eq!(acme.receives(ask().in_order()).await, [old]);
    assert_eq!(acme.is_pushed().await, [new]);
    acme.polls(ask().max(0).ack(&[old])).await;
    assert_eq!(acme.outcome(old).await, BY_POLL);
    assert_eq!(acme.file(old).await.settlements.len(), 2);
}

// I-04
#[tokio::test]
async fn a_requeue_takes_the_oldest_failed_events_of_its_range_and_nothing_else() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let bolt = ledger.subscriber("bolt", everything()).await;
    failed(&bolt).await;
    let early = failed(&acme).await;
    let from = ledger.pass(Duration::from_secs(1));
    let within = [failed(&acme).await, failed(&acme).await];
    acme.news().await;
    let until = ledger.pass(Duration::from_secs(1));
    failed(&acme).await;
    assert_eq!(requeue(&acme, from..until, 1).await, within[..1]);
    assert_eq!(requeue(&acme, from..until, 10).await, within[1..]);
    assert_eq!(acme.outcome(early).await, Some(Outcome::Failed));
    assert_eq!(bolt.counts().await.failed, 1);
}

// I-04, S-12
#[tokio::test]
async fn what_the_registration_no_longer_wants_is_not_requeued_and_does_not_use_up_the_bound() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let unwanted = acme.told(oyez_domain::event::Family::Aisp, &[LINKED]).await;
    acme.polls(ask().max(0).error(unwanted, "jwtAud").error_cap(1))
        .await;
    let wanted = failed(&acme).await;
    acme.replaces(only(&[UPDATE])).await;
    assert_eq!(acme.outcome(unwanted).await, Some(Outcome::Failed));
    assert_eq!(requeue(&acme, ALWAYS, 1).await, [wanted]);
    assert_eq!(acme.outcome(unwanted).await, Some(Outcome::Failed));
}

// I-04, I-05, D-06
#[tokio::test]
async fn endpoints_are_paused_and_resumed_each_with_its_entry() {
    let ledger = ledger().await;
    let acme = ledger.tpp("acme").await;
    let now = ledger.pass(Duration::from_secs(1));
    assert!(
        ledger
            .pause_endpoint(operator(), acme.id.clone(), now)
            .await
            .unwrap()
    );
    let lane = ledger.find_lane(acme.id.clone()).await.unwrap().unwrap();
    assert_eq!(lane.health, Health::Paused { since: now });
    assert_eq!(last_entry(&ledger).await, said(2, "endpoint.paused", &acme));
    assert!(
        ledger
            .pause_endpoint(operator(), acme.id.clone(), now)
            .await
            .unwrap()
    );
    assert_eq!(trail(&ledger).await.len(), 2);
    assert!(
        ledger
            .resume_endpoint(operator(), acme.id.clone(), now)
            .await
            .unwrap()
    );
    let lane = ledger.find_lane(acme.id.clone()).await.unwrap().unwrap();
    assert_eq!(lane.health, Health::Responsive);
    assert_eq!(
        last_entry(&ledger).await,
        said(3, "endpoint.resumed", &acme)
    );
    let states: Vec<_> = trail(&ledger).await.into_iter().take(2).collect();
    let (well, paused) = (json!("responsive"), json!({"paused": {"since": now}}));
    let said = |entry: &AuditEntry| (entry.before.clone(), entry.after.clone());
    assert_eq!(said(&states[0]), (Some(paused.clone()), Some(well.clone())));
    assert_eq!(said(&states[1]), (Some(well), Some(paused)));
}
