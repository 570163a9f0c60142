use oyez_domain::retry::Policy;
use oyez_domain::tpp::{Acknowledgement, HeaderProfile};
use proptest::prelude::*;

use super::*;

const DAWN: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

fn terms() -> Terms {
    Terms {
        order: DeliveryOrder::Concurrent,
        acknowledgement: Acknowledgement::Standard,
        retry: Policy::default(),
        header_profile: HeaderProfile::default(),
        trust_anchors: None,
        at_once_max: 8,
        slow_probe: Some(HOUR),
    }
}

fn few_retries(retries_max: u32) -> Terms {
    let retry = Policy {
        retries_max,
        ..Policy::default()
    };
    Terms { retry, ..terms() }
}

fn event(number: u8) -> Record {
    Record {
        jti: Jti::new(DAWN, [number; 10]),
        in_flight_until: DAWN,
        refusals: 0,
        refused_since: None,
        endpoint_failures: 0,
    }
}

fn failing(event: Record) -> Record {
    Record {
        endpoint_failures: event.endpoint_failures + 1,
        ..event
    }
}

fn failed() -> Judgement {
    Judgement::EndpointFailed(EndpointFailure {
        reason: "status 503".to_owned(),
        retry_after: None,
    })
}

fn busy(retry_after: Duration) -> Judgement {
    Judgement::EndpointFailed(EndpointFailure {
        reason: "status 429".to_owned(),
        retry_after: Some(retry_after),
    })
}

fn refused() -> Judgement {
    Judgement::Refused(Refusal {
        reason: "status 400".to_owned(),
        retry_after: None,
    })
}

fn claimed(health: Health, terms: &Terms, at: Moment) -> Endpoint {
    let mut endpoint = Endpoint::known(health.clone(), Memory::default());
    endpoint.claimed(health, terms, at);
    endpoint
}

/// It was refused before, for the first time at this moment.
fn refused_before(event: Record, since: Timestamp) -> Record {
    Record {
        refusals: 3,
        refused_since: Some(since),
        ..event
    }
}

/// An endpoint and a clock of its own.
struct Story {
    endpoint: Endpoint,
    terms: Terms,
    at: Moment,
}

impl Story {
    fn new(terms: Terms) -> Self {
        let at = Moment {
            now: DAWN,
            instant: Instant::now(),
        };
        let mut endpoint = claimed(Health::Responsive, &terms, at);
        endpoint.is_at(ADDRESS, at.now);
        Self {
            endpoint,
            terms,
            at,
        }
    }

    /// Its lane is claimed anew, and this is where it is then.
    fn claimed_at(&mut self, callback_url: &str) {
        let health = self.endpoint.health().clone();
        self.endpoint.claimed(health, &self.terms, self.at);
        self.endpoint.is_at(callback_url, self.at.now);
    }

    fn pass(&mut self, time: Duration) {
        self.at.now = self.at.now + time;
        self.at.instant += time;
    }

    fn pass_to_probe(&mut self) {
        let probe_at = self.endpoint.probe_at().unwrap();
        let wait = probe_at.duration_since(self.at.instant);
        self.pass(wait);
    }

    /// One that started in the step that it is now.
    fn learn(&mut self, event: Record, judgement: Judgement) -> (Verdict, Change) {
        self.learn_of(event, self.endpoint.step(), judgement)
    }

    fn learn_of(&mut self, event: Record, step: u64, judgement: Judgement) -> (Verdict, Change) {
        self.endpoint
            .learn((event, step), judgement, &self.terms, self.at, 1.0)
    }

    fn failures(&self) -> u32 {
        match self.endpoint.health() {
            Health::Failing { failures, .. } | Health::Unresponsive { failures, .. } => *failures,
            Health::Responsive | Health::Paused { .. } => 0,
        }
    }
}

// D-06
#[test]
fn eight_attempts_that_fail_together_are_one_failure() {
    let mut story = Story::new(terms());
    let step = story.endpoint.step();
    let changes: Vec<_> = (0..8)
        .map(|number| story.learn_of(event(number), step, failed()).1)
        .collect();
    assert_eq!(changes[0], Change::Failed);
    assert!(changes[1..].iter().all(|change| *change == Change::None));
    assert_eq!(story.failures(), 1);
}

