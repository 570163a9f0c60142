//! Who is signed for first, and who waits for whom. By counting, never by time.

use std::sync::Arc;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::sets::Work;
use oyez_issuer::{Issuer, Options, Order};
use tokio::task::JoinHandle;

use crate::bank::{Bank, handed_out, key_set, one_at_a_time, pushed, sent};
use crate::scripted::Gated;

/// A busy TPP has filled the pool behind a closed gate.
struct Jam {
    bank: Bank,
    key: Arc<Gated>,
    issuer: Arc<Issuer>,
    busy: JoinHandle<Vec<String>>,
    quiet: ClientId,
}

impl Jam {
    async fn new(events: usize, options: Options) -> Self {
        let key = Gated::new();
        let bank = Bank::with(key_set(&[("k-1", key.clone())]));
        let issuer = bank.issuer(options);
        let busy = bank.tpp("busy").await;
        let quiet = bank.tpp("quiet").await;
        let work = bank.work(&busy, events).await;
        let busy = asking(&issuer, pushed(&busy), work);
        key.is_asked(1).await;
        Self {
            bank,
            key,
            issuer,
            busy,
            quiet,
        }
    }

    /// Opens the gate, waits for all, and answers after how many others the quiet TPP was signed for.
    async fn before_the_quiet_one(self, quiet: JoinHandle<Vec<String>>) -> usize {
        self.key.open();
        quiet.await.unwrap();
        self.busy.await.unwrap();
        let audiences = self.key.audiences();
        audiences.iter().position(|it| it == "quiet").unwrap()
    }
}

fn asking(issuer: &Arc<Issuer>, order: Order, work: Vec<Work>) -> JoinHandle<Vec<String>> {
    let issuer = Arc::clone(issuer);
    tokio::spawn(async move { sent(issuer.issue(order, work).await) })
}

/// Lets the others go on until exactly so many events are queued: those that came, without those that were taken.
async fn queued(issuer: &Issuer, events: usize) {
    while issuer.queued() != events {
        tokio::task::yield_now().await;
    }
}

// D-09
#[tokio::test]
async fn a_quiet_tpps_event_is_signed_before_the_thousandth_of_a_busy_one() {
    let options = Options {
        places_per_tpp: 2_000,
        ..one_at_a_time()
    };
    let jam = Jam::new(1_000, options).await;
    // One is asked for, and one waits in the thread's hands.
    queued(&jam.issuer, 998).await;
    let work = jam.bank.work(&jam.quiet, 1).await;
    let quiet = asking(&jam.issuer, pushed(&jam.quiet), work);
    queued(&jam.issuer, 999).await;
    assert!(jam.before_the_quiet_one(quiet).await <= 3);
}

// D-09
#[tokio::test]
async fn who_has_no_place_holds_nobody_else_up() {
    let options = Options {
        places_per_tpp: 10,
        ..one_at_a_time()
    };
    let jam = Jam::new(1_000, options).await;
    queued(&jam.issuer, 8).await;
    let work = jam.bank.work(&jam.quiet, 10).await;
    let quiet = asking(&jam.issuer, pushed(&jam.quiet), work);
    queued(&jam.issuer, 18).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(jam.issuer.queued(), 18, "the busy one waits for its places");
    assert!(jam.before_the_quiet_one(quiet).await <= 3);
}

// D-09
#[tokio::test]
async fn a_poll_is_signed_for_before_pushes_that_came_earlier() {
    let jam = Jam::new(100, one_at_a_time()).await;
    queued(&jam.issuer, 98).await;
    let work = jam.bank.work(&jam.quiet, 5).await;
    let poll = asking(&jam.issuer, handed_out(&jam.quiet), work);
    queued(&jam.issuer, 103).await;
    let key = Arc::clone(&jam.key);
    assert!(jam.before_the_quiet_one(poll).await <= 2);
    let audiences = key.audiences();
    assert_eq!(audiences[2..7], ["quiet"; 5], "one after the other");
}
