//! `oyez listen` and `oyez poll` as `oyez bench` measures them: all the same, but that they hand over to an application in the
//! process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oyez_tpp::{HandOver, Intake, Observer, PollObserver, Poller, SeenInMemory};

use super::config::{Tpp, TppConfig};
use super::ends::{Ends, seen};
use super::parties::Parties;
use super::{Running, listen, log, poll};
use crate::args::BenchSeen;
use crate::commands::Surroundings;
use crate::failure::Failure;
use crate::output::Format;
use crate::runtime::on_all_cores;

/// Receives until `end` comes.
pub(crate) fn receive(
    file: &Path,
    kept: BenchSeen,
    application: Arc<dyn HandOver>,
    around: &Surroundings,
    announce: impl FnOnce(SocketAddr),
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Failure> {
    let config = TppConfig::read(file)?;
    let ends = ends(&config.tpp, kept, application)?;
    // Only what is refused is said.
    let observer: Observer = Arc::new(|it| log::received(it, Format::People));
    on_all_cores()?.block_on(async {
        let running = Running::new()?;
        let stop = running.stop.clone();
        drop(running.tasks.spawn(async move {
            tokio::select! {
                () = end => stop.cancel(),
                () = stop.cancelled() => {}
            }
        }));
        listen::receive(&config, &[], ends, observer, around, running, announce).await
    })
}

/// Who polls the banks of each of these files. They hand over to one application, and remember together.
pub(crate) fn pollers(
    files: &[PathBuf],
    kept: BenchSeen,
    application: &Arc<dyn HandOver>,
    observer: impl Fn(usize) -> PollObserver,
    around: &Surroundings,
) -> Result<Vec<Poller>, Failure> {
    let mut intake: Option<Intake> = None;
    let mut pollers = Vec::new();
    for (nth, file) in files.iter().enumerate() {
        let config = TppConfig::read(file)?;
        let parties = Parties::of(&config.tpp, around)?;
        let intake = match &intake {
            Some(intake) => intake.clone(),
            None => {
                let ends = ends(&config.tpp, kept, Arc::clone(application))?;
                intake.insert(ends.intake(&parties)).clone()
            }
        };
        for at in &config.tpp.banks {
            pollers.push(poll::poller(&parties, at, intake.clone(), observer(nth))?);
        }
    }
    Ok(pollers)
}

fn ends(tpp: &Tpp, kept: BenchSeen, hand_over: Arc<dyn HandOver>) -> Result<Ends, Failure> {
    Ok(Ends {
        seen: match kept {
            BenchSeen::Sqlite => seen(tpp)?,
            BenchSeen::Memory => Arc::new(SeenInMemory::new(tpp.remembered)),
        },
        hand_over,
    })
}
