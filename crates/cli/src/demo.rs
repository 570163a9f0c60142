//! `oyez demo`: a whole little world on this machine. A bank served by the very code of `oyez serve` over mutual TLS, an
//! authorisation server that is a toy, and two TPPs that are played by the library that real ones use. Nothing in it is
//! faked: every request goes over a socket, and every signature is verified by whoever receives it.
//!
//! `--once` tells a [`story`] and checks each step of it. Otherwise the world stays, and [`stay`] says what can be tried.
//! Everything is on loopback and in one directory, which is gone when the command ends.

mod cast;
mod desk;
mod inbox;
mod player;
mod premises;
mod stay;
mod story;
mod teller;
mod toy;
mod why;
mod world;

use crate::args::Demo;
use crate::commands::Surroundings;
use crate::failure::Failure;
use crate::output::{Format, Verdict};
use crate::runtime;
use crate::serve::Ends;
use teller::{Interrupted, Teller};
use world::{Ports, Scene, World};

/// Plays until the story is over, or until it is told to stop.
pub(crate) fn run(args: &Demo, format: Format, around: &Surroundings) -> Result<Verdict, Failure> {
    let runtime = runtime::on_all_cores()?;
    let teller = Teller::new(format, around.paint);
    let played = runtime.block_on(async {
        // Before there is anything that a signal should not leave behind.
        let ends = Ends::signals()?;
        if args.once {
            once(teller, ends, around).await
        } else {
            stays(teller, ends, around).await
        }
    });
    runtime.shutdown_background();
    played
}

async fn once(
    mut teller: Teller,
    mut ends: Ends,
    around: &Surroundings,
) -> Result<Verdict, Failure> {
    let world = World::build(around, Ports::Free).await?;
    let tell = async |scene: Scene| {
        let told = tokio::select! {
            told = Box::pin(story::tell(&mut teller, &scene)) => told,
            signal = ends.next() => return Err(cut_off(signal)),
        };
        match told {
            Ok(()) => teller.end().map(|()| Verdict::Yes),
            Err(Interrupted::StepFailed) => Ok(Verdict::No),
            Err(Interrupted::Unheard(failure)) => Err(failure),
        }
    };
    world.live(tell).await
}

async fn stays(teller: Teller, mut ends: Ends, around: &Surroundings) -> Result<Verdict, Failure> {
    let world = World::build(around, Ports::WellKnown).await?;
    let stay = async |scene: Scene| {
        tokio::select! {
            stayed = Box::pin(stay::stay(&teller, &scene, &around.program)) => stayed.map(|never| match never {}),
            _ = ends.next() => Ok(Verdict::Yes),
        }
    };
    world.live(stay).await
}

fn cut_off(signal: &str) -> Failure {
    let what = format!("{signal} came in the middle of the story");
    Failure::cut_off(what, "let it tell to its end")
}
