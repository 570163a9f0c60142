//! TPPs: who is known, and by which small number every other table knows them (I-04, A-09).

use oyez_domain::actor::Actor;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::history::Page;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{DeliveryOrder, Profile, Standing, Tpp};
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::audit::{self, Change};
pub(super) use crate::codes::TppId;

use super::codes::{from_json, moment, moment_or_null, parse, to_json};
use super::errors::expect_rows;
use super::history::{page, rows_wanted};
use super::lanes;
use super::push;
use super::writer::Unit;
use crate::{Error, codes};

impl ToSql for TppId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for TppId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

/// What hot requests need to know of a TPP.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) id: TppId,
    pub(super) served: bool,
    /// Its own; `None` for the deployment's.
    pub(super) own_order: Option<DeliveryOrder>,
    /// A change of its registrations withdrew more than is written yet.
    pub(super) is_withdrawing: bool,
}

/// Looks a TPP up by its name.
pub(super) fn know(db: &Connection, client_id: &ClientId) -> Result<Option<Known>, Error> {
    let known = db
        .prepare_cached(KNOW)?
        .query_row([client_id.as_str()], |row| {
            Ok(Known {
                id: row.get(0)?,
                served: row.get(1)?,
                own_order: own_order(row, 2)?,
                is_withdrawing: row.get(3)?,
            })
        });
    Ok(known.optional()?)
}

/// See [`crate::Store::register_tpp`].
pub(super) fn register(
    unit: &Unit,
    actor: &Actor,
    client_id: &ClientId,
    profile: &Profile,
    now: Timestamp,
) -> Result<Option<Tpp>, Error> {
    if know(&unit.db, client_id)?.is_some() {
        return Ok(None);
    }
    let tpp = Tpp {
        client_id: client_id.clone(),
        profile: profile.clone(),
        standing: Standing::Active,
        registered_at: now,
        changed_at: now,
    };
    let id: TppId = unit.db.prepare_cached(INSERT)?.query_row(
        params![
            tpp.client_id.as_str(),
            to_json(&tpp.profile),
            codes::own_order_code(&tpp.profile),
            now.unix_ms()
        ],
        |row| row.get(0),
    )?;
    unit.db.prepare_cached(INSERT_QUEUE)?.execute([id])?;
    let change = Change {
        actor,
        action: "tpp.registered",
        tpp: Some(id),
        before: None::<Tpp>,
        after: Some(&tpp),
    };
    audit::note(unit, &change, now)?;
    Ok(Some(tpp))
}

/// See [`crate::Store::change_tpp`].
pub(super) fn change(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    profile: &Profile,
    now: Timestamp,
) -> Result<Option<Tpp>, Error> {
    let rewrite = |tpp: &mut Tpp| tpp.profile.clone_from(profile);
    rewrite_tpp(unit, actor, "tpp.changed", client_id, rewrite, now)
}

/// See [`crate::Store::set_standing`].
pub(super) fn set_standing(
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
    rewrite_tpp(unit, actor, action, client_id, rewrite, now)
}

/// Whoever pushes to the TPP has to read it anew: another event may be the next one, or what waited may go now.
fn rewrite_tpp(
    unit: &mut Unit,
    actor: &Actor,
    action: &'static str,
    client_id: &ClientId,
    rewrite: impl FnOnce(&mut Tpp),
    now: Timestamp,
) -> Result<Option<Tpp>, Error> {
    let (Some(known), Some(before)) = (know(&unit.db, client_id)?, find(&unit.db, client_id)?)
    else {
        return Ok(None);
    };
    let mut after = before.clone();
    rewrite(&mut after);
    if after == before {
        return Ok(Some(after));
    }
    after.changed_at = now;
    let (disabled_at, reason) = match &after.standing {
        Standing::Active => (None, None),
        Standing::Disabled { at, reason } => (Some(at.unix_ms()), Some(reason)),
    };
    let changed = unit.db.prepare_cached(UPDATE)?.execute(params![
        known.id,
        to_json(&after.profile),
        codes::own_order_code(&after.profile),
        disabled_at,
        reason,
        now.unix_ms()
    ])?;
    expect_rows(changed, 1, "changing a TPP")?;
    let change = Change {
        actor,
        action,
        tpp: Some(known.id),
        before: Some(&before),
        after: Some(&after),
    };
    audit::note(unit, &change, now)?;
    unit.news.of((known.id, client_id)).polls = true;
    lanes::free(unit, (known.id, client_id))?;
    if push::has_address(unit, known.id)? {
        lanes::news_if_pushable(unit, (known.id, client_id), now)?;
    }
    Ok(Some(after))
}

/// See [`crate::Store::find_tpp`].
pub(super) fn find(db: &Connection, client_id: &ClientId) -> Result<Option<Tpp>, Error> {
    let mut statement = db.prepare_cached(FIND)?;
    let mut rows = statement.query([client_id.as_str()])?;
    rows.next()?.map(read).transpose()
}

/// See [`crate::Store::list_tpps`].
pub(super) fn list(
    db: &Connection,
    after: Option<&ClientId>,
    rows_max: u32,
) -> Result<Page<Tpp, ClientId>, Error> {
    let mut statement = db.prepare_cached(LIST)?;
    let after = after.map_or("", ClientId::as_str);
    let mut rows = statement.query(params![after, rows_wanted(rows_max) + 1])?;
    let mut tpps = Vec::new();
    while let Some(row) = rows.next()? {
        tpps.push(read(row)?);
    }
    Ok(page(tpps, rows_max, |tpp| tpp.client_id.clone()))
}

fn read(row: &Row<'_>) -> Result<Tpp, Error> {
    let (client_id, profile): (String, String) = (row.get(0)?, row.get(1)?);
    let standing = match (moment_or_null(row, 2)?, row.get::<_, Option<String>>(3)?) {
        (Some(at), Some(reason)) => Standing::Disabled { at, reason },
        _ => Standing::Active,
    };
    Ok(Tpp {
        client_id: parse(&client_id, "client_id")?,
        profile: from_json(&profile, "a TPP's profile")?,
        standing,
        registered_at: moment(row, 4)?,
        changed_at: moment(row, 5)?,
    })
}

/// The order that a TPP asks for itself.
pub(super) fn own_order(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<DeliveryOrder>> {
    Ok(codes::own_order(row.get(column)?))
}

const KNOW: &str = "
    SELECT tpp, disabled_at IS NULL, own_order, EXISTS (SELECT 1 FROM withdrawals w WHERE w.tpp = tpps.tpp)
    FROM tpps WHERE client_id = ?1";

const INSERT: &str = "
    INSERT INTO tpps (client_id, profile, own_order, registered_at, changed_at)
    VALUES (?1, ?2, ?3, ?4, ?4) RETURNING tpp";

const INSERT_QUEUE: &str = "INSERT INTO queues (tpp) VALUES (?1)";

const UPDATE: &str = "
    UPDATE tpps SET profile = ?2, own_order = ?3, disabled_at = ?4, disabled_reason = ?5, changed_at = ?6
    WHERE tpp = ?1";

const FIND: &str = "
    SELECT client_id, profile, disabled_at, disabled_reason, registered_at, changed_at
    FROM tpps WHERE client_id = ?1";

const LIST: &str = "
    SELECT client_id, profile, disabled_at, disabled_reason, registered_at, changed_at
    FROM tpps WHERE client_id > ?1 ORDER BY client_id LIMIT ?2";
