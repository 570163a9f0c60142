//! The bank's own keys (M-06): which may still be needed, and what a compromise undoes, the one exception to P-09.

use std::time::Duration;

use oyez_domain::ids::Jti;
use oyez_domain::ledger::history::{KeptSet, Retention};
use oyez_domain::ledger::poll::Polled;
use oyez_domain::ledger::sets::{Kept, KeyUse, Purpose, SetState, Signed};
use oyez_domain::time::Timestamp;
use serde_json::json;

use super::ledger;
use crate::fixture::{BY_POLL, Ledger, Tpp, ask, operator};
use oyez_testkit::making::{UPDATE, everything, interaction, only, pushed_to};

const KEY: &str = "key-1";
const NEW_KEY: &str = "key-2";

async fn disown(ledger: &Ledger, kid: &str) -> u64 {
    let now = ledger.now();
    ledger
        .disown_key(operator(), kid.to_owned(), now)
        .await
        .unwrap()
}

async fn in_use(ledger: &Ledger) -> Vec<(String, u64, Timestamp)> {
    let uses = ledger.keys_in_use().await.unwrap();
    let row = |it: KeyUse| (it.kid, it.outstanding, it.last_kept_at);
    uses.into_iter().map(row).collect()
}

/// Other bytes than the fixture's, by the new key.
fn anew(tpp: &Tpp, jti: Jti, revision: u64, purpose: Purpose) -> Signed {
    Signed {
        set: format!("new-set-of-{jti}"),
        kid: NEW_KEY.to_owned(),
        ..tpp.signed(jti, revision, purpose)
    }
}

fn handed_out() -> Purpose {
    Purpose::HandOut {
        cap: None,
        interaction_id: interaction("poll-2"),
    }
}

/// Polls, and answers what there is to sign, with its revision.
async fn unsigned(tpp: &Tpp) -> Vec<(Jti, u64)> {
    to_sign(tpp.polls(ask()).await)
}

fn to_sign(polled: Polled) -> Vec<(Jti, u64)> {
    let unsigned = polled.work.into_iter().map(|work| match work.set {
        SetState::Unsigned { revision, .. } => (work.jti, revision),
        SetState::Kept(set) => panic!("bytes to be sent: {set}"),
    });
    unsigned.collect()
}

// M-06, P-09
#[tokio::test]
async fn after_a_compromise_an_outstanding_set_is_signed_anew_under_its_jti_and_both_are_kept() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    let old = acme.takes(ask()).await.remove(0).1;
    let kept_at = ledger.now();
    let signed_anew_at = ledger.pass(Duration::from_secs(90));
    assert_eq!(disown(&ledger, KEY).await, 1);
    let work = unsigned(&acme).await;
    let [(chosen, revision)] = work[..] else {
        panic!("one is chosen: {work:?}");
    };
    assert_eq!(chosen, jti);
    let new = anew(&acme, jti, revision, handed_out());
    assert_eq!(acme.keeps(new.clone()).await, Kept::Send(new.set.clone()));
    let file = acme.file(jti).await;
    let first = KeptSet {
        set: old,
        kid: KEY.to_owned(),
        kept_at,
    };
    let second = KeptSet {
        set: new.set.clone(),
        kid: new.kid,
        kept_at: signed_anew_at,
    };
    assert_eq!(file.sets, [first, second]);
    assert_eq!(file.hand_outs.len(), 2, "what went out stays counted");
    assert_eq!(acme.takes(ask()).await, [(jti, new.set)]);
    acme.polls(ask().max(0).ack(&[jti])).await;
    assert_eq!(acme.outcome(jti).await, BY_POLL);
}

