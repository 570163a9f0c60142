//! No wake-up is lost: whenever the next event falls due sooner than somebody who waits could know, there was news; and the
//! backend tells exactly what the model tells.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::event::Family;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::{LaneFilter, LaneStatus};
use oyez_domain::ledger::poll::{Limits, NothingToPoll, Patience, Poll};
use oyez_domain::ledger::sets::Look;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use oyez_store::News;

use super::{Company, Player};
use crate::step::{Step, TPPS};
use oyez_testkit::claims::newest_claim;
use oyez_testkit::making::interaction;

/// What those know who wait for one TPP's events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// By the order and the families of a poll that waits.
    polls: Vec<Seen>,
    /// When its lane's owner has something to push, if anything; `None` while nobody owns it.
    push: Option<Option<Timestamp>>,
    lane: Option<LaneStatus>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    order: DeliveryOrder,
    refusal: Option<NothingToPoll>,
    next_due_at: Option<Timestamp>,
}

impl Player<'_> {
    /// What a step changed for those who wait was told.
    pub(super) async fn check_news(&mut self, step: &Step) {
        let [told, as_well] = [0, 1].map(|nth| self.heard(nth));
        assert_eq!(told, as_well, "the model and the backend told");
        for tpp in 0..TPPS {
            let known = self.known(tpp).await;
            let before = std::mem::replace(&mut self.known[tpp], known.clone());
            // A clock tells nobody that it was set: who waits does so by another.
            if matches!(step, Step::SetBack(_)) {
                continue;
            }
            let news = News::of(self.name(tpp));
            let news = told.get(&news.client_id).unwrap_or(&news);
            let waiting = before.polls.iter().zip(&known.polls);
            // Who is not served is answered at once.
            for (was, is) in
                waiting.filter(|(was, _)| was.refusal != Some(NothingToPoll::NotServed))
            {
                let is_told = news.polls || (news.ends && was.order == DeliveryOrder::Strict);
                let learned = self.learned.filter(|(of, _)| *of == tpp).map(|(_, at)| at);
                let expected = was.next_due_at.into_iter().chain(learned).min();
                let is_sooner = sooner(is.next_due_at, expected);
                assert!(
                    is_told || !(is_sooner || was.refusal != is.refusal),
                    "polls of {tpp} were not told of {step:?}: {was:?} {is:?}"
                );
            }
            let is_sooner =
                matches!((known.push, before.push), (Some(is), Some(was)) if sooner(is, was));
            let is_freed = known.wakes_sooner(&before) && !matches!(step, Step::Lane(..));
            assert!(
                news.pushes || self.company != Company::Alone || !(is_sooner || is_freed),
                "who pushes to {tpp} was not told of {step:?}: {before:?} {known:?}"
            );
        }
        self.learned = None;
    }

    /// What was told of this history's TPPs since this was last asked.
    fn heard(&self, nth: usize) -> BTreeMap<ClientId, News> {
        let names: Vec<ClientId> = (0..TPPS).map(|tpp| self.name(tpp)).collect();
        let mut news = self.notebooks[nth].news();
        news.retain(|client_id, _| names.contains(client_id));
        if self.company != Company::Alone {
            // Who owns a lane, and hears that it is freed, depends on everybody who claims.
            for news in news.values_mut() {
                (news.pushes, news.freed) = (false, false);
            }
            news.retain(|_, news| news.polls || news.ends);
        }
        news
    }

    /// Asks without taking anything. The model alone: the backend says the same.
    async fn known(&self, tpp: usize) -> Known {
        let model = self.ledgers[0];
        let mut polls = Vec::new();
        for order in [DeliveryOrder::Concurrent, DeliveryOrder::Strict] {
            for families in [&Family::ALL[..], &[Family::Aisp]] {
                let poll = Poll {
                    client_id: self.name(tpp),
                    acks: Vec::new(),
                    errors: Vec::new(),
                    events_max: 0,
                    families: families.to_vec(),
                    patience: Patience::WaitForDue,
                    limits: Limits {
                        redelivery_delay: Duration::ZERO,
                        error_cap: NonZeroU32::MIN,
                        hand_out_cap: None,
                        order,
                    },
                    interaction_id: interaction("somebody-who-waits"),
                };
                let polled = model.poll(poll, self.now).await.unwrap();
                polls.push(Seen {
                    order,
                    refusal: polled.refusal,
                    next_due_at: polled.next_due_at,
                });
            }
        }
        let look = Look {
            events_max: 0,
            in_flight_for: Duration::ZERO,
        };
        let mut push = None;
        for [lease, _] in self.leases.iter().flatten() {
            let claim = newest_claim(model, lease, &self.name(tpp)).await;
            let due = model.due_for_push(claim, self.name(tpp), look, self.now);
            push = push.or(due.await.unwrap().map(|due| due.next_at));
        }
        let lanes = model.list_lanes(LaneFilter::default(), None, 100).await;
        let mut lanes = lanes.unwrap().rows.into_iter();
        let lane = lanes.find(|lane| lane.client_id == self.name(tpp));
        Known { polls, push, lane }
    }
}

impl Known {
    /// Whether the lane is to be claimed sooner than whoever sweeps for lanes could know, or was freed over its owner's head.
    fn wakes_sooner(&self, before: &Self) -> bool {
        let wake_at = |known: &Self| known.lane.as_ref().and_then(|lane| lane.wake_at);
        let is_owned = |known: &Self| known.lane.as_ref().is_some_and(|lane| lane.owner.is_some());
        sooner(wake_at(self), wake_at(before)) || (is_owned(before) && !is_owned(self))
    }
}

/// Whether one moment comes before another, where `None` is never.
fn sooner(one: Option<Timestamp>, other: Option<Timestamp>) -> bool {
    one.is_some_and(|one| other.is_none_or(|other| one < other))
}
