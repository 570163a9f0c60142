//! Waiting itself: the room under its lock, the bells, and the clock.
//!
//! A wait is a value: dropping it, with the future that holds it, frees its place and hands on what it had been called for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oyez_domain::ids::ClientId;
use oyez_domain::time::Clock;
use oyez_store::{Awaited, Listen, News};
use tokio::time::{Instant, sleep_until};

use super::line::{Seat, View};
use super::options::Options;
use super::room::{Bells, Learned, Next, Room};
use crate::metrics::Answered;

/// Polls that wait for an event.
#[derive(Debug, Default)]
pub struct Waiters {
    options: Options,
    room: Mutex<Room>,
}

/// How many wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Polls that sleep now.
    pub waiting: usize,
    /// Polls that were answered early because more than the bounds waited, since the start.
    pub evicted: u64,
}

impl Waiters {
    /// Nobody, within these bounds.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            room: Mutex::default(),
        }
    }

    /// Something of this TPP may be due, or a poll of it went without an answer. Cheap where nobody waits.
    pub(super) fn wake(&self, client_id: &ClientId) {
        let bells = self.room().call(client_id);
        ring(&bells);
    }

    /// Answers everyone who waits, with nothing, and lets nobody wait from now on: the server shuts down.
    pub fn drain(&self) {
        let bells = self.room().close();
        ring(&bells);
    }

    /// How many wait.
    pub fn counts(&self) -> Counts {
        let room = self.room();
        Counts {
            waiting: room.sleeping(),
            evicted: room.evicted(),
        }
    }

    /// Takes a place in the TPP's line, before the ledger is asked.
    pub(super) fn join(&self, client_id: &ClientId, view: View) -> Waiting<'_> {
        Waiting {
            waiters: self,
            seat: self.room().join(client_id, view),
            posture: Posture::Awake,
        }
    }

    /// The ledger told a poll, waiting or not, what is due when.
    pub(super) fn learn(&self, client_id: &ClientId, view: View, learned: Learned) {
        let bells = self.room().learn(client_id, view, learned);
        ring(&bells);
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the ledger tells, on the thread that writes: a look at the map per TPP, and a bell where somebody waits.
impl Listen for Waiters {
    fn heard(&self, news: &[News]) {
        for News {
            client_id,
            polls,
            ends,
            ..
        } in news
        {
            if *polls {
                self.wake(client_id);
            } else if *ends {
                let bells = self.room().call_for_the_next(client_id);
                ring(&bells);
            }
        }
    }

    fn awaits(&self) -> Vec<Awaited> {
        self.room().awaited()
    }
}

/// A poll's place in its line, as long as this lives.
pub(super) struct Waiting<'a> {
    waiters: &'a Waiters,
    seat: Arc<Seat>,
    posture: Posture,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Posture {
    Awake,
    Asleep,
    /// Not in its line any more.
    Gone,
}

/// How a sleep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    /// Something may be due: ask the ledger.
    Called,
    /// Answer with nothing.
    Over(Answered),
}

impl Waiting<'_> {
    /// Sleeps until there is something to ask the ledger for, and `until` at the latest.
    pub(super) async fn sleep(&mut self, until: Instant, clock: &dyn Clock) -> Woken {
        if Instant::now() >= until {
            return Woken::Over(Answered::WaitedOut);
        }
        let (mut next, bells) =
            self.waiters
                .room()
                .lie_down(&self.seat, self.waiters.options, clock.now());
        if matches!(next, Next::Sleep(_)) {
            self.posture = Posture::Asleep;
        }
        ring(&bells);
        loop {
            match next {
                Next::Ask => {
                    self.posture = Posture::Awake;
                    return Woken::Called;
                }
                Next::Leave(how) => {
                    if self.posture == Posture::Asleep {
                        self.posture = Posture::Gone;
                    }
                    return Woken::Over(how);
                }
                Next::Sleep(alarm) => {
                    let in_time = |alarm| Instant::now().checked_add(alarm);
                    let alarm = alarm.and_then(|at| in_time(at.since(clock.now())));
                    let alarm = alarm.map_or(until, |alarm| alarm.min(until));
                    tokio::select! {
                        () = self.seat.bell.notified() => {}
                        () = sleep_until(alarm) => {}
                    }
                    next = self.look(until, clock);
                }
            }
        }
    }

    fn look(&self, until: Instant, clock: &dyn Clock) -> Next {
        let time_is_up = Instant::now() >= until;
        let mut room = self.waiters.room();
        let (next, bells) = room.look(&self.seat, clock.now(), time_is_up);
        drop(room);
        ring(&bells);
        next
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        match self.posture {
            Posture::Awake => self.waiters.room().leave(&self.seat),
            Posture::Asleep => {
                let bells = self.waiters.room().lose(&self.seat);
                ring(&bells);
            }
            Posture::Gone => {}
        }
    }
}

