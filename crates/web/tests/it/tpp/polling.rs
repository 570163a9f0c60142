//! Polls over HTTP (P). How they choose, wait and are woken is the desk's and tested there.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::fault::Code;
use oyez_domain::ids::Jti;
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::tpp::{HeaderProfile, Overrides};
use oyez_jose::UnixTime;
use oyez_jose::compact::{Compact, Verifier};
use oyez_jose::key_set::{KeySet, Manifest};
use oyez_store::Store;
use oyez_testkit::clock::DAWN;
use oyez_testkit::jws;
use oyez_testkit::keys;
use oyez_testkit::making::{Jtis, UPDATE, notice, submission};
use oyez_testkit::tpp::Caller;
use serde_json::{Value, json};

use super::asking::{Ask, VERSIONS, a_subscription, one};
use super::world::{BANK_ORG, Reply, World, claims, client};

/// Accepts an event of each family for a TPP.
async fn accept(world: &World, tpp: &Caller, families: &[Family]) -> Vec<Jti> {
    static JTIS: Jtis = Jtis::from(1);
    let client_id = client(tpp.client_id());
    let made = |family: &Family| {
        let notice = notice(&client_id, *family, &[UPDATE]);
        submission(JTIS.next(DAWN), notice)
    };
    let batch: Vec<_> = families.iter().map(made).collect();
    let jtis = batch.iter().map(|one| one.jti).collect();
    let accepted = world.store.accept(batch, DAWN).await.unwrap();
    assert!(
        accepted
            .iter()
            .all(|one| matches!(one, Acceptance::Accepted { .. })),
        "{accepted:?}"
    );
    jtis
}

async fn subscribed(world: &World, name: &str) -> Caller {
    let tpp = world.tpp(name).await;
    subscribe(world, &tpp).await;
    tpp
}

async fn subscribe(world: &World, tpp: &Caller) {
    let ask = Ask::new(world, tpp, "POST", "v3.1/event-subscriptions");
    assert_eq!(ask.json(&a_subscription("v3.1")).send().await.status, 201);
}

async fn poll(world: &World, tpp: &Caller, version: &str, body: Value) -> Reply {
    let ask = Ask::new(world, tpp, "POST", format!("{version}/events"));
    ask.json(&body).send().await
}

fn handed_out(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let body = reply.json();
    assert!(body["moreAvailable"].is_boolean());
    body["sets"].as_object().unwrap().keys().cloned().collect()
}

// P-02, P-03, P-05, P-09
#[tokio::test]
async fn what_was_accepted_is_polled_signed_and_acknowledged() {
    for version in VERSIONS {
        let world = World::new();
        let tpp = subscribed(&world, "tpp-1").await;
        let jtis = accept(&world, &tpp, &[Family::Aisp, Family::Pisp]).await;
        let reply = poll(&world, &tpp, version, json!({ "maxEvents": 1 })).await;
        let first = handed_out(&reply);
        assert_eq!(first, [jtis[0].to_string()]);
        assert_eq!(reply.json()["moreAvailable"], true);
        let set = reply.json()["sets"][&first[0]].as_str().unwrap().to_owned();
        let verifier = Verifier::sets().issuers([BANK_ORG]);
        let published = keys::published("bank-1", &keys::BANK);
        let now = UnixTime::from_seconds(DAWN.unix_seconds());
        let verified = verifier.verify(Compact::parse(&set).unwrap(), &published, now);
        assert!(verified.is_ok(), "{verified:?}");
        assert_eq!(jws::claims(&set)["aud"], "tpp-1");
        let ack = json!({ "ack": first, "setErrs": {
            jtis[1].to_string(): { "err": "jws", "description": "unreadable" },
        } });
        let rest = poll(&world, &tpp, version, ack).await;
        assert_eq!(handed_out(&rest), [jtis[1].to_string()]);
        assert_eq!(rest.json()["moreAvailable"], false);
        let counts = world.store.counts(client("tpp-1")).await.unwrap();
        assert_eq!((counts.acknowledged, counts.outstanding), (1, 1));
    }
}

