//! What a TPP or an operator asks for costs what it changes, however much is outstanding (I-03, S-12, D-06).

use oyez_domain::actor::Actor;
use oyez_domain::event::EventType;
use oyez_domain::ids::{NodeId, RegistrationId};
use oyez_domain::ledger::history::EventFilter;
use oyez_domain::ledger::registering::{Kind, Target, Wish};
use oyez_domain::ledger::sets::Look;
use oyez_domain::registration::SubscriptionWish;
use oyez_domain::version::ApiVersion;
use oyez_testkit::making::{everything, pushed_to};

use super::{Home, accept, at, jti, subscribe, tpp};
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
    let node_id = NodeId::new("one").unwrap();
    let lease = ledger.hold_lease(node_id, None, std::time::Duration::from_secs(60));
    let lease = lease.await.unwrap().unwrap();
    ledger.claim_lanes(lease.clone(), 9, at(9)).await.unwrap();
    let look = Look {
        events_max: 900,
        in_flight_for: std::time::Duration::from_secs(10),
    };
    let mut chosen = Vec::new();
    for more in [true, true, false] {
        let due = ledger.due_for_push(lease.clone(), tpp(), look, at(9)).await;
        let due = due.unwrap().unwrap();
        assert_eq!(due.next_at.is_some_and(|at_| at_ <= at(9)), more);
        chosen.extend(due.work.into_iter().map(|work| work.jti));
    }
    let all: Vec<_> = (0..2_600).map(jti).collect();
    assert_eq!(chosen, all);
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
