//! Outages, refusals and recovery, as TPPs and the ledger see them.

use std::time::Duration;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::{Health, HealthState};
use oyez_domain::life::State;
use oyez_domain::retry::Policy;
use oyez_domain::tpp::{Acknowledgement, Overrides};
use oyez_store::Error;

use super::endpoints::Behaviour;
use super::world::{MINUTE, POLICY, SLOW_PROBE, World};

async fn failures(world: &World, tpp: &ClientId) -> u32 {
    match world.health(tpp).await {
        Health::Failing { failures, .. } | Health::Unresponsive { failures, .. } => failures,
        Health::Responsive | Health::Paused { .. } => 0,
    }
}

/// How many of those that arrived after so many did so together, round by round.
fn rounds(world: &World, tpp: &ClientId, before: usize) -> Vec<usize> {
    let arrivals = &world.arrivals(tpp)[before..];
    let together = arrivals.chunk_by(|one, next| one.at == next.at);
    together.take(4).map(<[_]>::len).collect()
}

// D-03, D-04, D-06
#[tokio::test(start_paused = true)]
async fn a_dead_endpoint_costs_one_probe_per_step_however_long_its_queue() {
    for status in [301, 401, 403, 404, 410, 500, 503] {
        let mut world = World::new(10);
        world.start();
        let tpp = world.tpp("acme", Overrides::default()).await;
        world.accept(&tpp, 20).await;
        world.all_settled(&tpp, MINUTE).await;
        world.behave(&tpp, Behaviour::Status(status));
        world.accept(&tpp, 400).await;
        tokio::time::sleep(MINUTE * 30).await;
        let arrivals = &world.arrivals(&tpp)[20..];
        let probes = arrivals
            .iter()
            .filter(|it| it.health != Health::Responsive)
            .count();
        assert_eq!(
            arrivals.len() - probes,
            8,
            "what was in flight when it began"
        );
        assert_eq!(
            u32::try_from(probes).unwrap() + 1,
            failures(&world, &tpp).await
        );
        assert_eq!(
            probes,
            6 + 2,
            "by the policy, and two slow ones, on {status}"
        );
        world.assert_sound();
    }
}

// D-06, D-08
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_comes_back_gets_everything_ramping_up() {
    let mut world = World::new(11);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Down);
    world.accept(&tpp, 100).await;
    tokio::time::sleep(MINUTE * 5).await;
    assert!(matches!(
        world.health(&tpp).await,
        Health::Unresponsive { .. }
    ));
    let before = world.arrivals(&tpp).len();
    world.behave(&tpp, Behaviour::Up);
    world.all_settled(&tpp, SLOW_PROBE + MINUTE).await;
    assert_eq!(world.health(&tpp).await, Health::Responsive);
    assert_eq!(rounds(&world, &tpp, before), [1, 2, 4, 8]);
    world.assert_sound();
}

// P-14, D-04
#[tokio::test(start_paused = true)]
async fn a_backoff_never_hides_an_event_from_polls() {
    let mut world = World::new(12);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Status(503));
    world.accept(&tpp, 50).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(matches!(world.health(&tpp).await, Health::Failing { .. }));
    assert_eq!(
        world.poll(&tpp, Vec::new(), 100).await.len(),
        50,
        "all are due"
    );
}

// D-06, D-07
#[tokio::test(start_paused = true)]
async fn put_or_an_operator_brings_an_unresponsive_endpoint_back_at_once() {
    for by_put in [true, false] {
        let mut world = World::new(13);
        world.options.slow_probe = None;
        world.start();
        let tpp = world.tpp("acme", Overrides::default()).await;
        world.behave(&tpp, Behaviour::Down);
        world.accept(&tpp, 20).await;
        tokio::time::sleep(MINUTE * 60).await;
        assert!(matches!(
            world.health(&tpp).await,
            Health::Unresponsive {
                next_probe_at: None,
                ..
            }
        ));
        let told = world.watched.healths.lock().unwrap().clone();
        let states: Vec<_> = told.iter().map(|(_, health)| health.state()).collect();
        assert_eq!(states.len(), 7, "each step once: {states:?}");
        assert_eq!(
            states.last(),
            Some(&HealthState::Unresponsive),
            "the bank is told"
        );
        let before = world.arrivals(&tpp).len();
        assert_eq!(before, 1 + 6, "and nothing more without a slow probe");
        world.behave(&tpp, Behaviour::Slow(Duration::from_secs(1)));
        if by_put {
            world.put(&tpp, "acme.example").await;
        } else {
            world.resume(&tpp).await;
        }
        world.all_settled(&tpp, MINUTE).await;
        assert_eq!(rounds(&world, &tpp, before), [1, 2, 4, 8], "ramping up");
        world.assert_sound();
    }
}

