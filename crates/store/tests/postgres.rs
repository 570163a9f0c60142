//! What only a shared ledger has: other nodes, a server that goes away, a schema that somebody else migrated.
//!
//! What every ledger answers is the contract's; how statements are planned stands beside them.

#![expect(
    clippy::unwrap_used,
    reason = "what a fixture cannot do fails its test"
)]

#[path = "postgres/away.rs"]
mod away;
#[path = "postgres/backlogs.rs"]
mod backlogs;
#[path = "postgres/clocks.rs"]
mod clocks;
#[path = "postgres/disowning.rs"]
mod disowning;
#[path = "postgres/lanes.rs"]
mod lanes;
#[path = "postgres/migrating.rs"]
mod migrating;
#[path = "postgres/nodes.rs"]
mod nodes;
#[path = "postgres/passing.rs"]
mod passing;
#[path = "postgres/reading.rs"]
mod reading;
#[path = "postgres/rights.rs"]
mod rights;
#[path = "postgres/trips.rs"]
mod trips;

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::actor::Actor;
use oyez_domain::event::Family;
use oyez_domain::ids::{ClientId, RegistrationId};
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::registering::Wish;
use oyez_domain::version::ApiVersion;
use oyez_store::postgres::{Ledger, Options};
use oyez_store::{Error, Store};
use oyez_testkit::making::{
    DAWN, Jtis, UPDATE, client, everything, notice, profile, pushed_to, rules, submission,
};
use oyez_testkit::postgres::{self, Database};

/// A node on a database.
async fn node(database: &Database, options: Options) -> Result<Ledger, Error> {
    let server = database.server();
    let opening = async move {
        let runtime = postgres::runtime().handle();
        Ledger::open(server, options, rules(), runtime).await
    };
    postgres::runtime().spawn(opening).await.unwrap()
}

/// Makes a TPP known and subscribes it to everything.
async fn subscriber(ledger: &Ledger, name: &str) -> ClientId {
    let id = client(name);
    let actor = Actor::Operator("ada".to_owned());
    let known = ledger.register_tpp(actor, id.clone(), profile(Default::default()), DAWN);
    assert!(known.await.unwrap().is_some());
    let registration = RegistrationId::new(format!("of-{name}")).unwrap();
    let (wish, api) = (Wish::Subscription(everything()), ApiVersion::V4_0);
    let created = ledger.create_registration(id.clone(), registration, wish, api, DAWN);
    created.await.unwrap().unwrap();
    id
}

/// Makes a TPP known that is pushed to.
async fn pushed(ledger: &Ledger, name: &str) -> ClientId {
    let id = client(name);
    let actor = Actor::Operator("ada".to_owned());
    let known = ledger.register_tpp(actor, id.clone(), profile(Default::default()), DAWN);
    assert!(known.await.unwrap().is_some());
    let registration = RegistrationId::new(format!("of-{name}")).unwrap();
    let wish = Wish::Subscription(pushed_to("acme.example", everything()));
    let api = ApiVersion::V4_0;
    let created = ledger.create_registration(id.clone(), registration, wish, api, DAWN);
    created.await.unwrap().unwrap();
    id
}

/// One event for it.
async fn accept(ledger: &Ledger, id: &ClientId, jtis: &Jtis) -> Result<Vec<Acceptance>, Error> {
    let notice = notice(id, Family::Aisp, &[UPDATE]);
    let batch = vec![submission(jtis.next(DAWN), notice)];
    ledger.accept(batch, DAWN).await
}

/// Waits until it is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "{what}");
}

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// For tests that want to share it.
type Shared = Arc<Ledger>;
