use proptest::prelude::*;

use super::*;

fn policies() -> impl Strategy<Value = Policy> {
    (
        1..60_000u64,
        1.0..10.0f64,
        1..100u64,
        0..200u32,
        1..1_000u64,
    )
        .prop_map(|(base, factor, ceiling, retries_max, window)| Policy {
            base: Duration::from_millis(base),
            factor,
            ceiling: Duration::from_millis(base * ceiling),
            retries_max,
            window: Duration::from_millis(base * window),
        })
}

// D-05
#[test]
fn the_default_policy_tries_for_72_hours_and_is_sound() {
    let policy = Policy::default();
    assert_eq!(policy.faults(), []);
    let windows = policy.windows();
    assert_eq!(windows.longest, Duration::from_secs(72 * 60 * 60));
    assert!(
        windows.shortest > Duration::from_secs(54 * 60 * 60),
        "{windows:?}"
    );
}

// D-05
#[test]
fn what_is_read_is_sound_and_what_is_left_out_is_the_defaults() {
    let read = |text: &str| serde_json::from_str::<Policy>(text);
    let said = Policy {
        base: Duration::from_millis(250),
        ..Policy::default()
    };
    assert_eq!(read(r#"{"base": "250ms"}"#).unwrap(), said);
    assert_eq!(read(&serde_json::to_string(&said).unwrap()).unwrap(), said);
    let unsound = read(r#"{"base": "2h", "factor": -1.0}"#)
        .unwrap_err()
        .to_string();
    assert!(
        unsound.contains("factor: ") && unsound.contains("ceiling: "),
        "{unsound}"
    );
    assert!(read(r#"{"bases": "1s"}"#).is_err());
}

// D-05
#[test]
fn a_policys_three_limits_end_it() {
    let policy = Policy {
        retries_max: 2,
        ..Policy::default()
    };
    let next = |failures, elapsed| policy.next(failures, Duration::from_secs(elapsed), None, 0.0);
    assert_eq!(next(1, 0), Next::After(Duration::from_millis(500)));
    assert_eq!(next(2, 1), Next::After(Duration::from_secs(1)));
    assert_eq!(next(3, 3), Next::Exhausted(Limit::Retries));
    assert_eq!(next(2, 72 * 3600), Next::Exhausted(Limit::Window));
    assert_eq!(
        next(1, 72 * 3600 - 1),
        Next::After(Duration::from_millis(500))
    );
    assert_eq!(policy.step(50), Duration::from_secs(3600));
}

// D-05
#[test]
fn retry_after_lengthens_a_delay_up_to_the_ceiling() {
    let policy = Policy::default();
    let after = |seconds| policy.next(1, Duration::ZERO, Some(Duration::from_secs(seconds)), 0.0);
    assert_eq!(after(0), Next::After(Duration::from_millis(500)));
    assert_eq!(after(90), Next::After(Duration::from_secs(90)));
    assert_eq!(after(1_000_000), Next::After(Duration::from_secs(3600)));
}

// D-05
#[test]
fn everything_wrong_with_a_policy_is_said_at_once() {
    let policy = Policy {
        base: Duration::ZERO,
        factor: f64::NAN,
        retries_max: u32::MAX,
        ..Policy::default()
    };
    let paths = |policy: Policy| -> Vec<_> {
        policy
            .faults()
            .into_iter()
            .filter_map(|fault| fault.path)
            .collect()
    };
    assert_eq!(paths(policy), ["base", "factor", "retries_max"]);
    let long = Policy {
        base: Duration::from_secs(1_000_000),
        ..Policy::default()
    };
    assert_eq!(paths(long), ["ceiling", "window"]);
}

// D-05
#[test]
fn an_unsound_policy_that_nobody_checked_waits_for_its_ceiling_and_never_panics() {
    for factor in [-2.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let policy = Policy {
            factor,
            ..Policy::default()
        };
        assert_eq!(policy.step(1), policy.ceiling, "{factor}");
        assert!(policy.windows().longest <= policy.window, "{factor}");
    }
}

// D-05
#[test]
fn a_policy_is_written_with_units() {
    let text = serde_json::to_string(&Policy::default()).unwrap();
    assert_eq!(
        text,
        r#"{"base":"1s","factor":2.0,"ceiling":"1h","retries_max":120,"window":"3d"}"#
    );
    assert_eq!(
        serde_json::from_str::<Policy>(r#"{"base":"1s"}"#).unwrap(),
        Policy::default()
    );
    assert!(serde_json::from_str::<Policy>(r#"{"base":1}"#).is_err());
}

proptest! {
    // D-05
    #[test]
    fn delays_lie_between_half_the_step_and_the_step_unless_the_window_cuts_them(
        policy in policies(), failures in 1..50u32, draw in 0.0..1.0f64,
    ) {
        let step = policy.step(failures - 1);
        match policy.next(failures, Duration::ZERO, None, draw) {
            Next::After(delay) => {
                prop_assert!(delay <= step && delay <= policy.window);
                prop_assert!(delay * 2 + Duration::from_nanos(2) >= step || delay == policy.window);
            }
            Next::Exhausted(limit) => {
                prop_assert_eq!(limit, Limit::Retries);
                prop_assert!(failures > policy.retries_max);
            }
        }
    }

    // D-05
    #[test]
    fn steps_never_shrink_and_never_pass_the_ceiling(policy in policies(), retry in 0..300u32) {
        prop_assert!(policy.step(retry) <= policy.step(retry + 1));
        prop_assert!(policy.step(retry) <= policy.ceiling);
        prop_assert_eq!(policy.step(0), policy.base);
    }

    // D-05
    #[test]
    fn a_run_of_failures_ends_within_both_limits_and_within_the_printed_windows(
        policy in policies(), draws in proptest::collection::vec(0.0..1.0f64, 256),
    ) {
        let (mut elapsed, mut retries) = (Duration::ZERO, 0u32);
        for draw in draws {
            match policy.next(retries + 1, elapsed, None, draw) {
                Next::After(delay) => { elapsed += delay; retries += 1; }
                Next::Exhausted(_) => break,
            }
        }
        prop_assert!(retries <= policy.retries_max);
        prop_assert!(elapsed <= policy.window);
        let windows = policy.windows();
        prop_assert!(windows.shortest <= elapsed && elapsed <= windows.longest, "{:?} {:?}", windows, elapsed);
    }
}
