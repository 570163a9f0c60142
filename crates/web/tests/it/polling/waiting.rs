//! Polls that wait: how long, and what they hold meanwhile.

use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::ledger::poll::{Limits, NothingToPoll, SetError};
use oyez_domain::time::Clock as _;
use oyez_domain::tpp::Standing;
use oyez_store::Store as _;
use oyez_testkit::clock::DAWN;
use oyez_web::polling::{Answer, Ask};

use super::bank::{
    A_MOMENT, Bank, REDELIVERY, WAIT, answer_of, at_once, jtis, limits, operator, waiting,
};

// P-07
#[tokio::test(start_paused = true)]
async fn a_poll_is_answered_at_once_if_something_is_due() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let accepted = bank.accept(&tpp, 3).await;
    assert_eq!(jtis(&bank.poll(waiting(&tpp)).await), accepted);
    assert_eq!(bank.looks(), 1);
}

// P-07
#[tokio::test(start_paused = true)]
async fn a_poll_without_news_is_answered_when_its_time_is_up_and_not_before() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let polling = bank.lies_down(waiting(&tpp)).await;
    bank.later(WAIT - A_MOMENT).await;
    assert!(!polling.is_finished());
    bank.later(A_MOMENT).await;
    assert_eq!(answer_of(polling).await, Answer::default());
    assert_eq!(bank.looks(), 1);
    assert_eq!(bank.waiters.counts().waiting, 0);
}

// P-07
#[tokio::test(start_paused = true)]
async fn a_poll_is_answered_in_the_moment_in_which_an_event_is_accepted() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let polling = bank.lies_down(waiting(&tpp)).await;
    let accepted = bank.accept(&tpp, 1).await;
    let answer = answer_of(polling).await;
    assert_eq!((jtis(&answer), answer.more_available), (accepted, false));
    assert_eq!(bank.clock.now(), DAWN, "no time passed");
    assert_eq!(bank.looks(), 2);
}

// P-03
#[tokio::test(start_paused = true)]
async fn acknowledgements_are_durable_before_the_poll_waits() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let accepted = bank.accept(&tpp, 2).await;
    bank.poll(at_once(&tpp)).await;
    let said = Ask {
        acks: accepted.clone(),
        ..waiting(&tpp)
    };
    let polling = bank.lies_down(said).await;
    for jti in accepted {
        assert!(bank.is_settled(jti).await);
    }
    assert!(!polling.is_finished());
}

// P-05, P-12
#[tokio::test(start_paused = true)]
async fn what_a_poll_reports_is_counted_once_however_often_it_is_woken() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let jti = bank.accept(&tpp, 1).await[0];
    bank.poll(at_once(&tpp)).await;
    let error = SetError {
        err: "jwtAud".to_owned(),
        description: "not ours".to_owned(),
    };
    let said = Ask {
        errors: vec![(jti, error)],
        limits: Limits {
            error_cap: NonZeroU32::new(2).unwrap(),
            ..limits()
        },
        ..waiting(&tpp)
    };
    let polling = bank.lies_down(said).await;
    for looks in 3..6 {
        bank.cry_wolf(&tpp);
        super::bank::until(|| bank.looks() == looks).await;
        bank.sleeping(1).await;
    }
    assert_eq!(bank.file(jti).await.errors.len(), 1);
    bank.later(REDELIVERY).await;
    assert_eq!(jtis(&answer_of(polling).await), [jti]);
    assert_eq!(bank.file(jti).await.errors.len(), 1);
}

// P-08
#[tokio::test(start_paused = true)]
async fn what_nobody_acknowledged_is_due_again_after_the_delay_and_not_before() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let accepted = bank.accept(&tpp, 2).await;
    bank.poll(waiting(&tpp)).await;
    let polling = bank.lies_down(waiting(&tpp)).await;
    bank.later(REDELIVERY - A_MOMENT).await;
    assert!(!polling.is_finished());
    bank.later(A_MOMENT).await;
    assert_eq!(jtis(&answer_of(polling).await), accepted);
}

// P-08
#[tokio::test(start_paused = true)]
async fn a_poll_that_slept_before_an_event_was_handed_to_another_gets_it_when_it_is_due_again() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let sleepers = [
        bank.lies_down(waiting(&tpp)).await,
        bank.lies_down(waiting(&tpp)).await,
    ];
    let accepted = bank.accept(&tpp, 1).await;
    let [first, second] = sleepers;
    assert_eq!(jtis(&answer_of(first).await), accepted);
    bank.later(REDELIVERY - A_MOMENT).await;
    assert_eq!(
        jtis(&bank.poll(at_once(&tpp)).await),
        accepted,
        "at once it is had"
    );
    bank.later(REDELIVERY - A_MOMENT).await;
    assert!(!second.is_finished());
    bank.later(A_MOMENT).await;
    assert_eq!(jtis(&answer_of(second).await), accepted);
}

// P-10
#[tokio::test(start_paused = true)]
async fn a_tpp_without_a_subscription_waits_like_any_other_and_is_woken_by_subscribing() {
    let bank = Bank::new();
    let tpp = bank.stranger("tpp").await;
    let polling = bank.lies_down(waiting(&tpp)).await;
    bank.later(WAIT).await;
    let answer = answer_of(polling).await;
    assert_eq!(answer.refusal, Some(NothingToPoll::NoSubscription));
    assert!(answer.sets.is_empty());
    assert!(bank.counts("waited-out", 1));
    let polling = bank.lies_down(waiting(&tpp)).await;
    bank.subscribe(&tpp).await;
    let accepted = bank.accept(&tpp, 1).await;
    assert_eq!(jtis(&answer_of(polling).await), accepted);
}

//
#[tokio::test(start_paused = true)]
async fn a_tpp_that_is_disabled_while_it_waits_is_answered() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let polling = bank.lies_down(waiting(&tpp)).await;
    let disabled = Standing::Disabled {
        at: DAWN,
        reason: "for a test".to_owned(),
    };
    let done = bank
        .store
        .set_standing(operator(), tpp.clone(), disabled, DAWN);
    assert!(done.await.unwrap().is_some());
    let answer = answer_of(polling).await;
    assert_eq!(answer.refusal, Some(NothingToPoll::NotServed));
}

// P-07
#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_leaves_nothing_behind() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let polling = bank.lies_down(waiting(&tpp)).await;
    let looks = bank.looks();
    polling.abort();
    assert!(polling.await.unwrap_err().is_cancelled());
    assert_eq!(bank.waiters.counts().waiting, 0);
    bank.accept(&tpp, 1).await;
    bank.later(Duration::from_secs(3600)).await;
    assert_eq!(bank.looks(), looks, "nobody asks for it");
}

// P-07
#[tokio::test(start_paused = true)]
async fn a_waiting_poll_is_small() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let polling = bank.desk.answer(waiting(&tpp));
    let bytes = size_of_val(&polling);
    println!("the future of a waiting poll: {bytes} bytes");
    assert!(bytes <= 2048, "{bytes}");
}
