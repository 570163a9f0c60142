//! Taking outstanding events back: what a registration no longer wants, and what an operator names (S-05, S-12, C-07a, I-04).
//!
//! A change of registration is judged once per kind; narrow rows are looked at only from the first one on that may have to
//! go, and no notice is read. All ends of a change are written in its transaction: it holds this TPP's lock and nobody
//! else's, however long it takes. Where they are many it takes its time, which few requests may at once.

use oyez_domain::actor::Actor;
use oyez_domain::event::EventTypes;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::life::{Ending, Outcome, Withdrawn};
use oyez_domain::registration::Registrations;
use oyez_domain::routing;
use oyez_domain::time::Timestamp;

use super::audit::note_events;
use super::columns::count;
use super::ends::{self, End};
use super::lanes;
use super::tpps::hold;
use super::unit::Unit;
use crate::Error;
use crate::codes::{TppId, from_json, outcome_code, settling_actor};

/// Withdraws what these registrations do not want; answers how many.
pub(super) async fn unwanted(
    unit: &mut Unit,
    (tpp, owner): (TppId, &ClientId),
    actor: &Actor,
    after: &Registrations,
    now: Timestamp,
) -> Result<u64, Error> {
    let Some(unwanted) = judge(unit, tpp, after).await? else {
        return Ok(0);
    };
    let mut withdrawn =
        write_ends(unit, (tpp, owner), actor, &unwanted, Some(AT_ONCE_MAX), now).await?;
    if withdrawn >= AT_ONCE_MAX {
        unit.take_its_time().await?;
        withdrawn += write_ends(unit, (tpp, owner), actor, &unwanted, None, now).await?;
    }
    unit.execute(KEEP_KINDS, &[&tpp.0, &unwanted.left.0, &unwanted.left.1])
        .await?;
    if withdrawn > 0 {
        unit.tally.ended(tpp, Ending::Withdrawn, withdrawn, now);
        unit.news.of((tpp, owner)).ends = true;
        lanes::next_in_line(unit, (tpp, owner), now).await?;
    }
    Ok(withdrawn)
}

/// See [`crate::Store::withdraw`].
pub(super) async fn named(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    jtis: &[Jti],
    now: Timestamp,
) -> Result<u64, Error> {
    let Some(known) = hold(unit, client_id).await? else {
        return Ok(0);
    };
    let end = End {
        tpp: known.id,
        owner: client_id,
        outcome: Outcome::Withdrawn(Withdrawn::ByOperator),
        actor,
    };
    let gone = ends::settle(unit, &end, jtis, now).await?;
    // The trail names them in the order of the request.
    let mut taken_back: Vec<Jti> = Vec::with_capacity(gone.len());
    for jti in jtis {
        if gone.contains(jti) && !taken_back.contains(jti) {
            taken_back.push(*jti);
        }
    }
    note_events(unit, (known.id, actor), "event.withdrawn", &taken_back, now).await
}

/// Kinds that go.
struct Unwanted {
    kinds: Vec<i32>,
    /// None of them stands before.
    from_position: i64,
    reason: Withdrawn,
    /// The kinds that stay, and each from which position on.
    left: (Vec<i32>, Vec<i64>),
}

async fn judge(unit: &Unit, tpp: TppId, after: &Registrations) -> Result<Option<Unwanted>, Error> {
    let mut unwanted: Option<Unwanted> = None;
    let mut left = (Vec::new(), Vec::new());
    for row in unit.rows(KINDS_OF_TPP, &[&tpp.0]).await? {
        let (kind, from_position): (i32, i64) = (row.try_get(0)?, row.try_get(1)?);
        let types: EventTypes = from_json(row.try_get(2)?, "the types of a kind")?;
        match routing::outlives(&unit.rules, after, &types) {
            Ok(()) => {
                left.0.push(kind);
                left.1.push(from_position);
            }
            Err(reason) => {
                let unwanted = unwanted.get_or_insert(Unwanted {
                    kinds: Vec::new(),
                    from_position,
                    reason,
                    left: (Vec::new(), Vec::new()),
                });
                unwanted.kinds.push(kind);
                unwanted.from_position = unwanted.from_position.min(from_position);
            }
        }
    }
    Ok(unwanted.map(|unwanted| Unwanted { left, ..unwanted }))
}

/// Ends the oldest of these kinds, so many at most; answers how many.
async fn write_ends(
    unit: &Unit,
    (tpp, owner): (TppId, &ClientId),
    actor: &Actor,
    unwanted: &Unwanted,
    events_max: Option<u64>,
    now: Timestamp,
) -> Result<u64, Error> {
    let (code, by) = (
        outcome_code(Outcome::Withdrawn(unwanted.reason)),
        settling_actor(actor, owner),
    );
    unit.execute(
        WITHDRAW_KINDS,
        &[
            &tpp.0,
            &unwanted.from_position,
            &unwanted.kinds,
            &now.unix_ms(),
            &code,
            &by,
            &events_max.map(count),
        ],
    )
    .await
}

/// Far more than most changes end, in some tenths of a second.
const AT_ONCE_MAX: u64 = 10_000;

const KINDS_OF_TPP: &str = "
    SELECT u.kind, u.from_position, k.types
    FROM queues q CROSS JOIN unnest(q.kinds, q.kinds_from) u (kind, from_position) JOIN kinds k USING (kind)
    WHERE q.tpp = $1";

pub(super) const WITHDRAW_KINDS: &str = "
    WITH gone AS (
        DELETE FROM outstanding WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM outstanding WHERE tpp = $1 AND position >= $2 AND kind = ANY($3)
            ORDER BY position LIMIT $7::bigint))
        RETURNING jti, ends)
    INSERT INTO settlements (tpp, jti, ends, at, outcome, actor)
    SELECT $1, jti, ends, $4, $5::bigint, $6 FROM gone";

const KEEP_KINDS: &str = "UPDATE queues SET kinds = $2, kinds_from = $3 WHERE tpp = $1";
