//! A TPP under its lock: everything that decisions about its events go by, read once and written once.
//!
//! The lock is the TPP's row of `queues`. What is read after it was had, by a statement of its own, is what its last holder
//! committed: nobody changes a registration, a profile or a position without it.

use std::collections::HashMap;
use std::time::Duration;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::{Claim, Health};
use oyez_domain::registration::{CallbackUrl, Registrations, Subscription};
use oyez_domain::rules::Rules;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::DeliveryOrder;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;

use super::columns::{count, moment, moment_or_null};
use super::plans::of_key;
use super::session::Session;
use crate::Error;
use crate::codes::{self, TppId, from_json, parse};
use crate::health::HealthColumns;

/// What is done about a TPP's lock that somebody else has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locking<'a> {
    /// Nothing: its requests wait, and no other TPP's.
    Skip,
    /// This TPP's is waited for, before there is any other: who waits for one holds none.
    WaitFor(&'a ClientId),
    /// All are waited for, in the order of TPPs, in the line of this one: a request for several TPPs has moved between their lines
    /// so often that it would never have them all at once.
    WaitForAll(&'a ClientId),
}

impl<'a> Locking<'a> {
    /// In whose line the lock is waited for, if it is.
    pub(super) const fn awaited(self) -> Option<&'a ClientId> {
        match self {
            Self::Skip => None,
            Self::WaitFor(client_id) | Self::WaitForAll(client_id) => Some(client_id),
        }
    }
}

/// A TPP whose lock is held.
pub(super) struct State {
    pub(super) tpp: TppId,
    pub(super) client_id: ClientId,
    pub(super) served: bool,
    own_order: Option<DeliveryOrder>,
    pub(super) registrations: Registrations,
    pub(super) revision: u64,
    /// How often its pushing began anew.
    pub(super) begun: i64,
    pub(super) totals: Totals,
    /// The last number given to an entry of its history.
    pub(super) entries: i64,
    /// Which kinds may be outstanding, each from which position on.
    pub(super) kinds: Vec<(i32, i64)>,
    /// From this position on events may stand outside the order of pushes.
    pub(super) unlisted_from: Option<i64>,
    /// The latest moment of an acceptance.
    pub(super) accepted_until: Timestamp,
    /// Up to this position some stand behind what was accepted long after them.
    pub(super) unordered_to: i64,
    /// About when it was given events last.
    pub(super) seen_at: Timestamp,
    pub(super) bounds: Bounds,
    bounds_read: Bounds,
    pub(super) lane: Option<LaneState>,
    /// What the database's clock said when this was read.
    pub(super) clock: Timestamp,
    /// Whether the row is to be written.
    pub(super) is_changed: bool,
}

/// How many events stand where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Totals {
    pub(super) accepted: i64,
    pub(super) acknowledged: i64,
    pub(super) failed: i64,
    pub(super) expired: i64,
    pub(super) withdrawn: i64,
}

/// Where walks along the indexes of `outstanding` begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) first_position: i64,
    /// By family.
    pub(super) due_from: [i64; FAMILIES],
    pub(super) push_from: i64,
}

/// A lane, as far as news of its TPP needs it.
pub(super) struct LaneState {
    health: Health,
    wake_at: Option<Timestamp>,
    news_at: Option<Timestamp>,
    owner: Option<Owner>,
}

/// Who has a lane, by a lease that holds.
struct Owner {
    node_id: String,
    epoch: i64,
    claim: i64,
}

/// Locks these TPPs and reads them. What is missing is locked by somebody else. Some of them are waited for, first.
pub(super) async fn lock(
    db: &Session,
    tpps: &[i64],
    awaited: Vec<i64>,
) -> Result<HashMap<TppId, State>, Error> {
    let all = tpps.to_vec();
    let others: Vec<i64> = all
        .iter()
        .copied()
        .filter(|tpp| !awaited.contains(tpp))
        .collect();
    let locked = async |lock, tpps: &Vec<i64>| {
        if tpps.is_empty() {
            return Ok(Vec::new());
        }
        db.rows(lock, &[tpps]).await
    };
    let (one, some, states) =
        futures_util::try_join!(locked(LOCK, &awaited), locked(LOCK_FREE, &others), async {
            db.rows(STATES, &[&all]).await
        })?;
    let locked: Vec<i64> = one
        .iter()
        .chain(&some)
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    let mut found = HashMap::with_capacity(locked.len());
    for row in &states {
        let tpp = row.try_get(0)?;
        if locked.contains(&tpp) {
            found.insert(TppId(tpp), State::read(row)?);
        }
    }
    Ok(found)
}

