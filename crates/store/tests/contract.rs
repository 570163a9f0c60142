//! The contract of every ledger: one suite, one line per backend.
//!
//! Each theme is a file of ordinary tests that open a ledger by `super::ledger()`; the macro compiles them once per backend.
//! The model is one of them: it is the yardstick of the random histories, so it must pass what real ledgers pass.

#![expect(
    clippy::duplicate_mod,
    reason = "one suite, compiled once for each backend"
)]
#![expect(
    clippy::unwrap_used,
    reason = "what a fixture cannot do fails its test"
)]

#[path = "contract/chains.rs"]
mod chains;
#[path = "contract/fixture.rs"]
mod fixture;
#[path = "contract/migrated.rs"]
mod migrated;
#[path = "contract/rehearsal.rs"]
mod rehearsal;

use std::sync::Arc;

use fixture::Backend;
use oyez_domain::rules::Rules;
use oyez_store::sqlite::{Ledger, Options};
use oyez_testkit::model_store::ModelStore;
use oyez_testkit::postgres::Database;

macro_rules! contract_suite {
    ($backend:ident, $open:path) => {
        #[path = "contract"]
        mod $backend {
            use $open as open;

            mod themes;
        }
    };
}

contract_suite!(model, crate::on_the_model);
contract_suite!(sqlite, crate::in_a_file);
contract_suite!(postgres, crate::in_postgres);

/// Formatters do not look into macros: this line shows them the suite, and compiles nothing.
#[cfg(any())]
#[path = "contract"]
mod formatted {
    mod themes;
}

async fn on_the_model(rules: Arc<Rules>) -> Backend {
    let store = Arc::new(ModelStore::new(rules));
    Backend {
        store,
        lives_in: Box::new(()),
    }
}

async fn in_a_file(rules: Arc<Rules>) -> Backend {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path, Options::default(), rules).unwrap();
    Backend {
        store: Arc::new(ledger),
        lives_in: Box::new(directory),
    }
}

async fn in_postgres(rules: Arc<Rules>) -> Backend {
    let database = Database::new().await;
    Backend {
        store: Arc::new(database.ledger(rules).await),
        lives_in: Box::new(database),
    }
}
