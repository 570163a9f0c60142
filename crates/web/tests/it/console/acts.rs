//! What can be done, each in two steps and in the operator's name.

use std::time::Duration;

use oyez_store::Store;
use oyez_testkit::making;
use oyez_web::internal::operators::Role;

use super::world::World;

/// Presses the button of a TPP's page, and opens what it leads to.
async fn done(world: &World, act: &str, fields: &[(&str, &str)]) -> String {
    let mut browser = world.logged_in(Role::Operator).await;
    let page = browser
        .press(&format!("/console/tpps/tpp-1/{act}"), fields)
        .await;
    assert_eq!(page.status, 303, "{act}: {page:?}");
    let to = page.header("location").to_owned();
    let there = browser.open(&to).await;
    assert_eq!(there.status, 200, "{to}");
    there.says("role=\"status\"");
    there.text
}

async fn last_change(world: &World) -> (String, String) {
    let audit = world.api("/v1/audit?limit=1").await;
    let entry = &audit["entries"][0];
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    (text("action"), text("actor"))
}

// I-04, I-05
#[tokio::test]
async fn an_endpoint_is_paused_and_resumed_in_the_operator_s_name() {
    let world = World::new().await;
    let wish = making::pushed_to("tpp.example", making::everything());
    world.subscriber("tpp-1", wish).await;
    world.accepted("tpp-1").await;
    let page = done(&world, "pause", &[]).await;
    assert!(page.contains("Nothing is pushed to this TPP"), "{page}");
    assert!(page.contains("Resume pushes"), "{page}");
    assert_eq!(world.api("/v1/endpoints/tpp-1").await["state"], "paused");
    assert_eq!(last_change(&world).await.1, "operator:operator");
    done(&world, "resume", &[]).await;
    assert_eq!(
        world.api("/v1/endpoints/tpp-1").await["state"],
        "responsive"
    );
}

// I-04, I-05
#[tokio::test]
async fn a_tpp_is_disabled_for_a_reason_and_enabled() {
    let world = World::new().await;
    world.subscriber("tpp-1", making::everything()).await;
    world.accepted("tpp-1").await;
    let mut browser = world.logged_in(Role::Operator).await;
    let page = browser
        .press("/console/tpps/tpp-1/disable", &[("reason", " ")])
        .await;
    assert_eq!(page.status, 400, "without a reason it is not");
    page.says("reason");
    let page = done(&world, "disable", &[("reason", "its key is stolen")]).await;
    assert!(page.contains("This TPP gets no events"), "{page}");
    assert!(page.contains("its key is stolen"), "{page}");
    assert!(page.contains("Enable this TPP…"), "{page}");
    assert_eq!(
        last_change(&world).await,
        ("tpp.disabled".to_owned(), "operator:operator".to_owned())
    );
    let page = done(&world, "enable", &[]).await;
    assert!(!page.contains("This TPP gets no events"), "{page}");
}

// I-04
#[tokio::test]
async fn a_test_event_leads_to_its_page() {
    let world = World::new().await;
    world.subscriber("tpp-1", making::everything()).await;
    let page = done(&world, "send-test-event", &[]).await;
    assert!(page.contains("resource-update (test)"), "{page}");
    assert!(page.contains("It is outstanding"), "{page}");
    let mut browser = world.logged_in(Role::Operator).await;
    world.bank.tpp("tpp-2").await;
    let page = browser
        .press("/console/tpps/tpp-2/send-test-event", &[])
        .await;
    assert_eq!(page.status, 409);
    page.says("The TPP has registered nothing that could carry a test event.");
}

