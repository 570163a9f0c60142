//! What never changes once it was read, and so may be kept: which number a TPP has, and which a kind.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use oyez_domain::event::Notice;
use oyez_domain::ids::ClientId;

use super::group::Known;
use super::session::Session;
use crate::Error;
use crate::codes::{TppId, parse, to_json};

/// The numbers of TPPs.
#[derive(Default)]
pub(super) struct Roster(Mutex<HashMap<ClientId, TppId>>);

/// The numbers of kinds, by the text of their types.
#[derive(Default)]
pub(super) struct Kinds(Mutex<HashMap<String, i32>>);

impl Roster {
    /// The numbers of these TPPs, without those that nobody knows.
    pub(super) async fn numbers(
        &self,
        db: &Session,
        clients: impl Iterator<Item = &ClientId>,
    ) -> Result<Known, Error> {
        let (mut known, unknown) = self.look_up(clients);
        if !unknown.is_empty() {
            for row in db.rows(NUMBERS, &[&unknown]).await? {
                let client_id: ClientId = parse(row.try_get(0)?, "client_id")?;
                let tpp = TppId(row.try_get(1)?);
                self.all().insert(client_id.clone(), tpp);
                known.insert(client_id, tpp);
            }
        }
        Ok(known)
    }

    fn look_up<'a>(&self, clients: impl Iterator<Item = &'a ClientId>) -> (Known, Vec<String>) {
        let all = self.all();
        let mut known = Known::new();
        let mut unknown = BTreeSet::new();
        for client_id in clients {
            if known.contains_key(client_id) {
                continue;
            }
            match all.get(client_id) {
                Some(tpp) => drop(known.insert(client_id.clone(), *tpp)),
                None => drop(unknown.insert(client_id.as_str().to_owned())),
            }
        }
        (known, unknown.into_iter().collect())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ClientId, TppId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kinds {
    /// Sees to it that these notices have kinds.
    pub(super) async fn make(
        &self,
        db: &Session,
        notices: impl Iterator<Item = &Notice>,
    ) -> Result<(), Error> {
        let new: BTreeSet<String> = {
            let all = self.all();
            notices
                .map(types)
                .filter(|types| !all.contains_key(types))
                .collect()
        };
        if new.is_empty() {
            return Ok(());
        }
        let new: Vec<String> = new.into_iter().collect();
        db.execute(MAKE, &[&new]).await?;
        for row in db.rows(KINDS, &[&new]).await? {
            self.all().insert(row.try_get(1)?, row.try_get(0)?);
        }
        Ok(())
    }

    /// The kind of a notice, if it was made.
    pub(super) fn of(&self, notice: &Notice) -> Option<i32> {
        self.all().get(&types(notice)).copied()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What routing goes by when a registration changes.
fn types(notice: &Notice) -> String {
    to_json(&notice.types())
}

const NUMBERS: &str = "SELECT client_id, tpp FROM tpps WHERE client_id = ANY ($1::text[])";

// Whoever comes second finds them made.
const MAKE: &str = "
    INSERT INTO kinds (types) SELECT unnest($1::text[]) ORDER BY 1 ON CONFLICT DO NOTHING";

const KINDS: &str = "SELECT kind, types FROM kinds WHERE types = ANY ($1::text[])";
