//! Nodes whose clocks are minutes apart: a right one, one that is five minutes ahead and one that is as much behind. What their
//! machine's clock says is changed for each alone, by Debian's libfaketime; what measures time goes on as it does.
//!
//! Leases, holds and backoffs go by the database's clock, so that nothing comes minutes late or early, whoever dies. What a token
//! says of its moment is said by whoever signs it: minutes off, and no more.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use oyez_domain::ids::Jti;
use oyez_outbound::Method;
use oyez_testkit::colleague::Colleague;
use oyez_testkit::endpoint::{Behaviour, Endpoint, Manner};
use oyez_testkit::jws;
use oyez_testkit::tpp::Caller;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, block_in_place};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::sharing::{owned, until};
use super::{Nodes, PATIENCE};
use crate::house::{self, EVENTS, House, NOTIFICATIONS};

/// `./test --quick` leaves these out.
mod slow {
    use super::*;

    // D-05, D-08, D-09, G-10, I-01, P-03, P-08, P-14, T-01
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nodes_minutes_apart_share_their_work_and_take_it_over_and_nothing_comes_sooner_or_later_for_that()
     {
        let mut house = House::on_postgres(&VARIABLES).await;
        // By every clock they may sign.
        house.desk().age_keys(3_600);
        let mut nodes = Nodes::start(&mut house, &[""]).await;
        let endpoint = Endpoint::start(&house.site().authority.server(&[])).await;
        endpoint.behave_otherwise(some_refused_once());
        for tpp in 0..TPPS {
            let url = format!("https://{}{}", endpoint.address(), inbox(tpp));
            house.pushed_at(&name(tpp), &url, &json!({})).await;
        }
        let polling = house.subscriber("polling").await;
        let work = Work::start(&house);
        let shifts = [shifted("+300s"), shifted("-300s")];
        for (shift, said) in shifts.iter().zip(["s ahead of the", "s behind the"]) {
            let checked = block_in_place(|| house.command(shift, "check -c oyez.toml"));
            let is_told = checked.contains("this machine's clock is ") && checked.contains(said);
            assert!(is_told, "{checked}");
            nodes.start_another(&house, shift);
        }
        let shared = |owned: &[usize]| owned == [TPPS / 3; 3];
        until(&house, &nodes, "each has its share", shared).await;
        hand_out_by_all(&house, &nodes, &polling).await;
        assert!(shared(&owned(&house, &nodes).await), "nobody steals");
        let undisturbed_until = Instant::now();
        for node in [AHEAD, BEHIND] {
            nodes.kill(node);
            let followed = |owned: &[usize]| owned == [TPPS / 2; 2];
            until(&house, &nodes, "the others have its lanes", followed).await;
            nodes.assert_alive(&house);
            nodes.start_one(&house, node);
            until(&house, &nodes, "it has its share again", shared).await;
        }
        let published = work.stop().await;
        drain(&house).await;
        check_arrivals(&endpoint, &published, undisturbed_until);
        check_moments(&endpoint, &house);
        check_ends(&house, &published).await;
        nodes.assert_alive(&house);
        nodes.stop();
    }
}

/// What every node hands out comes back after its delay, by whichever other; and each hears an acknowledgement for all.
async fn hand_out_by_all(house: &House, nodes: &Nodes, tpp: &Caller) {
    for [first, second, third] in [
        [AHEAD, BEHIND, RIGHT],
        [BEHIND, RIGHT, AHEAD],
        [RIGHT, AHEAD, BEHIND],
    ] {
        let item = house::item("polling", "r-1", &format!("polled-{first}"));
        let answer = house.colleague("publisher").post("/v1/events", &item).await;
        let jti = answer.json()["outcomes"][0]["jti"].clone();
        let jti = jti.as_str().unwrap();
        let waits = json!({ "maxEvents": 10, "returnImmediately": false });
        let handed_out = poll(house, nodes, tpp, first, &waits).await;
        let at = Instant::now();
        assert!(handed_out["sets"][jti].is_string(), "{handed_out}");
        let again = poll(house, nodes, tpp, second, &waits).await;
        assert_eq!(again["sets"], handed_out["sets"], "{first} {second}");
        let waited = at.elapsed();
        let bounds = REDELIVERY - EARLY_MAX..=REDELIVERY + SLACK;
        assert!(bounds.contains(&waited), "{first} {second}: {waited:?}");
        let acknowledges = json!({ "ack": [jti], "maxEvents": 0, "returnImmediately": true });
        poll(house, nodes, tpp, third, &acknowledges).await;
        let nothing = json!({ "maxEvents": 10, "returnImmediately": true });
        assert_eq!(
            poll(house, nodes, tpp, first, &nothing).await["sets"],
            json!({})
        );
    }
}

