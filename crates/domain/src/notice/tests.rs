use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::catalogue::{Catalogue, Definition};
use crate::event::Family;
use crate::fault::Code;
use crate::versions::VersionTable;

const NOW: Timestamp = Timestamp::from_unix_ms(1_700_000_000_500);

fn rules() -> Rules {
    let own = Definition {
        urn: "urn:example:events:card-frozen".to_owned(),
        code: "GB.Example.Card-Frozen".to_owned(),
        description: "a card has been frozen".to_owned(),
        since: "3.1.2".to_owned(),
        schema: Some(
            json!({"type": "object", "required": ["card"], "properties": {"card": {"type": "string"}}}),
        ),
    };
    Rules {
        catalogue: Catalogue::default()
            .with_own(vec![own], &VersionTable::default())
            .unwrap(),
        ..Rules::default()
    }
}

fn item() -> Value {
    json!({
        "tpp": "tpp-1",
        "resource": {"type": "account-access-consent", "id": "aac-1", "version": "v3.1"},
        "events": [{"type": "UK.OBIE.Resource-Update"}],
        "toe": 1_699_999_999,
        "txn": "t-1",
        "idempotency_key": "k-1"
    })
}

fn with_event(event: &Value) -> Value {
    let mut item = item();
    item["events"] = json!([event]);
    item
}

fn faults(item: &Value) -> Vec<(String, Code)> {
    let faults = read(&rules(), item, NOW).unwrap_err();
    faults
        .into_iter()
        .map(|fault| (fault.path.unwrap_or_default(), fault.code))
        .collect()
}

// I-01
#[test]
fn an_item_becomes_a_whole_notice() {
    let read = read(&rules(), &item(), NOW).unwrap();
    let notice = read.notice;
    assert_eq!(notice.client_id.as_str(), "tpp-1");
    assert_eq!(
        (notice.resource.family, notice.resource.version),
        (Family::Aisp, Some(ApiVersion::V3_1))
    );
    assert_eq!(
        notice.happenings[0].event_type.0,
        "urn:uk:org:openbanking:events:resource-update"
    );
    assert_eq!(notice.toe, Timestamp::from_unix_seconds(1_699_999_999));
    assert_eq!(
        read.idempotency_key.map(String::from).as_deref(),
        Some("k-1")
    );
}

// I-01
#[test]
fn what_an_item_leaves_out_is_filled_in() {
    let least = json!({
        "tpp": "tpp-1",
        "resource": {"type": "domestic-payments", "id": "p-1"},
        "events": [{"type": "urn:uk:org:openbanking:events:resource-update"}]
    });
    let notice = read(&rules(), &least, NOW).unwrap().notice;
    assert_eq!(notice.toe, Timestamp::from_unix_seconds(1_700_000_000));
    assert_eq!(
        (notice.resource.kind.as_str(), notice.txn),
        ("domestic-payment", None)
    );
}

// T-03, T-06, D-08
#[test]
fn nothing_is_accepted_that_no_served_version_could_tell() {
    let mut rules = rules();
    let row = |name: &str, since, until| ResourceType {
        name: name.to_owned(),
        rty: name.to_owned(),
        rty_besides: Vec::new(),
        path: format!("{name}s/{{id}}"),
        since,
        until,
        ..rules.resources.find("account").unwrap().clone()
    };
    let rows = vec![
        row("old", ApiVersion::V3_1, Some(ApiVersion::V3_1)),
        row("new", ApiVersion::V4_0, None),
    ];
    rules.resources = rules.resources.with(rows).unwrap();
    let faults = |rules: &Rules, item: &Value| -> Vec<String> {
        let faults = read(rules, item, NOW).err().unwrap_or_default();
        faults.into_iter().filter_map(|fault| fault.path).collect()
    };
    let about = |resource: Value, subject: &str| {
        let linked = "UK.OBIE.Account-Access-Consent-Linked-Account-Update";
        let subject = json!({"type": subject, "id": "1"});
        json!({"tpp": "t", "resource": resource, "events": [{"type": linked, "subject": subject}]})
    };

    let unsaid = about(json!({"type": "new", "id": "1"}), "account");
    let version = read(&rules, &unsaid, NOW).unwrap().notice.resource.version;
    assert_eq!(version, Some(ApiVersion::V4_0));
    let elsewhere = about(json!({"type": "new", "id": "1"}), "old");
    assert_eq!(faults(&rules, &elsewhere), ["events[0].subject.type"]);

    let served = vec![rules.versions.newest().clone()];
    rules.versions = VersionTable::new(served, vec![ApiVersion::V3_1]).unwrap();
    let retired = |kind: &str| {
        about(
            json!({"type": kind, "id": "1", "version": "v3.1"}),
            "account",
        )
    };
    assert_eq!(faults(&rules, &retired("old")), ["resource.type"]);
    assert_eq!(faults(&rules, &retired("new")), ["resource.version"]);
    assert!(faults(&rules, &retired("account-access-consent")).is_empty());
}

