mod properties;

use serde_json::{Value, json};

use super::*;
use crate::version::ApiVersion;

const CATALOGUE_URL: &str = "https://bank.example/developer#events";
const LINKED: &str = "UK.OBIE.Account-Access-Consent-Linked-Account-Update";

/// Which reader, through which version, doing what.
#[derive(Clone, Copy)]
struct On(ApiVersion, Option<&'static str>);

const POST: On = On(ApiVersion::V3_1, None);
const PUT: On = On(ApiVersion::V3_1, Some("s-1"));

fn read_with<T>(
    rules: &Rules,
    on: On,
    body: &[u8],
    reader: fn(Call<'_>, &[u8]) -> Result<T, Vec<Fault>>,
) -> Result<T, Vec<(String, Code)>> {
    let call = Call {
        rules,
        row: rules.versions.row(on.0).unwrap(),
        action: on.1.map_or(Action::Create, Action::Replace),
        catalogue_url: CATALOGUE_URL,
    };
    reader(call, body).map_err(|faults| {
        faults
            .into_iter()
            .map(|fault| (fault.path.unwrap_or_default(), fault.code))
            .collect()
    })
}

fn subscribe(on: On, body: &Value) -> Result<SubscriptionWish, Vec<(String, Code)>> {
    read_with(
        &Rules::default(),
        on,
        body.to_string().as_bytes(),
        subscription,
    )
}

fn register(on: On, body: &Value) -> Result<CallbackUrlWish, Vec<(String, Code)>> {
    read_with(
        &Rules::default(),
        on,
        body.to_string().as_bytes(),
        callback_url,
    )
}

fn faults<const N: usize>(expected: [(&str, Code); N]) -> Vec<(String, Code)> {
    expected
        .into_iter()
        .map(|(path, code)| (path.to_owned(), code))
        .collect()
}

// S-01
#[test]
fn a_subscription_is_kept_as_it_was_sent() {
    let url = "https://tpp.com/open-banking/v3.1/event-notifications";
    let wish = subscribe(
        POST,
        &json!({"Data": {"CallbackUrl": url, "Version": "3.1", "EventTypes": [LINKED]}}),
    )
    .unwrap();
    assert_eq!(wish.callback_url.as_deref(), Some(url));
    assert_eq!(wish.version.to_string(), "3.1");
    assert_eq!(wish.event_types, Some(vec![LINKED.to_owned()]));
    let least = subscribe(POST, &json!({"Data": {"Version": "3.1"}})).unwrap();
    assert_eq!((least.callback_url, least.event_types), (None, None));
}

// G-07
#[test]
fn a_body_that_is_no_object_is_an_invalid_format() {
    let rules = Rules::default();
    for body in [
        &b""[..],
        b"[]",
        b"null",
        b"{\"Data\":{},\"Data\":{}}",
        b"{}{}",
        b"\xff",
        b"{\"Data\":",
    ] {
        let found = read_with(&rules, POST, body, subscription).unwrap_err();
        assert_eq!(found, faults([("", Code::ResourceInvalidFormat)]));
    }
    let deep = format!("{{\"Data\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    let found = read_with(&rules, POST, deep.as_bytes(), subscription).unwrap_err();
    assert_eq!(found, faults([("", Code::ResourceInvalidFormat)]));
}

// G-06, G-11, S-07, S-08, S-09
#[test]
fn all_faults_of_a_subscription_are_said_at_once() {
    let body = json!({
        "Data": {"CallbackUrl": "http://tpp.com", "Version": "5.0", "EventTypes": [LINKED, "UK.OBIE.Nothing", 7]},
        "Meta": {}, "Extra": 1
    });
    let expected = faults([
        ("Extra", Code::FieldUnexpected),
        ("Meta", Code::FieldUnexpected),
        ("Data.Version", Code::FieldInvalid),
        ("Data.CallbackUrl", Code::FieldInvalid),
        ("Data.CallbackUrl", Code::FieldInvalid),
        ("Data.CallbackUrl", Code::FieldInvalid),
        ("Data.EventTypes[1]", Code::UnsupportedEventType),
        ("Data.EventTypes[2]", Code::FieldInvalid),
    ]);
    assert_eq!(subscribe(POST, &body).unwrap_err(), expected);
    let nulls = json!({"Data": {"CallbackUrl": null, "Version": null, "EventTypes": null}});
    let invalid = ["Data.Version", "Data.CallbackUrl", "Data.EventTypes"]
        .map(|path| (path, Code::FieldInvalid));
    assert_eq!(subscribe(POST, &nulls).unwrap_err(), faults(invalid));
    assert_eq!(
        subscribe(POST, &json!({})).unwrap_err(),
        faults([("Data", Code::FieldMissing)])
    );
    assert_eq!(
        subscribe(POST, &json!({"Data": {}})).unwrap_err(),
        faults([("Data.Version", Code::FieldMissing)])
    );
}

// G-11
#[test]
fn unknown_members_are_refused_where_the_official_schema_closes_the_object() {
    assert!(subscribe(POST, &json!({"Data": {"Version": "3.1", "Extra": 1}})).is_ok());
    let url = "https://tpp.com/v3.1/event-notifications";
    let body = json!({"Data": {"Url": url, "Version": "3.1", "Extra": 1, "CallbackUrlId": "s-1"}});
    let extra = ("Data.Extra", Code::FieldUnexpected);
    assert_eq!(
        register(POST, &body).unwrap_err(),
        faults([("Data.CallbackUrlId", Code::FieldUnexpected), extra])
    );
    assert_eq!(register(PUT, &body).unwrap_err(), faults([extra]));
    let sent_back = json!({
        "Data": {"Version": "3.1"}, "Links": {"Self": "x", "Next": "x", "Other": "x"}, "Meta": {"TotalPages": 1, "Pages": 1}
    });
    let expected = faults([
        ("Links.Other", Code::FieldUnexpected),
        ("Meta.Pages", Code::FieldUnexpected),
    ]);
    assert_eq!(subscribe(PUT, &sent_back).unwrap_err(), expected);
}

// S-04
#[test]
fn the_id_in_a_put_may_be_left_out_and_must_else_be_the_paths() {
    let body = |id: Value| json!({"Data": {"EventSubscriptionId": id, "Version": "3.1"}, "Links": {"Self": "x"}, "Meta": {}});
    assert!(subscribe(PUT, &json!({"Data": {"Version": "3.1"}})).is_ok());
    assert!(subscribe(PUT, &body(json!("s-1"))).is_ok());
    for other in [json!("s-2"), json!(1), json!(null)] {
        let expected = faults([("Data.EventSubscriptionId", Code::FieldInvalid)]);
        assert_eq!(subscribe(PUT, &body(other)).unwrap_err(), expected);
    }
    let odd = json!({"Data": {"Version": "3.1"}, "Links": []});
    assert_eq!(
        subscribe(PUT, &odd).unwrap_err(),
        faults([("Links", Code::FieldInvalid)])
    );
}

// S-06, S-08
#[test]
fn a_version_is_served_and_no_newer_than_the_path() {
    let on = |api, version: &str| {
        subscribe(On(api, None), &json!({"Data": {"Version": version}})).is_ok()
    };
    for version in ["3.0", "3.1", "3.1.0", "3.1.11"] {
        assert!(
            on(ApiVersion::V3_1, version) && on(ApiVersion::V4_0, version),
            "{version}"
        );
    }
    for version in ["4.0", "4.0.0", "4.0.1"] {
        assert!(
            !on(ApiVersion::V3_1, version) && on(ApiVersion::V4_0, version),
            "{version}"
        );
    }
    for version in ["", "v3.1", "3.1.12", "3.2", "00000003.1"] {
        assert!(!on(ApiVersion::V4_0, version), "{version}");
    }
}

// S-09
#[test]
fn event_types_are_returned_as_sent_the_first_of_each() {
    let misspelt = "UK.OBIE.Acount-Access-Consent-Linked-Account-Update";
    let update = "urn:uk:org:openbanking:events:resource-update";
    let body = json!({"Data": {"Version": "3.1.2", "EventTypes": [misspelt, update, LINKED, "UK.OBIE.Resource-Update", update]}});
    assert_eq!(
        subscribe(POST, &body).unwrap().event_types,
        Some(vec![misspelt.to_owned(), update.to_owned()])
    );
    let none = json!({"Data": {"Version": "3.1", "EventTypes": []}});
    assert_eq!(
        subscribe(POST, &none).unwrap().event_types,
        Some(Vec::new())
    );
}

// S-09
#[test]
fn an_unsupported_type_points_to_the_catalogue() {
    let rules = Rules::default();
    let call = Call {
        rules: &rules,
        row: rules.versions.oldest(),
        action: Action::Create,
        catalogue_url: CATALOGUE_URL,
    };
    let faults =
        subscription(call, br#"{"Data":{"Version":"3.1","EventTypes":["x"]}}"#).unwrap_err();
    assert_eq!(faults[0].url.as_deref(), Some(CATALOGUE_URL));
}

// S-10
#[test]
fn the_oldest_releases_may_ask_for_resource_updates_alone() {
    for version in ["3.0", "3.1.0", "3.1.1"] {
        let body = |types: &[&str]| json!({"Data": {"Version": version, "EventTypes": types}});
        assert!(subscribe(POST, &body(&["UK.OBIE.Resource-Update"])).is_ok());
        let found = subscribe(POST, &body(&["UK.OBIE.Resource-Update", LINKED])).unwrap_err();
        assert_eq!(
            found,
            faults([("Data.EventTypes[1]", Code::UnsupportedEventType)])
        );
    }
}

// G-13
#[test]
fn a_callback_url_is_unexpected_while_push_is_off() {
    let mut rules = Rules::default();
    rules.switches.push = false;
    let body = json!({"Data": {"Version": "3.1", "CallbackUrl": "https://tpp.com/v3.1/event-notifications"}});
    let found = read_with(&rules, POST, body.to_string().as_bytes(), subscription).unwrap_err();
    assert_eq!(found, faults([("Data.CallbackUrl", Code::FieldUnexpected)]));
}

// C-01, C-09
#[test]
fn a_callback_url_resource_has_the_same_rules_under_its_own_names() {
    let body = |url: &str| json!({"Data": {"Url": url, "Version": "3.1"}});
    assert!(register(POST, &body("https://tpp.com/v3.1/event-notifications")).is_ok());
    let found = register(POST, &body("https://10.0.0.1/v3.1/event-notifications")).unwrap_err();
    assert_eq!(found, faults([("Data.Url", Code::FieldInvalid)]));
    let missing = register(POST, &json!({"Data": {}})).unwrap_err();
    assert_eq!(
        missing,
        faults([
            ("Data.Version", Code::FieldMissing),
            ("Data.Url", Code::FieldMissing)
        ])
    );
}
