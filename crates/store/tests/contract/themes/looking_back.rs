//! Look-ups, lists a page at a time, counts and minutes (I-03, I-05).

use std::time::Duration;

use oyez_domain::event::{EventType, Family, Notice};
use oyez_domain::ids::{ClientId, Jti, ResourceId, TransactionId};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::history::{Counts, EventFilter, Minute, Page, StateFilter};
use oyez_domain::ledger::push::Verdict;
use oyez_domain::ledger::registering::Kind;
use oyez_domain::life::{Ending, State};
use oyez_domain::time::Timestamp;

use super::ledger;
use crate::fixture::{Ledger, ask, operator};
use oyez_testkit::making::{
    DAWN, LINKED, UPDATE, client, everything, interaction, notice, pushed_to, submission,
};

async fn listed(ledger: &Ledger, filter: EventFilter) -> Vec<Jti> {
    let page = ledger.list_events(filter, None, 1_000).await.unwrap();
    assert_eq!(page.next, None);
    page.rows.into_iter().map(|event| event.jti).collect()
}

fn newest_first(mut jtis: Vec<Jti>) -> Vec<Jti> {
    jtis.sort_unstable();
    jtis.reverse();
    jtis
}

// I-04
#[tokio::test]
async fn a_test_event_is_marked_wherever_it_is_looked_up() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let test = Notice {
        test: true,
        ..notice(&acme.id, Family::Aisp, &[UPDATE])
    };
    let told = [
        acme.publish(test).await,
        Acceptance::Accepted(acme.news().await),
    ];
    let page = ledger.list_events(EventFilter::default(), None, 9).await;
    let listed: Vec<_> = page.unwrap().rows.iter().rev().map(|it| it.test).collect();
    assert_eq!(listed, [true, false]);
    for (told, is_test) in told.into_iter().zip([true, false]) {
        let Acceptance::Accepted(jti) = told else {
            panic!("not accepted: {told:?}");
        };
        let file = acme.file(jti).await;
        assert_eq!((file.summary.test, file.notice.test), (is_test, is_test));
    }
}

// I-03
#[tokio::test]
async fn an_event_is_found_whole() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let told = notice(&acme.id, Family::Pisp, &[LINKED, UPDATE]);
    let jti = ledger.jti();
    ledger
        .accept(vec![submission(jti, told.clone())], ledger.now())
        .await
        .unwrap();
    acme.takes(ask().by("poll-7")).await;
    let file = acme.file(jti).await;
    assert_eq!(file.notice, told);
    let summary = file.summary;
    assert_eq!(
        (summary.jti, summary.client_id, summary.position),
        (jti, acme.id.clone(), 1)
    );
    assert_eq!(
        (summary.accepted_at, summary.state),
        (DAWN, State::Outstanding)
    );
    let types: Vec<_> = summary.event_types.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(types, [LINKED, UPDATE]);
    assert_eq!(summary.resource_kind, told.resource.kind);
    assert_eq!(summary.resource_id, told.resource.id);
    assert_eq!((file.hand_outs.len(), file.sets.len()), (1, 1));
    assert_eq!(file.hand_outs[0].interaction_id, interaction("poll-7"));
    assert_eq!(ledger.find_event(ledger.jti()).await.unwrap(), None);
}

// I-03
#[tokio::test]
async fn pages_follow_each_other_without_gap_or_overlap_and_the_last_says_so() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let bolt = ledger.subscriber("bolt", everything()).await;
    let mut news = acme.much_news(4).await;
    bolt.much_news(3).await;
    news.extend(acme.much_news(2).await);
    let filter = EventFilter {
        client_id: Some(acme.id.clone()),
        ..EventFilter::default()
    };
    let (mut seen, mut before, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = ledger.list_events(filter.clone(), before, 2).await.unwrap();
        seen.extend(page.rows.iter().map(|event| event.jti));
        pages += 1;
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!((seen, pages), (newest_first(news), 3));
}

