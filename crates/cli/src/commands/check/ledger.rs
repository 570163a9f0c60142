//! The ledger: whether it is there and sound, and whether this oyez can use it as it is.

use oyez_domain::time::Clock as _;
use oyez_store::postgres::Inspection;
use oyez_store::sqlite::Ledger;

use super::finding::Finding;
use crate::clock::{Difference, SystemClock};
use crate::commands::migrate;
use crate::config::{Backend, Store};
use crate::ledger::failure;

pub(super) fn findings(store: &Store) -> Vec<Finding> {
    match store.backend {
        Backend::Sqlite => vec![of_file(store)],
        Backend::Postgres if store.url.is_none() => {
            let what = "there is no database to look at";
            vec![Finding::warning("store.url", what, "set it")]
        }
        Backend::Postgres => of_database(store),
    }
}

fn of_database(store: &Store) -> Vec<Finding> {
    let before = SystemClock.now();
    let (place, found) = match migrate::inspect(store) {
        Ok(found) => found,
        Err(failure) => return vec![Finding::failed("store.url", failure)],
    };
    let difference = Difference::of(before, found.clock, SystemClock.now());
    let subject = place.to_string();
    let mut findings: Vec<_> = found
        .lacks
        .iter()
        .map(|lack| {
            let mend = format!("as the owner of the tables or a superuser: {};", lack.mend);
            Finding::error(subject.as_str(), lack.what.as_str(), mend)
        })
        .collect();
    if difference.is_remarkable() {
        findings.push(Finding::warning(
            subject.as_str(),
            format!("this machine's clock is {difference} the database's"),
            "set both by the same source (NTP)",
        ));
    }
    if let Some(error) = found.left_behind() {
        findings.push(Finding::failed("store.url", place.failure(&error)));
    } else if found.lacks.is_empty() {
        findings.push(of_schema(subject, &found, difference));
    }
    findings
}

fn of_schema(subject: String, found: &Inspection, difference: Difference) -> Finding {
    let what = format!(
        "schema {} of {}, {} KiB, on PostgreSQL {}; TPPs: {}; events outstanding: {}; this machine's clock: {difference} its own",
        found.schema,
        found.schema_newest,
        found.bytes.div_ceil(1024),
        found.server,
        found.tpps,
        found.outstanding,
    );
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
