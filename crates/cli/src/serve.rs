//! `oyez serve`: the server, in three steps. *Parse*: the command line and the configuration, all faults at once. *Build*:
//! files, keys, ledger, listeners; whatever is wrong is told before anybody is answered. *Run*: until a signal or a failure,
//! then a stop in good order.
//!
//! Standard output gets one line, once both listeners are bound: a JSON object with their addresses. Everything else is the
//! log, on standard error.
//!
//! Absent here: delivery, which pushes. It comes with a role of its own.

mod build;
mod choices;
mod crew;
mod disown;
mod files;
mod housekeeping;
mod log;
mod material;
mod outward;
mod reload;
mod run;

use crate::args::{Role, Serve};
use crate::commands::Surroundings;
use crate::failure::Failure;
use crate::open_files;

pub(crate) use choices::features;

/// Which parts of oyez this process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Roles {
    tpp_api: bool,
    internal: bool,
}

/// Serves until it is told to stop.
pub(crate) fn run(args: &Serve, around: &Surroundings) -> Result<(), Failure> {
    let roles = Roles::of(&args.roles)?;
    let config = around.config(&args.config.path)?;
    log::start(&config.log)?;
    let wanted = open_files::wanted(&config);
    match open_files::raise(wanted) {
        Ok(limit) if limit < wanted => {
            tracing::warn!(
                limit,
                wanted,
                "fewer files can be open than connections are allowed"
            );
        }
        Ok(limit) => tracing::info!(limit, "open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::environment("cannot start", "see the reason, and try again").because(&error)
        })?;
    let ended = runtime.block_on(async {
        let server = build::build(&config, roles, around.random).await?;
        server.run(config.shutdown.deadline).await
    });
    // What is still running was given its time, or is not wanted.
    runtime.shutdown_background();
    ended
}

impl Roles {
    fn of(named: &[Role]) -> Result<Self, Failure> {
        if named.contains(&Role::Delivery) {
            let what = "this oyez does not push yet: it has no role `delivery`";
            return Err(Failure::usage(what, "use --roles tpp-api,internal"));
        }
        Ok(Self {
            tpp_api: named.is_empty() || named.contains(&Role::TppApi),
            internal: named.is_empty() || named.contains(&Role::Internal),
        })
    }
}
