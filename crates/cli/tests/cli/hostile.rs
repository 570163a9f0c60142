//! Input by those who mean ill, to both listeners of the real process: each thing is refused cleanly or cut off, memory stays
//! bounded through all of it at once, and a client that behaves is served meanwhile.
//!
//! Single bounds of the listener are tested where it is; here is what they come to together.

mod bodies;
mod frames;
mod shapes;

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use oyez_testkit::colleague::Colleague;
use oyez_testkit::tpp::{Caller, Site};
use rustls::pki_types::ServerName;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::house::{self, EVENTS, House, SUBSCRIPTIONS};
use shapes::Then;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A listener, and what opens an operation there that reads a body.
#[derive(Clone)]
enum Door {
    Tpps(Caller, Arc<Site>),
    Internal { address: String, token: String },
}

/// The client that behaves: it publishes, polls and acknowledges, and is always served.
struct Polite {
    stop: CancellationToken,
    served: JoinSet<usize>,
}

impl Door {
    fn both(house: &House, tpp: &Caller) -> [Self; 2] {
        let internal = Self::Internal {
            address: house.internal().to_owned(),
            token: house.token("admin"),
        };
        [Self::Tpps(tpp.clone(), Arc::clone(house.site())), internal]
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Tpps(..) => "the listener for TPPs",
            Self::Internal { .. } => "the internal listener",
        }
    }

    /// A connection, in HTTP/1 unless TLS agrees on something else.
    async fn open(&self, protocol: &[u8]) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tpps(tpp, site) => {
                let versions = rustls::ALL_VERSIONS;
                let mut config = site.authority.client_config(tpp.certificate(), versions);
                config.alpn_protocols = vec![protocol.to_vec()];
                let tcp = TcpStream::connect(site.address()).await?;
                let name = ServerName::try_from("localhost").unwrap();
                let tls = TlsConnector::from(Arc::new(config))
                    .connect(name, tcp)
                    .await?;
                Ok(Box::new(tls))
            }
            Self::Internal { address, .. } => Ok(Box::new(TcpStream::connect(address).await?)),
        }
    }

    /// The beginning of a request that is allowed to do what it does.
    fn head(&self) -> String {
        let (path, token) = match self {
            Self::Tpps(tpp, _) => (EVENTS, tpp.token().mint()),
            Self::Internal { token, .. } => ("/v1/events", token.clone()),
        };
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json"
        )
    }

    /// Says this, and answers what came until the end.
    async fn say(&self, protocol: &[u8], bytes: &[u8], then: Then) -> Vec<u8> {
        let stream = self.open(protocol).await.unwrap();
        let (mut reading, mut writing) = tokio::io::split(stream);
        let mut answer = Vec::new();
        let write = async {
            // Whoever is not listened to may find the connection closed.
            let sent = async { writing.write_all(bytes).await.and(writing.flush().await) };
            if sent.await.is_ok() && then == Then::Leaves {
                writing.shutdown().await.ok();
            }
        };
        let read = async { reading.read_to_end(&mut answer).await.ok() };
        let ended = timeout(PATIENCE, async { tokio::join!(write, read) }).await;
        let said = || String::from_utf8_lossy(&bytes[..bytes.len().min(1_000)]);
        assert!(ended.is_ok(), "kept open: {} {answer:?}", said());
        answer
    }
}

impl Polite {
    fn begin(tpp: Caller, publisher: Colleague) -> Self {
        let stop = CancellationToken::new();
        let mut served = JoinSet::new();
        served.spawn(behave(tpp, publisher, stop.clone()));
        Self { stop, served }
    }

    async fn was_served(mut self) {
        self.stop.cancel();
        let times = self.served.join_next().await.unwrap().unwrap();
        assert!(times > 0);
    }
}

async fn behave(tpp: Caller, publisher: Colleague, stop: CancellationToken) -> usize {
    let mut times = 0;
    while times == 0 || !stop.is_cancelled() {
        let item = house::item(tpp.client_id(), "r-1", &format!("polite-{times}"));
        let told = timeout(PATIENCE, publisher.post("/v1/events", &item))
            .await
            .unwrap();
        let told = told.json();
        assert_eq!(told["outcomes"][0]["outcome"], "accepted", "{told}");
        let mut ack = Vec::new();
        for expected in [1, 0] {
            let body = json!({ "ack": ack, "returnImmediately": true });
            let polling = tpp.post(EVENTS).json(&body).send();
            let answer = timeout(PATIENCE, polling).await.unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            ack = house::sets(&answer.json())
                .into_iter()
                .map(|(jti, _)| jti)
                .collect();
            assert_eq!(
                ack.len(),
                expected,
                "what it was told, and then nothing more"
            );
        }
        times += 1;
    }
    times
}

/// The status of each answer in the order they came; 0 alone is none.
fn statuses(answer: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answer);
    let found: Vec<u16> = text
        .match_indices("HTTP/1.1 ")
        .filter_map(|(at, word)| text.get(at + word.len()..)?.get(..3)?.parse().ok())
        .collect();
    if found.is_empty() { vec![0] } else { found }
}

