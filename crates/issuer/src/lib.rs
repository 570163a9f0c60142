//! Outstanding events in, durable SETs out: sign, keep, and only then send (P-09).
//!
//! [`Issuer::issue`] takes what the ledger chose for a poll or a push. What was kept before passes through. The rest is
//! turned into claims, signed with the key that may sign at that moment, and kept by the ledger in groups; only what the
//! ledger returns comes out. So whoever signs first, on whichever node, an event has one SET, and none leaves before it is
//! durable. That somebody else was quicker, that an event was settled meanwhile or its registration changed are outcomes;
//! errors are faults, and each event has its own.
//!
//! # Fairness
//!
//! Every TPP has a line of its own and places of its own in it (D-09). Lines are served in turn, urgent ones before the
//! rest: polls, and a lane's first event. Callers wait for places, which is the back-pressure; one that goes away takes
//! with it what was not signed yet, and what was signed is kept.
//!
//! # The keys
//!
//! Keys change while this runs: the set comes through a channel and is looked at for each signature. A key that is given
//! up between signing and keeping, by the set or by the ledger (M-06), has signed in vain: the event is signed again.
//!
//! Absent here: choosing events and sending them, HTTP, and the clock, which the edge hands in.

mod error;
mod job;
mod keeper;
mod observe;
mod options;
mod places;
mod pool;
mod queue;
mod signer;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::base_url::BaseUrl;
use oyez_domain::event::Notice;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::sets::{Kept, Purpose, SetState, Work};
use oyez_domain::rules::Rules;
use oyez_domain::time::Clock;
use oyez_domain::tpp::HeaderProfile;
use oyez_jose::Signatory;
use oyez_jose::key_set::KeySet;
use oyez_store::Store;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use job::{Job, Reply, Traffic, UnderWay};
use keeper::Keeper;
use places::{Place, Places};
use queue::Queue;
use signer::Signer;

pub use error::Error;
pub use observe::{Observe, Step};
pub use options::Options;

/// The signing pool and its way into the ledger. Dropping it drops what is not signed yet; [`Issuer::close`] drains it.
pub struct Issuer {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    places: Places,
    queue: Arc<Queue<UnderWay>>,
    traffic: Arc<Traffic>,
    /// Nobody sends; the other end is gone when all is kept.
    ended: watch::Receiver<()>,
}

/// What an issuer works with.
pub struct Parts {
    /// The ledger.
    pub store: Arc<dyn Store>,
    /// The rules that the ledger was opened with.
    pub rules: Arc<Rules>,
    /// The bank's keys; whoever reloads them sends the new set.
    pub keys: watch::Receiver<Arc<KeySet>>,
    /// In whose name.
    pub identity: Identity,
    /// When.
    pub clock: Arc<dyn Clock>,
    /// Who watches, if somebody does.
    pub observe: Option<Arc<dyn Observe>>,
}

/// What SETs say of the bank.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The claim `iss`: the configured issuer URI (T-01).
    pub iss: String,
    /// The private header members of the profile `openbanking` (T-07).
    pub signatory: Signatory,
    /// What `sub` and `rlk` hang on (T-06).
    pub base_url: BaseUrl,
}

/// For whom and for what SETs are wanted.
#[derive(Debug, Clone)]
pub struct Order {
    /// The TPP whose events they are.
    pub client_id: ClientId,
    /// The shape of their headers (T-07).
    pub profile: HeaderProfile,
    /// What becomes of them at once.
    pub purpose: Purpose,
    /// Whether they may go before others.
    pub urgency: Urgency,
}

/// Who goes first (D-09).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody waits: a poll, or a lane's first event.
    First,
    /// The rest of a lane.
    Rest,
}

/// What became of one event.
#[derive(Debug)]
pub struct Issued {
    /// Which one.
    pub jti: Jti,
    /// Its SET, or why there is none.
    pub outcome: Result<Outcome, Error>,
}

/// What the ledger says of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// These bytes are durable, and within the last second their event was outstanding: send them.
    Send(String),
    /// The event was settled meanwhile. Send nothing.
    NoLongerOutstanding,
    /// The registration changed since the event was chosen. Send nothing, choose again.
    ChooseAgain,
}

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// All that was asked for was signed and kept.
    Drained,
    /// The time was up; so many events were not signed and stay outstanding.
    CutOff {
        /// How many were thrown out of the queue.
        unsigned: usize,
    },
}

impl Issuer {
    /// Starts the threads that sign, and on the runtime what keeps.
    pub fn start(parts: Parts, options: Options, runtime: &Handle) -> io::Result<Self> {
        let Parts {
            store,
            rules,
            keys,
            identity,
            clock,
            observe,
        } = parts;
        let queue = Arc::new(Queue::new());
        let traffic = Arc::new(Traffic::new(options.group_sets_max));
        let signer = Arc::new(Signer::new(rules, identity, keys, Arc::clone(&clock)));
        let (signed, to_keep) = mpsc::unbounded_channel();
        let (alive, ended) = watch::channel(());
        let issuer = Self {
            store: Arc::clone(&store),
            clock,
            places: Places::new(options.places_per_tpp),
            queue: Arc::clone(&queue),
            traffic: Arc::clone(&traffic),
            ended,
        };
        pool::start(&queue, &signer, signed, options, runtime, observe.as_ref())?;
        let keeper = Keeper {
            store,
            signer,
            queue,
            traffic,
            observe,
            sets_max: options.group_sets_max.max(1),
            wait_max: options.group_wait_max,
        };
        runtime.spawn(async move {
            keeper.serve(to_keep).await;
            drop(alive);
        });
        Ok(issuer)
    }

