//! A copy that was cut off, and what becomes of both sides until it is done.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use oyez_domain::actor::Actor;
use oyez_domain::event::Family;
use oyez_domain::ids::RegistrationId;
use oyez_domain::ledger::registering::Wish;
use oyez_domain::rules::Rules;
use oyez_domain::tpp::Overrides;
use oyez_domain::version::ApiVersion;
use oyez_store::Error;
use oyez_store::copy::{Difference, Fault, Step};
use oyez_testkit::making::{
    DAWN, Jtis, UPDATE, client, everything, notice, profile, rules, submission,
};

use super::home::Home;
use super::home::Kind::{self, Postgres, Sqlite};

/// Each way, and each within a kind.
pub(super) const WAYS: [[Kind; 2]; 4] = [
    [Sqlite, Postgres],
    [Postgres, Sqlite],
    [Sqlite, Sqlite],
    [Postgres, Postgres],
];

/// A ledger with three TPPs, and so many events of each.
pub(super) async fn with_events(kind: Kind, events: usize, rules: &Arc<Rules>) -> Home {
    let home = kind.home().await;
    let ledger = home.open(rules).await;
    let store = ledger.store();
    let jtis = Jtis::from(1);
    for name in ["tpp-1", "tpp-2", "tpp-3"] {
        let tpp = client(name);
        let made = store.register_tpp(
            Actor::System,
            tpp.clone(),
            profile(Overrides::default()),
            DAWN,
        );
        assert!(made.await.unwrap().is_some());
        let id = RegistrationId::new(format!("of-{name}")).unwrap();
        let wish = Wish::Subscription(everything());
        let made = store.create_registration(tpp.clone(), id, wish, ApiVersion::V4_0, DAWN);
        assert!(made.await.unwrap().is_ok());
        let item = || submission(jtis.next(DAWN), notice(&tpp, Family::Aisp, &[UPDATE]));
        let batch = (0..events).map(|_| item()).collect();
        store.accept(batch, DAWN).await.unwrap();
    }
    ledger.close().await;
    home
}

/// Copies until the nth word about it, and stops there as a process does that is killed.
fn copy_until(nth: usize, from: &Home, to: &Home, rules: &Arc<Rules>) -> bool {
    let mut told = 0;
    let mut tell = |_| {
        told += 1;
        assert!(told <= nth, "cut off");
    };
    let done = catch_unwind(AssertUnwindSafe(|| from.try_copy(to, 1, rules, &mut tell)));
    done.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_goes_on_where_it_was_cut_off_and_is_no_ledger_until_it_is_done() {
    let rules = rules();
    for [from, to] in WAYS {
        let (from, to) = (with_events(from, 20, &rules).await, to.home().await);
        let mut nth = 1;
        while !copy_until(nth, &from, &to, &rules) {
            nth += 1;
            let refused = to.try_open(&rules).await;
            assert!(
                matches!(refused, Err(Error::Unfinished { .. })),
                "{refused:?}"
            );
            for refused in to.try_to_look().await {
                assert!(
                    matches!(refused, Some(Error::Unfinished { .. })),
                    "{refused:?}"
                );
            }
        }
        // Every round but the first went on: each had one more word, and what was copied was not copied again.
        assert!((20..40).contains(&nth), "{nth} rounds");
        to.try_open(&rules).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_since_is_another_ledger() {
    let rules = rules();
    for [from, to] in WAYS {
        let (from, to) = (with_events(from, 3, &rules).await, to.home().await);
        assert!(!copy_until(3, &from, &to, &rules));
        from.try_open(&rules).await.unwrap();
        let refused = from.try_copy(&to, 2, &rules, &mut |_| {}).unwrap_err();
        assert!(matches!(refused, Fault::AnotherCopy { .. }), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_begins_to_work_with_either_side_meanwhile() {
    let rules = rules();
    for [from, to] in WAYS {
        let (from, to) = (with_events(from, 3, &rules).await, to.home().await);
        let mut tell = |step| {
            if matches!(step, Step::Comparing { .. }) {
                let opened = tokio::runtime::Handle::current()
                    .block_on(async { [from.try_open(&rules).await, to.try_open(&rules).await] });
                for refused in opened {
                    assert!(
                        matches!(refused, Err(Error::InUse { .. } | Error::Unfinished { .. })),
                        "{refused:?}"
                    );
                }
            }
        };
        from.try_copy(&to, 1, &rules, &mut tell).unwrap();
        to.try_open(&rules).await.unwrap();
        from.try_open(&rules).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_row_that_differs_is_named_and_the_target_is_no_ledger() {
    let rules = rules();
    let cases = [
        (
            "UPDATE queues SET accepted = accepted + 1 WHERE tpp = 2",
            "queues",
            "tpp 2",
            Difference::Changed,
        ),
        (
            "DELETE FROM outstanding WHERE tpp = 1 AND position = 2",
            "outstanding",
            "tpp 1, position 2",
            Difference::Missing,
        ),
        (
            "INSERT INTO disowned_keys (kid, disowned_at) VALUES ('k', 1)",
            "disowned_keys",
            "kid \"k\"",
            Difference::Extra,
        ),
    ];
    for [from, to] in WAYS {
        for (statement, table, key, what) in cases {
            let (from, to) = (with_events(from, 3, &rules).await, to.home().await);
            let mut tell = |step| {
                if matches!(step, Step::Comparing { .. }) {
                    tokio::runtime::Handle::current().block_on(to.tamper(statement));
                }
            };
            let fault = from.try_copy(&to, 1, &rules, &mut tell).unwrap_err();
            let expected = Fault::Differs {
                table,
                key: key.to_owned(),
                what,
            };
            assert_eq!(format!("{fault:?}"), format!("{expected:?}"));
            let refused = to.try_open(&rules).await;
            assert!(
                matches!(refused, Err(Error::Unfinished { .. })),
                "{refused:?}"
            );
        }
    }
}
