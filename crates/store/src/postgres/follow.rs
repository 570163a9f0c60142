//! What follows from a change of registration: the trail, what is no longer wanted, where the rest goes (S-05, S-12, C-07a, D-06,
//! D-07).

use oyez_domain::actor::Actor;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::registering::{Effect, Kind};
use oyez_domain::registration::Registrations;
use oyez_domain::routing;
use oyez_domain::time::Timestamp;

use super::anew;
use super::audit::{self, Change};
use super::errors::expect_rows;
use super::lanes;
use super::registrations::of;
use super::unit::Unit;
use super::withdraw;
use crate::Error;
use crate::codes::TppId;

/// A change of a registration, written but for what follows from it.
pub(super) struct Done<'a> {
    pub(super) tpp: TppId,
    pub(super) client_id: &'a ClientId,
    pub(super) actor: &'a Actor,
    pub(super) action: &'static str,
    pub(super) is_replacement: bool,
    pub(super) kind: Kind,
}

/// What follows from any change: the revision, the trail, what is no longer wanted, where the rest goes.
pub(super) async fn finish(
    unit: &mut Unit,
    done: &Done<'_>,
    before: &Registrations,
    now: Timestamp,
) -> Result<Effect, Error> {
    let after = of(unit.db(), done.tpp).await?;
    let changed = unit.execute(BUMP_REVISION, &[&done.tpp.0]).await?;
    expect_rows(changed, 1, "bumping a revision")?;
    let change = Change {
        actor: done.actor,
        action: done.action,
        tpp: Some(done.tpp),
        before: Some(before),
        after: Some(&after),
    };
    audit::note(unit, change, now).await?;
    let owner = (done.tpp, done.client_id);
    let withdrawn = withdraw::unwanted(unit, owner, done.actor, &after, now).await?;
    follow_address(unit, done, before, &after, now).await?;
    unit.news.of(owner).polls = true;
    Ok(Effect { withdrawn })
}

/// Outstanding events follow the new address at their next attempt (S-12); a PUT ends backoffs and poll only (D-07). An outage
/// is one endpoint's: it ends with a PUT, and with the address (D-06). Events keep their turns while there is no address:
/// whoever pushes asks for one.
async fn follow_address(
    unit: &mut Unit,
    done: &Done<'_>,
    before: &Registrations,
    after: &Registrations,
    now: Timestamp,
) -> Result<(), Error> {
    let old = routing::push_address(&unit.rules, before).map(str::to_owned);
    let new = routing::push_address(&unit.rules, after).map(str::to_owned);
    let is_fresh = done.is_replacement || old != new;
    let owner = (done.tpp, done.client_id);
    // Before the lane is locked: it may take its time, and whoever has news of several TPPs waits for lanes.
    if new.is_some() && (done.is_replacement || old.is_none()) {
        anew::begin(unit, done.tpp, now).await?;
    }
    lanes::free(unit, owner).await?;
    if is_fresh {
        lanes::mend(unit, owner, now).await?;
    }
    if new.is_some() && is_fresh {
        lanes::news_if_pushable(unit, owner, now).await?;
    }
    Ok(())
}

const BUMP_REVISION: &str = "UPDATE queues SET revision = revision + 1 WHERE tpp = $1";
