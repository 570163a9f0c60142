//! Lists read from a standby, as long as it follows.

use std::time::Duration;

use oyez_domain::ledger::history::EventFilter;
use oyez_store::postgres::{Ledger, Options, Server};
use oyez_store::{Error, Store};
use oyez_testkit::making::{Jtis, rules};
use oyez_testkit::postgres::{self, Cluster, Durability};

use super::{accept, subscriber, until};

async fn reader(primary: &Cluster, standby: &Cluster, lag_max: Duration) -> Ledger {
    let server = Server::parse(&primary.address()).unwrap();
    let server = server.read_at(Server::parse(&standby.address()).unwrap());
    let options = Options {
        replica_lag_max: lag_max,
        ..Options::default()
    };
    let opened =
        async move { Ledger::open(server, options, rules(), postgres::runtime().handle()).await };
    postgres::runtime().spawn(opened).await.unwrap().unwrap()
}

async fn listed(ledger: &Ledger) -> Result<usize, Error> {
    let page = ledger
        .list_events(EventFilter::default(), None, 100)
        .await?;
    Ok(page.rows.len())
}

mod slow {
    use super::*;

    // I-03
    #[tokio::test]
    async fn lists_come_from_the_standby_while_it_follows_and_from_the_primary_when_it_does_not() {
        let primary = Cluster::start(Durability::None);
        let mut standby = primary.standby();
        let patient = reader(&primary, &standby, Duration::from_secs(3600)).await;
        let strict = reader(&primary, &standby, Duration::ZERO).await;
        let (acme, jtis) = (subscriber(&patient, "acme").await, Jtis::from(1));
        accept(&patient, &acme, &jtis).await.unwrap();
        until("the standby has it", async || {
            listed(&patient).await.unwrap() == 1
        })
        .await;

        standby.ask("SELECT pg_wal_replay_pause()");
        let second = accept(&patient, &acme, &jtis).await.unwrap();
        let shown = listed(&patient).await.unwrap();
        assert_eq!(shown, 1, "what the standby had applied");
        assert_eq!(listed(&strict).await.unwrap(), 2, "it lags for too long");
        // Who looks one up may have made it a moment ago.
        let oyez_domain::ledger::acceptance::Acceptance::Accepted(jti) = second[0] else {
            panic!("{second:?}");
        };
        assert!(patient.find_event(jti).await.unwrap().is_some());
        assert_eq!(patient.counts(acme.clone()).await.unwrap().accepted, 2);
        standby.ask("SELECT pg_wal_replay_resume()");
        until("it goes on", async || listed(&patient).await.unwrap() == 2).await;
        let trail = patient.list_audit(None, None, 100).await.unwrap();
        assert!(!trail.rows.is_empty());
        let reads = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'oyez%'
            AND query LIKE '%FROM audit%'";
        assert_eq!(standby.ask(reads), "1");

        standby.kill();
        primary.set("synchronous_standby_names", "");
        for events in 3..6 {
            accept(&patient, &acme, &jtis).await.unwrap();
            assert_eq!(listed(&patient).await.unwrap(), events);
        }
        assert_eq!(patient.lane_totals().await.unwrap().outstanding, 5);
        patient.close().await.unwrap();
        strict.close().await.unwrap();
    }

    // I-03
    #[tokio::test]
    async fn a_standby_that_was_promoted_is_asked_nothing() {
        let primary = Cluster::start(Durability::None);
        let standby = primary.standby();
        let ledger = reader(&primary, &standby, Duration::from_secs(3600)).await;
        let (acme, jtis) = (subscriber(&ledger, "acme").await, Jtis::from(1));
        primary.set("synchronous_standby_names", "");
        standby.promote();
        accept(&ledger, &acme, &jtis).await.unwrap();
        assert_eq!(listed(&ledger).await.unwrap(), 1);
        ledger.close().await.unwrap();
    }

    // I-03
    #[tokio::test]
    async fn a_standby_that_stayed_behind_when_another_was_promoted_is_asked_nothing() {
        let mut old = Cluster::start(Durability::None);
        let (new, left_behind) = (old.standby(), old.standby());
        let hour = Duration::from_secs(3600);
        let ledger = reader(&old, &left_behind, hour).await;
        let (acme, jtis) = (subscriber(&ledger, "acme").await, Jtis::from(1));
        accept(&ledger, &acme, &jtis).await.unwrap();
        for standby in [&new, &left_behind] {
            until("it follows", async || {
                standby.ask("SELECT count(*) FROM events") == "1"
            })
            .await;
        }
        ledger.close().await.unwrap();
        old.kill();
        new.promote();
        new.set("synchronous_standby_names", "");
        let ledger = reader(&new, &left_behind, hour).await;
        accept(&ledger, &acme, &jtis).await.unwrap();
        assert_eq!(listed(&ledger).await.unwrap(), 2);
        ledger.close().await.unwrap();
    }
}
