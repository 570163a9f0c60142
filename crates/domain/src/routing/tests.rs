mod properties;

use super::*;
use crate::event::{Family, Resource, Subject};
use crate::ids::{ClientId, RegistrationId, ResourceId};
use crate::registration::{CallbackUrl, CallbackUrlWish, Subscription};
use crate::time::Timestamp;
use crate::version::ApiVersion;

const UPDATE: &str = "urn:uk:org:openbanking:events:resource-update";
const AUTHORIZATION: &str = "urn:uk:org:openbanking:events:consent-authorization-revoked";
const ACCESS: &str = "urn:uk:org:openbanking:events:consent-access-revoked";
const LINKED: &str = "urn:uk:org:openbanking:events:account-access-consent-linked-account-update";

fn notice(types: &[&str]) -> Notice {
    Notice {
        client_id: ClientId::new("tpp").unwrap(),
        resource: Resource {
            kind: "account-access-consent".to_owned(),
            id: ResourceId::new("aac-1").unwrap(),
            version: None,
            family: Family::Aisp,
        },
        happenings: types.iter().map(|urn| happening(urn)).collect(),
        toe: Timestamp::from_unix_seconds(1),
        txn: None,
        test: false,
        trace: None,
    }
}

fn happening(urn: &str) -> Happening {
    Happening {
        event_type: EventType(urn.to_owned()),
        reason: None,
        subject: None,
        payload: None,
    }
}

/// A subscription to types (none: all of the version), polling only.
fn subscribed(version: &str, types: &[&str]) -> Registrations {
    let wish = SubscriptionWish {
        callback_url: None,
        version: version.parse().unwrap(),
        event_types: Some(types.iter().map(|each| (*each).to_owned()).collect()),
    };
    Registrations {
        subscription: Some(Subscription {
            id: RegistrationId::new("s").unwrap(),
            wish,
            api: ApiVersion::V3_1,
            created_at: Timestamp::default(),
            changed_at: Timestamp::default(),
        }),
        callback_url: None,
    }
}

fn with_callback_url(registrations: Registrations) -> Registrations {
    let callback_url = CallbackUrl {
        id: RegistrationId::new("c").unwrap(),
        wish: CallbackUrlWish {
            url: "https://tpp.example/v3.1/event-notifications".to_owned(),
            version: "3.1".parse().unwrap(),
        },
        api: ApiVersion::V3_1,
        created_at: Timestamp::default(),
        changed_at: Timestamp::default(),
    };
    Registrations {
        callback_url: Some(callback_url),
        ..registrations
    }
}

fn heard(registrations: &Registrations, types: &[&str]) -> Vec<String> {
    tailored(&Rules::default(), registrations, &notice(types))
        .map(|notice| {
            notice
                .happenings
                .into_iter()
                .map(|each| each.event_type.0)
                .collect()
        })
        .unwrap_or_default()
}

// S-11, C-08
#[test]
fn a_subscription_with_a_callback_url_is_pushed_to_and_polls_and_hides_the_older_callback_url() {
    let rules = Rules::default();
    let mut registrations = with_callback_url(subscribed("3.1", &[]));
    assert_eq!(push_address(&rules, &registrations), None);
    assert_eq!(
        route(&rules, &registrations, &notice(&[LINKED])),
        Route::Deliver(Means::PollOnly)
    );
    let own = "https://tpp.example/new/v3.1/event-notifications".to_owned();
    registrations
        .subscription
        .as_mut()
        .unwrap()
        .wish
        .callback_url = Some(own.clone());
    assert_eq!(push_address(&rules, &registrations), Some(own.as_str()));
    assert_eq!(
        route(&rules, &registrations, &notice(&[LINKED])),
        Route::Deliver(Means::PushAndPoll)
    );
}