/// Polls at a node, with a token that holds by every clock; waits unless told otherwise.
async fn poll(house: &House, nodes: &Nodes, tpp: &Caller, node: usize, body: &Value) -> Value {
    house
        .site()
        .moved_to(nodes.server(node).address("tpp").parse().unwrap());
    let now = now(tpp);
    let token = tpp.token().claim("iat", now - 600).claim("exp", now + 600);
    let answer = tpp.post(EVENTS).token(&token).json(body).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// What the time is, for those who are right.
fn now(tpp: &Caller) -> i64 {
    tpp.token().claims()["iat"].as_i64().unwrap()
}

/// Who publishes all the time, whoever dies.
struct Work {
    stop: CancellationToken,
    publishing: JoinHandle<BTreeMap<Jti, Published>>,
}

/// An event that was accepted.
struct Published {
    tpp: usize,
    at: Instant,
}

impl Work {
    fn start(house: &House) -> Self {
        let stop = CancellationToken::new();
        let (stopped, publisher) = (stop.clone(), house.colleague("publisher"));
        let publishing = tokio::spawn(async move {
            let mut published = BTreeMap::new();
            for round in 0.. {
                for tpp in 0..TPPS {
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
        Self { stop, publishing }
    }

    async fn stop(self) -> BTreeMap<Jti, Published> {
        self.stop.cancel();
        self.publishing.await.unwrap()
    }
}

/// Until it is taken: a server may die meanwhile.
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

async fn drain(house: &House) {
    let viewer = house.colleague("viewer");
    let begun = Instant::now();
    for tpp in 0..TPPS {
        let path = format!("/v1/tpps/{}", name(tpp));
        while viewer.get(&path).await.json()["counts"]["outstanding"] != 0 {
            assert!(begun.elapsed() < PATIENCE, "{}", house.log());
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Everything came soon; what was refused came again after its step; and while nobody died nothing came once more.
fn check_arrivals(
    endpoint: &Endpoint,
    published: &BTreeMap<Jti, Published>,
    undisturbed_until: Instant,
) {
    let late_max = TAKE_OVER + FLIGHT_MAX + STEP + SLACK;
    for (jti, Published { tpp, at }) in published {
        let inbox = endpoint.inbox(&inbox(*tpp));
        let arrivals = inbox.of(jti);
        let first = arrivals.first().expect("it came");
        let took = first.came.at.saturating_duration_since(*at);
        assert!(took <= late_max, "{jti} came after {took:?}");
        let is_refused = first.status == Some(400);
        for pair in arrivals
            .windows(2)
            .filter(|pair| pair[0].status == Some(400))
        {
            let waited = pair[1].came.at - pair[0].came.at;
            let bounds = STEP / 2 - EARLY_MAX..=late_max;
            assert!(
                bounds.contains(&waited),
                "{jti} came again after {waited:?}"
            );
        }
        let undisturbed = arrivals.iter().filter(|it| it.came.at < undisturbed_until);
        assert!(undisturbed.count() <= 1 + usize::from(is_refused), "{jti}");
        assert!(inbox.differing().is_empty());
    }
}

/// A token's moment is that of whoever signed it: by each of the three clocks, and by no other.
fn check_moments(endpoint: &Endpoint, house: &House) {
    let right = now(&Caller::new(house.site(), "anybody"));
    let mut seen: HashMap<i64, usize> = HashMap::new();
    for tpp in 0..TPPS {
        for arrival in endpoint.inbox(&inbox(tpp)).arrivals() {
            let set = std::str::from_utf8(&arrival.body).unwrap();
            let iat = jws::claims(set)["iat"].as_i64().unwrap();
            let ago = i64::try_from(arrival.came.at.elapsed().as_secs()).unwrap();
            let off = iat - (right - ago);
            let clock = (off + 150).div_euclid(300);
            assert!((off - clock * 300).abs() < 60, "off by {off} s");
            *seen.entry(clock).or_default() += 1;
        }
    }
    let mut clocks: Vec<i64> = seen.into_keys().collect();
    clocks.sort_unstable();
    assert_eq!(clocks, [-1, 0, 1], "all three sign");
}

/// Everything ended once, by a push.
async fn check_ends(house: &House, published: &BTreeMap<Jti, Published>) {
    let viewer = house.colleague("viewer");
    for jti in published.keys() {
        let file = viewer.get(&format!("/v1/events/{jti}")).await.json();
        assert_eq!(file["event"]["state"], "acknowledged", "{file}");
        assert_eq!(file["settlements"].as_array().unwrap().len(), 1, "{file}");
    }
}

/// One event in four is refused when it comes first.
fn some_refused_once() -> Manner {
    let mut came: HashMap<Jti, usize> = HashMap::new();
    Manner::by(move |seen| {
        let jti = seen.jti().unwrap();
        let nth = came.len();
        let times = came.entry(jti).or_insert(0);
        *times += 1;
        match *times {
            1 if nth % 4 == 3 => Behaviour::refuse("jwtAud", "not now"),
            _ => Behaviour::accept(),
        }
    })
}

/// What a node's shell does first, for its clock to be so much off. Timers and what measures time are left alone.
fn shifted(by: &str) -> String {
    format!(
        "export LD_PRELOAD={} FAKETIME={by} FAKETIME_DONT_FAKE_MONOTONIC=1",
        library().display()
    )
}

fn library() -> PathBuf {
    let machines = std::fs::read_dir("/usr/lib").unwrap();
    let mut found = machines
        .filter_map(|machine| Some(machine.ok()?.path().join("faketime/libfaketimeMT.so.1")));
    let found = found.find(|library| library.exists());
    found.expect("this test needs Debian's package libfaketime, which `./test` installs")
}

fn name(tpp: usize) -> String {
    format!("tpp-{tpp}")
}

fn inbox(tpp: usize) -> String {
    format!("/{}{NOTIFICATIONS}", name(tpp))
}

const VARIABLES: [(&str, &str); 6] = [
    ("OYEZ_STORE__TAKEOVER", "3s"),
    ("OYEZ_POLLING__REDELIVERY_DELAY", "2s"),
    ("OYEZ_PUSH__TOTAL_TIMEOUT", "1s"),
    ("OYEZ_PUSH__CONNECT_TIMEOUT", "1s"),
    ("OYEZ_RETRY__BASE", "2s"),
    ("OYEZ_RETRY__CEILING", "2s"),
];
/// The nodes.
const RIGHT: usize = 0;
const AHEAD: usize = 1;
const BEHIND: usize = 2;
/// Two for each node.
const TPPS: usize = 6;
const PAUSE: Duration = Duration::from_millis(100);
/// As configured.
const TAKE_OVER: Duration = Duration::from_secs(3);
const REDELIVERY: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_secs(2);
/// An event that was chosen is held for an attempt, and for two seconds to its start.
const FLIGHT_MAX: Duration = Duration::from_secs(3);
/// Moments are to the millisecond, and ours is taken after theirs.
const EARLY_MAX: Duration = Duration::from_millis(500);
/// What a busy machine may be late by: far less than the clocks are apart.
const SLACK: Duration = Duration::from_secs(10);
