//! A TCP proxy that breaks things: it stands before a database, or before several servers as their balancer.
//!
//! It knows nothing of what it carries. What it does to connections is told at any moment, and holds for those that are open too.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The proxy. Dropped, it is gone, with all its connections.
pub struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
    gone: CancellationToken,
}

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Everything passes.
    Fair,
    /// What clients say arrives so much later, piece by piece.
    Slow(Duration),
    /// Connections stay open and new ones are taken; nothing passes, and nothing is lost.
    Silent,
    /// Connections break off, and new ones end at once.
    Away,
}

struct Line {
    weather: watch::Sender<Weather>,
    targets: Mutex<Targets>,
    /// Cancelled, all connections break off; then there is a new one.
    cut: Mutex<CancellationToken>,
}

struct Targets {
    all: Vec<SocketAddr>,
    /// The next connection begins its search here.
    next: usize,
}

impl Proxy {
    /// On a port of its own, before these.
    pub async fn before(targets: &[SocketAddr]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let gone = CancellationToken::new();
        let line = Arc::new(Line {
            weather: watch::Sender::new(Weather::Fair),
            targets: Mutex::new(Targets {
                all: targets.to_vec(),
                next: 0,
            }),
            cut: Mutex::new(gone.child_token()),
        });
        let accepting = accept(listener, Arc::clone(&line));
        let gone_too = gone.clone();
        TaskTracker::new().spawn(async move { gone_too.run_until_cancelled(accepting).await });
        Self {
            address,
            line,
            gone,
        }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// New connections go to these from now on, to one after the other; who refuses one is passed over.
    pub fn lead_to(&self, targets: &[SocketAddr]) {
        self.line.targets.lock().unwrap().all = targets.to_vec();
    }

    /// From now on.
    pub fn turn(&self, weather: Weather) {
        self.line.weather.send_replace(weather);
        if weather == Weather::Away {
            self.break_off();
        }
    }

    /// All connections break off; new ones are welcome.
    pub fn break_off(&self) {
        let mut cut = self.line.cut.lock().unwrap();
        cut.cancel();
        *cut = self.gone.child_token();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

async fn accept(listener: TcpListener, line: Arc<Line>) {
    while let Ok((client, _)) = listener.accept().await {
        let cut = line.cut.lock().unwrap().clone();
        let carrying = connect(client, Arc::clone(&line));
        TaskTracker::new().spawn(async move { cut.run_until_cancelled(carrying).await });
    }
}

async fn connect(client: TcpStream, line: Arc<Line>) {
    if *line.weather.borrow() == Weather::Away {
        return;
    }
    let Some(server) = line.dial().await else {
        return;
    };
    let nodelay = [&client, &server].map(|stream| stream.set_nodelay(true));
    if nodelay.iter().any(Result::is_err) {
        return;
    }
    let (asked, answering) = client.into_split();
    let (answered, asking) = server.into_split();
    // Whichever side ends first, the other has nobody to talk to.
    tokio::select! {
        () = carry(asked, asking, line.weather.subscribe(), Weather::delay) => {}
        () = carry(answered, answering, line.weather.subscribe(), |_| Duration::ZERO) => {}
    }
}

impl Line {
    /// A connection to the next target that takes one.
    async fn dial(&self) -> Option<TcpStream> {
        let candidates: Vec<SocketAddr> = {
            let mut targets = self.targets.lock().unwrap();
            let first = targets.next;
            targets.next = first.wrapping_add(1);
            let all = targets.all.iter().copied();
            all.cycle()
                .skip(first % targets.all.len().max(1))
                .take(targets.all.len())
                .collect()
        };
        for target in candidates {
            if let Ok(stream) = TcpStream::connect(target).await {
                return Some(stream);
            }
        }
        None
    }
}

impl Weather {
    /// By how much clients are late.
    const fn delay(self) -> Duration {
        match self {
            Self::Slow(by) => by,
            Self::Fair | Self::Silent | Self::Away => Duration::ZERO,
        }
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    delay: impl Fn(Weather) -> Duration,
) {
    let mut piece = vec![0; PIECE_BYTES_MAX];
    while let Ok(bytes @ 1..) = from.read(&mut piece).await {
        let late_by = delay(*weather.borrow());
        if !late_by.is_zero() {
            sleep(late_by).await;
        }
        let passes = weather.wait_for(|weather| *weather != Weather::Silent);
        if passes.await.is_err() || to.write_all(&piece[..bytes]).await.is_err() {
            return;
        }
    }
}

/// What is read at once.
const PIECE_BYTES_MAX: usize = 64 * 1024;
