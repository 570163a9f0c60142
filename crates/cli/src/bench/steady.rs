//! The steady state: accepting, polling and pushing at once, for as many events as one likes, with the figures of each quarter
//! beside each other. What grows with use (dead rows, tables, latency) is seen here and nowhere else.
//!
//! One half of the TPPs has an endpoint, the other waits in long polls and acknowledges with the next one. The publisher stays
//! a number of events ahead of both. Load comes in stretches, each of which ends when all of it has arrived: so what is known
//! of old events can be forgotten, and a run of any length fits in memory.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ids::Jti;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::book::Book;
use super::door::{self, Door, tls};
use super::figures::{Cost, Figures, Latencies, mib, round};
use super::home::{Size, Watch};
use super::load::{Crew, Load, Measured, Pace, Until};
use super::primitive::Primitive;
use super::push::recorded;
use super::server::{Server, explained};
use super::site::{Site, client_id, register};
use super::tpp::Crowd;
use super::{broken, drive, sink};
use crate::args::{BenchHttp, BenchTransport, Steady};
use crate::commands::Surroundings;
use crate::failure::Failure;
use crate::output::{Reply, Verdict};

/// What a quarter of the events gave.
struct Quarter {
    cost: Cost,
    latencies: Latencies,
    /// The most dead rows that were seen, and how large all was at the end.
    size: Size,
}

/// A run of the load.
struct Run<'a> {
    args: &'a Steady,
    server: &'a Server,
    load: Load,
    book: Arc<Book>,
    watch: Watch,
    pace: Pace,
}

pub(super) fn measure(args: &Steady, around: &Surroundings) -> Result<Reply, Failure> {
    door::have_room_for(args.tpps)?;
    let door = Door::bind()?;
    let kind = args.alg.kind();
    let mut site = Site::found(&args.common, kind, around)?;
    let pushed = args.tpps / 2;
    let urls = (0..args.tpps).map(client_id).enumerate().map(|(nth, tpp)| {
        let has_endpoint = (nth as u64) < pushed;
        let url = has_endpoint.then(|| door.url(&format!("/{tpp}")));
        (tpp, url)
    });
    site.in_ledger(async |ledger, now| register(ledger, urls, now).await)?;
    let before = Primitive::signing(kind)?;
    let server = Server::start(&site, BenchTransport::Tls)?;
    let crowd = Crowd::of(&site, &server, BenchTransport::Tls, args.tpps)?;
    let ran = drive(async {
        let book = Arc::new(Book::default());
        sink::open(door, tls(&site, BenchHttp::One)?, Arc::clone(&book))?;
        let mut pollers = poll(&crowd, pushed, args, &book).await?;
        let mut run = Run {
            args,
            server: &server,
            load: Load::connect(crew(args), &site, &server, Arc::clone(&book)).await?,
            book,
            watch: site.home().watch().await?,
            pace: Pace::of(args.rate, args.ahead),
        };
        tokio::select! {
            quarters = run.quarters() => {
                let quarters = quarters?;
                recorded(args.tpps, &site, &server).await?;
                Ok(quarters)
            }
            Some(ended) = pollers.join_next() => {
                Err(ended.unwrap_or_else(|error| broken("a TPP broke", &error)))
            }
        }
    });
    let quarters = explained(ran, &site)?;
    drop(server);
    Ok(reply(
        args,
        quarters,
        before.mean(Primitive::signing(kind)?),
    ))
}

/// The TPPs that poll, each on its connection; they end when something is wrong.
async fn poll(
    crowd: &Crowd,
    pushed: u64,
    args: &Steady,
    book: &Arc<Book>,
) -> Result<JoinSet<Failure>, Failure> {
    let mut pollers = JoinSet::new();
    for tpp in usize::try_from(pushed).unwrap_or(0)..crowd.len() {
        let (tpp, book) = (crowd.connect(tpp).await?, Arc::clone(book));
        pollers.spawn(tpp.follow(
            args.batch,
            move |jti: &str, set: &str| match jti.parse::<Jti>() {
                Ok(jti) => {
                    let mut hasher = DefaultHasher::new();
                    hasher.write(set.as_bytes());
                    book.arrived(jti, hasher.finish(), Instant::now());
                }
                Err(error) => book.wrong(format!("a poll was handed the jti {jti}: {error}")),
            },
        ));
    }
    Ok(pollers)
}

fn crew(args: &Steady) -> Crew {
    Crew {
        connections: args.connections,
        batch: args.batch,
        tpps: args.tpps,
    }
}

