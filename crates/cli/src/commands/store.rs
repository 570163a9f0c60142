//! `oyez store`: the ledger as a whole. What is in it, and moving it elsewhere.

mod copy;

use oyez_store::copy::{Place, count};
use serde_json::{Map, json};

use super::{Surroundings, directory_of, read_config};
use crate::args::{ConfigFile, Store};
use crate::config::{self, Backend, Draft};
use crate::database::Database;
use crate::failure::Failure;
use crate::ledger;
use crate::output::{Format, Reply, Table};
use crate::runtime::with_one_worker;

/// Does what is asked.
pub(crate) fn run(
    command: &Store,
    format: Format,
    around: &Surroundings,
) -> Result<Reply, Failure> {
    match command {
        Store::Show(file) => show(file, around),
        Store::Copy(args) => copy::run(args, format, around),
    }
}

fn show(file: &ConfigFile, around: &Surroundings) -> Result<Reply, Failure> {
    let runtime = with_one_worker()?;
    let store = section(&file.path, around)?;
    let (place, shown) = place(&store)?;
    let counted = count(&place, runtime.handle()).map_err(|error| shown.failure(&error))?;
    let mut table = Table::new(&["TABLE", "ROWS"]);
    let mut rows = Map::new();
    for (name, count) in counted {
        table.row(vec![name.to_owned(), count.to_string()]);
        rows.insert(name.to_owned(), count.into());
    }
    let backend = store.backend.name();
    Ok(Reply::new(
        table.render(),
        json!({ "ledger": shown.to_string(), "backend": backend, "rows": rows }),
    )
    .remark(format!("{backend}: {shown}")))
}

/// The section of a configuration that says where its ledger is. The others may be missing.
fn section(path: &std::path::Path, around: &Surroundings) -> Result<config::Store, Failure> {
    let text = read_config(path)?;
    let (draft, mut faults) = Draft::judge(&text, directory_of(path), &around.variables);
    faults.retain(|fault| fault.key.is_empty() || fault.key.starts_with("store."));
    match draft.store {
        Some(store) if faults.is_empty() => Ok(store),
        _ => Err(Failure::Configuration {
            file: path.display().to_string(),
            faults,
        }),
    }
}

/// Where a ledger is, for the copy and for people.
fn place(store: &config::Store) -> Result<(Place, ledger::Place), Failure> {
    Ok(match store.backend {
        Backend::Sqlite => (
            Place::Sqlite(store.path.clone()),
            ledger::Place::File(store.path.clone()),
        ),
        Backend::Postgres => {
            let Database {
                server,
                options,
                place,
            } = Database::of(store)?;
            (Place::Postgres(Box::new(server), options), place)
        }
    })
}