// D-04, D-07
#[tokio::test(start_paused = true)]
async fn a_refused_event_backs_off_alone_until_it_is_poll_only_and_a_put_tries_it_again() {
    let mut world = World::new(14);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    let bad = world.accept_silently(&tpp, 1).await[0];
    world.behave(&tpp, Behaviour::Refuses([bad].into()));
    for _ in 0..300 {
        world.accept(&tpp, 1).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(world.outstanding(&tpp).await, 1, "the others flowed");
    assert_eq!(
        world.file(bad).await.attempts.len(),
        1 + 6,
        "its own policy"
    );
    assert_eq!(world.health(&tpp).await, Health::Responsive);
    assert_eq!(
        world.poll(&tpp, Vec::new(), 10).await,
        [bad],
        "polls may have it"
    );
    world.behave(&tpp, Behaviour::Up);
    world.put(&tpp, "acme.example").await;
    world.all_settled(&tpp, MINUTE * 2).await;
    world.assert_sound();
}

// D-04
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_refuses_everything_is_an_outage() {
    let mut world = World::new(15);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Status(422));
    world.accept(&tpp, 400).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(matches!(world.health(&tpp).await, Health::Failing { .. }));
    let arrivals = world.arrivals(&tpp).len();
    assert!(arrivals <= 8 + 2 + 5, "{arrivals}");
    world.behave(&tpp, Behaviour::Up);
    world.put(&tpp, "acme.example").await;
    world.all_settled(&tpp, MINUTE).await;
    world.assert_sound();
}

// D-04, D-07
#[tokio::test(start_paused = true)]
async fn one_event_that_breaks_an_endpoint_does_not_stand_in_for_it() {
    let mut world = World::new(16);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    let poison = world.accept_silently(&tpp, 1).await[0];
    world.behave(&tpp, Behaviour::BreaksAt([poison].into()));
    world.accept(&tpp, 200).await;
    world
        .until("all but one arrive", MINUTE, async || {
            world.outstanding(&tpp).await == 1
        })
        .await;
    tokio::time::sleep(MINUTE * 10).await;
    let attempts = world.file(poison).await.attempts.len();
    assert!(attempts < 25, "{attempts}");
    let jti = world.accept(&tpp, 1).await[0];
    tokio::time::sleep(MINUTE).await;
    assert_ne!(world.file(jti).await.summary.state, State::Outstanding);
    world.assert_sound();
}

// D-05
#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_within_the_ceiling() {
    let mut world = World::new(17);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Busy(Duration::from_secs(20)));
    world.accept(&tpp, 1).await;
    tokio::time::sleep(Duration::from_secs(19)).await;
    assert_eq!(world.arrivals(&tpp).len(), 1);
    world.behave(&tpp, Behaviour::Busy(Duration::from_secs(2_000)));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.arrivals(&tpp).len(), 2);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(world.arrivals(&tpp).len(), 3, "the ceiling is 30 seconds");
}

// D-02
#[tokio::test(start_paused = true)]
async fn what_counts_as_an_acknowledgement_is_the_tpps_own_term() {
    let mut world = World::new(18);
    world.start();
    for (name, acknowledgement, arrives) in [
        ("standard", Acknowledgement::Standard, false),
        ("strict", Acknowledgement::Strict, false),
        ("lenient", Acknowledgement::Lenient, true),
    ] {
        let overrides = Overrides {
            acknowledgement: Some(acknowledgement),
            ..Overrides::default()
        };
        let tpp = world.tpp(name, overrides).await;
        world.behave(&tpp, Behaviour::Status(200));
        world.accept(&tpp, 1).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(world.outstanding(&tpp).await == 0, arrives, "{name}");
    }
}

