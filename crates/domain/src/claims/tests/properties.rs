use proptest::prelude::*;

use super::*;

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
