//! Sign, keep, send (P-09): the first bytes that are kept are the ones that go out.

use super::{Contradiction, Ledger, Outstanding};
use crate::ids::{ClientId, Jti};
use crate::ledger::history::KeptSet;
use crate::ledger::lanes::Claim;
use crate::ledger::sets::{Kept, Purpose, Signed};
use crate::time::Timestamp;

impl Ledger {
    /// Makes SETs durable before they are sent; one outcome per SET, in order.
    pub fn keep_sets(&mut self, signed: Vec<Signed>, now: Timestamp) -> Vec<Kept> {
        signed
            .into_iter()
            .map(|signed| self.keep_set(signed, now))
            .collect()
    }

    fn keep_set(&mut self, signed: Signed, now: Timestamp) -> Kept {
        let revision = self.tpps.get(&signed.client_id).map(|row| row.revision);
        let is_disowned = self.disowned_keys.contains(&signed.kid);
        let event = self.own_event(&signed.client_id, signed.jti);
        let Some(event) = event.filter(|event| event.outstanding.is_some()) else {
            return Kept::NoLongerOutstanding;
        };
        let bytes = match &event.set {
            Some(first) => first.set.clone(),
            None if revision != Some(signed.revision) => {
                let accepted_at = event.accepted_at;
                if let (Purpose::HandOut { .. }, Some(outstanding)) =
                    (&signed.purpose, &mut event.outstanding)
                    && outstanding.release(accepted_at, now)
                {
                    self.news_of(&signed.client_id).polls = true;
                    self.came_back(&signed.client_id, signed.jti, now);
                }
                return Kept::ChooseAgain;
            }
            None if is_disowned => return Kept::KeyDisowned,
            None => {
                event.set = Some(KeptSet {
                    set: signed.set.clone(),
                    kid: signed.kid,
                    kept_at: now,
                });
                signed.set
            }
        };
        if let Purpose::HandOut {
            cap,
            interaction_id,
        } = signed.purpose
        {
            self.count_hand_out(signed.jti, &interaction_id, cap, now);
        }
        Kept::Send(bytes)
    }

    /// Checks again that events whose SETs were kept earlier are still outstanding; one outcome per jti, in order. `None` if
    /// the lane is not this claim's, where one is given. `clock` is the moment that leases go by.
    pub fn recheck(
        &mut self,
        claim: Option<&Claim>,
        client_id: &ClientId,
        jtis: &[Jti],
        clock: Timestamp,
    ) -> Result<Option<Vec<Kept>>, Contradiction> {
        if claim.is_some_and(|claim| !self.owns(claim, client_id, clock)) {
            return Ok(None);
        }
        let kept = jtis.iter().map(|jti| self.recheck_one(client_id, *jti));
        kept.collect::<Result<_, _>>().map(Some)
    }

    fn recheck_one(&mut self, client_id: &ClientId, jti: Jti) -> Result<Kept, Contradiction> {
        let event = self.own_event(client_id, jti);
        let Some(event) = event.filter(|event| event.outstanding.is_some()) else {
            return Ok(Kept::NoLongerOutstanding);
        };
        match &event.set {
            Some(kept) => Ok(Kept::Send(kept.set.clone())),
            None if !event.superseded.is_empty() => Ok(Kept::ChooseAgain),
            None => Err(Contradiction(format!("no SET was ever kept for {jti}"))),
        }
    }
}

impl Outstanding {
    /// Nothing was handed out, so the choice does not hold the event back any more, neither from polls nor from pushes.
    /// A push in flight still does. Answers whether it was held back.
    fn release(&mut self, accepted_at: Timestamp, now: Timestamp) -> bool {
        let held_until = self.polled_until;
        if self.due_at > held_until || self.due_at <= now {
            return false;
        }
        let free_at = self.flight.map_or(now, |flight| flight.until.max(now));
        self.due_at = free_at;
        self.polled_until = now;
        self.push_at = self.push_at.map(|push_at| {
            if push_at == held_until {
                free_at.max(accepted_at)
            } else {
                push_at
            }
        });
        true
    }
}