// I-03
#[tokio::test]
async fn each_filter_narrows_and_together_they_narrow_further() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let bolt = ledger.subscriber("bolt", everything()).await;
    let of = |notice: Notice| {
        let jti = ledger.jti();
        let (ledger, batch) = (ledger.clone(), vec![submission(jti, notice)]);
        async move {
            ledger.accept(batch, ledger.now()).await.unwrap();
            jti
        }
    };
    let plain = of(notice(&acme.id, Family::Aisp, &[UPDATE])).await;
    let mut other = notice(&acme.id, Family::Aisp, &[UPDATE, LINKED]);
    other.resource.id = ResourceId::new("r-2").unwrap();
    other.txn = Some(TransactionId::new("t-1").unwrap());
    let rich = of(other).await;
    let later = ledger.pass(Duration::from_secs(60));
    let foreign = of(notice(&bolt.id, Family::Aisp, &[UPDATE])).await;
    let all = EventFilter::default;
    let mine = EventFilter {
        client_id: Some(acme.id.clone()),
        ..all()
    };
    assert_eq!(listed(&ledger, all()).await, [foreign, rich, plain]);
    assert_eq!(listed(&ledger, mine.clone()).await, [rich, plain]);
    let by_type = EventFilter {
        event_type: Some(EventType(LINKED.to_owned())),
        ..all()
    };
    assert_eq!(listed(&ledger, by_type).await, [rich]);
    let by_resource = EventFilter {
        resource_id: ResourceId::new("r-1").ok(),
        ..all()
    };
    assert_eq!(listed(&ledger, by_resource.clone()).await, [foreign, plain]);
    let by_txn = EventFilter {
        txn: TransactionId::new("t-1").ok(),
        ..all()
    };
    assert_eq!(listed(&ledger, by_txn).await, [rich]);
    let by_own_jti = EventFilter {
        txn: TransactionId::new(plain.to_string()).ok(),
        ..all()
    };
    assert_eq!(listed(&ledger, by_own_jti).await, [plain]);
    let from = EventFilter {
        accepted_from: Some(later),
        ..all()
    };
    assert_eq!(listed(&ledger, from).await, [foreign]);
    let before = EventFilter {
        accepted_before: Some(later),
        ..all()
    };
    assert_eq!(listed(&ledger, before).await, [rich, plain]);
    let of_nobody = EventFilter {
        client_id: ClientId::new("nobody").ok(),
        ..by_resource.clone()
    };
    assert_eq!(listed(&ledger, of_nobody).await, []);
    let both = EventFilter {
        client_id: Some(acme.id.clone()),
        ..by_resource
    };
    assert_eq!(listed(&ledger, both).await, [plain]);
}

// I-03
#[tokio::test]
async fn events_are_listed_by_where_they_stand_now() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let news = acme.much_news(5).await;
    let polled = ask()
        .max(0)
        .ack(&news[..1])
        .error(news[1], "jwtAud")
        .error_cap(1);
    acme.polls(polled).await;
    ledger
        .withdraw(operator(), acme.id.clone(), vec![news[2]], ledger.now())
        .await
        .unwrap();
    ledger
        .expire(Timestamp::MAX, 1, ledger.now())
        .await
        .unwrap();
    let state = |state| EventFilter {
        state: Some(state),
        ..EventFilter::default()
    };
    let endings = [
        Ending::Acknowledged,
        Ending::Failed,
        Ending::Withdrawn,
        Ending::Expired,
    ];
    for (jti, ending) in news.iter().zip(endings) {
        assert_eq!(
            listed(&ledger, state(StateFilter::Settled(ending))).await,
            [*jti]
        );
    }
    assert_eq!(
        listed(&ledger, state(StateFilter::Outstanding)).await,
        news[4..]
    );
    acme.polls(ask().max(0).ack(&news[1..2])).await;
    let acknowledged = listed(&ledger, state(StateFilter::Settled(Ending::Acknowledged))).await;
    assert_eq!(acknowledged, [news[1], news[0]]);
    assert_eq!(
        listed(&ledger, state(StateFilter::Settled(Ending::Failed))).await,
        []
    );
}