// D-05, D-06
#[test]
fn an_outage_runs_through_the_policy_to_the_slow_probe_and_ends_with_an_acknowledgement() {
    let mut story = Story::new(few_retries(3));
    let mut waits = Vec::new();
    for _ in 0..6 {
        assert_eq!(story.learn(event(1), failed()).1, Change::Failed);
        let probe_at = story.endpoint.probe_at().unwrap();
        waits.push(probe_at.duration_since(story.at.instant).as_secs());
        story.pass_to_probe();
    }
    assert_eq!(waits, [1, 2, 4, 3600, 3600, 3600]);
    let Health::Unresponsive {
        since,
        declared_at,
        failures,
        reason,
        ..
    } = story.endpoint.health().clone()
    else {
        panic!("{:?}", story.endpoint.health());
    };
    assert_eq!((since, declared_at), (DAWN, DAWN + Duration::from_secs(7)));
    assert_eq!((failures, reason.as_str()), (6, "status 503"));
    assert_eq!(
        story.learn(event(1), Judgement::Acknowledged).1,
        Change::Recovered
    );
    assert!(story.endpoint.is_responsive());
    assert_eq!(story.endpoint.probe_at(), None);
}

// D-06
#[test]
fn without_a_slow_probe_an_unresponsive_endpoint_is_not_asked_again() {
    let terms = Terms {
        slow_probe: None,
        ..few_retries(0)
    };
    let mut story = Story::new(terms);
    story.learn(event(1), failed());
    assert!(matches!(
        story.endpoint.health(),
        Health::Unresponsive {
            next_probe_at: None,
            ..
        }
    ));
    assert_eq!(story.endpoint.probe_at(), None);
}

// D-04, D-07
#[test]
fn a_refused_event_backs_off_by_its_own_counters_and_the_endpoint_is_not_punished() {
    let mut story = Story::new(few_retries(2));
    let at = |refusals, since: u64| Record {
        refusals,
        refused_since: (refusals > 0).then(|| DAWN - Duration::from_secs(since)),
        ..event(1)
    };
    let after = |seconds| Verdict::Refused {
        again_at: Some(DAWN + Duration::from_secs(seconds)),
    };
    assert_eq!(story.learn(at(0, 0), refused()), (after(1), Change::None));
    assert_eq!(story.learn(at(1, 1), refused()), (after(2), Change::None));
    story.learn(event(2), Judgement::Acknowledged);
    let poll_only = Verdict::Refused { again_at: None };
    assert_eq!(story.learn(at(2, 3), refused()), (poll_only, Change::None));
    assert!(
        story.endpoint.is_responsive(),
        "one event refused thrice is one event"
    );
}

// D-06, D-07
#[test]
fn an_event_that_is_refused_to_the_end_while_nothing_is_acknowledged_is_an_outage() {
    for acknowledged_before in [true, false] {
        let mut story = Story::new(few_retries(0));
        if acknowledged_before {
            story.learn(event(2), Judgement::Acknowledged);
            story.pass(HOUR);
        }
        let since = story.at.now;
        story.pass(HOUR);
        let learned = story.learn(refused_before(event(1), since), refused());
        assert_eq!(learned, (POLL_ONLY, Change::Failed));
    }
}

// D-04, D-07
#[test]
fn where_one_refusal_is_the_end_of_an_event_three_in_a_row_are_an_outage_and_one_is_none() {
    let mut story = Story::new(few_retries(0));
    for number in [1, 2] {
        let learned = story.learn(event(number), refused());
        assert_eq!(learned, (POLL_ONLY, Change::None), "nothing was in vain");
    }
    let learned = story.learn(event(3), refused());
    assert_eq!(learned, (POLL_ONLY, Change::Failed));
}

// D-04, D-07
#[test]
fn what_is_not_remembered_is_not_held_against_an_endpoint() {
    let mut story = Story::new(few_retries(0));
    let before = story.at.now - HOUR;
    let learned = story.learn(refused_before(event(1), before), refused());
    assert_eq!(
        learned,
        (POLL_ONLY, Change::None),
        "others may have gone well"
    );
}

// D-04, D-06, S-12
#[test]
fn what_is_remembered_of_one_address_says_nothing_of_another() {
    let mut story = Story::new(few_retries(0));
    let since = story.at.now;
    story.pass(HOUR);
    let old = story.endpoint.step();
    for number in [1, 2] {
        story.learn(event(number), refused());
    }
    story.claimed_at("https://other.example");
    assert_eq!(story.learn(event(3), refused()), (POLL_ONLY, Change::None));
    let learned = story.learn(refused_before(event(3), since), refused());
    assert_eq!(
        learned,
        (POLL_ONLY, Change::None),
        "it was refused elsewhere"
    );
    story.learn(event(4), refused());
    story.learn_of(event(5), old, Judgement::Acknowledged);
    story.learn_of(event(6), old, refused());
    assert_eq!(
        story.learn(event(7), refused()).1,
        Change::Failed,
        "the answers from before are of the old address"
    );
}

