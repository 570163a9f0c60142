//! The sink, its book and the bad neighbours, with the client that real pushes go through.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_domain::address::Policy;
use oyez_domain::ids::Jti;
use oyez_domain::time::Timestamp;
use oyez_jose::UnixTime;
use oyez_outbound::{
    Anchors, Class, Client, DefaultTimeProvider, Ending, Error, HeaderMap, HeaderValue, Limits,
    Method, PlainHttp, Request, Response, Setup, SystemResolver, Target, TimeProvider as _, Tls,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::neighbours::Neighbours;
use crate::args::BenchHttp;
use crate::bench::book::Book;
use crate::bench::door::{Door, acceptor};
use crate::bench::sink;
use crate::development::{Authority, Keys};

/// A bank's outgoing side, and the endpoints' certificate.
struct Bank {
    client: Client,
    tls: TlsAcceptor,
}

impl Bank {
    fn new(http: BenchHttp) -> Self {
        let now = DefaultTimeProvider.current_time().unwrap().as_secs();
        let now = UnixTime::from_seconds(now.cast_signed());
        let authority = Authority::new(Keys::P256, now).unwrap();
        let server = authority.server().unwrap();
        let certificate = CertificateDer::from_pem_slice(server.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).unwrap();
        let anchors = Anchors::from_pem(authority.identity().certificate.as_bytes()).unwrap();
        let setup = Setup {
            tls: Tls::new(&anchors, None, Arc::new(DefaultTimeProvider)).unwrap(),
            addresses: Policy {
                allowed: vec!["127.0.0.0/8".parse().unwrap()],
            },
            plain_http: PlainHttp::Refused,
            proxy: None,
            limits: Limits {
                connect: Duration::from_secs(1),
                total: Duration::from_secs(2),
                ..Limits::default()
            },
        };
        Self {
            client: Client::new(setup, Arc::new(SystemResolver), TaskTracker::new()),
            tls: acceptor(certificate, key, http).unwrap(),
        }
    }

    async fn push(&self, url: &str, set: &str) -> Result<Response, Error> {
        let mut headers = HeaderMap::new();
        headers.insert("x-fapi-interaction-id", HeaderValue::from_static("one-id"));
        let request = Request {
            method: Method::POST,
            target: Target::parse(url).unwrap(),
            headers,
            body: set.to_owned().into(),
        };
        self.client.send(&request).await
    }
}

fn jti(number: u8) -> Jti {
    Jti::new(Timestamp::from_unix_ms(1), [number; 10])
}

fn set(jti: Jti, aud: &str, more: &str) -> String {
    let claims =
        format!("{{\"iss\":\"bank\",\"jti\":\"{jti}\",\"aud\":\"{aud}\",\"events\":{{}}}}");
    format!("e30.{}.{more}", URL_SAFE_NO_PAD.encode(claims))
}

fn book() -> Arc<Book> {
    let book = Arc::new(Book::default());
    book.begin(Arc::new(Semaphore::new(0)));
    book
}

#[tokio::test]
async fn each_event_is_acknowledged_and_counted_once_over_either_http() {
    for http in [BenchHttp::One, BenchHttp::Two] {
        let (bank, book) = (Bank::new(http), book());
        let door = Door::bind().unwrap();
        let url = door.url("/bench-0");
        sink::open(door, bank.tls.clone(), Arc::clone(&book)).unwrap();
        let due = Instant::now();
        book.published(jti(1), due);
        for number in [1, 2, 1] {
            let answer = bank.push(&url, &set(jti(number), "bench-0", "sig")).await;
            let answer = answer.unwrap();
            assert_eq!(answer.status, 202);
            assert_eq!(answer.headers["x-fapi-interaction-id"], "one-id");
        }
        // The second was pushed before the publisher read that it had been accepted.
        assert!(book.nothing_unknown().is_err());
        book.published(jti(2), due);
        book.nothing_unknown().unwrap();
        book.all_arrived().await;
        let tally = book.tally();
        assert_eq!((tally.arrived, tally.repeated), (2, 1));
        let delivered = book.delivered();
        assert_eq!(delivered.len(), 2);
        assert!(delivered.iter().all(|one| one.due == due && one.at > due));
    }
}

#[tokio::test]
async fn what_must_not_come_spoils_the_run() {
    let bank = Bank::new(BenchHttp::One);
    let good = set(jti(1), "bench-0", "sig");
    let changed = set(jti(1), "bench-0", "other");
    let another = set(jti(1), "bench-1", "sig");
    for (sent, status, what) in [
        ([&good, &changed], 202, "came with other bytes than before"),
        (
            [&good, &another],
            400,
            "a SET for bench-1 came to /bench-0/",
        ),
        ([&good, &"e30.e30.sig".to_owned()], 400, "cannot be read"),
        ([&good, &"no SET".to_owned()], 400, "what came is no SET"),
    ] {
        let book = book();
        let door = Door::bind().unwrap();
        let url = door.url("/bench-0");
        sink::open(door, bank.tls.clone(), Arc::clone(&book)).unwrap();
        let [first, second] = sent;
        assert_eq!(bank.push(&url, first).await.unwrap().status, 202);
        assert_eq!(bank.push(&url, second).await.unwrap().status, status);
        let failure = format!("{:?}", book.spoilt().await);
        assert!(failure.contains(what), "{failure}");
    }
}

#[tokio::test]
async fn who_waits_for_what_was_published_waits_until_it_came() {
    let book = book();
    book.published(jti(1), Instant::now());
    let soon = Duration::from_millis(20);
    assert!(timeout(soon, book.all_arrived()).await.is_err());
    let arrive = async { book.arrived(jti(1), 7, Instant::now()) };
    tokio::join!(book.all_arrived(), arrive);
    // Of the stretch before, nothing is told in the next.
    book.begin(Arc::new(Semaphore::new(0)));
    assert!(book.delivered().is_empty());
}

#[tokio::test]
async fn bad_neighbours_behave_badly() {
    let bank = Bank::new(BenchHttp::One);
    let neighbours = Neighbours::bind().unwrap();
    let urls: Vec<_> = neighbours.urls().collect();
    let _dead = neighbours.open(&bank.tls).unwrap();
    let [dead, mute, slow, endless, reset] = urls.try_into().unwrap();
    let class = async |url: String| bank.push(&url, "set").await.unwrap_err().class;
    assert_eq!(class(dead).await, Class::Connect);
    assert_eq!(class(mute).await, Class::Timeout);
    assert_eq!(class(slow).await, Class::Timeout);
    let endless = bank.push(&endless, "set").await.unwrap();
    assert!(matches!(endless.body.ending, Ending::TooLong));
    // A reset may overtake what was said before it.
    let broken = match bank.push(&reset, "set").await {
        Ok(answer) => matches!(answer.body.ending, Ending::Broken(_)),
        Err(error) => error.class == Class::Protocol,
    };
    assert!(broken);
}
