//! What TPPs have registered, read and changed under the TPP's lock (S, C). What a change does to outstanding events is
//! `follow`'s.

use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, RegistrationId};
use oyez_domain::ledger::registering::{Effect, Kind, Refusal, Target, Wish};
use oyez_domain::registration::{CallbackUrl, Registrations, Subscription};
use oyez_domain::time::Timestamp;
use oyez_domain::version::ApiVersion;
use rusqlite::{Connection, OptionalExtension, params};

use super::codes::{from_json, kind_code, moment, parse, to_json};
use super::errors::{contradiction, expect_rows};
use super::follow::{Done, finish};
use super::tpps::{TppId, know};
use super::withdraw::refuse_while_going_on;
use super::writer::Unit;
use crate::Error;

/// What a TPP has registered.
pub(super) fn of(db: &Connection, tpp: TppId) -> Result<Registrations, Error> {
    let mut statement = db.prepare_cached(OF_TPP)?;
    let mut rows = statement.query([tpp])?;
    let mut found = Registrations::default();
    while let Some(row) = rows.next()? {
        let (id, wish, api): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let id = parse(&id, "registration id")?;
        let api = parse(&api, "version")?;
        let (created_at, changed_at) = (moment(row, 4)?, moment(row, 5)?);
        match row.get::<_, i64>(0)? {
            SUBSCRIPTION => {
                found.subscription = Some(Subscription {
                    id,
                    wish: from_json(&wish, "an event-subscription")?,
                    api,
                    created_at,
                    changed_at,
                });
            }
            CALLBACK_URL => {
                found.callback_url = Some(CallbackUrl {
                    id,
                    wish: from_json(&wish, "a callback-url")?,
                    api,
                    created_at,
                    changed_at,
                });
            }
            other => return Err(contradiction(format!("registration of kind {other}"))),
        }
    }
    Ok(found)
}

/// See [`crate::Store::registrations`].
pub(super) fn find(db: &Connection, client_id: &ClientId) -> Result<Registrations, Error> {
    know(db, client_id)?.map_or_else(|| Ok(Registrations::default()), |known| of(db, known.id))
}

/// How often they have changed.
pub(super) fn revision(db: &Connection, tpp: TppId) -> Result<u64, Error> {
    Ok(db
        .prepare_cached(REVISION)?
        .query_row([tpp], |row| row.get(0))?)
}

/// See [`crate::Store::create_registration`].
pub(super) fn create(
    unit: &mut Unit,
    client_id: &ClientId,
    id: &RegistrationId,
    wish: &Wish,
    api: ApiVersion,
    now: Timestamp,
) -> Result<Result<Registrations, Refusal>, Error> {
    let Some(tpp) = served(unit, client_id)? else {
        return Ok(Err(Refusal::NotServed));
    };
    let before = of(&unit.db, tpp)?;
    let taken = match wish {
        Wish::Subscription(_) => before.subscription.is_some(),
        Wish::CallbackUrl(_) => before.callback_url.is_some(),
    };
    if taken {
        return Ok(Err(Refusal::AlreadyExists));
    }
    let kind = write(unit, tpp, wish, id, api, (now, now))?;
    let done = Done {
        tpp,
        client_id,
        actor: &Actor::Tpp(client_id.clone()),
        action: "registration.created",
        is_replacement: false,
        kind,
    };
    finish(unit, &done, &before, now)?;
    Ok(Ok(of(&unit.db, tpp)?))
}