    /// Makes ready what was chosen for one TPP; one answer per event, in order.
    pub async fn issue(&self, order: Order, work: Vec<Work>) -> Vec<Issued> {
        let order = Arc::new(order);
        let places = self.places.of(&order.client_id);
        let chosen_at = self.clock.now();
        let mut pending = Vec::with_capacity(work.len());
        for Work { jti, set, .. } in work {
            let step = match set {
                SetState::Kept(set) => Promise::Known(Ok((Outcome::Send(set), chosen_at))),
                SetState::Unsigned { notice, revision } => {
                    let place = Arc::clone(&places).acquire_owned().await.ok();
                    self.enqueue(&order, place, jti, (notice, revision))
                }
            };
            pending.push((jti, step));
        }
        let mut replies = Vec::with_capacity(pending.len());
        for (jti, step) in pending {
            let reply = match step {
                Promise::Known(reply) => reply,
                Promise::Awaited(reply) => reply.await.unwrap_or_else(|_| Err(self.dropped())),
            };
            replies.push((jti, reply));
        }
        self.freshen(&order.client_id, &mut replies).await;
        let issued = |(jti, reply): (Jti, Reply)| Issued {
            jti,
            outcome: reply.map(|(outcome, _)| outcome),
        };
        replies.into_iter().map(issued).collect()
    }

    /// How many events wait for a signature.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Takes nothing new, and signs and keeps what was asked for, for so long at most. Signatures that were begun by then
    /// are still kept.
    pub async fn close(&self, within: Duration) -> Closed {
        self.places.close();
        self.queue.close();
        let mut ended = self.ended.clone();
        // Nothing is ever sent: this ends when the keeper does.
        match tokio::time::timeout(within, ended.changed()).await {
            Ok(_) => Closed::Drained,
            Err(_) => Closed::CutOff {
                unsigned: self.queue.clear(),
            },
        }
    }

    /// Queues a job; without a place there is only the news that places are not given out any more.
    fn enqueue(
        &self,
        order: &Arc<Order>,
        place: Option<Place>,
        jti: Jti,
        (notice, revision): (Box<Notice>, u64),
    ) -> Promise {
        let Some(place) = place else {
            return Promise::Known(Err(Error::Closed));
        };
        let (reply, awaited) = oneshot::channel();
        let job = self.traffic.enter(Job {
            order: Arc::clone(order),
            jti,
            notice,
            revision,
            signed_in_vain: 0,
            asked_at: Instant::now(),
            reply,
            place,
        });
        match self.queue.push(&order.client_id, order.urgency, job) {
            Ok(()) => Promise::Awaited(awaited),
            Err(_) => Promise::Known(Err(Error::Closed)),
        }
    }

    /// Asks the ledger once more about SETs that waited for the rest of their order for too long (P-14).
    async fn freshen(&self, client_id: &ClientId, replies: &mut [(Jti, Reply)]) {
        let now = self.clock.now();
        let mut stale: Vec<_> = replies
            .iter_mut()
            .filter(|(_, reply)| {
                matches!(reply, Ok((Outcome::Send(_), at)) if now.since(*at) >= FRESH_FOR)
            })
            .collect();
        if stale.is_empty() {
            return;
        }
        let jtis = stale.iter().map(|(jti, _)| *jti).collect();
        match self.store.recheck(None, client_id.clone(), jtis).await {
            Ok(checked) => {
                for ((_, reply), kept) in stale.iter_mut().zip(checked.unwrap_or_default()) {
                    let outcome = Outcome::from_kept(kept).unwrap_or(Outcome::ChooseAgain);
                    *reply = Ok((outcome, now));
                }
            }
            Err(error) => {
                for (_, reply) in stale {
                    *reply = Err(error.clone().into());
                }
            }
        }
    }

    /// Why a job was dropped without a reply.
    fn dropped(&self) -> Error {
        if self.queue.is_closed() {
            Error::Closed
        } else {
            Error::Panicked
        }
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.queue.close();
        self.queue.clear();
    }
}

impl Outcome {
    /// `None`: nothing was kept because the key is disowned.
    fn from_kept(kept: Kept) -> Option<Self> {
        match kept {
            Kept::Send(set) => Some(Self::Send(set)),
            Kept::NoLongerOutstanding => Some(Self::NoLongerOutstanding),
            Kept::ChooseAgain => Some(Self::ChooseAgain),
            Kept::KeyDisowned => None,
        }
    }
}

/// One event of an order: its reply, or the way on which it will come.
enum Promise {
    Known(Reply),
    Awaited(oneshot::Receiver<Reply>),
}

/// What the ledger said of an event holds for so long (P-14: no attempt starts later than a second after an ack).
const FRESH_FOR: Duration = Duration::from_secs(1);