// M-06
#[tokio::test]
async fn after_each_compromise_the_older_versions_stay_in_order() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    for kid in ["key-3", "key-2", "key-1"] {
        let (_, revision) = unsigned(&acme).await[0];
        let signed = Signed {
            set: format!("by-{kid}"),
            kid: kid.to_owned(),
            ..acme.signed(jti, revision, Purpose::Push)
        };
        acme.keeps(signed).await;
        assert_eq!(disown(&ledger, kid).await, 1);
    }
    let sets = acme.file(jti).await.sets;
    let kids: Vec<_> = sets.iter().map(|set| set.kid.as_str()).collect();
    assert_eq!(kids, ["key-3", "key-2", "key-1"]);
}

// M-06, P-09
#[tokio::test]
async fn what_another_key_signed_and_what_is_settled_stay_as_they_are() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let settled = acme.news().await;
    acme.takes(ask()).await;
    acme.polls(ask().max(0).ack(&[settled])).await;
    let others = acme.news().await;
    let (_, revision) = unsigned(&acme).await[0];
    let by_other = anew(&acme, others, revision, handed_out());
    acme.keeps(by_other.clone()).await;
    let before = (acme.file(settled).await, acme.file(others).await);
    assert_eq!(disown(&ledger, KEY).await, 0);
    assert_eq!((acme.file(settled).await, acme.file(others).await), before);
    assert_eq!(acme.takes(ask()).await, [(others, by_other.set)]);
}

// M-06, I-04
#[tokio::test]
async fn a_failed_event_that_is_queued_again_does_not_send_what_a_disowned_key_signed() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    acme.takes(ask()).await;
    let error = ask().max(0).error(jti, "jwtSig").error_cap(1);
    acme.polls(error).await;
    assert_eq!(disown(&ledger, KEY).await, 1);
    let always = Timestamp::from_unix_ms(0)..Timestamp::MAX;
    let requeued = ledger.requeue_failed(operator(), acme.id.clone(), always, 9, ledger.now());
    assert_eq!(requeued.await.unwrap(), [jti]);
    let (chosen, _) = unsigned(&acme).await[0];
    assert_eq!(chosen, jti);
    assert_eq!(acme.file(jti).await.sets.len(), 1);
}

// M-06
#[tokio::test]
async fn what_a_disowned_key_signs_is_not_kept_not_even_by_a_signer_who_chose_before() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    let (_, revision) = unsigned(&acme).await[0];
    disown(&ledger, KEY).await;
    let late = acme.signed(jti, revision, handed_out());
    assert_eq!(acme.keeps(late.clone()).await, Kept::KeyDisowned);
    let file = acme.file(jti).await;
    assert_eq!((file.sets, file.hand_outs), (vec![], vec![]));
    let new = anew(&acme, jti, revision, handed_out());
    assert_eq!(acme.keeps(new.clone()).await, Kept::Send(new.set.clone()));
    assert_eq!(acme.keeps(late).await, Kept::Send(new.set));
}

// M-06, S-12
#[tokio::test]
async fn a_change_of_registration_and_a_disowned_key_together_mean_choosing_again() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    let (_, revision) = unsigned(&acme).await[0];
    acme.replaces(only(&[UPDATE])).await;
    disown(&ledger, KEY).await;
    let late = acme.signed(jti, revision, handed_out());
    assert_eq!(acme.keeps(late).await, Kept::ChooseAgain);
}

// M-06, P-14
#[tokio::test]
async fn a_recheck_says_choose_again_until_the_set_is_signed_anew() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let jti = acme.news().await;
    assert_eq!(acme.is_pushed().await, [jti]);
    disown(&ledger, KEY).await;
    let recheck = || ledger.recheck(None, acme.id.clone(), vec![jti]);
    assert_eq!(recheck().await.unwrap(), Some(vec![Kept::ChooseAgain]));
    ledger.pass(Duration::from_secs(10));
    let (_, revision) = unsigned(&acme).await[0];
    let new = anew(&acme, jti, revision, Purpose::Push);
    acme.keeps(new.clone()).await;
    assert_eq!(recheck().await.unwrap(), Some(vec![Kept::Send(new.set)]));
}

