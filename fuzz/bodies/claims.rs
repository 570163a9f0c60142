//! Claims from anybody. No input may make the check panic; what is refused has its reasons; and what is taken holds all that
//! the standard asks of a SET, within its lengths. A recipient takes all that the check takes, and the same of it.

use std::sync::LazyLock;

use oyez_domain::catalogue::Role;
use oyez_domain::claims::{Claims, Event, check, read};
use oyez_domain::json::{DEPTH_MAX, canonical, parse};
use oyez_domain::rules::Rules;
use oyez_domain::time::Timestamp;

pub(crate) fn run(input: &[u8]) {
    match check(&RULES, input) {
        Ok(claims) => {
            let document = parse(input, DEPTH_MAX).expect("what was checked was read");
            assert_eq!(check(&RULES, &canonical(&document)), Ok(claims.clone()));
            assert_eq!(read(&RULES, input), Ok(claims.clone()));
            whole(&claims);
        }
        Err(faults) => {
            if let Ok(claims) = read(&RULES, input) {
                whole(&claims);
            }
            assert!(!faults.is_empty());
            assert!(faults.iter().all(|fault| !fault.message.is_empty()));
        }
    }
}

fn whole(claims: &Claims) {
    for text in [&claims.jti, &claims.aud, &claims.txn] {
        assert!((1..=128).contains(&text.chars().count()));
    }
    assert!(claims.iat >= Timestamp::default() && claims.toe >= Timestamp::default());
    assert!(!claims.events.is_empty());
    let role = |event: &Event| RULES.catalogue.role(&event.urn);
    let has_update = claims
        .events
        .iter()
        .any(|event| role(event) == Role::ResourceUpdate);
    for event in &claims.events {
        let borrows = role(event) == Role::Own || (role(event) == Role::Revocation && has_update);
        assert!(borrows || event.subject.is_some());
        assert!(role(event) == Role::Own || event.payload.is_empty());
        assert!(
            event
                .subject
                .iter()
                .all(|subject| !subject.links.is_empty())
        );
    }
}

static RULES: LazyLock<Rules> = LazyLock::new(Rules::default);
