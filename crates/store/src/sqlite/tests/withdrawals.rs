//! A change of registration costs what it withdraws, in bounded steps, and none of what it withdrew is seen again (S-05, S-12).

#![expect(
    clippy::disallowed_methods,
    reason = "a test has no lifecycle whose tracker it could spawn on"
)]

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::Family;
use oyez_domain::ids::{InteractionId, Jti, NodeId, RegistrationId};
use oyez_domain::ledger::lanes::{Claim, Hold, LaneReport, Reported, Wanted};
use oyez_domain::ledger::push::{Answer, Attempt, Ended, Peer, Recorded, Verdict};
use oyez_domain::ledger::registering::{Kind, Target, Wish};
use oyez_domain::ledger::sets::{Kept, Look};
use oyez_domain::life::{Outcome, State, Withdrawn};
use oyez_domain::registration::SubscriptionWish;
use oyez_domain::time::Timestamp;
use oyez_domain::version::ApiVersion;
use oyez_testkit::making::{REVOKED, UPDATE, everything, notice, only, pushed_to, submission};
use rusqlite::Connection;

use super::{Home, accept, at, balance, jti, open, poll, signed, steps_of, tpp};
use crate::sqlite::accept::accept as take_in;
use crate::sqlite::poll::poll as choose;
use crate::sqlite::writer::Unit;
use crate::sqlite::{
    Ledger, Options, attempts, claims, lanes, push, registrations, requeue, retention, sets,
    withdraw,
};
use crate::{Error, Listen, News, Store};

/// A batch is so small that whatever is withdrawn is too much for it.
fn in_small_steps() -> Options {
    Options {
        withdrawn_at_once_max: 3,
        ..Options::default()
    }
}

fn put(unit: &mut Unit, wish: SubscriptionWish) -> Result<u64, Error> {
    let wish = Wish::Subscription(wish);
    let put = registrations::replace(unit, &tpp(), &subscription(), &wish, at(9))?;
    Ok(put.unwrap().1.withdrawn)
}

async fn replace(ledger: &Ledger, wish: SubscriptionWish) -> Result<u64, Error> {
    ledger.write(move |unit| put(unit, wish.clone())).await
}

fn subscription() -> Target {
    Target {
        kind: Kind::Subscription,
        id: RegistrationId::new("s-tpp").unwrap(),
        api: ApiVersion::V4_0,
    }
}

/// Another fact than those of [`accept`].
async fn accept_revoked(ledger: &Ledger, n: u64) {
    let revoked = submission(jti(n), notice(&tpp(), Family::Aisp, &[REVOKED]));
    ledger.accept(vec![revoked], at(0)).await.unwrap();
}

/// Returns when nothing is left to write.
async fn written(ledger: &Ledger) {
    while ledger.read(withdraw::rest).await.unwrap().is_some() {
        tokio::task::yield_now().await;
    }
}

async fn end(ledger: &Ledger, jti: Jti) -> State {
    ledger.find_event(jti).await.unwrap().unwrap().summary.state
}

// S-12, P-14, I-04, I-06
#[tokio::test]
async fn what_is_withdrawn_is_nobodys_from_the_change_on_though_its_end_is_not_written() {
    let home = Home::with_tpp(in_small_steps(), &tpp()).await;
    let ledger = &home.ledger;
    accept(ledger, &tpp(), 0..20).await;
    accept_revoked(ledger, 20).await;
    // All of this is one request, so the writer gets to do nothing between.
    let look = ledger.write(|unit| {
        assert_eq!(put(unit, only(&[REVOKED]))?, 20);
        let (last, owner, now) = (jti(19), tpp(), at(9));
        let polled = choose(unit, &poll(&owner, vec![last], 100), now)?;
        assert_eq!((polled.settled, polled.work), (vec![], vec![]));
        assert_eq!((polled.more_available, polled.refusal), (false, None));
        let kept = sets::keep(unit, &[signed(&owner, last)], now)?;
        assert_eq!(kept, [Kept::NoLongerOutstanding]);
        let rechecked = sets::recheck(unit, None, &owner, &[last])?;
        assert_eq!(rechecked, Some(vec![Kept::NoLongerOutstanding]));
        for verdict in [Verdict::EndpointFailed, Verdict::Acknowledged] {
            let recorded = attempts::record(unit, &owner, &[attempt(last, verdict)], now)?;
            assert!(
                matches!(&recorded[..], [Recorded::AlreadySettled(it)] if it.at == now),
                "{recorded:?}"
            );
        }
        let operator = Actor::System;
        assert_eq!(
            requeue::retry_pushes(unit, &operator, &owner, &[last], now)?,
            0
        );
        assert_eq!(withdraw::named(unit, &operator, &owner, &[last], now)?, 0);
        let again = put(unit, everything());
        assert!(matches!(again, Err(Error::Busy { .. })), "{again:?}");
        let removed = registrations::remove(unit, &operator, &owner, Kind::Subscription, now);
        assert!(matches!(removed, Err(Error::Busy { .. })), "{removed:?}");
        assert_eq!(
            retention::expire(unit, Timestamp::MAX, 5, now)?,
            1,
            "of the other kind"
        );
        Ok(())
    });
    look.await.unwrap();
    let counts = ledger.counts(tpp()).await.unwrap();
    assert_eq!(
        (counts.outstanding, counts.withdrawn, counts.expired),
        (0, 20, 1)
    );
    written(ledger).await;
    for n in 0..20 {
        let State::Settled(settlement) = end(ledger, jti(n)).await else {
            panic!("{n} is not settled");
        };
        assert_eq!(
            settlement.outcome,
            Outcome::Withdrawn(Withdrawn::TypeNoLongerWanted)
        );
        assert_eq!(
            (settlement.at, settlement.actor),
            (at(9), Actor::Tpp(tpp()))
        );
    }
    balance(ledger).await;
    assert_eq!(replace(ledger, everything()).await.unwrap(), 0);
}