// P-01, P-03
#[tokio::test]
async fn everything_wrong_with_a_poll_is_told_and_nothing_is_acknowledged() {
    let world = World::new();
    let tpp = subscribed(&world, "tpp-1").await;
    let jtis = accept(&world, &tpp, &[Family::Aisp]).await;
    for version in VERSIONS {
        let wrong = json!({
            "ack": [jtis[0].to_string(), 7], "maxEvents": -1, "returnImmediately": "no",
            "setErrs": { "x": {} }, "more": 1,
        });
        let reply = poll(&world, &tpp, version, wrong).await;
        assert_eq!(reply.status, 400);
        let expected = [
            one(version, Code::FieldUnexpected, Some("more")),
            one(version, Code::FieldInvalid, Some("maxEvents")),
            one(version, Code::FieldInvalid, Some("returnImmediately")),
            one(version, Code::FieldInvalid, Some("ack[1]")),
            one(version, Code::FieldMissing, Some("setErrs.x.err")),
        ];
        let (mut said, mut expected) = (reply.errors(), expected.concat());
        said.sort();
        expected.sort();
        assert_eq!(said, expected);
    }
    let counts = world.store.counts(client("tpp-1")).await.unwrap();
    assert_eq!(counts.outstanding, 1);
}

// P-04, A-07
#[tokio::test]
async fn another_s_jti_is_acknowledged_without_effect() {
    let world = World::new();
    let (mine, theirs) = (
        subscribed(&world, "tpp-1").await,
        subscribed(&world, "tpp-2").await,
    );
    let jtis = accept(&world, &theirs, &[Family::Aisp]).await;
    let foreign = poll(
        &world,
        &mine,
        "v4.0",
        json!({ "ack": [jtis[0].to_string()] }),
    )
    .await;
    let unknown = poll(&world, &mine, "v4.0", json!({ "ack": ["never heard of"] })).await;
    assert_eq!((foreign.status, &foreign.body), (200, &unknown.body));
    assert_eq!(
        handed_out(&poll(&world, &theirs, "v4.0", json!({})).await).len(),
        1
    );
}

//
#[tokio::test]
async fn a_token_sees_what_its_scopes_cover_unless_that_is_off() {
    let scoped = async |by_scope: bool| {
        let world = World::with(|choices| choices.options.polling.by_scope = by_scope);
        let tpp = subscribed(&world, "tpp-1").await;
        let jtis = accept(&world, &tpp, &[Family::Aisp, Family::Pisp, Family::Cbpii]).await;
        let mut narrow = claims("tpp-1");
        narrow["scope"] = json!("payments");
        world.token("narrow", narrow);
        let ask = Ask::new(&world, &tpp, "POST", "v4.0/events")
            .token("narrow")
            .body("{}");
        (handed_out(&ask.send().await), jtis)
    };
    let (seen, jtis) = scoped(true).await;
    assert_eq!(seen, [jtis[1].to_string()]);
    assert_eq!(scoped(false).await.0.len(), 3);
}

// P-10
#[tokio::test]
async fn who_has_no_subscription_gets_nothing_and_no_error() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let reply = poll(&world, &tpp, "v3.1", json!({})).await;
    assert_eq!(
        (reply.status, reply.json()),
        (200, json!({ "sets": {}, "moreAvailable": false }))
    );
}

// P-06, P-07
#[tokio::test]
async fn a_long_poll_waits_for_an_event_or_its_time_and_a_cap_holds() {
    let world = World::with(|choices| {
        choices.options.polling.long_poll = Some(Duration::from_secs(20));
        choices.options.polling.events_max = NonZeroU32::new(2).unwrap();
    });
    let tpp = subscribed(&world, "tpp-1").await;
    let waiting = poll(&world, &tpp, "v4.0", json!({ "returnImmediately": false }));
    let accepting = async {
        while world.bank.waiters.counts().waiting == 0 {
            tokio::task::yield_now().await;
        }
        accept(&world, &tpp, &[Family::Aisp]).await
    };
    let (reply, jtis) = tokio::join!(waiting, accepting);
    assert_eq!(handed_out(&reply), [jtis[0].to_string()]);
    let acked = json!({ "maxEvents": 0, "returnImmediately": false, "ack": [jtis[0].to_string()] });
    assert!(handed_out(&poll(&world, &tpp, "v4.0", acked).await).is_empty());
    accept(&world, &tpp, &[Family::Aisp; 3]).await;
    let capped = poll(&world, &tpp, "v4.0", json!({ "maxEvents": 50 })).await;
    assert_eq!(handed_out(&capped).len(), 2);

    let brief = World::with(|choices| {
        choices.options.polling.long_poll = Some(Duration::from_millis(20));
    });
    let tpp = subscribed(&brief, "tpp-1").await;
    let nothing = poll(&brief, &tpp, "v4.0", json!({ "returnImmediately": false })).await;
    assert!(handed_out(&nothing).is_empty());
}

