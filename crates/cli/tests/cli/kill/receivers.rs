//! TPPs with endpoints that outlive the server, and what these saw of it.
//!
//! Each keeps a book on disk of what came to it, written before it answers: the independent ledger of the campaign.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use oyez_domain::ids::Jti;
use oyez_testkit::dice::Dice;
use oyez_testkit::endpoint::{Behaviour, Book, Endpoint, Inbox, Manner};
use oyez_testkit::tpp::Caller;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::client_of;
use crate::house::{House, NOTIFICATIONS};

/// Always there and always well.
pub(crate) const WELL: usize = 3;
/// Well, or in an outage, or now and then wrong; it polls beside.
pub(crate) const MOODY: usize = 4;
/// In strict order (D-10), and now and then wrong.
pub(crate) const STRICT: usize = 5;
/// Never well, and given up soon; it polls beside.
pub(crate) const DEAD: usize = 6;
/// Well, but that it does not take some events.
pub(crate) const REFUSING: usize = 7;

/// Everybody who is pushed to, by number.
pub(crate) struct Receivers(BTreeMap<usize, Endpoint>);

/// What the server told of the endpoints.
pub(crate) type Standings = BTreeMap<usize, Value>;
/// How many 202s each has promised.
pub(crate) type Promised = BTreeMap<usize, usize>;

/// Their lives.
impl Receivers {
    pub(crate) async fn register(
        house: &House,
        dice: &mut Dice,
    ) -> (Self, BTreeMap<usize, Caller>) {
        let (mut receivers, mut callers) = (BTreeMap::new(), BTreeMap::new());
        for (tpp, overrides) in overrides() {
            let endpoint = Endpoint::start(&house.site().authority.server(&[])).await;
            endpoint.keep_book(&house.desk().path(&book_of(tpp)));
            endpoint.behave(NOTIFICATIONS, at_first(tpp, dice));
            let caller = house.pushed(&client_of(tpp), &endpoint, &overrides).await;
            callers.insert(tpp, caller);
            receivers.insert(tpp, endpoint);
        }
        (Self(receivers), callers)
    }

    /// While the server is dead: a mood for its next life. So no life has two.
    pub(crate) fn change_mood(&self, dice: &mut Dice) {
        let mood = match dice.below(4) {
            0 => Behaviour::accept().into(),
            1 => out_of_order(dice.split()),
            _ => now_and_then_wrong(dice.split()),
        };
        self.0[&MOODY].behave(NOTIFICATIONS, mood);
    }

    /// Everybody is well from now on, but the one that does not take some events.
    pub(crate) fn recover(&self) {
        for (_, endpoint) in self.0.iter().filter(|(tpp, _)| **tpp != REFUSING) {
            endpoint.behave(NOTIFICATIONS, Behaviour::accept());
        }
    }

    pub(crate) fn promised(&self) -> Promised {
        let promised = |tpp| {
            let inbox = self.inbox(tpp);
            let arrivals = inbox.arrivals().iter();
            arrivals.filter(|seen| seen.status == Some(202)).count()
        };
        self.0.keys().map(|tpp| (*tpp, promised(*tpp))).collect()
    }

    pub(crate) fn inbox(&self, tpp: usize) -> Inbox {
        self.0[&tpp].inbox(NOTIFICATIONS)
    }

    /// Waits for an event; answers how long that took.
    pub(crate) async fn until_arrived(&self, tpp: usize, jti: Jti) -> Duration {
        let begun = Instant::now();
        let arrived = |inbox: &Inbox| !inbox.of(&jti).is_empty();
        self.0[&tpp]
            .until_within(NOTIFICATIONS, RESUMES_WITHIN, arrived)
            .await;
        begun.elapsed()
    }

    /// All that came to anybody.
    pub(crate) fn inboxes(&self) -> impl Iterator<Item = Inbox> {
        self.0.keys().map(|tpp| self.inbox(*tpp))
    }
}

/// What must be.
impl Receivers {
    /// Whatever a kill did: as long as an endpoint promises no 202, its outage is the same and its counter no lower
    /// (D-05, D-06).
    pub(crate) fn check_outages(&self, at_first: &Promised, before: &Standings, after: &Standings) {
        let promised = self.promised();
        for (tpp, at_first) in at_first {
            let (before, after) = (&before[tpp], &after[tpp]);
            let is_worse = match before["state"].as_str().unwrap() {
                "failing" => after["state"] == "failing" || after["state"] == "unresponsive",
                "unresponsive" => {
                    after["state"] == "unresponsive"
                        && after["declared_at"] == before["declared_at"]
                }
                _ => continue,
            };
            let counts = after["failures"].as_u64() >= before["failures"].as_u64();
            let goes_on = is_worse && counts && after["since"] == before["since"];
            assert!(
                goes_on || promised[tpp] > *at_first,
                "an outage was forgotten: {before} became {after}"
            );
        }
    }

