//! The door: connections are taken as long as nobody says stop, whatever goes wrong with one of them.
//!
//! The kernel completes connections before we take them, and a client may send as soon as it has one. So the last thing before
//! the socket is closed is to take whoever stands in the queue: closing it would reset them, and they could not know whether
//! their request was seen. Whoever comes later is refused, and knows that nothing was. (Less than a microsecond lies between, in
//! which the kernel may still let somebody in.)

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::bounds::Bounds;
use super::connection::{Connection, House};
use super::crowd::{Counting, Crowd};
use super::gateway::Gateway;
use super::tls::Tls;
use crate::metrics::Connections;

/// A bound socket and what it takes to serve it.
pub struct Listener {
    /// Where connections come in.
    pub socket: TcpListener,
    /// How they are secured, each new one by the latest value. None: not at all.
    pub tls: Option<watch::Receiver<Arc<Tls>>>,
    /// Who else may say which certificate a client has.
    pub gateway: Option<Gateway>,
    /// How many, how much, how long.
    pub bounds: Bounds,
    /// What is counted.
    pub connections: Connections,
}

impl Listener {
    /// Serves until `stop`, then answers what is in flight and the first request of whoever has just connected, closes what is
    /// idle, and returns when the last connection has ended. Each connection is a task of `tasks`. There is no deadline here:
    /// whoever has waited for long enough drops this future and ends the runtime.
    pub async fn serve(self, router: Router, stop: CancellationToken, tasks: TaskTracker) {
        let bounds = Arc::new(self.bounds);
        let crowd = Crowd::new(bounds.connections_max, bounds.connections_per_address_max);
        let house = Arc::new(House {
            router,
            bounds,
            gateway: self.gateway,
            stop: stop.clone(),
            tasks: tasks.clone(),
            connections: self.connections,
        });
        let socket = self.socket;
        let admit = |tcp: TcpStream, address: SocketAddr| {
            let address = canonical(address);
            let place = match crowd.enter(address.ip(), house.counting(address.ip())) {
                Ok(place) => place,
                Err(full) => {
                    // Told at once, the client can go elsewhere; in a queue it would only wait.
                    house.connections.turned_away();
                    debug!(%address, "a connection was turned away: {full}");
                    return;
                }
            };
            let tls = self.tls.as_ref().map(|tls| tls.borrow().config());
            undelayed(&tcp);
            let connection = Connection { tcp, address, tls };
            let open = house.connections.open();
            let house = Arc::clone(&house);
            tasks.spawn(async move {
                connection.serve(house).await;
                drop((open, place));
            });
        };
        let accepting = async {
            loop {
                let (tcp, address) = persistently(|| socket.accept()).await;
                admit(tcp, address);
            }
        };
        stop.run_until_cancelled(accepting).await;
        match close(socket) {
            Ok(queue) => queue
                .into_iter()
                .for_each(|(tcp, address)| admit(tcp, address)),
            Err(error) => warn!("whoever stood in the queue was lost: {error}"),
        }
        crowd.empty().await;
    }
}

impl House {
    fn counting(&self, address: IpAddr) -> Counting {
        match &self.gateway {
            Some(gateway) if gateway.is_at(address) => Counting::InAll,
            _ => Counting::ByAddress,
        }
    }
}

/// Until it succeeds. A client that is gone before it was taken is passed over; when descriptors or memory have run out, time
/// helps, and those who leave.
async fn persistently<T, F>(mut accept: impl FnMut() -> F) -> T
where
    F: Future<Output = io::Result<T>>,
{
    let mut pause = PAUSE_MIN;
    loop {
        match accept().await {
            Ok(taken) => return taken,
            Err(error) if is_of_the_client(&error) => debug!("a connection was lost: {error}"),
            Err(error) => {
                warn!("connections cannot be taken for the moment: {error}");
                sleep(pause).await;
                pause = PAUSE_MAX.min(pause * 2);
            }
        }
    }
}

/// Closes a socket, and returns who had connected to it by then.
fn close(socket: TcpListener) -> io::Result<Vec<(TcpStream, SocketAddr)>> {
    let socket = socket.into_std()?;
    let mut queue = Vec::new();
    // Nobody can keep it open by coming again and again.
    while queue.len() < QUEUE_MAX {
        match socket.accept() {
            Ok((tcp, address)) => {
                tcp.set_nonblocking(true)?;
                queue.push((TcpStream::from_std(tcp)?, address));
            }
            Err(error) if is_of_the_client(&error) => {}
            // It is empty, or descriptors have run out.
            Err(_) => break,
        }
    }
    Ok(queue)
}

fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Answers are whole when they are written: nothing is gained by waiting for more.
fn undelayed(tcp: &TcpStream) {
    if let Err(error) = tcp.set_nodelay(true) {
        debug!("a socket keeps its delay: {error}");
    }
}

/// Short enough that nobody notices when it was one descriptor.
const PAUSE_MIN: Duration = Duration::from_millis(5);

/// The longest queue that Linux keeps unless it is told otherwise (net.core.somaxconn).
const QUEUE_MAX: usize = 4096;

/// Long enough not to fill the log.
const PAUSE_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::future::ready;

    use tokio::time::Instant;

    use super::*;

    //
    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        let mapped = "[::ffff:192.0.2.1]:7".parse().unwrap();
        assert_eq!(canonical(mapped), "192.0.2.1:7".parse().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn accepting_outlasts_a_lack_of_descriptors() {
        let began = Instant::now();
        let mut failures = [24, 24, 23, 12, 105, 24, 24, 24, 24, 24].into_iter();
        let taken = persistently(|| {
            let failure = failures.next().map(io::Error::from_raw_os_error);
            ready(failure.map_or(Ok("a client"), Err))
        });
        assert_eq!(taken.await, "a client");
        // 5 ms, doubled up to a second: pressure eases, and the log is not filled.
        assert_eq!(began.elapsed().as_millis(), 5 * 255 + 1_000 * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn accepting_does_not_pause_for_a_client_that_left() {
        let began = Instant::now();
        let mut failures = [io::ErrorKind::ConnectionAborted; 5].into_iter();
        let taken = persistently(|| {
            let failure = failures.next().map(io::Error::from);
            ready(failure.map_or(Ok("a client"), Err))
        });
        assert_eq!(taken.await, "a client");
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
