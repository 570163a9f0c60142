//! A chosen event made ready: its kept bytes, or the notice to sign.

use oyez_domain::actor::Actor;
use oyez_domain::event::Notice;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::sets::{SetState, Work};
use oyez_domain::life::{Outcome, Withdrawn};
use oyez_domain::registration::Registrations;
use oyez_domain::routing;
use oyez_domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

use super::codes::{from_json, jti, moment, moment_or_null};
use super::registrations;
use super::settle::{self, End};
use super::tpps::TppId;
use super::writer::Unit;
use crate::Error;

/// An outstanding event that was chosen.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) position: u64,
    pub(super) event: i64,
    pub(super) jti: Jti,
    pub(super) accepted_at: Timestamp,
    pub(super) hand_outs: u32,
    pub(super) refusals: u32,
    pub(super) refused_since: Option<Timestamp>,
    pub(super) endpoint_failures: u32,
}

impl Chosen {
    /// A choice from `position, event, jti, accepted_at, hand_outs, refusals, refused_since, endpoint_failures`, which begin
    /// at a column.
    pub(super) fn read(row: &Row<'_>, from: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            position: row.get(from)?,
            event: row.get(from + 1)?,
            jti: jti(row, from + 2)?,
            accepted_at: moment(row, from + 3)?,
            hand_outs: row.get(from + 4)?,
            refusals: row.get(from + 5)?,
            refused_since: moment_or_null(row, from + 6)?,
            endpoint_failures: row.get(from + 7)?,
        })
    }
}

/// What the chosen events of one TPP are reduced by before they are signed.
pub(super) struct Signer<'a> {
    tpp: TppId,
    owner: &'a ClientId,
    registrations: Registrations,
    revision: Option<u64>,
}

impl<'a> Signer<'a> {
    pub(super) const fn new(tpp: TppId, owner: &'a ClientId, registrations: Registrations) -> Self {
        Self {
            tpp,
            owner,
            registrations,
            revision: None,
        }
    }

    /// What is to be sent. `None`: nothing of it is wanted any more, and it is withdrawn.
    pub(super) fn prepare(
        &mut self,
        unit: &mut Unit,
        chosen: &Chosen,
        now: Timestamp,
    ) -> Result<Option<Work>, Error> {
        let set = match kept(&unit.db, chosen.event)? {
            Some(set) => SetState::Kept(set),
            None => match self.unsigned(unit, chosen)? {
                Some(unsigned) => unsigned,
                None => {
                    let end = End {
                        tpp: self.tpp,
                        owner: self.owner,
                        outcome: Outcome::Withdrawn(Withdrawn::TypeNoLongerWanted),
                        actor: &Actor::System,
                    };
                    settle::settle(unit, &end, chosen.jti, now)?;
                    return Ok(None);
                }
            },
        };
        Ok(Some(Work {
            jti: chosen.jti,
            position: chosen.position,
            accepted_at: chosen.accepted_at,
            refusals: chosen.refusals,
            refused_since: chosen.refused_since,
            endpoint_failures: chosen.endpoint_failures,
            set,
        }))
    }

    fn unsigned(&mut self, unit: &Unit, chosen: &Chosen) -> Result<Option<SetState>, Error> {
        let notice = notice(&unit.db, chosen.event)?;
        let Some(notice) = routing::tailored(&unit.rules, &self.registrations, &notice) else {
            return Ok(None);
        };
        let revision = match self.revision {
            Some(revision) => revision,
            None => registrations::revision(&unit.db, self.tpp)?,
        };
        self.revision = Some(revision);
        Ok(Some(SetState::Unsigned {
            notice: Box::new(notice),
            revision,
        }))
    }
}

/// The bytes that were kept for an event.
pub(super) fn kept(db: &Connection, event: i64) -> Result<Option<String>, Error> {
    Ok(db
        .prepare_cached(KEPT)?
        .query_row([event], |row| row.get(0))
        .optional()?)
}

/// What the publisher said.
pub(super) fn notice(db: &Connection, event: i64) -> Result<Notice, Error> {
    let mut statement = db.prepare_cached(NOTICE)?;
    let text: String = statement.query_row([event], |row| row.get(0))?;
    from_json(&text, "a notice")
}

pub(super) const KEPT: &str = "SELECT jws FROM sets WHERE event = ?1";

pub(super) const NOTICE: &str = "SELECT notice FROM events WHERE event = ?1";
