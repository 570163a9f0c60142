//! Who this process is among those that share the ledger, and that it answers TPPs: by how many do so, what each lets a TPP ask
//! for is a part of what is published (G-09). It does so under a name that is drawn: processes that were given one name by mistake,
//! as copies of one template are, are several all the same.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ids::NodeId;
use oyez_store::Store;
use oyez_web::Random;
use oyez_web::tpp::Share;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Backend, Config};

/// Says again and again that this process answers TPPs.
pub(super) struct Attending {
    store: Arc<dyn Store>,
    node_id: NodeId,
    share: Arc<Share>,
    /// For so long it is believed.
    ttl: Duration,
}

impl Attending {
    /// `None`: this process is the only one.
    pub(super) fn of(
        config: &Config,
        store: &Arc<dyn Store>,
        random: &Random,
        share: &Arc<Share>,
    ) -> Option<Self> {
        let store = Arc::clone(store);
        match config.store.backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(Self {
                store,
                node_id: drawn(random),
                share: Arc::clone(share),
                ttl: config.store.takeover,
            }),
        }
    }

    /// Until it takes nothing new from TPPs; what it let through is the others' then.
    pub(super) async fn run(self, draining: CancellationToken) {
        loop {
            self.say(self.ttl).await;
            tokio::select! {
                () = sleep(self.ttl / RENEWALS) => {}
                () = draining.cancelled() => break,
            }
        }
        self.say(Duration::ZERO).await;
    }

    /// Where the ledger does not answer, it goes on as it was.
    async fn say(&self, ttl: Duration) {
        match self.store.attend(self.node_id.clone(), ttl).await {
            Ok(nodes) => self.share.among(nodes),
            Err(error) => {
                tracing::warn!(%error, "the ledger was not told that this node answers TPPs; it is tried again");
            }
        }
    }
}

/// The name of this process among those that share the ledger.
pub(super) fn node(store: &config::Store, random: &Random) -> NodeId {
    match (store.backend, &store.node) {
        (Backend::Sqlite, _) => NodeId::new(NODE).expect("the name is a good one"),
        (Backend::Postgres, Some(node)) => node.clone(),
        (Backend::Postgres, None) => drawn(random),
    }
}

fn drawn(random: &Random) -> NodeId {
    let digits = random.bytes().map(|byte| format!("{byte:02x}")).concat();
    NodeId::new(format!("{NODE}-{digits}")).expect("digits are a good name")
}

/// In the time that it is believed, so that two of them may fail: the others know within one what part is theirs.
const RENEWALS: u32 = 3;
/// An embedded ledger has one node.
const NODE: &str = "oyez";
