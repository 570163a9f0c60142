//! Endpoints: listed with what holds them back, paused and resumed; events pushed again; and test events.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::Method;
use oyez_domain::ids::{InteractionId, NodeId};
use oyez_domain::ledger::lanes::{Health, Hold, LaneReport, Lease, Reason, Wanted};
use oyez_domain::ledger::push::{Answer, Attempt, Ended, Peer, Verdict};
use oyez_domain::ledger::sets::Look;
use oyez_domain::retry::Policy;
use oyez_store::Store;
use oyez_testkit::bank::Bank;
use oyez_testkit::claims::newest_claim;
use oyez_testkit::making;
use oyez_testkit::tpp::Caller;
use oyez_web::internal::Readiness;
use oyez_web::internal::operators::Role;
use serde_json::{Value, json};

use super::world::{World, item};

/// A TPP that has subscribed to everything and is pushed to.
async fn pushed(world: &World, client_id: &str) -> Caller {
    let caller = world.bank.tpp(client_id).await;
    let wish = json!({"Data": {"CallbackUrl": format!("https://{client_id}.example/v4.0/event-notifications"), "Version": "4.0"}});
    let made = caller.post("/open-banking/v4.0/event-subscriptions");
    let made = made.json(&wish).send().await;
    assert_eq!(made.status, 201, "{made:?}");
    caller
}

/// A node that has claimed all lanes.
async fn node(world: &World) -> Lease {
    let store = world.bank.store();
    let lease = store.hold_lease(
        NodeId::new("node-1").unwrap(),
        None,
        Duration::from_secs(60),
    );
    let lease = lease.await.unwrap().unwrap();
    let claimed = store.claim_lanes(lease.clone(), Wanted::Due, 10, world.bank.now());
    assert!(!claimed.await.unwrap().is_empty());
    lease
}

async fn report(world: &World, lease: &Lease, client_id: &str, health: Health) {
    let client_id = making::client(client_id);
    let claim = newest_claim(world.bank.store(), lease, &client_id).await;
    let report = LaneReport {
        client_id,
        claim: claim.number,
        health,
        hold: Hold::Keep,
    };
    let now = world.bank.now();
    let reported = world
        .bank
        .store()
        .report_lanes(lease.clone(), vec![report], now);
    reported.await.unwrap();
}

fn unresponsive(world: &World) -> Health {
    let now = world.bank.now();
    Health::Unresponsive {
        since: now,
        declared_at: now + Duration::from_secs(60),
        failures: 121,
        next_probe_at: Some(now + Duration::from_secs(3600)),
        reason: Reason::new("503: Service Unavailable"),
    }
}

/// An attempt to push what is due, which ended so.
async fn attempt(world: &World, lease: &Lease, client_id: &str, verdict: Verdict) {
    let (store, now) = (world.bank.store(), world.bank.now());
    let look = Look {
        events_max: 1,
        in_flight_for: Duration::from_secs(12),
    };
    let id = making::client(client_id);
    let claim = newest_claim(store, lease, &id).await;
    let due = store.due_for_push(claim, id.clone(), look, now);
    let due = due.await.unwrap().expect("the lane is ours");
    let attempt = Attempt {
        jti: due.work[0].jti,
        started_at: now,
        latency: Duration::from_millis(42),
        interaction_id: InteractionId::new("0aa7b1f2-53c5-4f53-8ef5-6a2b5ac2d2b1").unwrap(),
        peer: Peer {
            address: Some("203.0.113.7:443".parse().unwrap()),
            tls_version: Some("TLSv1.3".to_owned()),
            certificate_thumbprint: Some("3f9a".repeat(16)),
        },
        answer: Answer::Response {
            status: 400,
            body_head: b"{\"err\":\"invalid_key\"}".to_vec(),
            deviation: None,
        },
        verdict,
    };
    let recorded = store.record_attempts(
        id,
        vec![Ended {
            in_flight_until: due.in_flight_until,
            attempt,
        }],
        now,
    );
    recorded.await.unwrap();
}

fn names(list: &Value) -> Vec<&str> {
    let endpoints = list["endpoints"].as_array().unwrap().iter();
    endpoints
        .map(|endpoint| endpoint["client_id"].as_str().unwrap())
        .collect()
}

