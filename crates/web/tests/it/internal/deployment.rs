//! What is handed to whoever runs oyez: the list of metrics, alert rules, a dashboard. Each names only what is there, and those
//! who wrote Prometheus read it as we do.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use oyez_domain::ids::ClientId;
use oyez_testkit::bank::Bank;
use oyez_web::metrics::{
    self, Answered, Delivered, Edge, Levels, Listener, Metrics, OfTpp, Process, Publication,
    Pushed, Sessions, Spans, TABLE, TPPS_MAX, TokenFound, Tpps,
};
use serde_json::Value;

use super::world::World;

const PAGE: &str = include_str!("../../../../../docs/observability.md");
const RUNBOOK: &str = include_str!("../../../../../docs/operations.md");
const ALERTS: &str = include_str!("../../../../../deploy/prometheus/alerts.yml");
const DASHBOARD: &str = include_str!("../../../../../deploy/grafana/oyez.json");
const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/prometheus");

/// Everything that can be counted, once.
fn all() -> String {
    let metrics = Metrics::new(Tpps::Apart);
    let (acme, took) = (client_id("acme"), Duration::from_millis(1));
    metrics.request(
        Listener::Tpp,
        "poll_events",
        &Method::POST,
        StatusCode::OK,
        took,
    );
    metrics.request_of(&acme, StatusCode::OK);
    drop(metrics.connections(Listener::Tpp));
    metrics.ledger("poll").answered(took);
    metrics.published(Publication::Accepted, 1);
    metrics.poll(Answered::AtOnce, 1);
    metrics.token(TokenFound::Valid);
    for pushed in [
        Pushed::Acknowledged,
        Pushed::Refused,
        Pushed::EndpointFailed,
    ] {
        metrics.push(&acme, pushed, took);
    }
    metrics.delivered(&acme, Delivered::ByPush, took);
    metrics.text(&Levels {
        endpoints: Some(Default::default()),
        oldest_event: Some(took),
        tpps: vec![OfTpp {
            client_id: acme,
            outstanding: 1,
            is_held_back: false,
        }],
        edge: Edge {
            process: Some(Process::default()),
            sessions: Some(Sessions::default()),
            clock_ahead: Some(0.5),
            spans: Some(Spans::default()),
            certificates: vec![("listener", 1_700_000_000)],
        },
        ..Levels::default()
    })
}

fn client_id(text: &str) -> ClientId {
    text.parse().unwrap()
}

/// Names and labels of all series of a text.
fn series(text: &str) -> BTreeSet<(String, BTreeSet<String>)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let read = |line: &str| {
        let series = line.rsplit_once(' ').unwrap().0;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split("\",");
        let names = labels.filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
        (name.to_owned(), names.collect())
    };
    lines.map(read).collect()
}

// I-05
#[test]
fn every_metric_is_in_the_list_and_every_one_of_the_list_is_told() {
    let told = series(&all());
    for (name, labels) in &told {
        let entry = TABLE.iter().find(|entry| entry.series().contains(name));
        let entry = entry.unwrap_or_else(|| panic!("{name} is not in the list"));
        let mut listed: BTreeSet<_> = entry.labels.iter().map(ToString::to_string).collect();
        if name.ends_with("_bucket") {
            listed.insert("le".to_owned());
        }
        assert_eq!(labels, &listed, "{name}");
    }
    for name in TABLE.iter().flat_map(metrics::Entry::series) {
        assert!(
            told.iter().any(|(one, _)| *one == name),
            "{name} is not told"
        );
    }
}

// I-05
#[test]
fn the_page_has_the_list_as_it_is() {
    let list = metrics::as_markdown();
    assert!(
        PAGE.contains(&list),
        "docs/observability.md is to hold this:\n{list}"
    );
}

/// Each use of a metric in an expression, with the labels that it is narrowed by.
fn uses(expression: &str) -> Vec<(String, Vec<String>)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut uses = Vec::new();
    let mut rest = expression;
    while let Some(at) = ["oyez_", "process_"]
        .iter()
        .filter_map(|it| rest.find(it))
        .min()
    {
        let name: String = rest[at..].chars().take_while(|c| is_name(*c)).collect();
        rest = &rest[at + name.len()..];
        let inside = rest.strip_prefix('{').and_then(|it| it.split_once('}'));
        let labels = inside.map_or("", |(labels, _)| labels).split(',');
        let label = |text: &str| text.chars().take_while(|c| is_name(*c)).collect::<String>();
        uses.push((
            name,
            labels.map(label).filter(|it| !it.is_empty()).collect(),
        ));
    }
    uses
}

