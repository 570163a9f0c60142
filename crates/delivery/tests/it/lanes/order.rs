//! In which order things leave, how many at once, and what a lane costs.

use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::ledger::push::Verdict;
use oyez_domain::life::State;
use oyez_domain::tpp::{DeliveryOrder, Overrides};
use oyez_testkit::dice::Dice;

use super::endpoints::Behaviour;
use super::world::{MINUTE, SLOW_PROBE, World};

// D-10, D-08
#[tokio::test(start_paused = true)]
async fn first_attempts_start_in_the_order_of_acceptance_and_all_arrive_once() {
    let mut world = World::new(1);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    let mut accepted = Vec::new();
    for _ in 0..20 {
        accepted.extend(world.accept(&tpp, 17).await);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    world.all_settled(&tpp, MINUTE).await;
    let arrived: Vec<_> = world.arrivals(&tpp).iter().map(|it| it.jti).collect();
    assert_eq!(arrived, accepted);
    assert_eq!(world.endpoints.most_in_flight(&tpp), 8);
    world.assert_sound();
}

// D-09
#[tokio::test(start_paused = true)]
async fn a_tpp_has_as_many_in_flight_as_its_own_limit_says() {
    let mut world = World::new(2);
    world.start();
    let overrides = Overrides {
        pushes_at_once_max: NonZeroU32::new(3),
        ..Overrides::default()
    };
    let tpp = world.tpp("acme", overrides).await;
    world.accept(&tpp, 100).await;
    world.all_settled(&tpp, MINUTE).await;
    assert_eq!(world.endpoints.most_in_flight(&tpp), 3);
}

// D-10
#[tokio::test(start_paused = true)]
async fn in_strict_order_the_next_waits_until_the_one_before_is_settled_and_the_oldest_probes() {
    let mut world = World::new(3);
    world.start();
    let overrides = Overrides {
        delivery_order: Some(DeliveryOrder::Strict),
        ..Overrides::default()
    };
    let tpp = world.tpp("acme", overrides).await;
    world.behave(&tpp, Behaviour::Down);
    let accepted = world.accept(&tpp, 12).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let probes = world.arrivals(&tpp);
    assert!(probes.len() >= 4, "{}", probes.len());
    assert!(probes.iter().all(|it| it.jti == accepted[0]));
    world.behave(&tpp, Behaviour::Up);
    world.all_settled(&tpp, MINUTE).await;
    let arrived: Vec<_> = world.arrivals(&tpp)[probes.len()..]
        .iter()
        .map(|it| it.jti)
        .collect();
    assert_eq!(arrived, accepted);
    assert_eq!(world.endpoints.most_in_flight(&tpp), 1);
    world.assert_sound();
}

// D-01, D-14, P-09
#[tokio::test(start_paused = true)]
async fn each_attempt_has_an_interaction_id_of_its_own_and_is_recorded_with_it() {
    let mut world = World::new(4);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Status(503));
    let jti = world.accept(&tpp, 1).await[0];
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.behave(&tpp, Behaviour::Up);
    world.all_settled(&tpp, MINUTE).await;
    let arrivals = world.arrivals(&tpp);
    let recorded = world.file(jti).await.attempts;
    let sent: Vec<_> = arrivals
        .iter()
        .map(|it| it.interaction_id.clone())
        .collect();
    let written: Vec<_> = recorded
        .iter()
        .map(|it| it.interaction_id.to_string())
        .collect();
    assert_eq!(sent, written);
    assert!(sent.len() >= 3);
    let mut different = sent.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), sent.len());
    assert!(arrivals.iter().all(|it| it.set == arrivals[0].set));
    world.assert_sound();
}

// D-09
#[tokio::test(start_paused = true)]
async fn what_a_lane_asks_of_the_ledger_is_a_small_share_per_event() {
    let mut world = World::new(5);
    world.faults.take(Duration::from_millis(2));
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.accept(&tpp, 800).await;
    world.all_settled(&tpp, MINUTE).await;
    let asked = |method| world.faults.asked(method);
    assert!(asked("due_for_push") <= 40, "{}", asked("due_for_push"));
    assert!(
        asked("record_attempts") <= 400,
        "{}",
        asked("record_attempts")
    );
    assert_eq!((asked("put_back"), asked("recheck")), (0, 0));
    assert_eq!(asked("report_lanes"), 0);
}

// D-09, P-14
#[tokio::test(start_paused = true)]
async fn an_endpoint_slower_than_anything_is_never_sent_one_event_twice_at_once() {
    let mut world = World::new(6);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Slow(Duration::from_millis(9_900)));
    world.accept(&tpp, 60).await;
    world.all_settled(&tpp, MINUTE * 3).await;
    assert_eq!(world.arrivals(&tpp).len(), 60, "each once");
    world.assert_sound();
}