// D-06, I-03
#[tokio::test]
async fn endpoints_are_listed_with_state_reason_and_time_a_page_at_a_time() {
    let world = World::new().await;
    for client_id in ["tpp-1", "tpp-2", "tpp-3"] {
        pushed(&world, client_id).await;
        world.accepted(item(client_id)).await;
    }
    let lease = node(&world).await;
    report(&world, &lease, "tpp-2", unresponsive(&world)).await;
    let list = world.get("/v1/endpoints").await.json();
    assert_eq!(names(&list), ["tpp-1", "tpp-2", "tpp-3"]);
    assert_eq!(
        list["endpoints"][1],
        json!({
            "client_id": "tpp-2",
            "state": "unresponsive",
            "since": "2023-11-14T22:13:20.000Z",
            "declared_at": "2023-11-14T22:14:20.000Z",
            "failures": 121,
            "next_probe_at": "2023-11-14T23:13:20.000Z",
            "reason": "503: Service Unavailable",
            "outstanding": 1,
        })
    );
    assert_eq!(list["endpoints"][0]["state"], "responsive");
    assert_eq!(list["endpoints"][0]["reason"], Value::Null);
    let narrow = world.get("/v1/endpoints?state=unresponsive").await.json();
    assert_eq!(names(&narrow), ["tpp-2"]);
    let page = world.get("/v1/endpoints?limit=2").await.json();
    assert_eq!((names(&page).len(), &page["next"]), (2, &json!("tpp-2")));
    let rest = world.get("/v1/endpoints?limit=2&cursor=tpp-2").await.json();
    assert_eq!((names(&rest), &rest["next"]), (vec!["tpp-3"], &Value::Null));
    let wrong = world.get("/v1/endpoints?state=dead&limit=0").await;
    assert_eq!(wrong.status, 400);
    assert_eq!(wrong.paths(), ["state", "limit"]);
}

// D-05, I-03
#[tokio::test]
async fn an_endpoint_tells_where_it_is_and_the_policy_in_force_with_its_windows() {
    let retry = Policy {
        retries_max: 3,
        ..Policy::default()
    };
    let bank = Bank::builder().internal(|options| options.retry = retry);
    let world = World::of(bank.start().await, Readiness::default());
    let tpp = pushed(&world, "tpp-1").await;
    let read = world.get("/v1/endpoints/tpp-1").await.json();
    assert_eq!(
        read["pushed_to"],
        "https://tpp-1.example/v4.0/event-notifications"
    );
    assert_eq!(
        (&read["state"], &read["outstanding"]),
        (&json!("responsive"), &json!(0))
    );
    assert_eq!(
        read["retry"],
        json!({
            "base": "1s", "factor": 2.0, "ceiling": "1h", "retries_max": 3, "window": "3d",
            "set_for": "deployment", "shortest": "3s", "longest": "7s",
        })
    );
    let own = Policy {
        retries_max: 1,
        ..Policy::default()
    };
    let overrides = |profile: &mut oyez_domain::tpp::Profile| {
        profile.overrides.retry = Some(own);
        profile.overrides.pushes_at_once_max = NonZeroU32::new(1);
    };
    world.bank.change(&tpp, overrides).await;
    let retry = world.get("/v1/endpoints/tpp-1").await.json()["retry"].clone();
    assert_eq!(
        (&retry["set_for"], &retry["shortest"], &retry["longest"]),
        (&json!("tpp"), &json!("500ms"), &json!("1s"))
    );
}

