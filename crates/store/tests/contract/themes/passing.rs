//! Time passes: expiry and retention (I-02, I-03, I-06, D-08).

use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::Family;
use oyez_domain::ids::Jti;
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::history::{Retention, Swept};
use oyez_domain::ledger::push::{Recorded, Verdict};
use oyez_domain::life::Outcome;
use oyez_domain::time::Timestamp;

use super::ledger;
use crate::fixture::{Ledger, Tpp, ask, operator};
use oyez_testkit::making::{UPDATE, everything, keyed, notice, pushed_to, submission};

const DAY: Duration = Duration::from_secs(86_400);

const KEEP_A_DAY: Retention = Retention {
    settled_for: DAY,
    keys_for: DAY,
    minutes_for: DAY,
    batch_max: 100,
};

async fn sweep_all(ledger: &Ledger, retention: Retention) -> Swept {
    let mut total = Swept::default();
    loop {
        let swept = ledger.sweep(retention, ledger.now()).await.unwrap();
        if swept == Swept::default() {
            return total;
        }
        total.events += swept.events;
        total.keys += swept.keys;
        total.minutes += swept.minutes;
    }
}

async fn acknowledged(tpp: &Tpp) -> Jti {
    let jti = tpp.news().await;
    tpp.polls(ask().max(0).ack(&[jti])).await;
    jti
}

// I-06, D-08
#[tokio::test]
async fn what_nobody_acknowledged_expires_by_the_system_the_oldest_first() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let bolt = ledger.subscriber("bolt", everything()).await;
    let mut old = Vec::new();
    for tpp in [&acme, &bolt, &acme] {
        old.push((tpp, tpp.news().await));
        ledger.pass(Duration::from_secs(1));
    }
    let (until, young) = (ledger.now(), acme.news().await);
    assert_eq!(ledger.expire(until, 2, ledger.now()).await.unwrap(), 2);
    assert_eq!(acme.outcome(old[2].1).await, None);
    assert_eq!(ledger.expire(until, 2, ledger.now()).await.unwrap(), 1);
    assert_eq!(ledger.expire(until, 2, ledger.now()).await.unwrap(), 0);
    for (tpp, jti) in old {
        let settlement = tpp.file(jti).await.settlements.remove(0);
        assert_eq!(
            (settlement.outcome, settlement.actor),
            (Outcome::Expired, Actor::System)
        );
    }
    assert_eq!(acme.outcome(young).await, None);
    assert_eq!(
        (acme.counts().await.expired, bolt.counts().await.expired),
        (2, 1)
    );
}

// I-06, P-04
#[tokio::test]
async fn an_expired_event_is_neither_offered_nor_pushed_nor_acknowledged() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let jti = acme.news().await;
    ledger
        .expire(Timestamp::MAX, 9, ledger.now())
        .await
        .unwrap();
    assert_eq!(
        (acme.receives(ask()).await, acme.is_pushed().await),
        (vec![], vec![])
    );
    acme.polls(ask().ack(&[jti])).await;
    assert_eq!(acme.outcome(jti).await, Some(Outcome::Expired));
}

// I-06
#[tokio::test]
async fn settled_and_set_aside_events_do_not_expire_and_a_disabled_tpps_do() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acknowledged(&acme).await;
    let failed = acme.news().await;
    acme.polls(ask().max(0).error(failed, "x").error_cap(1))
        .await;
    assert_eq!(
        ledger
            .expire(Timestamp::MAX, 9, ledger.now())
            .await
            .unwrap(),
        0
    );
    acme.news().await;
    acme.is_disabled().await;
    assert_eq!(
        ledger
            .expire(Timestamp::MAX, 9, ledger.now())
            .await
            .unwrap(),
        1
    );
}

// I-06
#[tokio::test]
async fn settled_events_go_after_their_time_in_small_batches_oldest_settlement_first() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let waiting = acme.news().await;
    let mut settled = Vec::new();
    for _ in 0..5 {
        settled.push(acknowledged(&acme).await);
        ledger.pass(Duration::from_secs(1));
    }
    let small = Retention {
        batch_max: 2,
        ..KEEP_A_DAY
    };
    assert_eq!(
        ledger.sweep(small, ledger.now()).await.unwrap(),
        Swept::default()
    );
    ledger.pass(DAY);
    assert_eq!(ledger.sweep(small, ledger.now()).await.unwrap().events, 2);
    assert_eq!(ledger.find_event(settled[1]).await.unwrap(), None);
    assert!(ledger.find_event(settled[2]).await.unwrap().is_some());
    assert_eq!(sweep_all(&ledger, small).await.events, 3);
    assert_eq!(acme.outcome(waiting).await, None);
}