// D-09
#[tokio::test(start_paused = true)]
async fn a_dead_a_hanging_and_a_refusing_endpoint_delay_nobody_else() {
    let mut world = World::new(7);
    world.start();
    let mut dice = Dice::new(7);
    let well = world.tpp("well", Overrides::default()).await;
    for (name, behaviour) in [
        ("dead", Behaviour::Down),
        ("hangs", Behaviour::Hangs),
        ("refuses", Behaviour::Status(400)),
    ] {
        let ill = world.tpp(name, Overrides::default()).await;
        world.behave(&ill, behaviour);
        world.accept(&ill, 500).await;
    }
    for _ in 0..50 {
        let jti = world.accept(&well, 1).await[0];
        tokio::time::sleep(Duration::from_millis(100 + dice.roll() % 400)).await;
        let file = world.file(jti).await;
        assert_eq!(file.attempts.len(), 1);
        let waited = file.attempts[0].started_at.since(file.summary.accepted_at);
        assert!(waited <= Duration::from_millis(5), "{waited:?}");
    }
    world.assert_sound();
}

// D-04, D-10
#[tokio::test(start_paused = true)]
async fn after_many_failed_probes_events_come_in_the_order_of_acceptance() {
    for outage in [5, 20, 60, 3_000] {
        let mut world = World::new(8);
        world.start();
        let tpp = world.tpp("acme", Overrides::default()).await;
        world.behave(&tpp, Behaviour::Down);
        let accepted = world.accept(&tpp, 40).await;
        tokio::time::sleep(Duration::from_secs(outage)).await;
        let before = world.arrivals(&tpp).len();
        world.behave(&tpp, Behaviour::Up);
        world.all_settled(&tpp, SLOW_PROBE + MINUTE).await;
        let arrived: Vec<_> = world.arrivals(&tpp)[before..]
            .iter()
            .map(|it| it.jti)
            .collect();
        let prober = arrived[0];
        assert!(accepted[..8].contains(&prober), "one of the oldest probes");
        let others = accepted.iter().copied().filter(|jti| *jti != prober);
        assert_eq!(arrived[1..], others.collect::<Vec<_>>());
        world.assert_sound();
    }
}

// D-04, D-10
#[tokio::test(start_paused = true)]
async fn first_attempts_keep_the_order_of_acceptance_through_an_outage() {
    let mut world = World::new(9);
    world.start();
    let overrides = Overrides {
        pushes_at_once_max: NonZeroU32::new(1),
        ..Overrides::default()
    };
    let tpp = world.tpp("acme", overrides).await;
    world.behave(&tpp, Behaviour::Down);
    let accepted = world.accept(&tpp, 40).await;
    tokio::time::sleep(MINUTE * 50).await;
    world.behave(&tpp, Behaviour::Up);
    world.all_settled(&tpp, SLOW_PROBE + MINUTE).await;
    let mut first = Vec::new();
    for arrival in world.arrivals(&tpp) {
        if !first.contains(&arrival.jti) {
            first.push(arrival.jti);
        }
    }
    assert_eq!(first, accepted);
}

// D-04, D-07
#[tokio::test(start_paused = true)]
async fn an_event_that_an_endpoint_cannot_bear_holds_up_nobody_and_backs_off_by_itself() {
    let mut world = World::new(10);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    let poison = world.accept_silently(&tpp, 1).await[0];
    world.behave(&tpp, Behaviour::BreaksAt([poison].into()));
    world.accept(&tpp, 60).await;
    let others = async || world.outstanding(&tpp).await == 1;
    world.until("the others are through", MINUTE, others).await;
    let charged = async || {
        let attempts = world.file(poison).await.attempts;
        let refused = |verdict| matches!(verdict, Verdict::Refused { again_at: Some(_) });
        attempts.last().is_some_and(|last| refused(last.verdict))
    };
    world
        .until("the poison is charged", MINUTE * 5, charged)
        .await;
    for _ in 0..20 {
        let told = world.accept(&tpp, 3).await;
        world
            .until("what is new is not held up", MINUTE, async || {
                let mut settled = true;
                for jti in &told {
                    settled &= world.file(*jti).await.summary.state != State::Outstanding;
                }
                settled
            })
            .await;
    }
    world.assert_sound();
}

// D-08, P-14
#[tokio::test(start_paused = true)]
async fn what_was_signed_too_late_goes_back_at_once_and_is_not_slept_over() {
    let mut world = World::new(12);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    *world.signing_takes.lock().unwrap() = Duration::from_secs(3);
    world.accept(&tpp, 20).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    *world.signing_takes.lock().unwrap() = Duration::ZERO;
    world.all_settled(&tpp, Duration::from_secs(5)).await;
    world.assert_sound();
}
