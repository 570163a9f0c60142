//! Push beside poll, and beside changes of the registration: one ledger (P-11, P-14, S-12).

use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::ledger::lanes::Health;
use oyez_domain::tpp::Overrides;

use super::endpoints::{Arrival, Behaviour};
use super::world::{MINUTE, World};

fn one_at_once() -> Overrides {
    Overrides {
        pushes_at_once_max: NonZeroU32::new(1),
        ..Overrides::default()
    }
}

// P-11
#[tokio::test(start_paused = true)]
async fn what_a_push_acknowledged_no_poll_gets_and_what_a_poll_acknowledged_no_push_brings() {
    let mut world = World::new(30);
    let tpp = world.tpp("acme", Overrides::default()).await;
    let polled = world.accept(&tpp, 3).await;
    world.poll(&tpp, polled.clone(), 1).await;
    let pushed = world.accept(&tpp, 3).await;
    world.start();
    world.all_settled(&tpp, MINUTE * 2).await;
    let arrived: Vec<_> = world.arrivals(&tpp).iter().map(|it| it.jti).collect();
    assert!(polled.iter().all(|jti| !arrived.contains(jti)));
    assert!(pushed.iter().all(|jti| arrived.contains(jti)));
    assert!(world.poll(&tpp, Vec::new(), 10).await.is_empty());
}

// P-14
#[tokio::test(start_paused = true)]
async fn an_event_in_flight_is_not_due_for_polls_and_a_late_202_changes_nothing() {
    let mut world = World::new(31);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Slow(Duration::from_secs(5)));
    let jtis = world.accept(&tpp, 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.poll(&tpp, Vec::new(), 10).await.is_empty());
    world.poll(&tpp, jtis.clone(), 10).await;
    let before = world.file(jtis[0]).await;
    tokio::time::sleep(MINUTE).await;
    let after = world.file(jtis[0]).await;
    assert_eq!(after.settlements, before.settlements);
    assert_eq!((before.attempts.len(), after.attempts.len()), (0, 1));
}

// P-14
#[tokio::test(start_paused = true)]
async fn what_is_acknowledged_while_it_is_held_ready_is_not_sent_a_second_later() {
    let mut world = World::new(32);
    world.start();
    let tpp = world.tpp("acme", one_at_once()).await;
    let first = world.accept(&tpp, 1).await;
    world.all_settled(&tpp, MINUTE).await;
    world.behave(&tpp, Behaviour::Slow(Duration::from_millis(1_500)));
    let held = world.accept(&tpp, 10).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.poll(&tpp, held.clone(), 1).await;
    tokio::time::sleep(MINUTE).await;
    assert_eq!(
        world.arrivals(&tpp).len(),
        first.len() + 1,
        "only what was in flight"
    );
    assert!(world.faults.asked("recheck") >= 1, "asked before the start");
    world.assert_sound();
}

// P-14, S-05
#[tokio::test(start_paused = true)]
async fn after_a_delete_nothing_is_sent_a_second_later() {
    let mut world = World::new(33);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.accept(&tpp, 2_000).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.delete(&tpp).await;
    tokio::time::sleep(MINUTE).await;
    assert_eq!(world.outstanding(&tpp).await, 0);
    let arrived = world.arrivals(&tpp).len();
    assert!((8..2_000).contains(&arrived), "{arrived}");
    world.assert_sound();
}

// S-12
#[tokio::test(start_paused = true)]
async fn outstanding_events_follow_a_new_callback_url_at_their_next_attempt() {
    let mut world = World::new(34);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.behave(&tpp, Behaviour::Down);
    world.accept(&tpp, 30).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let before = world.arrivals(&tpp).len();
    world.behave(&tpp, Behaviour::Up);
    assert!(world.put(&tpp, "new.example").await);
    world.all_settled(&tpp, MINUTE).await;
    let arrivals = world.arrivals(&tpp);
    assert_eq!(arrivals.len() - before, 30);
    assert!(
        arrivals[before..]
            .iter()
            .all(|it| it.callback_url.contains("//new.example/"))
    );
    world.assert_sound();
}

// S-12, I-04
#[tokio::test(start_paused = true)]
async fn a_pause_or_a_new_address_stops_at_once_what_was_chosen_before() {
    for pauses in [true, false] {
        let mut world = World::new(36);
        world.start();
        let tpp = world.tpp("acme", one_at_once()).await;
        world.behave(&tpp, Behaviour::Slow(Duration::from_millis(20)));
        world.accept(&tpp, 300).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        if pauses {
            world.pause(&tpp).await;
        } else {
            world.put(&tpp, "new.example").await;
        }
        let before = world.arrivals(&tpp).len();
        assert!((2..299).contains(&before), "{before}");
        let until_then = |it: &Arrival| !it.callback_url.contains("//new.example/");
        tokio::time::sleep(MINUTE * 2).await;
        let arrivals = world.arrivals(&tpp);
        assert_eq!(
            arrivals.iter().filter(|it| until_then(it)).count(),
            before,
            "nothing was started over an operator's or the TPP's head"
        );
        if pauses {
            assert_eq!(arrivals.len(), before);
            world.resume(&tpp).await;
        }
        world.all_settled(&tpp, MINUTE).await;
        assert_eq!(world.arrivals(&tpp).len(), 300, "each once");
        world.assert_sound();
    }
}

// I-04
#[tokio::test(start_paused = true)]
async fn a_paused_endpoint_gets_nothing_until_it_is_resumed() {
    let mut world = World::new(35);
    world.start();
    let tpp = world.tpp("acme", Overrides::default()).await;
    world.accept(&tpp, 300).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    world.pause(&tpp).await;
    tokio::time::sleep(MINUTE * 10).await;
    assert!(world.outstanding(&tpp).await > 0);
    assert_eq!(
        world.poll(&tpp, Vec::new(), 500).await.len() as u64,
        world.outstanding(&tpp).await
    );
    tokio::time::sleep(MINUTE * 2).await;
    world.resume(&tpp).await;
    world.all_settled(&tpp, MINUTE).await;
    world.assert_sound();
}

// I-04, D-06
#[tokio::test(start_paused = true)]
async fn what_is_in_flight_when_an_operator_acts_is_recorded_and_does_not_undo_it() {
    let mut world = World::new(37);
    world.start();
    let tpp = world.tpp("acme", one_at_once()).await;
    world.behave(&tpp, Behaviour::Slow(Duration::from_secs(5)));
    let jtis = world.accept(&tpp, 10).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.pause(&tpp).await;
    tokio::time::sleep(MINUTE).await;
    assert_eq!(world.outstanding(&tpp).await, 9, "its 202 counts");
    assert!(matches!(world.health(&tpp).await, Health::Paused { .. }));

    world.behave(&tpp, Behaviour::Hangs);
    world.resume(&tpp).await;
    let probing = async || world.endpoints.in_flight() == 1 && world.arrivals(&tpp).len() == 3;
    world.until("it is probed", MINUTE, probing).await;
    world.behave(&tpp, Behaviour::Up);
    world.resume(&tpp).await;
    world.all_settled(&tpp, Duration::from_secs(30)).await;
    tokio::time::sleep(MINUTE).await;
    assert_eq!(world.health(&tpp).await, Health::Responsive);
    let attempts: usize = world.file(jtis[1]).await.attempts.len();
    assert!(attempts >= 2, "the probe is on record: {attempts}");
    world.assert_sound();
}
