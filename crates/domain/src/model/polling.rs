//! Aggregated polling (P-02 … P-14).

use std::num::NonZeroU32;

use super::Ledger;
use crate::actor::Actor;
use crate::ids::{ClientId, InteractionId, Jti};
use crate::ledger::history::{HandOut, ReportedError};
use crate::ledger::poll::{NothingToPoll, Patience, Poll, Polled, SetError};
use crate::ledger::sets::{SetState, Work};
use crate::life::{Acknowledged, Occurrence, Withdrawn};
use crate::routing;
use crate::time::Timestamp;
use crate::tpp::{DeliveryOrder, Standing};

impl Ledger {
    /// Applies a poll's acknowledgements and errors, then chooses.
    pub fn poll(&mut self, poll: &Poll, now: Timestamp) -> Polled {
        let settled = self.apply(poll, now);
        let refusal = self.nothing_to_poll(&poll.client_id);
        if refusal.is_some() {
            return Polled {
                settled,
                work: Vec::new(),
                more_available: false,
                next_due_at: None,
                refusal,
            };
        }
        if poll.events_max > 0 {
            self.note_the_clock(&poll.client_id, now);
        }
        let chosen = self.choose(poll, now);
        let work = chosen
            .into_iter()
            .filter_map(|jti| self.hand_out(poll, jti, now))
            .collect();
        let left: Vec<Timestamp> = self
            .eligible(poll)
            .into_iter()
            .map(|jti| self.due_from(jti, now))
            .collect();
        Polled {
            settled,
            work,
            more_available: left.iter().any(|due_at| *due_at <= now),
            next_due_at: left.into_iter().min(),
            refusal: None,
        }
    }

    fn apply(&mut self, poll: &Poll, now: Timestamp) -> Vec<Jti> {
        let mut settled = Vec::new();
        for jti in &poll.acks {
            if self.acknowledge(&poll.client_id, *jti, Acknowledged::Poll, now) {
                settled.push(*jti);
            }
        }
        for (jti, error) in poll
            .errors
            .iter()
            .filter(|(jti, _)| !poll.acks.contains(jti))
        {
            if self.report_error(poll, *jti, error, now) {
                settled.push(*jti);
            }
        }
        settled
    }

    /// The TPP has it; answers whether that was news.
    pub(super) fn acknowledge(
        &mut self,
        client_id: &ClientId,
        jti: Jti,
        how: Acknowledged,
        now: Timestamp,
    ) -> bool {
        let actor = Actor::Tpp(client_id.clone());
        self.own_event(client_id, jti).is_some()
            && self.settle(jti, Occurrence::Acknowledged(how), actor, now)
    }

    /// Counts an error; answers whether it settled the event.
    fn report_error(&mut self, poll: &Poll, jti: Jti, error: &SetError, now: Timestamp) -> bool {
        if error.is_duplicate_notice() {
            return self.acknowledge(&poll.client_id, jti, Acknowledged::Duplicate, now);
        }
        let Some(event) = self.own_event(&poll.client_id, jti) else {
            return false;
        };
        let Some(outstanding) = &mut event.outstanding else {
            return false;
        };
        outstanding.errors += 1;
        let spent = outstanding.errors >= poll.limits.error_cap.get();
        event.errors.push(ReportedError {
            at: now,
            interaction_id: poll.interaction_id.clone(),
            error: error.clone(),
        });
        let actor = Actor::Tpp(poll.client_id.clone());
        spent && self.settle(jti, Occurrence::ErrorsReachedCap, actor, now)
    }

    fn nothing_to_poll(&self, client_id: &ClientId) -> Option<NothingToPoll> {
        match self.tpps.get(client_id) {
            Some(row) if row.tpp.standing == Standing::Active => {
                routing::may_poll(&self.rules, &row.registrations).err()
            }
            _ => Some(NothingToPoll::NotServed),
        }
    }

