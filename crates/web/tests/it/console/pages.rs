//! What pages show: why a TPP hears nothing, what became of an event, and what to press.

use std::time::Duration;

use oyez_testkit::making;
use oyez_web::internal::operators::Role;
use serde_json::json;

use super::world::World;

// I-03
#[tokio::test]
async fn the_page_of_a_tpp_says_why_it_gets_nothing_and_what_to_press() {
    let world = World::new().await;
    world.bank.tpp("tpp-1").await;
    let mut browser = world.logged_in(Role::Operator).await;
    let page = browser.open("/console/tpps/tpp-1").await;
    page.says("This TPP gets no events");
    page.says("neither an event-subscription nor a callback-url");
    let poller = world.subscriber("tpp-2", making::everything()).await;
    world.accepted("tpp-2").await;
    let page = browser.open("/console/tpps/tpp-2").await;
    page.says("This TPP gets its events");
    world.bank.clock().advance(Duration::from_secs(20 * 60));
    let page = browser.open("/console/tpps/tpp-2").await;
    page.says("This TPP gets no events");
    page.says("the TPP has to poll");
    let poll = poller.post("/open-banking/v4.0/events");
    let poll = poll.json(&json!({"returnImmediately": true})).send().await;
    assert_eq!(poll.status, 200);
    browser
        .open("/console/tpps/tpp-2")
        .await
        .says("This TPP gets its events");
    let page = browser.open("/console/tpps/nobody").await;
    assert_eq!(page.status, 404);
}

// I-03
#[tokio::test]
async fn tpps_are_found_by_the_beginning_of_their_name_and_by_the_state_of_their_endpoint() {
    let world = World::new().await;
    for name in ["acme", "acme-2", "bolt"] {
        let wish = making::pushed_to("tpp.example", making::everything());
        world.subscriber(name, wish).await;
    }
    world.api_post("/v1/endpoints/bolt/pause", &json!({})).await;
    let mut browser = world.logged_in(Role::Viewer).await;
    let all = browser.open("/console/tpps").await;
    for name in ["acme", "acme-2", "bolt"] {
        all.says(&format!("href=\"/console/tpps/{name}\""));
    }
    let some = browser.open("/console/tpps?prefix=acme").await;
    some.says("href=\"/console/tpps/acme\"");
    some.says("href=\"/console/tpps/acme-2\"");
    some.says_nothing_of("href=\"/console/tpps/bolt\"");
    let paused = browser.open("/console/tpps?state=paused").await;
    paused.says("href=\"/console/tpps/bolt\"");
    paused.says_nothing_of("href=\"/console/tpps/acme\"");
    browser
        .open("/console/tpps?prefix=zzz")
        .await
        .says("No TPP is among these.");
}

// I-03
#[tokio::test]
async fn one_box_finds_whatever_somebody_was_told() {
    let world = World::new().await;
    world.subscriber("tpp-1", making::everything()).await;
    let jti = world.accepted("tpp-1").await;
    let mut browser = world.logged_in(Role::Viewer).await;
    for (said, to) in [
        ("tpp-1".to_owned(), "/console/tpps/tpp-1".to_owned()),
        (jti.clone(), format!("/console/events/{jti}")),
        (
            "consent-1".to_owned(),
            "/console/events?resource_id=consent-1".to_owned(),
        ),
        (
            "transaction-1".to_owned(),
            "/console/events?txn=transaction-1".to_owned(),
        ),
        ("tp".to_owned(), "/console/tpps?prefix=tp".to_owned()),
        ("%0A".to_owned(), "/console/tpps".to_owned()),
    ] {
        let page = browser.open(&format!("/console/find?q={said}")).await;
        assert_eq!(
            (page.status, page.header("location")),
            (303, to.as_str()),
            "{said}"
        );
        assert_eq!(browser.open(&to).await.status, 200);
    }
}

