//! What delivery stands on, as it needs it: somebody who makes SETs, somebody who posts them, clocks, chance, and somebody
//! who watches. Each has a real implementation at the edge and another in the simulation.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ids::{ClientId, InteractionId, Jti};
use oyez_domain::ledger::lanes::Health;
use oyez_domain::ledger::push::{Attempt, Peer};
use oyez_domain::ledger::sets::Work;
use oyez_domain::tpp::HeaderProfile;
use oyez_issuer::{Issued, Issuer, Order};

/// Something on its way.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Makes SETs durable before they are sent (P-09).
pub trait Issue: Send + Sync {
    /// Makes ready what was chosen for one TPP; one answer per event, in order.
    fn issue(&self, order: Order, work: Vec<Work>) -> BoxFuture<'_, Vec<Issued>>;
}

/// Carries SETs to endpoints. What an answer means is not its business.
pub trait Post: Send + Sync {
    /// Posts one SET and tells what came back, within the limits of time that it was set up with.
    fn post(&self, letter: Letter) -> BoxFuture<'_, Posted>;
}

/// One SET on its way to a TPP, once (D-01).
#[derive(Debug, Clone)]
pub struct Letter {
    /// To whom.
    pub addressee: Arc<Addressee>,
    /// The SET, byte for byte as the ledger keeps it (P-09).
    pub set: String,
    /// Fresh for this attempt (D-01).
    pub interaction_id: InteractionId,
    /// What `traceparent` says, where a deployment tells it to TPPs.
    pub traceparent: Option<String>,
}

/// A TPP's endpoint, and how it is to be spoken to. A new one is made when any of it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// Whose endpoint it is.
    pub client_id: ClientId,
    /// Exactly as registered (D-01).
    pub callback_url: String,
    /// The shape of its SETs, which names their media type (T-07, D-01).
    pub profile: HeaderProfile,
    /// Its own trust anchors, in PEM; `None`: the deployment's (D-13).
    pub trust_anchors: Option<String>,
}

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// A response came back, at least its head.
    Answered(Reply),
    /// None did.
    Failed(Failure),
}

/// A response, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Its `x-fapi-interaction-id` (D-02).
    pub interaction_id: Option<String>,
    /// Its `Retry-After`, from now on (D-05).
    pub retry_after: Option<Duration>,
    /// The first bytes of its body, bounded (D-14).
    pub body_head: Vec<u8>,
    /// Who answered (D-14).
    pub peer: Peer,
}

/// Why there was no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A fixed short word for the kind: `connect`, `tls`, `timeout`.
    pub class: &'static str,
    /// The chain of causes, for people.
    pub detail: String,
    /// The other side, as far as it was reached (D-14).
    pub peer: Peer,
}

impl Failure {
    /// No answer in time.
    pub(crate) fn timeout() -> Self {
        Self {
            class: "timeout",
            detail: "no answer within the limit of one attempt".to_owned(),
            peer: Peer::default(),
        }
    }
}

/// A clock that nobody sets and that runs while the machine sleeps: what a lease is measured by.
pub trait Steady: Send + Sync {
    /// The time since an origin that stays the same while the process lives.
    fn elapsed(&self) -> Duration;
}

/// Sixteen random bytes, fresh at each call.
pub type Chance = Arc<dyn Fn() -> [u8; 16] + Send + Sync>;

/// Watches delivery, for log and metrics. Called on the lanes' own tasks: it must be quick and may not block.
pub trait Observe: Send + Sync {
    /// An attempt ended; its verdict is part of it.
    fn attempt_ended(&self, client_id: &ClientId, attempt: &Attempt);

    /// What the attempt that is about to begin says of its place in a trace; nothing, unless somebody wants it to.
    fn traceparent(&self, _jti: Jti, _interaction_id: &InteractionId) -> Option<String> {
        None
    }

    /// What is known of an endpoint changed, and the ledger knows (D-06).
    fn health_changed(&self, client_id: &ClientId, from: &Health, to: &Health);

    /// So many lanes are owned by this node now.
    fn lanes_owned(&self, lanes: usize);

    /// So many attempts began and have not ended, on all lanes together.
    fn in_flight(&self, attempts: usize);

    /// This node has a lease: it may claim lanes.
    fn lease_held(&self) {}

    /// This node's lease is over: its lanes are free for others, and nothing starts until it has another.
    fn lease_lost(&self);

    /// Something is wrong on our side; what it held up is tried again.
    fn trouble(&self, trouble: Trouble<'_>);
}

/// What is wrong on our side.
#[derive(Debug)]
pub enum Trouble<'a> {
    /// The ledger did not do what it was asked.
    Ledger {
        /// For which TPP; `None`: the node itself.
        client_id: Option<&'a ClientId>,
        /// Why.
        error: &'a oyez_store::Error,
    },
    /// An event got no SET.
    Unsigned {
        /// For which TPP.
        client_id: &'a ClientId,
        /// Why.
        error: &'a oyez_issuer::Error,
    },
    /// A lane died. Its events fall due again by themselves.
    Panicked {
        /// Whose.
        client_id: &'a ClientId,
    },
}

impl Issue for Issuer {
    fn issue(&self, order: Order, work: Vec<Work>) -> BoxFuture<'_, Vec<Issued>> {
        Box::pin(Self::issue(self, order, work))
    }
}
