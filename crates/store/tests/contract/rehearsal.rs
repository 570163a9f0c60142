//! A past that was made in bulk is one that service might have left: whoever looks back finds it whole, and work goes on from it.

use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::Family;
use oyez_domain::ids::{ClientId, RegistrationId};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::history::{EventFilter, Retention, StateFilter};
use oyez_domain::ledger::poll::{Limits, Patience, Poll, Polled};
use oyez_domain::ledger::registering::{Kind, Target, Wish};
use oyez_domain::life::{Acknowledged, Ending, Outcome, State};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{DeliveryOrder, Overrides};
use oyez_domain::version::ApiVersion;
use oyez_store::Store;
use oyez_store::postgres::Stage;
use oyez_store::rehearsal::{Left, Past};
use oyez_store::sqlite::{self, Ledger, Options};
use oyez_testkit::making::{
    DAWN, Jtis, UPDATE, client, everything, interaction, notice, profile, rules, submission,
};
use oyez_testkit::postgres::{Database, runtime};

/// More than one poll's worth each, and not the same for all.
const SETTLED: u64 = 611;
const WAITING: u64 = 7;
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn settled() -> Past {
    past(
        SETTLED,
        &[client("a"), client("b"), client("c")],
        Left::History { set_bytes: 40 },
    )
}

fn waiting() -> Past {
    past(
        WAITING,
        &[client("d"), client("e"), client("f")],
        Left::Outstanding,
    )
}

fn past(events: u64, whose: &[ClientId], left: Left) -> Past {
    Past {
        notice: notice(&client("whoever"), Family::Aisp, &[UPDATE]),
        whose: whose.to_vec(),
        events,
        over: DAWN - 80 * DAY..DAWN - DAY,
        left,
    }
}

async fn register(ledger: &dyn Store) {
    for tpp in settled().whose.into_iter().chain(waiting().whose) {
        let made = ledger.register_tpp(
            Actor::System,
            tpp.clone(),
            profile(Overrides::default()),
            DAWN,
        );
        assert!(made.await.unwrap().is_some());
        let id = RegistrationId::new(format!("s-{tpp}")).unwrap();
        let wish = Wish::Subscription(everything());
        let made = ledger.create_registration(tpp, id, wish, ApiVersion::V4_0, DAWN);
        assert!(made.await.unwrap().is_ok());
    }
}

async fn poll(ledger: &dyn Store, tpp: &ClientId, now: Timestamp) -> Polled {
    let poll = Poll {
        client_id: tpp.clone(),
        acks: Vec::new(),
        errors: Vec::new(),
        events_max: 10,
        families: vec![Family::Aisp],
        patience: Patience::Immediate,
        limits: Limits {
            redelivery_delay: Duration::from_secs(60),
            error_cap: NonZeroU32::MIN,
            hand_out_cap: None,
            order: DeliveryOrder::Concurrent,
        },
        interaction_id: interaction("93bac548-d2de-4546-b106-880a5018460d"),
    };
    ledger.poll(poll, now).await.unwrap()
}

/// What holds of a ledger with both pasts, whatever it lies in.
async fn is_lived_in(ledger: &dyn Store) {
    looks_back(ledger).await;
    goes_on(ledger).await;
    forgets(ledger).await;
}

async fn looks_back(ledger: &dyn Store) {
    let counts = ledger.counts(client("b")).await.unwrap();
    assert_eq!((counts.acknowledged, counts.outstanding), (204, 0));
    let filter = EventFilter {
        client_id: Some(client("b")),
        state: Some(StateFilter::Settled(Ending::Acknowledged)),
        ..EventFilter::default()
    };
    let page = ledger.list_events(filter, None, 1000).await.unwrap();
    let positions: Vec<u64> = page.rows.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=204).rev().collect::<Vec<_>>());
    let oldest = page.rows.last().unwrap();
    let file = ledger.find_event(oldest.jti).await.unwrap().unwrap();
    assert_eq!(file.notice.client_id, client("b"));
    assert_eq!(file.notice.resource.id.as_str(), "past-1");
    let State::Settled(settlement) = &file.summary.state else {
        panic!("{:?}", file.summary.state);
    };
    assert_eq!(
        settlement.outcome,
        Outcome::Acknowledged(Acknowledged::Poll)
    );
    assert_eq!(file.hand_outs.len(), 1);
    assert!(file.hand_outs[0].at < settlement.at);
    let by_poll = EventFilter {
        interaction_id: Some(file.hand_outs[0].interaction_id.clone()),
        ..EventFilter::default()
    };
    let handed_out = ledger.list_events(by_poll, None, 1000).await.unwrap();
    assert_eq!(handed_out.rows.len(), 100);
}

