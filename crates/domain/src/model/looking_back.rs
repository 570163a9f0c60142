//! Looking back (I-03): one event whole, lists a page at a time, counts made by counting.

use std::collections::BTreeMap;
use std::ops::Range;

use super::passing::count_ending;
use super::{EventRow, Ledger};
use crate::ids::{ClientId, Jti};
use crate::ledger::history::{
    AuditEntry, Counts, EventFile, EventFilter, EventSummary, Minute, Page, StateFilter,
};
use crate::ledger::trail::{Heads, Link};
use crate::life::State;
use crate::registration::Registrations;
use crate::time::Timestamp;
use crate::tpp::Tpp;

impl Ledger {
    /// One TPP.
    pub fn find_tpp(&self, client_id: &ClientId) -> Option<Tpp> {
        self.tpps.get(client_id).map(|row| row.tpp.clone())
    }

    /// TPPs by client_id, those after `after`.
    pub fn list_tpps(&self, after: Option<&ClientId>, rows_max: u32) -> Page<Tpp, ClientId> {
        let tpps = self.tpps.values().map(|row| &row.tpp);
        let rows = tpps
            .filter(|tpp| after.is_none_or(|after| tpp.client_id > *after))
            .cloned();
        page(rows.collect(), rows_max, |tpp| tpp.client_id.clone())
    }

    /// What a TPP has registered; empty if it is not known.
    pub fn registrations(&self, client_id: &ClientId) -> Registrations {
        self.tpps
            .get(client_id)
            .map(|row| row.registrations.clone())
            .unwrap_or_default()
    }

    /// One event whole.
    pub fn find_event(&self, jti: Jti) -> Option<EventFile> {
        let event = self.events.get(&jti)?;
        Some(EventFile {
            summary: event.summary(jti),
            notice: event.notice.clone(),
            sets: event.superseded.iter().chain(&event.set).cloned().collect(),
            hand_outs: event.hand_outs.clone(),
            errors: event.errors.clone(),
            attempts: event.attempts.clone(),
            settlements: event.settlements.clone(),
        })
    }

    /// Events, newest first, those before `before`.
    pub fn list_events(
        &self,
        filter: &EventFilter,
        before: Option<Jti>,
        rows_max: u32,
    ) -> Page<EventSummary, Jti> {
        let rows = self
            .events
            .iter()
            .rev()
            .filter(|(jti, _)| before.is_none_or(|before| **jti < before))
            .filter(|(jti, event)| event.answers_to(**jti, filter))
            .map(|(jti, event)| event.summary(*jti));
        page(rows.collect(), rows_max, |event| event.jti)
    }

    /// Where a TPP's events stand; all zero if it is not known.
    pub fn counts(&self, client_id: &ClientId) -> Counts {
        let Some(row) = self.tpps.get(client_id) else {
            return Counts::default();
        };
        let mut counts = Counts {
            accepted: row.accepted,
            ..row.swept
        };
        for event in self
            .events
            .values()
            .filter(|event| &event.notice.client_id == client_id)
        {
            match event.state() {
                State::Outstanding => counts.outstanding += 1,
                State::Settled(last) => count_ending(&mut counts, last.outcome.ending()),
            }
        }
        counts
    }

    /// What happened for a TPP, or for all together, minute by minute.
    pub fn minutes(&self, client_id: Option<&ClientId>, range: &Range<Timestamp>) -> Vec<Minute> {
        let mut sums: BTreeMap<Timestamp, Minute> = BTreeMap::new();
        for ((owner, at), minute) in &self.minutes {
            if range.contains(at) && client_id.is_none_or(|client_id| client_id == owner) {
                let sum = sums.entry(*at).or_default();
                sum.minute = *at;
                sum.accepted += minute.accepted;
                sum.handed_out += minute.handed_out;
                sum.pushed += minute.pushed;
                sum.acknowledged += minute.acknowledged;
                sum.failed += minute.failed;
                sum.expired += minute.expired;
                sum.withdrawn += minute.withdrawn;
            }
        }
        sums.into_values().collect()
    }

