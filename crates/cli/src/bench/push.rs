//! Pushing: accepting, signing, keeping, sending and recording, until all TPPs have acknowledged everything, beside signing
//! alone.
//!
//! The TPPs' endpoints are a sink in this process, which speaks real TLS, and the [`Book`] knows of each event when it was to be
//! published and when it arrived. At full rate the publisher stays a number of events ahead of the acknowledgements, so that
//! accepting and pushing go on together, as long as one likes and in bounded memory; how long an event waits is then the
//! publisher's choice, and says nothing. At a given rate it says something: it counts from the moment at which the event was
//! due to be published, whether or not the publisher was held up.
//!
//! Connections and keys are warm when the measurement starts. When it has ended, each accepted event must have arrived, with
//! the same bytes each time, and the ledger must say that none of them is outstanding.

mod neighbours;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::alone::submission;
use super::book::Book;
use super::client::{Dial, get};
use super::door::{self, Door, Locked, tls};
use super::figures::{Figures, float, mib, round};
use super::load::{Crew, Load, Measured, Pace, Until};
use super::primitive::Primitive;
use super::server::{Server, explained};
use super::site::{Site, client_id, register};
use super::{broken, drive, sink, unexpected};
use crate::args::{BenchHttp, BenchTransport, Push};
use crate::commands::Surroundings;
use crate::failure::Failure;
use crate::output;
use neighbours::Neighbours;

/// What the stretches of load gave.
struct Ran {
    first: Measured,
    /// At half the rate of the first.
    half: Option<Measured>,
    /// At the same rate as the one before, in bad company.
    beside: Option<Measured>,
}

pub(super) fn measure(args: &Push, around: &Surroundings) -> Result<Figures, Failure> {
    door::have_room_for(args.tpps)?;
    let (sink, dead, neighbours) = (Door::bind()?, Locked::bind()?, Neighbours::bind()?);
    let kind = args.alg.kind();
    let site = Site::found(&args.common, kind, around)?;
    prepare(args, &site, &sink, &dead, &neighbours)?;
    let before = Primitive::signing(kind)?;
    let server = Server::start(&site, BenchTransport::Tls)?;
    let book = Arc::new(Book::default());
    let ran = drive(async {
        sink::open(sink, tls(&site, args.http)?, Arc::clone(&book))?;
        let _dead = dead;
        let _neighbours = neighbours.open(&tls(&site, BenchHttp::One)?)?;
        let ran = run(args, &site, &server, &book).await?;
        recorded(args.tpps, &site, &server).await?;
        Ok(ran)
    });
    let ran = explained(ran, &site)?;
    let memory_peak = server.process.memory_peak()?;
    drop(server);
    let signing = before.mean(Primitive::signing(kind)?);
    let tally = book.tally();
    output::aside(format_args!(
        "each of {} accepted events arrived and is recorded; {} arrivals were repetitions, with the same bytes",
        tally.arrived, tally.repeated
    ));
    Ok(figures(args, &ran, signing)
        .with("rss_peak_mib", mib(memory_peak))
        .with("repeated", tally.repeated))
}

/// Who is registered where: first those who are pushed to, then the bad neighbours, then those with events from before.
fn prepare(
    args: &Push,
    site: &Site,
    sink: &Door,
    dead: &Locked,
    neighbours: &Neighbours,
) -> Result<(), Failure> {
    let healthy = (0..args.tpps).map(|tpp| sink.url(&format!("/{}", client_id(tpp))));
    let crowd = if args.outstanding > 0 { args.tpps } else { 0 };
    let crowd = (0..crowd).map(|_| dead.url());
    let all = healthy.chain(neighbours.urls()).chain(crowd).map(Some);
    let all = (0..).map(client_id).zip(all);
    site.in_ledger(async |ledger, now| {
        register(ledger, all, now).await?;
        let first = args.tpps + neighbours::COUNT;
        let mut filled = 0;
        while filled < args.outstanding {
            let next = (filled + FILLING_GROUP).min(args.outstanding);
            let group = filled..next;
            let group =
                group.map(|event| submission(site.mark(), event, first + event % args.tpps, now));
            ledger.accept(group.collect(), now).await?;
            filled = next;
        }
        Ok(())
    })
}

