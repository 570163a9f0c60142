//! Several nodes on one database (D-05, D-09, P-07).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::ids::{ClientId, NodeId};
use oyez_store::postgres::{Announcing, Ledger, Options};
use oyez_store::{Awaited, Listen, News, Store};
use oyez_testkit::making::{Jtis, client};
use oyez_testkit::notebook::Notebook;
use oyez_testkit::postgres::Database;
use tokio::time::sleep;

use super::{Shared, accept, node, pushed, subscriber, until};

/// Changes a TPP by one node until another has heard of it: a node listens from some moment after its start on.
async fn until_heard(from: &Shared, by: &Notebook, id: &ClientId, jtis: &Jtis) -> News {
    let mut heard = None;
    until("the other node hears of it", async || {
        accept(from, id, jtis).await.unwrap();
        heard = by.news().remove(id);
        heard.is_some()
    })
    .await;
    heard.unwrap()
}

// P-07, D-05
#[tokio::test]
async fn what_one_node_commits_the_others_hear_of() {
    let database = Database::new().await;
    let one = Arc::new(node(&database, Options::default()).await.unwrap());
    let two = node(&database, Options::default()).await.unwrap();
    let heard = Notebook::of(&two);
    let (acme, jtis) = (subscriber(&one, "acme").await, Jtis::from(1));
    let news = until_heard(&one, &heard, &acme, &jtis).await;
    assert!(news.polls && !news.pushes && !news.freed, "{news:?}");
    assert_eq!(
        two.counts(acme).await.unwrap(),
        one.counts(client("acme")).await.unwrap()
    );
}

// P-07
#[tokio::test]
async fn a_node_does_not_hear_its_own_news_twice() {
    let database = Database::new().await;
    let one = Arc::new(node(&database, Options::default()).await.unwrap());
    let two = Arc::new(node(&database, Options::default()).await.unwrap());
    let (by_one, by_two) = (Notebook::of(&*one), Notebook::of(&*two));
    let (acme, jtis) = (subscriber(&one, "acme").await, Jtis::from(1));
    let bolt = subscriber(&two, "bolt").await;
    until_heard(&one, &by_two, &acme, &jtis).await;
    until_heard(&two, &by_one, &bolt, &jtis).await;
    // Both listen by now. What the second says after it heard of the first comes by the same way, behind it.
    by_one.tellings();
    by_two.tellings();
    accept(&one, &acme, &jtis).await.unwrap();
    until("the second hears of it", async || {
        by_two.news().contains_key(&acme)
    })
    .await;
    let cord = subscriber(&two, "cord").await;
    let mut heard: Vec<ClientId> = Vec::new();
    until("the first hears of the second", async || {
        let tellings = by_one.tellings().into_iter().flatten();
        heard.extend(tellings.map(|news| news.client_id));
        heard.contains(&cord)
    })
    .await;
    assert_eq!(
        heard.iter().filter(|id| **id == acme).count(),
        1,
        "{heard:?}"
    );
}

// D-05, P-07
#[tokio::test]
async fn without_news_between_nodes_each_still_sees_what_the_others_wrote() {
    let alone = Options {
        announcing: Announcing::ToNobody,
        ..Options::default()
    };
    let database = Database::new().await;
    let (one, two) = (
        node(&database, alone).await.unwrap(),
        node(&database, alone).await.unwrap(),
    );
    let (ear, mouth) = (
        node(&database, Options::default()).await.unwrap(),
        node(&database, Options::default()).await.unwrap(),
    );
    let (heard, by_two) = (Notebook::of(&ear), Notebook::of(&two));
    let (acme, jtis) = (subscriber(&one, "acme").await, Jtis::from(1));
    accept(&one, &acme, &jtis).await.unwrap();
    assert_eq!(two.counts(acme.clone()).await.unwrap().outstanding, 1);
    // One that speaks is heard, and would be heard after the silent one.
    let bolt = subscriber(&mouth, "bolt").await;
    let mut tellings: Vec<News> = Vec::new();
    until("the one that speaks is heard", async || {
        tellings.extend(heard.tellings().into_iter().flatten());
        tellings.iter().any(|news| news.client_id == bolt)
    })
    .await;
    assert!(
        tellings.iter().all(|news| news.client_id != acme),
        "{tellings:?}"
    );
    assert_eq!(by_two.tellings(), Vec::<Vec<News>>::new());
}

// I-01, I-02, A-09
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_accept_for_the_same_tpp_at_once_draw_every_position_once() {
    let database = Database::new().await;
    let nodes = [
        Arc::new(node(&database, Options::default()).await.unwrap()),
        Arc::new(node(&database, Options::default()).await.unwrap()),
    ];
    let acme = subscriber(&nodes[0], "acme").await;
    let jtis = Arc::new(Jtis::from(1));
    let mut accepting = tokio::task::JoinSet::new();
    for nth in 0..40 {
        let (node, acme, jtis) = (Arc::clone(&nodes[nth % 2]), acme.clone(), Arc::clone(&jtis));
        accepting.spawn(async move { accept(&node, &acme, &jtis).await.unwrap() });
    }
    accepting.join_all().await;
    let listed = nodes[0].list_events(Default::default(), None, 100).await;
    let mut positions: Vec<u64> = listed.unwrap().rows.iter().map(|it| it.position).collect();
    positions.sort_unstable();
    assert_eq!(positions, (1..=40).collect::<Vec<u64>>());
}

