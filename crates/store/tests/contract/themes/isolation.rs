//! Two TPPs never touch each other (A-07, D-09): whatever one asks with the other's ids, the other is as before.

use std::ops::Range;
use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::ids::Jti;
use oyez_domain::ledger::history::{AuditEntry, Counts, EventFile, EventFilter, Minute};
use oyez_domain::ledger::lanes::Health;
use oyez_domain::ledger::push::Verdict;
use oyez_domain::ledger::registering::{Kind, Wish};
use oyez_domain::ledger::sets::Purpose;
use oyez_domain::registration::Registrations;
use oyez_domain::time::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::{lanes, ledger};
use crate::fixture::{Ledger, Tpp, ask, attempt, operator};
use oyez_testkit::making::{
    UPDATE, everything, interaction, keyed, notice, only, pushed_to, submission,
};

const ALWAYS: Range<Timestamp> = Timestamp::from_unix_ms(0)..Timestamp::MAX;

/// What one TPP asks, naming the other's events by number.
#[derive(Debug, Clone)]
enum Trespass {
    Poll {
        acks: Vec<usize>,
        errors: Vec<usize>,
        err: &'static str,
    },
    Keep(usize),
    Recheck(usize),
    Push,
    Attempt(usize, Verdict),
    Withdraw(Vec<usize>),
    RetryPushes(Vec<usize>),
    Requeue,
    Replace,
    Delete,
    Publish {
        key: bool,
    },
    Pause,
}

fn trespass() -> impl Strategy<Value = Trespass> {
    let some = || prop::collection::vec(0..EVENTS, 1..4);
    prop_oneof![
        (some(), some(), prop_oneof![Just("dup"), Just("jwtAud")])
            .prop_map(|(acks, errors, err)| Trespass::Poll { acks, errors, err }),
        (0..EVENTS).prop_map(Trespass::Keep),
        (0..EVENTS).prop_map(Trespass::Recheck),
        Just(Trespass::Push),
        (
            0..EVENTS,
            prop_oneof![Just(Verdict::Acknowledged), Just(Verdict::EndpointFailed)]
        )
            .prop_map(|(event, verdict)| Trespass::Attempt(event, verdict)),
        some().prop_map(Trespass::Withdraw),
        some().prop_map(Trespass::RetryPushes),
        Just(Trespass::Requeue),
        Just(Trespass::Replace),
        Just(Trespass::Delete),
        any::<bool>().prop_map(|key| Trespass::Publish { key }),
        Just(Trespass::Pause),
    ]
}

const EVENTS: usize = 6;

/// Everything that there is to know of a TPP.
#[derive(Debug, PartialEq)]
struct Known {
    registrations: Registrations,
    counts: Counts,
    events: Vec<EventFile>,
    minutes: Vec<Minute>,
    trail: Vec<AuditEntry>,
    health: Option<Health>,
    next_push_at: Option<Timestamp>,
}

async fn known(tpp: &Tpp) -> Known {
    let ledger = &tpp.ledger;
    let filter = EventFilter {
        client_id: Some(tpp.id.clone()),
        ..EventFilter::default()
    };
    let mut events = Vec::new();
    for event in ledger.list_events(filter, None, 1_000).await.unwrap().rows {
        events.push(tpp.file(event.jti).await);
    }
    Known {
        registrations: tpp.registrations().await,
        counts: tpp.counts().await,
        events,
        minutes: ledger.minutes(Some(tpp.id.clone()), ALWAYS).await.unwrap(),
        trail: ledger
            .list_audit(Some(tpp.id.clone()), None, 1_000)
            .await
            .unwrap()
            .rows,
        health: lanes::health(tpp).await,
        next_push_at: tpp.next_push_at().await,
    }
}

