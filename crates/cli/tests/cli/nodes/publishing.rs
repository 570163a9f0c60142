//! Events that keep coming, for some TPPs that are pushed to, whoever dies or goes.

use std::collections::BTreeMap;
use std::time::Duration;

use oyez_domain::ids::Jti;
use oyez_outbound::Method;
use oyez_testkit::colleague::Colleague;
use oyez_testkit::endpoint::Endpoint;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::PATIENCE;
use crate::house::{self, House, NOTIFICATIONS};

/// Who publishes all the time.
pub(super) struct Publishing {
    stop: CancellationToken,
    going_on: JoinSet<BTreeMap<Jti, Published>>,
}

/// An event that was accepted.
pub(super) struct Published {
    pub(super) tpp: usize,
    pub(super) at: Instant,
}

impl Publishing {
    /// Makes so many TPPs known, with an inbox each at this endpoint, and begins.
    pub(super) async fn start(house: &House, endpoint: &Endpoint, tpps: usize) -> Self {
        for tpp in 0..tpps {
            let url = format!("https://{}{}", endpoint.address(), inbox(tpp));
            house.pushed_at(&name(tpp), &url, &json!({})).await;
        }
        let stop = CancellationToken::new();
        let (stopped, publisher) = (stop.clone(), house.colleague("publisher"));
        let mut going_on = JoinSet::new();
        going_on.spawn(async move {
            let mut published = BTreeMap::new();
            for round in 0.. {
                for tpp in 0..tpps {
                    let jti = publish(&publisher, tpp, round).await;
                    let at = Instant::now();
                    published.insert(jti, Published { tpp, at });
                }
                if stopped.is_cancelled() {
                    break;
                }
                sleep(PAUSE).await;
            }
            published
        });
        Self { stop, going_on }
    }

    /// Ends, and waits until nothing is outstanding any more.
    pub(super) async fn stop(mut self, house: &House) -> BTreeMap<Jti, Published> {
        self.stop.cancel();
        let published = self
            .going_on
            .join_next()
            .await
            .expect("it goes on")
            .unwrap();
        let tpps = published.values().map(|it| it.tpp).max().unwrap_or(0);
        let viewer = house.colleague("viewer");
        let begun = Instant::now();
        for tpp in 0..=tpps {
            let path = format!("/v1/tpps/{}", name(tpp));
            while viewer.get(&path).await.json()["counts"]["outstanding"] != 0 {
                assert!(begun.elapsed() < PATIENCE, "{}", house.log());
                sleep(Duration::from_millis(100)).await;
            }
        }
        published
    }
}

/// Until it is taken.
async fn publish(publisher: &Colleague, tpp: usize, round: usize) -> Jti {
    let item = house::item(&name(tpp), "r-1", &format!("{tpp}-{round}"));
    let began = Instant::now();
    loop {
        let answer = publisher.try_send(Method::POST, "/v1/events", Some(&item));
        if let Ok(answer) = answer.await
            && answer.status == 200
        {
            let jti = answer.json()["outcomes"][0]["jti"].clone();
            return jti.as_str().unwrap().parse().unwrap();
        }
        assert!(began.elapsed() < PATIENCE, "nobody takes an event");
        sleep(Duration::from_millis(20)).await;
    }
}

pub(super) fn name(tpp: usize) -> String {
    format!("tpp-{tpp}")
}

pub(super) fn inbox(tpp: usize) -> String {
    format!("/{}{NOTIFICATIONS}", name(tpp))
}

/// Far less than two cores can do, and too little for a lane to lie down.
const PAUSE: Duration = Duration::from_millis(100);
