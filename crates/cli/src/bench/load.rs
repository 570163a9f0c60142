//! A core system that publishes at a pace, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ids::Jti;
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::book::{Book, Delivered};
use super::client::{Connection, Dial, post};
use super::figures::{Cost, Latencies, Meter, float, rate};
use super::publisher::item;
use super::server::Server;
use super::site::Site;
use super::{broken, unexpected};
use crate::failure::Failure;

/// How fast events are published.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// As fast as they are acknowledged, and so many ahead.
    AsAcknowledged { ahead: u64 },
    /// So many a second to those who are measured, whatever becomes of them.
    PerSecond(f64),
}

/// When a stretch ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    /// After so many events to those who are measured.
    Events(u64),
    /// After so long.
    Over(Duration),
}

/// Who publishes, and to whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crew {
    /// Kept-alive connections, each with one request at a time.
    pub(super) connections: u64,
    /// Events in one request, at most.
    pub(super) batch: u64,
    /// TPPs that are measured.
    pub(super) tpps: u64,
}

/// What a stretch gave.
pub(super) struct Measured {
    pub(super) cost: Cost,
    /// From when an event was due to be published until it was acknowledged.
    pub(super) latencies: Latencies,
    /// Acknowledged per second in the first and in the last quarter, of a stretch that lasts for a time.
    pub(super) quarters: Option<[f64; 2]>,
}

/// Stretch upon stretch, over kept-alive connections to the internal API.
pub(super) struct Load {
    connections: Vec<Connection>,
    token: String,
    batch: u64,
    book: Arc<Book>,
    /// TPPs that are measured.
    tpps: u64,
    /// All that events are for, in turn: those, and their neighbours.
    all: u64,
    /// Events so far.
    events: u64,
}

/// What is to be published next. Connections ask in turn, and whoever must wait keeps the others waiting.
struct Plan {
    pace: Pace,
    until: Until,
    batch: u64,
    room: Arc<Semaphore>,
    started: Instant,
    /// Events of this stretch so far.
    next: u64,
}

/// One connection's part of a stretch.
struct Hand {
    connection: Connection,
    token: String,
    plan: Arc<Mutex<Plan>>,
    book: Arc<Book>,
    tpps: u64,
    all: u64,
    /// Events of the stretches before.
    before: u64,
}

/// The answer to a publication. Nothing in it needs escapes.
#[derive(Deserialize)]
struct Outcomes<'a> {
    #[serde(borrow)]
    outcomes: Vec<Outcome<'a>>,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    outcome: &'a str,
    jti: Option<&'a str>,
}

impl Pace {
    /// So many a second, if that was asked for; or so many ahead.
    pub(super) fn of(rate: Option<u64>, ahead: u64) -> Self {
        rate.map_or(Self::AsAcknowledged { ahead }, |rate| {
            Self::PerSecond(float(rate))
        })
    }
}

impl Load {
    /// As it was asked for.
    pub(super) async fn connect(
        crew: Crew,
        site: &Site,
        server: &Server,
        book: Arc<Book>,
    ) -> Result<Self, Failure> {
        let dial = Dial::plain(server.internal);
        let mut ready = Vec::new();
        for _ in 0..crew.connections {
            let connection = dial.connect().await;
            ready.push(connection.map_err(|error| broken("cannot connect", &error))?);
        }
        Ok(Self {
            connections: ready,
            token: site.operators_token("publisher")?,
            batch: crew.batch,
            book,
            tpps: crew.tpps,
            all: crew.tpps,
            events: 0,
        })
    }

    /// Opens the TPPs' connections by some events each, several times what is in flight at one endpoint.
    pub(super) async fn warm_up(&mut self, server: &Server, ahead: u64) -> Result<(), Failure> {
        let events = Until::Events(self.tpps * WARM_UP_EACH);
        let pace = Pace::AsAcknowledged { ahead };
        self.stretch(server, pace, events).await.map(drop)
    }

    /// From now on so many TPPs more get as much as each of the others, and are not measured.
    pub(super) fn beside(&mut self, neighbours: u64) {
        self.all = self.tpps + neighbours;
    }