// I-02
#[test]
fn the_content_of_an_item_is_what_was_said_in_any_order_and_without_the_key() {
    let content = |item: &Value, now| read(&rules(), item, now).unwrap().content;
    let mut other_key = item();
    other_key["idempotency_key"] = json!("k-2");
    assert_eq!(content(&item(), NOW), content(&other_key, NOW));
    let mut untimed = item();
    untimed.as_object_mut().unwrap().remove("toe");
    assert_eq!(
        content(&untimed, NOW),
        content(&untimed, Timestamp::from_unix_seconds(1_800_000_000))
    );
    assert_ne!(content(&untimed, NOW), content(&item(), NOW));
}

// I-04, I-02
#[test]
fn a_test_says_so_and_is_other_content() {
    let mut test = item();
    test["test"] = json!(true);
    let read = |item: &Value| read(&rules(), item, NOW).unwrap();
    assert!(read(&test).notice.test);
    assert!(!read(&item()).notice.test);
    assert_ne!(read(&test).content, read(&item()).content);
    test["test"] = json!("yes");
    assert_eq!(faults(&test), [("test".to_owned(), Code::FieldInvalid)]);
}

// I-01
#[test]
fn all_that_is_wrong_with_an_item_is_said_at_once() {
    let bad = json!({
        "tpp": "",
        "resource": {"type": "card", "id": "..", "version": "v3.2", "url": "https://x"},
        "events": [{"type": "UK.OBIE.Invented"}, {}, 7],
        "toe": 1_700_000_000_500u64,
        "txn": null,
        "extra": 1
    });
    let expected = [
        ("extra", Code::FieldUnexpected),
        ("tpp", Code::FieldInvalid),
        ("resource.url", Code::FieldUnexpected),
        ("resource.type", Code::FieldInvalid),
        ("resource.id", Code::FieldInvalid),
        ("resource.version", Code::FieldInvalid),
        ("events[0].type", Code::FieldInvalid),
        ("events[1].type", Code::FieldMissing),
        ("events[2]", Code::FieldInvalid),
        ("toe", Code::FieldInvalid),
        ("txn", Code::FieldInvalid),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(path, code)| (path.to_owned(), code))
        .collect();
    assert_eq!(faults(&bad), expected);
    assert_eq!(faults(&json!([])), [(String::new(), Code::FieldInvalid)]);
}

// T-02
#[test]
fn a_type_stands_once_and_under_one_of_its_two_names() {
    let mut item = item();
    let revoked = json!({"type": "UK.OBIE.Consent-Access-Revoked"});
    item["events"] =
        json!([revoked, {"type": "urn:uk:org:openbanking:events:consent-access-revoked"}]);
    assert_eq!(
        faults(&item),
        [("events[1]".to_owned(), Code::FieldInvalid)]
    );
    item["events"] = json!([revoked, {"type": "UK.OBIE.Consent-Authorization-Revoked"}]);
    assert_eq!(
        faults(&item),
        [("events[1]".to_owned(), Code::FieldInvalid)]
    );
    item["events"] = json!([]);
    assert_eq!(faults(&item), [("events".to_owned(), Code::FieldInvalid)]);
}

// T-04
#[test]
fn reasons_follow_the_type() {
    let linked = "UK.OBIE.Account-Access-Consent-Linked-Account-Update";
    for reason in ["UK.CASS.SwitchStarted", "GB.Example.Moved"] {
        assert!(
            read(
                &rules(),
                &with_event(&json!({"type": linked, "reason": reason})),
                NOW
            )
            .is_ok()
        );
    }
    let invented = with_event(&json!({"type": linked, "reason": "UK.OBIE.Invented"}));
    assert_eq!(
        faults(&invented),
        [("events[0].reason".to_owned(), Code::FieldInvalid)]
    );
    let on_update =
        with_event(&json!({"type": "UK.OBIE.Resource-Update", "reason": "GB.Example.Moved"}));
    assert_eq!(
        faults(&on_update),
        [("events[0].reason".to_owned(), Code::FieldUnexpected)]
    );
}

