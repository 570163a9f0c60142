//! What a change of registration costs with much outstanding, and what others wait meanwhile.

use oyez_domain::event::Family;
use oyez_domain::ids::RegistrationId;
use oyez_domain::ledger::registering::{Kind, Target, Wish};
use oyez_domain::registration::SubscriptionWish;
use oyez_domain::version::ApiVersion;
use oyez_store::{Error, Store};
use oyez_testkit::making::{DAWN, REVOKED, UPDATE, client, everything, notice, only, submission};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::product::{Home, jti};

/// So many outstanding events, half of each of two kinds: a PUT that wants all of them, one that wants half, a DELETE.
pub(crate) async fn measure(events: u64) -> Value {
    let home = Home::new().await;
    let kinds = [UPDATE, REVOKED].map(|urn| notice(&client("tpp"), Family::Aisp, &[urn]));
    for first in (0..events).step_by(1000) {
        let batch = (first..(first + 1000).min(events)).map(|n| {
            let kind = usize::from(n % 2 == 1);
            submission(jti(n), kinds[kind].clone())
        });
        home.ledger.accept(batch.collect(), DAWN).await.unwrap();
    }
    let nothing = put(&home, everything(), 0).await;
    let half = put(&home, only(&[UPDATE]), events / 2).await;
    let again = put(&home, everything(), 0).await;
    let started = Instant::now();
    let gone = home
        .ledger
        .delete_registration(client("tpp"), target(), DAWN);
    assert_eq!(gone.await.unwrap().unwrap().withdrawn, events - events / 2);
    let answered = ms(started);
    let (ended, waited_max) = others(&home, started).await;
    let all =
        json!({"answered_ms": answered, "ended_ms": ended, "others_waited_max_ms": waited_max});
    json!({"events": events, "put_nothing": nothing, "put_half": half, "put_back": again, "delete": all})
}

async fn put(home: &Home, wish: SubscriptionWish, withdrawn: u64) -> Value {
    let started = Instant::now();
    let wish = Wish::Subscription(wish);
    let put = home
        .ledger
        .replace_registration(client("tpp"), target(), wish, DAWN);
    assert_eq!(put.await.unwrap().unwrap().1.withdrawn, withdrawn);
    let answered = ms(started);
    let (ended, waited_max) = others(home, started).await;
    json!({"answered_ms": answered, "ended_ms": ended, "others_waited_max_ms": waited_max})
}

/// Asks for what concerns nobody until the withdrawal is over: when that was, and how long one asked at most.
async fn others(home: &Home, started: Instant) -> (f64, f64) {
    let mut waited_max: f64 = 0.0;
    loop {
        let asked = Instant::now();
        home.ledger.prove_writable().await.unwrap();
        waited_max = waited_max.max(ms(asked));
        // There is no such registration: a probe that changes nothing, and is refused while one is going on.
        let probe = Target {
            id: RegistrationId::new("none").unwrap(),
            ..target()
        };
        match home
            .ledger
            .delete_registration(client("tpp"), probe, DAWN)
            .await
        {
            Err(Error::Busy { .. }) => {}
            _ => return (ms(started), waited_max),
        }
    }
}

fn target() -> Target {
    Target {
        kind: Kind::Subscription,
        id: RegistrationId::new("s-1").unwrap(),
        api: ApiVersion::V4_0,
    }
}

fn ms(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1e4).round() / 10.0
}
