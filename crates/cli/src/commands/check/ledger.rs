//! The ledger: whether it is there and sound, and whether this oyez can use it as it is.

use oyez_store::sqlite::Ledger;

use super::finding::Finding;
use crate::commands::migrate;
use crate::config::{Backend, Store};
use crate::ledger::failure;

pub(super) fn finding(store: &Store) -> Finding {
    match store.backend {
        Backend::Sqlite => of_file(store),
        Backend::Postgres if store.url.is_none() => {
            Finding::warning("store.url", "there is no database to look at", "set it")
        }
        Backend::Postgres => of_database(store),
    }
}

fn of_database(store: &Store) -> Finding {
    let (place, found) = match migrate::inspect(store) {
        Ok(found) => found,
        Err(failure) => return Finding::failed("store.url", failure),
    };
    if let Some(error) = found.refusal() {
        return Finding::failed("store.url", place.failure(&error));
    }
    let what = format!(
        "schema {} of {}, {} KiB, on PostgreSQL {}; TPPs: {}; events outstanding: {}",
        found.schema,
        found.schema_newest,
        found.bytes.div_ceil(1024),
        found.server,
        found.tpps,
        found.outstanding,
    );
    let subject = place.to_string();
    match found.schema {
        0 => Finding::warning(subject, "there is no ledger yet", "oyez migrate makes one"),
        older if older < found.schema_newest => {
            Finding::warning(subject, what, "oyez migrate, or the next start of a server")
        }
        _ => Finding::note(subject, what),
    }
}

fn of_file(store: &Store) -> Finding {
    let path = &store.path;
    let subject = path.display().to_string();
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
