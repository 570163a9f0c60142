//! What is kept, what comes out, and what came between.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ledger::sets::SetState;
use oyez_domain::tpp::HeaderProfile;
use oyez_issuer::{Options, Order, Outcome};
use oyez_jose::compact::Compact;
use oyez_jose::{KeyKind, LocalKey};

use crate::bank::{Bank, ISS, handed_out, jtis, key_set, one_at_a_time, only, pushed, sent};
use crate::scripted::Gated;
use oyez_testkit::making::{REVOKED, everything, only as only_types};

// P-09, T-01
#[tokio::test]
async fn what_was_kept_goes_out_again_with_the_same_bytes() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let issuer = bank.issuer(Options::default());
    let work = bank.work(&tpp, 20).await;
    let chosen = jtis(&work);
    let polled = sent(issuer.issue(handed_out(&tpp), work).await);
    for (jti, set) in chosen.iter().zip(&polled) {
        let claims = bank.verified(set);
        assert_eq!(claims["jti"], jti.to_string());
        assert_eq!(claims["aud"], "tpp");
        assert_eq!(claims["iss"], ISS);
        assert_eq!(claims["iat"], 1_700_000_000);
    }
    bank.clock.advance(Duration::from_secs(61));
    let again = bank.choose(&tpp).await;
    assert_eq!(jtis(&again), chosen);
    let pushed = sent(issuer.issue(pushed(&tpp), again).await);
    assert_eq!(pushed, polled);
    for (jti, set) in chosen.iter().zip(&polled) {
        let file = bank.file(*jti).await;
        assert_eq!(file.sets.len(), 1);
        assert_eq!(file.sets[0].set, *set);
        assert_eq!(file.hand_outs.len(), 2, "one at signing, one at the choice");
    }
}

// P-09
#[tokio::test(flavor = "multi_thread")]
async fn two_issuers_that_sign_at_once_end_with_one_set() {
    let bank = Bank::new();
    let tpp = bank.tpp("tpp").await;
    let issuers = [(); 2].map(|()| bank.issuer(Options::default()));
    let work = bank.work(&tpp, 100).await;
    let [one, other] = issuers.map(|issuer| {
        let (order, work) = (pushed(&tpp), work.clone());
        tokio::spawn(async move { sent(issuer.issue(order, work).await) })
    });
    let [one, other] = [one.await.unwrap(), other.await.unwrap()];
    assert_eq!(one, other);
    for (jti, set) in jtis(&work).into_iter().zip(&one) {
        assert_eq!(bank.verified(set)["jti"], jti.to_string());
        assert_eq!(bank.file(jti).await.sets.len(), 1);
    }
}

// P-14
#[tokio::test]
async fn an_event_settled_while_it_was_signed_is_not_sent() {
    let key = Gated::new();
    let bank = Bank::with(key_set(&[("k-1", key.clone())]));
    let tpp = bank.tpp("tpp").await;
    let issuer = bank.issuer(one_at_a_time());
    let work = bank.work(&tpp, 1).await;
    let jti = work[0].jti;
    let issue = tokio::spawn({
        let order = pushed(&tpp);
        async move { issuer.issue(order, work).await }
    });
    key.is_asked(1).await;
    bank.acknowledge(&tpp, jti).await;
    key.open();
    let outcome = only(issue.await.unwrap()).unwrap();
    assert_eq!(outcome, Outcome::NoLongerOutstanding);
    assert!(bank.file(jti).await.sets.is_empty());
}

// P-09, T-09, S-12
#[tokio::test]
async fn a_set_cut_to_an_older_registration_is_not_kept() {
    let key = Gated::new();
    let bank = Bank::with(key_set(&[("k-1", key.clone())]));
    let tpp = bank.tpp("tpp").await;
    let issuer = bank.issuer(one_at_a_time());
    let work = bank.work(&tpp, 1).await;
    let issue = tokio::spawn({
        let (issuer, order) = (Arc::clone(&issuer), pushed(&tpp));
        async move { issuer.issue(order, work).await }
    });
    key.is_asked(1).await;
    bank.resubscribe(&tpp, everything()).await;
    key.open();
    let outcome = only(issue.await.unwrap()).unwrap();
    assert_eq!(outcome, Outcome::ChooseAgain);
    let again = bank.choose(&tpp).await;
    assert!(matches!(again[0].set, SetState::Unsigned { .. }));
    sent(issuer.issue(pushed(&tpp), again).await);
    bank.resubscribe(&tpp, only_types(&[REVOKED])).await;
    assert!(bank.choose(&tpp).await.is_empty(), "nothing is wanted now");
}

