//! Polls that are answered at once.

use std::num::NonZeroU32;
use std::sync::Arc;

use oyez_domain::event::Family;
use oyez_domain::ledger::poll::{Limits, NothingToPoll, SetError};
use oyez_domain::life::{Acknowledged, Outcome};
use oyez_domain::tpp::{DeliveryOrder, Standing};
use oyez_jose::compact::Compact;
use oyez_store::Store as _;
use oyez_testkit::clock::DAWN;
use oyez_testkit::making::{UPDATE, only};

use super::bank::{Bank, at_most, at_once, jtis, limits, operator, until};
use super::faults::Gated;
use oyez_web::polling::{Answer, Ask};

// P-02, P-09
#[tokio::test(start_paused = true)]
async fn what_is_outstanding_goes_out_in_order_and_with_the_same_bytes_again() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let accepted = bank.accept(&tpp, 30).await;
    let first = bank.poll(at_once(&tpp)).await;
    assert_eq!(jtis(&first), accepted);
    for (jti, set) in &first.sets {
        let claims = Compact::parse(set).unwrap();
        let claims: serde_json::Value =
            serde_json::from_slice(claims.unverified_payload()).unwrap();
        assert_eq!(claims["jti"], jti.to_string());
    }
    assert_eq!(bank.poll(at_once(&tpp)).await, first);
    assert!(
        first
            .response()
            .to_bytes()
            .starts_with(b"{\"moreAvailable\":false")
    );
}

// P-03, P-04
#[tokio::test(start_paused = true)]
async fn acknowledgements_are_applied_first_and_those_that_mean_nothing_change_nothing() {
    let bank = Bank::new();
    let [tpp, other] = [bank.tpp("tpp").await, bank.tpp("other").await];
    let accepted = bank.accept(&tpp, 2).await;
    let foreign = bank.accept(&other, 1).await[0];
    bank.poll(at_once(&tpp)).await;
    let said = Ask {
        acks: vec![accepted[0], accepted[0], foreign],
        ..at_once(&tpp)
    };
    for _ in 0..2 {
        assert_eq!(jtis(&bank.poll(said.clone()).await), accepted[1..]);
    }
    assert!(bank.is_settled(accepted[0]).await);
    assert!(!bank.is_settled(foreign).await);
}

// P-05
#[tokio::test(start_paused = true)]
async fn an_error_is_counted_and_its_event_offered_again_unless_it_was_had_before() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let accepted = bank.accept(&tpp, 2).await;
    bank.poll(at_once(&tpp)).await;
    let error = |err: &str| SetError {
        err: err.to_owned(),
        description: String::new(),
    };
    let said = Ask {
        errors: vec![
            (accepted[0], error("setParse")),
            (accepted[1], error("dup")),
        ],
        ..at_once(&tpp)
    };
    assert_eq!(jtis(&bank.poll(said).await), accepted[..1]);
    assert_eq!(bank.file(accepted[0]).await.errors.len(), 1);
    assert!(bank.is_settled(accepted[1]).await);
}

// P-02, P-06
#[tokio::test(start_paused = true)]
async fn more_is_available_exactly_while_something_else_is_due() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let more = async |events_max| {
        let answer = bank.poll(at_most(events_max, at_once(&tpp))).await;
        (answer.sets.len(), answer.more_available)
    };
    assert_eq!(more(0).await, (0, false));
    bank.accept(&tpp, 3).await;
    assert_eq!(more(0).await, (0, true));
    assert_eq!(more(2).await, (2, true));
    assert_eq!(more(0).await, (0, true));
    assert_eq!(more(1).await, (1, false));
    assert_eq!(more(0).await, (0, false));
    assert_eq!(more(100).await, (3, false));
}

// P-08
#[tokio::test(start_paused = true)]
async fn parallel_polls_over_a_backlog_differ_and_lose_nothing() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let accepted = bank.accept(&tpp, 200).await;
    let polls: Vec<_> = (0..10)
        .map(|_| bank.start(at_most(20, at_once(&tpp))))
        .collect();
    let mut received = Vec::new();
    for poll in polls {
        received.extend(jtis(&super::bank::answer_of(poll).await));
    }
    received.sort();
    assert_eq!(received, accepted);
}

