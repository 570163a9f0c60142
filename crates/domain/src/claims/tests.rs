use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::event::{Family, Happening, Notice, Resource, Subject};
use crate::fault::Code;
use crate::ids::{ClientId, Jti, ResourceId, TransactionId};
use crate::rules::Rules;
use crate::version::ApiVersion;

const UPDATE: &str = "urn:uk:org:openbanking:events:resource-update";
const REVOKED: &str = "urn:uk:org:openbanking:events:consent-authorization-revoked";
const LINKED: &str = "urn:uk:org:openbanking:events:account-access-consent-linked-account-update";

fn happening(urn: &str) -> Happening {
    Happening {
        event_type: EventType(urn.to_owned()),
        reason: None,
        subject: None,
        payload: None,
    }
}

fn notice(types: &[&str]) -> Notice {
    Notice {
        client_id: ClientId::new("7umx5nTR33811QyQfi").unwrap(),
        resource: Resource {
            kind: "account-access-consent".to_owned(),
            id: ResourceId::new("aac-1234-007").unwrap(),
            version: None,
            family: Family::Aisp,
        },
        happenings: types.iter().map(|urn| happening(urn)).collect(),
        toe: Timestamp::from_unix_seconds(1_516_239_022),
        txn: Some(TransactionId::new("dfc51628-3479-4b81-ad60-210b43d02306").unwrap()),
    }
}

fn built(notice: &Notice) -> Result<Vec<u8>, BuildError> {
    let base_url = "https://examplebank.com/api".parse().unwrap();
    let iat = Timestamp::from_unix_ms(1_516_239_022_999);
    let issue = Issue {
        iss: "https://examplebank.com/",
        jti: Jti::new(iat, [7; 10]),
        iat,
        base_url: &base_url,
    };
    build(&Rules::default(), &issue, notice)
}

fn faults(claims: &Value) -> Vec<(String, Code)> {
    let bytes = serde_json::to_vec(claims).unwrap();
    let faults = check(&Rules::default(), &bytes).unwrap_err();
    faults
        .into_iter()
        .map(|fault| (fault.path.unwrap_or_default(), fault.code))
        .collect()
}

/// The claims of a resource-update, as the standard's samples have them.
fn sample() -> Value {
    let address =
        "https://examplebank.com/api/open-banking/v4.0/aisp/account-access-consents/aac-1234-007";
    json!({
        "iss": "https://examplebank.com/", "iat": 1516239022, "jti": "b460a07c-4962-43d1-85ee-9dc10fbb8f6c",
        "sub": address, "aud": "7umx5nTR33811QyQfi",
        "events": {UPDATE: {"subject": subject("aac-1234-007", "account-access-consent", address)}},
        "txn": "dfc51628-3479-4b81-ad60-210b43d02306", "toe": 1516239022
    })
}

fn subject(rid: &str, rty: &str, link: &str) -> Value {
    json!({
        "subject_type": "http://openbanking.org.uk/rid_http://openbanking.org.uk/rty",
        "http://openbanking.org.uk/rid": rid,
        "http://openbanking.org.uk/rty": rty,
        "http://openbanking.org.uk/rlk": [{"version": "v3.1", "link": link}]
    })
}

// T-01, T-03, T-06, P-09
#[test]
fn claims_are_built_in_one_fixed_form() {
    let text = String::from_utf8(built(&notice(&[UPDATE])).unwrap()).unwrap();
    let root = "https://examplebank.com/api/open-banking";
    let expected = format!(
        concat!(
            r#"{{"iss":"https://examplebank.com/","iat":1516239022,"jti":"016106e3-6b97-7707-8707-070707070707","#,
            r#""sub":"{root}/v3.1/aisp/account-access-consents/aac-1234-007","aud":"7umx5nTR33811QyQfi","#,
            r#""events":{{"urn:uk:org:openbanking:events:resource-update":{{"subject":{{"#,
            r#""subject_type":"http://openbanking.org.uk/rid_http://openbanking.org.uk/rty","#,
            r#""http://openbanking.org.uk/rid":"aac-1234-007","#,
            r#""http://openbanking.org.uk/rty":"account-access-consent","http://openbanking.org.uk/rlk":["#,
            r#"{{"version":"v3.1","link":"{root}/v3.1/aisp/account-access-consents/aac-1234-007"}},"#,
            r#"{{"version":"v4.0","link":"{root}/v4.0/aisp/account-access-consents/aac-1234-007"}}]}}}}}},"#,
            r#""txn":"dfc51628-3479-4b81-ad60-210b43d02306","toe":1516239022}}"#,
        ),
        root = root
    );
    assert_eq!(text, expected);
}

