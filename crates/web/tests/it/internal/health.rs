//! What monitoring asks: whether the process runs, whether it is ready, and what it counts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use oyez_testkit::bank::{Bank, key_set};
use oyez_web::internal::{Condition, Readiness};
use serde_json::{Value, json};

use super::world::{World, item};

fn part<'a>(reply: &'a Value, name: &str) -> &'a Value {
    let parts = reply["parts"].as_array().unwrap();
    parts.iter().find(|part| part["name"] == name).unwrap()
}

// I-05
#[tokio::test]
async fn readiness_names_every_part_and_what_is_wrong_with_it() {
    let draining = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&draining);
    let readiness = Readiness::default().with("tpp-listener", move || {
        if seen.load(Ordering::Relaxed) {
            Condition::NotReady("it is draining".to_owned())
        } else {
            Condition::Ready
        }
    });
    let world = World::of(Bank::start().await, readiness);
    let reply = world.get("/health/ready").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let ready = reply.json();
    assert_eq!(ready["status"], "ready");
    for name in ["ledger", "keys", "clock", "tpp-listener"] {
        assert_eq!(part(&ready, name)["ready"], true, "{name}");
    }

    draining.store(true, Ordering::Relaxed);
    world.bank.keys().send_replace(Arc::new(key_set(&[])));
    let gone = oyez_store::Error::Unavailable {
        detail: "secret path".to_owned(),
    };
    world.bank.store().fail(gone);
    let reply = world.get("/health/ready").await;
    assert_eq!(reply.status, 503);
    assert!(!reply.text().contains("secret path"));
    let ready = reply.json();
    assert_eq!(ready["status"], "not-ready");
    assert_eq!(part(&ready, "ledger")["detail"], "it does not answer");
    assert_eq!(part(&ready, "keys")["detail"], "no key may sign now");
    assert_eq!(part(&ready, "tpp-listener")["detail"], "it is draining");
    let live = world.get("/health/live").await;
    assert_eq!((live.status, live.json()), (200, json!({"status": "live"})));
    world.bank.store().mend();
}

// I-05, M-06
#[tokio::test]
async fn a_part_that_works_may_say_what_is_to_be_looked_at() {
    let warns = || Condition::ReadyBut("500 MiB are free".to_owned());
    let world = World::of(
        Bank::start().await,
        Readiness::default().with("disk", warns),
    );
    let reply = world.get("/health/ready").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let ready = reply.json();
    assert_eq!(
        part(&ready, "disk"),
        &json!({"name": "disk", "ready": true, "detail": "500 MiB are free"})
    );
}

// D-08, I-05
#[tokio::test]
async fn a_ledger_that_can_only_be_read_is_not_ready() {
    let world = World::new().await;
    let store = world.bank.store();
    store.fail_at("prove_writable", oyez_store::Error::DiskFull);
    let reply = world.get("/health/ready").await;
    assert_eq!(reply.status, 503);
    let ready = reply.json();
    assert_eq!(part(&ready, "ledger")["detail"], "it cannot be written to");
    store.mend();
    assert_eq!(world.get("/health/ready").await.status, 200);
}

/// The labels of a line, and what it says.
fn labels(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once('{')?;
    Some((name, rest.split_once('}')?.0))
}

// I-05
#[tokio::test]
async fn metrics_are_well_formed_and_no_label_holds_what_a_caller_said() {
    let world = World::new().await;
    world.subscriber("tpp-sevenfold").await;
    world
        .publish(&[
            item("tpp-sevenfold"),
            item("tpp-sevenfold"),
            item("nobody-here"),
        ])
        .await;
    world.get("/v1/tpps/tpp-sevenfold").await;
    world.get("/v1/secret-path").await;
    let reply = world.get("/metrics").await;
    assert_eq!(reply.status, 200);
    assert!(
        reply
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    let text = reply.text();
    assert_eq!(text.lines().last(), Some("# EOF"));
    for said in ["sevenfold", "nobody-here", "secret-path"] {
        assert!(!text.contains(said), "{said}");
    }
    let mut names = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        if let Some((_, labels)) = labels(series) {
            let label = |pair: &str| pair.split_once('=').unwrap().0.to_owned();
            let labels = labels.split(',').filter(|label| !label.is_empty());
            names.extend(labels.map(label));
        }
    }
    let bounded = [
        "by",
        "le",
        "listener",
        "method",
        "operation",
        "outcome",
        "state",
        "status",
        "version",
    ];
    assert!(
        names.iter().all(|name| bounded.contains(&name.as_str())),
        "{names:?}"
    );
    for line in [
        r#"oyez_published_items_total{outcome="accepted"} 2"#,
        r#"oyez_published_items_total{outcome="rejected"} 1"#,
        r#"oyez_http_requests_total{listener="internal",operation="publish_events",method="POST",status="200"} 1"#,
        r#"oyez_http_requests_total{listener="internal",operation="none",method="GET",status="404"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}
