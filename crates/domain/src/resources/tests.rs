use super::*;
use crate::versions::VersionTable;

fn address(name: &str, id: &str) -> String {
    let table = VersionTable::default();
    let base = "https://bank.example/api".parse().unwrap();
    let id = ResourceId::new(id).unwrap();
    let resources = ResourceTable::default();
    resources
        .find(name)
        .unwrap()
        .address(&base, table.newest(), &id)
}

// T-06
#[test]
fn resources_are_found_where_the_standard_puts_them() {
    let root = "https://bank.example/api/open-banking/v4.0";
    for (name, path) in [
        ("account-access-consent", "aisp/account-access-consents"),
        ("account", "aisp/accounts"),
        (
            "funds-confirmation-consent",
            "cbpii/funds-confirmation-consents",
        ),
        ("domestic-vrp-consent", "pisp/domestic-vrp-consents"),
        ("domestic-vrp", "pisp/domestic-vrps"),
        ("domestic-payment-consent", "pisp/domestic-payment-consents"),
        ("file-payment", "pisp/file-payments"),
        (
            "international-standing-order",
            "pisp/international-standing-orders",
        ),
    ] {
        assert_eq!(address(name, "r-1"), format!("{root}/{path}/r-1"));
    }
    assert_eq!(ResourceTable::default().rows().len(), 5 + 2 * 7);
}

// T-06
#[test]
fn an_id_cannot_leave_its_place_in_the_path() {
    assert!(address("account", "../a?b#c/ü").ends_with("/accounts/..%2Fa%3Fb%23c%2F%C3%BC"));
}

// T-06
#[test]
fn rty_is_taken_singular_or_plural_and_given_as_the_standards_samples_have_it() {
    let resources = ResourceTable::default();
    for (form, given) in [
        ("account-access-consents", "account-access-consent"),
        ("accounts", "accounts"),
        ("funds-confirmation-consent", "funds-confirmation-consents"),
        ("domestic-vrp-consent", "domestic-vrp-consents"),
        ("domestic-payments", "domestic-payment"),
    ] {
        assert_eq!(resources.find(form).unwrap().rty, given);
    }
}

// T-06
#[test]
fn configuration_adds_and_overrides_rows_and_hears_all_its_faults() {
    let standard = ResourceTable::default();
    let mut consent = standard.find("account-access-consent").unwrap().clone();
    consent.path = "info/consents/{id}".to_owned();
    let own = ResourceType {
        name: "card".to_owned(),
        path: "cards/{id}/state".to_owned(),
        rty: "card".to_owned(),
        rty_besides: Vec::new(),
        ..consent.clone()
    };
    let table = standard.clone().with(vec![consent, own.clone()]).unwrap();
    assert_eq!(table.rows().len(), standard.rows().len() + 1);
    assert_eq!(
        table.find("account-access-consent").unwrap().path,
        "info/consents/{id}"
    );

    let twice = ResourceType {
        name: "accounts".to_owned(),
        ..own.clone()
    };
    let nowhere = ResourceType {
        path: "/cards/{id}/../{id}".to_owned(),
        ..own
    };
    let faults = standard.with(vec![twice, nowhere]).unwrap_err();
    let paths: Vec<_> = faults
        .iter()
        .filter_map(|fault| fault.path.as_deref())
        .collect();
    assert_eq!(paths, ["[0].name", "[1].path"]);
}
