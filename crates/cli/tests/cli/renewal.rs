//! Pushes go on while what secures them changes: a bank whose certificate was renewed is not to be restarted for it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use oyez_testkit::certificates::Authority;
use oyez_testkit::endpoint::{Behaviour, Endpoint};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::house::{House, NOTIFICATIONS, item};

/// Of TPPs' endpoints and of the bank, as both were certified at one time.
struct Times {
    tpps: Authority,
    banks: Authority,
}

impl Times {
    fn new(name: &str) -> Self {
        Self {
            tpps: Authority::new(&format!("of TPPs, {name}")),
            banks: Authority::new(&format!("of banks, {name}")),
        }
    }

    /// The endpoint shows a certificate of this time to new connections, and wants one of it.
    fn begin_at(&self, endpoint: &Endpoint) {
        endpoint.show(&self.tpps.server(&[]));
        endpoint.ask_for(&self.banks);
    }

    /// And so does the bank, when it has read its files.
    fn begin_in(&self, house: &House) {
        let bank = self.banks.client("bank.example");
        for (name, text) in [
            ("tpps.crt", self.tpps.pem()),
            ("push.crt", bank.pem()),
            ("push.key", bank.key_pem()),
        ] {
            let name = format!("bank/house/{name}");
            house.desk().write(&name, &text);
            let private = Permissions::from_mode(0o600);
            fs::set_permissions(house.desk().path(&name), private).unwrap();
        }
    }
}

// D-13, D-08
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewed_certificates_and_anchors_hold_from_the_next_push_on_and_lose_none_in_flight() {
    let mut house = House::new(&[
        ("OYEZ_OUTBOUND__TRUST_ANCHORS", "house/tpps.crt"),
        ("OYEZ_PUSH__CERTIFICATE", "house/push.crt"),
        ("OYEZ_PUSH__KEY", "house/push.key"),
    ]);
    let (before, after) = (Times::new("before"), Times::new("after"));
    let endpoint = Endpoint::start(&before.tpps.server(&[])).await;
    endpoint.behave(NOTIFICATIONS, Behaviour::accept());
    before.begin_at(&endpoint);
    before.begin_in(&house);
    house.start();
    house.pushed("tpp-1", &endpoint, &json!({})).await;
    publish(&house, "1").await;
    endpoint.until_count(NOTIFICATIONS, 1).await;

    let slowly = Behaviour::accept().late(Duration::from_secs(3));
    endpoint.behave(NOTIFICATIONS, slowly);
    let in_flight = publish(&house, "2").await;
    endpoint.until_count(NOTIFICATIONS, 2).await;
    after.begin_at(&endpoint);
    after.begin_in(&house);
    read_again(&house, "certificate and anchors of pushes read again").await;
    endpoint.behave(NOTIFICATIONS, Behaviour::accept());
    publish(&house, "3").await;
    endpoint.until_count(NOTIFICATIONS, 3).await;
    assert_eq!(endpoint.connections(), 2, "it is shown who they are");
    let until = Instant::now() + Duration::from_secs(60);
    while story(&house, &in_flight).await["event"]["state"] != "acknowledged" {
        assert!(
            Instant::now() < until,
            "{:#}",
            story(&house, &in_flight).await
        );
        sleep(Duration::from_millis(50)).await;
    }

    house.desk().write("bank/house/push.crt", "damaged");
    read_again(&house, "certificate and anchors of pushes not read again").await;
    publish(&house, "4").await;
    endpoint.until_count(NOTIFICATIONS, 4).await;
    assert_eq!(endpoint.inbox(NOTIFICATIONS).accepted().len(), 4);
    assert_eq!(house.stop(), 0);
}

async fn publish(house: &House, key: &str) -> String {
    let publisher = house.colleague("publisher");
    let answer = publisher.post("/v1/events", &item("tpp-1", key, key)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let outcome = &answer.json()["outcomes"][0];
    outcome["jti"].as_str().unwrap().to_owned()
}

async fn story(house: &House, jti: &str) -> Value {
    let viewer = house.colleague("viewer");
    viewer.get(&format!("/v1/events/{jti}")).await.json()
}

/// SIGHUP, until the log says this once more.
async fn read_again(house: &House, text: &str) {
    let said = || house.log().matches(text).count();
    let before = said();
    house.signal("HUP");
    let until = Instant::now() + Duration::from_secs(60);
    while said() == before {
        assert!(Instant::now() < until, "{}", house.log());
        sleep(Duration::from_millis(50)).await;
    }
}
