//! What TPPs have registered, read and changed under the TPP's lock (S, C). What a change does to outstanding events is
//! `follow`'s.

use std::collections::HashMap;

use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, RegistrationId};
use oyez_domain::ledger::registering::{Effect, Kind, Refusal, Target, Wish};
use oyez_domain::registration::{CallbackUrl, Registrations, Subscription};
use oyez_domain::time::Timestamp;
use oyez_domain::version::ApiVersion;

use super::columns::moment;
use super::errors::{contradiction, expect_rows};
use super::follow::{Done, finish};
use super::session::Session;
use super::tpps::{self, hold};
use super::unit::Unit;
use crate::Error;
use crate::codes::{TppId, from_json, kind_code, parse, to_json};

/// What a TPP has registered.
pub(super) async fn of(db: &Session, tpp: TppId) -> Result<Registrations, Error> {
    let mut found = of_all(db, &[tpp.0]).await?;
    Ok(found.remove(&tpp).unwrap_or_default())
}

/// What these TPPs have registered, those that have anything.
pub(super) async fn of_all(
    db: &Session,
    tpps: &[i64],
) -> Result<HashMap<TppId, Registrations>, Error> {
    let mut all = HashMap::<TppId, Registrations>::new();
    for row in db.rows(OF_TPPS, &[&tpps]).await? {
        let found = all.entry(TppId(row.try_get(6)?)).or_default();
        let id = parse(row.try_get(1)?, "registration id")?;
        let wish: &str = row.try_get(2)?;
        let api = parse(row.try_get(3)?, "version")?;
        let (created_at, changed_at) = (moment(&row, 4)?, moment(&row, 5)?);
        match i64::from(row.try_get::<_, i16>(0)?) {
            SUBSCRIPTION => {
                found.subscription = Some(Subscription {
                    id,
                    wish: from_json(wish, "an event-subscription")?,
                    api,
                    created_at,
                    changed_at,
                });
            }
            CALLBACK_URL => {
                found.callback_url = Some(CallbackUrl {
                    id,
                    wish: from_json(wish, "a callback-url")?,
                    api,
                    created_at,
                    changed_at,
                });
            }
            other => return Err(contradiction(format!("registration of kind {other}"))),
        }
    }
    Ok(all)
}

/// See [`crate::Store::registrations`].
pub(super) async fn find(db: &Session, client_id: &ClientId) -> Result<Registrations, Error> {
    match tpps::id(db, client_id).await? {
        Some(tpp) => of(db, tpp).await,
        None => Ok(Registrations::default()),
    }
}

/// See [`crate::Store::create_registration`].
pub(super) async fn create(
    unit: &mut Unit,
    client_id: &ClientId,
    id: &RegistrationId,
    wish: &Wish,
    api: ApiVersion,
    now: Timestamp,
) -> Result<Result<Registrations, Refusal>, Error> {
    let Some(tpp) = served(unit, client_id).await? else {
        return Ok(Err(Refusal::NotServed));
    };
    let before = of(unit.db(), tpp).await?;
    let taken = match wish {
        Wish::Subscription(_) => before.subscription.is_some(),
        Wish::CallbackUrl(_) => before.callback_url.is_some(),
    };
    if taken {
        return Ok(Err(Refusal::AlreadyExists));
    }
    let kind = write(unit, tpp, wish, id, api, (now, now)).await?;
    let done = Done {
        tpp,
        client_id,
        actor: &Actor::Tpp(client_id.clone()),
        action: "registration.created",
        is_replacement: false,
        kind,
    };
    finish(unit, &done, &before, now).await?;
    Ok(Ok(of(unit.db(), tpp).await?))
}

