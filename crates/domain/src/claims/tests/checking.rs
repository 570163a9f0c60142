use super::*;

// T-01, T-03
#[test]
fn the_standards_sample_payloads_are_valid() {
    let rules = Rules::default();
    let vrp =
        "https://examplebank.com/api/open-banking/v4.0/pisp/domestic-vrp-consents/aac-1234-007";
    let account = "https://examplebank.com/api/open-banking/v3.1/aisp/accounts/90200";
    let cbpii =
        "https://examplebank.com/api/open-banking/v4.0/cbpii/funds-confirmation-consents/88379";
    let aisp =
        "https://examplebank.com/api/open-banking/v4.0/aisp/account-access-consents/aac-1234-007";
    let vrp_linked = "urn:uk:org:openbanking:events:domestic-vrp-consent-linked-account-update";
    for events in [
        sample()["events"].clone(),
        json!({UPDATE: {"subject": subject("88379", "funds-confirmation-consents", cbpii)}, REVOKED: {}}),
        json!({REVOKED: {"subject": subject("aac-1234-007", "account-access-consents", aisp)}}),
        json!({LINKED: {"subject": subject("90200", "accounts", account)}}),
        json!({vrp_linked: {"subject": subject("90200", "domestic-vrp-consents", vrp)}}),
    ] {
        let mut claims = sample();
        claims["events"] = events;
        let read = check(&rules, &serde_json::to_vec(&claims).unwrap());
        assert_eq!(
            read.map(|claims| claims.jti).as_deref(),
            Ok("b460a07c-4962-43d1-85ee-9dc10fbb8f6c")
        );
    }
}

// T-01
#[test]
fn the_samples_token_with_texts_for_times_is_a_sample_only() {
    let mut claims = sample();
    claims["iat"] = json!("1516239022");
    claims["toe"] = json!("1516239022");
    let invalid = |name: &str| (name.to_owned(), Code::FieldInvalid);
    assert_eq!(faults(&claims), [invalid("iat"), invalid("toe")]);
}

// T-01, T-03, T-04
#[test]
fn all_that_is_wrong_with_claims_is_said_at_once() {
    let mut claims = sample();
    claims["exp"] = json!(1);
    claims["iat"] = json!(-1);
    claims["aud"] = json!(["7umx5nTR33811QyQfi"]);
    claims["sub"] = json!("no uri");
    claims["jti"] = json!("j".repeat(129));
    claims.as_object_mut().unwrap().remove("txn");
    let update = &mut claims["events"][UPDATE];
    update["reason"] = json!("UK.OBIE.CASS");
    update["subject"]["subject_type"] = json!("other");
    update["subject"]["http://openbanking.org.uk/rlk"] = json!([]);
    let events = format!("events.{UPDATE}");
    let expected = [
        ("exp".to_owned(), Code::FieldUnexpected),
        ("iat".to_owned(), Code::FieldInvalid),
        ("jti".to_owned(), Code::FieldInvalid),
        ("sub".to_owned(), Code::FieldInvalid),
        ("aud".to_owned(), Code::FieldInvalid),
        ("txn".to_owned(), Code::FieldMissing),
        (format!("{events}.reason"), Code::FieldUnexpected),
        (format!("{events}.subject.subject_type"), Code::FieldInvalid),
        (
            format!("{events}.subject.http://openbanking.org.uk/rlk"),
            Code::FieldInvalid,
        ),
    ];
    assert_eq!(faults(&claims), expected);
    let mut none = sample();
    none["events"] = json!({});
    assert_eq!(faults(&none), [("events".to_owned(), Code::FieldInvalid)]);
}

// R-01
#[test]
fn a_recipient_passes_over_what_the_standard_does_not_know_and_nothing_else() {
    let taken = |claims: &Value| read(&Rules::default(), &serde_json::to_vec(claims).unwrap());
    let mut claims = sample();
    let plain = taken(&claims).unwrap();
    claims["exp"] = json!(1);
    let update = &mut claims["events"][UPDATE];
    update["reason"] = json!("UK.OBIE.CASS");
    update["subject"]["new"] = json!(1);
    update["subject"]["http://openbanking.org.uk/rlk"][0]["new"] = json!(1);
    let further = taken(&claims).unwrap();
    assert_eq!(further.events[0].subject, plain.events[0].subject);
    assert_eq!((further.iat, further.txn), (plain.iat, plain.txn));
    claims["iat"] = json!("1516239022");
    claims.as_object_mut().unwrap().remove("txn");
    let faults = taken(&claims).unwrap_err();
    let paths: Vec<_> = faults.into_iter().filter_map(|fault| fault.path).collect();
    assert_eq!(paths, ["iat", "txn"]);
}

// T-05
#[test]
fn a_lone_revocation_without_a_subject_is_refused() {
    let mut claims = sample();
    claims["events"] = json!({REVOKED: {"reason": "GB.Example.Fraud"}});
    assert_eq!(
        faults(&claims),
        [(format!("events.{REVOKED}.subject"), Code::FieldMissing)]
    );
}

// T-02
#[test]
fn another_banks_own_type_keeps_its_payload() {
    let mut claims = sample();
    claims["events"] = json!({"urn:x-bank:y": {"reason": "r", "subject": "free", "n": 1}});
    let read = check(&Rules::default(), &serde_json::to_vec(&claims).unwrap()).unwrap();
    let event = &read.events[0];
    assert_eq!(
        (event.reason.as_deref(), &event.subject),
        (Some("r"), &None)
    );
    assert_eq!(
        Value::Object(event.payload.clone()),
        json!({"subject": "free", "n": 1})
    );
}

// R-01
#[test]
fn claims_for_somebody_else_or_from_the_future_are_not_taken() {
    let claims = check(&Rules::default(), &serde_json::to_vec(&sample()).unwrap()).unwrap();
    let at = |seconds| Some(Timestamp::from_unix_seconds(seconds));
    let ours = Expected {
        iss: Some("https://examplebank.com/"),
        aud: Some("7umx5nTR33811QyQfi"),
        now: at(1_516_239_000),
    };
    assert_eq!(ours.faults(&claims), []);
    let not_ours = Expected {
        iss: Some("https://examplebank.com"),
        aud: Some("other"),
        now: at(1_516_238_961),
    };
    let paths: Vec<_> = not_ours
        .faults(&claims)
        .into_iter()
        .filter_map(|fault| fault.path)
        .collect();
    assert_eq!(paths, ["iss", "aud", "iat"]);
}