// P-14
#[tokio::test]
async fn a_set_that_waited_a_second_for_its_neighbours_is_checked_again() {
    let key = Gated::new();
    let bank = Bank::with(key_set(&[("k-1", key.clone())]));
    let tpp = bank.tpp("tpp").await;
    let issuer = bank.issuer(one_at_a_time());
    key.let_through(2);
    let kept = bank.work(&tpp, 2).await;
    sent(issuer.issue(handed_out(&tpp), kept.clone()).await);
    bank.accept(&tpp, 1).await;
    bank.clock.advance(Duration::from_secs(60));
    let work = bank.choose(&tpp).await;
    let issue = tokio::spawn({
        let order = handed_out(&tpp);
        async move { issuer.issue(order, work).await }
    });
    key.is_asked(3).await;
    bank.acknowledge(&tpp, kept[0].jti).await;
    bank.clock.advance(Duration::from_secs(1));
    key.open();
    let issued = issue.await.unwrap();
    assert_eq!(issued.len(), 3);
    for issued in issued {
        let is_sent = matches!(issued.outcome, Ok(Outcome::Send(_)));
        let settled = issued.jti == kept[0].jti;
        assert_eq!(is_sent, !settled, "{}: {:?}", issued.jti, issued.outcome);
    }
}

// T-07
#[tokio::test]
async fn headers_are_of_the_profile_that_is_asked_for() {
    let rsa = Arc::new(LocalKey::generate(KeyKind::Rsa2048).unwrap());
    let bank = Bank::with(key_set(&[("rsa", rsa)]));
    let tpp = bank.tpp("tpp").await;
    let issuer = bank.issuer(Options::default());
    let profiles = [
        (HeaderProfile::OpenBanking, "JOSE"),
        (HeaderProfile::Jwt, "JWT"),
        (HeaderProfile::Rfc8417, "secevent+jwt"),
        (HeaderProfile::OpenBanking, "JOSE"),
    ];
    for (profile, typ) in profiles {
        bank.accept(&tpp, 1).await;
        bank.clock.advance(Duration::from_millis(1));
        let mut work = bank.choose(&tpp).await;
        work.retain(|work| matches!(work.set, SetState::Unsigned { .. }));
        let order = Order {
            profile,
            ..handed_out(&tpp)
        };
        let sets = sent(issuer.issue(order, work).await);
        bank.verified(&sets[0]);
        let token = Compact::parse(&sets[0]).unwrap();
        assert_eq!(token.header().get("typ").unwrap(), typ);
        assert_eq!(token.header().get("alg").unwrap(), "PS256");
        assert_eq!(token.header().kid(), Some("rsa"));
    }
}

// P-09, P-12
#[tokio::test]
async fn of_a_caller_that_goes_away_only_what_was_being_signed_is_kept() {
    let key = Gated::new();
    let bank = Bank::with(key_set(&[("k-1", key.clone())]));
    let tpp = bank.tpp("tpp").await;
    let issuer = bank.issuer(one_at_a_time());
    let work = bank.work(&tpp, 5).await;
    let chosen = jtis(&work);
    let issue = tokio::spawn({
        let (issuer, order) = (Arc::clone(&issuer), handed_out(&tpp));
        async move { issuer.issue(order, work).await }
    });
    key.is_asked(1).await;
    issue.abort();
    assert!(issue.await.unwrap_err().is_cancelled());
    key.open();
    issuer.close(Duration::from_secs(60)).await;
    assert_eq!(key.asked_times(), 1);
    let first = bank.file(chosen[0]).await;
    bank.verified(&first.sets[0].set);
    assert!(first.hand_outs.is_empty(), "nobody was handed anything");
    for jti in &chosen[1..] {
        assert!(bank.file(*jti).await.sets.is_empty());
    }
}

#[tokio::test]
async fn a_signed_set_waits_for_others_only_while_some_come_and_the_group_has_room() {
    let key = Gated::new();
    let bank = Bank::with(key_set(&[("k-1", key.clone())]));
    let tpp = bank.tpp("tpp").await;
    let issuer = bank.issuer(Options {
        group_sets_max: 2,
        group_wait_max: Duration::from_secs(3600),
        remote_at_once_max: 3,
        ..one_at_a_time()
    });
    key.let_through(1);
    let work = bank.work(&tpp, 4).await;
    let mut calls: Vec<_> = work
        .into_iter()
        .map(|work| {
            let (issuer, order) = (Arc::clone(&issuer), pushed(&tpp));
            async move { sent(issuer.issue(order, vec![work]).await) }
        })
        .collect();
    // Alone: nothing else comes.
    calls.remove(0).await;
    // In company: two are a full group though the third is still being signed.
    let mut calls: Vec<_> = calls.into_iter().map(tokio::spawn).collect();
    key.is_asked(4).await;
    key.let_through(2);
    let last = calls.pop().unwrap();
    for call in calls {
        call.await.unwrap();
    }
    assert!(!last.is_finished());
    key.open();
    last.await.unwrap();
}
