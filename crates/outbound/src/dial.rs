//! From a target to a connection: resolve, judge, dial what was judged, secure it.

use std::io;
use std::net::{IpAddr, SocketAddr};

use oyez_domain::address::{Kept, Verdict, judge};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use url::Host;

use crate::client::{Client, PlainHttp, Setup};
use crate::connection::{Protocol, Sender};
use crate::error::{Class, Fault, Trail};
use crate::proxy::{self, Proxy, Resolution};
use crate::target::{Scheme, Target};
use crate::tls;

/// Why an address is not dialled.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{address} is {kept}")]
    Kept { address: IpAddr, kept: Kept },
    #[error("{0} is not this machine, and plain HTTP goes nowhere else")]
    NotLoopback(IpAddr),
}

#[derive(Debug, thiserror::Error)]
#[error("plain HTTP is refused")]
struct PlainHttpRefused;

#[derive(Debug, thiserror::Error)]
#[error("the name has no address")]
struct NoAddress;

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct At(SocketAddr, #[source] io::Error);

impl Client {
    /// A new connection. Within `deadline`, all of it.
    pub(crate) async fn open(
        &self,
        target: &Target,
        deadline: Instant,
        trail: &mut Trail,
    ) -> Result<Sender, Fault> {
        let setup = self.setup();
        let is_plain = target.scheme() == Scheme::Http;
        if is_plain && setup.plain_http == PlainHttp::Refused {
            return Err(Fault::new(Class::RefusedUrl, PlainHttpRefused));
        }
        let stream = match &setup.proxy {
            Some(proxy) if !is_plain => self.dial_through(proxy, target, deadline, trail).await?,
            _ => {
                let addresses = self.judged_addresses(target).await?;
                let dialled = &mut trail.peer.address;
                dial(&addresses, target.port(), deadline, dialled).await?
            }
        };
        if is_plain {
            return Sender::open(stream, Protocol::Http1, self.tracker()).await;
        }
        self.secure(stream, target, trail).await
    }

    async fn secure(
        &self,
        stream: TcpStream,
        target: &Target,
        trail: &mut Trail,
    ) -> Result<Sender, Fault> {
        let connector = TlsConnector::from(self.setup().tls.config());
        let stream = connector
            .connect(target.server_name(), stream)
            .await
            .map_err(|error| Fault::new(Class::Tls, error))?;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        trail.peer.tls_version = session
            .protocol_version()
            .map(|version| tls::version_name(version).to_owned());
        trail.peer.certificate_thumbprint = certificate.map(tls::thumbprint);
        let protocol = match session.alpn_protocol() {
            Some(tls::HTTP_2) => Protocol::Http2,
            _ => Protocol::Http1,
        };
        Sender::open(stream, protocol, self.tracker()).await
    }

    async fn dial_through(
        &self,
        proxy: &Proxy,
        target: &Target,
        deadline: Instant,
        trail: &mut Trail,
    ) -> Result<TcpStream, Fault> {
        let port = target.port();
        let asked_for = match (proxy.resolution, target.host()) {
            (Resolution::AtProxy, Host::Domain(name)) => format!("{name}:{port}"),
            _ => {
                let addresses = self.judged_addresses(target).await?;
                let address = SocketAddr::new(addresses[0], port);
                trail.peer.address = Some(address);
                address.to_string()
            }
        };
        let of_proxy = |fault: Fault| fault.with_class(Class::Proxy);
        let addresses = self.resolve(&proxy.host).await.map_err(of_proxy)?;
        let mut stream = dial(&addresses, proxy.port, deadline, &mut None)
            .await
            .map_err(of_proxy)?;
        proxy::connect(&mut stream, &asked_for, proxy.authorization.as_ref()).await?;
        Ok(stream)
    }

    /// What may be dialled of all that the name stands for now; at least one.
    async fn judged_addresses(&self, target: &Target) -> Result<Vec<IpAddr>, Fault> {
        let found = match target.host() {
            Host::Domain(name) => self.resolve(name).await?,
            Host::Ipv4(v4) => vec![IpAddr::V4(*v4)],
            Host::Ipv6(v6) => vec![IpAddr::V6(*v6)],
        };
        let mut refused = None;
        let mut judged = Vec::new();
        for address in found {
            match verdict(address, target.scheme(), self.setup()) {
                Ok(()) => judged.push(address.to_canonical()),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        match refused {
            Some(why) if judged.is_empty() => Err(Fault::new(Class::RefusedAddress, why)),
            _ => Ok(alternating(&judged)),
        }
    }

    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Fault> {
        let found = self.look_up(name).await;
        let found = found.map_err(|error| Fault::new(Class::Resolve, error))?;
        if found.is_empty() {
            return Err(Fault::new(Class::Resolve, NoAddress));
        }
        Ok(found)
    }
}

fn verdict(address: IpAddr, scheme: Scheme, setup: &Setup) -> Result<(), Refused> {
    match scheme {
        Scheme::Http if address.to_canonical().is_loopback() => Ok(()),
        Scheme::Http => Err(Refused::NotLoopback(address)),
        Scheme::Https => match judge(address, &setup.addresses) {
            Verdict::Public | Verdict::Allowed(_) => Ok(()),
            Verdict::Refused(kept) => Err(Refused::Kept { address, kept }),
        },
    }
}

/// Both families take turns, the one that the resolver prefers first: a family that is broken here costs one try.
fn alternating(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let prefers_v6 = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .iter()
        .copied()
        .partition(|address| address.is_ipv6() == prefers_v6);
    let mut turns = Vec::with_capacity(addresses.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let turn = [first.next(), second.next()];
        if turn == [None, None] {
            turns.truncate(TRIES_MAX);
            return turns;
        }
        turns.extend(turn.into_iter().flatten());
    }
}

/// One address after the other; each has an equal share of the time that is left.
async fn dial(
    addresses: &[IpAddr],
    port: u16,
    deadline: Instant,
    dialled: &mut Option<SocketAddr>,
) -> Result<TcpStream, Fault> {
    let mut last = Fault::new(Class::Resolve, NoAddress);
    for (tries, address) in addresses.iter().enumerate() {
        let address = SocketAddr::new(*address, port);
        *dialled = Some(address);
        let now = Instant::now();
        let left = u32::try_from(addresses.len() - tries).unwrap_or(u32::MAX);
        let share = now + deadline.saturating_duration_since(now) / left;
        match timeout_at(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without it small writes may wait; a socket that refuses it still works.
                drop(stream.set_nodelay(true));
                return Ok(stream);
            }
            Ok(Err(error)) => last = Fault::new(Class::Connect, At(address, error)),
            Err(elapsed) => last = Fault::new(Class::Timeout, At(address, elapsed.into())),
        }
    }
    Err(last)
}

/// A name with more addresses than this is not reached better by trying them all.
const TRIES_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use super::alternating;

    // D-11
    #[test]
    fn both_families_take_turns_and_the_preferred_begins() {
        let turns = |addresses: &[&str]| {
            let parsed: Vec<_> = addresses.iter().map(|text| text.parse().unwrap()).collect();
            let turns = alternating(&parsed);
            turns.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let six_first = turns(&["::a", "::b", "::c", "1.0.0.1", "1.0.0.2"]);
        assert_eq!(six_first, ["::a", "1.0.0.1", "::b", "1.0.0.2", "::c"]);
        let four_first = turns(&["1.0.0.1", "::a", "::b"]);
        assert_eq!(four_first, ["1.0.0.1", "::a", "::b"]);
        let many = ["::1", "::2", "::3", "::4", "::5", "::6", "::7", "1.0.0.1"];
        assert_eq!(turns(&many), ["::1", "1.0.0.1", "::2", "::3", "::4", "::5"]);
        assert!(turns(&[]).is_empty());
    }
}
