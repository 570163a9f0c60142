//! Several nodes: each has its share of the lanes (D-05, D-09).

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::ids::{ClientId, NodeId};
use oyez_domain::ledger::lanes::LaneFilter;
use oyez_domain::tpp::Overrides;
use oyez_store::Store;

use super::endpoints::Behaviour;
use super::world::{MINUTE, World};

/// So many TPPs with so many events, each of which takes its time.
async fn busy(world: &World, events: usize) -> Vec<ClientId> {
    let mut tpps = Vec::new();
    for nth in 0..TPPS {
        let overrides = Overrides {
            pushes_at_once_max: NonZeroU32::new(2),
            ..Overrides::default()
        };
        let tpp = world.tpp(&format!("tpp-{nth}"), overrides).await;
        world.behave(&tpp, Behaviour::Slow(Duration::from_millis(300)));
        world.accept(&tpp, events).await;
        tpps.push(tpp);
    }
    tpps
}

/// How many lanes each node has.
async fn owned(world: &World) -> Vec<u32> {
    let lanes = world
        .ledger
        .list_lanes(LaneFilter::default(), None, 100)
        .await;
    let mut owned = BTreeMap::<NodeId, u32>::new();
    for owner in lanes
        .unwrap()
        .rows
        .into_iter()
        .filter_map(|lane| lane.owner)
    {
        *owned.entry(owner).or_default() += 1;
    }
    owned.into_values().collect()
}

// D-05, D-09
#[tokio::test(start_paused = true)]
async fn nodes_that_start_beside_a_busy_one_get_their_share_and_nothing_is_pushed_twice() {
    let mut world = World::new(90);
    world.start();
    let tpps = busy(&world, 400).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(owned(&world).await, [10]);
    world.start_beside("other-1");
    world.start_beside("other-2");
    let shared_out = async || owned(&world).await == [4, 3, 3];
    world.until("each has its share", SOON, shared_out).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(owned(&world).await, [4, 3, 3], "and keeps it");
    for tpp in &tpps {
        world.all_settled(tpp, MINUTE * 5).await;
        let arrived = world.arrivals(tpp).len();
        assert_eq!(arrived, 400, "each once");
    }
}

// D-05, D-09
#[tokio::test(start_paused = true)]
async fn lanes_that_nobody_takes_are_taken_back_and_given_up_ever_more_rarely() {
    let mut world = World::new(91);
    let stuck = NodeId::new("stuck").unwrap();
    let lease = world.ledger.hold_lease(stuck, None, MINUTE * 60).await;
    assert!(lease.unwrap().is_some());
    world.start();
    let tpps = busy(&world, 400).await;
    let mut claims = 0;
    for tpp in &tpps {
        world.all_settled(tpp, MINUTE * 3).await;
        let lane = world.ledger.find_lane(tpp.clone()).await.unwrap();
        claims += lane.unwrap().claim;
    }
    assert!((TPPS as u64 + 5..60).contains(&claims), "{claims}");
}

const TPPS: usize = 10;
/// Some renewals, and what is in flight.
const SOON: Duration = Duration::from_secs(15);