fn attempt(jti: Jti, verdict: Verdict) -> Ended {
    Ended {
        in_flight_until: at(0),
        attempt: Attempt {
            jti,
            started_at: at(8),
            latency: Duration::ZERO,
            interaction_id: InteractionId::new(format!("{verdict:?}")).unwrap(),
            peer: Peer::default(),
            answer: Answer::Error {
                class: "timeout".to_owned(),
                detail: String::new(),
            },
            verdict,
        },
    }
}

/// Counts how often polls are told that there is something new.
#[derive(Default)]
struct Bell(Mutex<u64>);

impl Listen for Bell {
    fn heard(&self, news: &[News]) {
        *self.0.lock().unwrap() += news.iter().filter(|news| news.polls).count() as u64;
    }
}

// S-12, P-07
#[tokio::test]
async fn what_is_left_goes_out_when_the_rest_is_written_and_who_waits_is_told() {
    let home = Home::with_tpp(in_small_steps(), &tpp()).await;
    let ledger = &home.ledger;
    accept(ledger, &tpp(), 0..20).await;
    accept_revoked(ledger, 20).await;
    let bell = Arc::<Bell>::default();
    ledger.listen(Arc::downgrade(&bell) as _);
    assert_eq!(replace(ledger, only(&[REVOKED])).await.unwrap(), 20);
    written(ledger).await;
    // What the writer tells it tells after the commit.
    ledger.prove_writable().await.unwrap();
    assert_eq!(*bell.0.lock().unwrap(), 2, "of the change, and of its end");
    let polled = ledger
        .poll(poll(&tpp(), vec![], 100), at(10))
        .await
        .unwrap();
    let handed_out: Vec<_> = polled.work.iter().map(|work| work.jti).collect();
    assert_eq!(handed_out, [jti(20)]);
}

// S-12, D-05
#[tokio::test]
async fn a_lane_that_found_nothing_meanwhile_is_woken_when_the_rest_is_written() {
    let home = Home::with_tpp(in_small_steps(), &tpp()).await;
    let ledger = &home.ledger;
    let pushed = |wish| pushed_to("acme.example", wish);
    replace(ledger, pushed(everything())).await.unwrap();
    accept(ledger, &tpp(), 0..20).await;
    accept_revoked(ledger, 20).await;
    let node = NodeId::new("one").unwrap();
    let lease = ledger.hold_lease(node, None, Duration::from_secs(60));
    let lease = lease.await.unwrap().unwrap();
    let holder = lease.clone();
    // All of this is one request, so the writer gets to do nothing between.
    let look = ledger.write(move |unit| {
        assert_eq!(put(unit, pushed(only(&[REVOKED])))?, 20);
        let (owner, now) = (tpp(), at(9));
        let lane = claims::claim(unit, &holder, Wanted::Due, 9, now)?.remove(0);
        let claim = Claim {
            lease: holder.clone(),
            number: lane.claim,
        };
        let due = push::due(unit, &claim, &owner, LOOK, now)?.unwrap();
        assert_eq!((due.work, due.next_at), (vec![], None));
        let report = LaneReport {
            client_id: owner,
            claim: lane.claim,
            health: lane.health,
            hold: Hold::LetGo { wake_at: None },
        };
        let reported = lanes::report(unit, &holder, &[report], now)?;
        assert_eq!(reported, [Reported::Written]);
        Ok(())
    });
    look.await.unwrap();
    written(ledger).await;
    let lanes = ledger.claim_lanes(lease.clone(), Wanted::Due, 9, at(9));
    let number = lanes.await.unwrap()[0].claim;
    let claim = Claim { lease, number };
    let due = ledger.due_for_push(claim, tpp(), LOOK, at(9)).await;
    let chosen: Vec<_> = due
        .unwrap()
        .unwrap()
        .work
        .iter()
        .map(|work| work.jti)
        .collect();
    assert_eq!(chosen, [jti(20)]);
}