/// See [`crate::Store::replace_registration`].
pub(super) fn replace(
    unit: &mut Unit,
    client_id: &ClientId,
    target: &Target,
    wish: &Wish,
    now: Timestamp,
) -> Result<Result<(Registrations, Effect), Refusal>, Error> {
    let (tpp, api, created_at) = match find_target(unit, client_id, target)? {
        Ok(found) => found,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let before = of(&unit.db, tpp)?;
    let api = api.max(target.api);
    let kind = write(unit, tpp, wish, &target.id, api, (created_at, now))?;
    let done = Done {
        tpp,
        client_id,
        actor: &Actor::Tpp(client_id.clone()),
        action: "registration.replaced",
        is_replacement: true,
        kind,
    };
    let effect = finish(unit, &done, &before, now)?;
    Ok(Ok((of(&unit.db, tpp)?, effect)))
}

/// See [`crate::Store::delete_registration`].
pub(super) fn delete(
    unit: &mut Unit,
    client_id: &ClientId,
    target: &Target,
    now: Timestamp,
) -> Result<Result<Effect, Refusal>, Error> {
    let (tpp, ..) = match find_target(unit, client_id, target)? {
        Ok(found) => found,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let done = Done {
        tpp,
        client_id,
        actor: &Actor::Tpp(client_id.clone()),
        action: "registration.deleted",
        is_replacement: false,
        kind: target.kind,
    };
    remove_row(unit, &done, now).map(Ok)
}

/// See [`crate::Store::remove_registration`].
pub(super) fn remove(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    kind: Kind,
    now: Timestamp,
) -> Result<Result<Effect, Refusal>, Error> {
    let Some(known) = know(&unit.db, client_id)? else {
        return Ok(Err(Refusal::NotServed));
    };
    refuse_while_going_on(known)?;
    let before = of(&unit.db, known.id)?;
    let exists = match kind {
        Kind::Subscription => before.subscription.is_some(),
        Kind::CallbackUrl => before.callback_url.is_some(),
    };
    if !exists {
        return Ok(Err(Refusal::NotFound));
    }
    let done = Done {
        tpp: known.id,
        client_id,
        actor,
        action: "registration.removed",
        is_replacement: false,
        kind,
    };
    remove_row(unit, &done, now).map(Ok)
}

/// The TPP, while its registrations may be changed.
fn served(unit: &Unit, client_id: &ClientId) -> Result<Option<TppId>, Error> {
    let Some(known) = know(&unit.db, client_id)?.filter(|known| known.served) else {
        return Ok(None);
    };
    refuse_while_going_on(known)?;
    Ok(Some(known.id))
}

/// The registration a TPP names, if it is its own and the path's version may see it (S-06, G-08).
fn find_target(
    unit: &Unit,
    client_id: &ClientId,
    target: &Target,
) -> Result<Result<(TppId, ApiVersion, Timestamp), Refusal>, Error> {
    let Some(tpp) = served(unit, client_id)? else {
        return Ok(Err(Refusal::NotServed));
    };
    let found: Option<(TppId, String, Timestamp)> = unit
        .db
        .prepare_cached(BY_ID)?
        .query_row(params![kind_code(target.kind), target.id.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, moment(row, 2)?))
        })
        .optional()?;
    let Some((owner, api, created_at)) = found else {
        return Ok(Err(Refusal::NotFound));
    };
    if owner != tpp {
        return Ok(Err(Refusal::AnotherTpps));
    }
    let api: ApiVersion = parse(&api, "version")?;
    Ok(if target.api < api {
        Err(Refusal::NotFound)
    } else {
        Ok((tpp, api, created_at))
    })
}

fn write(
    unit: &Unit,
    tpp: TppId,
    wish: &Wish,
    id: &RegistrationId,
    api: ApiVersion,
    (created_at, changed_at): (Timestamp, Timestamp),
) -> Result<Kind, Error> {
    let (kind, wish) = match wish {
        Wish::Subscription(wish) => (Kind::Subscription, to_json(wish)),
        Wish::CallbackUrl(wish) => (Kind::CallbackUrl, to_json(wish)),
    };
    unit.db.prepare_cached(WRITE)?.execute(params![
        tpp,
        kind_code(kind),
        id.as_str(),
        wish,
        api.to_string(),
        created_at.unix_ms(),
        changed_at.unix_ms()
    ])?;
    Ok(kind)
}

fn remove_row(unit: &mut Unit, done: &Done<'_>, now: Timestamp) -> Result<Effect, Error> {
    let before = of(&unit.db, done.tpp)?;
    let changed = unit
        .db
        .prepare_cached(DELETE)?
        .execute(params![done.tpp, kind_code(done.kind)])?;
    expect_rows(changed, 1, "removing a registration")?;
    finish(unit, done, &before, now)
}

const SUBSCRIPTION: i64 = kind_code(Kind::Subscription);
const CALLBACK_URL: i64 = kind_code(Kind::CallbackUrl);

const OF_TPP: &str =
    "SELECT kind, id, wish, api, created_at, changed_at FROM registrations WHERE tpp = ?1";

const BY_ID: &str = "SELECT tpp, api, created_at FROM registrations WHERE kind = ?1 AND id = ?2";

const REVISION: &str = "SELECT revision FROM queues WHERE tpp = ?1";

const WRITE: &str = "
    INSERT INTO registrations (tpp, kind, id, wish, api, created_at, changed_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (tpp, kind) DO UPDATE SET
        wish = excluded.wish, api = excluded.api, changed_at = excluded.changed_at";

const DELETE: &str = "DELETE FROM registrations WHERE tpp = ?1 AND kind = ?2";
