//! Polls that wait: the memory of each, and the time from the first publication until the last of them was answered, beside
//! the time that signing alone would have taken.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::client::{Connection, Dial, get};
use super::figures::{Figures, Latencies, Meter, float, rate, round};
use super::primitive::Primitive;
use super::publisher::{Publications, count};
use super::server::Server;
use super::site::Site;
use super::tpp::{Crowd, sets};
use super::{broken, drive, unexpected};
use crate::args::LongPoll;
use crate::commands::Surroundings;
use crate::failure::Failure;
use crate::{open_files, output};

/// Each answers when it was answered.
type Polls = JoinSet<Result<Instant, Failure>>;

pub(super) fn measure(args: &LongPoll, around: &Surroundings) -> Result<Figures, Failure> {
    let waiters = affordable(args.waiters)?;
    let tpps = args.tpps.min(waiters);
    let site = Site::make(&args.common, args.alg.kind(), tpps, around)?;
    let server = Server::start(&site, args.transport)?;
    let crowd = Crowd::of(&site, &server, args.transport, tpps)?;
    let measured = drive(async {
        let memory_before = server.process.memory()?;
        let mut polls = begin(crowd, waiters).await?;
        until_all_wait(&site, &server, waiters, &mut polls).await?;
        let memory_after = server.process.memory()?;
        let publications = Publications {
            events: waiters,
            batch: WAKING_BATCH,
            tpps,
            keyed: false,
        };
        let mut began = None;
        let start = || {
            began = Some((Meter::start(&server)?, Instant::now()));
            Ok(())
        };
        let published = publications.publish(&site, &server, WAKING_CONNECTIONS, start);
        published.await?;
        let mut answered = Vec::new();
        while let Some(poll) = polls.join_next().await {
            answered.push(poll.map_err(|error| broken("a poll broke", &error))??);
        }
        let (meter, began) = began.expect("nothing is published before it is started");
        let cost = meter.stop(waiters)?;
        let latencies = answered.iter().map(|at| *at - began).collect();
        Ok((cost, latencies, memory_after.saturating_sub(memory_before)))
    });
    let (cost, latencies, memory): (_, Vec<Duration>, u64) = measured?;
    let limit = Primitive::signing(args.alg.kind())?.per_second;
    let took = latencies.iter().max().copied().unwrap_or_default();
    Ok(cost
        .beside(limit, &Latencies::of(latencies))
        .of(&args.common)
        .with("alg", args.alg.name())
        .with("transport", args.transport.name())
        .with("tpps", tpps)
        .with("waiters", waiters)
        .with(
            "kib_per_waiter",
            round(float(memory) / 1024.0 / float(waiters), 1),
        )
        .with("wake_ms", round(took.as_secs_f64() * 1e3, 0))
        .with("wake_to_signing", round(limit / rate(waiters, took), 2)))
}

/// As many as this process, and the server like it, may have open.
fn affordable(waiters: u64) -> Result<u64, Failure> {
    let wanted = waiters + OTHER_FILES;
    let limit = open_files::raise(wanted);
    let limit = limit.map_err(|error| broken("no limit of open files", &error))?;
    if limit >= wanted {
        return Ok(waiters);
    }
    let fewer = limit.saturating_sub(OTHER_FILES).max(1);
    output::aside(format_args!(
        "only {limit} files may be open: {fewer} polls instead of {waiters}"
    ));
    Ok(fewer)
}

/// Sends all polls, each on its connection. Each task answers when its own was answered.
async fn begin(crowd: Crowd, waiters: u64) -> Result<Polls, Failure> {
    let crowd = Arc::new(crowd);
    let at_once = Arc::new(Semaphore::new(CONNECTING_AT_ONCE));
    let mut polls = JoinSet::new();
    for waiter in 0..waiters {
        let tpp = usize::try_from(waiter).unwrap_or(0) % crowd.len();
        let permit = Arc::clone(&at_once).acquire_owned().await;
        let permit = permit.map_err(|error| broken("cannot connect", &error))?;
        let crowd = Arc::clone(&crowd);
        polls.spawn(async move {
            let connection = sent(&crowd, tpp).await;
            let mut connection = connection.map_err(|error| broken("cannot poll", &error))?;
            drop(permit);
            drop(crowd);
            let answer = connection.answer().await;
            let answer = answer.map_err(|error| broken("a poll failed", &error))?;
            let answered_at = Instant::now();
            match sets(answer)?.len() {
                1 => Ok(answered_at),
                other => Err(unexpected(format!(
                    "a waiting poll was handed {other} events"
                ))),
            }
        });
    }
    Ok(polls)
}

async fn sent(crowd: &Crowd, tpp: usize) -> std::io::Result<Connection> {
    let mut connection = crowd.dial.connect().await?;
    let poll = crowd.poll(tpp, "{\"maxEvents\":1,\"returnImmediately\":false}");
    connection.send(&poll).await?;
    Ok(connection)
}

/// The server counts them itself. None of them ends meanwhile.
async fn until_all_wait(
    site: &Site,
    server: &Server,
    waiters: u64,
    polls: &mut Polls,
) -> Result<(), Failure> {
    let cannot = |error: &dyn Error| broken("cannot see how many polls wait", error);
    let request = get("/metrics", &site.operators_token("viewer")?);
    let dial = Dial::plain(server.internal);
    let mut connection = dial.connect().await.map_err(|error| cannot(&error))?;
    let wanted = format!("\noyez_polls_waiting {waiters}\n");
    let all_wait = async {
        loop {
            let text = connection.ask(&request).await;
            let text = text.map_err(|error| cannot(&error))?;
            if count(text, wanted.as_bytes()) > 0 {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        waiting = timeout(ALL_WAIT_WITHIN, all_wait) => {
            waiting.unwrap_or_else(|_| Err(unexpected("not all polls came to wait")))
        }
        Some(ended) = polls.join_next() => {
            let _early = ended.map_err(|error| broken("a poll broke", &error))??;
            Err(unexpected("a poll that was to wait was answered"))
        }
    }
}

/// What the events that wake them are published in.
const WAKING_BATCH: u64 = 100;
const WAKING_CONNECTIONS: u64 = 8;

/// Handshakes of ten thousand at once would run into their time limit.
const CONNECTING_AT_ONCE: usize = 32;

/// Files that are no poll's connection.
const OTHER_FILES: u64 = 128;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Polls wait for five minutes at most.
const ALL_WAIT_WITHIN: Duration = Duration::from_secs(240);
