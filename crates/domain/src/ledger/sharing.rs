//! How lanes are shared out over the nodes that live, so that one that starts beside a busy one gets its share (D-09).
//!
//! Whoever looks sees the same: the nodes by their names, how many lanes each has, and how many lanes are free and have
//! something to do. From that each node has a target, and all targets add up to all lanes: so there is always a node that may
//! take a free one, and nodes that take no more than their targets are done when each has reached its own. A node gives up
//! what it has above its target when it has clearly more than the one that has the fewest: where they differ by less nothing
//! moves, so that lanes which come and go do not send others to and fro.
//!
//! Absent: which lanes are given up, and how. Whoever drives them knows what they are doing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::NodeId;

/// The nodes that live, and the lanes that there are to drive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Company {
    /// How many lanes each node has.
    pub loads: BTreeMap<NodeId, u64>,
    /// Lanes that nobody has, and that have something to do.
    pub free: u64,
    /// Those of them that waited for [`PASSED_OVER`].
    pub passed_over: u64,
}

impl Company {
    /// How many free lanes a node may take: up to its target, and whatever those whose turn it was have not taken.
    pub fn room(&self, node_id: &NodeId) -> u64 {
        let below = self.target(node_id).saturating_sub(self.load(node_id));
        below.max(self.passed_over)
    }

    /// How many lanes a node is to give up.
    pub fn surplus(&self, node_id: &NodeId) -> u64 {
        let (load, target) = (self.load(node_id), self.target(node_id));
        let least = self.loads.values().min().copied().unwrap_or(0);
        if load > least + margin(target) {
            load.saturating_sub(target)
        } else {
            0
        }
    }

    /// How many lanes a node would have if all were shared out. Where they cannot be shared equally, the first nodes by name
    /// have one more.
    pub fn target(&self, node_id: &NodeId) -> u64 {
        let lanes = self.loads.values().sum::<u64>() + self.free;
        let nodes = self.loads.len() as u64;
        let rank = self.loads.keys().position(|known| known == node_id);
        match rank {
            Some(rank) => lanes / nodes + u64::from((rank as u64) < lanes % nodes),
            // A node without a lease has no lanes.
            None => 0,
        }
    }

    fn load(&self, node_id: &NodeId) -> u64 {
        self.loads.get(node_id).copied().unwrap_or(0)
    }
}

/// How much more than the node with the fewest a node may have.
fn margin(target: u64) -> u64 {
    (target / MARGIN_PART).max(1)
}

/// A lane that is due for so long was left by those whose share it is in, who may be about to die: anybody takes it. Twice as
/// long as a node lets pass between two looks for lanes.
pub const PASSED_OVER: Duration = Duration::from_secs(2);

/// Nodes that differ by an eighth do as well as nodes that do not, and lanes come and go by so much.
const MARGIN_PART: u64 = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Nodes with so many lanes each.
    fn company(loads: &[u64], free: u64) -> Company {
        let nodes = loads.iter().enumerate();
        Company {
            loads: nodes.map(|(nth, load)| (node(nth), *load)).collect(),
            free,
            passed_over: 0,
        }
    }

    fn node(nth: usize) -> NodeId {
        NodeId::new(format!("node-{nth:03}")).unwrap()
    }

    fn loads(company: &Company) -> Vec<u64> {
        company.loads.values().copied().collect()
    }

    /// One node looks at what there is, gives up what is to be given up, or takes what it may. Answers whether anything moved.
    fn act(company: &mut Company, nth: usize, bound: u64) -> bool {
        let node = node(nth);
        let (surplus, room) = (company.surplus(&node), company.room(&node));
        assert!(surplus == 0 || room == 0, "{company:?}");
        let taken = room.min(company.free).min(bound);
        let load = company.loads.get_mut(&node).unwrap();
        *load = *load - surplus + taken;
        company.free = company.free + surplus - taken;
        surplus + taken > 0
    }

    // D-09
    #[test]
    fn a_node_that_joins_a_busy_one_gets_its_share() {
        let mut company = company(&[10, 0, 0], 0);
        assert_eq!(company.surplus(&node(0)), 6);
        for nth in [0, 2, 0, 1, 2, 0] {
            act(&mut company, nth, 64);
        }
        assert_eq!((loads(&company), company.free), (vec![4, 3, 3], 0));
    }

    // D-09
    #[test]
    fn nodes_that_join_one_after_another_end_with_as_many_as_those_that_join_at_once() {
        let mut company = company(&[5, 3, 2], 0);
        for nth in [1, 0, 1, 2] {
            act(&mut company, nth, 64);
        }
        assert_eq!((loads(&company), company.free), (vec![4, 3, 3], 0));
    }

    // D-09
    #[test]
    fn a_node_alone_takes_everything_and_gives_up_nothing() {
        let alone = company(&[7], 5);
        assert_eq!((alone.room(&node(0)), alone.surplus(&node(0))), (5, 0));
        assert_eq!(alone.room(&node(1)), 0, "it has no lease");
    }

    // D-05, D-09
    #[test]
    fn what_those_whose_turn_it_was_left_is_anybodys() {
        let mut company = company(&[4, 0], 3);
        assert_eq!(company.room(&node(0)), 0);
        company.passed_over = 2;
        assert_eq!(company.room(&node(0)), 2);
    }

    proptest! {
        // D-09
        #[test]
        fn nodes_in_any_order_come_to_rest_soon_with_equal_shares_and_no_lane_idle(
            loads in prop::collection::vec(0_u64..300, 1..12),
            free in 0_u64..300,
            order in prop::collection::vec(any::<prop::sample::Index>(), 200),
        ) {
            let mut company = company(&loads, free);
            let lanes = loads.iter().sum::<u64>() + free;
            let nodes = loads.len();
            for index in &order {
                act(&mut company, index.index(nodes), 64);
                prop_assert_eq!(company.loads.values().sum::<u64>() + company.free, lanes);
            }
            // Each in turn, as often as the bound of one claim asks for.
            for _ in 0..lanes / 64 + 2 {
                for nth in 0..nodes {
                    act(&mut company, nth, 64);
                }
            }
            prop_assert_eq!(company.free, 0);
            for nth in 0..nodes {
                let (load, target) = (company.loads[&node(nth)], company.target(&node(nth)));
                let least = *company.loads.values().min().unwrap();
                prop_assert!(load <= target.max(least + margin(target)));
                prop_assert!(!act(&mut company, nth, 64), "nothing moves any more");
            }
        }

        // D-09
        #[test]
        fn a_lane_that_comes_or_goes_where_shares_are_equal_sends_no_other_away(
            each in 0_u64..200, nodes in 1_usize..12, nth in any::<prop::sample::Index>(), comes in any::<bool>(),
        ) {
            let mut company = company(&vec![each; nodes], 0);
            let load = company.loads.get_mut(&node(nth.index(nodes))).unwrap();
            *load = if comes { *load + 1 } else { load.saturating_sub(1) };
            for nth in 0..nodes {
                prop_assert_eq!(company.surplus(&node(nth)), 0);
            }
        }
    }
}