async fn goes_on(ledger: &dyn Store) {
    let jtis = Jtis::from(1);
    let fresh = submission(
        jtis.next(DAWN),
        notice(&client("b"), Family::Aisp, &[UPDATE]),
    );
    let jti = fresh.jti;
    let accepted = ledger.accept(vec![fresh], DAWN).await.unwrap();
    assert_eq!(accepted, [Acceptance::Accepted(jti)]);
    let polled = poll(ledger, &client("b"), DAWN).await;
    assert_eq!(
        polled.work.iter().map(|work| work.jti).collect::<Vec<_>>(),
        [jti]
    );
    let waited = poll(ledger, &client("d"), DAWN).await;
    assert_eq!(waited.work.len(), 3);
    // Who wants its events no more withdraws what waited.
    let target = Target {
        kind: Kind::Subscription,
        id: RegistrationId::new("s-e").unwrap(),
        api: ApiVersion::V4_0,
    };
    let gone = ledger
        .delete_registration(client("e"), target, DAWN)
        .await
        .unwrap();
    assert_eq!(gone.unwrap().withdrawn, 2);
}

async fn forgets(ledger: &dyn Store) {
    let retention = Retention {
        settled_for: 10 * DAY,
        keys_for: DAY,
        minutes_for: 10 * DAY,
        batch_max: 10_000,
    };
    let mut swept = 0;
    loop {
        let events = ledger.sweep(retention, DAWN).await.unwrap().events;
        if events == 0 {
            break;
        }
        swept += events;
    }
    // The first hundred of each were polled long ago, the second when the last of them had come.
    assert_eq!(swept, 300);
}

// I-03, I-06
#[tokio::test]
async fn a_past_in_a_file_is_one_that_might_have_been() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let open = || Ledger::open(&path, Options::default(), rules()).unwrap();
    let ledger = open();
    register(&ledger).await;
    ledger.close().await.unwrap();
    let mut told = 0;
    for past in [settled(), waiting()] {
        let wrote = |events| {
            told += events;
            ControlFlow::Continue(())
        };
        sqlite::rehearse(&path, &past, wrote).unwrap();
    }
    assert_eq!(told, SETTLED + WAITING);
    assert!(sqlite::rehearse(&path, &settled(), |_| ControlFlow::Continue(())).is_err());
    is_lived_in(&open()).await;
}

// I-03, I-06
#[tokio::test]
async fn a_past_in_a_database_is_one_that_might_have_been() {
    let database = Database::new().await;
    let ledger = Arc::new(database.ledger(rules()).await);
    register(&*ledger).await;
    let server = database.server();
    let filling = runtime().spawn(async move {
        let stage = Stage::open(&server, runtime().handle()).await.unwrap();
        let mut told = 0;
        for past in [settled(), waiting()] {
            stage
                .rehearse(&past, |events| told += events)
                .await
                .unwrap();
        }
        assert_eq!(told, SETTLED + WAITING);
        assert!(stage.rehearse(&settled(), |_| ()).await.is_err());
        stage.settle_down().await.unwrap();
        stage.tables().await.unwrap()
    });
    let tables = filling.await.unwrap();
    assert!(tables.bytes > tables.outstanding_bytes && tables.outstanding_bytes > 0);
    is_lived_in(&*ledger).await;
}