// D-04
#[test]
fn what_is_remembered_of_an_address_outlives_a_claim() {
    let mut story = Story::new(terms());
    for number in [1, 2] {
        story.learn(event(number), refused());
    }
    story.claimed_at(ADDRESS);
    assert_eq!(story.learn(event(3), refused()).1, Change::Failed);
}

// D-05, D-07
#[test]
fn a_refusal_that_asks_for_time_gets_it_for_its_event_within_the_ceiling() {
    let asking = |seconds| {
        Judgement::Refused(Refusal {
            reason: "status 400".to_owned(),
            retry_after: Some(Duration::from_secs(seconds)),
        })
    };
    let mut story = Story::new(terms());
    let again = |wait| Verdict::Refused {
        again_at: Some(DAWN + wait),
    };
    for (asked, wait) in [
        (0, Duration::from_secs(1)),
        (90, Duration::from_secs(90)),
        (1_000_000, HOUR),
    ] {
        let learned = story.learn(event(1), asking(asked));
        assert_eq!(learned, (again(wait), Change::None), "{asked}");
    }
    story.learn(event(2), asking(90));
    assert_eq!(story.learn(event(3), asking(90)).1, Change::Failed);
    let probe_at = story.endpoint.probe_at().unwrap();
    let wait = probe_at.duration_since(story.at.instant);
    assert_eq!(wait, Duration::from_secs(90), "and of three, the endpoint");
}

// D-05
#[test]
fn a_policy_that_waits_for_longer_than_there_is_time_waits_for_ever() {
    let endless = Duration::from_millis(u64::MAX);
    let retry = Policy {
        base: endless,
        ceiling: endless,
        window: endless,
        ..Policy::default()
    };
    let mut story = Story::new(Terms { retry, ..terms() });
    assert_eq!(story.learn(event(1), failed()).1, Change::Failed);
    let health = story.endpoint.health().clone();
    assert_eq!(health.next_probe_at(), Some(Timestamp::MAX));
    let again = claimed(health, &story.terms, story.at);
    assert!(!again.is_responsive());
}

// D-06
#[test]
fn a_slow_probe_that_is_switched_on_or_off_holds_for_endpoints_that_were_given_up_before() {
    let given_up = |next_probe_at| Health::Unresponsive {
        since: DAWN - HOUR,
        declared_at: DAWN,
        failures: 9,
        next_probe_at,
        reason: Reason::new("status 503"),
    };
    let off = Terms {
        slow_probe: None,
        ..terms()
    };
    for (passed, said, terms, next) in [
        (HOUR / 4, None, terms(), Some(DAWN + HOUR)),
        (HOUR * 5, None, terms(), Some(DAWN + HOUR)),
        (
            HOUR / 4,
            Some(DAWN + HOUR * 30),
            terms(),
            Some(DAWN + HOUR / 4 + HOUR),
        ),
        (HOUR / 4, Some(DAWN + HOUR), off.clone(), None),
        (HOUR / 4, None, off, None),
    ] {
        let at = Moment {
            now: DAWN + passed,
            instant: Instant::now(),
        };
        let endpoint = claimed(given_up(said), &terms, at);
        assert_eq!(endpoint.health().next_probe_at(), next);
        let wait = |next: Timestamp| at.instant + next.since(at.now);
        assert_eq!(endpoint.probe_at(), next.map(wait));
    }
}

// D-04
#[test]
fn three_different_events_refused_in_a_row_are_an_outage_and_an_acknowledgement_between_is_none() {
    let mut story = Story::new(terms());
    story.learn(event(1), refused());
    story.learn(event(2), refused());
    story.learn(event(3), Judgement::Acknowledged);
    story.learn(event(4), refused());
    assert_eq!(story.learn(event(5), refused()).1, Change::None);
    assert_eq!(story.learn(event(6), refused()).1, Change::Failed);
    let (verdict, change) = story.learn(event(7), refused());
    assert!(matches!(verdict, Verdict::Refused { again_at: Some(_) }));
    assert_eq!(
        (change, story.failures()),
        (Change::Failed, 2),
        "a refused probe is a failure more"
    );
}

// D-04, D-10
#[test]
fn the_oldest_probes_twice_and_then_the_next_ones_do_but_in_strict_order_never() {
    let passed_over = |order| {
        let mut story = Story::new(Terms { order, ..terms() });
        [(); 12].map(|()| {
            let (verdict, _) = story.learn(event(1), failed());
            assert_eq!(verdict, Verdict::EndpointFailed);
            story.endpoint.passes_over(&story.terms)
        })
    };
    assert_eq!(
        passed_over(DeliveryOrder::Concurrent),
        [0, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2]
    );
    assert_eq!(passed_over(DeliveryOrder::Strict), [0; 12]);
}