// M-06, I-05
#[tokio::test]
async fn disowning_a_key_has_one_entry_and_doing_it_again_none() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.much_news(2).await;
    acme.takes(ask()).await;
    assert_eq!(disown(&ledger, KEY).await, 2);
    assert_eq!(disown(&ledger, KEY).await, 0);
    let trail = ledger.list_audit(None, None, 1_000).await.unwrap().rows;
    let said: Vec<_> = trail
        .into_iter()
        .filter(|entry| entry.action == "key.disowned")
        .map(|it| (it.actor, it.client_id, it.before, it.after))
        .collect();
    let sets = |sets: u64| Some(json!({"kid": KEY, "sets": sets}));
    assert_eq!(said, [(operator(), None, sets(2), sets(0))]);
}

// M-06
#[tokio::test]
async fn a_key_is_in_use_until_the_last_set_it_signed_is_settled() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let bolt = ledger.subscriber("bolt", everything()).await;
    assert_eq!(in_use(&ledger).await, []);
    let old = acme.much_news(2).await;
    acme.takes(ask()).await;
    let last_kept_at = ledger.pass(Duration::from_secs(5));
    let last = bolt.news().await;
    bolt.takes(ask()).await;
    let newer = acme.news().await;
    let revision = to_sign(acme.polls(ask().waiting()).await)[0].1;
    acme.keeps(anew(&acme, newer, revision, handed_out())).await;
    let one = |sets| (KEY.to_owned(), sets, last_kept_at);
    let two = (NEW_KEY.to_owned(), 1, last_kept_at);
    assert_eq!(in_use(&ledger).await, [one(3), two.clone()]);
    acme.polls(ask().max(0).ack(&old)).await;
    assert_eq!(in_use(&ledger).await, [one(1), two.clone()]);
    bolt.polls(ask().max(0).error(last, "jwtSig").error_cap(1))
        .await;
    assert_eq!(
        in_use(&ledger).await,
        [one(1), two.clone()],
        "set aside as failed, it may be queued again"
    );
    bolt.polls(ask().max(0).ack(&[last])).await;
    assert_eq!(in_use(&ledger).await, [two]);
}

// M-06, I-06
#[tokio::test]
async fn superseded_sets_go_with_their_event() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let jti = acme.news().await;
    acme.takes(ask()).await;
    disown(&ledger, KEY).await;
    acme.polls(ask().max(0).ack(&[jti])).await;
    assert_eq!(acme.file(jti).await.sets.len(), 1);
    let now = ledger.pass(Duration::from_secs(10));
    let retention = Retention {
        settled_for: Duration::from_secs(5),
        keys_for: Duration::from_secs(5),
        minutes_for: Duration::from_secs(5),
        batch_max: 10,
    };
    assert_eq!(ledger.sweep(retention, now).await.unwrap().events, 1);
    assert_eq!(ledger.find_event(jti).await.unwrap(), None);
}

// M-06
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_signs_meanwhile_nothing_of_a_disowned_key_is_left_to_be_sent() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.much_news(64).await;
    let mut signers = tokio::task::JoinSet::new();
    for (jti, revision) in unsigned(&acme).await {
        let acme = acme.clone();
        signers.spawn(async move {
            let signed = acme.signed(jti, revision, Purpose::Push);
            (jti, acme.keeps(signed.clone()).await, signed.set)
        });
    }
    let superseded = disown(&ledger, KEY).await;
    let mut kept = 0;
    for (jti, answer, set) in signers.join_all().await {
        let sets = acme.file(jti).await.sets;
        if answer == Kept::KeyDisowned {
            assert_eq!(sets, []);
        } else {
            assert_eq!(answer, Kept::Send(set));
            assert_eq!(sets.len(), 1);
            kept += 1;
        }
    }
    assert_eq!(kept, superseded);
    assert_eq!(in_use(&ledger).await, []);
}
