//! The campaign in which the server is killed while it pushes.
//!
//! What it had sent and not written down is sent again, with the same bytes. What it had counted, it goes on counting: a
//! server that began anew with each start would hammer an endpoint that it had given up.

use std::collections::BTreeSet;
use std::time::Duration;

use oyez_domain::ids::Jti;
use oyez_domain::time::{Clock as _, Timestamp};
use oyez_testkit::colleague::Colleague;
use oyez_testkit::dice::Dice;
use oyez_testkit::scale;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::books::Batch;
use super::load::{Errors, Habits, Refusals};
use super::receivers::{
    ATTEMPT_MAX, ATTEMPTS_MAX, DEAD, MOODY, Promised, REFUSING, Receivers, SLACK, STRICT,
    Standings, WELL,
};
use super::{Campaign, ask, client_of, count};
use crate::house::House;

/// `./test --quick` leaves these out.
mod slow {
    use super::*;

    // D-05, D-06, D-07, D-08, D-10, P-09, P-14, S-01
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_event_arrives_and_no_outage_is_forgotten_when_the_server_is_killed() {
        forget_nothing(House::new(&VARIABLES), 200).await;
    }

    // D-05, D-06, D-07, D-08, D-10, P-09, P-14, S-01
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_outage_is_forgotten_in_a_shared_ledger_when_the_server_is_killed() {
        forget_nothing(House::on_postgres(&VARIABLES).await, 100).await;
    }

    async fn forget_nothing(house: House, rounds: u32) {
        let mut dice = Dice::new(scale::seed("kill while pushing"));
        let mut pushing = Pushing::begin(house, &mut dice).await;
        for round in 0..u64::from(scale::rounds(rounds)) {
            pushing.live_and_die(round, &mut dice).await;
        }
        pushing.live_on().await;
        pushing.recover(&mut dice).await;
        pushing.check_all().await;
        assert_eq!(pushing.campaign.house.stop(), 0);
        pushing.tell();
    }
}

struct Pushing {
    campaign: Campaign,
    receivers: Receivers,
    /// 202s until the server was started last.
    promised: Promised,
    /// When it was first told that the dead endpoint is unresponsive.
    given_up_at: Option<Instant>,
    /// Events that were refused to the end.
    refused: usize,
    /// How long the first event after a start took, at most.
    slowest: Duration,
}

/// Its rounds.
impl Pushing {
    async fn begin(mut house: House, dice: &mut Dice) -> Self {
        house.start();
        let (receivers, tpps) = Receivers::register(&house, dice).await;
        let habits = Habits {
            publishers: 1,
            pause: Duration::from_millis(50),
            errors: Errors::None,
            refusals: Refusals::None,
            answers_max: 60,
        };
        Self {
            campaign: Campaign::new(house, tpps, &[MOODY, DEAD], habits),
            promised: receivers.promised(),
            receivers,
            given_up_at: None,
            refused: 0,
            slowest: Duration::ZERO,
        }
    }

    async fn live_and_die(&mut self, round: u64, dice: &mut Dice) {
        let everybody = self.campaign.live(round, dice).await;
        let before = self.standings().await;
        if before[&DEAD]["state"] == "unresponsive" {
            self.given_up_at.get_or_insert_with(Instant::now);
        }
        self.campaign.die(everybody, dice).await;
        let promised = std::mem::replace(&mut self.promised, self.receivers.promised());
        self.receivers.change_mood(dice);
        self.campaign.house.start();
        let after = self.standings().await;
        let receivers = &self.receivers;
        receivers.check_outages(&promised, &before, &after);
        if let Some(given_up_at) = self.given_up_at {
            receivers.check_peace(DEAD, given_up_at, &self.campaign.kills);
        }
        self.campaign.repeat_what_was_not_answered().await;
        self.check_resumed(round).await;
        self.campaign.audit(dice).await;
    }

    async fn standings(&self) -> Standings {
        let viewer = self.campaign.house.colleague("viewer");
        let mut standings = Standings::new();
        for tpp in self.promised.keys() {
            let path = format!("/v1/endpoints/{}", client_of(*tpp));
            standings.insert(*tpp, ask(&viewer, &path).await);
        }
        standings
    }

