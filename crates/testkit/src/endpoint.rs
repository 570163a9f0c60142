//! An HTTPS server that behaves as it is told: a TPP's callback URL, a host of key sets, a token server.
//!
//! Told three things: how it greets a connection ([`Greeting`], [`Endpoint::show`]), how it behaves at each path
//! ([`Behaviour`], one after the other or by the request: [`Manner`]), and whether it is there at all
//! ([`Endpoint::go_down`]). It may be told anew at any moment. HTTP/1.1 is written by hand, so that answers can be anything;
//! HTTP/2 is hyper's, for endpoints that behave.
//!
//! Everything that comes is kept, in order, before it is answered: [`Inbox`] is what tests ask of it. A campaign that kills
//! processes has it written to disk too ([`Book`]), so that nobody need believe the memory of whoever was killed.

mod behaviour;
mod bomb;
mod book;
mod front;
mod http1;
mod http2;
mod seen;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::certificates::{Authority, Certified};
use front::{Door, Front};

pub use behaviour::{Behaviour, Echo, Flaw, Manner};
pub use bomb::UNPACKED_BYTES;
pub use book::{Book, Entry};
pub use front::Greeting;
pub use seen::{Came, Inbox, Seen};

/// The server. Dropped, it is gone: connections are refused.
pub struct Endpoint {
    address: SocketAddr,
    state: Arc<State>,
    door: tokio::sync::Mutex<Option<Door>>,
    gone: CancellationToken,
}

/// What all its connections share.
struct State {
    front: Mutex<Front>,
    manners: Mutex<Manners>,
    log: watch::Sender<Log>,
    book: OnceLock<Book>,
    /// Cancelled, all connections break off; then there is a new one.
    cut: Mutex<CancellationToken>,
}

struct Manners {
    by_path: HashMap<String, Manner>,
    otherwise: Manner,
}

/// What happened so far.
#[derive(Default)]
struct Log {
    all: Vec<Arc<Seen>>,
    by_path: HashMap<String, Inbox>,
    connections: u64,
    open: usize,
    in_progress: usize,
    in_progress_max: usize,
}

/// Its life.
impl Endpoint {
    /// On a port of its own; every path is 404 until it is told otherwise.
    pub async fn start(certified: &Certified) -> Self {
        let gone = CancellationToken::new();
        let state = Arc::new(State {
            front: Mutex::new(Front::new(certified)),
            manners: Mutex::new(Manners {
                by_path: HashMap::new(),
                otherwise: Behaviour::status(404).into(),
            }),
            log: watch::Sender::default(),
            book: OnceLock::new(),
            cut: Mutex::new(gone.child_token()),
        });
        let (door, address) = Door::closed();
        let door = door.opened(&state, &gone);
        Self {
            address,
            state,
            door: tokio::sync::Mutex::new(Some(door)),
            gone,
        }
    }

    /// From now on connections are refused, and those that are open break off. Its port stays its own.
    pub async fn go_down(&self) {
        let mut door = self.door.lock().await;
        let open = door.take().expect(DOOR);
        *door = Some(open.shut(self.address).await);
        self.break_off();
    }

    /// It listens again, where it did before.
    pub async fn come_up(&self) {
        let mut door = self.door.lock().await;
        let closed = door.take().expect(DOOR);
        *door = Some(closed.opened(&self.state, &self.gone));
    }

    /// All connections break off, whatever is in progress; new ones are welcome.
    pub fn break_off(&self) {
        let mut cut = self.state.cut.lock().unwrap();
        cut.cancel();
        *cut = self.gone.child_token();
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a path is.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }
}

/// What it is told.
impl Endpoint {
    /// From now on, requests to this path (without its query) are answered so.
    pub fn behave(&self, path: &str, manner: impl Into<Manner>) {
        let mut manners = self.state.manners.lock().unwrap();
        manners.by_path.insert(path.to_owned(), manner.into());
    }

    /// From now on, requests to any path that nothing was said of are answered so.
    pub fn behave_otherwise(&self, manner: impl Into<Manner>) {
        self.state.manners.lock().unwrap().otherwise = manner.into();
    }

    /// From now on, new connections are greeted so.
    pub fn greet(&self, greeting: Greeting) {
        self.state.front().greeting = greeting;
    }

    /// From now on, new connections see this certificate.
    pub fn show(&self, certified: &Certified) {
        self.state.front().certified = certified.clone();
    }

    /// From now on, new connections are asked for a certificate of this authority, and turned away without one.
    pub fn ask_for(&self, authority: &Authority) {
        self.state.front().clients = Some(authority.roots());
    }