    /// The outstanding events that this token may see and that are not behind an older one (A-10, D-10).
    fn eligible(&self, poll: &Poll) -> Vec<Jti> {
        let mut all = self.outstanding_of(&poll.client_id);
        if poll.limits.order == DeliveryOrder::Strict {
            all.truncate(1);
        }
        all.retain(|jti| {
            poll.families
                .contains(&self.events[jti].notice.resource.family)
        });
        all
    }

    fn choose(&mut self, poll: &Poll, now: Timestamp) -> Vec<Jti> {
        let mut chosen: Vec<Jti> = self
            .eligible(poll)
            .into_iter()
            .filter(|jti| poll.patience == Patience::Immediate || self.due_from(*jti, now) <= now)
            .collect();
        // A stable sort: what falls due together stays in the order of acceptance.
        chosen.sort_by_key(|jti| self.outstanding(*jti).due_at);
        chosen.truncate(poll.events_max as usize);
        chosen
    }

    pub(super) fn due_from(&self, jti: Jti, now: Timestamp) -> Timestamp {
        let event = &self.events[&jti];
        let outstanding = event.outstanding.as_ref();
        let outstanding = outstanding.expect("it was chosen among the outstanding just now");
        outstanding.but_for_the_clock(outstanding.due_at, event.accepted_at, now)
    }

    fn hand_out(&mut self, poll: &Poll, jti: Jti, now: Timestamp) -> Option<Work> {
        let work = self.work(&poll.client_id, jti, now)?;
        let again_at = now + poll.limits.redelivery_delay;
        let outstanding = self.outstanding(jti);
        outstanding.due_at = again_at;
        // By a clock that was set back an earlier hand-out may end later, and who pushes knows no other moment.
        outstanding.polled_until = outstanding.polled_until.max(again_at);
        outstanding.push_at = outstanding.push_at.map(|at| at.max(again_at));
        if let SetState::Kept(_) = work.set {
            self.count_hand_out(jti, &poll.interaction_id, poll.limits.hand_out_cap, now);
        }
        Some(work)
    }

    /// Records a hand-out; the one that reaches the cap settles its event (P-12).
    pub(super) fn count_hand_out(
        &mut self,
        jti: Jti,
        interaction_id: &InteractionId,
        cap: Option<NonZeroU32>,
        now: Timestamp,
    ) {
        let outstanding = self.outstanding(jti);
        outstanding.hand_outs += 1;
        let spent = cap.is_some_and(|cap| outstanding.hand_outs >= cap.get());
        let event = self.event(jti);
        event.hand_outs.push(HandOut {
            at: now,
            interaction_id: interaction_id.clone(),
        });
        let client_id = event.notice.client_id.clone();
        self.minute(&client_id, now).handed_out += 1;
        if spent {
            self.settle(
                jti,
                Occurrence::Acknowledged(Acknowledged::Assumed),
                Actor::System,
                now,
            );
        }
    }

    /// What is to be sent of a chosen event. `None`: nothing of it is wanted any more, and it is withdrawn.
    pub(super) fn work(&mut self, client_id: &ClientId, jti: Jti, now: Timestamp) -> Option<Work> {
        let (event, row) = (&self.events[&jti], &self.tpps[client_id]);
        let set = match &event.set {
            Some(kept) => SetState::Kept(kept.set.clone()),
            None => match routing::tailored(&self.rules, &row.registrations, &event.notice) {
                Some(notice) => SetState::Unsigned {
                    notice: Box::new(notice),
                    revision: row.revision,
                },
                None => {
                    let occurrence = Occurrence::Withdrawn(Withdrawn::TypeNoLongerWanted);
                    self.settle(jti, occurrence, Actor::System, now);
                    return None;
                }
            },
        };
        let event = &self.events[&jti];
        let outstanding = event.outstanding.as_ref();
        let outstanding = outstanding.expect("it was chosen among the outstanding");
        Some(Work {
            jti,
            position: event.position,
            accepted_at: event.accepted_at,
            refusals: outstanding.refusals,
            refused_since: outstanding.refused_since,
            endpoint_failures: outstanding.endpoint_failures,
            set,
        })
    }
}