fn assert_known(expression: &str) {
    let found = uses(expression);
    assert!(
        !found.is_empty() || expression.contains("up{"),
        "{expression}"
    );
    for (name, labels) in found {
        let entry = TABLE.iter().find(|entry| entry.series().contains(&name));
        let entry = entry.unwrap_or_else(|| panic!("{name} in {expression}"));
        for label in labels {
            let by_scraper = ["job", "instance", "le"].contains(&&*label);
            assert!(
                by_scraper || entry.labels.contains(&&*label),
                "{label} of {name}"
            );
        }
    }
}

/// The expressions of the dashboard, as Prometheus gets them.
fn panels() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    let expression = |target: &Value| {
        let text = target["expr"].as_str().unwrap();
        let text = text.replace("$__rate_interval", "5m");
        text.replace("$job", "oyez").replace("$tpp", "acme")
    };
    targets.map(expression).collect()
}

// I-05
#[test]
fn the_dashboard_asks_only_for_what_is_there() {
    let expressions = panels();
    assert!(expressions.len() > 40, "{}", expressions.len());
    for expression in &expressions {
        assert_known(expression);
    }
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels
        .iter()
        .map(|panel| panel["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let mut rules = "groups:\n- name: panels\n  rules:\n".to_owned();
    for expression in expressions {
        let quoted = serde_json::to_string(&expression).unwrap();
        rules.push_str(&format!("  - record: panel\n    expr: {quoted}\n"));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("panels.yml");
    fs::write(&path, rules).unwrap();
    promtool(&["check", "rules", "--lint=none", path.to_str().unwrap()]);
}

// D-06, I-05
#[test]
fn the_alerts_name_only_what_is_there_and_the_runbook_has_each() {
    let mut lines = ALERTS.lines().map(str::trim_start).peekable();
    let mut alerts = 0;
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("- alert: ") {
            alerts += 1;
            assert!(
                RUNBOOK.contains(&format!("**{name}**")),
                "{name} has no runbook"
            );
        }
        if let Some(expression) = line.strip_prefix("expr: ") {
            let mut expression = expression.trim_start_matches(">-").to_owned();
            while lines
                .peek()
                .is_some_and(|next| !["for:", "labels:"].iter().any(|key| next.starts_with(key)))
            {
                expression.push_str(lines.next().unwrap_or_default());
            }
            assert_known(&expression);
        }
    }
    assert!(alerts > 20, "{alerts}");
}

// I-05
#[test]
fn each_alert_fires_when_it_should_and_a_sound_service_alarms_nobody() {
    promtool(&["check", "rules", &format!("{DEPLOY}/alerts.yml")]);
    promtool(&["test", "rules", &format!("{DEPLOY}/alerts.test.yml")]);
}

// I-05
#[tokio::test]
async fn prometheus_itself_finds_no_fault_in_the_metrics() {
    let world = World::of(
        Bank::builder().tpps(Tpps::Apart).start().await,
        Default::default(),
    );
    world.subscriber("acme").await;
    let told = world.get_as("/metrics", "text/plain;version=0.0.4").await;
    assert!(
        told.header("content-type").starts_with("text/plain"),
        "{told:?}"
    );
    check_metrics(told.text());
}

fn check_metrics(text: &str) {
    use std::io::Write;
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect(MISSING);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool")
        .args(arguments)
        .output()
        .expect(MISSING);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
}

// I-05
#[test]
fn however_many_tpps_there_are_the_series_are_bounded() {
    let metrics = Metrics::new(Tpps::Apart);
    let crowd: Vec<_> = (0..TPPS_MAX + 500)
        .map(|number| client_id(&format!("tpp-{number}")))
        .collect();
    for tpp in &crowd {
        for status in [200, 400, 429, 500] {
            metrics.request_of(tpp, StatusCode::from_u16(status).unwrap());
        }
        for pushed in [
            Pushed::Acknowledged,
            Pushed::Refused,
            Pushed::EndpointFailed,
        ] {
            metrics.push(tpp, pushed, Duration::ZERO);
        }
        metrics.delivered(tpp, Delivered::ByPoll, Duration::ZERO);
    }
    let of_tpp = |client_id: ClientId| OfTpp {
        client_id,
        outstanding: 3,
        is_held_back: true,
    };
    let text = metrics.text(&Levels {
        tpps: crowd.into_iter().map(of_tpp).collect(),
        ..Levels::default()
    });
    let of_tpps = text
        .lines()
        .filter(|line| line.starts_with("oyez_tpp_"))
        .count();
    // Four outcomes of requests and three of pushes, four buckets with sum and count, two levels.
    let each = 4 + 3 + 4 + 2 + 2;
    assert!(of_tpps <= (TPPS_MAX + 1) * each, "{of_tpps}");
    assert!(text.contains("oyez_tpp_requests_total{tpp=\"(others)\",outcome=\"failed\"} 500"));
    assert!(!text.contains("tpp-1400"));
}

const MISSING: &str = "promtool is there: ./test installs it (Debian: prometheus)";
