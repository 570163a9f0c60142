//! Sign, keep, send (P-09): the first bytes that are kept are the ones that go out, and only while their event is
//! outstanding (P-14).

use std::collections::HashMap;

use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::lanes::Claim;
use oyez_domain::ledger::sets::{Kept, Purpose, Signed};
use oyez_domain::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::clock;
use super::codes::moment_or_null;
use super::errors::{contradiction, expect_rows};
use super::hand_outs::{HandOuts, Handed};
use super::keys;
use super::lanes;
use super::push;
use super::registrations;
use super::tpps::{TppId, know};
use super::withdraw::is_open;
use super::work::kept;
use super::writer::Unit;
use crate::Error;

/// See [`crate::Store::keep_sets`].
pub(super) fn keep(unit: &mut Unit, signed: &[Signed], now: Timestamp) -> Result<Vec<Kept>, Error> {
    let mut owners: HashMap<ClientId, Option<(TppId, u64)>> = HashMap::new();
    let mut hand_outs = HandOuts::default();
    let mut outcomes = Vec::with_capacity(signed.len());
    for signed in signed {
        let owner = match owners.get(&signed.client_id) {
            Some(owner) => *owner,
            None => {
                let owner = owner(unit, &signed.client_id)?;
                owners.insert(signed.client_id.clone(), owner);
                owner
            }
        };
        outcomes.push(match owner {
            Some(owner) => keep_one(unit, owner, signed, &mut hand_outs, now)?,
            None => Kept::NoLongerOutstanding,
        });
    }
    Ok(outcomes)
}

/// See [`crate::Store::recheck`].
pub(super) fn recheck(
    unit: &Unit,
    claim: Option<&Claim>,
    client_id: &ClientId,
    jtis: &[Jti],
) -> Result<Option<Vec<Kept>>, Error> {
    let known = know(&unit.db, client_id)?;
    if let Some(claim) = claim {
        let owned = match known {
            Some(known) => lanes::owned(unit, claim, known.id)?,
            None => None,
        };
        if owned.is_none() {
            return Ok(None);
        }
    }
    let Some(known) = known else {
        return Ok(Some(vec![Kept::NoLongerOutstanding; jtis.len()]));
    };
    let kept = jtis.iter().map(|jti| {
        let Some(Open { event, .. }) = outstanding(unit, known.id, *jti)? else {
            return Ok(Kept::NoLongerOutstanding);
        };
        match kept(&unit.db, event)? {
            Some(bytes) => Ok(Kept::Send(bytes)),
            None if keys::was_superseded(&unit.db, event)? => Ok(Kept::ChooseAgain),
            None => Err(contradiction(format!("no SET was ever kept for {jti}"))),
        }
    });
    kept.collect::<Result<_, _>>().map(Some)
}

/// An outstanding event, as far as keeping its SET needs it.
struct Open {
    event: i64,
    position: u64,
    hand_outs: u32,
}

fn owner(unit: &Unit, client_id: &ClientId) -> Result<Option<(TppId, u64)>, Error> {
    let Some(known) = know(&unit.db, client_id)? else {
        return Ok(None);
    };
    Ok(Some((
        known.id,
        registrations::revision(&unit.db, known.id)?,
    )))
}