    /// From now on it is written to this file, on disk before it is answered, what comes.
    pub fn keep_book(&self, path: &Path) {
        let kept = self.state.book.set(Book::open(path));
        assert!(kept.is_ok(), "an endpoint keeps one book");
    }
}

/// What it saw.
impl Endpoint {
    /// What came so far, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        let log = self.state.log.borrow();
        log.all.iter().map(|seen| Seen::clone(seen)).collect()
    }

    /// What came to this path so far.
    pub fn inbox(&self, path: &str) -> Inbox {
        self.state.log.borrow().inbox(path).clone()
    }

    /// How many requests came to this path.
    pub fn count(&self, path: &str) -> usize {
        self.state.log.borrow().inbox(path).arrivals().len()
    }

    /// How many connections were opened so far, greeted or not.
    pub fn connections(&self) -> u64 {
        self.state.log.borrow().connections
    }

    /// How many are open now.
    pub fn connections_open(&self) -> usize {
        self.state.log.borrow().open
    }

    /// How many requests were being answered at once, at most.
    pub fn in_progress_max(&self) -> usize {
        self.state.log.borrow().in_progress_max
    }

    /// Returns when so many requests have come to this path.
    pub async fn until_count(&self, path: &str, requests: usize) {
        self.until(path, |inbox| inbox.arrivals().len() >= requests)
            .await;
    }

    /// Returns when the inbox of this path is as described.
    pub async fn until(&self, path: &str, is_so: impl Fn(&Inbox) -> bool) {
        self.until_within(path, PATIENCE, is_so).await;
    }

    /// The same, for what takes its time.
    pub async fn until_within(
        &self,
        path: &str,
        patience: Duration,
        is_so: impl Fn(&Inbox) -> bool,
    ) {
        self.wait(path, patience, |log| is_so(log.inbox(path)))
            .await;
    }

    /// Returns when so many connections have been opened.
    pub async fn until_connections(&self, connections: u64) {
        self.wait("", PATIENCE, |log| log.connections >= connections)
            .await;
    }

    /// Returns when no connection is open.
    pub async fn until_alone(&self) {
        self.wait("", PATIENCE, |log| log.open == 0).await;
    }

    async fn wait(&self, path: &str, patience: Duration, is_so: impl Fn(&Log) -> bool) {
        let mut log = self.state.log.subscribe();
        if timeout(patience, log.wait_for(is_so)).await.is_err() {
            let inbox = self.inbox(path);
            let (arrivals, distinct) = (inbox.arrivals().len(), inbox.distinct().len());
            panic!("it never came; there are {arrivals} requests to {path}, {distinct} SETs");
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

impl State {
    fn front(&self) -> MutexGuard<'_, Front> {
        self.front.lock().unwrap()
    }

    /// Keeps a request, on disk too if there is a book, and says how it is answered.
    async fn receive(&self, mut seen: Seen) -> Behaviour {
        let behaviour = {
            let mut manners = self.manners.lock().unwrap();
            let Manners { by_path, otherwise } = &mut *manners;
            let manner = by_path.get_mut(seen.bare_path()).unwrap_or(otherwise);
            manner.next(&seen).resolved(&seen)
        };
        seen.status = behaviour.promises();
        let seen = Arc::new(seen);
        if let Some(book) = self.book.get() {
            book.write(Arc::clone(&seen)).await;
        }
        self.log.send_modify(|log| log.keep(&seen));
        behaviour
    }

    /// While the guard lives, a request is in progress.
    fn in_progress(self: &Arc<Self>) -> InProgress {
        self.log.send_if_modified(|log| {
            log.in_progress += 1;
            log.in_progress_max = log.in_progress_max.max(log.in_progress);
            false
        });
        InProgress(Arc::clone(self))
    }
}

impl Log {
    fn keep(&mut self, seen: &Arc<Seen>) {
        let path = seen.bare_path().to_owned();
        self.by_path.entry(path).or_default().keep(Arc::clone(seen));
        self.all.push(Arc::clone(seen));
    }

    fn inbox(&self, path: &str) -> &Inbox {
        static NOTHING: OnceLock<Inbox> = OnceLock::new();
        let nothing = || NOTHING.get_or_init(Inbox::default);
        self.by_path.get(path).unwrap_or_else(nothing)
    }
}

struct InProgress(Arc<State>);

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.log.send_if_modified(|log| {
            log.in_progress -= 1;
            false
        });
    }
}

const DOOR: &str = "the door is put back under the same lock";

/// How long a test waits for what should come at once.
const PATIENCE: Duration = Duration::from_secs(60);
