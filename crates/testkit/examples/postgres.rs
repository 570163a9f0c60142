//! Starts a throw-away PostgreSQL for tests, prints where it is, and stops it when standard input ends. With `--durable` it keeps
//! what it was given as in production, for benchmarks.
//!
//! `cargo xtask postgres` runs this for people, `./test` for a whole run: whatever ends the caller ends its standard input, and
//! with it the server.

use std::io::{Read as _, Write as _};

use oyez_testkit::postgres::{Cluster, Durability, VARIABLE};

fn main() -> std::io::Result<()> {
    let durability = match std::env::args().nth(1).as_deref() {
        Some("--durable") => Durability::Full,
        _ => Durability::None,
    };
    let cluster = Cluster::start(durability);
    writeln!(std::io::stdout(), "{VARIABLE}={}", cluster.address())?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop(cluster);
    Ok(())
}
