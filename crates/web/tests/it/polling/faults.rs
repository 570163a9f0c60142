//! When the bank cannot do what it should. Nothing is lost, and nobody is told that there is nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oyez_jose::{KeyKind, LocalKey, PublicKey, Sign, SigningFuture};
use oyez_testkit::faulty_store::FaultyStore;
use oyez_testkit::keys;
use oyez_web::polling::Unavailable;
use tokio::sync::Semaphore;

use super::bank::{A_MOMENT, Bank, REDELIVERY, at_once, busy, jtis, key_set, waiting};

// M-06, P-02
#[tokio::test(start_paused = true)]
async fn a_bank_without_a_key_says_that_it_is_unavailable_and_hands_out_later() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    bank.keys.send(Arc::new(key_set(None))).unwrap();
    let accepted = bank.accept(&tpp, 2).await;
    for ask in [at_once(&tpp), waiting(&tpp)] {
        let error = bank.desk.answer(ask).await.unwrap_err();
        assert!(matches!(error, Unavailable::Signing(_)), "{error}");
        bank.later(REDELIVERY).await;
    }
    bank.keys
        .send(Arc::new(key_set(Some(&(keys::p256() as _)))))
        .unwrap();
    assert_eq!(jtis(&bank.poll(waiting(&tpp)).await), accepted);
}

// M-06, P-02
#[tokio::test(start_paused = true)]
async fn what_was_signed_before_goes_out_without_a_key_and_the_rest_is_said_to_be_there() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let signed = bank.accept(&tpp, 2).await;
    bank.poll(at_once(&tpp)).await;
    bank.keys.send(Arc::new(key_set(None))).unwrap();
    bank.accept(&tpp, 2).await;
    let answer = bank.poll(at_once(&tpp)).await;
    assert_eq!((jtis(&answer), answer.more_available), (signed, true));
}

// P-02
#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_told_does_not_stop_the_others() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let unspeakable = bank.accept_unspeakable(&tpp).await;
    let accepted = bank.accept(&tpp, 2).await;
    assert_eq!(jtis(&bank.poll(waiting(&tpp)).await), accepted);
    assert!(!bank.is_settled(unspeakable).await);
    let polling = bank.lies_down(waiting(&tpp)).await;
    bank.later(REDELIVERY).await;
    assert_eq!(jtis(&super::bank::answer_of(polling).await), accepted);
}

// G-10
#[tokio::test(start_paused = true)]
async fn a_ledger_that_fails_is_no_empty_answer() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let accepted = bank.accept(&tpp, 1).await;
    for fault in FaultyStore::outages() {
        bank.store.fail_at("poll", fault);
        let error = bank.desk.answer(at_once(&tpp)).await.unwrap_err();
        assert!(matches!(error, Unavailable::Ledger(_)), "{error}");
        bank.store.mend();
        bank.store.fail_at("keep_sets", busy());
        let error = bank.desk.answer(at_once(&tpp)).await.unwrap_err();
        assert!(matches!(error, Unavailable::Signing(_)), "{error}");
        bank.store.mend();
    }
    assert_eq!(jtis(&bank.poll(at_once(&tpp)).await), accepted);
}

// P-07
#[tokio::test(start_paused = true)]
async fn a_call_that_one_poll_could_not_follow_is_followed_by_another() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let first = bank.lies_down(waiting(&tpp)).await;
    bank.later(A_MOMENT).await;
    let second = bank.lies_down(waiting(&tpp)).await;
    bank.store.fail_at("poll", busy());
    bank.accept(&tpp, 1).await;
    assert!(first.await.unwrap().is_err());
    assert!(second.await.unwrap().is_err());
    assert_eq!(bank.waiters.counts().waiting, 0);
}

/// A key outside of this process, behind a gate.
pub(crate) struct Gated {
    key: LocalKey,
    gate: Semaphore,
    asked: AtomicUsize,
}

impl Gated {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            key: LocalKey::generate(KeyKind::P256).unwrap(),
            gate: Semaphore::new(0),
            asked: AtomicUsize::new(0),
        })
    }

    /// How many signatures it was asked for.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Lets so many signatures through.
    pub(crate) fn let_through(&self, signatures: usize) {
        self.gate.add_permits(signatures);
    }

    /// Lets all through from now on.
    pub(crate) fn open(&self) {
        self.gate.add_permits(1_000_000);
    }
}

impl Sign for Gated {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn sign<'a>(&'a self, input: &'a [u8]) -> SigningFuture<'a> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.gate.acquire().await.unwrap().forget();
            self.key.sign_now(input)
        })
    }
}
