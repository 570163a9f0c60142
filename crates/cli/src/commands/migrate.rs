//! `oyez migrate`: brings the ledger's schema up to date, or makes a ledger where there is none.

use std::path::Path;

use oyez_store::sqlite::{Ledger, Migrated};
use serde_json::json;

use super::Surroundings;
use crate::args::Migrate;
use crate::config::Backend;
use crate::failure::Failure;
use crate::ledger::failure;
use crate::output::Reply;

/// Migrates, or says what that would do.
pub(crate) fn run(args: &Migrate, around: &Surroundings) -> Result<Reply, Failure> {
    let config = around.config(&args.config.path)?;
    let path = &config.store.path;
    match (config.store.backend, args.dry_run) {
        (Backend::Sqlite, true) => foresee(path),
        (Backend::Sqlite, false) => migrate(path),
    }
}

fn migrate(path: &Path) -> Result<Reply, Failure> {
    let Migrated { from, to } = Ledger::migrate(path).map_err(|error| failure(path, &error))?;
    let ledger = path.display();
    let text = match from {
        0 => format!("{ledger} is made, with schema {to}"),
        _ if from == to => format!("{ledger} has schema {to} already: nothing to do"),
        _ => format!("{ledger} went from schema {from} to {to}"),
    };
    Ok(Reply::new(
        text,
        json!({ "ledger": path, "from": from, "to": to }),
    ))
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
    let found = Ledger::inspect(path).map_err(|error| failure(path, &error))?;
    let (from, to) = (found.schema, found.schema_newest);
    let text = if from == to {
        format!("{ledger} has schema {to} already: nothing to do")
    } else {
        format!("{ledger} would go from schema {from} to {to}")
    };
    let reply = Reply::new(text, json!({ "ledger": path, "from": from, "to": to }));
    Ok(if found.in_use {
        reply.remark("it is in use: stop the server first")
    } else {
        reply
    })
}