const LOOK: Look = Look {
    events_max: 9,
    in_flight_for: Duration::from_secs(10),
};

// S-05, D-08, P-10
#[tokio::test]
async fn what_other_rules_route_again_is_not_taken_in_before_the_rest_is_written() {
    let home = Home::with_tpp(in_small_steps(), &tpp()).await;
    let ledger = &home.ledger;
    accept(ledger, &tpp(), 0..20).await;
    let look = ledger.write(|unit| {
        let (operator, now) = (Actor::System, at(9));
        let removed = registrations::remove(unit, &operator, &tpp(), Kind::Subscription, now)?;
        assert_eq!(removed.unwrap().withdrawn, 20);
        // As if the server had been stopped here, and started with another configuration.
        Arc::make_mut(&mut unit.rules)
            .switches
            .polling_requires_subscription = false;
        let again = [submission(jti(20), notice(&tpp(), Family::Aisp, &[UPDATE]))];
        let refused = take_in(unit, &again, now);
        assert!(matches!(refused, Err(Error::Busy { .. })), "{refused:?}");
        Ok(())
    });
    look.await.unwrap();
    written(ledger).await;
    accept(ledger, &tpp(), 20..21).await;
    assert_eq!(end(ledger, jti(20)).await, State::Outstanding);
    balance(ledger).await;
}

// S-05, D-08
#[tokio::test]
async fn a_withdrawal_that_is_interrupted_is_ended_after_the_next_start() {
    let home = Arc::new(Home::with_tpp(in_small_steps(), &tpp()).await);
    accept(&home.ledger, &tpp(), 0..50).await;
    let (go_on, wait) = mpsc::channel();
    let (started, has_started) = tokio::sync::oneshot::channel();
    let asking = Arc::clone(&home);
    let mut gate = Some((started, wait));
    let change = tokio::task::spawn(async move {
        let work = move |unit: &mut Unit| {
            let withdrawn = put(unit, only(&[REVOKED]))?;
            if let Some((started, wait)) = gate.take() {
                started.send(()).unwrap();
                wait.recv().unwrap();
            }
            Ok(withdrawn)
        };
        asking.ledger.write(work).await
    });
    has_started.await.unwrap();
    let closing = Arc::clone(&home);
    let close = tokio::task::spawn(async move { closing.ledger.close().await });
    while home.ledger.writes.waiting() < 1 {
        tokio::task::yield_now().await;
    }
    go_on.send(()).unwrap();
    assert_eq!(change.await.unwrap().unwrap(), 50);
    close.await.unwrap().unwrap();
    let path = home.directory.path().join("ledger.db");
    let db = Connection::open(&path).unwrap();
    assert!(withdraw::rest(&db).unwrap().is_some(), "it was interrupted");
    drop(db);
    let ledger = open(&path, Options::default());
    written(&ledger).await;
    assert!(matches!(end(&ledger, jti(49)).await, State::Settled(_)));
    assert_eq!(ledger.counts(tpp()).await.unwrap().withdrawn, 50);
    balance(&ledger).await;
}

/// Steps of SQLite's machine that a change takes.
async fn steps_of_put(ledger: &Ledger, wish: SubscriptionWish) -> u64 {
    steps_of(ledger, move |unit| put(unit, wish.clone())).await
}

// S-12, I-06
#[tokio::test]
async fn changes_to_and_fro_look_at_what_is_outstanding_once() {
    let home = Home::with_tpp(Options::default(), &tpp()).await;
    let ledger = &home.ledger;
    accept_revoked(ledger, 0).await;
    accept(ledger, &tpp(), 1..3_000).await;
    let first = steps_of_put(ledger, only(&[UPDATE])).await;
    assert!(first > 3_000, "{first}");
    for n in 3_000..3_003 {
        for wish in [everything(), only(&[UPDATE]), everything()] {
            let steps = steps_of_put(ledger, wish).await;
            assert!(steps < 2_000, "nothing is unwanted: {steps}");
        }
        accept_revoked(ledger, n).await;
        let steps = steps_of_put(ledger, only(&[UPDATE])).await;
        assert!(steps < 2_000, "one, and nothing behind it: {steps}");
        assert!(matches!(end(ledger, jti(n)).await, State::Settled(_)));
        steps_of_put(ledger, everything()).await;
    }
    assert_eq!(ledger.counts(tpp()).await.unwrap().withdrawn, 4);
}