/// Never under the lock: whom a bell wakes may do anything.
fn ring(bells: &Bells) {
    for seat in bells {
        seat.bell.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use oyez_domain::event::Family;
    use oyez_domain::time::Timestamp;
    use oyez_domain::tpp::DeliveryOrder;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            NOW
        }
    }

    fn tpp() -> ClientId {
        ClientId::new("tpp").unwrap()
    }

    fn all() -> View {
        View::of(&Family::ALL, DeliveryOrder::Concurrent)
    }

    fn once<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Lies down; the sleep is dropped, and its place with the wait.
    fn lies_down<'a>(waiters: &'a Waiters) -> Waiting<'a> {
        let mut waiting = waiters.join(&tpp(), all());
        let until = Instant::now() + Duration::from_secs(25);
        assert!(once(waiting.sleep(until, &Still)).is_pending());
        waiting
    }

    // P-07
    #[tokio::test(start_paused = true)]
    async fn whoever_goes_leaves_nothing_behind_in_whatever_posture() {
        let waiters = Waiters::default();
        drop(waiters.join(&tpp(), all()));
        assert!(waiters.room().is_empty(), "awake");
        drop(lies_down(&waiters));
        assert!(waiters.room().is_empty(), "asleep");
        let called = lies_down(&waiters);
        waiters.wake(&tpp());
        drop(called);
        assert!(waiters.room().is_empty(), "called");
        let mut called = lies_down(&waiters);
        waiters.wake(&tpp());
        let until = Instant::now() + Duration::from_secs(25);
        assert_eq!(called.look(until, &Still), Next::Ask);
        called.posture = Posture::Awake;
        waiters.wake(&tpp());
        drop(called);
        assert!(waiters.room().is_empty(), "called while it asked");
        let drained = lies_down(&waiters);
        waiters.drain();
        drop(drained);
        assert!(waiters.room().is_empty(), "sent away");
    }

    // P-07
    #[tokio::test(start_paused = true)]
    async fn news_that_comes_while_all_ask_makes_one_of_them_ask_again() {
        let waiters = Waiters::default();
        let mut polls = [(); 3].map(|()| waiters.join(&tpp(), all()));
        waiters.wake(&tpp());
        waiters.wake(&tpp());
        let until = Instant::now() + Duration::from_secs(25);
        let asked_again =
            polls
                .iter_mut()
                .filter_map(|poll| match once(poll.sleep(until, &Still)) {
                    Poll::Ready(woken) => Some(woken),
                    Poll::Pending => None,
                });
        assert_eq!(asked_again.collect::<Vec<_>>(), [Woken::Called]);
        assert_eq!(waiters.counts().waiting, 2);
    }

    // P-07
    #[tokio::test(start_paused = true)]
    async fn whoever_looks_for_lost_news_is_told_who_sleeps_and_what_its_token_sees() {
        let waiters = Waiters::default();
        let mut polls = [Family::Vrp, Family::Aisp].map(|family| {
            let view = View::of(&[family, Family::Pisp], DeliveryOrder::Concurrent);
            waiters.join(&tpp(), view)
        });
        assert_eq!(waiters.awaits(), [], "all are awake, and ask by themselves");
        let until = Instant::now() + Duration::from_secs(25);
        let awaited = |families: &[Family]| {
            vec![Awaited {
                client_id: tpp(),
                polls: families.to_vec(),
                pushes: false,
            }]
        };
        assert!(once(polls[0].sleep(until, &Still)).is_pending());
        assert_eq!(waiters.awaits(), awaited(&[Family::Pisp, Family::Vrp]));
        assert!(once(polls[1].sleep(until, &Still)).is_pending());
        let both = [Family::Aisp, Family::Pisp, Family::Vrp];
        assert_eq!(waiters.awaits(), awaited(&both));
        drop(polls);
        assert_eq!(waiters.awaits(), []);
    }
}
