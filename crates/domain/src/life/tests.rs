use proptest::prelude::*;

use super::*;

fn acknowledged() -> impl Strategy<Value = Acknowledged> {
    prop_oneof![
        Just(Acknowledged::Push),
        Just(Acknowledged::Poll),
        Just(Acknowledged::Duplicate),
        Just(Acknowledged::Assumed),
    ]
}

fn occurrences() -> impl Strategy<Value = Occurrence> {
    prop_oneof![
        2 => acknowledged().prop_map(Occurrence::Acknowledged),
        4 => Just(Occurrence::ErrorsReachedCap),
        1 => Just(Occurrence::TimeIsOver),
        1 => prop_oneof![
            Just(Withdrawn::RegistrationDeleted),
            Just(Withdrawn::TypeNoLongerWanted),
            Just(Withdrawn::ByOperator),
        ].prop_map(Occurrence::Withdrawn),
        4 => Just(Occurrence::Requeued),
    ]
}

// D-08
#[test]
fn an_outstanding_event_ends_in_one_of_four_ways() {
    let ends = |occurrence| match step(None, occurrence) {
        Transition::Settles(outcome) => Some(outcome.ending()),
        Transition::Reopens | Transition::Nothing => None,
    };
    assert_eq!(
        ends(Occurrence::Acknowledged(Acknowledged::Assumed)),
        Some(Ending::Acknowledged)
    );
    assert_eq!(ends(Occurrence::ErrorsReachedCap), Some(Ending::Failed));
    assert_eq!(ends(Occurrence::TimeIsOver), Some(Ending::Expired));
    assert_eq!(
        ends(Occurrence::Withdrawn(Withdrawn::ByOperator)),
        Some(Ending::Withdrawn)
    );
    assert_eq!(ends(Occurrence::Requeued), None);
}

// P-05, I-04, I-06
#[test]
fn a_failed_event_is_left_by_the_tpps_word_or_an_operators_and_by_nothing_else() {
    let failed = Some(Outcome::Failed);
    for how in [
        Acknowledged::Push,
        Acknowledged::Poll,
        Acknowledged::Duplicate,
    ] {
        let settles = Transition::Settles(Outcome::Acknowledged(how));
        assert_eq!(step(failed, Occurrence::Acknowledged(how)), settles);
    }
    assert_eq!(step(failed, Occurrence::Requeued), Transition::Reopens);
    for nothing in [
        Occurrence::Acknowledged(Acknowledged::Assumed),
        Occurrence::ErrorsReachedCap,
        Occurrence::TimeIsOver,
        Occurrence::Withdrawn(Withdrawn::RegistrationDeleted),
    ] {
        assert_eq!(step(failed, nothing), Transition::Nothing);
    }
}

proptest! {
    // D-08, P-05
    #[test]
    fn over_any_history_only_a_failed_event_changes_again(history in proptest::collection::vec(occurrences(), 0..24)) {
        let mut settled: Option<Outcome> = None;
        for occurrence in history {
            let before = settled;
            match step(settled, occurrence) {
                Transition::Settles(outcome) => settled = Some(outcome),
                Transition::Reopens => {
                    prop_assert_eq!(before, Some(Outcome::Failed));
                    settled = None;
                }
                Transition::Nothing => {}
            }
            if let Some(ended) = before.filter(|outcome| *outcome != Outcome::Failed) {
                prop_assert_eq!(settled, Some(ended));
            }
            if before == Some(Outcome::Failed) && settled != before {
                let left = settled.map(Outcome::ending);
                prop_assert!(left.is_none() || left == Some(Ending::Acknowledged));
            }
        }
    }
}
