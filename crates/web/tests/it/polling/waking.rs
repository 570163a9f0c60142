//! Who is woken by what, and what it costs.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Waker};

use oyez_domain::event::Family;
use oyez_domain::ledger::poll::Limits;
use oyez_domain::tpp::DeliveryOrder;
use oyez_web::polling::Ask;

use super::bank::{
    A_MOMENT, Bank, Polling, REDELIVERY, answer_of, at_most, at_once, jtis, limits, until, waiting,
};

async fn sleepers(bank: &Bank, polls: usize, ask: &Ask) -> Vec<Polling> {
    let mut sleepers = Vec::new();
    for _ in 0..polls {
        sleepers.push(bank.lies_down(ask.clone()).await);
    }
    sleepers
}

// P-07
#[tokio::test(start_paused = true)]
async fn one_event_costs_one_look_however_many_of_its_tpps_polls_wait() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let mut sleepers = sleepers(&bank, 10, &waiting(&tpp)).await;
    let accepted = bank.accept(&tpp, 1).await;
    let oldest = sleepers.remove(0);
    assert_eq!(jtis(&answer_of(oldest).await), accepted);
    bank.settle().await;
    assert_eq!(bank.looks(), 10 + 1);
    assert_eq!(bank.waiters.counts().waiting, 9);
}

// P-07, P-08
#[tokio::test(start_paused = true)]
async fn polls_that_take_little_hand_the_call_on_until_all_is_taken() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let sleepers = sleepers(&bank, 10, &at_most(1, waiting(&tpp))).await;
    let accepted = bank.accept(&tpp, 8).await;
    let mut received = Vec::new();
    for sleeper in sleepers.into_iter().take(8) {
        received.extend(jtis(&answer_of(sleeper).await));
    }
    assert_eq!(received, accepted);
    assert_eq!(bank.looks(), 10 + 8);
    assert_eq!(bank.waiters.counts().waiting, 2);
}

// P-07
#[tokio::test(start_paused = true)]
async fn news_of_one_tpp_disturbs_no_other() {
    let bank = Bank::new();
    let [tpp, other] = [bank.tpp("tpp").await, bank.tpp("other").await];
    let sleeper = bank.lies_down(waiting(&tpp)).await;
    bank.accept(&other, 5).await;
    bank.poll(at_once(&other)).await;
    bank.settle().await;
    assert_eq!(bank.looks(), 2);
    assert!(!sleeper.is_finished());
}

// A-10, P-07
#[tokio::test(start_paused = true)]
async fn polls_that_see_other_families_stand_in_other_lines() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let seeing = |families: &[Family]| Ask {
        families: families.to_vec(),
        ..waiting(&tpp)
    };
    let payments = bank.lies_down(seeing(&[Family::Pisp])).await;
    let accounts = bank.lies_down(seeing(&[Family::Aisp])).await;
    let both = bank.lies_down(seeing(&[Family::Pisp, Family::Aisp])).await;
    let account = bank.accept_of(&tpp, Family::Aisp, 1).await;
    until(|| accounts.is_finished() || both.is_finished()).await;
    bank.later(REDELIVERY).await;
    assert_eq!(jtis(&answer_of(accounts).await), account);
    assert_eq!(
        jtis(&answer_of(both).await),
        account,
        "when it was due again"
    );
    assert!(!payments.is_finished());
    let payment = bank.accept_of(&tpp, Family::Pisp, 1).await;
    assert_eq!(jtis(&answer_of(payments).await), payment);
}

// P-08, A-10
#[tokio::test(start_paused = true)]
async fn a_line_learns_when_what_a_poll_of_another_view_was_handed_is_due_again() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let accounts = Ask {
        families: vec![Family::Aisp],
        ..waiting(&tpp)
    };
    let sleeper = bank.lies_down(accounts).await;
    let accepted = bank.accept_silently(&tpp, Family::Aisp, 1).await;
    assert_eq!(jtis(&bank.poll(at_once(&tpp)).await), accepted);
    bank.later(REDELIVERY - A_MOMENT).await;
    assert!(!sleeper.is_finished());
    bank.later(A_MOMENT).await;
    assert!(sleeper.is_finished());
    assert_eq!(jtis(&answer_of(sleeper).await), accepted);
}

// D-10, P-07
#[tokio::test(start_paused = true)]
async fn in_strict_order_an_acknowledgement_lets_the_next_out_to_who_waits() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let strictly = |ask| Ask {
        limits: Limits {
            order: DeliveryOrder::Strict,
            ..limits()
        },
        ..ask
    };
    let accepted = bank.accept(&tpp, 2).await;
    assert_eq!(
        jtis(&bank.poll(strictly(at_once(&tpp))).await),
        accepted[..1]
    );
    let sleeper = bank.lies_down(strictly(waiting(&tpp))).await;
    let said = Ask {
        acks: accepted[..1].to_vec(),
        ..at_most(0, strictly(at_once(&tpp)))
    };
    bank.poll(said).await;
    assert_eq!(jtis(&answer_of(sleeper).await), accepted[1..]);
}

// P-07, P-08
#[tokio::test(start_paused = true)]
async fn who_is_called_and_leaves_with_news_hands_the_watch_on() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let early = bank.accept(&tpp, 1).await;
    assert_eq!(jtis(&bank.poll(at_once(&tpp)).await), early);
    let mut sleepers = sleepers(&bank, 2, &waiting(&tpp)).await;
    bank.later(A_MOMENT).await;
    let late = bank.accept(&tpp, 1).await;
    assert_eq!(jtis(&answer_of(sleepers.remove(0)).await), late);
    bank.later(REDELIVERY - A_MOMENT).await;
    let last = sleepers.remove(0);
    assert!(last.is_finished(), "it kept the time in its turn");
    assert_eq!(jtis(&answer_of(last).await), early);
}

// P-07
#[tokio::test(start_paused = true)]
async fn who_is_called_and_goes_away_hands_the_call_on() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let mut sleepers = sleepers(&bank, 2, &waiting(&tpp)).await;
    bank.cry_wolf(&tpp);
    let called = sleepers.remove(0);
    called.abort();
    assert!(called.await.unwrap_err().is_cancelled());
    bank.settle().await;
    assert_eq!(bank.looks(), 2 + 1, "the other looked in its place");
    let accepted = bank.accept(&tpp, 1).await;
    assert_eq!(jtis(&answer_of(sleepers.remove(0)).await), accepted);
}

// P-07, P-08
#[tokio::test(start_paused = true)]
async fn what_is_chosen_for_a_client_that_goes_away_is_had_by_another_when_it_is_due_again() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    for ask in [at_once(&tpp), waiting(&tpp)] {
        let sleeper = bank.lies_down(waiting(&tpp)).await;
        let accepted = bank.accept_silently(&tpp, Family::Aisp, 2).await;
        {
            // The ledger is asked; its answer, should it be there already, is never heard.
            let mut polling = pin!(bank.desk.answer(ask));
            let mut context = Context::from_waker(Waker::noop());
            drop(polling.as_mut().poll(&mut context));
        }
        bank.later(REDELIVERY - A_MOMENT).await;
        assert!(!sleeper.is_finished());
        bank.later(A_MOMENT).await;
        assert_eq!(jtis(&answer_of(sleeper).await), accepted);
        let said = Ask {
            acks: accepted,
            ..at_most(0, at_once(&tpp))
        };
        bank.poll(said).await;
    }
}
