use proptest::prelude::*;

use super::*;

const TYPES: [&str; 4] = [UPDATE, AUTHORIZATION, ACCESS, LINKED];

/// What a publisher may say at once: never both names of a revocation.
fn notices() -> impl Strategy<Value = Notice> {
    let types = proptest::sample::subsequence(TYPES.to_vec(), 1..=4);
    let created_in =
        proptest::option::of(prop_oneof![Just(ApiVersion::V3_1), Just(ApiVersion::V4_0)]);
    (types, created_in).prop_map(|(types, version)| {
        let both = types.contains(&AUTHORIZATION) && types.contains(&ACCESS);
        let types: Vec<&str> = types
            .into_iter()
            .filter(|each| !(both && *each == ACCESS))
            .collect();
        let mut event = notice(&types);
        event.resource.version = version;
        event
    })
}

fn registrations() -> impl Strategy<Value = Registrations> {
    let version = prop_oneof![
        Just("3.0"),
        Just("3.1.2"),
        Just("3.1.6"),
        Just("3.1"),
        Just("4.0"),
        Just("9.9")
    ];
    let subscription = (
        version,
        proptest::sample::subsequence(TYPES.to_vec(), 0..=4),
        any::<bool>(),
    );
    (proptest::option::of(subscription), any::<bool>()).prop_map(|(wish, has_callback_url)| {
        let mut registrations =
            wish.map_or_else(Registrations::default, |(version, types, pushed)| {
                let mut made = subscribed(version, &types);
                if let Some(subscription) = made.subscription.as_mut().filter(|_| pushed) {
                    subscription.wish.callback_url =
                        Some("https://tpp.example/v3.1/event-notifications".to_owned());
                }
                made
            });
        if has_callback_url {
            registrations = with_callback_url(registrations);
        }
        registrations
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    any::<[bool; 3]>().prop_map(
        |[
            push,
            polling_requires_subscription,
            polling_with_callback_url,
        ]| {
            let mut rules = Rules::default();
            rules.switches.push = push;
            rules.switches.polling_requires_subscription = polling_requires_subscription;
            rules.switches.polling_with_callback_url = polling_with_callback_url;
            rules
        },
    )
}

proptest! {
    // S-12, T-09
    #[test]
    fn an_event_is_delivered_only_if_it_outlives_and_has_something_to_tell(
        rules in rules(), registrations in registrations(), notice in notices(),
    ) {
        let left = tailored(&rules, &registrations, &notice);
        prop_assert_eq!(outlives(&rules, &registrations, &notice.types()).is_ok(), left.is_some());
        if let Route::Deliver(means) = route(&rules, &registrations, &notice) {
            prop_assert!(left.is_some());
            prop_assert_eq!(means != Means::PushOnly, may_poll(&rules, &registrations).is_ok());
            let pushes = push_address(&rules, &registrations).is_some();
            prop_assert_eq!(means != Means::PollOnly, pushes);
        }
    }

    // T-09, T-02
    #[test]
    fn tailoring_invents_nothing_repeats_nothing_and_is_done_once(
        rules in rules(), registrations in registrations(), notice in notices(),
    ) {
        let Some(left) = tailored(&rules, &registrations, &notice) else { return Ok(()) };
        prop_assert_eq!(tailored(&rules, &registrations, &left), Some(left.clone()));
        prop_assert_eq!((&left.resource, left.toe, &left.txn), (&notice.resource, notice.toe, &notice.txn));
        let said = |urn: &EventType| notice.happenings.iter().any(|each| each.event_type == *urn);
        let mut seen = Vec::new();
        for happening in &left.happenings {
            let twin = rules.catalogue.by_urn(&happening.event_type).and_then(|each| each.twin.clone());
            prop_assert!(said(&happening.event_type) || twin.is_some_and(|twin| said(&twin)));
            prop_assert!(!seen.contains(&&happening.event_type));
            seen.push(&happening.event_type);
        }
    }
}