// I-03
#[tokio::test]
async fn an_event_shows_what_happened_to_it_and_its_set_with_the_check_of_its_signature() {
    let world = World::new().await;
    let tpp = world.subscriber("tpp-1", making::everything()).await;
    let jti = world.accepted("tpp-1").await;
    let mut browser = world.logged_in(Role::Viewer).await;
    let at = format!("/console/events/{jti}");
    let page = browser.open(&at).await;
    page.says("It is outstanding");
    page.says("None is signed yet");
    page.says("The TPP can poll it.");
    for body in [
        json!({"returnImmediately": true}),
        json!({"returnImmediately": true, "ack": [jti]}),
    ] {
        let poll = tpp.post("/open-banking/v4.0/events").json(&body);
        assert_eq!(poll.send().await.status, 200);
    }
    let page = browser.open(&at).await;
    page.says("it acknowledged it by a poll");
    page.says("Handed out");
    page.says("The signature is good");
    page.says("urn:uk:org:openbanking:events:resource-update");
    page.says("href=\"/console/events?interaction_id=");
    let events = browser
        .open("/console/events?state=acknowledged&tpp=tpp-1")
        .await;
    events.says(&at);
    browser
        .open("/console/events?state=failed")
        .await
        .says("No event is like this.");
    let page = browser.open("/console/events?accepted_from=garbage").await;
    assert_eq!(page.status, 400);
    page.says("accepted_from");
}

// I-03
#[tokio::test]
async fn lists_go_on_where_a_page_ends() {
    let world = World::new().await;
    world.subscriber("tpp-1", making::everything()).await;
    let mut first = None;
    for _ in 0..51 {
        world.bank.clock().advance(Duration::from_millis(1));
        let jti = world.accepted("tpp-1").await;
        first.get_or_insert(jti);
    }
    let mut browser = world.logged_in(Role::Viewer).await;
    let page = browser.open("/console/events?tpp=tpp-1").await;
    page.says_nothing_of(first.as_ref().unwrap());
    let (_, more) = page.text.split_once("rel=\"next\" href=\"").unwrap();
    let more = more.split('"').next().unwrap().replace("&amp;", "&");
    assert!(more.contains("tpp=tpp-1"), "{more}");
    browser.open(&more).await.says(first.as_ref().unwrap());
}

// I-03
#[tokio::test]
async fn the_overview_says_first_what_needs_attention() {
    let world = World::new().await;
    let mut browser = world.logged_in(Role::Viewer).await;
    let page = browser.open("/console").await;
    page.says("The key bank-1 has signed for more than a year.");
    page.says_nothing_of("is <span");
    let wish = making::pushed_to("tpp.example", making::everything());
    let tpp = world.subscriber("tpp-1", wish).await;
    let jti = world.accepted("tpp-1").await;
    world.fail(&tpp, &jti).await;
    world
        .api_post("/v1/endpoints/tpp-1/pause", &json!({}))
        .await;
    for window in ["hour", "day", "week", "garbage"] {
        let page = browser.open(&format!("/console?window={window}")).await;
        page.says("an operator paused it");
        page.says("Set aside after errors");
        page.says(&jti);
        page.says("Accepted: 1 in the last");
        page.says("Failed or expired: 1 in the last");
    }
    world.bank.keys().send_modify(|keys| {
        let none = oyez_jose::key_set::KeySet::load_with::<std::convert::Infallible>(
            oyez_jose::key_set::Manifest::default(),
            Duration::ZERO,
            oyez_jose::UnixTime::from_seconds(0),
            |_| unreachable!("there is no key"),
        );
        *keys = std::sync::Arc::new(none.unwrap());
    });
    browser.open("/console").await.says("No key may sign now");
    browser
        .open("/console/keys")
        .await
        .says("There is no key: nothing can be signed.");
}

// I-05
#[tokio::test]
async fn the_trail_the_keys_and_the_types_are_shown() {
    let world = World::new().await;
    world.subscriber("tpp-1", making::everything()).await;
    let mut browser = world.logged_in(Role::Viewer).await;
    let trail = browser.open("/console/audit?tpp=tpp-1").await;
    trail.says("tpp.registered");
    trail.says("Before and after");
    let keys = browser.open("/console/keys").await;
    keys.says("The key bank-1 has signed for more than a year.");
    keys.says("signs");
    let types = browser.open("/console/event-types").await;
    types.says("urn:uk:org:openbanking:events:resource-update");
    let nothing = browser.open("/console/nothing").await;
    assert_eq!(nothing.status, 404);
    nothing.says("There is no such page");
}
