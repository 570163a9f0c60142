//! The ledger: whether it is there and sound, and whether this oyez can use it as it is.

use oyez_store::sqlite::Ledger;

use super::finding::Finding;
use crate::config::{Backend, Store};
use crate::ledger::failure;

pub(super) fn finding(store: &Store) -> Finding {
    let path = &store.path;
    let subject = path.display().to_string();
    match store.backend {
        Backend::Sqlite => {}
    }
    if !path.exists() {
        return Finding::warning(subject, "there is no ledger yet", "oyez migrate makes one");
    }
    let found = match Ledger::inspect(path) {
        Ok(found) => found,
        Err(error) => return Finding::failed("store.path", failure(path, &error)),
    };
    let use_now = if found.in_use { "in use" } else { "not in use" };
    let what = format!(
        "schema {} of {}, {} KiB, {use_now}; TPPs: {}; events outstanding: {}",
        found.schema,
        found.schema_newest,
        found.bytes.div_ceil(1024),
        found.tpps,
        found.outstanding,
    );
    if found.schema < found.schema_newest {
        Finding::warning(subject, what, "stop the server, then oyez migrate")
    } else {
        Finding::note(subject, what)
    }
}
