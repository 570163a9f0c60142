//! `oyez events`, against a bank whose TPP polls.

use oyez_testkit::jws;
use serde_json::{Value, json};

use super::core_system::{CoreSystem, assert_calls};

// I-03
#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_an_event_is_told_in_order() {
    let office = CoreSystem::open().await;
    let publish = "publish --tpp acme-1 --resource account-access-consent/1234 --event resource-update \
                   --txn t-1 --json";
    let jti = jti(&office.run(publish, "").stdout);
    let fresh = format!("events show {jti}");
    let unsigned = format!("events show {jti} --set");
    let mut story = vec![office.shown(&fresh, ""), office.shown(&unsigned, "")];
    office.poll(&json!({"returnImmediately": true})).await;
    story.push(office.shown(&fresh, ""));
    let error = json!({jti.as_str(): {"err": "jwtIss", "description": "an issuer we do not know"}});
    office
        .poll(&json!({"maxEvents": 0, "setErrs": error}))
        .await;
    office.poll(&json!({"returnImmediately": true})).await;
    office.poll(&json!({"maxEvents": 0, "ack": [jti]})).await;
    story.push(office.shown(&fresh, ""));
    story.push(office.shown("events show 00000000-0000-7000-8000-000000000000", ""));
    assert_calls!(story.join("\n"));
}

// I-03
#[tokio::test(flavor = "multi_thread")]
async fn the_set_is_printed_as_it_was_signed_and_as_what_it_says() {
    let office = CoreSystem::open().await;
    let publish =
        "publish --tpp acme-1 --resource domestic-payment/1 --event resource-update --json";
    let jti = jti(&office.run(publish, "").stdout);
    let polled = office.poll(&json!({"returnImmediately": true})).await;
    let set = polled["sets"][&jti].as_str().unwrap();
    let printed = office.run(&format!("events show {jti} --set"), "");
    assert_eq!(printed.stdout.trim_end(), set);
    let claims = office.run(&format!("events show {jti} --claims"), "");
    let claims: Value = serde_json::from_str(&claims.stdout).unwrap();
    assert_eq!(claims, jws::claims(set));
    let file = office.run(&format!("events show {jti} --json"), "");
    let file: Value = serde_json::from_str(&file.stdout).unwrap();
    assert_eq!(file["sets"][0]["set"], set);
}

// I-03
#[tokio::test(flavor = "multi_thread")]
async fn events_are_found_by_what_is_known_of_them() {
    let office = CoreSystem::open().await;
    for id in ["one", "two"] {
        let words = format!(
            "publish --tpp acme-1 --resource account-access-consent/{id} --event resource-update \
             --txn txn-{id}"
        );
        assert_eq!(office.run(&words, "").code, 0);
    }
    let found = |words: &str| {
        let done = office.run(&format!("events list {words} --json"), "");
        assert_eq!(done.code, 0, "{}", done.stderr);
        let page: Value = serde_json::from_str(&done.stdout).unwrap();
        let events = page["events"].as_array().unwrap();
        let ids = events.iter().map(|event| event["resource"]["id"].clone());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(found(""), ["two", "one"]);
    assert_eq!(found("--tpp acme-1 --txn txn-one"), ["one"]);
    assert_eq!(found("--resource-id two"), ["two"]);
    assert_eq!(found("--state acknowledged"), [""; 0]);
    assert_eq!(found("--type UK.OBIE.Resource-Update"), ["two", "one"]);
    assert_eq!(found("--accepted-before 2000-01-01T00:00:00Z"), [""; 0]);
    let shown = [
        "events list --limit 1",
        "events list --state lost --accepted-from noon",
    ];
    assert_calls!(shown.map(|words| office.shown(words, "")).join("\n"));
}

fn jti(json: &str) -> String {
    let outcome: Value = serde_json::from_str(json).unwrap();
    outcome["jti"].as_str().unwrap().to_owned()
}
