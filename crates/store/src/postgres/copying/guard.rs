//! Who may work with a ledger while it is copied, or copied to: nobody else.

use std::time::Duration;

use super::super::session::{Session, Values};
use super::super::{leases, migrations, rights};
use super::statements;
use crate::Error;

/// That a node may begin to work with the ledger: it is no part of a copy, and nobody copies it. A copy that was begun of it is
/// no copy of what it will be.
pub(in crate::postgres) async fn refuse_while_copied(db: &Session) -> Result<(), Error> {
    refuse_unfinished(db).await?;
    wait_until(db, FREE, &[&COPYING], "it is being copied").await?;
    if is_there(db, "being_copied").await? {
        db.begin().await?;
        rights::act_as_owner(db).await?;
        db.run("DROP TABLE IF EXISTS being_copied").await?;
        db.commit().await?;
    }
    Ok(())
}

/// That no copy is unfinished here.
pub(in crate::postgres) async fn refuse_unfinished(db: &Session) -> Result<(), Error> {
    if !is_there(db, "unfinished_copy").await? {
        return Ok(());
    }
    let row = db.one("SELECT source FROM unfinished_copy", &[]).await?;
    Err(Error::Unfinished {
        source_place: row.try_get(0)?,
    })
}

/// Takes the ledger for this copy: from now on no node begins to work with it, and none does. Of whoever has just stopped the
/// last connections go by themselves.
pub(super) async fn take(db: &Session) -> Result<(), Error> {
    wait_until(db, LOCK, &[&COPYING], "it is being copied already").await?;
    if is_there(db, "nodes").await? {
        let clock = leases::clock(db).await?.unix_ms();
        if let Some(row) = db.row(statements::LIVE, &[&clock]).await? {
            let node: &str = row.try_get(0)?;
            return Err(in_use(&format!("node {node} serves it, or died just now")));
        }
    }
    wait_until(
        db,
        statements::ALONE,
        &[],
        "another oyez is connected to it",
    )
    .await
}

/// Asks until the answer is yes, for a moment.
async fn wait_until(
    db: &Session,
    question: &str,
    values: Values<'_>,
    why: &str,
) -> Result<(), Error> {
    for _ in 0..LOOKS_MAX {
        if db.one(question, values).await?.try_get(0)? {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(in_use(why))
}

fn in_use(why: &str) -> Error {
    Error::InUse {
        detail: why.to_owned(),
    }
}

/// A copy reads what this binary knows, and changes no schema of its source.
pub(super) async fn refuse_other_schemas(db: &Session) -> Result<(), Error> {
    let found = migrations::found(db).await?.version;
    let known = migrations::newest();
    let detail = match found {
        0 => "there is no ledger in it".to_owned(),
        _ if found < known => {
            format!("it has schema {found} and {known} is needed: run oyez migrate first")
        }
        _ if found > known => {
            format!("it has schema {found}, and this oyez knows no more than {known}")
        }
        _ => return Ok(()),
    };
    Err(Error::Schema { detail })
}

/// What is left of a disowning is known in this schema alone, and a server does it within a minute.
pub(super) async fn refuse_half_disowned(db: &Session) -> Result<(), Error> {
    let Some(row) = db.rows(UNFINISHED, &[]).await?.into_iter().next() else {
        return Ok(());
    };
    let kid: String = row.try_get(0)?;
    Err(Error::InUse {
        detail: format!("key {kid} is being disowned: start a server and let it finish"),
    })
}

pub(super) async fn is_there(db: &Session, table: &str) -> Result<bool, Error> {
    let found = db
        .one("SELECT to_regclass($1) IS NOT NULL", &[&table])
        .await?;
    Ok(found.try_get(0)?)
}

/// Whoever copies a ledger, or copies into one, holds this advisory lock of its database: "oyezcopy".
const COPYING: i64 = 0x6f79_657a_636f_7079;

const UNFINISHED: &str = "SELECT kid FROM disowned_keys WHERE NOT is_over ORDER BY kid LIMIT 1";

const LOCK: &str = "SELECT pg_try_advisory_lock($1)";

/// A lock of the statement alone: no pooler in between can lose or keep it.
const FREE: &str = "SELECT pg_try_advisory_xact_lock_shared($1)";

/// A session of somebody who has just stopped, or was killed, ends within moments.
const LOOKS_MAX: u32 = 20;
const LOOK_EVERY: Duration = Duration::from_millis(100);
