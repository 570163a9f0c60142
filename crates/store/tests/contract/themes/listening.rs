//! News: told of each change that somebody may wait for, to everybody who listens, and of nothing that did not happen.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::push::Verdict;
use oyez_domain::ledger::registering::Kind;
use oyez_domain::ledger::sets::{Kept, Purpose, SetState};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{DeliveryOrder, Overrides, Standing};
use oyez_store::{Listen, News};
use oyez_testkit::making::{
    LINKED, REVOKED, UPDATE, everything, interaction, notice, profile, pushed_to, submission,
};
use oyez_testkit::notebook::Notebook;

use super::lanes::pushed;
use super::ledger;
use crate::fixture::{Ledger, ask, operator};

/// A ledger and what is heard of it.
async fn listened_to() -> (Ledger, Arc<Notebook>) {
    let ledger = ledger().await;
    let notebook = Notebook::of(&*ledger);
    (ledger, notebook)
}

/// `acme: polls`, since this was last asked.
fn heard(notebook: &Notebook) -> String {
    let words = |news: News| {
        let flags = [
            (news.polls, " polls"),
            (news.ends, " ends"),
            (news.pushes, " pushes"),
            (news.freed, " freed"),
        ];
        let flags = flags.into_iter().filter(|(flag, _)| *flag);
        let flags: String = flags.map(|(_, word)| word).collect();
        format!("{}:{flags}", news.client_id)
    };
    let news = notebook.news().into_values().map(words);
    news.collect::<Vec<_>>().join(", ")
}

// P-07, D-05
#[tokio::test]
async fn whoever_is_answered_knows_that_the_news_was_heard_and_of_whom() {
    let (ledger, notebook) = listened_to().await;
    let [acme, other] = [ledger.tpp("acme").await, ledger.tpp("other").await];
    assert_eq!(heard(&notebook), "", "nobody can wait for it yet");
    acme.subscribes(everything()).await.unwrap();
    assert_eq!(heard(&notebook), "acme: polls");
    other
        .subscribes(pushed_to("other.example", everything()))
        .await
        .unwrap();
    heard(&notebook);
    acme.news().await;
    assert_eq!(heard(&notebook), "acme: polls");
    other.news().await;
    assert_eq!(heard(&notebook), "other: polls pushes");
    let batch = [&acme, &other, &acme].map(|tpp| {
        let notice = notice(&tpp.id, oyez_domain::event::Family::Aisp, &[UPDATE]);
        submission(ledger.jti(), notice)
    });
    ledger.accept(batch.into(), ledger.now()).await.unwrap();
    let told = notebook.tellings();
    let [told] = &told[..] else {
        panic!("told at once: {told:?}");
    };
    let mut names: Vec<&str> = told.iter().map(|news| news.client_id.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["acme", "other"], "each once");
}

// D-08, I-01
#[tokio::test]
async fn of_what_did_not_happen_nothing_is_told() {
    let (ledger, notebook) = listened_to().await;
    let mut updates = everything();
    updates.event_types = Some(vec![UPDATE.to_owned()]);
    let acme = ledger.subscriber("acme", updates).await;
    let first = acme.news().await;
    heard(&notebook);
    let family = oyez_domain::event::Family::Aisp;
    let unwanted = acme.publish(notice(&acme.id, family, &[LINKED])).await;
    assert_eq!(unwanted, Acceptance::NotSubscribed);
    let fresh = submission(ledger.jti(), notice(&acme.id, family, &[UPDATE]));
    let used = submission(first, notice(&acme.id, family, &[UPDATE]));
    let contradiction = ledger.accept(vec![fresh, used], ledger.now()).await;
    assert!(contradiction.is_err());
    let unknown = ledger.jti();
    acme.polls(ask().max(0).ack(&[unknown]).error(unknown, "jwtAud"))
        .await;
    acme.answers(unknown, Verdict::Acknowledged).await;
    acme.stands(Standing::Active).await;
    assert_eq!(heard(&notebook), "");
}