// P-07, S-05
#[tokio::test]
async fn a_new_subscription_is_heard_of_by_a_poll_that_waits() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let waiting = poll(&world, &tpp, "v4.0", json!({ "returnImmediately": false }));
    let subscribing = async {
        while world.bank.waiters.counts().waiting == 0 {
            tokio::task::yield_now().await;
        }
        subscribe(&world, &tpp).await;
        accept(&world, &tpp, &[Family::Aisp]).await;
    };
    let (reply, ()) = tokio::join!(waiting, subscribing);
    assert_eq!(handed_out(&reply).len(), 1);
}

// A-09, P-07
#[tokio::test]
async fn who_is_disabled_while_a_poll_waits_is_refused_and_loses_nothing() {
    let world = World::new();
    let tpp = subscribed(&world, "tpp-1").await;
    for version in VERSIONS {
        let waits = poll(&world, &tpp, version, json!({ "returnImmediately": false }));
        let disable = async {
            while world.bank.waiters.counts().waiting == 0 {
                tokio::task::yield_now().await;
            }
            world.disable("tpp-1").await;
        };
        let (reply, ()) = tokio::join!(waits, disable);
        assert_eq!((reply.status, reply.body.len()), (403, 0));
        assert!(reply.header("x-fapi-interaction-id").is_some());
        world.enable("tpp-1").await;
    }
    let accepted = accept(&world, &tpp, &[Family::Aisp]).await;
    let reply = poll(&world, &tpp, "v4.0", json!({})).await;
    assert_eq!(handed_out(&reply), [accepted[0].to_string()]);
}

// T-07, P-12
#[tokio::test]
async fn a_tpp_s_own_profile_and_limits_go_before_the_deployment_s() {
    let world = World::new();
    let own = Overrides {
        header_profile: Some(HeaderProfile::Rfc8417),
        error_cap: NonZeroU32::new(1),
        ..Overrides::default()
    };
    let tpp = world.tpp_with("tpp-1", own).await;
    subscribe(&world, &tpp).await;
    let jtis = accept(&world, &tpp, &[Family::Aisp]).await;
    let reply = poll(&world, &tpp, "v4.0", json!({})).await;
    let set = reply.json()["sets"][jtis[0].to_string()]
        .as_str()
        .unwrap()
        .to_owned();
    let header = Compact::parse(&set).unwrap().header().get("typ").cloned();
    assert_eq!(header, Some(json!("secevent+jwt")));
    let error = json!({ "setErrs": { jtis[0].to_string(): { "err": "jws" } } });
    assert!(handed_out(&poll(&world, &tpp, "v4.0", error).await).is_empty());
    assert_eq!(world.store.counts(client("tpp-1")).await.unwrap().failed, 1);
}

// P-02
#[tokio::test]
async fn the_status_of_a_success_is_the_version_table_s() {
    let world = World::with(|choices| {
        let mut rows = choices.rules.versions.rows().to_vec();
        rows[0].successes.polled = 201;
        choices.rules.versions =
            oyez_domain::versions::VersionTable::new(rows, Vec::new()).unwrap();
    });
    let tpp = world.tpp("tpp-1").await;
    assert_eq!(poll(&world, &tpp, "v3.1", json!({})).await.status, 201);
    assert_eq!(poll(&world, &tpp, "v4.0", json!({})).await.status, 200);
}

// G-10, M-06
#[tokio::test]
async fn what_is_due_and_cannot_be_signed_is_a_503() {
    let world = World::new();
    let tpp = subscribed(&world, "tpp-1").await;
    accept(&world, &tpp, &[Family::Aisp]).await;
    let now = UnixTime::from_seconds(DAWN.unix_seconds());
    let none = KeySet::load::<std::io::Error>(
        Manifest::default(),
        Duration::ZERO,
        now,
        |_| unreachable!(),
    );
    world.keys.send_replace(Arc::new(none.unwrap()));
    let reply = poll(&world, &tpp, "v4.0", json!({})).await;
    assert_eq!(reply.status, 503);
    assert_eq!(reply.errors(), one("v4.0", Code::UnexpectedError, None));
}