    /// The dead server's lease holds up nobody: what is accepted now arrives now.
    async fn check_resumed(&mut self, round: u64) {
        let batch = Batch {
            resource: format!("p-{round}"),
            tpps: vec![WELL],
        };
        let answer = self.campaign.publish(&batch).await;
        let jti = answer["outcomes"][0]["jti"].as_str().unwrap();
        let took = self
            .receivers
            .until_arrived(WELL, jti.parse().unwrap())
            .await;
        self.slowest = self.slowest.max(took);
    }

    /// Until patience has run out with an endpoint and with an event, if it had not before.
    async fn live_on(&mut self) {
        let begun = Instant::now();
        for number in 0.. {
            let is_given_up = self.standings().await[&DEAD]["state"] == "unresponsive";
            self.refused = self.check_refused().await;
            if self.refused > 0 && is_given_up {
                return;
            }
            assert!(
                begun.elapsed() < RECOVERY_MAX,
                "{}",
                self.campaign.house.log()
            );
            let batch = Batch {
                resource: format!("l-{number}"),
                tpps: vec![DEAD, REFUSING, REFUSING],
            };
            self.campaign.publish(&batch).await;
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// Endpoints are mended, operators resume the one that was given up, and what nobody takes is fetched by polls.
    async fn recover(&self, dice: &mut Dice) {
        let campaign = &self.campaign;
        self.receivers.recover();
        let path = format!("/v1/endpoints/{}/resume", client_of(DEAD));
        let operator = campaign.house.colleague("operator");
        let resumed = operator.post(&path, &json!({})).await;
        assert_eq!(resumed.status, 200, "{resumed:?}");
        let (answers, _) = watch::channel(0);
        let load = campaign.load(answers, u64::MAX);
        let mut polling = JoinSet::new();
        polling.spawn(load.poll(campaign.tpps[&REFUSING].clone(), dice.split()));
        let viewer = campaign.house.colleague("viewer");
        let begun = Instant::now();
        for tpp in campaign.tpps.keys() {
            loop {
                let counts = campaign.counts(&viewer, *tpp).await;
                if count(&counts, "outstanding") == 0 {
                    break;
                }
                assert!(begun.elapsed() < RECOVERY_MAX, "TPP {tpp} has {counts}");
                let ended = polling.try_join_next();
                assert!(ended.is_none(), "polls ended: {ended:?}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// What must be so in the end.
impl Pushing {
    /// The files of the events that are refused: what was counted against them, over all lives of the server (D-07). Answers
    /// how many were refused to the end.
    async fn check_refused(&self) -> usize {
        let viewer = self.campaign.house.colleague("viewer");
        let mut exhausted = 0;
        for jti in self.receivers.check_refused(&self.campaign.kills) {
            let file = ask(&viewer, &format!("/v1/events/{jti}")).await;
            let attempts = file["attempts"].as_array().unwrap();
            let refused = attempts.iter().filter(|one| one["verdict"] == "refused");
            let again: Vec<bool> = refused.map(|one| one["again_at"].is_string()).collect();
            assert!(again.len() <= ATTEMPTS_MAX, "refused too often: {file}");
            let over = again.iter().position(|again| !again);
            let last = over.is_none_or(|at| at == ATTEMPTS_MAX - 1);
            assert!(last, "given up too soon: {file}");
            exhausted += usize::from(over.is_some());
        }
        exhausted
    }

    async fn check_all(&self) {
        let (promised, arrived) = self.receivers.read_books(&self.campaign.house);
        let events = self.campaign.audit_all().await;
        for event in &events {
            let jti = event["jti"].as_str().unwrap();
            assert_eq!(event["state"], "acknowledged", "{event}");
            let books = self.campaign.books.lock().unwrap();
            let known = match event["settlement"]["reason"].as_str() {
                Some("push") => promised.contains(jti),
                Some("poll") => books.acks().contains(jti),
                _ => false,
            };
            assert!(known, "nobody acknowledged {event}");
        }
        let all: BTreeSet<&str> = events.iter().filter_map(|it| it["jti"].as_str()).collect();
        let stranger = arrived.iter().find(|jti| !all.contains(jti.as_str()));
        assert_eq!(stranger, None, "came, and was never accepted");
        for inbox in self.receivers.inboxes() {
            assert_eq!(inbox.differing(), []);
        }
        self.check_order(&events);
        self.check_acknowledged().await;
    }

    /// In strict order nothing overtakes, whatever died meanwhile (D-10).
    fn check_order(&self, events: &[Value]) {
        let of_strict = |event: &&Value| event["tpp"] == client_of(STRICT);
        let mut accepted: Vec<_> = events.iter().filter(of_strict).collect();
        accepted.sort_by_key(|event| event["position"].as_u64());
        let jti = |event: &&Value| event["jti"].as_str().unwrap().parse().unwrap();
        let accepted: Vec<Jti> = accepted.iter().map(jti).collect();
        assert_eq!(self.receivers.inbox(STRICT).distinct(), accepted);
    }

    /// When an acknowledgement by a poll was answered, an attempt may be beginning, and no more (P-14).
    async fn check_acknowledged(&self) {
        let house = &self.campaign.house;
        let (now, instant) = (house.site().clock.now(), Instant::now());
        let settled = self.campaign.books.lock().unwrap().settled().clone();
        let viewer = house.colleague("viewer");
        for (jti, settled) in settled {
            let parsed: Jti = jti.parse().unwrap();
            for inbox in self.receivers.inboxes() {
                let arrivals = inbox.of(&parsed);
                let last = arrivals.last().map(|seen| seen.came.at);
                let latest = settled.at + MAY_BEGIN + ATTEMPT_MAX + SLACK;
                assert!(last.is_none_or(|last| last <= latest), "{jti} came again");
            }
            let answered_at = now - (instant - settled.at);
            self.check_begun(&viewer, &jti, answered_at).await;
        }
    }

    async fn check_begun(&self, viewer: &Colleague, jti: &str, answered_at: Timestamp) {
        let file = ask(viewer, &format!("/v1/events/{jti}")).await;
        for attempt in file["attempts"].as_array().unwrap() {
            let started_at: Timestamp = attempt["started_at"].as_str().unwrap().parse().unwrap();
            let late = started_at.since(answered_at);
            assert!(late <= MAY_BEGIN, "{late:?} after its end: {attempt}");
        }
    }

    #[expect(clippy::print_stderr, reason = "what a campaign did is for people")]
    fn tell(&self) {
        let (mut arrivals, mut distinct) = (0, 0);
        for inbox in self.receivers.inboxes() {
            arrivals += inbox.arrivals().len();
            distinct += inbox.distinct().len();
        }
        let books = self.campaign.books.lock().unwrap();
        eprintln!(
            "{} kills: {} events accepted, {distinct} arrived in {arrivals} pushes, {} acknowledged by polls; {} refused \
             to the end; after a start the first event arrived within {:?}",
            self.campaign.kills.len(),
            books.accepted().len(),
            books.settled().len(),
            self.refused,
            self.slowest
        );
    }
}

const VARIABLES: [(&str, &str); 7] = [
    ("OYEZ_PUSH__CONNECT_TIMEOUT", "1s"),
    ("OYEZ_PUSH__TOTAL_TIMEOUT", "1s"),
    ("OYEZ_PUSH__SLOW_PROBE", "1m"),
    ("OYEZ_RETRY__BASE", "100ms"),
    ("OYEZ_RETRY__CEILING", "1s"),
    ("OYEZ_RETRY__RETRIES_MAX", "100000"),
    ("OYEZ_POLLING__REDELIVERY_DELAY", "1s"),
];
/// What the ledger said of an event holds for a push that begins within this time (P-14).
const MAY_BEGIN: Duration = Duration::from_secs(1);
/// Far longer than what is left takes.
const RECOVERY_MAX: Duration = Duration::from_secs(180);
