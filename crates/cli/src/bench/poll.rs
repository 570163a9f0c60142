//! Polling: authentication, settling, choosing, reading and writing SETs over mutual TLS, beside the ledger's part of it.

use tokio::task::JoinSet;

use super::alone::Ledgers;
use super::figures::{Figures, Latencies, Meter};
use super::publisher::Publications;
use super::server::{Server, explained};
use super::site::Site;
use super::tpp::{Crowd, Haul, Manner, Tpp};
use super::{drive, drive_alone, unexpected};
use crate::args::Poll;
use crate::commands::Surroundings;
use crate::failure::Failure;

pub(super) fn measure(args: &Poll, around: &Surroundings) -> Result<Figures, Failure> {
    // Each TPP has as many as the others.
    let each = args.events.div_ceil(args.tpps);
    let events = each * args.tpps;
    let site = Site::make(&args.common, args.alg.kind(), args.tpps, around)?;
    let server = Server::start(&site, args.transport)?;
    let crowd = Crowd::of(&site, &server, args.transport, args.tpps)?;
    let polled = drive(async {
        let (tpps, _) = signed_already(crowd, &site, &server, each, args.batch).await?;
        let meter = Meter::start(&server)?;
        let (_, hauled) = haul(tpps, each, args.batch, Manner::Acknowledging).await?;
        let cost = meter.stop(events)?;
        if hauled.events != events {
            return Err(unexpected(MISSED));
        }
        Ok((cost, hauled.latencies, hauled.set_bytes))
    });
    let (cost, latencies, set_bytes) = explained(polled, &site)?;
    drop(server);
    let limit = drive_alone(async {
        let ledgers = Ledgers::open(&site, args.tpps).await?;
        let rate = ledgers.poll(each, args.batch, args.tpps, set_bytes);
        let rate = rate.await?;
        ledgers.close().await?;
        Ok(rate)
    })?;
    Ok(cost
        .beside(limit, &Latencies::of(latencies))
        .of(&args.common)
        .with("batch", args.batch)
        .with("tpps", args.tpps)
        .with("alg", args.alg.name())
        .with("transport", args.transport.name())
        .with("set_bytes", set_bytes))
}

/// Publishes so many events for each of a crowd and lets it poll them, so that all are signed and kept, and none is
/// acknowledged. Answers the crowd, connected, and how long a SET is.
pub(super) async fn signed_already(
    crowd: Crowd,
    site: &Site,
    server: &Server,
    each: u64,
    batch: u64,
) -> Result<(Vec<Tpp>, usize), Failure> {
    let count = u64::try_from(crowd.len()).unwrap_or(u64::MAX);
    let publications = Publications {
        events: each * count,
        batch: FILLING_BATCH,
        tpps: count,
        keyed: false,
    };
    publications
        .publish(site, server, FILLING_CONNECTIONS, || Ok(()))
        .await?;
    let mut tpps = Vec::new();
    for tpp in 0..crowd.len() {
        tpps.push(crowd.connect(tpp).await?);
    }
    let (tpps, signed) = haul(tpps, each, batch, Manner::Looking).await?;
    if signed.events == each * count {
        Ok((tpps, signed.set_bytes))
    } else {
        Err(unexpected(MISSED))
    }
}

/// All TPPs at once; what they got, together.
async fn haul(
    tpps: Vec<Tpp>,
    each: u64,
    batch: u64,
    manner: Manner,
) -> Result<(Vec<Tpp>, Haul), Failure> {
    let mut tasks = JoinSet::new();
    for tpp in tpps {
        tasks.spawn(tpp.haul(each, batch, manner));
    }
    let mut all = Haul {
        events: 0,
        latencies: Vec::new(),
        set_bytes: 0,
    };
    let mut back = Vec::new();
    for done in tasks.join_all().await {
        let (tpp, haul) = done?;
        all.events += haul.events;
        all.latencies.extend(haul.latencies);
        all.set_bytes = all.set_bytes.max(haul.set_bytes);
        back.push(tpp);
    }
    Ok((back, all))
}

const MISSED: &str = "not every event came by polling";

/// Filling is not measured.
const FILLING_BATCH: u64 = 500;
const FILLING_CONNECTIONS: u64 = 4;
