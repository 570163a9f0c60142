//! A group of requests as one short transaction: lock, read, decide, write.
//!
//! A group takes the locks of its TPPs that are free and waits for none, so that two nodes' groups never wait for each other, and
//! no TPP's long transaction delays those who stand in a group with it. Requests of a TPP whose lock somebody else has leave the
//! group and stand in a line of that TPP ([`super::waiting`]), where its later requests join them in their order. There they
//! wait for all their locks in the order of TPPs; a batch for several TPPs holds those before the one it waits for, `lock_timeout`
//! at most.
//!
//! What one request does wrong is its own fault: then each request of the group is done again alone.

use std::collections::HashMap;
use std::sync::Arc;

use oyez_domain::ids::ClientId;

use super::Shared;
use super::changes::Changes;
use super::line::{Kind, Request};
use super::session::Session;
use super::state::{self, Locking, State};
use super::waiting::Waiting;
use super::writing;
use crate::Error;
use crate::codes::TppId;

/// A kind of request that is done in groups, under its TPPs' locks.
pub(super) trait Work: Kind {
    /// What is read together with the locks.
    type Read: Send;

    /// Statements that are sent together with the locks.
    const READS: &'static [&'static str];

    /// Whether requests of one TPP may be in one group: those that choose may not, since what one chose the next must not see.
    const SHARES_TPPS: bool = true;

    /// The TPPs it concerns, each at least once.
    fn clients(ask: &Self::Ask) -> impl Iterator<Item = &ClientId> + Send;

    /// What must be there before the group begins.
    fn prepare(
        _shared: &Shared,
        _db: &Session,
        _group: &[&Self::Ask],
    ) -> impl Future<Output = Result<(), Error>> + Send {
        std::future::ready(Ok(()))
    }

    /// Reads what decisions need. It is sent behind the locks and before it is known which were free: what was read of a TPP
    /// whose lock is not held must not be used.
    fn read(
        shared: &Shared,
        db: &Session,
        group: &[&Self::Ask],
        known: &Known,
    ) -> impl Future<Output = Result<Self::Read, Error>> + Send;

    /// Reads more, or prepares the ground, where what was read says that it takes that: rare.
    fn read_more(
        _shared: &Shared,
        _db: &Session,
        _changes: &mut Changes,
        _group: &[(usize, &Self::Ask)],
        _known: &Known,
        _read: &mut Self::Read,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        std::future::ready(Ok(()))
    }

    /// Decides the nth request of the group.
    fn decide(
        changes: &mut Changes,
        asked: (usize, &Self::Ask),
        known: &Known,
        read: &mut Self::Read,
    ) -> Result<Self::Answer, Error>;

    /// Where requests wait for the lock of their TPP.
    fn waiting(shared: &Shared) -> &Waiting<Self>
    where
        Self: Sized;
}

/// The numbers of the TPPs that a group names; one that is missing is unknown.
pub(super) type Known = HashMap<ClientId, TppId>;

/// Does a group that stood in line.
pub(super) async fn serve<K: Work>(shared: &Arc<Shared>, group: Vec<Request<K>>) {
    let group = K::waiting(shared).let_join(shared, group);
    serve_with(shared, group, Locking::Skip).await;
}

/// Does a group; who cannot have a lock that is skipped, waits for it in a line of its TPP.
pub(super) async fn serve_with<K: Work>(
    shared: &Arc<Shared>,
    group: Vec<Request<K>>,
    locking: Locking,
) {
    if group.is_empty() {
        return;
    }
    let asks: Vec<&K::Ask> = group.iter().map(|request| &request.ask).collect();
    let fate = attempt::<K>(shared, &asks, locking).await;
    match fate {
        Ok(answers) => {
            for (request, answer) in group.into_iter().zip(answers) {
                match answer {
                    Done::Answered(answer) => request.answer(Ok(answer)),
                    Done::Locked(client_id) => {
                        K::waiting(shared).wait(shared, client_id, request);
                    }
                }
            }
        }
        Err(failed) if failed.is_ones && group.len() > 1 => {
            for request in group {
                Box::pin(serve_with(shared, vec![request], locking)).await;
            }
        }
        Err(Failed { error, .. }) => {
            for request in group {
                request.answer(Err(error.clone()));
            }
        }
    }
}

/// What became of a request.
enum Done<A> {
    Answered(A),
    /// Somebody else has the lock of this TPP.
    Locked(ClientId),
}

/// Nothing of the group happened.
struct Failed {
    error: Error,
    /// It may be the fault of one request of the group.
    is_ones: bool,
}

/// Does a group, and again where it lost a race.
async fn attempt<K: Work>(
    shared: &Arc<Shared>,
    group: &[&K::Ask],
    locking: Locking,
) -> Result<Vec<Done<K::Answer>>, Failed> {
    let mut tries_left = TRIES_MAX;
    loop {
        let db = match shared.pool.take().await {
            Ok(db) => db,
            Err(error) => {
                return Err(Failed {
                    error,
                    is_ones: false,
                });
            }
        };
        tries_left -= 1;
        let error = match run::<K>(shared, &db, group, locking).await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let lost_race = db.lost_race();
        if db.is_in_transaction() {
            db.roll_back().await;
        }
        shared.partitions.forget();
        if !lost_race || tries_left == 0 {
            let is_ones = matches!(error, Error::Inconsistent { .. });
            return Err(Failed {
                error: shared.named(error),
                is_ones,
            });
        }
    }
}

async fn run<K: Work>(
    shared: &Arc<Shared>,
    db: &Session,
    group: &[&K::Ask],
    locking: Locking,
) -> Result<Vec<Done<K::Answer>>, Error> {
    let clients = group.iter().flat_map(|ask| K::clients(ask));
    let known = shared.roster.numbers(db, clients).await?;
    K::prepare(shared, db, group).await?;
    let mut tpps: Vec<i64> = known.values().map(|tpp| tpp.0).collect();
    tpps.sort_unstable();
    db.prepare(&state::READS).await?;
    db.prepare(K::READS).await?;
    let ((), states, mut read) = futures_util::try_join!(
        db.begin(),
        state::lock(db, &tpps, locking),
        K::read(shared, db, group, &known)
    )?;
    let mut changes = Changes::new(Arc::clone(&shared.rules), states);
    let locked = |client_id: &ClientId| is_locked(&changes.states, &known, client_id);
    let elsewhere: Vec<Option<ClientId>> = group
        .iter()
        .map(|ask| K::clients(ask).find(|it| locked(it)).cloned())
        .collect();
    let here: Vec<(usize, &K::Ask)> = (0..)
        .zip(group.iter().copied())
        .zip(&elsewhere)
        .filter_map(|(asked, elsewhere)| elsewhere.is_none().then_some(asked))
        .collect();
    K::read_more(shared, db, &mut changes, &here, &known, &mut read).await?;
    let mut answers = here
        .into_iter()
        .map(|asked| K::decide(&mut changes, asked, &known, &mut read))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter();
    let news = writing::commit(changes, db).await?;
    shared.tell(&news);
    let done = elsewhere
        .into_iter()
        .filter_map(|elsewhere| match elsewhere {
            Some(client_id) => Some(Done::Locked(client_id)),
            None => answers.next().map(Done::Answered),
        });
    Ok(done.collect())
}

/// Whether somebody else has the lock of a TPP that is known.
fn is_locked(states: &HashMap<TppId, State>, known: &Known, client_id: &ClientId) -> bool {
    known
        .get(client_id)
        .is_some_and(|tpp| !states.contains_key(tpp))
}

/// A group that lost a race this often meets something else than chance.
const TRIES_MAX: u32 = 4;