// D-06, I-04, I-05
#[tokio::test]
async fn an_operator_pauses_and_resumes_an_endpoint_and_the_trail_has_who_before_and_after() {
    let world = World::new().await;
    pushed(&world, "tpp-1").await;
    let act = |act: &'static str| {
        let path = format!("/v1/endpoints/tpp-1/{act}");
        let world = &world;
        async move { world.ask(Role::Operator, Method::POST, &path, None).await }
    };
    let paused = act("pause").await;
    assert_eq!(paused.status, 200, "{paused:?}");
    assert_eq!(paused.json()["state"], "paused");
    assert_eq!(paused.json()["since"], "2023-11-14T22:13:20.000Z");
    world.bank.clock().advance(Duration::from_secs(60));
    let again = act("pause").await.json();
    assert_eq!(again, paused.json(), "it stays as it was");
    let read = world.get("/v1/endpoints/tpp-1").await.json();
    assert_eq!(read, again, "as the ledger keeps it");
    let delivery = world.get("/v1/tpps/tpp-1").await.json()["delivery"].clone();
    assert_eq!(delivery["endpoint"]["state"], "paused");
    let resumed = act("resume").await;
    assert_eq!(
        (resumed.status, &resumed.json()["state"]),
        (200, &json!("responsive"))
    );
    assert_eq!(
        world.get("/v1/endpoints/tpp-1").await.json(),
        resumed.json()
    );
    act("resume").await;
    let audit = world.get("/v1/audit?tpp=tpp-1&limit=2").await.json();
    let told = |index: usize, name: &str| audit["entries"][index][name].clone();
    assert_eq!(told(0, "action"), "endpoint.resumed");
    assert_eq!(
        told(1, "action"),
        "endpoint.paused",
        "what changes nothing is no entry"
    );
    assert_eq!(told(0, "actor"), "operator:operator");
    assert!(told(0, "before").to_string().contains("paused"), "{audit}");
    assert!(
        told(0, "after").to_string().contains("responsive"),
        "{audit}"
    );
}

// D-06, I-04
#[tokio::test]
async fn an_outage_is_ended_by_an_operator() {
    let world = World::new().await;
    pushed(&world, "tpp-1").await;
    world.accepted(item("tpp-1")).await;
    let lease = node(&world).await;
    report(&world, &lease, "tpp-1", unresponsive(&world)).await;
    let resumed = world.post("/v1/endpoints/tpp-1/resume", &json!({})).await;
    assert_eq!(resumed.json()["state"], "responsive");
    let now = world.bank.now();
    let claimed = world.bank.store().claim_lanes(lease, Wanted::Due, 1, now);
    assert_eq!(claimed.await.unwrap().len(), 1, "there is work at once");
}

// I-04
#[tokio::test]
async fn the_endpoint_of_nobody_is_a_404_in_the_form_of_all_problems() {
    let world = World::new().await;
    for (method, path) in [
        (Method::GET, "/v1/endpoints/nobody"),
        (Method::POST, "/v1/endpoints/nobody/pause"),
        (Method::POST, "/v1/endpoints/nobody/resume"),
        (Method::POST, "/v1/events/nothing/push"),
    ] {
        let reply = world.ask(Role::Admin, method, path, None).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.json()["type"], "urn:oyez:problem:not-found", "{path}");
    }
}

// D-07, D-14, I-03, I-04
#[tokio::test]
async fn an_event_that_was_given_up_to_polls_is_pushed_again_by_an_operator() {
    let world = World::new().await;
    pushed(&world, "tpp-1").await;
    let jti = world.accepted(item("tpp-1")).await;
    let lease = node(&world).await;
    attempt(&world, &lease, "tpp-1", Verdict::Refused { again_at: None }).await;
    let file = world.get(&format!("/v1/events/{jti}")).await.json();
    assert_eq!(
        file["attempts"],
        json!([{
            "started_at": "2023-11-14T22:13:20.000Z",
            "latency_ms": 42,
            "interaction_id": "0aa7b1f2-53c5-4f53-8ef5-6a2b5ac2d2b1",
            "peer": {
                "address": "203.0.113.7:443",
                "tls_version": "TLSv1.3",
                "certificate_thumbprint": "3f9a".repeat(16),
            },
            "answer": {"status": 400, "body_head": "{\"err\":\"invalid_key\"}", "deviation": null},
            "verdict": "refused",
            "again_at": null,
        }])
    );
    assert_eq!(file["delivery"]["endpoint"]["state"], "responsive");
    assert_eq!(file["delivery"]["may_poll"], true);
    let path = format!("/v1/events/{jti}/push");
    let pushed = world.ask(Role::Operator, Method::POST, &path, None).await;
    assert_eq!(pushed.status, 200, "{pushed:?}");
    assert_eq!(pushed.json()["queued"], true);
    assert_eq!(pushed.json()["event"]["jti"], jti.as_str());
    let verdict = Verdict::Acknowledged;
    attempt(&world, &lease, "tpp-1", verdict).await;
    let late = world.post(&path, &json!({})).await.json();
    assert_eq!(
        (&late["queued"], &late["event"]["state"], &late["delivery"]),
        (&json!(false), &json!("acknowledged"), &Value::Null)
    );
    let audit = world.get("/v1/audit?tpp=tpp-1&limit=1").await.json();
    assert_eq!(audit["entries"][0]["action"], "event.retried");
}

