//! A fault at one event is that event's alone, and the pool survives it.

use std::time::Duration;

use oyez_domain::claims::BuildError;
use oyez_issuer::{Error, Issued, Options, Outcome};

use crate::bank::{Bank, key_set, one_at_a_time, pushed, sent};
use crate::scripted::{Fault, Faulty};

async fn after(fault: Fault) -> Error {
    let bank = Bank::with(key_set(&[("k-1", Faulty::new(fault))]));
    let tpp = bank.tpp("tpp").await;
    let issuer = bank.issuer(Options {
        remote_time_max: Duration::from_millis(20),
        ..one_at_a_time()
    });
    let work = bank.work(&tpp, 5).await;
    let mut issued = issuer.issue(pushed(&tpp), work.clone()).await;
    let is_sent = |issued: &Issued| matches!(issued.outcome, Ok(Outcome::Send(_)));
    assert_eq!(issued.iter().filter(|it| is_sent(it)).count(), 4);
    let again = sent(issuer.issue(pushed(&tpp), vec![work[0].clone()]).await);
    bank.verified(&again[0]);
    issued.swap_remove(0).outcome.unwrap_err()
}

#[tokio::test]
async fn a_panic_while_signing_is_a_fault_of_one_event() {
    for fault in [Fault::PanicsInMemory, Fault::PanicsOutside] {
        let error = after(fault).await;
        assert!(matches!(error, Error::Panicked), "{fault:?}: {error}");
    }
}

// M-06
#[tokio::test]
async fn a_device_that_refuses_or_hangs_is_named_by_its_key() {
    let error = after(Fault::Refuses).await;
    assert!(matches!(&error, Error::Sign { kid, .. } if kid == "k-1"));
    let error = after(Fault::Hangs).await;
    assert_eq!(error.to_string(), "key `k-1` did not sign within 20 ms");
}

// T-06
#[tokio::test]
async fn an_event_of_a_type_that_the_bank_took_out_of_its_table_does_not_stop_the_others() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let issuer = bank.issuer(Options::default());
    bank.accept_of_kind(&tpp, "children-savings-account").await;
    let work = bank.work(&tpp, 1).await;
    let issued = issuer.issue(pushed(&tpp), work).await;
    let gone = BuildError::UnknownResource("children-savings-account".to_owned());
    assert!(matches!(&issued[0].outcome, Err(Error::Claims(error)) if *error == gone));
    assert!(matches!(issued[1].outcome, Ok(Outcome::Send(_))));
}
