//! Sign, keep, send (P-09, P-14): the first bytes win, and the keeping write is the last look before sending.

use std::num::NonZeroU32;

use oyez_domain::event::Notice;
use oyez_domain::ids::Jti;
use oyez_domain::ledger::history::KeptSet;
use oyez_domain::ledger::registering::Kind;
use oyez_domain::ledger::sets::{Kept, Purpose, SetState, Signed};
use oyez_domain::life::{Acknowledged, Outcome};
use oyez_store::Error;
use tokio::task::JoinSet;

use super::ledger;
use crate::fixture::{Tpp, ask, operator};
use oyez_testkit::making::{UPDATE, everything, interaction, only, pushed_to};

/// What a poll chose first, and the revision its notice was reduced by.
async fn chosen(tpp: &Tpp) -> (Jti, Box<Notice>, u64) {
    let work = tpp.polls(ask().max(1)).await.work.remove(0);
    match work.set {
        SetState::Unsigned { notice, revision } => (work.jti, notice, revision),
        SetState::Kept(set) => panic!("bytes before any were kept: {set}"),
    }
}

fn handed_out(cap: Option<u32>) -> Purpose {
    Purpose::HandOut {
        cap: cap.and_then(NonZeroU32::new),
        interaction_id: interaction("poll-1"),
    }
}

// P-09
#[tokio::test]
async fn kept_bytes_are_durable_with_their_key_and_moment() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.news().await;
    let (jti, notice, revision) = chosen(&acme).await;
    assert_eq!(*notice, acme.file(jti).await.notice);
    let signed = acme.signed(jti, revision, handed_out(None));
    assert_eq!(
        acme.keeps(signed.clone()).await,
        Kept::Send(signed.set.clone())
    );
    let kept = KeptSet {
        set: signed.set,
        kid: signed.kid,
        kept_at: ledger.now(),
    };
    assert_eq!(acme.file(jti).await.sets, [kept]);
}

// P-09
#[tokio::test]
async fn two_signers_end_with_one_set_and_both_send_that() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.news().await;
    let (jti, _, revision) = chosen(&acme).await;
    let one = acme.signed(jti, revision, Purpose::Push);
    let other = Signed {
        set: "other-bytes".to_owned(),
        ..one.clone()
    };
    let answers = ledger
        .keep_sets(vec![one.clone(), other], ledger.now())
        .await
        .unwrap();
    assert_eq!(answers, [Kept::Send(one.set.clone()), Kept::Send(one.set)]);
    assert_eq!(acme.file(jti).await.sets.len(), 1);
}

// P-09
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_signers_at_once_all_send_the_same_bytes() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.news().await;
    let (jti, _, revision) = chosen(&acme).await;
    let mut signers = JoinSet::new();
    for signer in 0..16 {
        let acme = acme.clone();
        signers.spawn(async move {
            let signed = acme.signed(jti, revision, Purpose::Push);
            acme.keeps(Signed {
                set: format!("bytes-of-{signer}"),
                ..signed
            })
            .await
        });
    }
    let mut answers = signers.join_all().await;
    answers.dedup();
    let bytes = acme.file(jti).await.sets.remove(0).set;
    assert_eq!(answers, [Kept::Send(bytes)]);
}

// P-14
#[tokio::test]
async fn what_was_settled_meanwhile_is_neither_kept_nor_sent() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.news().await;
    let (jti, _, revision) = chosen(&acme).await;
    acme.polls(ask().max(0).ack(&[jti])).await;
    let signed = acme.signed(jti, revision, handed_out(None));
    assert_eq!(acme.keeps(signed).await, Kept::NoLongerOutstanding);
    let file = acme.file(jti).await;
    assert_eq!((file.sets, file.hand_outs), (vec![], vec![]));
}

// S-12, P-09
#[tokio::test]
async fn after_a_change_of_registration_nothing_is_kept_and_the_next_choice_follows_it() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.news().await;
    let (jti, _, revision) = chosen(&acme).await;
    acme.replaces(only(&[UPDATE])).await;
    let stale = acme.signed(jti, revision, handed_out(None));
    assert_eq!(acme.keeps(stale).await, Kept::ChooseAgain);
    assert_eq!(acme.file(jti).await.sets, []);
    assert_eq!(acme.receives(ask()).await, [jti]);
}