// D-05, D-06
#[tokio::test(start_paused = true)]
async fn clocks_that_jump_make_no_probe_late_or_early() {
    for jump in [-40_000_000_i64, 40_000] {
        let mut world = World::new(19);
        world.start();
        let tpp = world.tpp("acme", Overrides::default()).await;
        world.behave(&tpp, Behaviour::Down);
        world.accept(&tpp, 20).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let now = world.now().unix_ms();
        world
            .clock
            .set(oyez_domain::time::Timestamp::from_unix_ms(now + jump));
        let before = world.arrivals(&tpp).len();
        tokio::time::sleep(MINUTE).await;
        let probes = world.arrivals(&tpp).len() - before;
        assert!((1..=5).contains(&probes), "{probes} after {jump} ms");
    }
}

// D-05, D-07
#[tokio::test(start_paused = true)]
async fn a_refused_event_is_not_sent_again_before_the_time_that_came_with_the_refusal() {
    let mut world = World::new(20);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::RefusesFor(Duration::from_secs(20)));
    let refused = world.accept(&tpp, 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.behave(&tpp, Behaviour::Up);
    world.accept(&tpp, 20).await;
    tokio::time::sleep(Duration::from_secs(19)).await;
    assert_eq!(world.outstanding(&tpp).await, 1, "the others flow");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.outstanding(&tpp).await, 0);
    assert_eq!(world.file(refused[0]).await.attempts.len(), 2);
    world.behave(&tpp, Behaviour::RefusesFor(Duration::from_secs(2_000)));
    world.accept(&tpp, 1).await;
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(world.arrivals(&tpp).len(), 24, "the ceiling is 30 seconds");
    world.assert_sound();
}

// D-06
#[tokio::test(start_paused = true)]
async fn a_slow_probe_that_is_switched_on_later_finds_whoever_was_given_up_before() {
    for is_empty in [false, true] {
        let mut world = World::new(21);
        world.options.slow_probe = None;
        world.start();
        let tpp = world.tpp("acme", Overrides::default()).await;
        world.behave(&tpp, Behaviour::Down);
        let queued = world.accept(&tpp, 20).await;
        tokio::time::sleep(MINUTE * 30).await;
        if is_empty {
            world.poll(&tpp, queued, 0).await;
        }
        tokio::time::sleep(MINUTE * 240).await;
        let before = world.arrivals(&tpp).len();
        assert_eq!(before, 1 + 6, "nothing more without a slow probe");
        world.stop().await;
        world.options.slow_probe = Some(SLOW_PROBE);
        world.start();
        tokio::time::sleep(MINUTE).await;
        if is_empty {
            world.accept(&tpp, 1).await;
            tokio::time::sleep(MINUTE).await;
        }
        assert_eq!(world.arrivals(&tpp).len(), before + 1, "it is long due");
        world.behave(&tpp, Behaviour::Up);
        world.all_settled(&tpp, SLOW_PROBE + MINUTE).await;
        world.assert_sound();
    }
}

// D-06
#[tokio::test(start_paused = true)]
async fn a_slow_probe_that_is_switched_off_later_is_off_for_whoever_was_given_up_before() {
    let mut world = World::new(22);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Down);
    world.accept(&tpp, 20).await;
    tokio::time::sleep(MINUTE * 5).await;
    world.stop().await;
    world.options.slow_probe = None;
    world.start();
    let before = world.arrivals(&tpp).len();
    tokio::time::sleep(MINUTE * 240).await;
    assert_eq!(world.arrivals(&tpp).len(), before);
    world.resume(&tpp).await;
    world.behave(&tpp, Behaviour::Up);
    world.all_settled(&tpp, MINUTE).await;
}