fn keep_one(
    unit: &mut Unit,
    (tpp, revision): (TppId, u64),
    signed: &Signed,
    hand_outs: &mut HandOuts,
    now: Timestamp,
) -> Result<Kept, Error> {
    let Some(Open {
        event,
        position,
        hand_outs: gone_out,
    }) = outstanding(unit, tpp, signed.jti)?
    else {
        return Ok(Kept::NoLongerOutstanding);
    };
    let is_current = revision == signed.revision;
    let is_first = is_current && insert_if_due(unit, event, signed, now)?;
    let bytes = if is_first {
        signed.set.clone()
    } else {
        match kept(&unit.db, event)? {
            Some(bytes) => bytes,
            // Nothing was there and nothing was kept: the one reason left is the key.
            None if is_current => return Ok(Kept::KeyDisowned),
            None => {
                if matches!(signed.purpose, Purpose::HandOut { .. }) {
                    release(unit, (tpp, &signed.client_id), position, now)?;
                }
                return Ok(Kept::ChooseAgain);
            }
        }
    };
    if let Purpose::HandOut {
        cap,
        interaction_id,
    } = &signed.purpose
    {
        let changed = unit
            .db
            .prepare_cached(COUNT_HAND_OUT)?
            .execute(params![tpp, position])?;
        expect_rows(changed, 1, "counting a hand-out")?;
        let handed = Handed {
            tpp,
            owner: &signed.client_id,
            jti: signed.jti,
            event,
            hand_outs: gone_out + 1,
        };
        hand_outs.record(unit, &handed, *cap, interaction_id, now)?;
    }
    Ok(Kept::Send(bytes))
}

/// Nothing was handed out, so the choice does not hold the event back any more, neither from polls nor from pushes. A push in
/// flight still does.
fn release(
    unit: &mut Unit,
    (tpp, owner): (TppId, &ClientId),
    position: u64,
    now: Timestamp,
) -> Result<(), Error> {
    let release = params![tpp, now.unix_ms(), position];
    let push_at = unit
        .db
        .prepare_cached(RELEASE)?
        .query_row(release, |row| moment_or_null(row, 0))
        .optional()?;
    if let Some(push_at) = push_at {
        unit.news.of((tpp, owner)).polls = true;
        push::news_of(unit, (tpp, owner), push_at, now)?;
    }
    Ok(())
}

/// Keeps the bytes unless there are some, or their key is disowned (M-06).
fn insert_if_due(unit: &Unit, event: i64, signed: &Signed, now: Timestamp) -> Result<bool, Error> {
    let is_disowned: bool = unit
        .db
        .prepare_cached(IS_DISOWNED)?
        .query_row([&signed.kid], |row| row.get(0))?;
    if is_disowned {
        return Ok(false);
    }
    let inserted = unit.db.prepare_cached(KEEP)?.execute(params![
        event,
        signed.set,
        signed.kid,
        now.unix_ms()
    ])?;
    Ok(inserted == 1)
}

fn outstanding(unit: &Unit, tpp: TppId, jti: Jti) -> Result<Option<Open>, Error> {
    Ok(unit
        .db
        .prepare_cached(FIND_OUTSTANDING)?
        .query_row(params![tpp, jti.as_bytes()], |row| {
            Ok(Open {
                event: row.get(0)?,
                position: row.get(1)?,
                hand_outs: row.get(2)?,
            })
        })
        .optional()?)
}

const IS_DISOWNED: &str = "SELECT EXISTS (SELECT 1 FROM disowned_keys WHERE kid = ?1)";

/// One row of values: for one that is selected SQLite opens a journal of the statement, and goes through the whole request's
/// when it closes it.
const KEEP: &str = "
    INSERT INTO sets (event, jws, kid, kept_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";

pub(super) const FIND_OUTSTANDING: &str = concat!(
    "SELECT event, position, hand_outs FROM outstanding WHERE jti = ?2 AND tpp = ?1",
    is_open!()
);

pub(super) const COUNT_HAND_OUT: &str =
    "UPDATE outstanding SET hand_outs = hand_outs + 1 WHERE tpp = ?1 AND position = ?2";

// Pushed in its turn, which by a clock that was set back may be to come. What is used up, and so has been refused, stays so.
pub(super) const RELEASE: &str = concat!(
    "
    UPDATE outstanding SET due_at = max(?2, coalesce(flight_until, 0)), polled_until = ?2,
        push_at = iif(push_at = polled_until OR (push_at IS NULL AND refusals = 0),
            max(accepted_at, ?2, coalesce(flight_until, 0)), push_at)
    WHERE tpp = ?1 AND position = ?3 AND due_at <= polled_until AND due_at > ?2
    RETURNING ",
    clock::but_for_it!("push_at")
);