/// Waits for events of one TPP, and takes none.
struct Patient {
    heard: Mutex<Vec<News>>,
    awaited: Vec<Awaited>,
}

impl Patient {
    fn on(ledger: &Ledger, id: &ClientId, polls: &[Family], pushes: bool) -> Arc<Self> {
        let awaited = Awaited {
            client_id: id.clone(),
            polls: polls.to_vec(),
            pushes,
        };
        let patient = Arc::new(Self {
            heard: Mutex::default(),
            awaited: vec![awaited],
        });
        ledger.listen(Arc::downgrade(&patient) as _);
        patient
    }

    fn heard(&self) -> Vec<News> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

impl Listen for Patient {
    fn heard(&self, news: &[News]) {
        self.heard.lock().unwrap().extend_from_slice(news);
    }

    fn awaits(&self) -> Vec<Awaited> {
        self.awaited.clone()
    }
}

// P-07, D-05
#[tokio::test]
async fn what_is_waited_for_is_found_by_the_clock_where_no_news_comes() {
    let alone = Options {
        announcing: Announcing::ToNobody,
        ..Options::default()
    };
    let database = Database::new().await;
    let (one, two) = (
        node(&database, alone).await.unwrap(),
        node(&database, alone).await.unwrap(),
    );
    let (acme, jtis) = (pushed(&one, "acme").await, Jtis::from(1));
    let bolt = pushed(&one, "bolt").await;
    let poll = Patient::on(&two, &acme, &[Family::Cbpii, Family::Aisp], false);
    let lane = Patient::on(&two, &bolt, &[], true);
    let blind = Patient::on(&two, &client("cord"), &[Family::Pisp], false);
    for tpp in [&acme, &bolt, &pushed(&one, "cord").await] {
        accept(&one, tpp, &jtis).await.unwrap();
    }
    let of = |id: &ClientId| News::of(id.clone());
    let mut heard = Vec::new();
    until("both are found", async || {
        heard.extend(poll.heard());
        heard.len() == 2
    })
    .await;
    heard.sort_by_key(|news| news.client_id.to_string());
    let polls = News {
        polls: true,
        ..of(&acme)
    };
    let pushes = News {
        pushes: true,
        ..of(&bolt)
    };
    assert_eq!(heard, [polls.clone(), pushes.clone()]);
    // Who waits for another family is not told of an event that its token does not see.
    assert!(
        blind
            .heard()
            .iter()
            .all(|news| [&polls, &pushes].contains(&news))
    );
    assert!(!lane.heard().is_empty());
}

// G-09
#[tokio::test]
async fn who_could_not_say_that_it_answers_tpps_does_not_take_the_others_for_gone_before_they_had_their_turn()
 {
    let database = Database::new().await;
    let ledger = node(&database, Options::default()).await.unwrap();
    let attend = async |name: &str, ttl| {
        let said = ledger.attend(NodeId::new(name).unwrap(), ttl);
        said.await.unwrap().get()
    };
    // Long gone, and one that stopped in good order.
    attend("old", Duration::from_millis(1)).await;
    until("its time is over", async || {
        database.number(ATTENDING).await == 0
    })
    .await;
    sleep(TTL).await;
    attend("stopped", TTL).await;
    attend("stopped", Duration::ZERO).await;
    sleep(TTL).await;
    assert_eq!(attend("one", TTL).await, 1);
    assert_eq!(attend("two", TTL).await, 2);
    // Nobody reaches the database.
    until("their time is over", async || {
        database.number(ATTENDING).await == 0
    })
    .await;
    assert_eq!(attend("one", TTL).await, 2, "the other will say so too");
    assert_eq!(attend("one", TTL).await, 1, "it had its turn");
    assert_eq!(attend("two", TTL).await, 2);
}

const TTL: Duration = Duration::from_millis(500);

const ATTENDING: &str = "
    SELECT count(*) FROM nodes WHERE attends_until > extract(epoch FROM clock_timestamp()) * 1000";

// P-07, D-05
#[tokio::test]
async fn news_that_cannot_be_sent_is_sent_later() {
    let database = Database::new().await;
    let one = Arc::new(node(&database, Options::default()).await.unwrap());
    let two = node(&database, Options::default()).await.unwrap();
    let heard = Notebook::of(&two);
    let (acme, jtis) = (subscriber(&one, "acme").await, Jtis::from(1));
    until_heard(&one, &heard, &acme, &jtis).await;
    // Whoever speaks is cut off, and nobody may connect any more; requests go on over the connections there are.
    let name = database.name();
    let connections = |allowed: bool| format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}");
    let elsewhere = Database::empty().await;
    elsewhere.run(&connections(false)).await;
    let cut = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = '{name}' AND query LIKE '%pg_notify%'"
    );
    elsewhere.run(&cut).await;
    heard.tellings();
    accept(&one, &acme, &jtis).await.unwrap();
    sleep(Duration::from_millis(500)).await;
    assert_eq!(
        heard.tellings(),
        Vec::<Vec<News>>::new(),
        "it could not be said"
    );
    elsewhere.run(&connections(true)).await;
    until("it is said", async || heard.news().contains_key(&acme)).await;
}