// T-05
#[test]
fn an_event_may_have_a_subject_of_its_own() {
    let linked = "UK.OBIE.Account-Access-Consent-Linked-Account-Update";
    let event = |subject: Value| with_event(&json!({"type": linked, "subject": subject}));
    let notice = read(
        &rules(),
        &event(json!({"type": "accounts", "id": "90200"})),
        NOW,
    )
    .unwrap()
    .notice;
    assert_eq!(
        notice.happenings[0].subject.as_ref().unwrap().kind,
        "account"
    );
    let bad = event(json!({"type": "purse", "rlk": []}));
    let paths: Vec<_> = faults(&bad).into_iter().map(|(path, _)| path).collect();
    assert_eq!(
        paths,
        [
            "events[0].subject.rlk",
            "events[0].subject.type",
            "events[0].subject.id"
        ]
    );
}

// T-02
#[test]
fn only_the_banks_own_types_have_a_payload_and_its_schema_holds() {
    let own =
        |payload: Value| with_event(&json!({"type": "GB.Example.Card-Frozen", "payload": payload}));
    assert!(read(&rules(), &own(json!({"card": "1"})), NOW).is_ok());
    assert_eq!(
        faults(&own(json!({"card": 1}))),
        [("events[0].payload.card".to_owned(), Code::FieldInvalid)]
    );
    assert_eq!(
        faults(&own(json!({"card": "1", "subject": 1}))),
        [(
            "events[0].payload.subject".to_owned(),
            Code::FieldUnexpected
        )]
    );
    let absent = with_event(&json!({"type": "GB.Example.Card-Frozen"}));
    assert_eq!(
        faults(&absent),
        [("events[0].payload".to_owned(), Code::FieldInvalid)]
    );
    let on_update = with_event(&json!({"type": "UK.OBIE.Resource-Update", "payload": {}}));
    assert_eq!(
        faults(&on_update),
        [("events[0].payload".to_owned(), Code::FieldUnexpected)]
    );
}

// I-01, R-01
#[test]
fn an_item_too_large_for_a_set_is_refused_whole() {
    let item = |bytes: usize| {
        let payload = json!({"card": "x".repeat(bytes)});
        with_event(&json!({"type": "GB.Example.Card-Frozen", "payload": payload}))
    };
    assert!(read(&rules(), &item(64_000), NOW).is_ok());
    assert_eq!(faults(&item(65_536)), [(String::new(), Code::FieldInvalid)]);
}

// T-02, I-02
#[test]
fn a_number_that_would_be_told_rounded_is_refused() {
    let item = |number: &str| {
        let payload = format!(r#"{{"card": "1", "at": [{number}]}}"#);
        let payload = json::parse(payload.as_bytes(), 3).unwrap();
        with_event(&json!({"type": "GB.Example.Card-Frozen", "payload": payload}))
    };
    for exact in ["18446744073709551615", "-9223372036854775808", "1.5", "1e6"] {
        assert!(read(&rules(), &item(exact), NOW).is_ok(), "{exact}");
    }
    for rounded in ["18446744073709551616", "-9223372036854775809", "1e30"] {
        let invalid = ("events[0].payload".to_owned(), Code::FieldInvalid);
        assert_eq!(faults(&item(rounded)), [invalid], "{rounded}");
    }
}

proptest! {
    // I-01
    #[test]
    fn an_item_with_anything_in_any_member_is_read_or_refused(
        member in prop_oneof![Just("/tpp"), Just("/resource/id"), Just("/resource/type"), Just("/events/0/type"), Just("/toe"), Just("/txn")],
        text in ".{0,40}",
    ) {
        let mut item = item();
        *item.pointer_mut(member).unwrap() = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
        match read(&rules(), &item, NOW) {
            Ok(read) => {
                let said = json::parse(&read.content, 32).unwrap();
                prop_assert_eq!(said["tpp"].as_str(), Some(read.notice.client_id.as_str()));
            }
            Err(faults) => prop_assert!(!faults.is_empty()),
        }
    }
}