/// Six events: outstanding, polled, pushed, acknowledged, failed, withdrawn.
async fn victim(ledger: &Ledger) -> (Tpp, Vec<Jti>) {
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let told = notice(&acme.id, Family::Aisp, &[UPDATE]);
    let batch: Vec<_> = (0..EVENTS)
        .map(|nth| {
            keyed(
                submission(ledger.jti(), told.clone()),
                &format!("k-{nth}"),
                1,
            )
        })
        .collect();
    let jtis: Vec<Jti> = batch.iter().map(|it| it.jti).collect();
    ledger.accept(batch, ledger.now()).await.unwrap();
    acme.receives(ask().max(2)).await;
    acme.is_pushed().await;
    let said = ask()
        .max(0)
        .ack(&jtis[3..4])
        .error(jtis[4], "jwtAud")
        .error_cap(1);
    acme.polls(said).await;
    ledger
        .withdraw(
            operator(),
            acme.id.clone(),
            jtis[5..].to_vec(),
            ledger.now(),
        )
        .await
        .unwrap();
    (acme, jtis)
}

async fn commit(it: Trespass, bolt: &Tpp, acme: &Tpp, jtis: &[Jti]) {
    let (ledger, id, now) = (&bolt.ledger, bolt.id.clone(), bolt.ledger.now());
    let named = |events: Vec<usize>| events.into_iter().map(|nth| jtis[nth]).collect::<Vec<_>>();
    let purpose = Purpose::HandOut {
        cap: None,
        interaction_id: interaction("theft"),
    };
    match it {
        Trespass::Poll { acks, errors, err } => {
            let asked = ask().ack(&named(acks)).error_cap(1);
            let asked = named(errors)
                .into_iter()
                .fold(asked, |it, jti| it.error(jti, err));
            bolt.polls(asked).await;
        }
        Trespass::Keep(nth) => {
            bolt.keeps(bolt.signed(jtis[nth], 1, purpose)).await;
        }
        Trespass::Recheck(nth) => {
            ledger.recheck(None, id, vec![jtis[nth]]).await.unwrap();
        }
        Trespass::Push => {
            bolt.is_pushed().await;
        }
        Trespass::Attempt(nth, verdict) => {
            let ended = vec![ledger.ended(attempt(jtis[nth], verdict, now))];
            ledger.record_attempts(id, ended, now).await.unwrap();
        }
        Trespass::Withdraw(events) => {
            ledger
                .withdraw(operator(), id, named(events), now)
                .await
                .unwrap();
        }
        Trespass::RetryPushes(events) => {
            ledger
                .retry_pushes(operator(), id, named(events), now)
                .await
                .unwrap();
        }
        Trespass::Requeue => {
            ledger
                .requeue_failed(operator(), id, ALWAYS, 9, now)
                .await
                .unwrap();
        }
        Trespass::Replace => {
            let (target, wish) = (acme.target(Kind::Subscription).await, only(&[UPDATE]));
            let wish = Wish::Subscription(wish);
            ledger
                .replace_registration(id, target, wish, now)
                .await
                .unwrap()
                .unwrap_err();
        }
        Trespass::Delete => {
            let target = acme.target(Kind::Subscription).await;
            ledger
                .delete_registration(id, target, now)
                .await
                .unwrap()
                .unwrap_err();
        }
        Trespass::Publish { key } => {
            let said = submission(ledger.jti(), notice(&id, Family::Aisp, &[UPDATE]));
            let said = if key { keyed(said, "k-1", 2) } else { said };
            ledger.accept(vec![said], now).await.unwrap();
        }
        Trespass::Pause => {
            ledger.pause_endpoint(operator(), id, now).await.unwrap();
        }
    }
}

// A-07, D-09, P-04
#[test]
fn whatever_one_tpp_asks_with_anothers_ids_the_other_is_as_before() {
    let config = Config {
        cases: 32,
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let trespasses = prop::collection::vec(trespass(), 1..20);
    let outcome = TestRunner::new(config).run(&trespasses, |trespasses| {
        runtime.block_on(async {
            let ledger = ledger().await;
            let (acme, jtis) = victim(&ledger).await;
            let bolt = ledger
                .subscriber("bolt", pushed_to("bolt.example", everything()))
                .await;
            let before = known(&acme).await;
            for trespass in trespasses {
                ledger.pass(Duration::from_secs(1));
                commit(trespass, &bolt, &acme, &jtis).await;
            }
            assert_eq!(known(&acme).await, before);
        });
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("with the seed 7: {error}"));
}
