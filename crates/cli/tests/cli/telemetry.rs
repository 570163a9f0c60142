//! What a server tells of itself while it works: to a collector, whose requests are read by the messages that OpenTelemetry
//! publishes, and in its log, in which nothing stands that is nobody's business.

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oyez_testkit::endpoint::{Behaviour, Endpoint, Manner};
use oyez_testkit::tpp::Caller;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::house::{EVENTS, House, NOTIFICATIONS, item, sets};
use crate::tpp::interop::installed;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const DECODER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../telemetry/tests/decode.py");
/// On a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A collector that keeps what it is sent.
struct Sink {
    url: String,
    got: Arc<Mutex<Vec<Delivery>>>,
    _serving: JoinSet<()>,
}

#[derive(Clone)]
struct Delivery {
    head: String,
    body: Vec<u8>,
}

impl Sink {
    async fn open() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let got = Arc::new(Mutex::default());
        let (mut serving, kept) = (JoinSet::new(), Arc::clone(&got));
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = socket.accept().await {
                connections.spawn(take(stream, Arc::clone(&kept)));
            }
        });
        Self {
            url,
            got,
            _serving: serving,
        }
    }

    /// All that it has by now, decoded by somebody else's program.
    fn decoded(&self) -> Vec<Value> {
        let directory = tempfile::tempdir().unwrap();
        let got = self.got.lock().unwrap().clone();
        let mut python = Command::new(installed("OYEZ_TEST_PYTHON", "interop/venv/bin/python"));
        python.arg(DECODER);
        for (index, delivery) in got.iter().enumerate() {
            let kind = delivery.head.split([' ', '/']).nth(3).unwrap();
            let path = directory.path().join(index.to_string());
            fs::write(&path, &delivery.body).unwrap();
            python.arg(format!("{kind}={}", path.display()));
        }
        let output = python.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        let read = |line| serde_json::from_str(line).unwrap();
        lines.lines().map(read).collect()
    }

    fn spans(&self) -> Vec<Value> {
        let mut spans = Vec::new();
        for request in self.decoded() {
            for resource in array(&request["request"]["resourceSpans"]) {
                for scope in array(&resource["scopeSpans"]) {
                    spans.extend(array(&scope["spans"]));
                }
            }
        }
        spans
    }

    /// Waits for spans with these names.
    async fn until(&self, names: &[&str]) -> Vec<Value> {
        let found = timeout(PATIENCE, async {
            loop {
                let spans = self.spans();
                let has = |name: &&str| spans.iter().any(|span| span["name"] == **name);
                if names.iter().all(has) {
                    return spans;
                }
                sleep(Duration::from_millis(200)).await;
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("{names:?} in {:#?}", self.spans()))
    }
}

async fn take(stream: TcpStream, got: Arc<Mutex<Vec<Delivery>>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let length = header(&head, "content-length").unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        got.lock().unwrap().push(Delivery { head, body });
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .find(|(one, _)| one.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn array(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// Bytes are in base64 there.
fn hex(value: &Value) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap());
    bytes
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn attribute(of: &Value, name: &str) -> Option<String> {
    let found = array(&of["attributes"])
        .into_iter()
        .find(|one| one["key"] == name)?;
    let value = &found["value"];
    let text = value["stringValue"].as_str().or(value["intValue"].as_str());
    text.map(str::to_owned)
}

async fn publish(house: &House, client_id: &str) -> String {
    let mut said = item(client_id, SECRET_RESOURCE, client_id);
    said["traceparent"] = format!("00-{TRACE}-00f067aa0ba902b7-01").into();
    let body = json!({ "items": [said] });
    let told = house
        .colleague("publisher")
        .post("/v1/events", &body)
        .await
        .json();
    told["outcomes"][0]["jti"].as_str().unwrap().to_owned()
}

async fn poll(tpp: &Caller, acks: &[String]) -> Vec<(String, String)> {
    let body = json!({ "returnImmediately": true, "ack": acks });
    sets(&tpp.post(EVENTS).json(&body).send().await.json())
}

/// Stands in claims, and so in no line of a log and in no span.
const SECRET_RESOURCE: &str = "resource-nobody-else-knows";

// I-05, D-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_others_wrote_reads_the_way_of_an_event_and_the_log_keeps_its_secrets() {
    let sink = Sink::open().await;
    let mut house = House::new(&[
        ("OYEZ_LOG__FORMAT", "json"),
        ("OYEZ_LOG__LEVEL", "debug"),
        ("OYEZ_RETRY__BASE", "100ms"),
        ("OYEZ_TELEMETRY__OTLP_ENDPOINT", &sink.url),
        (
            "OYEZ_TELEMETRY__OTLP_HEADERS",
            "x-collector-key: not-for-logs",
        ),
        ("OYEZ_TELEMETRY__OTLP_METRICS_EVERY", "1s"),
        ("OYEZ_TELEMETRY__SAMPLING_RATIO", "1.0"),
        (
            "OYEZ_TELEMETRY__RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        ),
        ("OYEZ_TELEMETRY__TRACEPARENT_TO_TPPS", "true"),
    ]);
    house.start();
    let endpoint = Endpoint::start(&house.site().authority.server(&[])).await;
    let manner = Manner::steps([(1, Behaviour::status(503))], Behaviour::accept());
    endpoint.behave(NOTIFICATIONS, manner);
    house.pushed("acme", &endpoint, &json!({})).await;
    let bolt = house.subscriber("bolt").await;
    let pushed = publish(&house, "acme").await;
    let polled = publish(&house, "bolt").await;
    let handed_out = poll(&bolt, &[]).await;
    assert_eq!(handed_out[0].0, polled);
    poll(&bolt, &[polled]).await;
    endpoint.until_count(NOTIFICATIONS, 2).await;

    let names = [
        "publish",
        "accept",
        "sign",
        "keep",
        "push",
        "hand out",
        "acknowledge",
        "poll_events",
    ];
    let spans = sink.until(&names).await;
    assert_push_is_traced(&spans, &pushed, &endpoint);
    assert_metrics(&sink.decoded());
    let got = sink.got.lock().unwrap().clone();
    for delivery in &got {
        let kind = header(&delivery.head, "content-type");
        assert_eq!(kind, Some("application/x-protobuf"));
        let key = header(&delivery.head, "x-collector-key");
        assert_eq!(key, Some("not-for-logs"));
    }
    assert_eq!(house.stop(), 0);
    let log = house.log();
    assert_ids_stand_in(&log, &pushed);
    let mut secrets = SECRETS.map(str::to_owned).to_vec();
    secrets.extend(["publisher", "admin"].map(|role| house.token(role)));
    secrets.push(handed_out[0].1.clone());
    for secret in &secrets {
        assert!(!log.contains(secret), "{secret} stands in the log");
        for delivery in &got {
            let sent = String::from_utf8_lossy(&delivery.body);
            assert!(!sent.contains(secret), "{secret} was exported");
        }
    }
}

fn assert_push_is_traced(spans: &[Value], pushed: &str, endpoint: &Endpoint) {
    let of_event: Vec<_> = spans
        .iter()
        .filter(|span| ["sign", "keep", "push"].contains(&span["name"].as_str().unwrap()))
        .filter(|span| attribute(span, "oyez.jti").as_deref() == Some(pushed))
        .collect();
    assert!(of_event.len() >= 3, "{spans:#?}");
    for span in &of_event {
        assert_eq!(hex(&span["traceId"]), TRACE, "{span:#?}");
        // What an item says of its trace is above all that is done for it.
        assert_eq!(hex(&span["parentSpanId"]), "00f067aa0ba902b7", "{span:#?}");
        assert_eq!(attribute(span, "oyez.tpp").unwrap(), "acme");
    }
    // The TPP was told which attempt it was, since this bank tells.
    let seen = endpoint.seen();
    for push in spans.iter().filter(|span| span["name"] == "push") {
        let (trace, span) = (hex(&push["traceId"]), hex(&push["spanId"]));
        let told = format!("00-{trace}-{span}-01");
        assert!(
            seen.iter()
                .any(|seen| seen.header("traceparent") == Some(&told)),
            "{told}"
        );
    }
}

fn assert_metrics(decoded: &[Value]) {
    let metrics = decoded
        .iter()
        .rfind(|one| one["kind"] == "metrics")
        .unwrap();
    let resource = &metrics["request"]["resourceMetrics"][0];
    assert_eq!(
        attribute(&resource["resource"], "service.name").unwrap(),
        "oyez"
    );
    assert_eq!(
        attribute(&resource["resource"], "deployment.environment.name").unwrap(),
        "test"
    );
    let metrics = array(&resource["scopeMetrics"][0]["metrics"]);
    let named = |name: &str| {
        metrics
            .iter()
            .find(|metric| metric["name"] == name)
            .unwrap()
    };
    let published = &named("oyez_published_items")["sum"];
    assert_eq!(published["isMonotonic"], true);
    let signing = &named("oyez_signing_duration_seconds")["histogram"]["dataPoints"][0];
    let buckets = array(&signing["bucketCounts"]).len();
    assert_eq!(
        buckets,
        array(&signing["explicitBounds"]).len() + 1,
        "{signing}"
    );
}

/// What ties a line to others: an event, a trace.
fn assert_ids_stand_in(log: &str, jti: &str) {
    let read = |line| serde_json::from_str(line).ok();
    let lines: Vec<Value> = log.lines().filter_map(read).collect();
    let has_trace = |line: &Value| line["trace.id"].is_string();
    assert!(lines.iter().any(has_trace), "{log}");
    assert!(lines.iter().any(|line| line["jti"] == jti), "{log}");
}

/// Claims, headers, the beginning of every token, keys.
const SECRETS: [&str; 5] = [
    SECRET_RESOURCE,
    "not-for-logs",
    "resource-update",
    "eyJ",
    "PRIVATE KEY",
];

// I-05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_stops_nothing_and_is_counted() {
    let mut house = House::new(&[
        ("OYEZ_TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:9"),
        ("OYEZ_TELEMETRY__SAMPLING_RATIO", "1.0"),
    ]);
    house.start();
    let bolt = house.subscriber("bolt").await;
    let jti = publish(&house, "bolt").await;
    assert_eq!(poll(&bolt, &[]).await[0].0, jti);
    let told = house.colleague("viewer").get("/metrics").await;
    let text = String::from_utf8_lossy(&told.body);
    let none = "oyez_spans_total{outcome=\"exported\"} 0";
    assert!(text.contains(none), "{text}");
    assert_eq!(house.stop(), 0);
}
