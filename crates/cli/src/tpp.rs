//! The commands of a TPP: `oyez listen`, `oyez poll`, `oyez subscription`, against any bank that speaks the standard.
//!
//! They are [`oyez_tpp`] with a configuration file, a place to hand events over to, and words for people. Nothing of the
//! bank's side is in here but the listener, which is a good one.

mod config;
mod ends;
mod hand_over;
mod listen;
mod log;
mod measured;
mod parties;
mod poll;
mod record;
mod standards;
mod subscription;

use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::args::TppCommand;
use crate::commands::Surroundings;
use crate::failure::Failure;
use crate::output::{Format, Reply};
use crate::runtime::on_all_cores;
use crate::signals::Stops;

pub(crate) use measured::{pollers, receive};
pub(crate) use standards::Standards;

/// Does what a TPP asks for. `None`: it said everything while it ran.
pub(crate) fn run(
    command: &TppCommand,
    format: Format,
    around: &Surroundings,
) -> Result<Option<Reply>, Failure> {
    on_all_cores()?.block_on(async {
        match command {
            TppCommand::Listen(args) => {
                listen::run(args, format, around).await?;
                Ok(None)
            }
            TppCommand::Poll(args) => {
                poll::run(args, format, around).await?;
                Ok(None)
            }
            TppCommand::Subscription(command) => subscription::run(command, around).await.map(Some),
        }
    })
}

/// What SETs of a configured bank are judged by; its keys are fetched.
pub(crate) fn standards_of(
    bank: &str,
    file: &Path,
    around: &Surroundings,
) -> Result<Standards, Failure> {
    on_all_cores()?.block_on(Standards::fetch(bank, file, around))
}

/// `docs/tpp-configuration.md`.
pub(crate) fn configuration_page() -> String {
    config::page()
}

/// What runs until it is told to stop.
struct Running {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Running {
    /// Until the first SIGINT or SIGTERM.
    fn new() -> Result<Self, Failure> {
        let mut stops = Stops::hear()?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let told = stop.clone();
        drop(tasks.spawn(async move {
            tokio::select! {
                _ = stops.next() => {}
                () = told.cancelled() => {}
            }
            told.cancel();
        }));
        Ok(Self { tasks, stop })
    }

    /// Waits for everything that was begun.
    async fn finish(self) {
        self.stop.cancel();
        self.tasks.close();
        // What hangs is cut off: it was not acknowledged, and comes again.
        tokio::time::timeout(FINISHED_WITHIN, self.tasks.wait())
            .await
            .ok();
    }
}

/// A hand-over and the farewell to a bank have time for this.
const FINISHED_WITHIN: Duration = Duration::from_secs(20);