    /// An endpoint that was given up gets slow probes and nothing else (D-06).
    pub(crate) fn check_peace(&self, tpp: usize, given_up_at: Instant, kills: &[Instant]) {
        let inbox = self.inbox(tpp);
        let mut arrivals: Vec<_> = inbox.arrivals().iter().map(|seen| seen.came.at).collect();
        let before = arrivals.partition_point(|at| *at < given_up_at);
        arrivals.drain(..before.saturating_sub(1));
        for pair in arrivals.windows(2) {
            let apart = pair[1] - pair[0];
            assert!(
                is_forgotten(pair[0], kills) || apart >= SLOW_PROBE - SLACK,
                "probed after {apart:?}"
            );
        }
    }

    /// No event was refused more often than the policy says (D-07). Answers which were refused.
    pub(crate) fn check_refused(&self, kills: &[Instant]) -> Vec<Jti> {
        let inbox = self.inbox(REFUSING);
        let refused = inbox.distinct().iter().filter(|jti| is_refused(jti));
        let refused: Vec<Jti> = refused.copied().collect();
        for jti in &refused {
            let arrivals = inbox.of(jti);
            let forgotten = arrivals.iter();
            let forgotten = forgotten.filter(|seen| is_forgotten(seen.came.at, kills));
            let most = ATTEMPTS_MAX + forgotten.count();
            assert!(
                arrivals.len() <= most,
                "{jti} came {} times",
                arrivals.len()
            );
        }
        refused
    }

    /// What the books on disk say: the events that came with a 202, and all that came. Nothing came in two forms (P-09).
    pub(crate) fn read_books(&self, house: &House) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut promised, mut digests) = (BTreeSet::new(), BTreeMap::new());
        for tpp in self.0.keys() {
            for entry in Book::read(&house.desk().path(&book_of(*tpp))) {
                let jti = entry.jti.expect("nothing but SETs is pushed").to_string();
                let first = digests.entry(jti.clone()).or_insert(entry.digest.clone());
                assert_eq!(*first, entry.digest, "{jti} came in two forms");
                if entry.status == Some(202) {
                    promised.insert(jti);
                }
            }
        }
        (promised, digests.into_keys().collect())
    }
}

fn overrides() -> [(usize, Value); 5] {
    let policy = |base: &str, retries_max: usize| {
        let window = "1h";
        json!({ "base": base, "factor": 1.0, "ceiling": "1s", "retries_max": retries_max, "window": window })
    };
    [
        (WELL, json!({})),
        (MOODY, json!({})),
        (STRICT, json!({ "delivery_order": "strict" })),
        (DEAD, json!({ "retry": policy("200ms", 8) })),
        (
            REFUSING,
            json!({ "retry": policy("500ms", ATTEMPTS_MAX - 1) }),
        ),
    ]
}

fn at_first(tpp: usize, dice: &mut Dice) -> Manner {
    match tpp {
        MOODY => now_and_then_wrong(dice.split()),
        STRICT => {
            let mut dice = dice.split();
            Manner::by(move |_| match dice.below(20) {
                0 => Behaviour::status(500),
                1 => Behaviour::Reset,
                _ => Behaviour::accept(),
            })
        }
        DEAD => Behaviour::status(503).into(),
        REFUSING => Manner::by(|seen| match seen.jti() {
            Some(jti) if is_refused(&jti) => Behaviour::refuse("invalid_request", "not that one"),
            _ => Behaviour::accept(),
        }),
        _ => Behaviour::accept().into(),
    }
}

fn now_and_then_wrong(mut dice: Dice) -> Manner {
    Manner::by(move |_| match dice.below(12) {
        0 => Behaviour::status(500),
        1 => Behaviour::Reset,
        2 => Behaviour::accept().late(ATTEMPT_MAX * 2),
        3 | 4 => Behaviour::accept().late(ATTEMPT_MAX / 4),
        _ => Behaviour::accept(),
    })
}

fn out_of_order(mut dice: Dice) -> Manner {
    Manner::by(move |_| match dice.below(3) {
        0 => Behaviour::HangUp,
        1 => Behaviour::Silence,
        _ => Behaviour::status(503),
    })
}

/// Whether the server may have been killed before it wrote down how this push went.
fn is_forgotten(came_at: Instant, kills: &[Instant]) -> bool {
    let later = |kill: &Instant| kill.checked_duration_since(came_at);
    kills
        .iter()
        .filter_map(later)
        .any(|later| later <= ATTEMPT_MAX)
}

/// By chance, and each time the same. Seldom: three in a row are an outage (D-04).
fn is_refused(jti: &Jti) -> bool {
    jti.as_bytes()[15].is_multiple_of(16)
}

fn book_of(tpp: usize) -> String {
    format!("book-of-{}", client_of(tpp))
}

/// As configured: an attempt lasts no longer.
pub(crate) const ATTEMPT_MAX: Duration = Duration::from_secs(1);
/// As configured.
const SLOW_PROBE: Duration = Duration::from_secs(60);
/// The first attempt and its retries, of an event that is refused.
pub(crate) const ATTEMPTS_MAX: usize = 5;
/// What the machine may be late by.
pub(crate) const SLACK: Duration = Duration::from_secs(1);
/// Less than the lease of the dead server holds.
const RESUMES_WITHIN: Duration = Duration::from_secs(10);
