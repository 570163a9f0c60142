//! Taking outstanding events back: what a registration no longer wants, and what an operator names (S-05, S-12, C-07a, I-04).

use oyez_domain::actor::Actor;
use oyez_domain::event::Notice;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::life::{Ending, Outcome, Withdrawn};
use oyez_domain::registration::Registrations;
use oyez_domain::routing;
use oyez_domain::time::Timestamp;
use rusqlite::params;

use super::audit::{self, Change};
use super::codes::{from_json, jti, outcome_code, settling_actor};
use super::lanes;
use super::settle::{self, End};
use super::tpps::{TppId, know};
use super::writer::Unit;
use crate::Error;

/// Withdraws what these registrations do not want; answers how many.
pub(super) fn unwanted(
    unit: &mut Unit,
    owner: (TppId, &ClientId),
    actor: &Actor,
    after: &Registrations,
    now: Timestamp,
) -> Result<u64, Error> {
    if let Some(reason) = routing::nothing_outlives(&unit.rules, after) {
        return all(unit, owner, actor, reason, now);
    }
    let verdict = judge(unit, owner.0, after)?;
    if let Some(reason) = verdict.of_all() {
        return all(unit, owner, actor, reason, now);
    }
    let withdrawn = verdict.unwanted.len();
    for (jti, reason) in verdict.unwanted {
        let end = End {
            tpp: owner.0,
            owner: owner.1,
            outcome: Outcome::Withdrawn(reason),
            actor,
        };
        settle::settle(unit, &end, jti, now)?;
    }
    Ok(u64::try_from(withdrawn).unwrap_or(u64::MAX))
}

/// See [`crate::Store::withdraw`].
pub(super) fn named(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    jtis: &[Jti],
    now: Timestamp,
) -> Result<u64, Error> {
    let Some(known) = know(&unit.db, client_id)? else {
        return Ok(0);
    };
    let end = End {
        tpp: known.id,
        owner: client_id,
        outcome: Outcome::Withdrawn(Withdrawn::ByOperator),
        actor,
    };
    let mut taken_back = Vec::new();
    for jti in jtis {
        if settle::settle(unit, &end, *jti, now)? {
            taken_back.push(*jti);
        }
    }
    note_events(unit, (known.id, actor), "event.withdrawn", &taken_back, now)
}

/// One entry in the trail for all events of a request, none for none.
pub(super) fn note_events(
    unit: &Unit,
    (tpp, actor): (TppId, &Actor),
    action: &'static str,
    jtis: &[Jti],
    now: Timestamp,
) -> Result<u64, Error> {
    if !jtis.is_empty() {
        let change = Change {
            actor,
            action,
            tpp: Some(tpp),
            before: None::<()>,
            after: Some(jtis),
        };
        audit::note(unit, &change, now)?;
    }
    Ok(u64::try_from(jtis.len()).unwrap_or(u64::MAX))
}

/// What registrations say of a TPP's outstanding events.
struct Verdict {
    judged: usize,
    unwanted: Vec<(Jti, Withdrawn)>,
}

impl Verdict {
    /// The one reason why all of them go, if it is so.
    fn of_all(&self) -> Option<Withdrawn> {
        let (_, first) = *self.unwanted.first()?;
        let all = self.unwanted.len() == self.judged
            && self.unwanted.iter().all(|(_, reason)| *reason == first);
        all.then_some(first)
    }
}

fn judge(unit: &Unit, tpp: TppId, after: &Registrations) -> Result<Verdict, Error> {
    let mut verdict = Verdict {
        judged: 0,
        unwanted: Vec::new(),
    };
    let mut statement = unit.db.prepare_cached(NOTICES)?;
    let mut rows = statement.query([tpp])?;
    while let Some(row) = rows.next()? {
        let text = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let notice: Notice = from_json(text, "a notice")?;
        verdict.judged += 1;
        if let Err(reason) = routing::outlives(&unit.rules, after, &notice) {
            verdict.unwanted.push((jti(row, 0)?, reason));
        }
    }
    Ok(verdict)
}

/// Everything that is outstanding goes, in two statements.
fn all(
    unit: &mut Unit,
    (tpp, owner): (TppId, &ClientId),
    actor: &Actor,
    reason: Withdrawn,
    now: Timestamp,
) -> Result<u64, Error> {
    let outcome = Outcome::Withdrawn(reason);
    unit.db.prepare_cached(SETTLE_ALL)?.execute(params![
        tpp,
        now.unix_ms(),
        outcome_code(outcome),
        settling_actor(actor, owner)
    ])?;
    let gone = unit.db.prepare_cached(DELETE_ALL)?.execute([tpp])?;
    if gone == 0 {
        return Ok(0);
    }
    let gone = u64::try_from(gone).unwrap_or(u64::MAX);
    unit.tally.ended(tpp, Ending::Withdrawn, gone, now);
    unit.news.of((tpp, owner)).ends = true;
    lanes::next_in_line(unit, (tpp, owner), now)?;
    Ok(gone)
}

const NOTICES: &str = "
    SELECT o.jti, e.notice FROM outstanding o CROSS JOIN events e USING (event)
    WHERE o.tpp = ?1 ORDER BY o.position";

const SETTLE_ALL: &str = "
    INSERT INTO settlements (event, ends, at, outcome, actor)
    SELECT event, ends, ?2, ?3, ?4 FROM outstanding WHERE tpp = ?1";

const DELETE_ALL: &str = "DELETE FROM outstanding WHERE tpp = ?1";
