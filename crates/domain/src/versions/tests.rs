use super::*;
use crate::event::Family;
use crate::fault::Code;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn table() -> VersionTable {
    VersionTable::default()
}

/// A row of another market, as its bank would write it in a file.
fn payments_nz() -> Row {
    let text = r#"{
        "api": "v3.0",
        "releases": [{"version": "3.0"}, {"version": "3.0.1"}],
        "coverage": "minimum",
        "market": {
            "path_prefix": "open-banking-nz",
            "urn_prefix": "urn:nz:co:paymentsnz:events:",
            "code_prefix": "NZ.PNZ.",
            "claim_prefix": "https://www.apicentre.paymentsnz.co.nz/"
        },
        "paths": {
            "event_subscriptions": "event-subscriptions", "callback_urls": "callback-urls", "events": "events"
        },
        "scopes": [{"spellings": ["payments"], "opens": "everything", "families": ["pisp"]}],
        "successes": {"created": 201, "read": 200, "replaced": 200, "deleted": 204, "polled": 201},
        "errors": {"codes": [], "statuses": [], "order": "code_first", "messages": "plain"},
        "jose": {"accepted": ["encoded"], "emitted": "encoded"},
        "financial_id": "omitted",
        "callback_suffix": {"segment": "event-notifications"},
        "lengths": {
            "registration_id": 128, "version": 10, "callback_url": 2048, "event_types": 100, "claim": 128,
            "error_name": 40, "error_description": 256, "acknowledgements": 1000, "error_id": 40,
            "error_text": 500
        }
    }"#;
    let mut row: Row = serde_json::from_str(text).unwrap();
    row.errors = table().oldest().errors.clone();
    row
}

// S-08, S-10
#[test]
fn the_standard_serves_every_release_from_3_0_to_4_0_1_and_nothing_else() {
    let table = table();
    let mut served: Vec<String> = (0..=11).map(|patch| format!("3.1.{patch}")).collect();
    served.extend(["3.0", "3.1", "4.0", "4.0.0", "4.0.1"].map(str::to_owned));
    for text in served {
        assert!(table.release(version(&text)).is_some(), "{text}");
    }
    for text in ["3.0.1", "3.1.12", "3.2", "4.0.2", "4.1", "5.0"] {
        assert_eq!(table.release(version(text)), None, "{text}");
    }
}

// S-10
#[test]
fn a_bare_version_means_the_newest_patch_that_is_served() {
    let table = table();
    let means = |text: &str| table.release(version(text)).unwrap().1.version.to_string();
    assert_eq!(means("3.1"), "3.1.11");
    assert_eq!(means("4.0"), "4.0.1");
    assert_eq!(means("3.0"), "3.0");
}

// S-10
#[test]
fn the_oldest_releases_hear_only_of_resource_updates() {
    let table = table();
    let limited =
        |text: &str| table.release(version(text)).unwrap().1.events != EventLimit::AsAsked;
    for text in ["3.0", "3.1.0", "3.1.1"] {
        assert!(limited(text), "{text}");
    }
    for text in ["3.1.2", "3.1", "4.0"] {
        assert!(!limited(text), "{text}");
    }
}

// S-06
#[test]
fn a_version_covers_resources_from_its_own_up_or_only_its_own() {
    let (old, new) = (ApiVersion::V3_1, ApiVersion::V4_0);
    let minimum = table();
    assert!(minimum.covers(version("3.1.4"), new));
    assert!(minimum.covers(version("3.0"), old));
    assert!(!minimum.covers(version("4.0"), old));
    let exact = table().covering(Coverage::Exact);
    assert!(!exact.covers(version("3.1.4"), new));
    assert!(exact.covers(version("4.0.1"), new));
}

// D-01
#[test]
fn pushes_carry_the_banks_id_where_a_version_asks_for_it_unless_that_is_switched_off() {
    assert_eq!(table().financial_id(), FinancialId::Sent);
    let off = table().omitting_financial_id();
    assert_eq!(off.financial_id(), FinancialId::Omitted);
    let elsewhere = VersionTable::new(vec![payments_nz()], Vec::new()).unwrap();
    assert_eq!(elsewhere.financial_id(), FinancialId::Omitted);
}

