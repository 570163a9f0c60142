use serde_json::json;

use super::*;
use crate::versions::VersionTable;

fn definition() -> Definition {
    Definition {
        urn: "urn:example:events:card-frozen".to_owned(),
        code: "GB.Example.Card-Frozen".to_owned(),
        description: "a card has been frozen".to_owned(),
        since: "3.1.2".to_owned(),
        schema: Some(json!({"type": "object", "required": ["card"]})),
    }
}

fn with(definitions: Vec<Definition>) -> Result<Catalogue, Vec<String>> {
    Catalogue::default()
        .with_own(definitions, &VersionTable::default())
        .map_err(|faults| faults.into_iter().filter_map(|fault| fault.path).collect())
}

// T-02, S-09
#[test]
fn a_standard_type_is_found_by_urn_code_and_the_misspelt_code_of_3_1_2() {
    let catalogue = Catalogue::default();
    let linked = catalogue
        .find("urn:uk:org:openbanking:events:account-access-consent-linked-account-update")
        .unwrap();
    for name in [
        "UK.OBIE.Account-Access-Consent-Linked-Account-Update",
        "UK.OBIE.Acount-Access-Consent-Linked-Account-Update",
    ] {
        assert_eq!(catalogue.find(name).unwrap().urn, linked.urn);
    }
    assert_eq!(catalogue.types().len(), 5);
    assert!(
        catalogue
            .find("UK.OBIE.Domestic-VRP-Consent-Linked-Account-Update")
            .is_none()
    );
    assert!(catalogue.find("uk.obie.resource-update").is_none());
}

// T-02
#[test]
fn the_two_revocations_are_twins() {
    let catalogue = Catalogue::default();
    for each in catalogue
        .types()
        .iter()
        .filter(|each| each.role == Role::Revocation)
    {
        let twin = catalogue.by_urn(each.twin.as_ref().unwrap()).unwrap();
        assert_eq!(twin.twin.as_ref(), Some(&each.urn));
        assert_ne!(twin.urn, each.urn);
    }
}

// T-04
#[test]
fn reasons_are_the_standards_for_the_type_or_in_the_banks_own_namespace() {
    let catalogue = Catalogue::default();
    let allows =
        |code: &str, reason| catalogue.allows_reason(catalogue.find(code).unwrap(), reason);
    let linked = "UK.OBIE.Account-Access-Consent-Linked-Account-Update";
    let revoked = "UK.OBIE.Consent-Access-Revoked";
    for reason in [
        "UK.OBIE.AccountClosure",
        "UK.CASS.SwitchStarted",
        "GB.Example.Fraud",
    ] {
        assert!(allows(linked, reason), "{reason}");
        assert!(!allows("UK.OBIE.Resource-Update", reason), "{reason}");
    }
    assert!(allows(revoked, "GB.Example.Fraud"));
    for reason in [
        "UK.OBIE.AccountClosure",
        "UK.OBIE.Invented",
        "closed",
        "GB.Example",
        "gb.example.x",
        "",
    ] {
        assert!(!allows(revoked, reason), "{reason}");
    }
}

// T-02
#[test]
fn a_bank_adds_its_own_types_with_a_schema() {
    let catalogue = with(vec![definition()]).unwrap();
    let own = catalogue.find("GB.Example.Card-Frozen").unwrap();
    assert_eq!(
        (own.role, own.anchor.as_str()),
        (Role::Own, "event-gb-example-card-frozen")
    );
    let schema = own.schema.as_ref().unwrap();
    assert!(schema.faults(&json!({"card": "1"})).is_empty());
    assert_eq!(schema.faults(&json!({})).len(), 1);
    let (_, message) = schema.faults(&json!(["4929 1234"])).remove(0);
    assert!(!message.contains("4929"), "{message}");
}

// T-02
#[test]
fn all_that_is_wrong_with_own_types_is_said_at_once() {
    let bad = Definition {
        urn: "urn:uk:org:openbanking:events:mine".to_owned(),
        code: "UK.OBIE.Mine".to_owned(),
        description: " ".to_owned(),
        since: "v4".to_owned(),
        schema: Some(json!({"type": 7})),
    };
    let members =
        ["urn", "code", "description", "since", "schema"].map(|name| format!("[1].{name}"));
    assert_eq!(with(vec![definition(), bad]).unwrap_err(), members);
    assert_eq!(
        with(vec![definition(), definition()]).unwrap_err(),
        ["[1].urn", "[1].code"]
    );
    for urn in [
        "card-frozen",
        "urn:x",
        "urn:x:y",
        "urn:example:",
        "urn:example:a b",
    ] {
        let odd = Definition {
            urn: urn.to_owned(),
            ..definition()
        };
        assert_eq!(with(vec![odd]).unwrap_err(), ["[0].urn"], "{urn}");
    }
}
