//! Accepting events: HTTP, JSON, validation and a durable write, beside the durable write alone.

use oyez_jose::KeyKind;

use super::alone::Ledgers;
use super::figures::{Figures, Latencies, Meter};
use super::publisher::Publications;
use super::server::{Server, explained};
use super::site::Site;
use super::{drive, drive_alone};
use crate::args::{Accept, BenchTransport};
use crate::commands::Surroundings;
use crate::failure::Failure;

pub(super) fn measure(args: &Accept, around: &Surroundings) -> Result<Figures, Failure> {
    let site = Site::make(&args.common, KeyKind::Rsa2048, args.tpps, around)?;
    let server = Server::start(&site, BenchTransport::Tls)?;
    let publications = Publications {
        events: args.events,
        batch: args.batch,
        tpps: args.tpps,
        keyed: args.keyed,
    };
    let mut meter = None;
    let published = drive(publications.publish(&site, &server, args.connections, || {
        meter = Some(Meter::start(&server)?);
        Ok(())
    }));
    let latencies = explained(published, &site)?;
    let meter = meter.expect("nothing is published before it is started");
    let cost = meter.stop(args.events)?;
    drop(server);
    let limit = drive_alone(async {
        let ledgers = Ledgers::open(&site, args.tpps).await?;
        let rate = ledgers.accept(args.events, args.batch, args.connections);
        let rate = rate.await?;
        ledgers.close().await?;
        Ok(rate)
    })?;
    Ok(cost
        .beside(limit, &Latencies::of(latencies))
        .of(&args.common)
        .with("batch", args.batch)
        .with("connections", args.connections)
        .with("tpps", args.tpps))
}
