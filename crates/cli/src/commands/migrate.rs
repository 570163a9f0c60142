//! `oyez migrate`: brings the ledger's schema up to date, or makes a ledger where there is none.

use std::path::Path;

use oyez_store::{postgres, sqlite};
use serde_json::json;

use super::Surroundings;
use crate::args::Migrate;
use crate::config::{Backend, Store};
use crate::database::Database;
use crate::failure::Failure;
use crate::ledger::{Place, failure};
use crate::output::Reply;
use crate::runtime::with_one_worker;

/// Migrates, or says what that would do.
pub(crate) fn run(args: &Migrate, around: &Surroundings) -> Result<Reply, Failure> {
    let store = around.config(&args.config.path)?.store;
    match (store.backend, args.dry_run) {
        (Backend::Sqlite, true) => foresee(&store.path),
        (Backend::Sqlite, false) => {
            let migrated = sqlite::Ledger::migrate(&store.path);
            let migrated = migrated.map_err(|error| failure(&store.path, &error))?;
            let place = Place::File(store.path);
            Ok(done(&place, migrated.from, migrated.to))
        }
        (Backend::Postgres, true) => foresee_shared(&store),
        (Backend::Postgres, false) => {
            let (runtime, database) = (with_one_worker()?, Database::of(&store)?);
            let migrating =
                postgres::Ledger::migrate(&database.server, database.options, runtime.handle());
            let migrated = runtime.block_on(migrating);
            let migrated = migrated.map_err(|error| database.place.failure(&error))?;
            Ok(done(&database.place, migrated.from, migrated.to))
        }
    }
}

/// What a shared ledger is, asked by a command.
pub(super) fn inspect(store: &Store) -> Result<(Place, postgres::Inspection), Failure> {
    let (runtime, database) = (with_one_worker()?, Database::of(store)?);
    let looking = postgres::Ledger::inspect(&database.server, database.options, runtime.handle());
    match runtime.block_on(looking) {
        Ok(found) => Ok((database.place, found)),
        Err(error) => Err(database.place.failure(&error)),
    }
}

fn done(ledger: &Place, from: u32, to: u32) -> Reply {
    let text = match from {
        0 => format!("{ledger} is made, with schema {to}"),
        _ if from == to => format!("{ledger} has schema {to} already: nothing to do"),
        _ => format!("{ledger} went from schema {from} to {to}"),
    };
    let ledger = ledger.to_string();
    Reply::new(text, json!({ "ledger": ledger, "from": from, "to": to }))
}

fn foresee(path: &Path) -> Result<Reply, Failure> {
    let ledger = path.display();
    if !path.exists() {
        let text = format!("{ledger} would be made");
        return Ok(Reply::new(
            text,
            json!({ "ledger": path, "from": 0, "to": null }),
        ));
    }
    let found = sqlite::Ledger::inspect(path).map_err(|error| failure(path, &error))?;
    let (from, to) = (found.schema, found.schema_newest);
    let reply = foreseen(&Place::File(path.to_owned()), from, to);
    Ok(if found.in_use {
        reply.remark("it is in use: stop the server first")
    } else {
        reply
    })
}

fn foresee_shared(store: &Store) -> Result<Reply, Failure> {
    let (place, found) = inspect(store)?;
    if let Some(error) = found.refusal() {
        return Err(place.failure(&error));
    }
    // A newer oyez may have been here, and this one serve nevertheless.
    let to = found.schema_newest.max(found.schema);
    Ok(foreseen(&place, found.schema, to))
}

fn foreseen(ledger: &Place, from: u32, to: u32) -> Reply {
    let text = match from {
        0 => format!("{ledger} would be made, with schema {to}"),
        _ if from == to => format!("{ledger} has schema {to} already: nothing to do"),
        _ => format!("{ledger} would go from schema {from} to {to}"),
    };
    let ledger = ledger.to_string();
    Reply::new(text, json!({ "ledger": ledger, "from": from, "to": to }))
}
