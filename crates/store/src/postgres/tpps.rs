//! TPPs: who is known, by which small number every other table knows them, and the lock of each (I-04, A-09).

use futures_util::try_join;
use oyez_domain::actor::Actor;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::history::Page;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{Profile, Standing, Tpp};
use tokio_postgres::Row;

use super::audit::{self, Change};
use super::columns::{moment, moment_or_null};
use super::errors::expect_rows;
use super::lanes;
use super::pool::Held;
use super::session::Session;
use super::unit::Unit;
use crate::Error;
use crate::codes::{self, TppId, from_json, parse, to_json};
use crate::page::{page, rows_wanted};

/// What requests need to know of a TPP whose lock they have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) id: TppId,
    pub(super) served: bool,
}

/// Looks a TPP's number up by its name.
pub(super) async fn id(db: &Session, client_id: &ClientId) -> Result<Option<TppId>, Error> {
    let row = db.row(ID, &[&client_id.as_str()]).await?;
    row.map(|row| Ok(TppId(row.try_get(0)?))).transpose()
}

/// Has the TPP's lock until the end of the transaction: nothing is accepted for it meanwhile, and none of its events, lanes
/// or registrations changes. `None` if it is not known.
pub(super) async fn hold(unit: &Unit, client_id: &ClientId) -> Result<Option<Known>, Error> {
    let (db, name) = (unit.db(), client_id.as_str());
    db.prepare(&[LOCK, KNOW]).await?;
    // What is read by a statement of its own, after the lock was had, is what the lock's last holder left.
    let (_, row) = try_join!(async { db.row(LOCK, &[&name]).await }, async {
        db.row(KNOW, &[&name]).await
    })?;
    let Some(row) = row else {
        return Ok(None);
    };
    Ok(Some(Known {
        id: TppId(row.try_get(0)?),
        served: row.try_get(1)?,
    }))
}

/// See [`crate::Store::register_tpp`].
pub(super) async fn register(
    unit: &Unit,
    actor: &Actor,
    client_id: &ClientId,
    profile: &Profile,
    now: Timestamp,
) -> Result<Option<Tpp>, Error> {
    let tpp = Tpp {
        client_id: client_id.clone(),
        profile: profile.clone(),
        standing: Standing::Active,
        registered_at: now,
        changed_at: now,
    };
    let (profile, own_order) = (to_json(&tpp.profile), codes::own_order_code(&tpp.profile));
    let made = unit
        .row(
            INSERT,
            &[&client_id.as_str(), &profile, &own_order, &now.unix_ms()],
        )
        .await?;
    let Some(made) = made else {
        return Ok(None);
    };
    let id = TppId(made.try_get(0)?);
    unit.execute(INSERT_QUEUE, &[&id.0]).await?;
    let change = Change {
        actor,
        action: "tpp.registered",
        tpp: Some(id),
        before: None::<Tpp>,
        after: Some(&tpp),
    };
    audit::note(unit, change, now).await?;
    Ok(Some(tpp))
}

/// See [`crate::Store::change_tpp`].
pub(super) async fn change(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    profile: &Profile,
    now: Timestamp,
) -> Result<Option<Tpp>, Error> {
    let rewrite = |tpp: &mut Tpp| tpp.profile.clone_from(profile);
    rewrite_tpp(unit, (actor, "tpp.changed"), client_id, rewrite, now).await
}

/// See [`crate::Store::set_standing`].
pub(super) async fn set_standing(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    standing: &Standing,
    now: Timestamp,
) -> Result<Option<Tpp>, Error> {
    let action = match standing {
        Standing::Active => "tpp.enabled",
        Standing::Disabled { .. } => "tpp.disabled",
    };
    let rewrite = |tpp: &mut Tpp| tpp.standing.clone_from(standing);
    rewrite_tpp(unit, (actor, action), client_id, rewrite, now).await
}

