//! How many may wait, and the end of all waiting.

use oyez_web::polling::{Answer, Counts, Options};

use super::bank::{Bank, answer_of, jtis, waiting};

// P-07
#[tokio::test(start_paused = true)]
async fn over_its_own_bound_a_tpps_oldest_poll_is_answered() {
    let bank = Bank::bounded(Options {
        per_tpp_max: 2,
        total_max: 100,
    });
    let [tpp, other] = [bank.tpp("tpp").await, bank.tpp("other").await];
    let others = bank.lies_down(waiting(&other)).await;
    let oldest = bank.lies_down(waiting(&tpp)).await;
    let second = bank.lies_down(waiting(&tpp)).await;
    let third = bank.start(waiting(&tpp));
    assert_eq!(answer_of(oldest).await, Answer::default());
    bank.sleeping(3).await;
    assert_eq!(
        bank.waiters.counts(),
        Counts {
            waiting: 3,
            evicted: 1
        }
    );
    let accepted = bank.accept(&tpp, 1).await;
    assert_eq!(jtis(&answer_of(second).await), accepted);
    assert!(!third.is_finished() && !others.is_finished());
    assert!(bank.counts("evicted", 1) && bank.counts("woken", 1));
}

// P-07
#[tokio::test(start_paused = true)]
async fn over_the_bound_of_all_the_oldest_of_all_is_answered() {
    let bank = Bank::bounded(Options {
        per_tpp_max: 2,
        total_max: 2,
    });
    let [tpp, other] = [bank.tpp("tpp").await, bank.tpp("other").await];
    let oldest = bank.lies_down(waiting(&other)).await;
    let second = bank.lies_down(waiting(&tpp)).await;
    let third = bank.start(waiting(&tpp));
    assert_eq!(answer_of(oldest).await, Answer::default());
    bank.sleeping(2).await;
    assert_eq!(
        bank.waiters.counts(),
        Counts {
            waiting: 2,
            evicted: 1
        }
    );
    assert!(!second.is_finished() && !third.is_finished());
}

// P-07
#[tokio::test(start_paused = true)]
async fn at_shutdown_everyone_is_answered_and_nobody_waits_any_more() {
    let bank = Bank::new();
    let [tpp, other] = [bank.tpp("tpp").await, bank.tpp("other").await];
    let mut sleepers = Vec::new();
    for tpp in [&tpp, &tpp, &other] {
        sleepers.push(bank.lies_down(waiting(tpp)).await);
    }
    bank.waiters.drain();
    for sleeper in sleepers {
        assert_eq!(answer_of(sleeper).await, Answer::default());
    }
    assert_eq!(bank.poll(waiting(&tpp)).await, Answer::default());
    let accepted = bank.accept(&tpp, 1).await;
    assert_eq!(jtis(&bank.poll(waiting(&tpp)).await), accepted);
    assert!(bank.counts("drained", 4) && bank.counts("at-once", 1));
    assert_eq!(
        bank.waiters.counts(),
        Counts {
            waiting: 0,
            evicted: 0
        }
    );
}
