//! A key is compromised while its TPPs are busy, and processes die over it (M-06, P-09).

use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::Family;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::history::Retention;
use oyez_domain::ledger::poll::{Limits, Patience, Poll};
use oyez_domain::ledger::sets::{Kept, Purpose, SetState, Signed};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use oyez_store::postgres::{Ledger, Options};
use oyez_store::{Error, Store};
use oyez_testkit::making::{DAWN, Jtis, UPDATE, interaction, notice, submission};
use oyez_testkit::postgres::Database;
use serde_json::json;

use super::{node, subscriber, until};

const STOLEN: &str = "stolen";
const HOUR: Duration = Duration::from_secs(3_600);
const LONG: Retention = Retention {
    settled_for: HOUR,
    keys_for: HOUR,
    minutes_for: HOUR,
    batch_max: 100,
};

fn hasty() -> Options {
    Options {
        lock_time_max: Duration::from_millis(200),
        ..Options::default()
    }
}

async fn accept(ledger: &Ledger, tpp: &ClientId, jtis: &Jtis, events: usize) -> Vec<Jti> {
    let item = || submission(jtis.next(DAWN), notice(tpp, Family::Aisp, &[UPDATE]));
    let batch: Vec<_> = (0..events).map(|_| item()).collect();
    let accepted = batch.iter().map(|item| item.jti).collect();
    ledger.accept(batch, DAWN).await.unwrap();
    accepted
}

/// What a poll is to send: bytes that are kept, or a notice to be signed.
async fn poll(ledger: &Ledger, tpp: &ClientId, at: Timestamp) -> Vec<(Jti, SetState)> {
    let poll = Poll {
        client_id: tpp.clone(),
        acks: Vec::new(),
        errors: Vec::new(),
        families: Family::ALL.to_vec(),
        events_max: 100,
        patience: Patience::Immediate,
        interaction_id: interaction("asks"),
        limits: Limits {
            redelivery_delay: Duration::from_secs(1),
            error_cap: NonZeroU32::MIN,
            hand_out_cap: None,
            order: DeliveryOrder::Concurrent,
        },
    };
    let work = ledger.poll(poll, at).await.unwrap().work;
    work.into_iter().map(|it| (it.jti, it.set)).collect()
}

async fn keep(ledger: &Ledger, tpp: &ClientId, jti: Jti, kid: &str, at: Timestamp) -> Kept {
    let signed = Signed {
        client_id: tpp.clone(),
        jti,
        revision: 1,
        set: format!("{jti} by {kid}"),
        kid: kid.to_owned(),
        purpose: Purpose::Push,
    };
    ledger.keep_sets(vec![signed], at).await.unwrap().remove(0)
}

fn disown(ledger: &Ledger) -> impl Future<Output = Result<u64, Error>> {
    ledger.disown_key(Actor::System, STOLEN.to_owned(), DAWN)
}

/// One TPP with so many SETs by the key that will be stolen.
async fn with_sets(
    ledger: &Ledger,
    name: &str,
    jtis: &Jtis,
    events: usize,
) -> (ClientId, Vec<Jti>) {
    let tpp = subscriber(ledger, name).await;
    let events = accept(ledger, &tpp, jtis, events).await;
    let revision = match &poll(ledger, &tpp, DAWN).await[0].1 {
        SetState::Unsigned { revision, .. } => *revision,
        SetState::Kept(set) => panic!("{set}"),
    };
    assert_eq!(revision, 1);
    for jti in &events {
        let kept = keep(ledger, &tpp, *jti, STOLEN, DAWN).await;
        assert!(matches!(kept, Kept::Send(_)), "{kept:?}");
    }
    (tpp, events)
}

fn is_unsigned(work: &[(Jti, SetState)]) -> bool {
    let mut sets = work.iter();
    sets.all(|(_, set)| matches!(set, SetState::Unsigned { .. }))
}

