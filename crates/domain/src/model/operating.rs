//! What the bank's operators do: TPPs and their standing, events taken back, pushed again or re-queued (I-04, I-05, A-09).

use std::ops::Range;

use super::{Ledger, Note, Outstanding, TppRow, json};
use crate::actor::Actor;
use crate::ids::{ClientId, Jti};
use crate::ledger::history::Counts;
use crate::life::{self, Occurrence, Transition, Withdrawn};
use crate::registration::Registrations;
use crate::routing;
use crate::time::Timestamp;
use crate::tpp::{Profile, Standing, Tpp};

impl Ledger {
    /// Makes a TPP known. `None` if the client_id is taken.
    pub fn register_tpp(
        &mut self,
        actor: Actor,
        client_id: &ClientId,
        profile: Profile,
        now: Timestamp,
    ) -> Option<Tpp> {
        if self.tpps.contains_key(client_id) {
            return None;
        }
        let tpp = Tpp {
            client_id: client_id.clone(),
            profile,
            standing: Standing::Active,
            registered_at: now,
            changed_at: now,
        };
        let row = TppRow {
            tpp: tpp.clone(),
            registrations: Registrations::default(),
            revision: 0,
            accepted: 0,
            seen_at: Timestamp::from_unix_ms(0),
            swept: Counts::default(),
        };
        self.tpps.insert(client_id.clone(), row);
        let note = Note {
            actor,
            action: "tpp.registered",
            client_id: Some(client_id),
            before: None,
            after: json(&tpp),
        };
        self.note(note, now);
        Some(tpp)
    }

    /// Replaces what an operator may change of a TPP. `None` if it is not known.
    pub fn change_tpp(
        &mut self,
        actor: Actor,
        client_id: &ClientId,
        profile: Profile,
        now: Timestamp,
    ) -> Option<Tpp> {
        let rewrite = |tpp: &mut Tpp| tpp.profile = profile;
        self.rewrite_tpp(actor, client_id, "tpp.changed", rewrite, now)
    }

    /// Serves a TPP or stops serving it. `None` if it is not known.
    pub fn set_standing(
        &mut self,
        actor: Actor,
        client_id: &ClientId,
        standing: Standing,
        now: Timestamp,
    ) -> Option<Tpp> {
        let action = match standing {
            Standing::Active => "tpp.enabled",
            Standing::Disabled { .. } => "tpp.disabled",
        };
        self.rewrite_tpp(actor, client_id, action, |tpp| tpp.standing = standing, now)
    }

    fn rewrite_tpp(
        &mut self,
        actor: Actor,
        client_id: &ClientId,
        action: &'static str,
        rewrite: impl FnOnce(&mut Tpp),
        now: Timestamp,
    ) -> Option<Tpp> {
        let row = self.tpps.get_mut(client_id)?;
        let before = row.tpp.clone();
        rewrite(&mut row.tpp);
        if row.tpp != before {
            row.tpp.changed_at = now;
            let after = row.tpp.clone();
            let note = Note {
                actor,
                action,
                client_id: Some(client_id),
                before: json(&before),
                after: json(&after),
            };
            self.note(note, now);
            self.news_of(client_id).polls = true;
            self.free_lane(client_id);
            self.news_if_pushable(client_id, now);
        }
        self.find_tpp(client_id)
    }

    /// Takes outstanding events back; answers how many were.
    pub fn withdraw(
        &mut self,
        actor: &Actor,
        client_id: &ClientId,
        jtis: &[Jti],
        now: Timestamp,
    ) -> u64 {
        let mut taken_back = Vec::new();
        let occurrence = Occurrence::Withdrawn(Withdrawn::ByOperator);
        for jti in jtis {
            if self.own_event(client_id, *jti).is_some()
                && self.settle(*jti, occurrence, actor.clone(), now)
            {
                taken_back.push(*jti);
            }
        }
        self.note_events(actor, "event.withdrawn", client_id, &taken_back, now)
    }

    /// Pushes outstanding events again at once, poll-only ones too; answers how many.
    pub fn retry_pushes(
        &mut self,
        actor: &Actor,
        client_id: &ClientId,
        jtis: &[Jti],
        now: Timestamp,
    ) -> u64 {
        let has_address = self.has_address(client_id);
        let mut retried: Vec<Jti> = Vec::new();
        for jti in jtis.iter().filter(|_| has_address) {
            let event = self.own_event(client_id, *jti);
            if let Some(event) = event.filter(|event| event.outstanding.is_some())
                && !retried.contains(jti)
            {
                event.begin_anew(now);
                retried.push(*jti);
            }
        }
        if !retried.is_empty() {
            self.news(client_id, now);
        }
        self.note_events(actor, "event.retried", client_id, &retried, now)
    }

    /// Makes failed events outstanding again, their counts begun anew; answers which.
    pub fn requeue_failed(
        &mut self,
        actor: &Actor,
        client_id: &ClientId,
        accepted: &Range<Timestamp>,
        events_max: u32,
        now: Timestamp,
    ) -> Vec<Jti> {
        let Some(row) = self.tpps.get(client_id) else {
            return Vec::new();
        };
        let mut wanted: Vec<(u64, Jti)> = self
            .events
            .iter()
            .filter(|(_, event)| &event.notice.client_id == client_id)
            .filter(|(_, event)| {
                life::step(event.settled(), Occurrence::Requeued) == Transition::Reopens
            })
            .filter(|(_, event)| accepted.contains(&event.accepted_at))
            .filter(|(_, event)| {
                routing::outlives(&self.rules, &row.registrations, &event.notice.types()).is_ok()
            })
            .map(|(jti, event)| (event.position, *jti))
            .collect();
        wanted.sort_unstable();
        wanted.truncate(events_max as usize);
        let is_pushed = self.has_address(client_id);
        let requeued: Vec<Jti> = wanted.into_iter().map(|(_, jti)| jti).collect();
        for jti in &requeued {
            let event = self.event(*jti);
            let turn = event.accepted_at;
            event.outstanding = Some(Outstanding::new(turn));
        }
        if !requeued.is_empty() {
            self.news_of(client_id).polls = true;
        }
        if is_pushed && !requeued.is_empty() {
            self.news(client_id, now);
        }
        self.note_events(actor, "event.requeued", client_id, &requeued, now);
        requeued
    }

    /// One entry for all events of a request, none for none.
    fn note_events(
        &mut self,
        actor: &Actor,
        action: &'static str,
        client_id: &ClientId,
        jtis: &[Jti],
        now: Timestamp,
    ) -> u64 {
        if !jtis.is_empty() {
            let actor = actor.clone();
            self.note(
                Note {
                    actor,
                    action,
                    client_id: Some(client_id),
                    before: None,
                    after: json(&jtis),
                },
                now,
            );
        }
        jtis.len() as u64
    }
}