// C-07, P-10
#[test]
fn a_callback_url_alone_is_pushed_resource_updates_and_polls_only_by_a_switch() {
    let mut rules = Rules::default();
    let registrations = with_callback_url(Registrations::default());
    assert_eq!(heard(&registrations, &[UPDATE, AUTHORIZATION]), [UPDATE]);
    assert_eq!(
        route(&rules, &registrations, &notice(&[UPDATE])),
        Route::Deliver(Means::PushOnly)
    );
    assert_eq!(
        route(&rules, &registrations, &notice(&[LINKED])),
        Route::NotSubscribed
    );
    assert!(may_poll(&rules, &registrations).is_err());
    rules.switches.polling_with_callback_url = true;
    assert_eq!(
        route(&rules, &registrations, &notice(&[UPDATE])),
        Route::Deliver(Means::PushAndPoll)
    );
    rules.switches.push = false;
    assert_eq!(
        route(&rules, &registrations, &notice(&[UPDATE])),
        Route::Deliver(Means::PollOnly)
    );
    rules.switches.polling_with_callback_url = false;
    assert_eq!(
        route(&rules, &registrations, &notice(&[UPDATE])),
        Route::NoSubscription
    );
}

// P-10
#[test]
fn a_tpp_that_registered_nothing_hears_nothing_unless_the_bank_lets_it_poll() {
    let mut rules = Rules::default();
    let nothing = Registrations::default();
    assert_eq!(
        route(&rules, &nothing, &notice(&[UPDATE])),
        Route::NoSubscription
    );
    assert_eq!(
        may_poll(&rules, &nothing),
        Err(NothingToPoll::NoSubscription)
    );
    rules.switches.polling_requires_subscription = false;
    assert_eq!(
        route(&rules, &nothing, &notice(&[LINKED])),
        Route::Deliver(Means::PollOnly)
    );
    assert_eq!(may_poll(&rules, &nothing), Ok(()));
}

// S-06
#[test]
fn a_version_decides_which_resources_are_heard_of() {
    let rules = Rules::default();
    let mut event = notice(&[UPDATE]);
    for (created_in, hears_by_3_1, hears_by_4_0) in [
        (Some(ApiVersion::V3_1), true, false),
        (Some(ApiVersion::V4_0), true, true),
        (None, true, true),
    ] {
        event.resource.version = created_in;
        for (version, hears) in [("3.1", hears_by_3_1), ("4.0", hears_by_4_0)] {
            let expected = if hears {
                Route::Deliver(Means::PollOnly)
            } else {
                Route::NotSubscribed
            };
            assert_eq!(
                route(&rules, &subscribed(version, &[]), &event),
                expected,
                "{created_in:?} {version}"
            );
        }
    }
}

// S-06, G-01
#[test]
fn a_resource_of_a_retired_version_is_heard_of_from_the_oldest_that_is_served() {
    let table = crate::versions::VersionTable::default();
    let rules = Rules {
        versions: table.serving(&[ApiVersion::V4_0]).unwrap(),
        ..Rules::default()
    };
    let mut event = notice(&[UPDATE]);
    event.resource.version = Some(ApiVersion::V3_1);
    assert_eq!(
        route(&rules, &subscribed("4.0", &[]), &event),
        Route::Deliver(Means::PollOnly)
    );
}

// S-09, S-10
#[test]
fn types_are_wanted_by_any_name_and_without_names_as_the_version_knows_them() {
    let all = [UPDATE, AUTHORIZATION, LINKED];
    assert_eq!(heard(&subscribed("3.1.2", &[]), &all), all);
    assert_eq!(heard(&subscribed("3.1", &[LINKED]), &all), [LINKED]);
    let misspelt = "UK.OBIE.Acount-Access-Consent-Linked-Account-Update";
    assert_eq!(heard(&subscribed("3.1.2", &[misspelt]), &all), [LINKED]);
    for version in ["3.0", "3.1.0", "3.1.1"] {
        assert_eq!(heard(&subscribed(version, &[]), &all), [UPDATE]);
        assert!(heard(&subscribed(version, &[LINKED]), &all).is_empty());
    }
    assert!(heard(&subscribed("3.1", &[]), &["urn:example:gone"]).is_empty());
}

