//! Closing: what was asked for is finished, unless it takes too long.

use std::sync::Arc;
use std::time::Duration;

use oyez_issuer::{Closed, Error, Options, Outcome};

use crate::bank::{Bank, jtis, key_set, one_at_a_time, only, pushed, sent};
use crate::scripted::Gated;

#[tokio::test]
async fn a_shutdown_finishes_what_was_asked_for_and_takes_nothing_new() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let issuer = bank.issuer(Options::default());
    let work = bank.work(&tpp, 50).await;
    let late = work[..1].to_vec();
    let issue = tokio::spawn({
        let (issuer, order) = (Arc::clone(&issuer), pushed(&tpp));
        async move { issuer.issue(order, work).await }
    });
    tokio::task::yield_now().await;
    let closed = issuer.close(Duration::from_secs(60)).await;
    assert_eq!(closed, Closed::Drained);
    assert_eq!(sent(issue.await.unwrap()).len(), 50);
    let outcome = only(issuer.issue(pushed(&tpp), late).await);
    assert!(matches!(outcome, Err(Error::Closed)), "{outcome:?}");
}

#[tokio::test]
async fn a_shutdown_that_runs_out_of_time_leaves_the_rest_outstanding() {
    let key = Gated::new();
    let bank = Bank::with(key_set(&[("k-1", key.clone())]));
    let tpp = bank.tpp("tpp").await;
    let issuer = bank.issuer(one_at_a_time());
    let work = bank.work(&tpp, 10).await;
    let chosen = jtis(&work);
    let issue = tokio::spawn({
        let (issuer, order) = (Arc::clone(&issuer), pushed(&tpp));
        async move { issuer.issue(order, work).await }
    });
    key.is_asked(1).await;
    while issuer.queued() != 8 {
        tokio::task::yield_now().await;
    }
    let closed = issuer.close(Duration::ZERO).await;
    assert_eq!(closed, Closed::CutOff { unsigned: 8 });
    key.open();
    let issued = issue.await.unwrap();
    // The one that was being signed, and the one that was next in the thread's hands.
    for issued in &issued[..2] {
        assert!(matches!(issued.outcome, Ok(Outcome::Send(_))));
    }
    for issued in &issued[2..] {
        assert!(matches!(issued.outcome, Err(Error::Closed)));
    }
    assert_eq!(bank.file(chosen[1]).await.sets.len(), 1);
    assert_eq!(bank.choose(&tpp).await.len(), 10, "nothing is lost");
}