impl Run<'_> {
    async fn quarters(&mut self) -> Result<Vec<Quarter>, Failure> {
        self.load.warm_up(self.server, self.args.ahead).await?;
        let mut quarters = Vec::new();
        for _ in 0..QUARTERS {
            quarters.push(self.quarter(self.args.events / QUARTERS).await?);
        }
        Ok(quarters)
    }

    /// Stretches of about the same length.
    async fn quarter(&mut self, events: u64) -> Result<Quarter, Failure> {
        let stretches = events.div_ceil(STRETCH);
        let mut quarter: Option<Quarter> = None;
        for nth in 0..stretches {
            let count = events * (nth + 1) / stretches - events * nth / stretches;
            let (measured, size) = self.stretch(count).await?;
            quarter = Some(match quarter {
                None => Quarter {
                    cost: measured.cost,
                    latencies: measured.latencies,
                    size,
                },
                Some(so_far) => so_far.and(measured, size),
            });
            self.book.forget_old();
        }
        Ok(quarter.expect("a quarter has events, and so a stretch"))
    }

    /// The most dead rows of all looks during a stretch, and the sizes of the last.
    async fn stretch(&mut self, events: u64) -> Result<(Measured, Size), Failure> {
        let Self { watch, .. } = self;
        let mut size = watch.look().await?;
        let measured = {
            let stretch = self
                .load
                .stretch(self.server, self.pace, Until::Events(events));
            tokio::pin!(stretch);
            loop {
                tokio::select! {
                    measured = &mut stretch => break measured?,
                    () = sleep(LOOK_EVERY) => size = worse(size, watch.look().await?),
                }
            }
        };
        Ok((measured, worse(size, watch.look().await?)))
    }
}

impl Quarter {
    fn and(self, measured: Measured, size: Size) -> Self {
        Self {
            cost: self.cost.and(&measured.cost),
            latencies: self.latencies.and(measured.latencies),
            size: worse(self.size, size),
        }
    }
}

/// A later look, with the most dead rows of both.
fn worse(before: Size, mut now: Size) -> Size {
    if let (Some(before), Some(now)) = (before.tables, now.tables.as_mut()) {
        now.outstanding_dead = now.outstanding_dead.max(before.outstanding_dead);
        now.queues_dead = now.queues_dead.max(before.queues_dead);
    }
    now
}

fn reply(args: &Steady, quarters: Vec<Quarter>, signing: Primitive) -> Reply {
    let mut figures = Figures::none();
    for (name, quarter) in NAMES.iter().zip(&quarters) {
        figures = told(figures, name, quarter);
    }
    let rates: Vec<_> = quarters.iter().map(|quarter| quarter.cost.rate()).collect();
    let last_to_first = rates[rates.len() - 1] / rates[0];
    let all = quarters
        .into_iter()
        .reduce(|all, next| Quarter {
            cost: all.cost.and(&next.cost),
            latencies: all.latencies.and(next.latencies),
            size: next.size,
        })
        .expect("there are four quarters");
    let figures = all
        .cost
        .beside(signing.per_second, &all.latencies)
        .of(&args.common)
        .with("alg", args.alg.name())
        .with("tpps", args.tpps)
        .with("ahead", args.ahead)
        .with("signing_cpu_us", round(signing.cpu_us, 1))
        .with("last_to_first", round(last_to_first, 3))
        .and(figures);
    let reply = figures.into_reply();
    if last_to_first >= RATE_KEPT {
        return reply;
    }
    let lost = (1.0 - last_to_first) * 100.0;
    reply.verdict(Verdict::No).remark(format!(
        "the last quarter was {lost:.0} % slower than the first"
    ))
}

fn told(figures: Figures, name: &str, quarter: &Quarter) -> Figures {
    let figures = figures
        .with(&format!("{name}_rate"), round(quarter.cost.rate(), 0))
        .with(
            &format!("{name}_p99_ms"),
            round(quarter.latencies.ms(99), 2),
        )
        .with(&format!("{name}_ledger_mib"), mib(quarter.size.bytes));
    let Some(tables) = quarter.size.tables else {
        return figures;
    };
    figures
        .with(&format!("{name}_outstanding_dead"), tables.outstanding_dead)
        .with(
            &format!("{name}_outstanding_mib"),
            mib(tables.outstanding_bytes),
        )
        .with(&format!("{name}_queues_dead"), tables.queues_dead)
        .with(&format!("{name}_queues_mib"), mib(tables.queues_bytes))
}

/// What begins the names of a quarter's figures.
const NAMES: [&str; 4] = ["first", "second", "third", "last"];
const QUARTERS: u64 = NAMES.len() as u64;

/// Of the first quarter's rate, what the last must have.
const RATE_KEPT: f64 = 0.9;

/// Events that are known at once, but for those of the stretch before: some hundred bytes each.
const STRETCH: u64 = 500_000;

/// Statistics of a database are about so old.
const LOOK_EVERY: Duration = Duration::from_secs(1);