/// See [`crate::Store::replace_registration`].
pub(super) async fn replace(
    unit: &mut Unit,
    client_id: &ClientId,
    target: &Target,
    wish: &Wish,
    now: Timestamp,
) -> Result<Result<(Registrations, Effect), Refusal>, Error> {
    let (tpp, api, created_at) = match find_target(unit, client_id, target).await? {
        Ok(found) => found,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let before = of(unit.db(), tpp).await?;
    let api = api.max(target.api);
    let kind = write(unit, tpp, wish, &target.id, api, (created_at, now)).await?;
    let done = Done {
        tpp,
        client_id,
        actor: &Actor::Tpp(client_id.clone()),
        action: "registration.replaced",
        is_replacement: true,
        kind,
    };
    let effect = finish(unit, &done, &before, now).await?;
    Ok(Ok((of(unit.db(), tpp).await?, effect)))
}

/// See [`crate::Store::delete_registration`].
pub(super) async fn delete(
    unit: &mut Unit,
    client_id: &ClientId,
    target: &Target,
    now: Timestamp,
) -> Result<Result<Effect, Refusal>, Error> {
    let (tpp, ..) = match find_target(unit, client_id, target).await? {
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
    remove_row(unit, &done, now).await.map(Ok)
}

/// See [`crate::Store::remove_registration`].
pub(super) async fn remove(
    unit: &mut Unit,
    actor: &Actor,
    client_id: &ClientId,
    kind: Kind,
    now: Timestamp,
) -> Result<Result<Effect, Refusal>, Error> {
    let Some(known) = hold(unit, client_id).await? else {
        return Ok(Err(Refusal::NotServed));
    };
    let before = of(unit.db(), known.id).await?;
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
    remove_row(unit, &done, now).await.map(Ok)
}

async fn served(unit: &Unit, client_id: &ClientId) -> Result<Option<TppId>, Error> {
    let known = hold(unit, client_id).await?;
    Ok(known.filter(|known| known.served).map(|known| known.id))
}

/// The registration a TPP names, if it is its own and the path's version may see it (S-06, G-08).
async fn find_target(
    unit: &Unit,
    client_id: &ClientId,
    target: &Target,
) -> Result<Result<(TppId, ApiVersion, Timestamp), Refusal>, Error> {
    let Some(tpp) = served(unit, client_id).await? else {
        return Ok(Err(Refusal::NotServed));
    };
    let (kind, id) = (kind_code(target.kind), target.id.as_str());
    let Some(found) = unit.row(BY_ID, &[&kind, &id]).await? else {
        return Ok(Err(Refusal::NotFound));
    };
    if TppId(found.try_get(0)?) != tpp {
        return Ok(Err(Refusal::AnotherTpps));
    }
    let api: ApiVersion = parse(found.try_get(1)?, "version")?;
    Ok(if target.api < api {
        Err(Refusal::NotFound)
    } else {
        Ok((tpp, api, moment(&found, 2)?))
    })
}

async fn write(
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
    unit.execute(
        WRITE,
        &[
            &tpp.0,
            &kind_code(kind),
            &id.as_str(),
            &wish,
            &api.to_string(),
            &created_at.unix_ms(),
            &changed_at.unix_ms(),
        ],
    )
    .await?;
    Ok(kind)
}

async fn remove_row(unit: &mut Unit, done: &Done<'_>, now: Timestamp) -> Result<Effect, Error> {
    let before = of(unit.db(), done.tpp).await?;
    let changed = unit
        .execute(DELETE, &[&done.tpp.0, &kind_code(done.kind)])
        .await?;
    expect_rows(changed, 1, "removing a registration")?;
    finish(unit, done, &before, now).await
}

const SUBSCRIPTION: i64 = kind_code(Kind::Subscription);
const CALLBACK_URL: i64 = kind_code(Kind::CallbackUrl);

const OF_TPPS: &str = "
    SELECT kind, id, wish, api, created_at, changed_at, tpp FROM registrations WHERE tpp = ANY($1::bigint[])";

const BY_ID: &str =
    "SELECT tpp, api, created_at FROM registrations WHERE kind = $1::bigint AND id = $2";

const WRITE: &str = "
    INSERT INTO registrations (tpp, kind, id, wish, api, created_at, changed_at)
    VALUES ($1, $2::bigint, $3, $4, $5, $6, $7)
    ON CONFLICT (tpp, kind) DO UPDATE SET
        wish = excluded.wish, api = excluded.api, changed_at = excluded.changed_at";

const DELETE: &str = "DELETE FROM registrations WHERE tpp = $1 AND kind = $2::bigint";
