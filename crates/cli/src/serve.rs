//! `oyez serve`: the server, in three steps. *Parse*: the command line and the configuration, all faults at once. *Build*:
//! files, keys, ledger, listeners; whatever is wrong is told before anybody is answered. *Run*: until a signal or a failure,
//! then a stop in good order.
//!
//! Standard output gets one line, once both listeners are bound: a JSON object with their addresses. Everything else is the
//! log, on standard error.

mod attending;
mod build;
mod choices;
mod console;
mod crew;
mod disown;
mod doors;
mod housekeeping;
mod log;
mod looks;
mod material;
mod measuring;
mod outward;
#[cfg(test)]
mod published;
mod pushing;
mod readiness;
mod reload;
mod run;
mod telemetry;

use crate::args::{Role, Serve};
use crate::commands::Surroundings;
use crate::failure::Failure;
use crate::{open_files, runtime};

pub(crate) use build::{Server, build, rules};
pub(crate) use choices::features;
pub(crate) use doors::{Door, Doors};
pub(crate) use looks::logo;
pub(crate) use run::Ends;

/// Which parts of oyez this process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles {
    tpp_api: bool,
    internal: bool,
    delivery: bool,
}

/// Serves until it is told to stop.
pub(crate) fn run(args: &Serve, around: &Surroundings) -> Result<(), Failure> {
    let roles = Roles::of(&args.roles);
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
    let runtime = runtime::on_all_cores()?;
    let ended = runtime.block_on(async {
        let ends = Ends::signals()?;
        let doors = Doors::of(&config, roles).await?;
        let server = Box::pin(build(&config, roles, doors, around.random)).await?;
        server.announce()?;
        server.run(ends, config.shutdown.deadline).await
    });
    // What is still running was given its time, or is not wanted.
    runtime.shutdown_background();
    ended
}

impl Roles {
    /// One process is everything.
    pub(crate) const ALL: Self = Self {
        tpp_api: true,
        internal: true,
        delivery: true,
    };

    /// All, if none is named.
    fn of(named: &[Role]) -> Self {
        let plays = |role| named.is_empty() || named.contains(&role);
        Self {
            tpp_api: plays(Role::TppApi),
            internal: plays(Role::Internal),
            delivery: plays(Role::Delivery),
        }
    }
}
