//! `oyez poll`: polls banks, side by side, and hands over what they have.

use std::sync::Arc;

use oyez_tpp::{Intake, Pace, PollObserver, Poller, PollerSetup, Waits, Yield};

use super::config::{BankAt, TppConfig};
use super::ends::{Ends, seen};
use super::parties::{Parties, callable, chosen};
use super::{Running, hand_over, log};
use crate::args::PollArgs;
use crate::commands::Surroundings;
use crate::failure::Failure;
use crate::output::{self, Format};

/// Until it is told to stop, or, with `--once`, until the banks have nothing more.
pub(super) async fn run(
    args: &PollArgs,
    format: Format,
    around: &Surroundings,
) -> Result<(), Failure> {
    let config = TppConfig::read(&args.config.path)?;
    let parties = Parties::of(&config.tpp, around)?;
    let running = Running::new()?;
    let ends = Ends {
        seen: seen(&config.tpp)?,
        hand_over: hand_over::of(&config.hand_over, format)?,
    };
    let intake = ends.intake(&parties);
    let mut pollers = Vec::new();
    for at in chosen(&config.tpp, &args.banks)? {
        let name: Arc<str> = at.name.to_string().into();
        let told = Arc::clone(&name);
        let observer: PollObserver = Arc::new(move |it| log::round(&told, it, format));
        pollers.push((name, poller(&parties, at, intake.clone(), observer)?));
    }
    if args.once {
        let drained = drain(pollers).await;
        running.finish().await;
        return drained;
    }
    for (_, mut poller) in pollers {
        let stop = running.stop.clone();
        drop(running.tasks.spawn(async move {
            poller.run(stop.cancelled()).await;
        }));
    }
    running.stop.cancelled().await;
    running.finish().await;
    Ok(())
}

/// Who polls a bank.
pub(super) fn poller(
    parties: &Parties,
    at: &BankAt,
    intake: Intake,
    observer: PollObserver,
) -> Result<Poller, Failure> {
    callable(at)?;
    Ok(Poller::new(PollerSetup {
        name: at.name.to_string().into(),
        bank: parties.bank(at)?,
        intake,
        pace: pace(at),
        observer: Some(observer),
    }))
}

/// Takes what there is, bank by bank. One that fails does not keep the others from being asked.
async fn drain(pollers: Vec<(Arc<str>, Poller)>) -> Result<(), Failure> {
    let mut first_failure = None;
    for (name, mut poller) in pollers {
        let failure = match poller.drain().await {
            Ok(Yield { not_now, .. }) if not_now.is_empty() => continue,
            Ok(_) => Failure::cut_off(
                format!("{name}: some events could not be handed over"),
                "see above; they come again",
            ),
            Err(error) => {
                let mend = "see the reason; nothing is lost";
                Failure::environment(format!("{name} cannot be polled"), mend).because(&error)
            }
        };
        match first_failure {
            None => first_failure = Some(failure),
            Some(_) => output::aside(format_args!("error: {failure}")),
        }
    }
    first_failure.map_or(Ok(()), Err)
}

fn pace(at: &BankAt) -> Pace {
    Pace {
        waits: if at.long_poll {
            Waits::Asked
        } else {
            Waits::NotAsked
        },
        events_max: at.events_max,
        interval: at.poll_interval,
        ..Pace::default()
    }
}
