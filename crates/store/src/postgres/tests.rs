//! What only the backend itself can see: its statements' plans, what history costs them, who waits for locks and for how long, and
//! what becomes of sessions.

mod distribution;
mod plans;
mod sessions;
mod upgrading;
mod waiting;

use oyez_testkit::making;
use oyez_testkit::postgres::{Database, runtime};

use super::{Ledger, Options, Server};

/// A node on a database.
async fn node(database: &Database, options: Options) -> Ledger {
    let (address, name) = database.place();
    let server = Server::parse(&address).unwrap().database(name);
    let opened = Ledger::open(server, options, making::rules(), runtime().handle());
    opened.await.unwrap()
}
