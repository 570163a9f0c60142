use super::*;
use crate::ids::RegistrationId;
use crate::registration::{CallbackUrlWish, Registrations, SubscriptionWish};
use crate::time::Timestamp;
use crate::version::ApiVersion;
use crate::versions::VersionTable;

fn registrations() -> Registrations {
    Registrations {
        subscription: Some(Subscription {
            id: RegistrationId::new("CB-101").unwrap(),
            wish: SubscriptionWish {
                callback_url: Some(
                    "https://tpp.com/open-banking/v4.0/event-notifications".to_owned(),
                ),
                version: "4.0".parse().unwrap(),
                event_types: None,
            },
            api: ApiVersion::V4_0,
            created_at: Timestamp::default(),
            changed_at: Timestamp::default(),
        }),
        callback_url: Some(CallbackUrl {
            id: RegistrationId::new("CB-102").unwrap(),
            wish: CallbackUrlWish {
                url: "https://tpp.com/open-banking/v3.1/event-notifications".to_owned(),
                version: "3.1".parse().unwrap(),
            },
            api: ApiVersion::V3_1,
            created_at: Timestamp::default(),
            changed_at: Timestamp::default(),
        }),
    }
}

fn text(write: impl FnOnce(&Row, &BaseUrl) -> Vec<u8>) -> String {
    let base_url = "https://api.alphabank.com".parse().unwrap();
    String::from_utf8(write(VersionTable::default().newest(), &base_url)).unwrap()
}

// S-01
#[test]
fn a_subscription_is_answered_as_in_the_standards_sample() {
    let subscription = registrations().subscription.unwrap();
    assert_eq!(
        text(|row, base_url| super::subscription(row, base_url, &subscription)),
        concat!(
            r#"{"Data":{"EventSubscriptionId":"CB-101","#,
            r#""CallbackUrl":"https://tpp.com/open-banking/v4.0/event-notifications","Version":"4.0"},"#,
            r#""Links":{"Self":"https://api.alphabank.com/open-banking/v4.0/event-subscriptions/CB-101"},"Meta":{}}"#
        )
    );
}

// S-03
#[test]
fn a_list_is_always_there_with_one_or_none() {
    let mut subscription = registrations().subscription.unwrap();
    subscription.wish.callback_url = None;
    subscription.wish.event_types = Some(vec!["UK.OBIE.Resource-Update".to_owned()]);
    assert_eq!(
        text(|row, base_url| subscriptions(row, base_url, Some(&subscription))),
        concat!(
            r#"{"Data":{"EventSubscription":[{"EventSubscriptionId":"CB-101","Version":"4.0","#,
            r#""EventTypes":["UK.OBIE.Resource-Update"]}]},"#,
            r#""Links":{"Self":"https://api.alphabank.com/open-banking/v4.0/event-subscriptions"},"Meta":{}}"#
        )
    );
    assert!(
        text(|row, base_url| subscriptions(row, base_url, None))
            .starts_with(r#"{"Data":{"EventSubscription":[]},"#)
    );
}

// C-01, C-03
#[test]
fn callback_urls_are_answered_under_their_own_names() {
    let callback_url = registrations().callback_url.unwrap();
    let data = r#"{"CallbackUrlId":"CB-102","Url":"https://tpp.com/open-banking/v3.1/event-notifications","Version":"3.1"}"#;
    assert_eq!(
        text(|row, base_url| super::callback_url(row, base_url, &callback_url)),
        format!(
            r#"{{"Data":{data},"Links":{{"Self":"https://api.alphabank.com/open-banking/v4.0/callback-urls/CB-102"}},"Meta":{{}}}}"#
        )
    );
    assert!(
        text(|row, base_url| callback_urls(row, base_url, Some(&callback_url)))
            .starts_with(&format!(r#"{{"Data":{{"CallbackUrl":[{data}]}},"#))
    );
}

// S-06
#[test]
fn a_registration_made_under_v4_0_is_unseen_from_v3_1_and_not_the_other_way_round() {
    let registrations = registrations();
    assert_eq!(registrations.subscription_seen_from(ApiVersion::V3_1), None);
    assert!(
        registrations
            .subscription_seen_from(ApiVersion::V4_0)
            .is_some()
    );
    assert!(
        registrations
            .callback_url_seen_from(ApiVersion::V4_0)
            .is_some()
    );
}