impl State {
    fn read(row: &Row) -> Result<Self, Error> {
        let client_id: String = row.try_get(1)?;
        let due_from: Vec<i64> = row.try_get(17)?;
        let kinds: Vec<i32> = row.try_get(12)?;
        let kinds_from: Vec<i64> = row.try_get(13)?;
        let own_order: i16 = row.try_get(3)?;
        let bounds = Bounds {
            first_position: row.try_get(16)?,
            due_from: due_from.try_into().unwrap_or([0; FAMILIES]),
            push_from: row.try_get(18)?,
        };
        Ok(Self {
            tpp: TppId(row.try_get(0)?),
            served: row.try_get(2)?,
            own_order: codes::own_order(own_order.into()),
            revision: u64::try_from(row.try_get::<_, i64>(4)?).unwrap_or_default(),
            begun: row.try_get(5)?,
            totals: Totals {
                accepted: row.try_get(6)?,
                acknowledged: row.try_get(7)?,
                failed: row.try_get(8)?,
                expired: row.try_get(9)?,
                withdrawn: row.try_get(10)?,
            },
            entries: row.try_get(11)?,
            kinds: kinds.into_iter().zip(kinds_from).collect(),
            unlisted_from: row.try_get(14)?,
            accepted_until: moment(row, 15)?,
            seen_at: moment(row, 40)?,
            unordered_to: row.try_get(41)?,
            clock: moment(row, 42)?,
            bounds,
            bounds_read: bounds,
            registrations: Registrations {
                subscription: registration(row, 19, "an event-subscription")?.map(
                    |(id, wish, api, created_at, changed_at)| Subscription {
                        id,
                        wish,
                        api,
                        created_at,
                        changed_at,
                    },
                ),
                callback_url: registration(row, 24, "a callback-url")?.map(
                    |(id, wish, api, created_at, changed_at)| CallbackUrl {
                        id,
                        wish,
                        api,
                        created_at,
                        changed_at,
                    },
                ),
            },
            lane: LaneState::read(row, 29, &client_id)?,
            client_id: parse(&client_id, "client_id")?,
            is_changed: false,
        })
    }

    /// The order in which it is pushed to.
    pub(super) fn order(&self, rules: &Rules) -> DeliveryOrder {
        self.own_order.unwrap_or(rules.switches.order)
    }

    /// The next number for an entry of its history.
    pub(super) fn next_entry(&mut self) -> i64 {
        self.is_changed = true;
        self.entries += 1;
        self.entries
    }

    /// Whether the row has to be written. A bound that could be higher is no reason; one that has to be lower is.
    pub(super) fn is_to_be_written(&self) -> bool {
        self.is_changed || self.bounds.is_below(&self.bounds_read)
    }

    /// One more is accepted; answers at which position.
    pub(super) fn accepts(&mut self, now: Timestamp) -> i64 {
        self.is_changed = true;
        self.totals.accepted += 1;
        if self.accepted_until.since(now) > OUT_OF_ORDER_MAX {
            self.unordered_to = self.totals.accepted;
        }
        self.accepted_until = self.accepted_until.max(now);
        self.totals.accepted
    }

    /// Whether something may be outstanding that was accepted, by this clock, in the future.
    pub(super) fn is_behind(&self, now: Timestamp) -> bool {
        self.accepted_until > now
    }

    /// Whether the lane is this claim's, and its lease holds.
    pub(super) fn is_owned_by(&self, claim: &Claim) -> bool {
        let owner = self.lane.as_ref().and_then(|lane| lane.owner.as_ref());
        owner.is_some_and(|owner| {
            owner.node_id == claim.lease.node_id.as_str()
                && owner.epoch == count(claim.lease.epoch)
                && owner.claim == count(claim.number)
        })
    }

    /// There is something to push from a moment of the database's clock on. Answers whether the lane's row has to say so: a busy lane's first news says
    /// it all. What another node does to the lane meanwhile does no harm: before it lets go of the lane it looks for work,
    /// under the lock that is held here.
    pub(super) fn hears(&mut self, at: Timestamp) -> bool {
        let is_new = self.lane.is_none();
        let lane = self.lane.get_or_insert(LaneState {
            health: Health::Responsive,
            wake_at: None,
            news_at: None,
            owner: None,
        });
        let wakes_at = match &lane.health {
            Health::Responsive => Some(at),
            other => other.next_probe_at().map(|probe_at| probe_at.max(at)),
        };
        let is_sooner = |known: Option<Timestamp>, at: Timestamp| known.is_none_or(|it| at < it);
        let is_news = is_new
            || is_sooner(lane.news_at, at)
            || wakes_at.is_some_and(|at| is_sooner(lane.wake_at, at));
        lane.news_at = lane.news_at.into_iter().chain([at]).min();
        lane.wake_at = lane.wake_at.into_iter().chain(wakes_at).min();
        is_news
    }
}

impl Bounds {
    /// Nothing is known any more but what is always right.
    pub(super) const fn begin_anew(&mut self) {
        self.due_from = [0; FAMILIES];
        self.push_from = 0;
    }

    /// A row stands here now.
    pub(super) fn include(&mut self, row: &super::open::Open) {
        self.first_position = self.first_position.min(row.position);
        let due_from = &mut self.due_from[family(row.family)];
        *due_from = row.due_at.unix_ms().min(*due_from);
        if let Some(push_at) = row.push_at {
            self.push_from = self.push_from.min(push_at.unix_ms());
        }
    }
}