// I-03
#[tokio::test]
async fn an_interaction_id_finds_the_events_it_handed_out_pushed_or_reported() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let news = acme.much_news(4).await;
    acme.receives(ask().max(1).by("shared")).await;
    acme.answers(news[1], Verdict::EndpointFailed).await;
    acme.polls(ask().max(0).error(news[2], "jwtAud").by("shared"))
        .await;
    let by = |name| EventFilter {
        interaction_id: Some(interaction(name)),
        ..Default::default()
    };
    assert_eq!(listed(&ledger, by("shared")).await, [news[2], news[0]]);
    assert_eq!(listed(&ledger, by("push-1")).await, [news[1]]);
    assert_eq!(listed(&ledger, by("nothing")).await, []);
}

// I-03
#[tokio::test]
async fn tpps_are_listed_by_name_a_page_at_a_time() {
    let ledger = ledger().await;
    for name in ["carl", "acme", "bolt"] {
        ledger.tpp(name).await;
    }
    let first = ledger.list_tpps(None, 2).await.unwrap();
    let names: Vec<_> = first
        .rows
        .iter()
        .map(|tpp| tpp.client_id.as_str())
        .collect();
    assert_eq!(
        (names, &first.next),
        (vec!["acme", "bolt"], &Some(client("bolt")))
    );
    let last = ledger.list_tpps(first.next, 2).await.unwrap();
    assert_eq!(
        (last.rows[0].client_id.as_str(), last.rows.len(), last.next),
        ("carl", 1, None)
    );
    let whole = ledger.list_tpps(None, 3).await.unwrap();
    assert_eq!((whole.rows.len(), whole.next), (3, None));
}

// I-05
#[tokio::test]
async fn the_trail_is_read_newest_first_of_all_or_of_one_tpp() {
    let ledger = ledger().await;
    let acme = ledger.tpp("acme").await;
    ledger.tpp("bolt").await;
    acme.is_disabled().await;
    let numbers = |page: &Page<oyez_domain::ledger::history::AuditEntry, u64>| {
        page.rows
            .iter()
            .map(|entry| entry.sequence)
            .collect::<Vec<_>>()
    };
    let first = ledger.list_audit(None, None, 2).await.unwrap();
    assert_eq!((numbers(&first), first.next), (vec![3, 2], Some(2)));
    let last = ledger.list_audit(None, first.next, 2).await.unwrap();
    assert_eq!((numbers(&last), last.next), (vec![1], None));
    let of_acme = ledger
        .list_audit(Some(acme.id.clone()), None, 2)
        .await
        .unwrap();
    assert_eq!((numbers(&of_acme), of_acme.next), (vec![3, 1], None));
}

// I-05
#[tokio::test]
async fn every_entry_is_in_one_chain_its_tpps_or_the_operators_and_goes_on_where_it_ended() {
    let ledger = ledger().await;
    let acme = ledger.tpp("acme").await;
    ledger.tpp("bolt").await;
    acme.is_disabled().await;
    for kid in ["key-1", "key-2"] {
        let disowned = ledger.disown_key(operator(), kid.to_owned(), ledger.now());
        disowned.await.unwrap();
    }
    for (chain, entries) in [(Some("acme"), 2), (Some("bolt"), 1), (None, 2)] {
        let chain = chain.map(client);
        let mut last = None;
        let mut next = Some(0);
        let mut walked = 0;
        while let Some(after) = next {
            let page = ledger.read_chain(chain.clone(), after, 1).await.unwrap();
            for entry in &page.rows {
                assert_eq!(entry.client_id, chain);
                let link = entry.link_after(last);
                assert_eq!(entry.link, Some(link));
                last = Some(link);
                walked += 1;
            }
            next = page.next;
        }
        assert_eq!(walked, entries, "{chain:?}");
        let heads = ledger.chain_heads(None, 100).await.unwrap();
        let head = match &chain {
            None => heads.operators,
            Some(chain) => heads.tpps.rows.iter().find(|it| it.0 == *chain).unwrap().1,
        };
        assert_eq!(head, last);
    }
    let first = ledger.chain_heads(None, 1).await.unwrap().tpps;
    assert_eq!(
        (first.rows[0].0.as_str(), &first.next),
        ("acme", &Some(acme.id))
    );
    let rest = ledger.chain_heads(first.next, 1).await.unwrap().tpps;
    assert_eq!((rest.rows[0].0.as_str(), rest.next), ("bolt", None));
}