// P-07, P-08, D-10
#[tokio::test]
async fn a_poll_tells_of_what_it_ends_and_of_nothing_else() {
    let (ledger, notebook) = listened_to().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let news = acme.much_news(4).await;
    heard(&notebook);
    assert_eq!(acme.receives(ask().max(3)).await, news[..3]);
    acme.polls(ask().max(0).error(news[0], "jwtAud")).await;
    assert_eq!(heard(&notebook), "");
    acme.polls(ask().max(0).ack(&news[..1])).await;
    assert_eq!(heard(&notebook), "acme: ends");
    acme.polls(ask().max(0).ack(&news[..1])).await;
    assert_eq!(heard(&notebook), "", "it had ended");
    acme.polls(ask().max(0).error(news[1], "jwtAud").error_cap(1))
        .await;
    assert_eq!(heard(&notebook), "acme: ends");
    acme.polls(ask().max(0).ack(&news[1..2])).await;
    assert_eq!(heard(&notebook), "", "it was set aside already");
    acme.receives(ask().hand_out_cap(1)).await;
    assert_eq!(heard(&notebook), "acme: ends");
}

// P-08, S-12
#[tokio::test]
async fn what_a_choice_that_came_to_nothing_puts_back_is_news_for_polls() {
    let (ledger, notebook) = listened_to().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let family = oyez_domain::event::Family::Aisp;
    acme.told(family, &[UPDATE, REVOKED]).await;
    let work = acme.polls(ask()).await.work.remove(0);
    let SetState::Unsigned { revision, .. } = work.set else {
        panic!("nobody signed it yet");
    };
    acme.replaces(everything()).await;
    heard(&notebook);
    let purpose = Purpose::HandOut {
        cap: None,
        interaction_id: interaction("a-poll"),
    };
    let signed = acme.signed(work.jti, revision, purpose);
    assert_eq!(acme.keeps(signed.clone()).await, Kept::ChooseAgain);
    assert_eq!(heard(&notebook), "acme: polls");
    assert_eq!(acme.keeps(signed).await, Kept::ChooseAgain);
    assert_eq!(heard(&notebook), "", "it was back already");
}

// P-14, D-04, D-07
#[tokio::test]
async fn a_push_that_ends_without_acknowledgement_is_news_for_polls() {
    let (ledger, notebook) = listened_to().await;
    let acme = pushed(&ledger, "acme").await;
    let news = acme.much_news(4).await;
    assert_eq!(acme.is_pushed().await, news);
    heard(&notebook);
    let failed = Verdict::EndpointFailed;
    acme.answers(news[0], failed).await;
    assert_eq!(heard(&notebook), "acme: polls pushes");
    let again_at = Some(Timestamp::MAX);
    acme.answers(news[1], Verdict::Refused { again_at }).await;
    assert_eq!(heard(&notebook), "acme: polls pushes");
    let again_at = None;
    acme.answers(news[3], Verdict::Refused { again_at }).await;
    assert_eq!(heard(&notebook), "acme: polls", "it is left to them");
    acme.answers(news[2], Verdict::Acknowledged).await;
    assert_eq!(heard(&notebook), "acme: ends");
    acme.answers(news[2], failed).await;
    assert_eq!(heard(&notebook), "", "it had ended");
}

// P-14
#[tokio::test]
async fn what_was_chosen_for_a_push_and_is_put_back_is_news_for_polls() {
    let (ledger, notebook) = listened_to().await;
    let acme = pushed(&ledger, "acme").await;
    let news = acme.much_news(2).await;
    assert_eq!(acme.is_pushed().await, news);
    heard(&notebook);
    for (put_back, told) in [(2, "acme: polls pushes"), (0, "")] {
        assert_eq!(acme.puts_back(&news).await, put_back);
        assert_eq!(heard(&notebook), told);
    }
}