// P-08, S-12
#[tokio::test]
async fn a_choice_for_a_poll_that_came_to_nothing_leaves_its_event_due() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.news().await;
    let (jti, _, revision) = chosen(&acme).await;
    acme.replaces(only(&[UPDATE])).await;
    let pushed = acme.signed(jti, revision, Purpose::Push);
    assert_eq!(acme.keeps(pushed).await, Kept::ChooseAgain);
    assert_eq!(
        acme.polls(ask().waiting()).await.work,
        [],
        "it is held back"
    );
    let handed_out = acme.signed(jti, revision, handed_out(None));
    assert_eq!(acme.keeps(handed_out).await, Kept::ChooseAgain);
    assert_eq!(acme.receives(ask().waiting()).await, [jti]);
    assert_eq!(acme.polls(ask().waiting()).await.work, [], "handed out now");
}

// P-09
#[tokio::test]
async fn bytes_kept_before_a_change_of_registration_are_still_the_ones_to_send() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.news().await;
    let (jti, _, revision) = chosen(&acme).await;
    let signed = acme.signed(jti, revision, handed_out(None));
    acme.keeps(signed.clone()).await;
    acme.replaces(only(&[UPDATE])).await;
    let late = Signed {
        set: "other-bytes".to_owned(),
        ..signed.clone()
    };
    assert_eq!(acme.keeps(late).await, Kept::Send(signed.set));
}

// A-07, P-09
#[tokio::test]
async fn nobody_keeps_bytes_for_another_tpps_event_or_for_none() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let bolt = ledger.subscriber("bolt", everything()).await;
    let foreign = acme.news().await;
    for jti in [foreign, ledger.jti()] {
        let signed = bolt.signed(jti, 1, handed_out(None));
        assert_eq!(bolt.keeps(signed).await, Kept::NoLongerOutstanding);
    }
    let file = acme.file(foreign).await;
    assert_eq!((file.sets, file.hand_outs), (vec![], vec![]));
}

// P-09, I-01
#[tokio::test]
async fn each_set_of_a_batch_has_its_own_outcome() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let news = acme.much_news(2).await;
    let (_, _, revision) = chosen(&acme).await;
    acme.polls(ask().max(0).ack(&news[..1])).await;
    let signed = |jti, revision| acme.signed(jti, revision, Purpose::Push);
    let batch = vec![
        signed(news[0], revision),
        signed(news[1], revision + 1),
        signed(news[1], revision),
    ];
    let bytes = batch[2].set.clone();
    assert_eq!(
        ledger.keep_sets(batch, ledger.now()).await.unwrap(),
        [
            Kept::NoLongerOutstanding,
            Kept::ChooseAgain,
            Kept::Send(bytes)
        ]
    );
}

// P-12
#[tokio::test]
async fn a_first_hand_out_is_counted_when_its_bytes_are_kept_and_a_push_never() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let news = acme.much_news(2).await;
    let (_, _, revision) = chosen(&acme).await;
    assert_eq!(acme.file(news[0]).await.hand_outs, []);
    acme.keeps(acme.signed(news[0], revision, handed_out(Some(1))))
        .await;
    assert_eq!(acme.file(news[0]).await.hand_outs.len(), 1);
    let assumed = Some(Outcome::Acknowledged(Acknowledged::Assumed));
    assert_eq!(acme.outcome(news[0]).await, assumed);
    acme.keeps(acme.signed(news[1], revision, Purpose::Push))
        .await;
    assert_eq!(acme.file(news[1]).await.hand_outs, []);
}

// P-14
#[tokio::test]
async fn a_recheck_gives_the_bytes_only_while_the_event_is_outstanding() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let news = acme.much_news(3).await;
    acme.is_pushed().await;
    acme.polls(ask().max(0).ack(&news[..1])).await;
    ledger
        .withdraw(operator(), acme.id.clone(), vec![news[1]], ledger.now())
        .await
        .unwrap();
    let jtis = vec![news[0], news[1], news[2], ledger.jti()];
    let answers = ledger.recheck(None, acme.id.clone(), jtis).await;
    let bytes = acme.file(news[2]).await.sets.remove(0).set;
    let gone = Kept::NoLongerOutstanding;
    assert_eq!(
        answers.unwrap(),
        Some(vec![gone.clone(), gone.clone(), Kept::Send(bytes), gone])
    );
}

// S-05, P-14
#[tokio::test]
async fn after_a_deletion_a_recheck_lets_nothing_out() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let jti = acme.news().await;
    acme.is_pushed().await;
    acme.deletes(Kind::Subscription).await;
    let answers = ledger.recheck(None, acme.id.clone(), vec![jti]).await;
    assert_eq!(answers.unwrap(), Some(vec![Kept::NoLongerOutstanding]));
}

// P-09
#[tokio::test]
async fn a_recheck_of_what_was_never_kept_is_a_contradiction() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    let answer = ledger.recheck(None, acme.id.clone(), vec![jti]).await;
    assert!(
        matches!(answer, Err(Error::Inconsistent { .. })),
        "{answer:?}"
    );
}
