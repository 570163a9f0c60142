//! What each answer means to the ledger, at the first attempt.

use std::time::Duration;

use oyez_domain::ledger::lanes::Health;
use oyez_domain::ledger::push::{Answer, Verdict};
use oyez_domain::life::{Acknowledged, Outcome};
use oyez_domain::tpp::{Acknowledgement, Overrides};
use oyez_testkit::endpoint::{Behaviour, Echo, Flaw};

use super::ledger::{outcome, told};
use super::world::World;

const BY_PUSH: Option<Outcome> = Some(Outcome::Acknowledged(Acknowledged::Push));

fn counting(acknowledgement: Acknowledgement) -> Overrides {
    Overrides {
        acknowledgement: Some(acknowledgement),
        ..Overrides::default()
    }
}

// D-01, D-02, D-14
#[tokio::test]
async fn a_push_that_is_answered_by_202_is_acknowledged_and_recorded_whole() {
    let world = World::of_one_attempt().await;
    let tpp = world.tpp("acme", Behaviour::accept()).await;
    let (attempt, file) = world.first_attempt(&tpp).await;
    assert_eq!(told(&attempt), "202: acknowledged");
    assert_eq!(outcome(&file), BY_PUSH);
    assert_eq!(world.health(&tpp).await, Health::Responsive);
    let inbox = tpp.inbox();
    let [seen] = inbox.arrivals() else {
        panic!("{inbox:?}");
    };
    assert_eq!(seen.jti(), Some(attempt.jti));
    assert_eq!(seen.body, file.sets[0].set.as_bytes());
    assert_eq!(seen.interaction_id(), Some(attempt.interaction_id.as_str()));
    assert_eq!(seen.header("content-type"), Some("application/jwt"));
    assert_eq!(attempt.peer.address, Some(tpp.endpoint.address()));
    assert_eq!(attempt.peer.tls_version.as_deref(), Some("TLSv1.3"));
    let thumbprint = attempt.peer.certificate_thumbprint.unwrap();
    assert_eq!(thumbprint.len(), 64, "{thumbprint}");
}

// D-02
#[tokio::test]
async fn an_interaction_id_that_is_not_echoed_is_noted_or_strictly_no_acknowledgement() {
    let world = World::of_one_attempt().await;
    for (name, echo, counts, expected) in [
        (
            "a",
            Echo::Missing,
            None,
            "202 interaction_id_missing: acknowledged",
        ),
        (
            "b",
            Echo::Other,
            None,
            "202 interaction_id_different: acknowledged",
        ),
        (
            "c",
            Echo::Missing,
            Some(Acknowledgement::Strict),
            "202 interaction_id_missing: endpoint failed",
        ),
        (
            "d",
            Echo::Other,
            Some(Acknowledgement::Strict),
            "202 interaction_id_different: endpoint failed",
        ),
        (
            "e",
            Echo::Same,
            Some(Acknowledgement::Strict),
            "202: acknowledged",
        ),
    ] {
        let overrides = counts.map(counting).unwrap_or_default();
        let tpp = world
            .tpp_with(name, Behaviour::Accept(echo), overrides)
            .await;
        let (attempt, file) = world.first_attempt(&tpp).await;
        assert_eq!(told(&attempt), expected);
        let is_settled = outcome(&file).is_some();
        assert_eq!(is_settled, attempt.verdict == Verdict::Acknowledged);
    }
}

// D-02
#[tokio::test]
async fn another_success_counts_only_in_lenient_mode() {
    let world = World::of_one_attempt().await;
    let lenient = counting(Acknowledgement::Lenient);
    for (name, overrides, expected) in [
        (
            "usual",
            Overrides::default(),
            "200 status_not_202: endpoint failed",
        ),
        ("lenient", lenient, "200 status_not_202: acknowledged"),
    ] {
        let ok = Behaviour::status(200);
        let tpp = world.tpp_with(name, ok, overrides).await;
        let (attempt, _) = world.first_attempt(&tpp).await;
        assert_eq!(told(&attempt), expected);
    }
}

