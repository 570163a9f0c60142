//! Draining: `oyez poll --once` at a real server over mutual TLS: fetch, verify, hand over to an application in this process,
//! acknowledge, until nothing is left; beside verifying alone.
//!
//! Every SET was signed and kept before, for a first pass polled without acknowledging. The pollers are this process, which does
//! nothing else meanwhile; the server is the one beside it.

use std::collections::HashMap;
use std::iter;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oyez_tpp::{HandOver, PollObserver, Round, Yield};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::application::{Count, Counter};
use super::door::{Door, tls};
use super::figures::{Cost, Figures, Latencies, Meter, round};
use super::poll::signed_already;
use super::primitive::Primitive;
use super::process::Process;
use super::push::recorded;
use super::receive::figures;
use super::server::{Server, explained};
use super::site::{Site, client_id};
use super::tpp::Crowd;
use super::tpp_file::TppFile;
use super::{broken, documents, drive, drive_alone, unexpected};
use crate::args::{BenchHttp, BenchTransport, Drain};
use crate::commands::Surroundings;
use crate::failure::Failure;
use crate::tpp;

/// When the rounds of a poller ended.
#[derive(Default)]
struct Laps(Mutex<Vec<Instant>>);

pub(super) fn measure(args: &Drain, around: &Surroundings) -> Result<Figures, Failure> {
    // Each has as many as the others.
    let each = args.events.div_ceil(args.pollers);
    let events = each * args.pollers;
    let door = Door::bind()?;
    let kind = args.alg.kind();
    let site = Site::make(&args.common, kind, args.pollers, around)?;
    let server = Server::start(&site, BenchTransport::Tls)?;
    let crowd = Crowd::of(&site, &server, BenchTransport::Tls, args.pollers)?;
    let signed = drive(signed_already(crowd, &site, &server, each, args.batch));
    let (_, set_bytes) = explained(signed, &site)?;
    let files = files(args, &site, &server, &door)?;
    let before = Primitive::verifying(kind)?;
    let drained = drive_alone(async {
        let tokens = tokens(&site, args.pollers)?;
        documents::open(door, tls(&site, BenchHttp::One)?, tokens)?;
        let drained = drain(args, &files, &server, events, around).await?;
        recorded(args.pollers, &site, &server).await?;
        Ok(drained)
    });
    let (cost, latencies) = explained(drained, &site)?;
    drop(server);
    let verifying = before.mean(Primitive::verifying(kind)?);
    Ok(figures(&cost, &latencies, verifying)
        .with("server_cpu_us_per_event", round(cost.load_cpu_us(), 1))
        .of(&args.common)
        .with("seen", args.seen.name())
        .with("alg", args.alg.name())
        .with("pollers", args.pollers)
        .with("batch", args.batch)
        .with("set_bytes", set_bytes))
}

/// A configuration for each of them.
fn files(args: &Drain, site: &Site, server: &Server, door: &Door) -> Result<Vec<PathBuf>, Failure> {
    let write = |tpp| {
        let file = TppFile {
            client_id: &client_id(tpp),
            bank: server.tpp,
            jwks: format!("https://{}/jwks", server.tpp),
            tokens: format!("https://{}{}", door.address(), token_path(tpp)),
            batch: args.batch,
        };
        file.write(site)
    };
    (0..args.pollers).map(write).collect()
}

/// What a token endpoint would say to each of them.
fn tokens(site: &Site, pollers: u64) -> Result<HashMap<String, String>, Failure> {
    let tokens = site.access_tokens(pollers)?;
    let granted =
        |token| json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3_600 });
    let tokens = (0..).map(token_path).zip(tokens);
    Ok(tokens
        .map(|(path, token)| (path, granted(token).to_string()))
        .collect())
}

/// Lets all of them drain at once.
async fn drain(
    args: &Drain,
    files: &[PathBuf],
    server: &Server,
    events: u64,
    around: &Surroundings,
) -> Result<(Cost, Latencies), Failure> {
    let counter = Arc::new(Counter::default());
    let application = Arc::clone(&counter) as Arc<dyn HandOver>;
    let laps: Vec<_> = files.iter().map(|_| Arc::new(Laps::default())).collect();
    let observer = |nth: usize| Laps::observer(&laps[nth]);
    let pollers = tpp::pollers(files, args.seen, &application, observer, around)?;
    let (server, database) = (server.process.clone(), server.database.clone());
    let meter = Meter::between(Process::this(), server, database)?;
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for mut poller in pollers {
        tasks.spawn(async move { poller.drain().await });
    }
    let all = tasks.join_all().await;
    let cost = meter.stop(events)?;
    for brought in all {
        let brought = brought.map_err(|error| broken("a poller failed", &error))?;
        let is_whole = Yield {
            handed_over: brought.handed_over,
            ..Yield::default()
        };
        if brought != is_whole {
            return Err(unexpected(format!("a poller brought {brought:?}")));
        }
    }
    let count = counter.count();
    if count != Count::once(events) {
        return Err(unexpected(format!("the application got {count:?}")));
    }
    let rounds = laps.iter().flat_map(|laps| laps.since(started));
    Ok((cost, Latencies::of(rounds.collect())))
}

impl Laps {
    fn observer(laps: &Arc<Self>) -> PollObserver {
        let laps = Arc::clone(laps);
        Arc::new(move |round| {
            if let Round::Done(_) = round {
                laps.ends().push(Instant::now());
            }
        })
    }

    /// How long each round took, the first one since then.
    fn since(&self, started: Instant) -> Vec<Duration> {
        let ends = self.ends();
        let begins = iter::once(&started).chain(ends.iter());
        begins
            .zip(ends.iter())
            .map(|(begin, end)| *end - *begin)
            .collect()
    }

    fn ends(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn token_path(tpp: u64) -> String {
    format!("/token/{tpp}")
}
