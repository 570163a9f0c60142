//! `oyez endpoints`, events that are pushed again, and test events: what a support desk sees and does when a TPP is not
//! reached.

use std::time::Duration;

use oyez_domain::ids::{InteractionId, Jti, NodeId};
use oyez_domain::ledger::lanes::{Health, Hold, LaneReport, Lease, Reason, Wanted};
use oyez_domain::ledger::push::{Answer, Attempt, Ended, Peer, Verdict};
use oyez_domain::ledger::sets::Look;
use oyez_store::Store as _;
use oyez_testkit::bank::Bank;
use oyez_testkit::claims::newest_claim;
use oyez_testkit::making;
use oyez_web::internal::operators::Role;
use serde_json::{Value, json};

use super::core_system::{CoreSystem, assert_calls};

/// A bank whose node pushes to acme-1, as far as its ledger knows.
struct Node {
    office: CoreSystem,
    lease: Lease,
}

impl Node {
    /// An event was published; answers its jti too.
    async fn with_an_event() -> (Self, String) {
        let office = CoreSystem::open().await;
        let read = "/open-banking/v4.0/event-subscriptions";
        let there = office.tpp.get(read).send().await.json();
        let id = there["Data"]["EventSubscription"][0]["EventSubscriptionId"].clone();
        let url = "https://acme.example/open-banking/v4.0/event-notifications";
        let wish =
            json!({"Data": {"EventSubscriptionId": id, "CallbackUrl": url, "Version": "4.0"}});
        let path = format!("{read}/{}", id.as_str().unwrap());
        let put = office.tpp.put(&path).json(&wish).send().await;
        assert_eq!(put.status, 200, "{put:?}");
        let publish = "publish --tpp acme-1 --resource account-access-consent/1234 \
                       --event resource-update --json";
        let outcome: Value = serde_json::from_str(&office.run(publish, "").stdout).unwrap();
        let store = office.bank.store();
        let lease = store.hold_lease(
            NodeId::new("node-1").unwrap(),
            None,
            Duration::from_secs(60),
        );
        let lease = lease.await.unwrap().unwrap();
        let claimed = store.claim_lanes(lease.clone(), Wanted::Due, 1, office.bank.now());
        assert_eq!(claimed.await.unwrap().len(), 1);
        let jti = outcome["jti"].as_str().unwrap().to_owned();
        (Self { office, lease }, jti)
    }

    /// The event is tried, and this comes of it.
    async fn attempt(&self, answer: Answer, verdict: Verdict) {
        let (store, now) = (self.office.bank.store(), self.office.bank.now());
        let id = making::client("acme-1");
        let claim = newest_claim(store, &self.lease, &id).await;
        let look = Look {
            events_max: 1,
            in_flight_for: Duration::from_secs(12),
        };
        let due = store.due_for_push(claim, id.clone(), look, now).await;
        let due = due.unwrap().expect("the lane is ours");
        let attempts = due
            .work
            .iter()
            .map(|work| attempt(work.jti, now, &answer, verdict))
            .map(|attempt| Ended {
                in_flight_until: due.in_flight_until,
                attempt,
            });
        let recorded = store.record_attempts(id, attempts.collect(), now).await;
        assert_eq!(recorded.unwrap().len(), 1);
        self.office.bank.clock().advance(Duration::from_secs(20));
    }

    async fn report(&self, health: Health) {
        let client_id = making::client("acme-1");
        let store = self.office.bank.store();
        let claim = newest_claim(store, &self.lease, &client_id).await;
        let report = LaneReport {
            client_id,
            claim: claim.number,
            health,
            hold: Hold::Keep,
        };
        store
            .report_lanes(self.lease.clone(), vec![report], self.office.bank.now())
            .await
            .unwrap();
    }

    fn unresponsive(&self) -> Health {
        let now = self.office.bank.now();
        Health::Unresponsive {
            since: now,
            declared_at: now + Duration::from_secs(90),
            failures: 121,
            next_probe_at: Some(now + Duration::from_secs(3600)),
            reason: Reason::new("503: Service Unavailable"),
        }
    }
}

fn attempt(
    jti: Jti,
    started_at: oyez_domain::time::Timestamp,
    answer: &Answer,
    verdict: Verdict,
) -> Attempt {
    let reached = matches!(answer, Answer::Response { .. });
    let peer = Peer {
        address: Some("203.0.113.7:443".parse().unwrap()),
        tls_version: reached.then(|| "TLSv1.3".to_owned()),
        certificate_thumbprint: reached.then(|| "3f9a2c71b0d4".repeat(5)),
    };
    Attempt {
        jti,
        started_at,
        latency: Duration::from_millis(42),
        interaction_id: InteractionId::new("0aa7b1f2-53c5-4f53-8ef5-6a2b5ac2d2b1").unwrap(),
        peer,
        answer: answer.clone(),
        verdict,
    }
}

