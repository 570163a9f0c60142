//! How often a request goes to the database and back.

use std::net::SocketAddr;
use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::poll::{Limits, Patience, Poll};
use oyez_domain::tpp::DeliveryOrder;
use oyez_store::Store;
use oyez_store::postgres::{Ledger, Options, Server};
use oyez_testkit::making::{DAWN, Jtis, interaction, rules};
use oyez_testkit::postgres::{self, Database};
use oyez_testkit::proxy::{Proxy, Weather};
use tokio::time::Instant;

use super::{accept, node, subscriber};

// P-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_goes_to_the_database_twice_and_once_if_it_changes_nothing() {
    let database = Database::new().await;
    let near = node(&database, Options::default()).await.unwrap();
    let (tpp, jtis) = (subscriber(&near, "far").await, Jtis::from(1));
    let port = database
        .number("SELECT current_setting('port')::bigint")
        .await;
    let port = u16::try_from(port).unwrap();
    let proxy = Proxy::before(&[SocketAddr::from(([127, 0, 0, 1], port))]).await;
    let far = far(&proxy, &database).await;
    for weather in [Weather::Fair, Weather::Slow(ONE_WAY)] {
        // The first time statements are prepared.
        for (events, trips) in [(1, 2), (0, 1)] {
            if events > 0 {
                accept(&near, &tpp, &jtis).await.unwrap();
            }
            proxy.turn(weather);
            let began = Instant::now();
            let polled = far.poll(poll(&tpp), DAWN).await.unwrap();
            let took = began.elapsed();
            proxy.turn(Weather::Fair);
            assert_eq!(polled.work.len(), events);
            if weather != Weather::Fair {
                assert!(
                    (ONE_WAY * trips..ONE_WAY * (trips + 1)).contains(&took),
                    "{took:?}"
                );
            }
        }
    }
}

async fn far(proxy: &Proxy, database: &Database) -> Ledger {
    let address = format!(
        "postgresql://postgres@{}/{}",
        proxy.address(),
        database.name()
    );
    let server = Server::parse(&address).unwrap();
    let options = Options {
        sessions: 1,
        ..Options::default()
    };
    let opening = postgres::runtime().spawn(async move {
        let runtime = postgres::runtime().handle();
        Ledger::open(server, options, rules(), runtime).await
    });
    opening.await.unwrap().unwrap()
}

fn poll(tpp: &ClientId) -> Poll {
    Poll {
        client_id: tpp.clone(),
        acks: Vec::new(),
        errors: Vec::new(),
        families: Family::ALL.to_vec(),
        events_max: 1,
        patience: Patience::WaitForDue,
        interaction_id: interaction("far"),
        limits: Limits {
            redelivery_delay: Duration::from_secs(60),
            error_cap: std::num::NonZeroU32::MIN,
            hand_out_cap: None,
            order: DeliveryOrder::Concurrent,
        },
    }
}

const ONE_WAY: Duration = Duration::from_millis(600);
