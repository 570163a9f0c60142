//! `/developer/status`: a TPP sees how it stands by its own token, and nobody else sees it (W-04).

use std::time::Duration;

use oyez_domain::ids::{InteractionId, NodeId};
use oyez_domain::ledger::lanes::{Health, Hold, LaneReport, Reason, Wanted};
use oyez_domain::ledger::push::{Answer, Attempt, Ended, Peer, Verdict};
use oyez_domain::ledger::sets::Look;
use oyez_store::Store as _;
use oyez_testkit::bank::{Bank, Signs};
use oyez_testkit::claims::newest_claim;
use oyez_testkit::making;
use oyez_testkit::tpp::Caller;
use serde_json::{Value, json};

async fn bank() -> Bank {
    Bank::builder().signs(Signs::Es256).start().await
}

async fn status(tpp: &Caller) -> Value {
    let reply = tpp.get("/developer/status").send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply.json()
}

fn codes(status: &Value) -> Vec<&str> {
    let reasons = status["reasons"].as_array().unwrap().iter();
    reasons
        .map(|reason| reason["code"].as_str().unwrap())
        .collect()
}

pub(crate) async fn subscribe(tpp: &Caller, callback_url: Option<&str>) {
    let mut body = json!({ "Data": { "Version": "4.0" } });
    if let Some(url) = callback_url {
        body["Data"]["CallbackUrl"] = json!(url);
    }
    let made = tpp.post("/open-banking/v4.0/event-subscriptions");
    assert_eq!(made.json(&body).send().await.status, 201);
}

/// A node pushes the oldest event, is answered 503, and gives the endpoint up.
async fn push_in_vain(bank: &Bank, client_id: &str) {
    let (store, now, id) = (bank.store(), bank.now(), making::client(client_id));
    let node = NodeId::new("node-1").unwrap();
    let lease = store.hold_lease(node, None, Duration::from_secs(60)).await;
    let lease = lease.unwrap().unwrap();
    let claimed = store.claim_lanes(lease.clone(), Wanted::Due, 10, now).await;
    assert!(!claimed.unwrap().is_empty());
    let claim = newest_claim(store, &lease, &id).await;
    let look = Look {
        events_max: 1,
        in_flight_for: Duration::from_secs(12),
    };
    let due = store
        .due_for_push(claim.clone(), id.clone(), look, now)
        .await;
    let due = due.unwrap().expect("the lane is ours");
    let attempt = Attempt {
        jti: due.work[0].jti,
        started_at: now,
        latency: Duration::from_millis(42),
        interaction_id: InteractionId::new("0aa7b1f2-53c5-4f53-8ef5-6a2b5ac2d2b1").unwrap(),
        peer: Peer::default(),
        answer: Answer::Response {
            status: 503,
            body_head: b"<b>down</b>".to_vec(),
            deviation: None,
        },
        verdict: Verdict::EndpointFailed,
    };
    let ended = Ended {
        in_flight_until: due.in_flight_until,
        attempt,
    };
    store
        .record_attempts(id.clone(), vec![ended], now)
        .await
        .unwrap();
    let health = Health::Unresponsive {
        since: now,
        declared_at: now,
        failures: 121,
        next_probe_at: Some(now + Duration::from_secs(3600)),
        reason: Reason::new("503: <b>down</b>"),
    };
    let report = LaneReport {
        client_id: id,
        claim: claim.number,
        health,
        hold: Hold::Keep,
    };
    store.report_lanes(lease, vec![report], now).await.unwrap();
}

// W-04, I-03
#[tokio::test]
async fn a_tpp_learns_why_it_gets_no_events_and_what_to_do() {
    let bank = bank().await;
    let (tpp, other) = (bank.tpp("tpp-1").await, bank.tpp("tpp-2").await);
    let nothing = status(&tpp).await;
    assert_eq!(codes(&nothing)[0], "nothing_registered");
    assert_eq!(nothing["registration"], Value::Null);

    subscribe(&tpp, None).await;
    subscribe(&other, None).await;
    bank.tell(&tpp, 3).await;
    bank.tell(&other, 5).await;
    let unpolled = status(&tpp).await;
    assert_eq!(codes(&unpolled)[0], "nobody_polls");
    assert_eq!(unpolled["events"]["outstanding"], 3, "its own alone");
    assert_eq!(unpolled["registration"]["version"], "4.0");

    let poll = tpp
        .post("/open-banking/v4.0/events")
        .json(&json!({ "maxEvents": 2 }));
    assert_eq!(poll.send().await.status, 200);
    let polled = status(&tpp).await;
    assert!(!codes(&polled).contains(&"nobody_polls"), "{polled}");
    assert_eq!(polled["polls"].as_array().unwrap().len(), 1);
    assert_eq!(polled["polls"][0]["events"], 2);
    assert_eq!(polled["endpoint"], Value::Null);
}

// W-04, D-06
#[tokio::test]
async fn the_endpoint_its_health_and_the_last_pushes_are_shown_to_programs_and_to_people() {
    let bank = bank().await;
    let tpp = bank.tpp("tpp-1").await;
    bank.change(&tpp, |profile| {
        "<script>alert(1)</script>".clone_into(&mut profile.name);
    })
    .await;
    subscribe(&tpp, Some("https://tpp-1.example/v4.0/event-notifications")).await;
    let jti = bank.tell(&tpp, 1).await.remove(0);
    push_in_vain(&bank, "tpp-1").await;
    let said = status(&tpp).await;
    assert_eq!(codes(&said)[0], "unresponsive");
    assert!(said["reasons"][0]["mend"].as_str().unwrap().contains("PUT"));
    assert_eq!(said["endpoint"]["health"], "unresponsive");
    let attempt = &said["attempts"][0];
    assert_eq!(attempt["jti"], jti.to_string());
    assert_eq!(
        (&attempt["answer"], &attempt["outcome"]),
        (&json!("503"), &json!("endpoint_failed"))
    );
    assert_eq!(attempt["milliseconds"], 42);

    let page = tpp
        .get("/developer/status")
        .header("accept", "text/html,*/*;q=0.8");
    let page = page.send().await;
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .contains("script-src 'self'")
    );
    let text = String::from_utf8_lossy(&page.body);
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !text.contains("<script>"));
    assert!(text.contains("503: &lt;b&gt;down&lt;/b&gt;") && text.contains(&jti.to_string()));
}

// W-04, A-01, A-09
#[tokio::test]
async fn whoever_may_not_see_it_is_told_so_as_a_program_or_as_a_person() {
    let bank = bank().await;
    let tpp = bank.tpp("tpp-1").await;
    let ask = || tpp.get("/developer/status").authorization(None);
    let refused = ask().send().await;
    assert_eq!((refused.status, refused.body.len()), (401, 0));
    let page = ask().header("accept", "text/html").send().await;
    assert_eq!(page.status, 401);
    assert!(page.header("www-authenticate").is_some());
    let text = String::from_utf8_lossy(&page.body);
    assert!(text.contains("no access token") && text.contains("id=\"status-form\""));
    bank.disable(&tpp).await;
    let disabled = tpp.get("/developer/status").header("accept", "text/html");
    let disabled = disabled.send().await;
    assert_eq!(disabled.status, 403);
    assert!(String::from_utf8_lossy(&disabled.body).contains("the client is disabled"));
}
