use proptest::prelude::*;

use super::*;
use crate::base_url::BaseUrl;
use crate::ids::RegistrationId;
use crate::registration::{CallbackUrl, Subscription, response};
use crate::time::Timestamp;

fn wishes() -> impl Strategy<Value = Value> {
    let rules = Rules::default();
    let names: Vec<String> = rules
        .catalogue
        .types()
        .iter()
        .map(|each| each.urn.0.clone())
        .collect();
    let url = prop_oneof![
        Just("https://tpp.com/v3.1/event-notifications".to_owned()),
        Just("https://tpp.com/x/3.1.4/event-notifications".to_owned()),
        "https://[a-z0-9.-]{1,20}/v3\\.1/event-notifications",
    ];
    let version = prop_oneof![
        Just("3.1".to_owned()),
        Just("3.0".to_owned()),
        (0..13u8).prop_map(|n| format!("3.1.{n}"))
    ];
    let types = proptest::collection::vec(proptest::sample::select(names), 0..6);
    (
        proptest::option::of(url),
        version,
        proptest::option::of(types),
    )
        .prop_map(|(url, version, types)| {
            let mut data = json!({"Version": version});
            if let Some(url) = url {
                data["CallbackUrl"] = json!(url);
            }
            if let Some(types) = types {
                data["EventTypes"] = json!(types);
            }
            json!({"Data": data})
        })
}

proptest! {
    // S-01, S-04, G-11
    #[test]
    fn what_was_taken_and_answered_is_taken_again_by_a_put(body in wishes()) {
        let rules = Rules::default();
        let Ok(wish) = subscribe(POST, &body) else { return Ok(()) };
        let kept = Subscription {
            id: RegistrationId::new("s-1").unwrap(), wish: wish.clone(), api: ApiVersion::V3_1,
            created_at: Timestamp::default(), changed_at: Timestamp::default(),
        };
        let base_url: BaseUrl = "https://bank.example".parse().unwrap();
        let answer = response::subscription(rules.versions.oldest(), &base_url, &kept);
        prop_assert_eq!(read_with(&rules, PUT, &answer, subscription).unwrap(), wish);
    }

    // C-01, C-04, G-11
    #[test]
    fn a_callback_url_that_was_taken_and_answered_is_taken_again_by_a_put(host in "[a-z0-9.-]{1,20}") {
        let rules = Rules::default();
        let body = json!({"Data": {"Url": format!("https://{host}/v3.1/event-notifications"), "Version": "3.1"}});
        let Ok(wish) = register(POST, &body) else { return Ok(()) };
        let kept = CallbackUrl {
            id: RegistrationId::new("s-1").unwrap(), wish: wish.clone(), api: ApiVersion::V3_1,
            created_at: Timestamp::default(), changed_at: Timestamp::default(),
        };
        let base_url: BaseUrl = "https://bank.example".parse().unwrap();
        let answer = response::callback_url(rules.versions.oldest(), &base_url, &kept);
        prop_assert_eq!(read_with(&rules, PUT, &answer, callback_url).unwrap(), wish);
    }

    // G-06
    #[test]
    fn each_spoilt_member_is_among_the_faults(url in any::<bool>(), version in any::<bool>(), types in any::<bool>(), extra in any::<bool>()) {
        let mut body = json!({"Data": {
            "CallbackUrl": if url { "x" } else { "https://tpp.com/v3.1/event-notifications" },
            "Version": if version { "9.9" } else { "3.1" },
            "EventTypes": [if types { "x" } else { LINKED }],
        }});
        if extra {
            body["Extra"] = json!(1);
        }
        let mut found: Vec<String> = subscribe(POST, &body).err().into_iter().flatten().map(|(path, _)| path).collect();
        found.dedup();
        let spoilt = [(extra, "Extra"), (version, "Data.Version"), (url, "Data.CallbackUrl"), (types, "Data.EventTypes[0]")];
        let expected: Vec<&str> = spoilt.into_iter().filter(|(is, _)| *is).map(|(_, path)| path).collect();
        prop_assert_eq!(found, expected);
    }

    // G-07
    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let rules = Rules::default();
        prop_assert!(read_with(&rules, POST, &bytes, subscription).is_err());
        prop_assert!(read_with(&rules, PUT, &bytes, callback_url).is_err());
    }
}