async fn run(args: &Push, site: &Site, server: &Server, book: &Arc<Book>) -> Result<Ran, Failure> {
    let crew = Crew {
        connections: args.connections,
        batch: args.batch,
        tpps: args.tpps,
    };
    let mut load = Load::connect(crew, site, server, Arc::clone(book)).await?;
    load.warm_up(server, args.ahead).await?;
    let pace = Pace::of(args.rate, args.ahead);
    let until = args.minutes.map_or(Until::Events(args.events), |minutes| {
        Until::Over(Duration::from_secs(minutes * 60))
    });
    let first = load.stretch(server, pace, until).await?;
    let half = Pace::PerSecond(first.cost.rate() / 2.0);
    let events = Until::Events(args.events);
    let wants_half = args.at_half || (args.bad_neighbours && args.rate.is_none());
    let alone = if wants_half {
        Some(load.stretch(server, half, events).await?)
    } else {
        None
    };
    let beside = if args.bad_neighbours {
        load.beside(neighbours::COUNT);
        let pace = args.rate.map_or(half, |rate| Pace::PerSecond(float(rate)));
        Some(load.stretch(server, pace, events).await?)
    } else {
        None
    };
    Ok(Ran {
        first,
        half: alone,
        beside,
    })
}

/// Waits until nothing is outstanding of those who acknowledged everything.
pub(super) async fn recorded(tpps: u64, site: &Site, server: &Server) -> Result<(), Failure> {
    let token = site.operators_token("viewer")?;
    let dial = Dial::plain(server.internal);
    let connection = dial.connect().await;
    let mut connection = connection.map_err(|error| broken("cannot connect", &error))?;
    let all_recorded = async {
        for tpp in (0..tpps).map(client_id) {
            let path = format!("/v1/tpps/{tpp}/counts");
            let request = get(&path, &token);
            loop {
                let answer = connection.ask(&request).await;
                let answer = answer.map_err(|error| broken("cannot count events", &error))?;
                let counts: Value = serde_json::from_slice(answer)
                    .map_err(|error| broken("a TPP's counts cannot be read", &error))?;
                if counts["outstanding"] == 0 {
                    break;
                }
                sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    };
    let all_recorded = timeout(RECORDED_WITHIN, all_recorded).await;
    all_recorded.unwrap_or_else(|_| {
        Err(unexpected(
            "events are outstanding although they were acknowledged",
        ))
    })
}

fn figures(args: &Push, ran: &Ran, signing: Primitive) -> Figures {
    let outside = |measured: &Measured| round(measured.cost.cpu_us() - signing.cpu_us, 1);
    let first = &ran.first;
    let mut figures = first
        .cost
        .beside(signing.per_second, &first.latencies)
        .with("signing_cpu_us", round(signing.cpu_us, 1))
        .with("cpu_us_outside_signing", outside(first))
        .with("load_cpu_us_per_event", round(first.cost.load_cpu_us(), 1))
        .of(&args.common)
        .with("alg", args.alg.name())
        .with("http", args.http.name())
        .with("tpps", args.tpps)
        .with("batch", args.batch)
        .with("ahead", args.ahead)
        .with("outstanding", args.outstanding);
    if let Some([of_first, of_last]) = first.quarters {
        figures = figures
            .with("first_quarter_rate", round(of_first, 0))
            .with("last_quarter_rate", round(of_last, 0))
            .with("last_to_first", round(of_last / of_first, 3));
    }
    if let Some(half) = &ran.half {
        figures = figures
            .with("half_rate", round(half.cost.rate(), 0))
            .with("half_cpu_us_outside_signing", outside(half))
            .with_latencies("half_", &half.latencies);
    }
    if let Some(beside) = &ran.beside {
        let alone = ran.half.as_ref().unwrap_or(first);
        let ratio = beside.latencies.ms(99) / alone.latencies.ms(99);
        figures = figures
            .with("beside_rate", round(beside.cost.rate(), 0))
            .with_latencies("beside_", &beside.latencies)
            .with("beside_to_alone", round(ratio, 2));
    }
    figures
}

/// Filling is not measured.
const FILLING_GROUP: u64 = 1_000;

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The last answers wait for nothing but the next commit.
const RECORDED_WITHIN: Duration = Duration::from_secs(60);