// M-06, P-09, P-14
#[tokio::test]
async fn from_the_first_moment_on_nothing_of_a_disowned_key_goes_out_however_busy_its_tpps_are() {
    let database = Database::new().await;
    let ledger = node(&database, hasty()).await.unwrap();
    let jtis = Jtis::from(1);
    let (acme, _) = with_sets(&ledger, "acme", &jtis, 2).await;
    let (bolt, of_bolt) = with_sets(&ledger, "bolt", &jtis, 2).await;
    let (curl, _) = with_sets(&ledger, "curl", &jtis, 1).await;
    let busy =
        "SELECT 1 FROM queues q JOIN tpps t USING (tpp) WHERE t.client_id = 'acme' FOR UPDATE OF q";
    let busy = database.hold(busy).await;
    // It cannot be done with, and yet it is so.
    let error = disown(&ledger).await.unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error:?}");
    let at = DAWN + Duration::from_secs(10);
    let recheck = ledger.recheck(None, bolt.clone(), of_bolt.clone());
    let again = vec![Kept::ChooseAgain; 2];
    assert_eq!(recheck.await.unwrap(), Some(again));
    let work = poll(&ledger, &bolt, at).await;
    assert_eq!(work.len(), 2);
    assert!(is_unsigned(&work), "{work:?}");
    let late = keep(&ledger, &bolt, of_bolt[0], STOLEN, at).await;
    assert_eq!(late, Kept::KeyDisowned);
    let anew = keep(&ledger, &bolt, of_bolt[0], "new", at).await;
    assert_eq!(anew, Kept::Send(format!("{} by new", of_bolt[0])));
    let file = ledger.find_event(of_bolt[0]).await.unwrap().unwrap();
    let kids: Vec<_> = file.sets.iter().map(|set| set.kid.as_str()).collect();
    assert_eq!(kids, [STOLEN, "new"]);
    let uses = ledger.keys_in_use().await.unwrap();
    let uses: Vec<_> = uses.iter().map(|it| (&*it.kid, it.outstanding)).collect();
    assert_eq!(uses, [("new", 1)]);
    // Who told it is gone: another process goes on with it.
    drop(busy);
    let other = node(&database, hasty()).await.unwrap();
    until("nothing is left to be superseded", async || {
        other.sweep(LONG, DAWN).await.unwrap();
        database
            .number("SELECT count(*) FROM sets WHERE kid = 'stolen'")
            .await
            == 0
    })
    .await;
    for tpp in [acme, curl] {
        let work = poll(&ledger, &tpp, at).await;
        assert!(!work.is_empty() && is_unsigned(&work), "{work:?}");
    }
    until("it is over", async || {
        other.sweep(LONG, DAWN).await.unwrap();
        database
            .number("SELECT count(*) FROM disowned_keys WHERE is_over")
            .await
            == 1
    })
    .await;
    assert_eq!(disown(&ledger).await.unwrap(), 0);
    let trail = ledger.list_audit(None, None, 100).await.unwrap().rows;
    let said: Vec<_> = trail
        .into_iter()
        .filter(|entry| entry.action == "key.disowned")
        .map(|entry| (entry.actor, entry.at, entry.before))
        .collect();
    // One was superseded by the SET that took its place.
    let before = Some(json!({"kid": STOLEN, "sets": 4}));
    assert_eq!(said, [(Actor::System, DAWN, before)]);
}

// M-06
#[tokio::test]
async fn a_backlog_that_takes_many_steps_is_superseded_to_the_last_and_counted_once() {
    let database = Database::new().await;
    let one = node(&database, Options::default()).await.unwrap();
    let two = node(&database, Options::default()).await.unwrap();
    let tpp = subscriber(&one, "acme").await;
    for nth in 0..2 {
        accept(&one, &tpp, &Jtis::from(10_000 * (nth + 1)), 2_500).await;
    }
    database
        .run("INSERT INTO sets SELECT tpp, jti, 0, 'stolen', 'x' FROM outstanding")
        .await;
    // Whoever is told of it at the same moment takes part.
    let (first, second) = tokio::join!(disown(&one), disown(&two));
    assert_eq!(first.unwrap().max(second.unwrap()), 5_000);
    assert_eq!(database.number("SELECT count(*) FROM sets").await, 0);
    let superseded = "SELECT count(DISTINCT jti) FROM superseded_sets WHERE nth = 1";
    assert_eq!(database.number(superseded).await, 5_000);
    let trail = one.list_audit(None, None, 100).await.unwrap().rows;
    let said = trail.iter().filter(|entry| entry.action == "key.disowned");
    assert_eq!(said.count(), 1);
}
