//! What a group of polls reads, in one message: what they name, and what they may choose.

use oyez_domain::ledger::poll::{Patience, Poll};
use oyez_domain::tpp::DeliveryOrder;
use uuid::Uuid;

use super::Polling;
use crate::Error;
use crate::codes::family_code;
use crate::postgres::clock;
use crate::postgres::columns::uuid;
use crate::postgres::group::Known;
use crate::postgres::session::{Session, Values};
use crate::postgres::state::State;
use crate::postgres::work::{self, Candidate, candidates};

/// The events that a group of polls names.
pub(super) struct Named {
    pub(super) tpps: Vec<i64>,
    pub(super) jtis: Vec<Uuid>,
    /// Those that end by it.
    pub(super) acknowledged: (Vec<i64>, Vec<Uuid>),
}

impl Named {
    pub(super) fn of(group: &[&Polling], known: &Known) -> Self {
        let mut named = Self {
            tpps: Vec::new(),
            jtis: Vec::new(),
            acknowledged: (Vec::new(), Vec::new()),
        };
        for ask in group {
            let Some(tpp) = known.get(&ask.poll.client_id) else {
                continue;
            };
            let acks = ask.poll.acks.iter().map(|jti| (jti, true));
            let errors = ask.poll.errors.iter();
            let errors = errors.map(|(jti, error)| (jti, error.is_duplicate_notice()));
            for (jti, ends) in acks.chain(errors) {
                named.tpps.push(tpp.0);
                named.jtis.push(uuid(*jti));
                if ends {
                    named.acknowledged.0.push(tpp.0);
                    named.acknowledged.1.push(uuid(*jti));
                }
            }
        }
        named
    }
}

/// The bounds of walks, by request; those of another order, and of TPPs that nobody knows, have none.
pub(super) struct Bounds {
    pub(super) tpps: Vec<Option<i64>>,
    pub(super) families: Vec<i32>,
    pub(super) rows_max: Vec<i64>,
    /// What is due later is chosen by none of them.
    pub(super) now: Vec<i64>,
}

impl Bounds {
    pub(super) fn of(group: &[&Polling], known: &Known, order: DeliveryOrder) -> Self {
        let tpp = |ask: &&Polling| {
            let is_meant = ask.poll.limits.order == order;
            let tpp = known.get(&ask.poll.client_id).filter(|_| is_meant);
            tpp.map(|tpp| tpp.0)
        };
        Self {
            tpps: group.iter().map(tpp).collect(),
            families: group.iter().map(|ask| visible(&ask.poll)).collect(),
            rows_max: group.iter().map(|ask| ask.rows_max()).collect(),
            now: group.iter().map(|ask| ask.chosen_until()).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tpps.iter().all(Option::is_none)
    }
}

impl Polling {
    /// What falls due after this moment waits.
    fn chosen_until(&self) -> i64 {
        match self.poll.patience {
            Patience::Immediate => i64::MAX,
            Patience::WaitForDue => self.now.unix_ms(),
        }
    }

    /// As many as can be chosen or fail, and another: two where the first alone says what is next.
    pub(super) fn rows_max(&self) -> i64 {
        let poll = &self.poll;
        let may_go = match poll.limits.order {
            DeliveryOrder::Concurrent => i64::from(poll.events_max),
            DeliveryOrder::Strict => 1,
        };
        let errors = poll.errors.iter();
        let errors = errors.filter(|(_, error)| !error.is_duplicate_notice());
        may_go + i64::try_from(errors.count()).unwrap_or(i64::MAX >> 1) + 1
    }
}

/// What waits for its turn only, by a clock that is behind another's: as much as may be chosen, and the next.
pub(super) async fn turns(
    db: &Session,
    state: &State,
    ask: &Polling,
    known: &Known,
) -> Result<Vec<Candidate>, Error> {
    let (gone, gone_jtis) = Named::of(&[ask], known).acknowledged;
    let (now, until) = (ask.now.unix_ms(), state.accepted_until.unix_ms());
    let (families, rows_max) = (visible(&ask.poll), ask.rows_max());
    let values: Values<'_> = &[
        &state.tpp.0,
        &now,
        &until,
        &rows_max,
        &families,
        &gone,
        &gone_jtis,
    ];
    let mut found = vec![Vec::new()];
    work::by_request(&db.rows(TURNS, values).await?, &mut found)?;
    Ok(found.into_iter().flatten().collect())
}

/// The families that a token may see, a bit each.
pub(super) fn visible(poll: &Poll) -> i32 {
    let families = poll.families.iter();
    families.fold(0, |bits, family| bits | 1 << family_code(*family))
}

pub(super) fn is_visible(poll: &Poll, family: i16) -> bool {
    visible(poll) >> family & 1 == 1
}

pub(in crate::postgres) const FIRST_DUE: &str = candidates!(
    "unnest($1::bigint[], $2::integer[], $3::bigint[], $6::bigint[]) WITH ORDINALITY a (tpp, families, rows_max, now, nth)
        JOIN queues q ON q.tpp = ANY (ARRAY[a.tpp])
        CROSS JOIN LATERAL (
            SELECT d.*, CASE WHEN d.due_at <= a.now THEN ARRAY[d.tpp] ELSE '{}'::bigint[] END AS read
            FROM generate_series(0, 3) f (family)
                CROSS JOIN LATERAL (
                    SELECT d.* FROM outstanding d
                    WHERE d.tpp = a.tpp AND d.family = f.family::smallint AND d.due_at >= q.due_from[f.family + 1]
                        AND (d.tpp, d.jti) NOT IN (SELECT * FROM unnest($4::bigint[], $5::uuid[]))
                    ORDER BY d.due_at, d.position LIMIT a.rows_max) d
            WHERE a.families >> f.family & 1 = 1
            ORDER BY d.due_at, d.position LIMIT a.rows_max) o",
    "o.due_at, o.position"
);

pub(in crate::postgres) const OLDEST: &str = candidates!(
    "unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY a (tpp, rows_max, nth)
        JOIN queues q ON q.tpp = ANY (ARRAY[a.tpp])
        CROSS JOIN LATERAL (
            SELECT d.*, ARRAY[d.tpp] AS read FROM outstanding d
            WHERE d.tpp = a.tpp AND d.position >= q.first_position
                AND (d.tpp, d.jti) NOT IN (SELECT * FROM unnest($3::bigint[], $4::uuid[]))
            ORDER BY d.position LIMIT a.rows_max) o",
    "o.position"
);

pub(in crate::postgres) const TURNS: &str = candidates!(
    concat!(
        "(VALUES (1::bigint)) a (nth) CROSS JOIN LATERAL (
            SELECT d.*, ARRAY[d.tpp] AS read FROM generate_series(0, 3) f (family) CROSS JOIN LATERAL (",
        clock::walk_but_for_it!("d.due_at", " AND d.family = f.family::smallint"),
        ") d
            WHERE $5::integer >> f.family & 1 = 1
                AND (d.tpp, d.jti) NOT IN (SELECT * FROM unnest($6::bigint[], $7::uuid[])) AND ",
        clock::turns_but_for_it!("d.due_at"),
        ") o"
    ),
    "o.due_at, o.position"
);
