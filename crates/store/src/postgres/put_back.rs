//! What was chosen for pushing and not tried is given back (P-14).

use std::sync::Arc;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::push::Choice;
use oyez_domain::time::Timestamp;

use super::Shared;
use super::changes::Changes;
use super::columns::uuid;
use super::group::{self, Known, Work};
use super::line::{Kind, Request};
use super::open::Open;
use super::session::Session;
use super::waiting::Waiting;
use super::work;
use crate::Error;

/// What was chosen for pushing and not tried, and when that was said.
pub(super) struct PutBack {
    pub(super) client_id: ClientId,
    pub(super) choices: Vec<Choice>,
    pub(super) now: Timestamp,
}

impl Kind for PutBack {
    type Ask = Self;
    type Answer = u64;
    const NAME: &'static str = "events put back";

    fn rows(ask: &Self) -> usize {
        ask.choices.len().max(1)
    }

    async fn serve(shared: &Arc<Shared>, group: Vec<Request<Self>>) {
        group::serve(shared, group).await;
    }
}

impl Work for PutBack {
    type Read = Vec<Open>;
    const READS: &'static [&'static str] = &[work::NAMED];

    fn clients(ask: &Self) -> impl Iterator<Item = &ClientId> + Send {
        std::iter::once(&ask.client_id)
    }

    async fn read(
        _shared: &Shared,
        db: &Session,
        group: &[&Self],
        known: &Known,
    ) -> Result<Vec<Open>, Error> {
        let (mut tpps, mut jtis) = (Vec::new(), Vec::new());
        for ask in group {
            if let Some(tpp) = known.get(&ask.client_id) {
                tpps.extend(ask.choices.iter().map(|_| tpp.0));
                jtis.extend(ask.choices.iter().map(|choice| uuid(choice.jti)));
            }
        }
        work::named(db, &tpps, &jtis).await
    }

    fn decide(
        changes: &mut Changes,
        (_, ask): (usize, &Self),
        known: &Known,
        rows: &mut Vec<Open>,
    ) -> Result<u64, Error> {
        changes.take_in(rows.drain(..));
        let Some(tpp) = known.get(&ask.client_id) else {
            return Ok(0);
        };
        let mut put_back = 0;
        let mut next_push_at: Option<Timestamp> = None;
        for choice in &ask.choices {
            let key = (*tpp, choice.jti);
            let flies = changes
                .outstanding(key)
                .is_some_and(|row| row.flight_until == Some(choice.in_flight_until));
            if !flies {
                continue;
            }
            let push_at = changes.change(key, |row| {
                let turn = row.turn();
                row.land(Some(turn));
                row.pushed_from(ask.now)
            });
            put_back += 1;
            next_push_at = next_push_at.into_iter().chain(push_at.flatten()).min();
        }
        if put_back > 0 {
            changes.polls_news(*tpp, &ask.client_id);
        }
        changes.came_back(*tpp, next_push_at, ask.now)?;
        Ok(put_back)
    }

    fn waiting(shared: &Shared) -> &Waiting<Self> {
        &shared.waiting.put_back
    }
}