//
#[tokio::test(start_paused = true)]
async fn a_token_is_handed_what_it_sees() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    bank.accept_of(&tpp, Family::Aisp, 2).await;
    let payments = bank.accept_of(&tpp, Family::Pisp, 2).await;
    let ask = Ask {
        families: vec![Family::Pisp, Family::Vrp],
        ..at_once(&tpp)
    };
    let answer = bank.poll(at_most(1, ask.clone())).await;
    assert_eq!(
        (jtis(&answer), answer.more_available),
        (payments[..1].to_vec(), true)
    );
    let answer = bank.poll(at_most(1, ask)).await;
    assert_eq!(
        (jtis(&answer), answer.more_available),
        (payments[1..].to_vec(), false)
    );
}

// P-10
#[tokio::test(start_paused = true)]
async fn a_tpp_without_a_subscription_or_a_place_is_told_that_there_is_nothing() {
    let bank = Bank::new();
    let tpp = bank.stranger("tpp").await;
    let nothing = |refusal| Answer {
        refusal: Some(refusal),
        ..Answer::default()
    };
    let answer = bank.poll(at_once(&tpp)).await;
    assert_eq!(answer, nothing(NothingToPoll::NoSubscription));
    bank.subscribe(&tpp).await;
    bank.accept(&tpp, 1).await;
    let disabled = Standing::Disabled {
        at: DAWN,
        reason: "for a test".to_owned(),
    };
    let done = bank
        .store
        .set_standing(operator(), tpp.clone(), disabled, DAWN);
    assert!(done.await.unwrap().is_some());
    let answer = bank.poll(at_once(&tpp)).await;
    assert_eq!(answer, nothing(NothingToPoll::NotServed));
}

// P-12, P-02
#[tokio::test(start_paused = true)]
async fn a_hand_out_that_settles_lets_the_next_be_available_in_strict_order() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let accepted = bank.accept(&tpp, 2).await;
    let ask = Ask {
        limits: Limits {
            hand_out_cap: NonZeroU32::new(1),
            order: DeliveryOrder::Strict,
            ..limits()
        },
        ..at_once(&tpp)
    };
    for (jti, more_available) in [(accepted[0], true), (accepted[1], false)] {
        let answer = bank.poll(ask.clone()).await;
        assert_eq!(
            (jtis(&answer), answer.more_available),
            (vec![jti], more_available)
        );
        let settlements = bank.file(jti).await.settlements;
        assert_eq!(settlements.len(), 1);
        let assumed = Outcome::Acknowledged(Acknowledged::Assumed);
        assert_eq!(settlements[0].outcome, assumed);
    }
}

// P-14
#[tokio::test(start_paused = true)]
async fn what_is_acknowledged_while_it_is_signed_is_left_out() {
    let key = Gated::new();
    let bank = Bank::signing_with(&(Arc::clone(&key) as _));
    let tpp = bank.tpp("tpp").await;
    let accepted = bank.accept(&tpp, 2).await;
    let polling = bank.start(at_once(&tpp));
    until(|| key.asked() == 2).await;
    let said = Ask {
        acks: accepted[..1].to_vec(),
        ..at_most(0, at_once(&tpp))
    };
    bank.poll(said).await;
    key.open();
    let answer = super::bank::answer_of(polling).await;
    assert_eq!(
        (jtis(&answer), answer.more_available),
        (accepted[1..].to_vec(), false)
    );
}

// S-12, P-09
#[tokio::test(start_paused = true)]
async fn what_changes_while_it_is_signed_is_chosen_again_and_nothing_in_hand_is_lost() {
    let key = Gated::new();
    let bank = Bank::signing_with(&(Arc::clone(&key) as _));
    let tpp = bank.tpp("tpp").await;
    key.let_through(1);
    let kept = bank.accept(&tpp, 1).await;
    bank.poll(at_once(&tpp)).await;
    let fresh = bank.accept(&tpp, 3).await;
    let polling = bank.start(at_once(&tpp));
    until(|| key.asked() == 4).await;
    bank.resubscribe(&tpp, only(&[UPDATE])).await;
    key.open();
    let answer = super::bank::answer_of(polling).await;
    assert_eq!(jtis(&answer), [kept, fresh.clone()].concat());
    assert!(!answer.more_available);
    for jti in fresh {
        assert_eq!(bank.file(jti).await.hand_outs.len(), 1);
    }
}
