//! What others wrote stands on pages as text, whatever it is.

use oyez_store::Store;
use oyez_testkit::making;
use oyez_web::internal::operators::Role;
use serde_json::json;

use super::world::World;

const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

// I-05
#[tokio::test]
async fn hostile_names_payloads_and_descriptions_are_text() {
    let world = World::new().await;
    let evil = format!("a/../b?c#d{EVIL}");
    let tpp = world.subscriber("tpp-1", making::everything()).await;
    world
        .bank
        .change(&tpp, |profile| EVIL.clone_into(&mut profile.name))
        .await;
    let registered = world.bank.store().register_tpp(
        oyez_domain::actor::Actor::Operator(EVIL.to_owned()),
        making::client(&evil),
        making::profile(oyez_domain::tpp::Overrides::default()),
        world.bank.now(),
    );
    registered.await.unwrap().unwrap();
    let item = json!({
        "tpp": "tpp-1",
        "resource": {"type": "account-access-consent", "id": EVIL},
        "events": [{"type": "UK.OBIE.Resource-Update"}],
        "txn": EVIL,
    });
    let outcome = world.api_post("/v1/events", &item).await;
    let jti = outcome["outcomes"][0]["jti"].as_str().unwrap().to_owned();
    world.fail(&tpp, &jti).await;
    let mut browser = world.logged_in(Role::Admin).await;
    let list = browser.open("/console/tpps").await;
    let (_, link) = list.text.split_once("href=\"/console/tpps/a").unwrap();
    let link = format!("/console/tpps/a{}", link.split('"').next().unwrap());
    let asked = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%27%3E";
    for path in [
        "/console",
        "/console/tpps",
        &link,
        &format!("{link}/disable"),
        "/console/tpps/tpp-1",
        "/console/tpps/tpp-1/pause",
        "/console/events",
        &format!("/console/events/{jti}"),
        "/console/audit",
        &format!("/console/events?txn={asked}&tpp={asked}&interaction_id={asked}"),
        &format!("/console/tpps?prefix={asked}&state={asked}&after={asked}"),
        &format!("/console/audit?tpp={asked}"),
        &format!("/console/tpps/tpp-1?done={asked}&n={asked}"),
        &format!("/console?window={asked}"),
        &format!("/console/{asked}"),
    ] {
        let page = browser.open(path).await;
        assert!(matches!(page.status, 200 | 404), "{path}: {}", page.status);
        page.says_nothing_of("<script>alert");
        page.says_nothing_of("<img src=x");
        page.says_nothing_of("\"'>");
    }
    browser
        .open(&format!("/console/events/{jti}"))
        .await
        .says("&lt;script&gt;alert(1)&lt;/script&gt;");
    let door = world
        .browser()
        .open(&format!("/console/login?next={asked}"))
        .await;
    door.says_nothing_of("<script>alert");
}
