//! A ledger with a long past, for the other benchmarks to measure: what does history cost?
//!
//! It is spread over twelve weeks, which is less than any ledger keeps, and so over several parts of a partitioned history;
//! what waits came in the last day. SETs are short, since nothing looks at those of settled events: what they cost is room.

use std::ops::Range;
use std::time::Duration;

use oyez_domain::ids::ClientId;
use oyez_domain::time::Timestamp;
use oyez_store::rehearsal::{Left, Past};
use tokio::time::Instant;

use super::alone::submission;
use super::figures::{Figures, float, mib, rate, round};
use super::site::{Site, client_id, register, waiting_client_id};
use crate::args::Fill;
use crate::commands::Surroundings;
use crate::config::Backend;
use crate::failure::Failure;
use crate::output::{self, Progress};

pub(super) fn measure(args: &Fill, around: &Surroundings) -> Result<Figures, Failure> {
    let mut site = Site::to_fill(&args.common, around)?;
    judge_room(args, &mut site)?;
    let tpps = (0..args.tpps).flat_map(|tpp| [client_id(tpp), waiting_client_id(tpp)]);
    site.in_ledger(async |ledger, now| register(ledger, tpps.map(|tpp| (tpp, None)), now).await)?;
    let now = site.timestamp();
    let started = Instant::now();
    let progress = Progress::of("events");
    for past in pasts(args, now) {
        site.home().rehearse(&past, |events| {
            progress.advance(usize::try_from(events).unwrap_or(usize::MAX));
        })?;
    }
    let written = started.elapsed();
    site.home().settle_down()?;
    progress.finish();
    let (events, took) = (args.settled + args.outstanding, started.elapsed());
    let bytes = site.home().size()?.bytes;
    site.home().keep();
    Ok(Figures::none()
        .with("rate", round(rate(events, took), 0))
        .with("writing_rate", round(rate(events, written), 0))
        .with("seconds", round(took.as_secs_f64(), 1))
        .with("events", events)
        .with("settled", args.settled)
        .with("outstanding", args.outstanding)
        .with("tpps", args.tpps)
        .with("ledger_mib", mib(bytes))
        .with(
            "bytes_per_event",
            round(float(bytes) / float(events.max(1)), 0),
        )
        .of(&args.common))
}

fn pasts(args: &Fill, now: Timestamp) -> [Past; 2] {
    let whose = |name: fn(u64) -> ClientId| (0..args.tpps).map(name).collect::<Vec<_>>();
    let notice = submission([0; 4], 0, 0, now).notice;
    let before = |long: Duration, short: Duration| -> Range<Timestamp> { now - long..now - short };
    [
        Past {
            whose: whose(client_id),
            events: args.settled,
            over: before(TWELVE_WEEKS, DAY),
            notice: notice.clone(),
            left: Left::History {
                set_bytes: SET_BYTES,
            },
        },
        Past {
            whose: whose(waiting_client_id),
            events: args.outstanding,
            over: before(DAY, HOUR),
            notice,
            left: Left::Outstanding,
        },
    ]
}

/// Refuses what would fill the disk.
fn judge_room(args: &Fill, site: &mut Site) -> Result<(), Failure> {
    let per_event = match args.common.backend {
        Backend::Sqlite => SQLITE_BYTES_PER_EVENT,
        Backend::Postgres => POSTGRES_BYTES_PER_EVENT,
    };
    let needed = (args.settled + args.outstanding) * per_event * 2;
    match site.home().room() {
        None => {
            output::aside("how much room the database's disk has is not seen from here");
            Ok(())
        }
        Some(room) if room >= needed => Ok(()),
        Some(room) => {
            let what = format!(
                "the disk has {} MiB free, and this wants {} MiB",
                mib(room),
                mib(needed)
            );
            Err(Failure::environment(
                what,
                "make room, or fill in fewer events",
            ))
        }
    }
}

/// Shorter than a real one: 1,000 bytes more each would be 10 GB of the same letter.
const SET_BYTES: usize = 100;

// As measured, indexes included.
const SQLITE_BYTES_PER_EVENT: u64 = 700;
const POSTGRES_BYTES_PER_EVENT: u64 = 1_300;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Under the ninety days that history is kept for.
const TWELVE_WEEKS: Duration = Duration::from_secs(12 * 7 * 24 * 60 * 60);
