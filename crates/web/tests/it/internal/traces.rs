//! One event in its trace, from the publisher's request to the acknowledgement of whoever polled it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use oyez_telemetry::{Gathered, Span, Tracer, Value as Attribute};
use oyez_testkit::bank::{Bank, Builder};
use oyez_testkit::clock::{DAWN, ManualClock};
use oyez_testkit::dice::Dice;
use oyez_web::internal::operators::Role;
use serde_json::json;

use super::world::{World, item, token};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A bank whose own traces are recorded in this part.
fn traced(ratio: f64) -> (Builder, Gathered) {
    let dice = Dice::new(7).random();
    let clock = Arc::new(ManualClock::still(DAWN));
    let (tracer, gathered) = Tracer::new(ratio, Arc::new(move || dice.bytes()), clock);
    (Bank::builder().tracer(tracer), gathered)
}

async fn publish(world: &World, parent: Option<&str>) -> String {
    let body = json!({ "items": [item("acme")] }).to_string();
    let mut request = Request::post("/v1/events")
        .header(
            "authorization",
            format!("Bearer {}", token(Role::Publisher)),
        )
        .header("content-type", "application/json");
    if let Some(parent) = parent {
        request = request
            .header("traceparent", parent)
            .header("tracestate", "bank=1");
    }
    let reply = world.send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["outcomes"][0]["jti"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn spans(gathered: &mut Gathered) -> Vec<Span> {
    let mut spans = Vec::new();
    while let Ok(Some(span)) =
        tokio::time::timeout(Duration::from_millis(50), gathered.next()).await
    {
        spans.push(span);
    }
    spans
}

fn one<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut named = spans.iter().filter(|span| span.name == name);
    let found = named
        .next()
        .unwrap_or_else(|| panic!("{name} in {spans:#?}"));
    assert!(
        named.next().is_none(),
        "{name} stands there once: {spans:#?}"
    );
    found
}

// I-01, T-01
#[tokio::test]
async fn the_way_of_an_event_is_one_trace_that_its_publisher_began() {
    let (builder, mut gathered) = traced(0.0);
    let world = World::of(builder.start().await, Default::default());
    let acme = world.subscriber("acme").await;
    let jti = publish(&world, Some(PARENT)).await;
    let path = "/open-banking/v4.0/events";
    let now = json!({"returnImmediately": true});
    let polled = acme.post(path).json(&now).send().await.json();
    let set = polled["sets"][&jti].as_str().unwrap().to_owned();
    let acks = json!({"returnImmediately": true, "maxEvents": 0, "ack": [jti]});
    acme.post(path).json(&acks).send().await;

    let all = spans(&mut gathered).await;
    let of_event = [
        "publish",
        "accept",
        "sign",
        "keep",
        "hand out",
        "acknowledge",
    ];
    for span in of_event.map(|name| one(&all, name)) {
        assert_eq!(span.context.trace_id_text(), TRACE, "{span:?}");
        assert_eq!(span.context.state.as_deref(), Some("bank=1"));
        assert!(!span.is_error && span.began_ns <= span.ended_ns, "{span:?}");
    }
    let parent = |name| one(&all, name).parent.unwrap();
    let id = |name| one(&all, name).context.span_id;
    assert_eq!(
        parent("publish"),
        [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]
    );
    assert_eq!(parent("accept"), id("publish"));
    for name in ["sign", "keep", "hand out", "acknowledge"] {
        assert_eq!(parent(name), id("accept"), "{name}");
    }
    let named = ("oyez.jti", Attribute::from(jti));
    assert!(one(&all, "sign").attributes.contains(&named));
    // The event's part in a SET is what it was before anybody traced it.
    assert!(!world.bank.claims(&set).to_string().contains("trace"));
    for secret in [&set, "consent-authorization-revoked"] {
        assert!(
            !format!("{all:?}").contains(secret),
            "no span holds {secret}"
        );
    }
}

// I-01, I-02
#[tokio::test]
async fn a_publisher_that_does_not_record_is_followed_and_a_repeat_may_come_from_elsewhere() {
    let (builder, mut gathered) = traced(1.0);
    let world = World::of(builder.start().await, Default::default());
    world.subscriber("acme").await;
    publish(&world, Some(&PARENT.replace("-01", "-00"))).await;
    let all = spans(&mut gathered).await;
    assert!(all.iter().all(|span| span.name != "publish"), "{all:#?}");

    let from = |parent: &str| {
        let mut item = item("acme");
        item["idempotency_key"] = "again".into();
        item["traceparent"] = parent.into();
        item
    };
    let first = world.publish(&[from(PARENT)]).await.remove(0);
    let again = world
        .publish(&[from(&PARENT.replace('4', "5"))])
        .await
        .remove(0);
    assert_eq!(
        (&first["outcome"], &again["outcome"]),
        (&"accepted".into(), &"duplicate".into())
    );
    assert_eq!(first["jti"], again["jti"]);
    let wrong = world.publish(&[from("00-zz")]).await.remove(0);
    assert_eq!(wrong["errors"][0]["path"], "traceparent", "{wrong}");
}

// I-01
#[tokio::test]
async fn without_a_collector_nothing_is_recorded_and_what_the_publisher_said_is_kept() {
    let world = World::of(Bank::start().await, Default::default());
    world.subscriber("acme").await;
    let jti = publish(&world, Some(PARENT)).await;
    let file = world.bank.event(jti.parse().unwrap()).await;
    let kept = file.notice.trace.expect("it is kept");
    assert_eq!(kept.to_string(), PARENT);
}