// D-10
#[tokio::test]
async fn in_strict_order_an_end_is_news_for_pushing_too() {
    let (ledger, notebook) = listened_to().await;
    let overrides = Overrides {
        delivery_order: Some(DeliveryOrder::Strict),
        ..Overrides::default()
    };
    let acme = ledger.tpp_with("acme", overrides).await;
    acme.subscribes(pushed_to("acme.example", everything()))
        .await
        .unwrap();
    let news = acme.much_news(4).await;
    heard(&notebook);
    assert_eq!(acme.is_pushed().await, news[..1]);
    acme.answers(news[0], Verdict::Acknowledged).await;
    assert_eq!(heard(&notebook), "acme: ends pushes");
    acme.polls(ask().max(0).ack(&news[1..2]).in_order()).await;
    assert_eq!(heard(&notebook), "acme: ends pushes");
    let (by, now) = (operator(), ledger.now());
    let withdrawn = ledger.withdraw(by, acme.id.clone(), news[2..3].to_vec(), now);
    assert_eq!(withdrawn.await.unwrap(), 1);
    assert_eq!(heard(&notebook), "acme: ends pushes");
    assert_eq!(ledger.expire(Timestamp::MAX, 9, now).await.unwrap(), 1);
    assert_eq!(heard(&notebook), "acme: ends pushes");
}

// I-04, D-06, D-07, S-12, A-09
#[tokio::test]
async fn what_operators_and_registrations_change_is_told() {
    let (ledger, notebook) = listened_to().await;
    let acme = pushed(&ledger, "acme").await;
    let news = acme.much_news(2).await;
    acme.polls(ask().max(0).error(news[0], "jwtAud").error_cap(1))
        .await;
    heard(&notebook);
    let now = ledger.pass(Duration::from_secs(1));
    let (by, id) = (operator, || acme.id.clone());
    let always = Timestamp::from_unix_ms(0)..Timestamp::MAX;
    let requeued = ledger.requeue_failed(by(), id(), always, 9, now);
    assert_eq!(requeued.await.unwrap(), news[..1]);
    assert_eq!(heard(&notebook), "acme: polls pushes");
    let retried = ledger.retry_pushes(by(), id(), news.clone(), now);
    assert_eq!(retried.await.unwrap(), 2);
    assert_eq!(heard(&notebook), "acme: pushes");
    assert!(ledger.pause_endpoint(by(), id(), now).await.unwrap());
    assert_eq!(heard(&notebook), "acme: pushes freed");
    assert!(ledger.resume_endpoint(by(), id(), now).await.unwrap());
    assert_eq!(heard(&notebook), "acme: pushes freed");
    acme.is_pushed().await;
    heard(&notebook);
    acme.replaces(pushed_to("acme.example", everything())).await;
    assert_eq!(heard(&notebook), "acme: polls pushes freed");
    acme.is_pushed().await;
    heard(&notebook);
    acme.is_disabled().await;
    assert_eq!(heard(&notebook), "acme: polls pushes freed");
    acme.stands(Standing::Active).await;
    assert_eq!(heard(&notebook), "acme: polls pushes", "nobody had it");
    let slower = profile(Overrides {
        redelivery_delay: Some(Duration::from_secs(7)),
        ..Overrides::default()
    });
    let changed = ledger.change_tpp(by(), id(), slower, now);
    assert!(changed.await.unwrap().is_some());
    assert_eq!(heard(&notebook), "acme: polls pushes");
    acme.deletes(Kind::Subscription).await;
    assert!(heard(&notebook).starts_with("acme: polls ends"));
}

/// Hears nothing well.
struct Panics;

impl Listen for Panics {
    fn heard(&self, _: &[News]) {
        panic!("as the test says");
    }
}

// D-08
#[tokio::test]
async fn a_listener_that_panics_or_is_gone_harms_nobody() {
    let ledger = ledger().await;
    let panics = Arc::new(Panics);
    ledger.listen(Arc::downgrade(&panics) as _);
    let gone = Notebook::of(&*ledger);
    assert_eq!(Arc::strong_count(&gone), 1, "the ledger keeps nobody alive");
    drop(gone);
    let notebook = Notebook::of(&*ledger);
    let acme = ledger.subscriber("acme", everything()).await;
    assert_eq!(heard(&notebook), "acme: polls");
    acme.news().await;
    assert_eq!(heard(&notebook), "acme: polls");
}