// I-03, I-06
#[tokio::test]
async fn counts_balance_after_retention_too() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let news = acme.much_news(6).await;
    acme.polls(
        ask()
            .max(0)
            .ack(&news[..2])
            .error(news[2], "x")
            .error_cap(1),
    )
    .await;
    ledger
        .withdraw(operator(), acme.id.clone(), vec![news[3]], ledger.now())
        .await
        .unwrap();
    ledger
        .expire(Timestamp::MAX, 1, ledger.now())
        .await
        .unwrap();
    let before = acme.counts().await;
    ledger.pass(DAY + DAY);
    assert_eq!(sweep_all(&ledger, KEEP_A_DAY).await.events, 5);
    assert_eq!(acme.counts().await, before);
    assert_eq!(acme.file(acme.news().await).await.summary.position, 7);
}

// I-06
#[tokio::test]
async fn a_failed_event_is_kept_from_its_last_settlement_on() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    acme.polls(ask().max(0).error(jti, "x").error_cap(1)).await;
    ledger.pass(DAY);
    acme.polls(ask().max(0).ack(&[jti])).await;
    ledger.pass(Duration::from_secs(1));
    assert_eq!(sweep_all(&ledger, KEEP_A_DAY).await.events, 0);
    ledger.pass(DAY);
    assert_eq!(sweep_all(&ledger, KEEP_A_DAY).await.events, 1);
    assert_eq!(ledger.find_event(jti).await.unwrap(), None);
}

// I-04, I-06
#[tokio::test]
async fn a_requeued_event_is_not_swept_for_its_old_end() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    acme.polls(ask().max(0).error(jti, "x").error_cap(1)).await;
    let always = Timestamp::from_unix_ms(0)..Timestamp::MAX;
    ledger
        .requeue_failed(operator(), acme.id.clone(), always, 9, ledger.now())
        .await
        .unwrap();
    ledger.pass(DAY + DAY);
    assert_eq!(sweep_all(&ledger, KEEP_A_DAY).await.events, 0);
    assert_eq!(acme.receives(ask()).await, [jti]);
}

// P-04, P-14, I-06
#[tokio::test]
async fn what_comes_after_the_sweep_finds_nothing_and_changes_nothing() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let jti = acknowledged(&acme).await;
    ledger.pass(DAY + DAY);
    sweep_all(&ledger, KEEP_A_DAY).await;
    let before = acme.counts().await;
    assert_eq!(acme.polls(ask().ack(&[jti])).await.settled, []);
    assert_eq!(
        acme.answers(jti, Verdict::Acknowledged).await,
        Recorded::Unknown
    );
    assert_eq!(acme.counts().await, before);
}

// I-02, I-06
#[tokio::test]
async fn keys_are_forgotten_after_their_time_and_not_with_their_events() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let said = || {
        let notice = notice(&acme.id, Family::Aisp, &[UPDATE]);
        keyed(submission(ledger.jti(), notice), "k", 1)
    };
    let first = said();
    let jti = first.jti;
    ledger.accept(vec![first], ledger.now()).await.unwrap();
    acme.polls(ask().max(0).ack(&[jti])).await;
    ledger.pass(DAY + Duration::from_secs(1));
    let longer = Retention {
        keys_for: DAY + DAY,
        ..KEEP_A_DAY
    };
    let swept = sweep_all(&ledger, longer).await;
    assert_eq!((swept.events, swept.keys), (1, 0));
    let repeat = ledger.accept(vec![said()], ledger.now()).await.unwrap();
    assert_eq!(repeat, [Acceptance::Duplicate(jti)]);
    ledger.pass(DAY);
    assert_eq!(sweep_all(&ledger, longer).await.keys, 1);
    let anew = said();
    let new = anew.jti;
    let answer = ledger.accept(vec![anew], ledger.now()).await.unwrap();
    assert_eq!(answer, [Acceptance::Accepted(new)]);
}

// I-06
#[tokio::test]
async fn minutes_go_after_their_time() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.news().await;
    ledger.pass(DAY + Duration::from_secs(120));
    acme.news().await;
    assert_eq!(sweep_all(&ledger, KEEP_A_DAY).await.minutes, 1);
    let always = Timestamp::from_unix_ms(0)..Timestamp::MAX;
    let left = ledger.minutes(Some(acme.id.clone()), always).await.unwrap();
    assert_eq!((left.len(), left[0].minute), (1, ledger.now().minute()));
}