// G-01
#[test]
fn the_served_set_is_configuration() {
    let only_new = table().serving(&[ApiVersion::V4_0]).unwrap();
    assert_eq!(only_new.rows().len(), 1);
    assert_eq!(only_new.release(version("3.1")), None);
    assert_eq!(table().serving(&[]), Err(TableError::Empty));
    let unknown = ApiVersion { major: 5, minor: 0 };
    assert_eq!(
        table().serving(&[unknown]),
        Err(TableError::Unknown(unknown))
    );
    let retired = VersionTable::new(only_new.rows().to_vec(), vec![ApiVersion::V3_1]).unwrap();
    assert!(retired.is_retired(ApiVersion::V3_1) && retired.row(ApiVersion::V3_1).is_none());
}

// G-01
#[test]
fn another_markets_version_is_a_row_of_data() {
    let mut rows = table().rows().to_vec();
    rows.push(payments_nz());
    let error = VersionTable::new(rows, Vec::new()).unwrap_err();
    assert_eq!(error, TableError::ReleaseTwice(version("3.0")));

    let table = VersionTable::new(vec![payments_nz()], Vec::new()).unwrap();
    let base: crate::base_url::BaseUrl = "https://bank.example.nz".parse().unwrap();
    assert_eq!(
        base.under(table.oldest(), &table.oldest().paths.events),
        "https://bank.example.nz/open-banking-nz/v3.0/events"
    );
    assert_eq!(table.oldest().successes.polled, 201);
    let text = serde_json::to_string(&table).unwrap();
    assert_eq!(serde_json::from_str::<VersionTable>(&text).unwrap(), table);
}

// A-04, A-10
#[test]
fn event_polling_opens_polling_alone_and_only_in_v3_1() {
    let table = table();
    let (old, new) = (table.oldest(), table.newest());
    assert!(old.admits(&["eventpolling"], Opens::Polling));
    assert!(!old.admits(&["eventpolling"], Opens::Everything));
    assert!(!new.admits(&["eventpolling"], Opens::Polling));
    assert!(old.admits(&["openid", "fundsconfirmation"], Opens::Everything));
    assert!(!new.admits(&["fundsconfirmation"], Opens::Everything));
    for row in [old, new] {
        assert!(row.admits(&["accounts"], Opens::Polling));
        assert!(!row.admits(&[], Opens::Polling));
        assert_eq!(
            row.families(&["payments"]).into_iter().collect::<Vec<_>>(),
            [Family::Pisp, Family::Vrp]
        );
    }
}

// G-06
#[test]
fn errors_are_called_as_each_version_calls_them() {
    let table = table();
    let text = |row: &Row, code| row.errors.text(code).map(str::to_owned);
    let (old, new) = (table.oldest(), table.newest());
    assert_eq!(
        text(old, Code::FieldMissing).as_deref(),
        Some("UK.OBIE.Field.Missing")
    );
    assert_eq!(text(new, Code::FieldMissing).as_deref(), Some("U004"));
    assert_eq!(
        text(old, Code::ResourceAlreadyExists).as_deref(),
        Some("UK.OBIE.Rules.ResourceAlreadyExists")
    );
    assert_eq!(
        text(new, Code::ResourceAlreadyExists).as_deref(),
        Some("U029")
    );
    assert_eq!(text(old, Code::TokenExpired), None);
    assert_eq!(text(new, Code::TokenExpired).as_deref(), Some("TKXP"));
    for code in Code::ALL {
        assert_eq!(text(new, code).unwrap().len(), 4, "{code}");
    }
    let mut mute = payments_nz();
    mute.errors.codes.clear();
    assert_eq!(
        VersionTable::new(vec![mute], Vec::new()),
        Err(TableError::NoErrorText(
            ApiVersion { major: 3, minor: 0 },
            Code::FieldExpected
        ))
    );
}

// M-03
#[test]
fn only_v3_1_takes_unencoded_payloads() {
    let table = table();
    assert!(table.oldest().jose.accepted.contains(&B64Form::Unencoded));
    assert_eq!(table.newest().jose.accepted, [B64Form::Encoded]);
}
