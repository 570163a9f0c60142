//! The runtimes that commands work on, each with as many threads as it has work for. A command that waits for nobody needs none.

use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;

/// The thread that drives it alone.
pub(crate) fn alone() -> Result<Runtime, Failure> {
    started(&mut Builder::new_current_thread())
}

/// A thread beside whoever drives it, who may block meanwhile.
pub(crate) fn with_one_worker() -> Result<Runtime, Failure> {
    started(Builder::new_multi_thread().worker_threads(1))
}

/// As many threads as the machine has cores.
pub(crate) fn on_all_cores() -> Result<Runtime, Failure> {
    started(&mut Builder::new_multi_thread())
}

fn started(builder: &mut Builder) -> Result<Runtime, Failure> {
    builder.enable_all().build().map_err(|error| {
        Failure::environment("cannot start", "see the reason, and try again").because(&error)
    })
}
