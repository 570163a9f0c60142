//! Compromised keys: the key set drops them at once, and the ledger must hear of it too (M-06), at the start and whenever the
//! keys are read again. The ledger knows what it was told before, so telling it twice does nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::time::Clock;
use oyez_jose::key_set::{KeySet, RevocationReason};
use oyez_store::Store;
use tokio::sync::watch;
use tokio::time::sleep;

/// Tells the ledger of every key that became compromised, until the keys end.
pub(super) async fn tell(
    store: Arc<dyn Store>,
    mut keys: watch::Receiver<Arc<KeySet>>,
    clock: Arc<dyn Clock>,
) {
    let mut told = BTreeSet::new();
    loop {
        let set = Arc::clone(&keys.borrow_and_update());
        for kid in compromised(&set) {
            if told.contains(&kid) {
                continue;
            }
            disown(&*store, &kid, &*clock).await;
            told.insert(kid);
        }
        if keys.changed().await.is_err() {
            return;
        }
    }
}

/// Until the ledger has heard: what a thief could sign must not go out for want of a second try.
async fn disown(store: &dyn Store, kid: &str, clock: &dyn Clock) {
    loop {
        match store
            .disown_key(Actor::System, kid.to_owned(), clock.now())
            .await
        {
            Ok(0) => return,
            Ok(sets) => {
                tracing::warn!(
                    kid,
                    sets,
                    "a key is compromised: what it signed is signed anew"
                );
                return;
            }
            Err(error) => {
                tracing::error!(kid, %error, "the ledger could not be told that a key is compromised");
                sleep(PAUSE).await;
            }
        }
    }
}

fn compromised(set: &KeySet) -> Vec<String> {
    let revoked = set.manifest().keys.iter().filter(|entry| {
        entry
            .revoked
            .is_some_and(|one| one.reason == RevocationReason::Compromised)
    });
    revoked.map(|entry| entry.kid.clone()).collect()
}

/// A ledger in trouble gets air; a thief gets no more than this.
const PAUSE: Duration = Duration::from_secs(1);
