//! What was promised over all rounds, and the audit of a ledger against it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use oyez_domain::event::Family;
use oyez_domain::ids::Jti;
use oyez_domain::ledger::acceptance::Acceptance;
use oyez_domain::ledger::history::{EventFile, EventFilter, EventSummary, StateFilter};
use oyez_domain::life::{Ending, State};
use oyez_domain::time::Timestamp;
use oyez_store::Store;
use oyez_store::sqlite::Ledger;

use crate::promise::{How, Promise};
use crate::round::{CHANGING, Round, TPPS, client_of};
use oyez_testkit::making::{Jtis, UPDATE, keyed, notice, submission};

/// Everything that was promised and must hold for ever.
#[derive(Default)]
pub(crate) struct Books {
    accepted: BTreeMap<Jti, (usize, String)>,
    sent: BTreeMap<Jti, String>,
    settled: BTreeMap<Jti, How>,
    attempted: Vec<(Jti, String)>,
    /// The last subscription's number, and whether it was deleted since.
    registered: usize,
    is_deleted: bool,
    deleted_up_to: u64,
    /// The last position of each TPP that an audit has seen.
    positions: [u64; TPPS],
}

impl Books {
    pub(crate) fn registered(&self) -> usize {
        self.registered
    }

    pub(crate) fn enter(&mut self, promise: &Promise) {
        match promise.clone() {
            Promise::Accepted { tpp, jti, batch } => {
                let twice = self.accepted.insert(jti, (tpp, batch));
                assert_eq!(twice, None, "{jti} was accepted twice");
            }
            Promise::Sent { jti, set } => {
                let first = self.sent.entry(jti).or_insert_with(|| set.clone());
                assert_eq!(*first, set, "{jti} went out with other bytes than before");
            }
            Promise::Settled { jti, how } => self.settle(jti, how),
            Promise::Attempted { jti, interaction } => self.attempted.push((jti, interaction)),
            Promise::Registered { number } => {
                (self.registered, self.is_deleted) = (number, false);
            }
            Promise::Deleted { position } => {
                self.is_deleted = true;
                self.deleted_up_to = self.deleted_up_to.max(position);
            }
        }
    }

    /// An event fails once and is acknowledged once. Two tasks may tell of that in either order.
    fn settle(&mut self, jti: Jti, how: How) {
        match self.settled.get(&jti) {
            Some(before) => {
                assert_ne!(*before, how, "{jti} was settled twice");
                self.settled.insert(jti, How::Acknowledged);
            }
            None => {
                self.settled.insert(jti, how);
            }
        }
    }

    /// Holds the ledger to what this round promised, and to what no round may undo.
    pub(crate) async fn audit(&mut self, ledger: &Ledger, round: Round, promised: &[Promise]) {
        let fresh = list(ledger, since(round.begins_at())).await;
        audit_events(&fresh, promised);
        self.audit_positions(ledger, &fresh).await;
        audit_batches(&fresh);
        audit_files(ledger, promised).await;
        self.audit_outstanding(ledger).await;
        self.audit_registration(ledger).await;
        self.audit_keys(ledger, round, promised).await;
    }

    /// Holds the ledger to everything that was ever promised: where all events stand, and the whole of every hundredth.
    pub(crate) async fn audit_all(&self, ledger: &Ledger) {
        let all = list(ledger, EventFilter::default()).await;
        audit_batches(&all);
        for tpp in 0..TPPS {
            let counts = ledger.counts(client_of(tpp)).await.unwrap();
            assert_gapless(&all, tpp, 1..=counts.accepted);
        }
        let found: BTreeMap<Jti, &EventSummary> =
            all.iter().map(|event| (event.jti, event)).collect();
        for (jti, (tpp, batch)) in &self.accepted {
            let event = found.get(jti).unwrap_or_else(|| panic!("{jti} is gone"));
            assert_eq!(
                (&event.client_id, event.resource_id.as_str()),
                (&client_of(*tpp), &**batch)
            );
        }
        for (jti, how) in &self.settled {
            assert_settled(&found[jti].state, *jti, *how);
        }
        let sent = self.sent.iter().map(|(jti, set)| Promise::Sent {
            jti: *jti,
            set: set.clone(),
        });
        let attempted = self
            .attempted
            .iter()
            .map(|(jti, interaction)| Promise::Attempted {
                jti: *jti,
                interaction: interaction.clone(),
            });
        let some: Vec<Promise> = sent.chain(attempted).step_by(100).collect();
        audit_files(ledger, &some).await;
    }

    async fn audit_positions(&mut self, ledger: &Ledger, fresh: &[EventSummary]) {
        for tpp in 0..TPPS {
            let counts = ledger.counts(client_of(tpp)).await.unwrap();
            assert_gapless(fresh, tpp, self.positions[tpp] + 1..=counts.accepted);
            self.positions[tpp] = counts.accepted;
        }
    }

    async fn audit_outstanding(&self, ledger: &Ledger) {
        for tpp in 0..TPPS {
            let filter = EventFilter {
                client_id: Some(client_of(tpp)),
                state: Some(StateFilter::Outstanding),
                ..EventFilter::default()
            };
            let outstanding = list(ledger, filter).await;
            let counts = ledger.counts(client_of(tpp)).await.unwrap();
            assert!(counts.balance(), "tpp {tpp}: {counts:?}");
            assert_eq!(
                counts.outstanding,
                outstanding.len() as u64,
                "tpp {tpp}: {counts:?}"
            );
            for event in outstanding {
                let settled = self.settled.get(&event.jti);
                assert_eq!(settled, None, "{} is outstanding again", event.jti);
                let withdrawn = tpp == CHANGING && event.position <= self.deleted_up_to;
                assert!(!withdrawn, "{} survived the deletion", event.jti);
            }
        }
    }