// D-04, D-07
#[test]
fn an_event_that_alone_makes_the_endpoint_fail_counts_as_refused_in_the_end() {
    let mut story = Story::new(terms());
    let mut poison = event(1);
    for _ in 0..3 {
        assert_eq!(story.learn(poison, failed()).1, Change::Failed);
        poison = failing(poison);
        story.learn(event(2), Judgement::Acknowledged);
    }
    let (verdict, change) = story.learn(poison, failed());
    assert!(
        matches!(verdict, Verdict::Refused { again_at: Some(_) }),
        "{verdict:?}"
    );
    assert_eq!(change, Change::None);
    assert!(story.endpoint.is_responsive());
}

// D-05
#[test]
fn whoever_asks_for_time_gets_it_within_the_ceiling_whatever_was_on_its_way() {
    let mut story = Story::new(terms());
    let before = story.endpoint.step();
    story.learn(event(1), busy(Duration::from_secs(90)));
    story.learn_of(event(2), before, Judgement::Acknowledged);
    assert_eq!(story.failures(), 1, "an answer from before does not end it");
    let wait = |story: &Story| {
        let probe_at = story.endpoint.probe_at().unwrap();
        probe_at.duration_since(story.at.instant)
    };
    assert_eq!(wait(&story), Duration::from_secs(90));
    story.learn(event(1), busy(Duration::from_secs(1_000_000)));
    assert_eq!(wait(&story), HOUR);
    story.learn(event(1), Judgement::Acknowledged);
    assert!(story.endpoint.is_responsive());
}

// D-05
#[test]
fn a_probe_time_that_only_a_wrong_clock_can_have_made_is_cut_to_what_the_terms_give() {
    let at = Moment {
        now: DAWN,
        instant: Instant::now(),
    };
    let health = Health::Failing {
        since: DAWN,
        failures: 2,
        next_probe_at: DAWN + HOUR * 24 * 365,
        reason: Reason::new("status 503"),
    };
    let endpoint = claimed(health.clone(), &terms(), at);
    assert_eq!(endpoint.probe_at(), Some(at.instant + HOUR));
    let later = Moment {
        now: DAWN + HOUR * 24 * 365 * 2,
        ..at
    };
    let endpoint = claimed(health, &terms(), later);
    assert_eq!(
        endpoint.probe_at(),
        Some(at.instant),
        "and one that is past is now"
    );
}

proptest! {
    // D-05, D-06, D-07
    #[test]
    fn whatever_happens_the_counters_run_per_outage_and_no_wait_is_longer_than_the_policy(
        steps in proptest::collection::vec((0_u8..5, 0_u8..4, any::<bool>(), 0_u32..10_000_000), 0..80),
        retries_max in 0_u32..6,
        jump in -1_000_000_000_i64..1_000_000_000,
    ) {
        let mut story = Story::new(few_retries(retries_max));
        let mut before = story.endpoint.step();
        for (what, number, stale, seconds) in steps {
            let judgement = match what {
                0 => Judgement::Acknowledged,
                1 => refused(),
                2 => busy(Duration::from_secs(seconds.into())),
                3 => failed(),
                _ => {
                    story.at.now = Timestamp::from_unix_ms(story.at.now.unix_ms() + jump);
                    continue;
                }
            };
            let failures = story.failures();
            let step = if stale { before } else { story.endpoint.step() };
            before = story.endpoint.step();
            let (verdict, change) = story.learn_of(event(number), step, judgement);
            match change {
                Change::Failed => prop_assert_eq!(story.failures(), failures + 1),
                Change::Recovered => prop_assert!(story.endpoint.is_responsive()),
                Change::None => prop_assert_eq!(story.failures(), failures),
            }
            if let Some(probe_at) = story.endpoint.probe_at() {
                prop_assert!(probe_at.duration_since(story.at.instant) <= HOUR);
            }
            prop_assert_eq!(
                story.endpoint.probe_at().is_some(),
                !story.endpoint.is_responsive()
            );
            if let Verdict::Refused { again_at: Some(at) } = verdict {
                prop_assert!(at > story.at.now && at.since(story.at.now) <= HOUR);
            }
        }
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);
const ADDRESS: &str = "https://acme.example";
const POLL_ONLY: Verdict = Verdict::Refused { again_at: None };