// I-04
#[tokio::test]
async fn failed_events_are_counted_before_they_are_queued_again() {
    let world = World::new().await;
    let tpp = world.subscriber("tpp-1", making::everything()).await;
    let jti = world.accepted("tpp-1").await;
    world.fail(&tpp, &jti).await;
    let mut browser = world.logged_in(Role::Operator).await;
    browser
        .open("/console/tpps/tpp-1")
        .await
        .says("Queue failed events again…");
    let page = browser.open("/console/tpps/tpp-1/queue-failed-again").await;
    page.says("1 events are set aside as failed; this queues the 1 oldest.");
    let page = done(&world, "queue-failed-again", &[]).await;
    assert!(
        page.contains("Done: 1 events are outstanding again."),
        "{page}"
    );
    assert_eq!(
        world.api(&format!("/v1/events/{jti}")).await["event"]["state"],
        "outstanding"
    );
}

// I-04
#[tokio::test]
async fn a_registration_is_removed_with_what_only_it_wanted() {
    let world = World::new().await;
    world.subscriber("tpp-1", making::everything()).await;
    world.accepted("tpp-1").await;
    let page = done(&world, "remove-event-subscription", &[]).await;
    assert!(page.contains("1 events were withdrawn with it"), "{page}");
    assert!(page.contains("This TPP gets no events"), "{page}");
    let mut browser = world.logged_in(Role::Operator).await;
    let page = browser
        .press("/console/tpps/tpp-1/remove-callback-url", &[])
        .await;
    assert_eq!(page.status, 404);
}

// I-04
#[tokio::test]
async fn an_event_is_pushed_again_or_withdrawn_once() {
    let world = World::new().await;
    let wish = making::pushed_to("tpp.example", making::everything());
    world.subscriber("tpp-1", wish).await;
    let jti = world.accepted("tpp-1").await;
    let mut browser = world.logged_in(Role::Operator).await;
    let at = format!("/console/events/{jti}");
    browser.open(&at).await.says("Withdraw…");
    let page = browser.press(&format!("{at}/push-again"), &[]).await;
    browser
        .open(page.header("location"))
        .await
        .says("it is pushed again");
    let page = browser.press(&format!("{at}/withdraw"), &[]).await;
    let page = browser.open(page.header("location")).await;
    page.says("It was withdrawn by an operator.");
    page.says("Done: it was withdrawn");
    page.says_nothing_of("Withdraw…");
    let page = browser.press(&format!("{at}/withdraw"), &[]).await;
    browser
        .open(page.header("location"))
        .await
        .says("it had ended before");
}

// I-04
#[tokio::test]
async fn looking_at_a_confirmation_does_nothing() {
    let world = World::new().await;
    world.subscriber("tpp-1", making::everything()).await;
    let jti = world.accepted("tpp-1").await;
    let mut browser = world.logged_in(Role::Operator).await;
    let before = world.api("/v1/audit").await;
    for act in [
        "pause",
        "resume",
        "disable",
        "enable",
        "send-test-event",
        "remove-event-subscription",
    ] {
        let page = browser.open(&format!("/console/tpps/tpp-1/{act}")).await;
        page.says("It will stand in the audit trail as done by <strong>operator</strong>");
    }
    browser
        .open(&format!("/console/events/{jti}/withdraw"))
        .await
        .says("This cannot be taken back");
    assert_eq!(world.api("/v1/audit").await, before);
}

// I-04
#[tokio::test]
async fn what_the_ledger_cannot_do_is_said_and_can_be_found_in_the_log() {
    let world = World::new().await;
    world.bank.tpp("tpp-1").await;
    let mut browser = world.logged_in(Role::Operator).await;
    let token = browser.open("/console").await.form_token();
    let outage = oyez_testkit::faulty_store::FaultyStore::outages()
        .next()
        .unwrap();
    world.bank.store().fail_at("pause_endpoint", outage);
    let page = browser
        .submit("/console/tpps/tpp-1/pause", &[("form_token", &token)])
        .await;
    assert_eq!(page.status, 503);
    page.says("Nothing of the request happened; ask again later.");
    page.says(page.header("x-fapi-interaction-id"));
    world.bank.store().mend();
    world.bank.clock().advance(Duration::from_secs(1));
    assert!(
        world
            .bank
            .store()
            .find_tpp(making::client("tpp-1"))
            .await
            .unwrap()
            .is_some()
    );
}