    /// Publishes at this pace, and waits until all has arrived.
    pub(super) async fn stretch(
        &mut self,
        server: &Server,
        pace: Pace,
        until: Until,
    ) -> Result<Measured, Failure> {
        let room = Arc::new(Semaphore::new(match pace {
            Pace::AsAcknowledged { ahead } => usize::try_from(ahead).unwrap_or(0),
            Pace::PerSecond(_) => 0,
        }));
        self.book.begin(Arc::clone(&room));
        let meter = Meter::start(server)?;
        let started = Instant::now();
        let with_neighbours = float(self.all) / float(self.tpps);
        let plan = Plan {
            pace: match pace {
                Pace::AsAcknowledged { .. } => pace,
                Pace::PerSecond(rate) => Pace::PerSecond(rate * with_neighbours),
            },
            until: match until {
                Until::Events(events) => Until::Events(events * self.all / self.tpps),
                Until::Over(_) => until,
            },
            batch: self.batch,
            room,
            started,
            next: 0,
        };
        let book = Arc::clone(&self.book);
        tokio::select! {
            published = self.publish(plan) => published?,
            failure = book.spoilt() => return Err(failure),
        }
        let delivered = self.book.delivered();
        let count = u64::try_from(delivered.len()).unwrap_or(u64::MAX);
        let cost = meter.stop(count)?;
        self.book.nothing_unknown()?;
        let took = |one: &Delivered| one.at.saturating_duration_since(one.due);
        Ok(Measured {
            cost,
            latencies: Latencies::of(delivered.iter().map(took).collect()),
            quarters: match until {
                Until::Over(time) => Some(quarters(&delivered, started, time)),
                Until::Events(_) => None,
            },
        })
    }

    /// Until all of it has arrived.
    async fn publish(&mut self, plan: Plan) -> Result<(), Failure> {
        let plan = Arc::new(Mutex::new(plan));
        let mut hands = JoinSet::new();
        for connection in self.connections.drain(..) {
            let hand = Hand {
                connection,
                token: self.token.clone(),
                plan: Arc::clone(&plan),
                book: Arc::clone(&self.book),
                tpps: self.tpps,
                all: self.all,
                before: self.events,
            };
            hands.spawn(hand.publish());
        }
        while let Some(done) = hands.join_next().await {
            let connection = done.map_err(|error| broken("a publisher broke", &error))?;
            self.connections.push(connection?);
        }
        self.events += plan.lock().await.next;
        self.book.all_arrived().await;
        Ok(())
    }
}

impl Hand {
    /// Publishes as planned, and gives the connection back.
    async fn publish(mut self) -> Result<Connection, Failure> {
        loop {
            // Held while waiting: the others wait for the same.
            let group = self.plan.lock().await.next().await;
            if group.is_empty() {
                return Ok(self.connection);
            }
            let tpp = |event: u64| (self.before + event) % self.all;
            let items = group.iter();
            let items = items.map(|(event, _)| item(self.before + event, tpp(*event), ""));
            let items: Vec<_> = items.collect();
            let body = format!("{{\"items\":[{}]}}", items.join(","));
            let request = post("/v1/events", &self.token, "", &body);
            let answer = self.connection.ask(&request).await;
            let answer = answer.map_err(|error| broken("an event was not taken", &error))?;
            let jtis = accepted(answer)?;
            if jtis.len() != group.len() {
                return Err(unexpected("a publication was not answered item by item"));
            }
            for ((event, due), jti) in group.into_iter().zip(jtis) {
                if tpp(event) < self.tpps {
                    self.book.published(jti, due);
                }
            }
        }
    }
}

impl Plan {
    /// Events by their number, and when each was due; none at the end.
    async fn next(&mut self) -> Vec<(u64, Instant)> {
        match self.pace {
            Pace::AsAcknowledged { .. } => {
                let count = self.batch.min(self.left(Instant::now()));
                let places = u32::try_from(count).unwrap_or(u32::MAX);
                if let Ok(places) = self.room.acquire_many(places).await {
                    places.forget();
                }
                let now = Instant::now();
                let count = count.min(self.left(now));
                self.take(count, |_| now)
            }
            Pace::PerSecond(rate) => {
                let started = self.started;
                let due = move |event| started + Duration::from_secs_f64(float(event) / rate);
                if self.left(due(self.next)) > 0 {
                    sleep_until(due(self.next) + GATHERED_FOR).await;
                }
                let now = Instant::now();
                let most = self.batch.min(self.left(due(self.next)));
                let is_due = |due| due <= now && self.left(due) > 0;
                let count = (0..most).take_while(|more| is_due(due(self.next + more)));
                let count = count.map(|_| 1).sum();
                self.take(count, due)
            }
        }
    }

