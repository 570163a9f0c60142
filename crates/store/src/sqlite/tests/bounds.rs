//! What a TPP or an operator asks for costs what it changes, however much is outstanding (I-03, S-12, D-06).

use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::EventType;
use oyez_domain::ids::{NodeId, RegistrationId};
use oyez_domain::ledger::history::EventFilter;
use oyez_domain::ledger::lanes::{Claim, Wanted};
use oyez_domain::ledger::poll::{Patience, Poll};
use oyez_domain::ledger::push::DueForPush;
use oyez_domain::ledger::registering::{Kind, Target, Wish};
use oyez_domain::ledger::sets::Look;
use oyez_domain::registration::SubscriptionWish;
use oyez_domain::time::Timestamp;
use oyez_domain::version::ApiVersion;
use oyez_testkit::making::{DAWN, client, everything, pushed_to};

use super::{Home, accept, at, jti, poll, steps_of, subscribe, tpp};
use crate::sqlite::poll::poll as choose;
use crate::sqlite::{Ledger, Options, event_list};
use crate::{Error, Store};

/// Puts the TPP's subscription anew.
async fn replace(ledger: &Ledger, wish: SubscriptionWish) {
    let found = ledger.registrations(tpp()).await.unwrap();
    let target = Target {
        kind: Kind::Subscription,
        id: RegistrationId::new(found.subscription.unwrap().id.as_str()).unwrap(),
        api: ApiVersion::V4_0,
    };
    let replaced = ledger.replace_registration(tpp(), target, Wish::Subscription(wish), at(9));
    replaced.await.unwrap().unwrap();
}

/// Rows of `outstanding` that were written since the last look.
async fn touched(ledger: &Ledger) -> i64 {
    let look = ledger.write(|unit| {
        let touched = unit
            .db
            .query_row("SELECT count(*) FROM touched", [], |row| row.get(0))?;
        unit.db.execute_batch("DELETE FROM touched")?;
        Ok::<i64, Error>(touched)
    });
    look.await.unwrap()
}

// S-12, D-06, D-07, I-04
#[tokio::test]
async fn beginning_anew_touches_what_has_something_held_against_it_and_nothing_else() {
    let home = Home::new(Options::default());
    let ledger = &home.ledger;
    subscribe(ledger, &tpp()).await;
    replace(ledger, pushed_to("acme.example", everything())).await;
    accept(ledger, &tpp(), 0..2_000).await;
    let watch = ledger.write(|unit| {
        unit.db.execute_batch(
            "UPDATE outstanding SET refusals = 1, push_at = NULL WHERE position <= 2;
             UPDATE outstanding SET endpoint_failures = 1 WHERE position = 3;
             CREATE TEMP TABLE touched (position INTEGER);
             CREATE TEMP TRIGGER touching AFTER UPDATE ON outstanding
                BEGIN INSERT INTO touched VALUES (new.position); END;",
        )?;
        Ok::<_, Error>(())
    });
    watch.await.unwrap();
    replace(ledger, pushed_to("acme.example", everything())).await;
    assert_eq!(touched(ledger).await, 3);
    replace(ledger, everything()).await;
    replace(ledger, pushed_to("acme.example", everything())).await;
    let resumed = ledger.resume_endpoint(Actor::System, tpp(), at(9)).await;
    assert!(resumed.unwrap());
    assert_eq!(
        touched(ledger).await,
        0,
        "an address that goes and comes back"
    );
}

// S-11, S-12, D-10
#[tokio::test]
async fn what_was_accepted_without_an_address_is_pushed_in_its_turn_though_not_listed_at_once() {
    let home = Home::new(Options::default());
    let ledger = &home.ledger;
    subscribe(ledger, &tpp()).await;
    accept(ledger, &tpp(), 0..2_500).await;
    replace(ledger, pushed_to("acme.example", everything())).await;
    accept(ledger, &tpp(), 2_500..2_600).await;
    let claim = claims(ledger).await;
    let mut chosen = Vec::new();
    for more in [true, true, false] {
        let due = chooses(ledger, &claim, at(9)).await;
        assert_eq!(due.next_at.is_some_and(|at_| at_ <= at(9)), more);
        chosen.extend(due.work.into_iter().map(|work| work.jti));
    }
    let all: Vec<_> = (0..2_600).map(jti).collect();
    assert_eq!(chosen, all);
}