    /// The audit trail, newest first, entries before `before`.
    pub fn list_audit(
        &self,
        client_id: Option<&ClientId>,
        before: Option<u64>,
        rows_max: u32,
    ) -> Page<AuditEntry, u64> {
        let rows = self
            .audit
            .iter()
            .rev()
            .filter(|entry| before.is_none_or(|before| entry.sequence < before))
            .filter(|entry| client_id.is_none_or(|id| entry.client_id.as_ref() == Some(id)))
            .cloned();
        page(rows.collect(), rows_max, |entry| entry.sequence)
    }

    /// One chain of the trail, oldest first, entries after `after`: a TPP's, or the operators'.
    pub fn read_chain(
        &self,
        client_id: Option<&ClientId>,
        after: u64,
        rows_max: u32,
    ) -> Page<AuditEntry, u64> {
        let rows = self.audit.iter();
        let rows = rows
            .filter(|entry| entry.client_id.as_ref() == client_id && entry.sequence > after)
            .cloned();
        page(rows.collect(), rows_max, |entry| entry.sequence)
    }

    /// Where the chains of the trail end, those of TPPs after `after`.
    pub fn chain_heads(&self, after: Option<&ClientId>, rows_max: u32) -> Heads {
        let tpps = self.tpps.keys();
        let tpps = tpps
            .filter(|tpp| after.is_none_or(|after| *tpp > after))
            .map(|tpp| (tpp.clone(), self.head(Some(tpp))));
        Heads {
            operators: self.head(None),
            tpps: page(tpps.collect(), rows_max, |(tpp, _)| tpp.clone()),
        }
    }

    /// The last link of a chain.
    pub(super) fn head(&self, client_id: Option<&ClientId>) -> Option<Link> {
        let mut newest = self.audit.iter().rev();
        newest
            .find(|entry| entry.client_id.as_ref() == client_id)
            .and_then(|entry| entry.link)
    }
}

impl EventRow {
    fn summary(&self, jti: Jti) -> EventSummary {
        EventSummary {
            jti,
            client_id: self.notice.client_id.clone(),
            position: self.position,
            accepted_at: self.accepted_at,
            test: self.notice.test,
            event_types: self
                .notice
                .happenings
                .iter()
                .map(|it| it.event_type.clone())
                .collect(),
            resource_kind: self.notice.resource.kind.clone(),
            resource_id: self.notice.resource.id.clone(),
            state: self.state(),
        }
    }

    fn answers_to(&self, jti: Jti, filter: &EventFilter) -> bool {
        let in_state = |wanted: &StateFilter| match (wanted, self.state()) {
            (StateFilter::Outstanding, State::Outstanding) => true,
            (StateFilter::Settled(ending), State::Settled(last)) => {
                last.outcome.ending() == *ending
            }
            (StateFilter::Outstanding, State::Settled(_))
            | (StateFilter::Settled(_), State::Outstanding) => false,
        };
        let txn = self
            .notice
            .txn
            .as_ref()
            .map_or_else(|| jti.to_string(), ToString::to_string);
        let interactions: Vec<_> = (self.hand_outs.iter().map(|it| &it.interaction_id))
            .chain(self.errors.iter().map(|it| &it.interaction_id))
            .chain(self.attempts.iter().map(|it| &it.interaction_id))
            .collect();
        wants(&filter.client_id, |it| *it == self.notice.client_id)
            && wants(&filter.state, in_state)
            && wants(&filter.event_type, |it| {
                self.notice
                    .happenings
                    .iter()
                    .any(|happening| happening.event_type == *it)
            })
            && wants(&filter.resource_id, |it| *it == self.notice.resource.id)
            && wants(&filter.txn, |it| it.as_str() == txn)
            && wants(&filter.interaction_id, |it| interactions.contains(&it))
            && wants(&filter.accepted_from, |it| self.accepted_at >= *it)
            && wants(&filter.accepted_before, |it| self.accepted_at < *it)
    }
}

fn wants<T>(filter: &Option<T>, agrees: impl FnOnce(&T) -> bool) -> bool {
    filter.as_ref().is_none_or(agrees)
}

pub(super) fn page<T, C>(mut rows: Vec<T>, rows_max: u32, cursor: impl Fn(&T) -> C) -> Page<T, C> {
    let more = rows.len() > rows_max as usize;
    rows.truncate(rows_max as usize);
    let next = rows.last().filter(|_| more).map(cursor);
    Page { rows, next }
}
