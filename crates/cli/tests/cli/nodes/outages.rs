//! The database goes away in every way, and comes back: everybody is told to come back later, nobody dies, and all goes on by
//! itself.

mod disk;

use std::net::SocketAddr;
use std::time::Duration;

use oyez_outbound::Method;
use oyez_testkit::dice::Dice;
use oyez_testkit::postgres::{Cluster, Durability};
use oyez_testkit::proxy::{Proxy, Weather};
use oyez_testkit::scale;
use tokio::time::{Instant, sleep, timeout};

use super::crowd::{Crowd, Work};
use super::{Nodes, PATIENCE};
use crate::house::{self, House};
use crate::kill::load::Refusals;

/// A database that may be broken, and those who go on using it.
struct Story {
    cluster: Cluster,
    wire: Proxy,
    crowd: Crowd,
    nodes: Nodes,
    work: Work,
    dice: Dice,
}

/// Whether the database can be used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Database {
    Gone,
    /// It takes its time.
    There,
}

impl Story {
    async fn begin(campaign: &str) -> Self {
        Self::begin_on(campaign, Cluster::start(Durability::None)).await
    }

    async fn begin_on(campaign: &str, cluster: Cluster) -> Self {
        let mut dice = Dice::new(scale::seed(campaign));
        let wire = Proxy::before(&[SocketAddr::from(([127, 0, 0, 1], cluster.port()))]).await;
        let url = format!("postgresql://postgres@{}/postgres", wire.address());
        let mut variables = VARIABLES.to_vec();
        variables.push(("OYEZ_STORE__URL", &url));
        let mut house = House::new(&variables);
        let nodes = Nodes::start(&mut house, &["", ""]).await;
        let crowd = Crowd::gather(house, TPPS, Refusals::Some, &mut dice).await;
        let work = crowd.work(&mut dice);
        let mut story = Self {
            cluster,
            wire,
            crowd,
            nodes,
            work,
            dice,
        };
        story.goes_on().await;
        story
    }

    /// So it is for a while: whoever asks is told what is the matter, and in time.
    async fn during(&mut self, database: Database) {
        let until = Instant::now() + Duration::from_secs(u64::from(scale::rounds(OUTAGE_S)).max(2));
        let publisher = self.crowd.campaign.house.colleague("publisher");
        let mut asked = 0;
        while Instant::now() < until || asked == 0 {
            asked += 1;
            let item = house::item(NOBODY, "probe", "probe");
            let answer = publisher.try_send(Method::POST, "/v1/events", Some(&item));
            let answer = timeout(ANSWERED_WITHIN, answer).await;
            let answer = answer.expect("an answer comes in time").unwrap();
            match database {
                Database::Gone => assert_eq!(answer.status, 503, "{answer:?}"),
                Database::There => assert!(matches!(answer.status, 200 | 503), "{answer:?}"),
            }
            if answer.status == 503 {
                assert!(answer.header("retry-after").is_some(), "{answer:?}");
                let live = publisher.get("/health/live").await;
                assert_eq!(live.status, 200);
            }
            sleep(Duration::from_millis(100)).await;
        }
        self.nodes.assert_alive(&self.crowd.campaign.house);
    }

    /// The database tells its sessions of a setting one by one.
    async fn until_refused(&self) {
        let publisher = self.crowd.campaign.house.colleague("publisher");
        let item = house::item(NOBODY, "probe", "probe");
        let (begun, mut in_a_row) = (Instant::now(), 0);
        while in_a_row < SESSIONS {
            assert!(begun.elapsed() < PATIENCE, "never refused");
            let answer = publisher.post("/v1/events", &item).await;
            in_a_row = if answer.status == 503 {
                in_a_row + 1
            } else {
                0
            };
        }
    }

    async fn goes_on(&mut self) {
        self.work
            .until_answers(ANSWERS, &self.crowd.campaign.house)
            .await;
    }

    /// Nothing is missing.
    async fn end(mut self) {
        self.goes_on().await;
        self.work.end().await;
        self.crowd.drain(&mut self.dice).await;
        assert!(!self.crowd.check().await.is_empty());
        self.nodes.assert_alive(&self.crowd.campaign.house);
        self.nodes.stop();
    }
}

/// `./test --quick` leaves these out.
mod slow {
    use super::*;

    // D-08, G-06, G-10, I-01, P-03
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_database_that_is_stopped_is_found_again() {
        let mut story = Story::begin("a database that is stopped").await;
        story.cluster.halt();
        story.during(Database::Gone).await;
        story.cluster.resume();
        story.end().await;
    }

    // D-08, G-06, G-10, I-01, P-03
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_database_that_is_cut_off_is_found_again() {
        let mut story = Story::begin("a database that is cut off").await;
        for _ in 0..10 {
            story.wire.break_off();
            sleep(Duration::from_millis(story.dice.roll() % 300)).await;
        }
        story.goes_on().await;
        story.wire.turn(Weather::Away);
        story.during(Database::Gone).await;
        story.wire.turn(Weather::Fair);
        story.end().await;
    }

    // D-08, G-06, G-10, I-01, P-03
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_database_that_takes_no_writes_refuses_until_it_does() {
        let mut story = Story::begin("a database that is read-only").await;
        story.cluster.set("default_transaction_read_only", "on");
        story.until_refused().await;
        story.during(Database::Gone).await;
        story.cluster.set("default_transaction_read_only", "off");
        story.end().await;
    }

    // D-08, G-10, I-01, P-03
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_database_that_is_slow_is_waited_for() {
        let mut story = Story::begin("a database that is slow").await;
        story.wire.turn(Weather::Slow(Duration::from_millis(500)));
        story.during(Database::There).await;
        story.wire.turn(Weather::Fair);
        story.end().await;
    }

    // D-08, G-06, G-10, I-01, P-03
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_database_that_says_nothing_is_not_waited_for_for_ever() {
        let mut story = Story::begin("a database that is silent").await;
        story.wire.turn(Weather::Silent);
        story.during(Database::Gone).await;
        story.wire.turn(Weather::Fair);
        story.end().await;
    }
}

const VARIABLES: [(&str, &str); 6] = [
    ("OYEZ_STORE__BACKEND", "postgres"),
    ("OYEZ_STORE__TLS", "off"),
    ("OYEZ_STORE__STATEMENT_TIMEOUT", "3s"),
    ("OYEZ_POLLING__REDELIVERY_DELAY", "1s"),
    ("OYEZ_PUSH__TOTAL_TIMEOUT", "1s"),
    ("OYEZ_PUSH__CONNECT_TIMEOUT", "1s"),
];
/// No TPP of this name is known: what is asked for it changes nothing.
const NOBODY: &str = "nobody";
const TPPS: usize = 4;
const ANSWERS: usize = 30;
/// Of all nodes together, at least.
const SESSIONS: u32 = 20;
/// In full.
const OUTAGE_S: u32 = 60;
/// Longer than a request waits for a session, and for the slowest statement then.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);