// T-03
#[test]
fn links_begin_at_the_version_the_resource_was_created_in() {
    let mut event = notice(&[UPDATE]);
    event.resource.version = Some(ApiVersion::V4_0);
    let claims = check(&Rules::default(), &built(&event).unwrap()).unwrap();
    let links = &claims.events[0].subject.as_ref().unwrap().links;
    assert_eq!(links.len(), 1);
    assert_eq!(
        (links[0].version.as_str(), &links[0].link),
        ("v4.0", &claims.sub)
    );
}

// T-05
#[test]
fn a_revocation_has_a_subject_unless_a_resource_update_has_it() {
    let subjects = |types: &[&str]| -> Vec<(String, bool)> {
        let claims = check(&Rules::default(), &built(&notice(types)).unwrap()).unwrap();
        claims
            .events
            .into_iter()
            .map(|event| (event.urn.0, event.subject.is_some()))
            .collect()
    };
    assert_eq!(subjects(&[REVOKED]), [(REVOKED.to_owned(), true)]);
    assert_eq!(
        subjects(&[UPDATE, REVOKED]),
        [(REVOKED.to_owned(), false), (UPDATE.to_owned(), true)]
    );
}

// T-05
#[test]
fn the_subject_of_a_linked_account_event_is_the_consent_unless_the_publisher_names_the_account() {
    let mut event = notice(&[LINKED]);
    let subject = |event: &Notice| {
        let claims = check(&Rules::default(), &built(event).unwrap()).unwrap();
        assert!(
            claims
                .sub
                .ends_with("/account-access-consents/aac-1234-007")
        );
        let subject = claims.events[0].subject.clone().unwrap();
        (subject.rty, subject.rid)
    };
    assert_eq!(subject(&event).0, "account-access-consent");
    event.happenings[0].subject = Some(Subject {
        kind: "account".to_owned(),
        id: ResourceId::new("90200").unwrap(),
    });
    assert_eq!(subject(&event), ("accounts".to_owned(), "90200".to_owned()));
}

// T-01
#[test]
fn the_transaction_is_the_jti_where_the_publisher_names_none() {
    let mut event = notice(&[UPDATE]);
    event.txn = None;
    let claims = check(&Rules::default(), &built(&event).unwrap()).unwrap();
    assert_eq!(claims.txn, claims.jti);
}

// T-06
#[test]
fn a_notice_whose_resource_left_the_tables_is_not_told_wrongly() {
    let mut event = notice(&[UPDATE]);
    event.resource.version = Some(ApiVersion { major: 9, minor: 0 });
    assert!(matches!(built(&event), Err(BuildError::NowhereServed(..))));
    event.resource.kind = "card".to_owned();
    assert_eq!(
        built(&event),
        Err(BuildError::UnknownResource("card".to_owned()))
    );
}

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

proptest! {
    // T-01, T-03, T-06
    #[test]
    fn whatever_is_built_is_valid_and_says_what_the_notice_said(
        kind in 0..crate::resources::ResourceTable::default().rows().len(),
        id in "[^\\p{C}]{1,128}", txn in proptest::option::of("[^\\p{C}]{1,128}"),
        toe in 0..4_000_000_000i64, created_in in proptest::option::of(prop_oneof![Just(ApiVersion::V3_1), Just(ApiVersion::V4_0)]),
        types in proptest::sample::subsequence(vec![UPDATE, REVOKED, LINKED], 1..=3),
    ) {
        let rules = Rules::default();
        let row = &rules.resources.rows()[kind];
        let mut event = notice(&types);
        event.resource = Resource {
            kind: row.name.clone(), id: ResourceId::new(id.clone()).unwrap(), version: created_in, family: row.family,
        };
        event.toe = Timestamp::from_unix_seconds(toe);
        event.txn = txn.map(|txn| TransactionId::new(txn).unwrap());
        let claims = check(&rules, &built(&event).unwrap()).unwrap();
        prop_assert_eq!(claims.toe, event.toe);
        prop_assert_eq!(&claims.aud, event.client_id.as_str());
        prop_assert_eq!(claims.events.len(), types.len());
        for found in claims.events {
            prop_assert!(types.contains(&found.urn.0.as_str()));
            if let Some(subject) = found.subject {
                prop_assert_eq!(&subject.rid, &id);
                prop_assert_eq!(&subject.rty, &row.rty);
                prop_assert!(subject.links.iter().any(|link| link.link == claims.sub));
            }
        }
    }

    // T-01
    #[test]
    fn a_sample_with_one_member_replaced_never_panics(
        member in prop_oneof![Just("iss"), Just("iat"), Just("sub"), Just("events"), Just("toe")], replacement in ".{0,40}",
    ) {
        let mut claims = sample();
        claims[member] = serde_json::from_str(&replacement).unwrap_or_else(|_| json!(replacement));
        if let Err(faults) = check(&Rules::default(), &serde_json::to_vec(&claims).unwrap()) {
            prop_assert!(faults.iter().all(|fault| fault.path.as_deref().unwrap_or_default().starts_with(member)));
        }
    }
}
