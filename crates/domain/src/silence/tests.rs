use super::*;
use crate::ids::{ClientId, RegistrationId};
use crate::ledger::lanes;
use crate::registration::{Subscription, SubscriptionWish};
use crate::tpp::{KeySource, Overrides, Profile};
use crate::version::ApiVersion;

const UPDATE: &str = "urn:uk:org:openbanking:events:resource-update";
const NOON: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

fn tpp() -> Tpp {
    Tpp {
        client_id: ClientId::new("tpp-1").unwrap(),
        profile: Profile {
            name: "One".to_owned(),
            org_id: "org".to_owned(),
            software_id: "software".to_owned(),
            keys: KeySource::Jwks("{}".to_owned()),
            scopes: Vec::new(),
            overrides: Overrides::default(),
        },
        standing: Standing::Active,
        registered_at: NOON,
        changed_at: NOON,
    }
}

/// A subscription to everything of version 4.0, or to these types.
fn subscribed(address: Option<&str>, types: &[&str]) -> Registrations {
    let wish = SubscriptionWish {
        callback_url: address.map(str::to_owned),
        version: "4.0".parse().unwrap(),
        event_types: Some(types.iter().map(|each| (*each).to_owned()).collect()),
    };
    let subscription = Subscription {
        id: RegistrationId::new("s").unwrap(),
        wish,
        api: ApiVersion::V3_1,
        created_at: NOON,
        changed_at: NOON,
    };
    Registrations {
        subscription: Some(subscription),
        callback_url: None,
    }
}

fn counts(outstanding: u64, failed: u64) -> Counts {
    Counts {
        accepted: outstanding + failed + 1,
        outstanding,
        acknowledged: 1,
        failed,
        ..Counts::default()
    }
}

/// What is world of a TPP, to be changed.
struct World {
    rules: Rules,
    tpp: Tpp,
    registrations: Registrations,
    health: Health,
    counts: Counts,
    poll_only: u64,
    asked: Asked,
}

fn said(change: impl FnOnce(&mut World)) -> Vec<&'static str> {
    let mut world = World {
        rules: Rules::default(),
        tpp: tpp(),
        registrations: subscribed(Some("https://tpp.example/"), &[]),
        health: Health::Responsive,
        counts: counts(0, 0),
        poll_only: 0,
        asked: Asked::default(),
    };
    change(&mut world);
    let found = reasons(&Known {
        rules: &world.rules,
        tpp: &world.tpp,
        registrations: &world.registrations,
        health: &world.health,
        counts: world.counts,
        poll_only: world.poll_only,
        asked: world.asked,
    });
    for reason in &found {
        for text in [
            reason.to_string(),
            reason.mend(Reader::Bank).to_owned(),
            reason.mend(Reader::Tpp).to_owned(),
        ] {
            assert!(!text.is_empty() && !text.ends_with('.'), "{text}");
        }
    }
    found.iter().map(Reason::code).collect()
}

// W-04, I-03
#[test]
fn a_tpp_whose_events_arrive_has_no_reason_and_one_without_any_event_is_told_so() {
    assert!(said(|_| {}).is_empty());
    let nothing = |world: &mut World| world.counts = Counts::default();
    assert_eq!(said(nothing), ["nothing_published"]);
}

// W-04, A-09
#[test]
fn all_reasons_are_said_at_once_and_those_that_stop_everything_first() {
    let mut disabled = tpp();
    disabled.standing = Standing::Disabled {
        at: NOON,
        reason: "asked for".to_owned(),
    };
    let registrations = subscribed(None, &[UPDATE]);
    let found = said(|world| {
        world.tpp = disabled;
        world.registrations = registrations;
        world.counts = counts(3, 2);
    });
    let expected = [
        "disabled",
        "nobody_polls",
        "types_not_subscribed",
        "set_aside",
    ];
    assert_eq!(found, expected);
}

// W-04, P-10, G-13, S-09
#[test]
fn what_is_registered_may_be_the_reason() {
    let nothing = Registrations::default();
    assert_eq!(
        said(|world| world.registrations = nothing.clone()),
        ["nothing_registered"]
    );
    let strange = subscribed(None, &["urn:nobody:knows"]);
    assert_eq!(
        said(|world| world.registrations = strange),
        ["no_type_heard"]
    );
    let lenient = {
        let mut rules = Rules::default();
        rules.switches.polling_requires_subscription = false;
        rules
    };
    let found = said(|world| {
        world.rules = lenient;
        world.registrations = nothing.clone();
    });
    assert!(found.is_empty(), "it hears everything by polling");
}

// W-04, D-06
#[test]
fn an_endpoint_is_a_reason_while_something_would_be_pushed_to_it() {
    let health = Health::Failing {
        since: NOON,
        failures: 3,
        next_probe_at: NOON,
        reason: lanes::Reason::new("503"),
    };
    assert_eq!(said(|world| world.health = health.clone()), ["failing"]);
    let polling = subscribed(None, &[]);
    let found = said(|world| {
        world.health = health.clone();
        world.registrations = polling.clone();
    });
    assert!(found.is_empty());
}

// W-04, P-08, D-07
#[test]
fn who_polls_is_not_told_to_poll_and_what_was_refused_is_said() {
    let polling = subscribed(None, &[]);
    let found = said(|world| {
        world.registrations = polling.clone();
        world.counts = counts(3, 0);
        world.asked.polled_at = Some(NOON);
        world.asked.refused = Some(Refused {
            at: NOON,
            status: 403,
        });
    });
    assert_eq!(found, ["requests_refused"]);
    assert_eq!(said(|world| world.poll_only = 2), ["poll_only"]);
    let found = said(|world| world.asked.limited_at = Some(NOON));
    assert_eq!(found, ["rate_limited"]);
}
