//! The ledger's events to the TPPs' endpoints: in order, at least once, never hammering, and no TPP in another's way.
//!
//! # Lanes
//!
//! The unit of delivery is the TPP, not the event. Each TPP has one *lane*; a node claims the lanes that have something to
//! do, drives each by one task, and lets it go when there is nothing to do. There is no task and no timer per event, and
//! no event waits in memory for a retry: what waits is a row of the ledger.
//!
//! ```text
//!            ┌──────────────────────────── a lane, one task ─────────────────────────────┐
//!  ledger ──▶ choose ──▶ issue ──▶ recheck ──▶ post ──▶ judge ──▶ health ──▶ record ──▶ ledger
//!            │  a batch    signed     older      at most   the two   of the    in groups │
//!            │  ahead      and kept   than 1 s   n at once failures  endpoint            │
//!            └──────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A lane *chooses* a batch of what is due, which hides it from polls for as long as an attempt may last (P-14); has it
//! *issued*, so that its bytes are durable (P-09); *posts* it in order, so many at once; *judges* each answer; and *records*
//! what ended, in groups. Each step runs while the others do.
//!
//! An answer is an acknowledgement, or one of two failures, which are two types (D-04). *The event is refused*: it backs off
//! by itself and the others flow. *The endpoint fails*: everything that was chosen and not started goes back to the ledger at
//! once, and nothing starts any more but one probe per step of the policy, with the oldest event. After an
//! acknowledgement the lane opens again, 1, 2, 4 at once. So a dead endpoint costs one request per step, however
//! long its queue.
//!
//! # What survives
//!
//! Health lives in the lane's row and a refused event's counters in the event's; memory only caches them. A change of health
//! is written before the attempt that caused it is recorded, and nothing starts in between, so no crash makes a counter
//! forget. Two things are the node's alone, since they change with each acknowledgement: which events were refused in a
//! row, and since when nothing was acknowledged. They are of one address, and what is not remembered is held against nobody. A
//! node that dies leaves its lease to run out, and its choices to fall due
//! again. What was sent twice had the same bytes.
//!
//! # Who owns a lane
//!
//! A node holds one lease; lanes name it, and each claim of a lane has a number that its owner names with all it says and asks.
//! So a word that comes late is refused, though the same node has the lane again. Whatever an owner has read of a TPP (address, profile, pause, health) is changed
//! over its head by freeing its lane: the owner's next choice is refused, it gives back what it holds, and the lane
//! is claimed anew. Nodes share the lanes out: each claims its share of what is due, and one that has clearly more lets some go
//! when what is in flight on them has ended. A lane that loses its owner's place still waits for its attempts and records them: an
//! acknowledgement is a fact, whoever reports it. The same task takes up the lane again if its node claims it meanwhile,
//! so that what is in flight is never counted twice.
//!
//! Absent here: HTTP beyond the [`Post`] port, SQL, what time it is, and chance: the edge hands them in.

mod door;
mod health;
mod judge;
mod lane;
mod node;
mod pause;
mod ports;
pub mod post;
mod shared;
mod terms;
mod window;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ids::NodeId;
use oyez_domain::retry::Policy;
use oyez_domain::time::Clock;
use oyez_domain::tpp::{Acknowledgement, DeliveryOrder, HeaderProfile};
use oyez_store::{Awaited, Listen, News, Store};
use tokio_util::sync::CancellationToken;

use node::Node;
use shared::Shared;

pub use ports::{
    Addressee, BoxFuture, Chance, Failure, Issue, Letter, Observe, Post, Posted, Reply, Steady,
    Trouble,
};

/// What delivery works with.
#[derive(Clone)]
pub struct Parts {
    /// The ledger.
    pub store: Arc<dyn Store>,
    /// Who makes SETs.
    pub issue: Arc<dyn Issue>,
    /// Who carries them.
    pub post: Arc<dyn Post>,
    /// What time it is, for the ledger.
    pub clock: Arc<dyn Clock>,
    /// What the lease is measured by.
    pub steady: Arc<dyn Steady>,
    /// What ids and delays are drawn from.
    pub chance: Chance,
    /// Who watches.
    pub observe: Arc<dyn Observe>,
}

/// How delivery is run: the deployment's choices. A TPP's own overrides win over what they name.
#[derive(Debug, Clone)]
pub struct Options {
    /// This process among those that serve the ledger.
    pub node_id: NodeId,
    /// For how long a lease holds without renewal.
    pub lease_ttl: Duration,
    /// Lanes that this node owns at once.
    pub lanes_max: usize,
    /// Attempts in flight per TPP (D-09).
    pub at_once_max: NonZeroU32,
    /// In which order a TPP gets its events: what the ledger's rules say (D-10).
    pub order: DeliveryOrder,
    /// Which answers count (D-02).
    pub acknowledgement: Acknowledgement,
    /// The header of SETs (T-07).
    pub header_profile: HeaderProfile,
    /// When to try again (D-05).
    pub retry: Policy,
    /// How often an unresponsive endpoint is probed; `None` never (D-06).
    pub slow_probe: Option<Duration>,
    /// For how long one attempt may last: what [`Post`] was set up with (D-11).
    pub attempt_time_max: Duration,
}

/// One node's share of delivery.
pub struct Delivery {
    shared: Arc<Shared>,
}

impl Options {
    /// The defaults for a node of this name.
    pub fn of(node_id: NodeId) -> Self {
        Self {
            node_id,
            lease_ttl: LEASE_TTL,
            lanes_max: LANES_MAX,
            at_once_max: AT_ONCE_MAX,
            order: DeliveryOrder::default(),
            acknowledgement: Acknowledgement::default(),
            header_profile: HeaderProfile::default(),
            retry: Policy::default(),
            slow_probe: Some(SLOW_PROBE),
            attempt_time_max: ATTEMPT_TIME_MAX,
        }
    }
}

impl Delivery {
    /// Ready to [run](Self::run). The ledger is to be told of it by [`Store::listen`].
    pub fn new(parts: Parts, options: Options) -> Arc<Self> {
        let shared = Arc::new(Shared::new(parts, options));
        Arc::new(Self { shared })
    }

    /// Delivers until it is told to stop; then starts nothing, waits for what is in flight, records it, and gives its lanes
    /// and its lease back. Dropping it instead is like a crash: nothing is lost, and what was in flight falls due again.
    pub async fn run(&self, stop: CancellationToken) {
        Node::new(&self.shared).run(stop).await;
    }
}

/// The ledger tells of what may be pushed sooner than was known, and of lanes that were freed.
impl Listen for Delivery {
    fn heard(&self, news: &[News]) {
        for news in news.iter().filter(|news| news.pushes) {
            self.shared.heard(news);
        }
    }

    fn awaits(&self) -> Vec<Awaited> {
        self.shared.awaited()
    }
}

/// A node that dies is followed within so long; one that lives renews three times in it.
pub const LEASE_TTL: Duration = Duration::from_secs(15);
/// More lanes at once than busy TPPs in any market today; each is a task and at most its look-ahead.
pub const LANES_MAX: usize = 4096;
/// Keeps a distant endpoint busy, and does not drown a small one.
pub const AT_ONCE_MAX: NonZeroU32 = NonZeroU32::new(8).expect("8 is not 0");
/// An endpoint that is given up is asked once per hour whether it is back.
pub const SLOW_PROBE: Duration = Duration::from_secs(60 * 60);
/// Longer than a healthy endpoint ever needs.
pub const ATTEMPT_TIME_MAX: Duration = Duration::from_secs(10);