    /// Events that are left when so much time has passed.
    fn left(&self, at: Instant) -> u64 {
        match self.until {
            Until::Events(events) => events - self.next,
            Until::Over(time) if at < self.started + time => u64::MAX - self.next,
            Until::Over(_) => 0,
        }
    }

    fn take(&mut self, count: u64, due: impl Fn(u64) -> Instant) -> Vec<(u64, Instant)> {
        let events = self.next..self.next + count;
        self.next = events.end;
        events.map(|event| (event, due(event))).collect()
    }
}

/// The jti of each item, if all were accepted.
fn accepted(answer: &[u8]) -> Result<Vec<Jti>, Failure> {
    let read: Result<Outcomes<'_>, _> = serde_json::from_slice(answer);
    let read = read.map_err(|error| broken("outcomes cannot be read", &error))?;
    let jti = |one: &Outcome<'_>| match one {
        Outcome {
            outcome: "accepted",
            jti: Some(jti),
        } => jti.parse().ok(),
        _ => None,
    };
    let jtis: Option<_> = read.outcomes.iter().map(jti).collect();
    jtis.ok_or_else(|| unexpected("an event was not accepted"))
}

/// How many were acknowledged per second in the first quarter of a time, and in the last.
fn quarters(delivered: &[Delivered], started: Instant, time: Duration) -> [f64; 2] {
    let quarter = time / 4;
    [0, 3].map(|place| {
        let from = started + quarter * place;
        let within = |one: &&Delivered| from <= one.at && one.at < from + quarter;
        let count = delivered.iter().filter(within).count();
        rate(u64::try_from(count).unwrap_or(u64::MAX), quarter)
    })
}

/// Events per TPP that open the connections.
const WARM_UP_EACH: u64 = 32;

/// What falls due within such a time goes in one request: a core system gathers a little.
const GATHERED_FOR: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(pace: Pace, until: Until) -> Plan {
        Plan {
            pace,
            until,
            batch: 7,
            room: Arc::new(Semaphore::new(20)),
            started: Instant::now(),
            next: 0,
        }
    }

    #[tokio::test]
    async fn at_a_given_rate_each_event_has_its_moment_however_late_it_is_sent() {
        let mut plan = plan(Pace::PerSecond(1_000.0), Until::Events(40));
        let started = plan.started;
        let mut all = Vec::new();
        loop {
            let group = plan.next().await;
            assert!(group.len() <= 7);
            assert!(group.iter().all(|(_, due)| *due <= Instant::now()));
            if group.is_empty() {
                break;
            }
            all.extend(group);
        }
        let expected: Vec<_> = (0..40)
            .map(|event| (event, started + Duration::from_millis(event)))
            .collect();
        assert_eq!(all, expected);
    }

    #[tokio::test]
    async fn ahead_of_acknowledgements_goes_only_what_has_room() {
        let mut plan = plan(Pace::AsAcknowledged { ahead: 20 }, Until::Events(30));
        let room = Arc::clone(&plan.room);
        for events in [7, 7] {
            assert_eq!(plan.next().await.len(), events);
        }
        let soon = Duration::from_millis(20);
        let waits = tokio::time::timeout(soon, plan.next()).await;
        assert!(waits.is_err(), "six places are no seven");
        room.add_permits(1);
        assert_eq!(plan.next().await.len(), 7);
        room.add_permits(100);
        assert_eq!(plan.next().await.len(), 7);
        assert_eq!(plan.next().await.len(), 2);
        assert_eq!(plan.next().await.len(), 0);
    }

    #[tokio::test]
    async fn a_stretch_of_a_time_ends_by_the_clock() {
        let mut at_rate = plan(
            Pace::PerSecond(500.0),
            Until::Over(Duration::from_millis(20)),
        );
        let mut events = 0;
        while let group @ [_, ..] = at_rate.next().await.as_slice() {
            events += group.len();
        }
        assert_eq!(events, 10);
        let until = Until::Over(Duration::ZERO);
        let mut at_full = plan(Pace::AsAcknowledged { ahead: 20 }, until);
        assert!(at_full.next().await.is_empty());
    }

    #[test]
    fn quarters_are_counted_by_arrival() {
        let started = Instant::now();
        let at = |seconds| Delivered {
            due: started,
            at: started + Duration::from_secs(seconds),
        };
        let delivered = [0, 1, 9, 10, 29, 30, 39, 40].map(at);
        let rates = quarters(&delivered, started, Duration::from_secs(40));
        assert_eq!(rates, [0.3, 0.2]);
    }
}
