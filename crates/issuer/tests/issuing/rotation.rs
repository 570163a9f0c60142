//! Keys come and go while events are being signed.

use std::sync::Arc;

use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::sets::SetState;
use oyez_issuer::{Error, Issued, Issuer, Options, Outcome};
use oyez_jose::key_set::{KeySet, Manifest, Revocation, RevocationReason};
use oyez_jose::{Sign, UnixTime};
use oyez_store::Store;
use tokio::task::JoinHandle;

use crate::bank::{Bank, handed_out, key_set, one_at_a_time, only, opened, p256, pushed, sent};
use crate::scripted::Gated;
use oyez_testkit::making::DAWN;

/// A spare key in memory and, signing before it, one behind a gate at which the first of some events stands.
struct Signing {
    bank: Bank,
    issuer: Arc<Issuer>,
    gated: Arc<Gated>,
    spare: Arc<dyn Sign>,
    tpp: ClientId,
    jtis: Vec<Jti>,
    issue: JoinHandle<Vec<Issued>>,
}

impl Signing {
    async fn of(events: usize) -> Self {
        let (gated, spare) = (Gated::new(), p256());
        let bank = Bank::with(key_set(&[
            ("spare", spare.clone()),
            ("gated", gated.clone()),
        ]));
        let issuer = bank.issuer(one_at_a_time());
        let tpp = bank.tpp("tpp").await;
        let work = bank.work(&tpp, events).await;
        let jtis = crate::bank::jtis(&work);
        let issue = tokio::spawn({
            let (issuer, order) = (Arc::clone(&issuer), pushed(&tpp));
            async move { issuer.issue(order, work).await }
        });
        gated.is_asked(1).await;
        Self {
            bank,
            issuer,
            gated,
            spare,
            tpp,
            jtis,
            issue,
        }
    }

    /// Exchanges the keys for the same ones under a changed manifest.
    fn reload(&self, change: impl FnOnce(&mut Manifest)) {
        let mut manifest = self.bank.keys.borrow().manifest().clone();
        change(&mut manifest);
        let keys: [(&str, Arc<dyn Sign>); 2] =
            [("spare", self.spare.clone()), ("gated", self.gated.clone())];
        self.bank
            .keys
            .send_replace(Arc::new(opened(manifest, &keys)));
    }

    async fn disown(&self, kid: &str) {
        let actor = Actor::Operator("ops".to_owned());
        let disowned = self.bank.ledger.disown_key(actor, kid.to_owned(), DAWN);
        assert_eq!(disowned.await.unwrap(), 0, "nothing of it was kept yet");
    }

    /// The keys that signed what the ledger kept, one for each event.
    async fn signed_by(&self) -> Vec<String> {
        let mut kids = Vec::new();
        for jti in &self.jtis {
            let [set] = self.bank.file(*jti).await.sets.try_into().unwrap();
            kids.push(set.kid);
        }
        kids
    }
}

fn now() -> UnixTime {
    UnixTime::from_milliseconds(DAWN.unix_ms())
}

// M-06
#[tokio::test]
async fn while_no_key_may_sign_events_wait_and_kept_sets_go_out() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let issuer = bank.issuer(Options::default());
    let kept = bank.work(&tpp, 1).await;
    let kept = sent(issuer.issue(handed_out(&tpp), kept).await);
    let keys = bank.keys.send_replace(Arc::new(key_set(&[])));
    bank.accept(&tpp, 1).await;
    let work = bank.choose(&tpp).await;
    let is_kept =
        |issued: &Issued| matches!(&issued.outcome, Ok(Outcome::Send(set)) if *set == kept[0]);
    let is_waiting = |issued: &Issued| matches!(issued.outcome, Err(Error::NoKey));
    let issued = issuer.issue(handed_out(&tpp), work.clone()).await;
    assert_eq!(issued.iter().filter(|it| is_kept(it)).count(), 1);
    assert_eq!(issued.iter().filter(|it| is_waiting(it)).count(), 1);
    bank.keys.send_replace(keys);
    for set in sent(issuer.issue(handed_out(&tpp), work).await) {
        bank.verified(&set);
    }
}

// M-06
#[tokio::test]
async fn a_key_that_takes_over_signs_what_is_queued() {
    let mut signing = Signing::of(10).await;
    signing.reload(|manifest| manifest.keys[1].retire_at = Some(now()));
    signing.gated.open();
    let sets = sent((&mut signing.issue).await.unwrap());
    // The retired key's SETs can still be verified: it stays published.
    for set in &sets {
        signing.bank.verified(set);
    }
    let signed_by = signing.signed_by().await;
    assert_eq!(signed_by[0], "gated");
    // The second one's input was made when the thread took it from the queue.
    assert_eq!(signed_by[2..], ["spare"; 8]);
}

// M-06
#[tokio::test]
async fn what_a_key_signed_as_it_was_revoked_is_signed_again() {
    let mut signing = Signing::of(10).await;
    let revocation = Revocation {
        at: now(),
        reason: RevocationReason::Compromised,
    };
    signing.reload(|manifest| manifest.revoke("gated", revocation).unwrap());
    signing.gated.open();
    for set in sent((&mut signing.issue).await.unwrap()) {
        signing.bank.verified(&set);
    }
    assert_eq!(signing.signed_by().await, ["spare"; 10]);
}

// M-06
#[tokio::test]
async fn a_key_that_the_ledger_disowns_signs_nothing_more_though_our_set_believes_in_it() {
    let mut signing = Signing::of(10).await;
    signing.disown("gated").await;
    signing.gated.open();
    for set in sent((&mut signing.issue).await.unwrap()) {
        signing.bank.verified(&set);
    }
    assert_eq!(signing.signed_by().await, ["spare"; 10]);
    let asked = signing.gated.asked_times();
    let more = signing.bank.work(&signing.tpp, 1).await;
    sent(signing.issuer.issue(pushed(&signing.tpp), more).await);
    assert_eq!(signing.gated.asked_times(), asked, "it is remembered");
}

// M-06
#[tokio::test]
async fn without_a_spare_key_events_wait_after_a_compromise() {
    let mut signing = Signing::of(1).await;
    signing.disown("gated").await;
    signing.disown("spare").await;
    signing.gated.open();
    let outcome = only((&mut signing.issue).await.unwrap());
    assert!(matches!(outcome, Err(Error::NoKey)), "{outcome:?}");
    let again = signing.bank.choose(&signing.tpp).await;
    assert!(matches!(again[0].set, SetState::Unsigned { .. }));
    let keys: KeySet = key_set(&[("new", p256())]);
    signing.bank.keys.send_replace(Arc::new(keys));
    let sets = sent(signing.issuer.issue(pushed(&signing.tpp), again).await);
    signing.bank.verified(&sets[0]);
}