// I-03
#[tokio::test]
async fn counts_balance_through_every_end_and_back() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    assert_eq!(acme.counts().await, Counts::default());
    let news = acme.much_news(8).await;
    let errors = ask()
        .max(0)
        .ack(&news[..1])
        .error(news[1], "x")
        .error(news[2], "x")
        .error_cap(1);
    acme.polls(errors).await;
    acme.polls(ask().max(0).ack(&news[1..2])).await;
    let now = ledger.now();
    ledger
        .withdraw(operator(), acme.id.clone(), vec![news[3]], now)
        .await
        .unwrap();
    assert_eq!(ledger.expire(Timestamp::MAX, 1, now).await.unwrap(), 1);
    let counts = acme.counts().await;
    let wanted = Counts {
        accepted: 8,
        outstanding: 3,
        acknowledged: 2,
        failed: 1,
        expired: 1,
        withdrawn: 1,
    };
    assert_eq!(counts, wanted);
    acme.deletes(Kind::Subscription).await;
    assert_eq!(
        acme.counts().await,
        Counts {
            outstanding: 0,
            withdrawn: 4,
            ..wanted
        }
    );
    assert_eq!(
        ledger.counts(client("stranger")).await.unwrap(),
        Counts::default()
    );
}

// I-03
#[tokio::test]
async fn outstanding_as_counted_is_outstanding_as_listed() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    let news = acme.much_news(20).await;
    acme.polls(
        ask()
            .max(0)
            .ack(&news[3..9])
            .error(news[10], "x")
            .error_cap(1),
    )
    .await;
    let outstanding = EventFilter {
        client_id: Some(acme.id.clone()),
        state: Some(StateFilter::Outstanding),
        ..EventFilter::default()
    };
    let listed = listed(&ledger, outstanding).await;
    assert_eq!(acme.counts().await.outstanding, listed.len() as u64);
}

// I-03
#[tokio::test]
async fn minutes_tell_what_happened_when_for_one_tpp_and_for_all() {
    let ledger = ledger().await;
    let acme = ledger
        .subscriber("acme", pushed_to("acme.example", everything()))
        .await;
    let bolt = ledger.subscriber("bolt", everything()).await;
    let first = ledger.now().minute();
    let news = acme.much_news(4).await;
    bolt.news().await;
    acme.receives(ask().max(2)).await;
    let second = ledger.pass(Duration::from_secs(60)).minute();
    acme.answers(news[2], Verdict::Acknowledged).await;
    acme.polls(
        ask()
            .max(0)
            .ack(&news[..1])
            .error(news[1], "x")
            .error_cap(1),
    )
    .await;
    acme.polls(ask().max(0).ack(&news[1..2])).await;
    let third = ledger.pass(Duration::from_secs(120)).minute();
    acme.deletes(Kind::Subscription).await;
    let before = Minute {
        minute: first,
        accepted: 4,
        handed_out: 2,
        ..Minute::default()
    };
    let after = Minute {
        minute: second,
        pushed: 1,
        acknowledged: 3,
        failed: 1,
        ..Minute::default()
    };
    let end = Minute {
        minute: third,
        withdrawn: 1,
        ..Minute::default()
    };
    let all = first..third + Duration::from_secs(60);
    let of_acme = ledger
        .minutes(Some(acme.id.clone()), all.clone())
        .await
        .unwrap();
    assert_eq!(of_acme, [before, after, end]);
    let of_all = ledger.minutes(None, all).await.unwrap();
    assert_eq!(
        of_all,
        [
            Minute {
                accepted: 5,
                ..before
            },
            after,
            end
        ]
    );
    let within = ledger
        .minutes(Some(acme.id.clone()), second..third)
        .await
        .unwrap();
    assert_eq!(within, [after]);
}
