//! Claims of lanes, for tests that push by hand.

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::{Claim, Lease};
use oyez_store::Store;

/// The newest claim of a TPP's lane, as if this lease had made it.
pub async fn newest_claim(store: &dyn Store, lease: &Lease, client_id: &ClientId) -> Claim {
    let lane = store.find_lane(client_id.clone()).await.unwrap();
    Claim {
        lease: lease.clone(),
        number: lane.map_or(0, |lane| lane.claim),
    }
}
