use super::*;

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

// T-02, T-03
#[test]
fn another_markets_names_are_data_from_the_table_to_the_token() {
    let mut rules = Rules::default();
    let text = serde_json::to_string(&rules.versions).unwrap();
    let text = text
        .replace("http://openbanking.org.uk/", "https://www.obf.example/")
        .replace("\"open-banking\"", "\"obf\"");
    rules.versions = serde_json::from_str(&text).unwrap();
    let mut types = rules.catalogue.types().to_vec();
    let ours = EventType("urn:bh:obf:events:resource-update".to_owned());
    types[0].urn = ours.clone();
    rules.catalogue = Catalogue::of(types, vec!["BH.OBF.".to_owned()]);

    let base_url = "https://bank.example.bh".parse().unwrap();
    let iat = Timestamp::from_unix_seconds(1);
    let issue = Issue {
        iss: "https://bank.example.bh/",
        jti: Jti::new(iat, [0; 10]),
        iat,
        base_url: &base_url,
    };
    let bytes = build(&rules, &issue, &notice(&[ours.0.as_str()])).unwrap();
    let claims = check(&rules, &bytes).unwrap();
    assert!(claims.sub.starts_with("https://bank.example.bh/obf/v3.1/"));
    assert!(
        String::from_utf8(bytes.clone())
            .unwrap()
            .contains("https://www.obf.example/rid")
    );
    let ours_as_uk: Vec<_> = check(&Rules::default(), &bytes).unwrap().events;
    assert_eq!(
        ours_as_uk[0].subject, None,
        "to the UK rules it is some bank's own type"
    );
}
