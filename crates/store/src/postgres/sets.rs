//! Sign, keep, send (P-09): the first bytes that are kept are the ones that go out, and only while their event is
//! outstanding (P-14).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::sets::{Kept, Purpose, Signed};
use oyez_domain::time::Timestamp;
use uuid::Uuid;

use super::Shared;
use super::changes::{Changes, Key, Polls};
use super::columns::uuid;
use super::group::{self, Known, Work};
use super::keys::may_be_sent;
use super::line::{Kind, Request};
use super::open::{OPEN_COLUMNS, Open, open_columns};
use super::partitions::Span;
use super::plans::of_key;
use super::session::Session;
use super::waiting::Waiting;
use crate::Error;
use crate::codes::TppId;

/// SETs to be kept, and when.
pub(super) struct Keep {
    pub(super) signed: Vec<Signed>,
    pub(super) now: Timestamp,
}

/// What a group goes by.
pub(super) struct Before {
    rows: Vec<Open>,
    /// The bytes that are there.
    kept: HashMap<Key, String>,
    /// There are bytes, by a key that was disowned.
    unsendable: HashSet<Key>,
    disowned: HashSet<String>,
}

impl Kind for Keep {
    type Ask = Self;
    type Answer = Vec<Kept>;
    const NAME: &'static str = "SETs to keep";

    fn rows(ask: &Self) -> usize {
        ask.signed.len().max(1)
    }

    async fn serve(shared: &Arc<Shared>, group: Vec<Request<Self>>) {
        group::serve(shared, group).await;
    }
}

impl Work for Keep {
    type Read = Before;
    const READS: &'static [&'static str] = &[OPEN_AND_KEPT, DISOWNED];

    fn clients(ask: &Self) -> impl Iterator<Item = &ClientId> + Send {
        ask.signed.iter().map(|signed| &signed.client_id)
    }

    async fn prepare(shared: &Shared, db: &Session, group: &[&Self]) -> Result<(), Error> {
        let spans = group.iter().map(|ask| Span::of(ask.now));
        shared.partitions.make(db, spans).await
    }

    async fn read(
        _shared: &Shared,
        db: &Session,
        group: &[&Self],
        known: &Known,
    ) -> Result<Before, Error> {
        let signed = || group.iter().flat_map(|ask| &ask.signed);
        let keys = signed().filter_map(|it| Some((known.get(&it.client_id)?.0, uuid(it.jti))));
        let (tpps, jtis): (Vec<i64>, Vec<Uuid>) = keys.unzip();
        let kids: HashSet<&str> = signed().map(|it| it.kid.as_str()).collect();
        let kids: Vec<&str> = kids.into_iter().collect();
        let (rows, disowned) = futures_util::try_join!(
            async { db.rows(OPEN_AND_KEPT, &[&tpps, &jtis]).await },
            async { db.rows(DISOWNED, &[&kids]).await }
        )?;
        let mut before = Before {
            rows: Vec::with_capacity(rows.len()),
            kept: HashMap::new(),
            unsendable: HashSet::new(),
            disowned: disowned
                .iter()
                .map(|row| row.try_get(0))
                .collect::<Result<_, _>>()?,
        };
        for row in &rows {
            let open = Open::read(row, 0)?;
            if let Some(bytes) = row.try_get(OPEN_COLUMNS)? {
                before.kept.insert((open.tpp, open.jti), bytes);
            } else if row.try_get(OPEN_COLUMNS + 1)? {
                before.unsendable.insert((open.tpp, open.jti));
            }
            before.rows.push(open);
        }
        Ok(before)
    }

    fn decide(
        changes: &mut Changes,
        (_, ask): (usize, &Self),
        known: &Known,
        before: &mut Before,
    ) -> Result<Vec<Kept>, Error> {
        changes.take_in(before.rows.drain(..));
        let mut polls = Polls::default();
        let outcomes = ask
            .signed
            .iter()
            .map(|signed| match known.get(&signed.client_id) {
                Some(tpp) => keep_one(changes, *tpp, signed, before, &mut polls, ask.now),
                None => Ok(Kept::NoLongerOutstanding),
            });
        outcomes.collect()
    }

    fn waiting(shared: &Shared) -> &Waiting<Self> {
        &shared.waiting.keep
    }
}

fn keep_one(
    changes: &mut Changes,
    tpp: TppId,
    signed: &Signed,
    before: &mut Before,
    polls: &mut Polls,
    now: Timestamp,
) -> Result<Kept, Error> {
    let key = (tpp, signed.jti);
    if changes.outstanding(key).is_none() {
        return Ok(Kept::NoLongerOutstanding);
    }
    let is_current = changes.state(tpp)?.revision == signed.revision;
    let bytes = match before.kept.get(&key) {
        Some(bytes) => bytes.clone(),
        None if !is_current => {
            if matches!(signed.purpose, Purpose::HandOut { .. }) {
                release(changes, key, &signed.client_id, now)?;
            }
            return Ok(Kept::ChooseAgain);
        }
        None if before.disowned.contains(&signed.kid) => return Ok(Kept::KeyDisowned),
        None => {
            if before.unsendable.remove(&key) {
                changes.superseded_sets.push(key);
            }
            changes.sets.push((key, signed.clone(), now));
            before.kept.insert(key, signed.set.clone());
            signed.set.clone()
        }
    };
    if let Purpose::HandOut {
        cap,
        interaction_id,
    } = &signed.purpose
    {
        changes.hand_out(key, polls, (interaction_id, *cap), now)?;
    }
    Ok(Kept::Send(bytes))
}

/// Nothing was handed out, so the choice does not hold the event back any more.
fn release(changes: &mut Changes, key: Key, owner: &ClientId, now: Timestamp) -> Result<(), Error> {
    let released = changes.change(key, |row| row.release(now).then(|| row.pushed_from(now)));
    if let Some(Some(push_at)) = released {
        changes.polls_news(key.0, owner);
        changes.came_back(key.0, push_at, now)?;
    }
    Ok(())
}

pub(super) const OPEN_AND_KEPT: &str = concat!(
    "SELECT ",
    open_columns!("o"),
    ", CASE WHEN ",
    may_be_sent!("s"),
    " THEN s.jws END, s.kid IS NOT NULL
    FROM unnest($1::bigint[], $2::uuid[]) a (tpp, jti)
        CROSS JOIN LATERAL (SELECT o.* FROM outstanding o WHERE ",
    of_key!("o", ("tpp", "jti") = ("a.tpp", "a.jti")),
    ") o
        LEFT JOIN sets s ON s.tpp = ANY (ARRAY[a.tpp]) AND s.jti = a.jti"
);

const DISOWNED: &str = "SELECT kid FROM disowned_keys WHERE kid = ANY ($1::text[])";