// S-10, G-01
#[test]
fn a_bare_version_hears_what_it_heard_when_its_path_is_retired() {
    let table = crate::versions::VersionTable::default();
    let rules = Rules {
        versions: table.serving(&[ApiVersion::V4_0]).unwrap(),
        ..Rules::default()
    };
    let registrations = subscribed("3.1", &[]);
    for urn in [UPDATE, AUTHORIZATION, ACCESS, LINKED] {
        let event = notice(&[urn]);
        let delivered = Route::Deliver(Means::PollOnly);
        assert_eq!(route(&rules, &registrations, &event), delivered, "{urn}");
        assert_eq!(
            outlives(&rules, &registrations, &event.types()),
            Ok(()),
            "{urn}"
        );
    }
    assert!(tailored(&rules, &subscribed("3.1.0", &[]), &notice(&[LINKED])).is_none());
}

// T-02
#[test]
fn a_revocation_goes_out_under_the_name_that_the_registration_knows() {
    let access_code = "UK.OBIE.Consent-Access-Revoked";
    assert_eq!(
        heard(&subscribed("3.1", &[access_code]), &[AUTHORIZATION]),
        [ACCESS]
    );
    assert_eq!(
        heard(&subscribed("3.1", &[AUTHORIZATION]), &[ACCESS]),
        [AUTHORIZATION]
    );
    assert_eq!(
        heard(&subscribed("3.1", &[AUTHORIZATION, ACCESS]), &[ACCESS]),
        [ACCESS]
    );
    assert_eq!(heard(&subscribed("3.1", &[]), &[ACCESS]), [ACCESS]);
    assert_eq!(
        heard(&subscribed("3.1.6", &[]), &[ACCESS]),
        [AUTHORIZATION],
        "unknown before 3.1.10"
    );
}

// T-09, T-05
#[test]
fn the_subject_of_a_removed_resource_update_moves_into_the_revocation() {
    let mut event = notice(&[UPDATE, AUTHORIZATION]);
    let subject = Subject {
        kind: "account".to_owned(),
        id: ResourceId::new("90200").unwrap(),
    };
    event.happenings[0].subject = Some(subject.clone());
    let rules = Rules::default();
    let both = tailored(&rules, &subscribed("3.1", &[]), &event).unwrap();
    assert_eq!(both, event);
    let one = tailored(&rules, &subscribed("3.1", &[AUTHORIZATION]), &event).unwrap();
    assert_eq!(one.happenings.len(), 1);
    assert_eq!(one.happenings[0].subject, Some(subject));
}

// S-05, S-12, C-07a
#[test]
fn an_outstanding_event_outlives_a_change_that_still_wants_its_type() {
    let rules = Rules::default();
    let update = notice(&[UPDATE]);
    let linked = notice(&[LINKED]);
    let after_delete = with_callback_url(Registrations::default());
    assert_eq!(outlives(&rules, &after_delete, &update.types()), Ok(()));
    assert_eq!(
        outlives(&rules, &after_delete, &linked.types()),
        Err(Withdrawn::RegistrationDeleted)
    );
    assert_eq!(
        outlives(&rules, &Registrations::default(), &update.types()),
        Err(Withdrawn::RegistrationDeleted)
    );
    let narrowed = subscribed("4.0", &[UPDATE]);
    assert_eq!(
        outlives(&rules, &narrowed, &linked.types()),
        Err(Withdrawn::TypeNoLongerWanted)
    );
    assert_eq!(
        outlives(&rules, &narrowed, &update.types()),
        Ok(()),
        "the Version is not looked at"
    );
}

// G-13
#[test]
fn nothing_is_pushed_while_push_is_off_and_what_was_registered_is_kept() {
    let registrations = with_callback_url(Registrations::default());
    let mut rules = Rules::default();
    assert!(push_address(&rules, &registrations).is_some());
    rules.switches.push = false;
    assert_eq!(push_address(&rules, &registrations), None);
    assert_eq!(
        route(&rules, &registrations, &notice(&[UPDATE])),
        Route::NoSubscription
    );
}