fn response(status: u16, body: &str) -> Answer {
    Answer::Response {
        status,
        body_head: body.as_bytes().to_vec(),
        deviation: None,
    }
}

// D-05, D-06, D-14, I-03, I-04
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_from_all_sides_and_ended() {
    let (node, jti) = Node::with_an_event().await;
    let office = &node.office;
    let failed = Verdict::EndpointFailed;
    let refused = Answer::Error {
        class: "connect".to_owned(),
        detail: "connection refused".to_owned(),
    };
    node.attempt(refused, failed).await;
    node.attempt(response(503, "\u{1b}[2J<html>busy</html>"), failed)
        .await;
    node.report(node.unresponsive()).await;
    let mut story = Vec::new();
    for words in [
        "endpoints list",
        "endpoints list --state failing",
        "endpoints show acme-1",
        "tpps show acme-1",
        &format!("events show {jti}"),
        &format!("events push {jti} 00000000-0000-7000-8000-000000000000"),
        "endpoints resume acme-1",
        &format!("events show {jti}"),
        "endpoints pause acme-1",
        &format!("events push {jti}"),
        "endpoints list --json",
        "endpoints pause nobody",
        "endpoints list --state dead",
    ] {
        story.push(office.shown(words, ""));
    }
    assert_calls!(story.join("\n"));
}

// D-04, D-07, D-14, I-03, I-04
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_a_tpp_refuses_is_told_to_its_end() {
    let (node, jti) = Node::with_an_event().await;
    let office = &node.office;
    let show = format!("events show {jti}");
    let body =
        r#"{"err":"invalid_key","description":"no key of this kid is known here, see our page"}"#;
    let again_at = Some(office.bank.now() + Duration::from_secs(10));
    node.attempt(response(400, body), Verdict::Refused { again_at })
        .await;
    let mut story = vec![office.shown(&show, "")];
    node.attempt(response(400, body), Verdict::Refused { again_at: None })
        .await;
    story.push(office.shown(&show, ""));
    story.push(office.shown(&format!("events push {jti}"), ""));
    let deviation = Answer::Response {
        status: 202,
        body_head: Vec::new(),
        deviation: Some("no interaction id".to_owned()),
    };
    node.attempt(deviation, Verdict::Acknowledged).await;
    story.push(office.shown(&show, ""));
    story.push(office.shown(&format!("events push {jti}"), ""));
    assert_calls!(story.join("\n"));
}

// I-04
#[tokio::test(flavor = "multi_thread")]
async fn a_test_event_is_sent_and_shown_as_one() {
    let office = CoreSystem::open().await;
    let send = "publish --test-event --tpp acme-1";
    let mut story = vec![office.shown(send, ""), office.shown("events list", "")];
    let listed: Value = serde_json::from_str(&office.run("events list --json", "").stdout).unwrap();
    let jti = listed["events"][0]["jti"].as_str().unwrap();
    story.push(office.shown(&format!("events show {jti}"), ""));
    story.push(office.shown("publish --test-event --tpp nobody", ""));
    story.push(office.shown("publish --test-event", ""));
    assert_calls!(story.join("\n"));
}

// I-04, I-05
#[tokio::test(flavor = "multi_thread")]
async fn without_a_resource_for_tests_the_command_says_what_to_configure() {
    let bank = Bank::builder().internal(|options| options.test_resource = None);
    let office = CoreSystem::of(bank.start().await).await;
    let shown = office.shown("publish --test-event --tpp acme-1", "");
    let publisher = office.run_as(Role::Publisher, "publish --test-event --tpp acme-1");
    let viewer = office.run_as(Role::Viewer, "endpoints pause acme-1");
    let story = [
        shown,
        office.desk.shown(
            "publish --test-event --tpp acme-1  # as a publisher",
            &publisher,
        ),
        office
            .desk
            .shown("endpoints pause acme-1  # as a viewer", &viewer),
    ];
    assert_calls!(story.join("\n"));
}

// I-03, D-06
#[tokio::test(flavor = "multi_thread")]
async fn a_tpp_is_told_at_a_glance_with_what_mends_it() {
    let office = CoreSystem::open().await;
    let publish =
        "publish --tpp acme-1 --resource account-access-consent/1234 --event resource-update";
    assert_eq!(office.run(publish, "").code, 0);
    assert_eq!(office.run("endpoints pause acme-1", "").code, 0);
    let noted = |text: &str| text.contains("create_event_subscription");
    let status = loop {
        let status = office.run("tpps status acme-1", "");
        if noted(&status.stdout) {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let shown = office.desk.shown("tpps status acme-1", &status);
    assert_calls!([shown, office.shown("tpps status nobody", "")].join("\n"));
}
