//! A group of requests as one short transaction: lock, read, decide, write.
//!
//! A group takes the locks of its TPPs that are free and waits for none, so that two nodes' groups never wait for each other, and
//! no TPP's long transaction delays those who stand in a group with it. Requests of a TPP whose lock somebody else has leave the
//! group and stand in a line of that TPP ([`super::waiting`]), where its later requests join them in their order. Who waits for
//! a lock holds no other: a batch for several TPPs waits in the line of one, takes the locks of the rest that are free then, and
//! changes to the line of the next that is not.
//!
//! What one request does wrong, or slowly, is its own fault: then each request of the group is done again alone.

use std::collections::HashMap;
use std::iter;
use std::sync::Arc;

use oyez_domain::ids::ClientId;

use super::Shared;
use super::changes::Changes;
use super::line::{Kind, Request};
use super::mishap::Mishap;
use super::pool::Held;
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

    /// Whether a request is about to do so much for its TPP that nobody is to stand in a group with it.
    fn goes_alone(_state: &State, _ask: &Self::Ask) -> bool {
        false
    }

    /// Reads more, or prepares the ground, where what was read says that it takes that: rare. What it writes is committed with
    /// a TPP's state, which it marks as changed.
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
    if !group.is_empty() {
        serve_with(shared, group, Locking::Skip).await;
    }
}

/// Does a group; who cannot have a lock that is skipped, waits for it in a line of its TPP.
pub(super) async fn serve_with<K: Work>(
    shared: &Arc<Shared>,
    group: Vec<Request<K>>,
    locking: Locking<'_>,
) {
    let asks: Vec<&K::Ask> = group.iter().map(|request| &request.ask).collect();
    let fate = attempt::<K>(shared, &asks, locking).await;
    let faulty = match &fate {
        Err(Failed::By(error)) if group.len() > 1 && may_be_ones(error) => error.clone(),
        _ => return tell(shared, group, fate, locking).await,
    };
    let mut too_slow = 0;
    let mut left = group.into_iter();
    while let Some(request) = left.next() {
        if too_slow > TOO_SLOW_MAX {
            request.answer(Err(faulty.clone()));
            continue;
        }
        let fate = attempt::<K>(shared, &[&request.ask], locking).await;
        if matches!(fate, Err(Failed::By(Error::TimedOut { .. }))) {
            too_slow += 1;
        }
        if let (Err(Failed::Locked(_)), Some(client_id)) = (&fate, locking.awaited()) {
            // Those behind it wait for the same lock: they go back together, in their order.
            let back = iter::once(request).chain(left).collect();
            return K::waiting(shared).go_on_waiting(client_id, back);
        }
        tell(shared, vec![request], fate, locking).await;
    }
}

/// Answers a group, or has it wait. Where nothing was written the answers go before their transaction has ended: that would be
/// another way to the database and back.
async fn tell<K: Work>(
    shared: &Arc<Shared>,
    group: Vec<Request<K>>,
    fate: Result<Served<K::Answer>, Failed>,
    locking: Locking<'_>,
) {
    let waiting = K::waiting(shared);
    match (fate, locking.awaited()) {
        (Ok(Served { done, db }), _) => {
            for (request, done) in group.into_iter().zip(done) {
                match done {
                    Done::Answered(answer) => request.answer(Ok(answer)),
                    Done::Elsewhere(client_id) => waiting.wait(shared, client_id, request),
                }
            }
            db.roll_back().await;
        }
        (Err(Failed::Locked(_)), Some(client_id)) => waiting.go_on_waiting(client_id, group),
        (Err(Failed::By(error) | Failed::Locked(error)), _) => {
            for request in group {
                request.answer(Err(error.clone()));
            }
        }
    }
}

/// A group that was done, and its session, whose transaction is still open if nothing was written.
struct Served<A> {
    done: Vec<Done<A>>,
    db: Held,
}

/// What became of a request.
enum Done<A> {
    Answered(A),
    /// It is done in the line of this TPP: somebody else has its lock, or it takes long.
    Elsewhere(ClientId),
}

/// Nothing of the group happened.
enum Failed {
    /// By this fault.
    By(Error),
    /// Somebody else has the lock that was waited for.
    Locked(Error),
}

/// Whether a fault may be that of one request of a group.
const fn may_be_ones(error: &Error) -> bool {
    matches!(error, Error::Inconsistent { .. } | Error::TimedOut { .. })
}

/// Does a group, and again where it may go better at once.
async fn attempt<K: Work>(
    shared: &Arc<Shared>,
    group: &[&K::Ask],
    locking: Locking<'_>,
) -> Result<Served<K::Answer>, Failed> {
    let mut tries_left = TRIES_MAX;
    loop {
        let db = shared.pool.take().await.map_err(Failed::By)?;
        tries_left -= 1;
        let error = match run::<K>(shared, &db, group, locking).await {
            Ok(done) => return Ok(Served { done, db }),
            Err(error) => error,
        };
        let mishap = db.mishap();
        db.roll_back().await;
        shared.partitions.forget();
        match mishap {
            Mishap::LostRace | Mishap::Stale if tries_left > 0 => {}
            Mishap::Locked => return Err(Failed::Locked(error)),
            _ => return Err(Failed::By(shared.named(error))),
        }
    }
}

async fn run<K: Work>(
    shared: &Arc<Shared>,
    db: &Session,
    group: &[&K::Ask],
    locking: Locking<'_>,
) -> Result<Vec<Done<K::Answer>>, Error> {
    let clients = group.iter().flat_map(|ask| K::clients(ask));
    let known = shared.roster.numbers(db, clients).await?;
    K::prepare(shared, db, group).await?;
    let mut tpps: Vec<i64> = known.values().map(|tpp| tpp.0).collect();
    tpps.sort_unstable();
    let awaited = match locking {
        Locking::Skip => Vec::new(),
        Locking::WaitFor(client_id) => known.get(client_id).map(|tpp| tpp.0).into_iter().collect(),
        Locking::WaitForAll(_) => tpps.clone(),
    };
    db.prepare(&state::READS).await?;
    db.prepare(K::READS).await?;
    let ((), states, mut read) = futures_util::try_join!(
        db.begin(),
        state::lock(db, &tpps, awaited),
        K::read(shared, db, group, &known)
    )?;
    let mut changes = Changes::new(Arc::clone(&shared.rules), states);
    let elsewhere: Vec<Option<ClientId>> = group
        .iter()
        .map(|ask| elsewhere::<K>(&changes.states, &known, ask, locking))
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
            Some(client_id) => Some(Done::Elsewhere(client_id)),
            None => answers.next().map(Done::Answered),
        });
    Ok(done.collect())
}

/// In whose line a request is to be done, if not here: somebody else has a lock, or it takes long.
fn elsewhere<K: Work>(
    states: &HashMap<TppId, State>,
    known: &Known,
    ask: &K::Ask,
    locking: Locking<'_>,
) -> Option<ClientId> {
    let mut clients = K::clients(ask);
    let is_elsewhere = |client_id: &&ClientId| {
        let Some(tpp) = known.get(*client_id) else {
            return false;
        };
        match states.get(tpp) {
            Some(state) => locking == Locking::Skip && K::goes_alone(state, ask),
            None => true,
        }
    };
    clients.find(is_elsewhere).cloned()
}

/// A group that lost a race this often meets something else than chance.
const TRIES_MAX: u32 = 4;

/// If more than so many of a group take too long by themselves, it is none of theirs.
const TOO_SLOW_MAX: u32 = 2;