// D-04, D-07
#[tokio::test(start_paused = true)]
async fn refusals_are_counted_though_the_lane_sleeps_between_them() {
    for acknowledges in [false, true] {
        let mut world = World::new(23);
        world.options.retry = Policy {
            base: MINUTE * 10,
            ceiling: MINUTE * 10,
            window: MINUTE * 100,
            ..POLICY
        };
        world.start();
        let tpp = world.tpp("acme", Overrides::default()).await;
        for number in 0..3 {
            let is_good = acknowledges && number == 1;
            let status = if is_good { 202 } else { 422 };
            world.behave(&tpp, Behaviour::Status(status));
            world.accept(&tpp, 1).await;
            tokio::time::sleep(MINUTE).await;
        }
        assert_eq!(world.arrivals(&tpp).len(), 3);
        assert!(world.faults.asked("claim_lanes") > 100, "it slept");
        let is_well = world.health(&tpp).await == Health::Responsive;
        assert_eq!(is_well, acknowledges);
    }
}

// D-04, S-12
#[tokio::test(start_paused = true)]
async fn refusals_at_one_address_are_not_held_against_the_next() {
    for moves in [false, true] {
        let mut world = World::new(26);
        world.start();
        let tpp = world.tpp("acme", Overrides::default()).await;
        world.put(&tpp, "old.example").await;
        world.behave(&tpp, Behaviour::Status(422));
        let refused = world.accept(&tpp, 2).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.poll(&tpp, refused, 0).await;
        let host = if moves { "new.example" } else { "old.example" };
        world.put(&tpp, host).await;
        world.accept(&tpp, 1).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let is_well = world.health(&tpp).await == Health::Responsive;
        assert_eq!(is_well, moves);
        world.accept(&tpp, 2).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(matches!(world.health(&tpp).await, Health::Failing { .. }));
    }
}

// D-05, D-06, D-08
#[tokio::test(start_paused = true)]
async fn a_health_whose_writing_was_never_confirmed_is_written_again() {
    let mut world = World::new(24);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.accept(&tpp, 40).await;
    world.all_settled(&tpp, MINUTE).await;
    // One is slow and will be acknowledged; the other fails meanwhile.
    world.behave(&tpp, Behaviour::Slow(Duration::from_secs(2)));
    world.accept(&tpp, 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.behave(&tpp, Behaviour::Down);
    let error = Error::Unavailable {
        detail: "as the test says".to_owned(),
    };
    world.accept(&tpp, 1).await;
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(world.endpoints.in_flight(), 2);
    world.faults.lose_answers(error);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(matches!(world.health(&tpp).await, Health::Failing { .. }));
    world.behave(&tpp, Behaviour::Up);
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.faults.mend();
    world.all_settled(&tpp, MINUTE).await;
    assert_eq!(world.health(&tpp).await, Health::Responsive);
    world.assert_sound();
}

// D-04, D-06
#[tokio::test(start_paused = true)]
async fn an_attempt_that_fails_while_the_lane_is_claimed_anew_does_not_undo_what_a_put_mended() {
    let mut world = World::new(25);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Slow(Duration::from_secs(2)));
    world.accept(&tpp, 1).await;
    world.all_settled(&tpp, MINUTE).await;
    world.behave(&tpp, Behaviour::Hangs);
    world.accept(&tpp, 1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let hung = world.arrivals(&tpp)[1].at;
    // The claim happens before the attempt ends, and is heard of after that.
    tokio::time::sleep_until(hung + Duration::from_millis(9_990)).await;
    world.faults.take(Duration::from_millis(50));
    world.put(&tpp, "new.example").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    world.faults.take(Duration::ZERO);
    world.behave(&tpp, Behaviour::Up);
    tokio::time::sleep(Duration::from_millis(25)).await;
    assert_eq!(world.health(&tpp).await, Health::Responsive);
    world.all_settled(&tpp, Duration::from_secs(1)).await;
    assert_eq!(world.health(&tpp).await, Health::Responsive);
    assert_eq!(world.arrivals(&tpp).len(), 3);
    world.assert_sound();
}