// D-03, D-04
#[tokio::test]
async fn every_other_status_is_the_endpoints_failure_and_leaves_the_event_outstanding() {
    let world = World::of_one_attempt().await;
    for status in [301, 401, 403, 404, 410, 429, 500, 503] {
        let body = "x".repeat(2_000);
        let told_so = Behaviour::status(status).with_body(body);
        let tpp = world.tpp(&format!("tpp-of-{status}"), told_so).await;
        let (attempt, file) = world.first_attempt(&tpp).await;
        assert_eq!(told(&attempt), format!("{status}: endpoint failed"));
        assert_eq!(outcome(&file), None);
        let Answer::Response { body_head, .. } = attempt.answer else {
            panic!("it answered");
        };
        assert_eq!(body_head, "x".repeat(512).into_bytes());
        let is_failing = |it: &Health| matches!(it, Health::Failing { failures: 1, .. });
        world.until_health(&tpp, is_failing).await;
    }
}

// D-04, D-07
#[tokio::test]
async fn a_refusal_is_the_events_own_and_its_words_are_kept() {
    let world = World::of_one_attempt().await;
    for (name, behaviour, status) in [
        ("rfc8935", Behaviour::refuse("invalid_key", "kid"), 400),
        ("plain", Behaviour::status(422), 422),
    ] {
        let tpp = world.tpp(name, behaviour).await;
        let (attempt, file) = world.first_attempt(&tpp).await;
        assert_eq!(told(&attempt), format!("{status}: refused"));
        assert_eq!(outcome(&file), None);
        assert_eq!(world.health(&tpp).await, Health::Responsive);
        let Verdict::Refused {
            again_at: Some(again_at),
        } = attempt.verdict
        else {
            panic!("{:?}", attempt.verdict);
        };
        assert!(again_at.since(attempt.started_at) >= Duration::from_secs(1_800));
        let Answer::Response { body_head, .. } = attempt.answer else {
            panic!("it answered");
        };
        let words = String::from_utf8(body_head).unwrap();
        assert_eq!(words.contains("invalid_key"), status == 400, "{words}");
    }
}

// D-03, D-12
#[tokio::test]
async fn a_redirect_to_this_machine_is_not_followed() {
    let world = World::of_one_attempt().await;
    let tpp = world.tpp("acme", Behaviour::accept()).await;
    let inside = tpp.endpoint.url("/inside");
    tpp.endpoint
        .behave(super::world::PATH, Behaviour::redirect(307, &inside));
    let (attempt, _) = world.first_attempt(&tpp).await;
    assert_eq!(told(&attempt), "307: endpoint failed");
    assert_eq!(tpp.endpoint.count("/inside"), 0);
    assert_eq!(tpp.endpoint.connections(), 1);
}

// D-02, D-11
#[tokio::test]
async fn an_acknowledgement_stands_whatever_becomes_of_its_body() {
    let world = World::with(|options| options.attempt_time_max = Duration::from_secs(1)).await;
    for (name, flaw) in [
        ("slow", Flaw::Slow(Duration::from_millis(100))),
        ("endless", Flaw::Endless),
        ("short", Flaw::Short),
        ("reset", Flaw::Reset),
    ] {
        let tpp = world.tpp(name, Behaviour::BadBody(202, flaw)).await;
        let (attempt, file) = world.first_attempt(&tpp).await;
        assert_eq!(
            told(&attempt),
            "202 interaction_id_missing: acknowledged",
            "{name}"
        );
        assert_eq!(outcome(&file), BY_PUSH);
    }
}

// D-11, D-14
#[tokio::test]
async fn a_gzip_bomb_is_kept_as_it_came_and_no_more_of_it_than_of_others() {
    let world = World::of_one_attempt().await;
    let tpp = world.tpp("acme", Behaviour::bomb(503)).await;
    let (attempt, _) = world.first_attempt(&tpp).await;
    assert_eq!(told(&attempt), "503: endpoint failed");
    let Answer::Response { body_head, .. } = attempt.answer else {
        panic!("it answered");
    };
    assert_eq!(body_head.len(), 512);
    assert_eq!(body_head[..2], [0x1f, 0x8b], "still packed");
}