    /// The last promised subscription or the one after it; none if a deletion was promised or may have been under way.
    async fn audit_registration(&mut self, ledger: &Ledger) {
        let registrations = ledger.registrations(client_of(CHANGING)).await.unwrap();
        let Some(subscription) = registrations.subscription else {
            return;
        };
        let address = subscription.wish.callback_url.expect("it was put with one");
        let number = address.trim_start_matches("https://n").split('.').next();
        let number: usize = number
            .and_then(|text| text.parse().ok())
            .expect("its host is its number");
        let next = number == self.registered + 1;
        let last = number == self.registered && !self.is_deleted;
        assert!(
            next || last,
            "subscription {number} after {} was promised",
            self.registered
        );
        (self.registered, self.is_deleted) = (number, false);
    }

    /// A publisher that repeats what was accepted is told so (I-02).
    async fn audit_keys(&self, ledger: &Ledger, round: Round, promised: &[Promise]) {
        let accepted = |promise: &Promise| match promise {
            Promise::Accepted { tpp, jti, .. } => Some((*tpp, *jti)),
            _ => None,
        };
        let fresh = promised.iter().rev().filter_map(accepted).take(50);
        let old = self
            .accepted
            .iter()
            .take(10)
            .map(|(jti, (tpp, _))| (*tpp, *jti));
        let jtis = Jtis::from(u64::from(u32::MAX));
        for (tpp, jti) in fresh.chain(old) {
            let notice = notice(&client_of(tpp), Family::Aisp, &[UPDATE]);
            let now = round.begins_at();
            let repeat = keyed(submission(jtis.next(now), notice), &format!("k-{jti}"), 7);
            let answer = ledger.accept(vec![repeat], now).await.unwrap();
            assert_eq!(answer, [Acceptance::Duplicate(jti)]);
        }
    }
}

fn audit_events(fresh: &[EventSummary], promised: &[Promise]) {
    let found: BTreeSet<Jti> = fresh.iter().map(|event| event.jti).collect();
    for promise in promised {
        if let Promise::Accepted { jti, .. } = promise {
            assert!(found.contains(jti), "{jti} was accepted and is not listed");
        }
    }
}

/// Holds each event's file to everything that was promised of it.
async fn audit_files(ledger: &Ledger, promised: &[Promise]) {
    let mut of_each: BTreeMap<Jti, Vec<&Promise>> = BTreeMap::new();
    for promise in promised {
        if let Some(jti) = promise.jti() {
            of_each.entry(jti).or_default().push(promise);
        }
    }
    for (jti, promises) in of_each {
        let file = ledger.find_event(jti).await.unwrap();
        let file = file.unwrap_or_else(|| panic!("{jti} is gone: {promises:?}"));
        for promise in promises {
            audit_file(&file, promise);
        }
    }
}

fn audit_file(file: &EventFile, promise: &Promise) {
    match promise {
        Promise::Accepted { tpp, batch, .. } => {
            assert_eq!(file.notice.client_id, client_of(*tpp));
            assert_eq!(file.notice.resource.id.as_str(), batch);
        }
        Promise::Sent { jti, set } => {
            let kept: Vec<&str> = file.sets.iter().map(|kept| kept.set.as_str()).collect();
            assert_eq!(kept, [set], "{jti} has other bytes than went out");
        }
        Promise::Settled { jti, how } => assert_settled(&file.summary.state, *jti, *how),
        Promise::Attempted { jti, interaction } => {
            let mut known = file.attempts.iter().map(|it| it.interaction_id.as_str());
            assert!(
                known.any(|it| it == interaction),
                "an attempt of {jti} is gone"
            );
        }
        Promise::Registered { .. } | Promise::Deleted { .. } => {}
    }
}

/// What was acknowledged stays so; what failed may have been acknowledged late.
fn assert_settled(state: &State, jti: Jti, how: How) {
    let State::Settled(settlement) = state else {
        panic!("{jti} was settled and is outstanding again");
    };
    let ending = settlement.outcome.ending();
    let holds = match how {
        How::Acknowledged => ending == Ending::Acknowledged,
        How::Failed => matches!(ending, Ending::Failed | Ending::Acknowledged),
    };
    assert!(holds, "{jti} was {how:?}, and now it is {settlement:?}");
}

fn assert_gapless(events: &[EventSummary], tpp: usize, wanted: RangeInclusive<u64>) {
    let of_tpp = events
        .iter()
        .filter(|event| event.client_id == client_of(tpp));
    let mut positions: Vec<u64> = of_tpp.map(|event| event.position).collect();
    positions.sort_unstable();
    assert!(
        wanted.clone().eq(positions),
        "tpp {tpp}: not all of {wanted:?} is there, once each"
    );
}

/// A batch's size is the last part of its name.
fn audit_batches(events: &[EventSummary]) {
    let mut batches: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events {
        *batches.entry(event.resource_id.as_str()).or_default() += 1;
    }
    for (batch, found) in batches {
        let size = batch.rsplit('-').next().and_then(|size| size.parse().ok());
        assert_eq!(Some(found), size, "half of batch {batch} is there");
    }
}

fn since(accepted_from: Timestamp) -> EventFilter {
    EventFilter {
        accepted_from: Some(accepted_from),
        ..EventFilter::default()
    }
}

async fn list(ledger: &Ledger, filter: EventFilter) -> Vec<EventSummary> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let page = ledger
            .list_events(filter.clone(), before, 1_000)
            .await
            .unwrap();
        all.extend(page.rows);
        before = page.next;
        if before.is_none() {
            return all;
        }
    }
}