impl Bounds {
    fn is_below(&self, other: &Self) -> bool {
        self.first_position < other.first_position
            || self.push_from < other.push_from
            || (0..FAMILIES).any(|family| self.due_from[family] < other.due_from[family])
    }
}

impl LaneState {
    fn read(row: &Row, from: usize, client_id: &str) -> Result<Option<Self>, Error> {
        let Some(health) = row.try_get::<_, Option<i16>>(from)? else {
            return Ok(None);
        };
        let failures: i64 = row.try_get(from + 3)?;
        let reason: Option<String> = row.try_get(from + 5)?;
        let health = HealthColumns {
            state: health.into(),
            since: row.try_get(from + 1)?,
            declared_at: row.try_get(from + 2)?,
            failures: u32::try_from(failures).unwrap_or(u32::MAX),
            next_probe_at: row.try_get(from + 4)?,
            reason: reason.as_deref(),
        };
        let owner: Option<String> = row.try_get(from + 8)?;
        let epoch: Option<i64> = row.try_get(from + 9)?;
        let claim = row.try_get(from + 10)?;
        Ok(Some(Self {
            health: health.read(client_id)?,
            wake_at: moment_or_null(row, from + 6)?,
            news_at: moment_or_null(row, from + 7)?,
            owner: owner.zip(epoch).map(|(node_id, epoch)| Owner {
                node_id,
                epoch,
                claim,
            }),
        }))
    }
}

/// The place of a family's code.
pub(super) fn family(code: i16) -> usize {
    usize::try_from(code).map_or(0, |code| code.min(FAMILIES - 1))
}

type Registered<W> = (
    oyez_domain::ids::RegistrationId,
    W,
    oyez_domain::version::ApiVersion,
    Timestamp,
    Timestamp,
);

/// A registration from `id, wish, api, created_at, changed_at`.
fn registration<W: DeserializeOwned>(
    row: &Row,
    from: usize,
    what: &str,
) -> Result<Option<Registered<W>>, Error> {
    let Some(id) = row.try_get::<_, Option<&str>>(from)? else {
        return Ok(None);
    };
    Ok(Some((
        parse(id, "registration id")?,
        from_json(row.try_get(from + 1)?, what)?,
        parse(row.try_get(from + 2)?, "version")?,
        moment(row, from + 3)?,
        moment(row, from + 4)?,
    )))
}

/// What [`lock`] asks.
pub(super) const READS: [&str; 3] = [LOCK, LOCK_FREE, STATES];

/// The families that there are.
pub(super) const FAMILIES: usize = 4;

/// Positions tell the order of acceptances to this much: nodes' clocks differ a little, and are set back by more.
pub(super) const OUT_OF_ORDER_MAX: Duration = Duration::from_secs(60);

pub(super) const LOCK: &str = "
    SELECT tpp FROM queues WHERE tpp = ANY ($1::bigint[]) ORDER BY tpp FOR UPDATE";

pub(super) const LOCK_FREE: &str = "
    SELECT tpp FROM queues WHERE tpp = ANY ($1::bigint[]) ORDER BY tpp FOR UPDATE SKIP LOCKED";

/// Leases go by the database's clock.
pub(super) const STATES: &str = concat!(
    "
    SELECT q.tpp, t.client_id, t.disabled_at IS NULL, t.own_order, q.revision, q.begun,
        q.accepted, q.acknowledged, q.failed, q.expired, q.withdrawn, q.entries, q.kinds, q.kinds_from,
        q.unlisted_from, q.accepted_until, q.first_position, q.due_from, q.push_from,
        s.id, s.wish, s.api, s.created_at, s.changed_at, c.id, c.wish, c.api, c.created_at, c.changed_at,
        l.health, l.since, l.declared_at, l.failures, l.next_probe_at, l.reason, l.wake_at, l.news_at,
        n.node_id, n.epoch, l.claim, q.seen_at, q.unordered_to,
        (extract(epoch FROM clock_timestamp()) * 1000)::bigint
    FROM unnest($1::bigint[]) a (tpp)
        JOIN queues q ON q.tpp = ANY (ARRAY[a.tpp])
        JOIN tpps t ON t.tpp = ANY (ARRAY[a.tpp])
        LEFT JOIN LATERAL (SELECT * FROM registrations r WHERE ",
    of_key!("r", ("tpp", "kind") = ("a.tpp", "0")),
    ") s ON true
        LEFT JOIN LATERAL (SELECT * FROM registrations r WHERE ",
    of_key!("r", ("tpp", "kind") = ("a.tpp", "1")),
    ") c ON true
        LEFT JOIN lanes l ON l.tpp = ANY (ARRAY[a.tpp])
        LEFT JOIN nodes n ON n.node_id = ANY (ARRAY[l.owner]) AND n.epoch = l.epoch
            AND n.expires_at > (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
);