/// Whoever pushes to the TPP has to read it anew: another event may be the next one, or what waited may go now.
async fn rewrite_tpp(
    unit: &mut Unit,
    (actor, action): (&Actor, &'static str),
    client_id: &ClientId,
    rewrite: impl FnOnce(&mut Tpp),
    now: Timestamp,
) -> Result<Option<Tpp>, Error> {
    let Some(known) = hold(unit, client_id).await? else {
        return Ok(None);
    };
    let Some(before) = find(unit.db(), client_id).await? else {
        return Ok(None);
    };
    let mut after = before.clone();
    rewrite(&mut after);
    if after == before {
        return Ok(Some(after));
    }
    after.changed_at = now;
    write(unit, known.id, &after).await?;
    let change = Change {
        actor,
        action,
        tpp: Some(known.id),
        before: Some(&before),
        after: Some(&after),
    };
    audit::note(unit, change, now).await?;
    unit.news.of((known.id, client_id)).polls = true;
    lanes::free(unit, (known.id, client_id)).await?;
    if lanes::has_address(unit, known.id).await? {
        lanes::news_if_pushable(unit, (known.id, client_id), now).await?;
    }
    Ok(Some(after))
}

async fn write(unit: &Unit, id: TppId, tpp: &Tpp) -> Result<(), Error> {
    let (disabled_at, reason) = match &tpp.standing {
        Standing::Active => (None, None),
        Standing::Disabled { at, reason } => (Some(at.unix_ms()), Some(reason)),
    };
    let (profile, own_order) = (to_json(&tpp.profile), codes::own_order_code(&tpp.profile));
    let changed = unit
        .execute(
            UPDATE,
            &[
                &id.0,
                &profile,
                &own_order,
                &disabled_at,
                &reason,
                &tpp.changed_at.unix_ms(),
            ],
        )
        .await?;
    expect_rows(changed, 1, "changing a TPP")
}

/// See [`crate::Store::find_tpp`].
pub(super) async fn find(db: &Session, client_id: &ClientId) -> Result<Option<Tpp>, Error> {
    let row = db.row(FIND, &[&client_id.as_str()]).await?;
    row.as_ref().map(read).transpose()
}

/// See [`crate::Store::list_tpps`].
pub(super) async fn list(
    db: &Held,
    after: Option<&ClientId>,
    rows_max: u32,
) -> Result<Page<Tpp, ClientId>, Error> {
    let after = after.map_or("", ClientId::as_str);
    let limit = i64::from(rows_wanted(rows_max)) + 1;
    let rows = db.rows(LIST, &[&after, &limit]).await?;
    let tpps = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(page(tpps, rows_max, |tpp: &Tpp| tpp.client_id.clone()))
}

fn read(row: &Row) -> Result<Tpp, Error> {
    let reason: Option<String> = row.try_get(3)?;
    let standing = match (moment_or_null(row, 2)?, reason) {
        (Some(at), Some(reason)) => Standing::Disabled { at, reason },
        _ => Standing::Active,
    };
    Ok(Tpp {
        client_id: parse(row.try_get(0)?, "client_id")?,
        profile: from_json(row.try_get(1)?, "a TPP's profile")?,
        standing,
        registered_at: moment(row, 4)?,
        changed_at: moment(row, 5)?,
    })
}

const ID: &str = "SELECT tpp FROM tpps WHERE client_id = $1";

const LOCK: &str = "
    SELECT 1 FROM queues WHERE tpp = (SELECT tpp FROM tpps WHERE client_id = $1) FOR UPDATE";

const KNOW: &str = "SELECT tpp, disabled_at IS NULL FROM tpps WHERE client_id = $1";

const INSERT: &str = "
    INSERT INTO tpps (client_id, profile, own_order, registered_at, changed_at)
    VALUES ($1, $2, $3::bigint, $4, $4) ON CONFLICT (client_id) DO NOTHING RETURNING tpp";

const INSERT_QUEUE: &str = "INSERT INTO queues (tpp) VALUES ($1)";

const UPDATE: &str = "
    UPDATE tpps SET profile = $2, own_order = $3::bigint, disabled_at = $4, disabled_reason = $5, changed_at = $6
    WHERE tpp = $1";

const FIND: &str = "
    SELECT client_id, profile, disabled_at, disabled_reason, registered_at, changed_at
    FROM tpps WHERE client_id = $1";

const LIST: &str = "
    SELECT client_id, profile, disabled_at, disabled_reason, registered_at, changed_at
    FROM tpps WHERE client_id > $1 ORDER BY client_id LIMIT $2";