/// Every body, to every operation of both APIs that reads one.
async fn bodies(house: &House, tpp: &Caller) {
    for body in bodies::all() {
        let name = body.name;
        let is_far_too_long = body.bytes.len() > 4 << 20;
        let mut all = JoinSet::new();
        for path in [EVENTS, SUBSCRIPTIONS, "/open-banking/v3.1/callback-urls"] {
            let request = tpp.post(path).header("content-type", "application/json");
            let sending = request.body(body.bytes.clone()).try_send();
            all.spawn(async move {
                let answer = match sending.await {
                    Ok(answer) => answer,
                    // Whoever goes on sending far beyond the bound is cut off, and may not hear why.
                    Err(_) if is_far_too_long => return,
                    Err(error) => panic!("{name} to {path}: {error}"),
                };
                assert!(
                    matches!(answer.status, 400 | 413),
                    "{name} to {path}: {answer:?}"
                );
                assert!(answer.body.len() <= ANSWER_BYTES_MAX, "{name} to {path}");
            });
        }
        let [_, internal] = Door::both(house, tpp);
        let (head, length) = (internal.head(), body.bytes.len());
        let head = format!("{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        let request = [head.into_bytes(), body.bytes].concat();
        all.spawn(async move {
            let answer = internal.say(b"", &request, Then::Listens).await;
            let found = statuses(&answer);
            // An item that is nothing is rejected as an item: the request was fine.
            assert!(matches!(found[..], [200 | 400 | 413]), "{name}: {found:?}");
            assert!(answer.len() <= ANSWER_BYTES_MAX, "{name}");
        });
        all.join_all().await;
    }
}

/// Every shape, to both listeners; what was answered otherwise is told all at once.
async fn shapes(doors: &[Door; 2]) {
    let mut wrong = Vec::new();
    for door in doors {
        for shape in shapes::all() {
            let head = format!("{}\r\n{}\r\n\r\n", door.head(), shape.head);
            let request = [head.into_bytes(), shape.body].concat();
            let found = statuses(&door.say(b"http/1.1", &request, shape.then).await);
            if found.len() != 1 || !shape.answers.contains(&found[0]) {
                wrong.push((door.name(), shape.name, found));
            }
        }
        for (number, beginning) in shapes::beginnings().iter().enumerate() {
            let found = statuses(&door.say(b"http/1.1", beginning, Then::Leaves).await);
            let fits = |status: &u16| [0, 400, 401, 404, 414, 431, 505].contains(status);
            assert!(
                found.iter().all(fits),
                "{}: beginning {number}: {found:?}",
                door.name()
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Many that say something and then nothing, all at once; they are let go when the barrage is over.
async fn loiterers(doors: &[Door; 2]) -> Vec<Box<dyn Stream>> {
    let mut held = Vec::new();
    for number in 0..LOITERERS {
        let door = &doors[number % 2];
        let mut stream = door.open(b"http/1.1").await.unwrap();
        let said = match number % 6 {
            0 | 1 => "POST /v1/ev".to_owned(),
            2 | 3 => format!("{}\r\nX-Slow: a", door.head()),
            _ => format!(
                "{}\r\nContent-Length: 1000000\r\n\r\n{}",
                door.head(),
                "[".repeat(60_000)
            ),
        };
        stream.write_all(said.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        held.push(stream);
    }
    held
}

/// `./test --quick` leaves these out.
mod slow {
    use super::*;

    // G-06, G-07, A-05, I-01, I-05
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whatever_is_said_is_refused_within_bounds_while_others_are_served() {
        let mut house = House::new(&[]);
        house.start();
        let tpp = house.subscriber("tpp-1").await;
        let doors = Door::both(&house, &tpp);
        let polite = house.subscriber("tpp-2").await;
        let polite = Polite::begin(polite, house.colleague("publisher"));
        let held = loiterers(&doors).await;
        bodies(&house, &tpp).await;
        shapes(&doors).await;
        for flood in frames::all() {
            let answer = doors[0].say(b"h2", &flood.bytes, Then::Leaves).await;
            assert!(answer.len() <= FLOOD_ANSWER_BYTES_MAX, "{}", flood.name);
        }
        polite.was_served().await;
        drop(held);
        let peak = peak_kib(&house);
        tell(peak);
        assert!(peak <= PEAK_KIB_MAX, "{peak} KiB");
        assert!(!house.log().contains("panicked"), "{}", house.log());
        assert_eq!(house.stop(), 0);
    }

    // G-07, I-01
    #[tokio::test]
    async fn a_body_that_stops_coming_is_408_on_both_listeners() {
        let mut house = House::new(&[]);
        house.start();
        let tpp = house.subscriber("tpp-1").await;
        let stall = async |door: &Door| {
            let head = format!("{}\r\nContent-Length: 100\r\n\r\n{{", door.head());
            statuses(&door.say(b"http/1.1", head.as_bytes(), Then::Listens).await)
        };
        let [tpps, internal] = &Door::both(&house, &tpp);
        let found = tokio::join!(stall(tpps), stall(internal));
        assert_eq!(found, (vec![408], vec![408]));
    }
}

/// The most memory that the server ever had.
fn peak_kib(house: &House) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", house.process_id())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[expect(clippy::print_stderr, reason = "what a campaign did is for people")]
fn tell(peak: u64) {
    eprintln!("the server had {peak} KiB at most");
}

/// Far longer than any of it takes; the paces of the listener are shorter.
const PATIENCE: Duration = Duration::from_secs(60);
const LOITERERS: usize = 600;
/// What is wrong with a body is told of so many faults and no more.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// An answer to each of some thousand frames.
const FLOOD_ANSWER_BYTES_MAX: usize = 4 << 20;
/// Half of what a small container has.
const PEAK_KIB_MAX: u64 = 256 * 1024;