// D-07, I-04
#[tokio::test]
async fn what_has_no_address_is_not_queued_for_pushing() {
    let world = World::new().await;
    world.subscriber("tpp-1").await;
    let jti = world.accepted(item("tpp-1")).await;
    let reply = world
        .post(&format!("/v1/events/{jti}/push"), &json!({}))
        .await
        .json();
    assert_eq!(reply["queued"], false);
    assert_eq!(reply["delivery"]["pushed_to"], Value::Null);
}

// I-04, I-05
#[tokio::test]
async fn a_test_event_is_accepted_as_others_are_and_marked_in_the_ledger_alone() {
    let world = World::new().await;
    let tpp = world.subscriber("tpp-1").await;
    let body = json!({"tpp": "tpp-1"});
    let sent = world.ask(Role::Operator, Method::POST, "/v1/test-events", Some(&body));
    let sent = sent.await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let outcome = sent.json()["outcomes"][0].clone();
    assert_eq!(outcome["outcome"], "accepted");
    let jti = outcome["jti"].as_str().unwrap();
    let file = world.get(&format!("/v1/events/{jti}")).await.json();
    assert_eq!(file["event"]["test"], true);
    assert_eq!(file["notice"]["resource"]["type"], "domestic-payment");
    let list = world.get("/v1/events").await.json();
    assert_eq!(list["events"][0]["test"], true);
    let poll = tpp.post("/open-banking/v4.0/events");
    let sets = poll
        .json(&json!({"returnImmediately": true}))
        .send()
        .await
        .json();
    assert!(sets["sets"].get(jti).is_some(), "{sets}");
    let ordinary = world.accepted(item("tpp-1")).await;
    let file = world.get(&format!("/v1/events/{ordinary}")).await.json();
    assert_eq!(file["event"]["test"], false);
}

// I-01, I-04
#[tokio::test]
async fn a_test_event_that_nobody_gets_says_why() {
    let world = World::new().await;
    world.bank.tpp("tpp-1").await;
    let send = |body: Value| {
        let world = &world;
        async move { world.post("/v1/test-events", &body).await }
    };
    let unsubscribed = send(json!({"tpp": "tpp-1"})).await.json();
    assert_eq!(unsubscribed["outcomes"][0]["outcome"], "no-subscription");
    let nobody = send(json!({"tpp": "nobody"})).await.json();
    assert_eq!(nobody["outcomes"][0]["errors"][0]["code"], "unknown_tpp");
    let wrong = send(json!({"resource": {}})).await;
    assert_eq!(wrong.status, 400);
    let mut paths = wrong.paths();
    paths.sort();
    assert_eq!(paths, ["resource", "tpp"]);
    let bank = Bank::builder().internal(|options| options.test_resource = None);
    let world = World::of(bank.start().await, Readiness::default());
    let reply = world
        .post("/v1/test-events", &json!({"tpp": "tpp-1"}))
        .await;
    assert_eq!(reply.status, 409);
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("[test_event]"), "{detail}");
}

// D-06, I-03
#[tokio::test]
async fn the_metrics_have_endpoints_by_state_and_do_without_a_ledger() {
    let world = World::new().await;
    for client_id in ["tpp-1", "tpp-2"] {
        pushed(&world, client_id).await;
        world.accepted(item(client_id)).await;
    }
    world.post("/v1/endpoints/tpp-2/pause", &json!({})).await;
    let told = world.get("/metrics").await;
    for line in [
        r#"oyez_endpoints{state="responsive"} 1"#,
        r#"oyez_endpoints{state="paused"} 1"#,
        r#"oyez_endpoints{state="unresponsive"} 0"#,
        r#"oyez_events{state="outstanding"} 2"#,
    ] {
        assert!(
            told.text().lines().any(|found| found == line),
            "{line}\n{}",
            told.text()
        );
    }
    let gone = oyez_store::Error::Unavailable {
        detail: "gone".to_owned(),
    };
    world.bank.store().fail_at("lane_totals", gone);
    let told = world.get("/metrics").await;
    assert_eq!(told.status, 200);
    assert!(!told.text().contains("oyez_endpoints{"), "{}", told.text());
    assert!(
        told.text().contains("oyez_polls_waiting 0"),
        "{}",
        told.text()
    );
    world.bank.store().mend();
}
