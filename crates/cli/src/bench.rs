//! `oyez bench`: load on a real server, with the limit measured beside it in the same run.
//!
//! The server is `oyez serve` of this very binary, a process of its own over a directory that [`site`] made. The load comes
//! from this process, on one thread. What is under the measured thing is measured alone when the server is at rest: absolute
//! figures differ from machine to machine, their ratio says what oyez adds.
//!
//! Load is bounded by its number of events and ends by itself; server and directory are gone when the command ends, also when
//! it is interrupted or terminated.
//!
//! The ledger is one of the run's own, in a file or in a database that it makes and drops; or one that [`fill`] made, with a
//! long past in it. No other ledger is ever touched.

mod accept;
mod alone;
mod application;
mod book;
mod client;
mod documents;
mod door;
mod drain;
mod figures;
mod fill;
mod home;
mod load;
mod long_poll;
mod poll;
mod postgres;
mod primitive;
mod process;
mod publisher;
mod push;
mod receive;
mod server;
mod sink;
mod site;
mod steady;
mod tpp;
mod tpp_file;

use std::error::Error;

use tokio::runtime::Runtime;

use crate::args::Bench;
use crate::commands::Surroundings;
use crate::failure::Failure;
use crate::output::Reply;
use crate::runtime;
use crate::signals::Stops;

/// Measures.
pub(crate) fn run(args: &Bench, around: &Surroundings) -> Result<Reply, Failure> {
    let figures = match args {
        Bench::Accept(args) => accept::measure(args, around),
        Bench::Poll(args) => poll::measure(args, around),
        Bench::LongPoll(args) => long_poll::measure(args, around),
        Bench::Push(args) => push::measure(args, around),
        Bench::Receive(args) => receive::measure(args, around),
        Bench::Drain(args) => drain::measure(args, around),
        Bench::Receiver(args) => return receive::receiver::run(args, around),
        Bench::Fill(args) => fill::measure(args, around),
        Bench::Steady(args) => return steady::measure(args, around),
    }?;
    Ok(figures.into_reply())
}

/// Drives the load on one thread: what it takes cannot be more than one core.
fn drive<T>(load: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    drive_on(&runtime::alone()?, load)
}

/// Drives what is measured in this process, on as many threads as the server has.
fn drive_alone<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    drive_on(&runtime::on_all_cores()?, work)
}

fn drive_on<T>(
    runtime: &Runtime,
    load: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    runtime.block_on(async {
        let mut stops = Stops::hear()?;
        tokio::select! {
            done = load => done,
            signal = stops.next() => {
                Err(Failure::environment(format!("ended by {signal}"), "run it again"))
            }
        }
    })
}

/// A measurement that cannot go on.
fn broken(what: impl Into<String>, cause: &dyn Error) -> Failure {
    Failure::environment(what, "see the reason, and try again").because(cause)
}

/// The server answered, but not as a server under load must: what was measured would not be what was meant.
fn unexpected(what: impl Into<String>) -> Failure {
    Failure::environment(what, "report this: the measurement means nothing")
}