// D-10
#[tokio::test]
async fn nothing_overtakes_a_backlog_whose_oldest_wait_for_a_poll_while_it_is_listed() {
    let home = Home::new(Options::default());
    let ledger = &home.ledger;
    subscribe(ledger, &tpp()).await;
    accept(ledger, &tpp(), 0..3_500).await;
    let handed_out = ledger.poll(poll(&tpp(), vec![], 1_100), at(8)).await;
    assert_eq!(handed_out.unwrap().work.len(), 1_100);
    replace(ledger, pushed_to("acme.example", everything())).await;
    accept(ledger, &tpp(), 3_500..3_600).await;
    let claim = claims(ledger).await;
    let mut chosen = Vec::new();
    for _ in 0..6 {
        let due = chooses(ledger, &claim, at(9)).await;
        chosen.extend(due.work.into_iter().map(|work| work.jti));
    }
    let all: Vec<_> = (1_100..3_600).map(jti).collect();
    assert_eq!(chosen, all);
}

// D-09
#[tokio::test]
async fn by_a_clock_that_was_set_back_nobody_looks_at_all_that_others_have() {
    let home = Home::with_tpp(Options::default(), &tpp()).await;
    let ledger = &home.ledger;
    let other = client("other");
    subscribe(ledger, &other).await;
    accept(ledger, &other, 0..3_000).await;
    let waiting = Poll {
        patience: Patience::WaitForDue,
        ..poll(&tpp(), vec![], 9)
    };
    let before = Timestamp::from_unix_ms(DAWN.unix_ms() - 1);
    let steps = steps_of(ledger, move |unit| choose(unit, &waiting, before)).await;
    assert!(steps < 3_000, "{steps}");
}

/// A node joins and claims the TPP's lane.
async fn claims(ledger: &Ledger) -> Claim {
    let node_id = NodeId::new("one").unwrap();
    let lease = ledger.hold_lease(node_id, None, Duration::from_secs(60));
    let lease = lease.await.unwrap().unwrap();
    let claimed = ledger.claim_lanes(lease.clone(), Wanted::Due, 9, at(9));
    let number = claimed.await.unwrap()[0].claim;
    Claim { lease, number }
}

async fn chooses(ledger: &Ledger, claim: &Claim, now: Timestamp) -> DueForPush {
    let look = Look {
        events_max: 900,
        in_flight_for: Duration::from_secs(10),
    };
    let due = ledger.due_for_push(claim.clone(), tpp(), look, now).await;
    due.unwrap().unwrap()
}

// I-03
#[tokio::test]
async fn who_is_sought_among_many_is_found_page_by_page() {
    let home = Home::new(Options::default());
    let ledger = &home.ledger;
    subscribe(ledger, &tpp()).await;
    let many = u64::from(event_list::LOOKED_AT_MAX);
    for from in (0..many * 2).step_by(1_000) {
        accept(ledger, &tpp(), from..from + 1_000).await;
    }
    let filter = EventFilter {
        accepted_before: Some(at(0)),
        event_type: Some(EventType("urn:nobody".to_owned())),
        ..EventFilter::default()
    };
    let (mut before, mut pages) = (None, Vec::new());
    loop {
        let page = ledger
            .list_events(filter.clone(), before, 10)
            .await
            .unwrap();
        assert_eq!(page.rows, []);
        pages.push(page.next);
        if page.next.is_none() {
            break;
        }
        before = page.next;
    }
    assert_eq!(pages, [Some(jti(many)), Some(jti(0)), None]);
}
